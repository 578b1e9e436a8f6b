//! Files that users bring: dropped, or opened by their path. What a file holds decides what happens with it.

use std::path::{Path, PathBuf};

use crate::base::nesting;
use crate::labs;
use crate::run::bench::{Preset, Values};
use crate::run::course::Course;
use crate::run::file_kind::{self, FileKind};
use crate::run::knobs::{self, KnobValue};
use crate::run::spec::RunSpec;
use crate::run::weights_file;

use super::action::Action;
use super::connectivity::{EndChoice, Pick};
use super::draft;
use super::share::{Experiment, SharedState};
use super::state::{Dialog, Window};
use super::toasts::Notice;

/// What was brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Brought {
    Recording,
    Sweep,
    /// A specification, a lab's setting, a saved state or a link; with remarks for the user.
    State(Box<SharedState>, Vec<String>),
    /// Parameters, and whether they are those of the network that the knobs describe.
    Weights {
        tensors: usize,
        fit: Result<(), String>,
    },
    /// Examples: for which choice of the knob `task`, and what its knob `data` has to be.
    Data {
        task: String,
        place: PathBuf,
    },
}

/// A file over the window that isn't dropped yet, and what it turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Hovered {
    pub path: PathBuf,
    pub found: Option<Result<Brought, String>>,
}

/// Looks at a file; `spec` is what weights should fit. Takes a while: not for the window's own thread.
///
/// # Errors
/// One sentence for the user.
pub fn look(path: &Path, spec: &RunSpec) -> Result<Brought, String> {
    Ok(match file_kind::of(path)? {
        FileKind::Recording => Brought::Recording,
        FileKind::Sweep => Brought::Sweep,
        FileKind::Setting(text) => {
            let (state, remarks) = setting(&text, path)?;
            Brought::State(Box::new(state), remarks)
        }
        FileKind::Weights { tensors } => Brought::Weights { tensors, fit: weights_file::fit(path, spec) },
        FileKind::Data { task, place } => {
            // As the knob writes it.
            let mut spec = RunSpec::default();
            spec.task.kind = task;
            Brought::Data { task: choice(&spec, "task"), place }
        }
    })
}

/// What a TOML file or a link says, by what stands in it: `landscope` marks a state, `lab` a lab's setting; what has neither is
/// a specification.
///
/// # Errors
/// One sentence that names the file, the field and what is allowed.
pub fn setting(text: &str, path: &Path) -> Result<(SharedState, Vec<String>), String> {
    let named = |error: String| format!("{}: {error}", path.display());
    nesting::check(text).map_err(named)?;
    let table: Option<toml::Table> = text.parse().ok();
    let has = |key| table.as_ref().is_some_and(|table| table.contains_key(key));
    let bare = |experiment| (SharedState { experiment, course: Course::default(), view: None }, Vec::new());
    if has("lab") {
        let id = Values::lab_of(text)
            .ok_or_else(|| named("it isn't the setting of a lab as `landscope run` writes it".into()))?;
        let lab = labs::find(&id).ok_or_else(|| named(format!("there is no lab {id:?}")))?;
        let mut values = Values::preset(lab.knobs(), Preset::Standard);
        values.read_toml(text).and_then(|()| lab.check(&values)).map_err(named)?;
        return Ok(bare(Experiment::Lab { lab, values }));
    }
    if table.is_some() && !has("landscope") {
        let spec = RunSpec::from_toml(text, &path.display().to_string())
            .map_err(|error| super::sentence(&error.to_string()))?;
        return Ok(bare(Experiment::Playground(Box::new(spec))));
    }
    SharedState::read(text).map_err(|error| named(error.to_string()))
}

fn choice(spec: &RunSpec, id: &str) -> String {
    knobs::find(id).map(|knob| knob.get(spec).to_string()).unwrap_or_default()
}

fn task_title(task: &str) -> String {
    knobs::find("task").map_or_else(|| task.to_owned(), |knob| draft::title(knob, task))
}

impl Brought {
    /// What dropping it does.
    pub fn does(&self) -> String {
        match self {
            Self::Recording => "Opens the recording".into(),
            Self::Sweep => "Watches the sweep".into(),
            Self::State(state, _) => format!("Begins what it describes: {}", state.experiment.title()),
            Self::Weights { fit: Ok(()), .. } => {
                "Weights of this network: begin a run with them, or compare them".into()
            }
            Self::Weights { fit: Err(_), .. } => "Weights of another network".into(),
            Self::Data { task, .. } => format!("Begins to learn it: {}", task_title(task)),
        }
    }
}

impl Window {
    /// A file is held over the window, or none any more.
    pub fn hover(&mut self, path: Option<PathBuf>) {
        let Some(path) = path else {
            self.hovered = None;
            return;
        };
        if self.hovered.as_ref().is_none_or(|hovered| hovered.path != path) {
            self.background.look(path.clone(), self.playground_spec().clone(), false);
            self.hovered = Some(Hovered { path, found: None });
        }
    }

    /// Opens what lies at a path, whatever it is.
    pub(super) fn bring(&mut self, path: PathBuf) {
        self.toasts.push(Notice::remark(super::state::opening(&path)));
        self.background.look(path, self.playground_spec().clone(), true);
    }

    /// A background thread has looked at a file that was brought.
    pub(super) fn brought(&mut self, path: PathBuf, found: Result<Brought, String>) {
        // A recording takes longer: the message stands until it is read.
        if !matches!(found, Ok(Brought::Recording)) {
            self.toasts.withdraw(&super::state::opening(&path));
        }
        match found {
            Err(message) => self.toasts.push(Notice::problem(message)),
            Ok(Brought::Recording) => self.background.read(path, self.memory_budget),
            Ok(Brought::Sweep) => {
                self.remember(&path);
                self.watch_sweep(&path);
            }
            Ok(Brought::State(state, remarks)) => {
                self.remember(&path);
                self.arrive(*state, remarks);
            }
            Ok(Brought::Weights { tensors, fit }) => self.dialog = Some(Dialog::Weights { path, tensors, fit }),
            Ok(Brought::Data { task, place }) => self.learn(task, &place),
        }
    }

    /// The specification that a run in the Playground would have now.
    fn playground_spec(&self) -> &RunSpec {
        match &self.viewed {
            Some(viewed) if viewed.recording.header.charts.is_empty() => &viewed.spec,
            _ => &self.draft,
        }
    }

    /// Turns the knobs `task` and `data` to a file or folder of examples.
    fn learn(&mut self, task: String, place: &Path) {
        let title = task_title(&task);
        let knobs =
            [("task", KnobValue::Choice(task)), ("data", KnobValue::Path(place.to_string_lossy().into_owned()))];
        if self.has_transport() && self.lab.is_none() {
            for (id, value) in knobs {
                self.apply(Action::SetKnob { id, value });
            }
        } else {
            let mut spec = self.playground_spec().clone();
            for (id, value) in knobs {
                match draft::change(&mut spec, id, &value) {
                    Ok(remarks) => remarks.into_iter().for_each(|text| self.toasts.push(Notice::remark(text))),
                    Err(message) => {
                        self.toasts.push(Notice::problem(message));
                        return;
                    }
                }
            }
            // The file was brought by hand: nobody has to be asked whether it may be read.
            let experiment = Experiment::Playground(Box::new(spec));
            let state = SharedState { experiment, course: Course::default(), view: None };
            match self.at_stake() {
                None => self.begin_playground(&state),
                Some(_) => self.arrive(state, Vec::new()),
            }
        }
        self.toasts.push(Notice::done(format!("{title}: {}", place.display())));
    }

    fn begin_playground(&mut self, state: &SharedState) {
        if let Experiment::Playground(spec) = &state.experiment {
            self.draft = (**spec).clone();
            self.begin(None);
        }
    }

    /// Begins the Playground's run with the weights of a file, or from the seed again.
    pub(super) fn begin_with_weights(&mut self, path: Option<PathBuf>) {
        self.dialog = None;
        self.draft = RunSpec { init_weights: path, ..self.playground_spec().clone() };
        if self.has_playground() {
            self.carry_out(Action::Restart);
        } else {
            self.begin(None);
        }
    }

    /// Sets the weights of a file as one of the two that are compared.
    pub(super) fn compare_weights(&mut self, path: &Path) {
        self.comparing.ends[1] = EndChoice { pick: Pick::File, path: path.to_string_lossy().into_owned() };
        self.dialog = Some(Dialog::Connectivity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_apart_by_what_stands_in_them() {
        let path = Path::new("x.toml");
        let (state, _) = setting("seed = 7", path).unwrap();
        assert!(matches!(state.experiment, Experiment::Playground(spec) if spec.seed == 7));
        let lab = labs::LABS[0];
        let mut values = Values::preset(lab.knobs(), Preset::Paper);
        values.seed = 3;
        let (state, _) = setting(&values.to_toml(lab.id()), path).unwrap();
        assert_eq!(state.experiment, Experiment::Lab { lab, values });
        let link = state.to_link().unwrap();
        assert_eq!(setting(&link, path).unwrap().0, state);
        assert_eq!(setting(&state.to_toml().unwrap(), path).unwrap().0, state);
        for (text, words) in [
            ("sede = 7", ["x.toml", "sede"]),
            ("lab = 'cooking'", ["x.toml", "cooking"]),
            ("lab = 'rank-collapse'\nsede = 1", ["x.toml", "setting"]),
            ("landscope = 1\nexperiment = 'cooking'", ["x.toml", "cooking"]),
            ("this is no TOML", ["x.toml", "TOML"]),
        ] {
            let error = setting(text, path).unwrap_err();
            assert!(words.iter().all(|word| error.contains(word)) && !error.contains('\n'), "{error}");
        }
    }
}
