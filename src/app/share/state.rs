//! The state of the window: which experiment with which knobs, and how it is looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::base::nesting;
use crate::labs::{self, Lab};
use crate::plots::pane::PANES;
use crate::run::bench::{Preset, Values};
use crate::run::course::Course;
use crate::run::knobs::{self, KnobValue};
use crate::run::spec::RunSpec;

use super::course;
use super::link::{self, LinkError};
use super::sparse;
use super::view::{View, one_line};

/// Of the text's format. It grows when an older program would misread a text, not with every new field.
pub const VERSION: u32 = 1;
/// What the Playground is called in the text.
const PLAYGROUND: &str = "playground";

/// What is run.
#[derive(Clone)]
pub enum Experiment {
    Playground(Box<RunSpec>),
    Lab { lab: &'static dyn Lab, values: Values },
}

impl PartialEq for Experiment {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Playground(a), Self::Playground(b)) => a == b,
            (Self::Lab { lab: a, values: x }, Self::Lab { lab: b, values: y }) => a.id() == b.id() && x == y,
            _ => false,
        }
    }
}

impl fmt::Debug for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Playground(spec) => f.debug_tuple("Playground").field(spec).finish(),
            Self::Lab { lab, values } => f.debug_tuple(lab.id()).field(values).finish(),
        }
    }
}

/// The state of the window: an experiment, what is done to it by hand, and a view of it. Measurements aren't in it: whoever opens it runs it anew.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedState {
    pub experiment: Experiment,
    /// Of the Playground: what is done to its run, which begins with the experiment's knobs.
    pub course: Course,
    /// None leaves the window as it is, as a bare specification does.
    pub view: Option<View>,
}

/// A text that is no state of the window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("this isn't TOML: {0}")]
    Toml(String),
    #[error("this isn't a saved state of Landscope: it has no line `landscope = {VERSION}`")]
    Unmarked,
    #[error(
        "the state has format {found}; this Landscope ({}) reads up to format {VERSION}: open it with a newer one",
        env!("CARGO_PKG_VERSION")
    )]
    Newer { found: i64 },
    #[error("the state can't be opened: {0}")]
    Invalid(String),
}

/// Letters of a word, and of a whole message, that a user reads.
const LONGEST_WORD: usize = 120;
const LONGEST_MESSAGE: usize = 800;

impl ShareError {
    /// Values that are named in it are shortened: a damaged text may have one of a hundred thousand letters.
    fn brief(self) -> Self {
        let brief = |text: &str| {
            let words = text.split(' ').map(|word| elided(word, LONGEST_WORD)).collect::<Vec<_>>();
            elided(&words.join(" "), LONGEST_MESSAGE)
        };
        match self {
            Self::Toml(text) => Self::Toml(brief(&text)),
            Self::Invalid(text) => Self::Invalid(brief(&text)),
            other => other,
        }
    }
}

/// The beginning and the end of a text that is too long.
fn elided(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let start: String = text.chars().take(most / 2).collect();
    let end: String = text.chars().skip(length - most / 2).collect();
    format!("{start} … {end}")
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    landscope: u32,
    experiment: String,
    /// Of the values that aren't mentioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    defaults: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    turns: Vec<course::WrittenTurn>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    knobs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    spec: Table,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside: Option<course::WrittenBeside>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    branches: Vec<course::WrittenBranch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    view: Option<Table>,
}

impl Experiment {
    fn name(&self) -> &'static str {
        match self {
            Self::Playground(_) => PLAYGROUND,
            Self::Lab { lab, .. } => lab.id(),
        }
    }

    /// For people.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Playground(_) => "Playground",
            Self::Lab { lab, .. } => lab.title(),
        }
    }

    /// The first eight digits of a hash of what goes without saying: a program with other defaults gets another.
    fn defaults(&self) -> String {
        let text = match self {
            Self::Playground(_) => RunSpec::default().to_toml(),
            Self::Lab { lab, .. } => Values::preset(lab.knobs(), Preset::Instant).to_toml(lab.id()),
        };
        blake3::hash(text.as_bytes()).to_hex().chars().take(8).collect()
    }

    /// The files and folders of this computer that it reads.
    pub fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::Playground(spec) => {
                let named = [&spec.task.path, &spec.task.test_path, &spec.init_weights];
                named.into_iter().flatten().cloned().collect()
            }
            Self::Lab { values, .. } => {
                let paths = values.knobs().iter().filter_map(|entry| match values.get(entry.knob.id) {
                    Some(KnobValue::Path(path)) if !path.is_empty() => Some(PathBuf::from(path)),
                    _ => None,
                });
                paths.collect()
            }
        }
    }

    /// The names of its panes.
    fn panes(&self) -> Vec<String> {
        match self {
            Self::Playground(_) => PANES.iter().map(|pane| pane.slug.to_owned()).collect(),
            Self::Lab { lab, values } => lab.charts(values).into_iter().map(|chart| chart.id).collect(),
        }
    }

    fn has_knob(&self, id: &str) -> bool {
        match self {
            Self::Playground(_) => knobs::find(id).is_some(),
            Self::Lab { values, .. } => values.get(id).is_some(),
        }
    }
}

impl SharedState {
    /// The files and folders of this computer that it reads.
    pub fn paths(&self) -> Vec<PathBuf> {
        let mut paths = self.experiment.paths();
        if let Some(beside) = &self.course.beside {
            let others = Experiment::Playground(beside.spec.clone()).paths();
            paths.extend(others.into_iter().filter(|path| !self.experiment.paths().contains(path)));
        }
        paths
    }

    /// The canonical text: equal states have equal texts. What is as the program has it by default isn't mentioned.
    ///
    /// # Errors
    /// If the state holds what TOML can't say, such as a path that isn't Unicode.
    pub fn to_toml(&self) -> Result<String, String> {
        let mut written = Written {
            landscope: VERSION,
            experiment: self.experiment.name().into(),
            defaults: Some(self.experiment.defaults()),
            seed: None,
            until: None,
            turns: Vec::new(),
            knobs: BTreeMap::new(),
            spec: Table::new(),
            beside: None,
            branches: Vec::new(),
            view: self.view.as_ref().map(View::to_table),
        };
        let unsayable = |error: toml::ser::Error| format!("The state can't be written down: {error}");
        match &self.experiment {
            Experiment::Playground(spec) => {
                let table = |spec: &RunSpec| Table::try_from(spec).map_err(unsayable);
                written.spec = sparse::difference(&table(spec)?, &table(&RunSpec::default())?);
                let course = course::Written::of(&self.course, spec).map_err(unsayable)?;
                (written.until, written.turns) = (course.until, course.turns);
                (written.beside, written.branches) = (course.beside, course.branches);
            }
            Experiment::Lab { lab, values } => {
                let defaults = Values::preset(lab.knobs(), Preset::Instant).texts();
                written.seed = (values.seed != 0).then_some(values.seed);
                let turned = values.texts().into_iter().filter(|(id, text)| defaults.get(id) != Some(text));
                written.knobs = turned.collect();
            }
        }
        toml::to_string(&written).map_err(unsayable)
    }

    /// # Errors
    /// As [`Self::to_toml`].
    pub fn to_link(&self) -> Result<String, String> {
        self.to_toml().map(|text| link::pack(&text))
    }

    /// Reads a link or a text like [`Self::to_toml`]'s. Beside the state come remarks for the user: what it says that this
    /// program doesn't have, and that its author's program had other defaults.
    ///
    /// # Errors
    /// [`ShareError`] names the field, the value and what is allowed.
    pub fn read(text: &str) -> Result<(Self, Vec<String>), ShareError> {
        let read = if link::is_one(text) { Self::from_toml(&link::unpack(text)?) } else { Self::from_toml(text) };
        read.map_err(ShareError::brief)
    }

    fn from_toml(text: &str) -> Result<(Self, Vec<String>), ShareError> {
        nesting::check(text).map_err(ShareError::Toml)?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count().max(1));
            ShareError::Toml(format!("line {line}: {}", one_line(&error)))
        })?;
        match table.get("landscope").and_then(toml::Value::as_integer) {
            None => return Err(ShareError::Unmarked),
            Some(found) if found != i64::from(VERSION) => return Err(ShareError::Newer { found }),
            Some(_) => {}
        }
        let written: Written = table.try_into().map_err(|error| ShareError::Invalid(one_line(&error)))?;
        Self::from_written(written).map_err(ShareError::Invalid)
    }

    fn from_written(written: Written) -> Result<(Self, Vec<String>), String> {
        let experiment = experiment(&written)?;
        let Written { until, turns, beside, branches, .. } = written;
        let course = course::Written { until, turns, beside, branches };
        let course = match &experiment {
            Experiment::Playground(spec) => course.course(spec)?,
            Experiment::Lab { .. } if course.is_empty() => Course::default(),
            Experiment::Lab { .. } => {
                return Err("`turns`, `until`, `beside` and `branches` belong to the Playground; leave them out".into());
            }
        };
        let mut remarks = Vec::new();
        if written.defaults.is_some_and(|defaults| defaults != experiment.defaults()) {
            remarks.push(
                "The Landscope that made this has other defaults: what isn't mentioned is as this one has it".into(),
            );
        }
        let mut view = written.view.map(View::from_table).transpose()?;
        if let Some(view) = &mut view {
            forget_strangers(view, &experiment, &mut remarks);
        }
        Ok((Self { experiment, course, view }, remarks))
    }
}

fn experiment(written: &Written) -> Result<Experiment, String> {
    if written.experiment == PLAYGROUND {
        if !written.knobs.is_empty() || written.seed.is_some() {
            return Err("the Playground's knobs and seed stand under [spec]; `knobs` and `seed` belong to labs".into());
        }
        let spec: RunSpec =
            written.spec.clone().try_into().map_err(|error: toml::de::Error| format!("spec: {}", one_line(&error)))?;
        knobs::validate(&spec).map_err(|message| format!("spec: {message}"))?;
        return Ok(Experiment::Playground(Box::new(spec)));
    }
    let Some(lab) = labs::find(&written.experiment) else {
        let ids: Vec<_> = labs::LABS.iter().map(|lab| lab.id()).collect();
        return Err(format!("there is no experiment {:?}; give {PLAYGROUND}, {}", written.experiment, ids.join(", ")));
    };
    if !written.spec.is_empty() {
        return Err("a lab's knobs stand under [knobs]; `spec` belongs to the Playground".into());
    }
    let mut values = Values::preset(lab.knobs(), Preset::Instant);
    values.seed = written.seed.unwrap_or(0);
    for (id, text) in &written.knobs {
        values.set_text(id, text)?;
    }
    lab.check(&values)?;
    Ok(Experiment::Lab { lab, values })
}

/// Panes and knobs that this program doesn't have: the experiment is the same without.
fn forget_strangers(view: &mut View, experiment: &Experiment, remarks: &mut Vec<String>) {
    let panes = experiment.panes();
    let is_pane = |name: &str| panes.iter().any(|pane| pane == name);
    let mut strangers: Vec<String> = Vec::new();
    let mut note = |name: &str| strangers.push(name.to_owned());
    if let Some(layout) = &view.layout {
        layout.root.panes().into_iter().filter(|name| !is_pane(name)).for_each(&mut note);
        layout.hidden.iter().filter(|name| !is_pane(name)).for_each(|name| note(name));
    }
    view.maximised.iter().filter(|name| !is_pane(name)).for_each(|name| note(name));
    view.cameras.keys().filter(|name| !is_pane(name)).for_each(|name| note(name));
    view.maximised = view.maximised.take().filter(|name| is_pane(name));
    view.cameras.retain(|name, _| is_pane(name));
    if let Some(layout) = view.layout.take() {
        let names: Vec<_> = panes.iter().map(String::as_str).collect();
        // Where no pane is left, the layout is as at the start.
        let known = layout.root.panes().into_iter().any(is_pane);
        view.layout = known.then(|| layout.fitted(&names, &layout));
    }
    view.hidden_knobs.iter().filter(|id| !experiment.has_knob(id)).for_each(|id| note(id));
    view.hidden_knobs.retain(|id| experiment.has_knob(id));
    strangers.sort();
    strangers.dedup();
    if !strangers.is_empty() {
        strangers.truncate(8);
        remarks.push(format!("Left out, as {} has no such pane or knob: {}", experiment.title(), strangers.join(", ")));
    }
}

#[cfg(test)]
mod tests;
