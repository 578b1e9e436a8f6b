//! How the window looks at an experiment: everything but the experiment itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::app::arrangement::{PaneLayout, Place};
use crate::app::views::Orbit;
use crate::plots::PaneOptions;

use super::sparse;

/// Longest lists and names that a view may have: a link is small.
const MOST: usize = 1_000;

/// Panes, panels, colours and the cursor as they stand. Panes go by their names, knobs by their ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// None for the layout that the experiment begins with.
    pub layout: Option<PaneLayout>,
    pub maximised: Option<String>,
    pub options: PaneOptions,
    /// Where surfaces are seen from, of panes that were turned.
    pub cameras: BTreeMap<String, Orbit>,
    /// The step that the cursor stands at; none follows the newest.
    pub cursor: Option<u64>,
    pub light: bool,
    pub presenter: bool,
    pub knobs_folded: bool,
    pub lesson_folded: bool,
    pub lesson_step: usize,
    /// Knobs that the panel doesn't show.
    pub hidden_knobs: BTreeSet<String>,
    /// Updates a second at most.
    pub speed_limit: Option<f64>,
    /// Whether the run waits to be started.
    pub paused: bool,
}

/// The view as a table. What isn't there is as at the start.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    panes: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hidden_panes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximised: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    theme: Option<Theme>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    presenter: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fold_knobs: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fold_lesson: bool,
    #[serde(skip_serializing_if = "is_zero")]
    lesson_step: usize,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    hidden_knobs: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed_limit: Option<f64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    paused: bool,
    #[serde(skip_serializing_if = "Table::is_empty")]
    options: Table,
    /// Yaw and pitch in radians, zoom.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    cameras: BTreeMap<String, [f64; 3]>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Theme {
    Dark,
    Light,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// The options that differ from the defaults.
pub(super) fn sparse_options(options: &PaneOptions) -> Table {
    // The last layer is the largest number, which TOML can't say: as the default it goes without saying.
    let last = PaneOptions::default().similarity_layer;
    let written = |options: &PaneOptions| {
        let sayable = PaneOptions { similarity_layer: options.similarity_layer.min(MOST_LAYERS), ..options.clone() };
        let mut table = Table::try_from(&sayable).unwrap_or_default();
        if options.similarity_layer == last {
            table.remove("similarity_layer");
        }
        table
    };
    sparse::difference(&written(options), &written(&PaneOptions::default()))
}

/// Indices past it stand for the last layer, too.
const MOST_LAYERS: usize = 1 << 30;

/// # Errors
/// One sentence that names the option.
pub(super) fn read_options(table: Table) -> Result<PaneOptions, String> {
    let mut options: PaneOptions =
        table.try_into().map_err(|error: toml::de::Error| format!("view.options: {}", one_line(&error)))?;
    if options.similarity_layer > MOST_LAYERS {
        options.similarity_layer = PaneOptions::default().similarity_layer;
    }
    Ok(options)
}

/// A parser's message in one line.
pub(super) fn one_line(error: &toml::de::Error) -> String {
    error.message().trim().replace('\n', " ")
}

impl View {
    /// What differs from the view at the start, as a table.
    pub fn to_table(&self) -> Table {
        let written = Written {
            panes: self.layout.as_ref().map(|layout| layout.root.to_string()),
            hidden_panes: self.layout.as_ref().map(|layout| layout.hidden.clone()).unwrap_or_default(),
            maximised: self.maximised.clone(),
            cursor: self.cursor,
            theme: self.light.then_some(Theme::Light),
            presenter: self.presenter,
            fold_knobs: self.knobs_folded,
            fold_lesson: self.lesson_folded,
            lesson_step: self.lesson_step,
            hidden_knobs: self.hidden_knobs.clone(),
            speed_limit: self.speed_limit,
            paused: self.paused,
            options: sparse_options(&self.options),
            cameras: self.cameras.iter().map(|(name, orbit)| (name.clone(), camera(orbit))).collect(),
        };
        // Numbers past what TOML can say are the only obstacle, and no part of the window makes such.
        Table::try_from(written).unwrap_or_default()
    }

    /// # Errors
    /// One sentence that names the field, the value and what is allowed.
    pub fn from_table(table: Table) -> Result<Self, String> {
        let written: Written =
            table.try_into().map_err(|error: toml::de::Error| format!("view: {}", one_line(&error)))?;
        let lists = [written.hidden_panes.len(), written.hidden_knobs.len(), written.cameras.len()];
        if lists.into_iter().any(|length| length > MOST) {
            return Err(format!("view: a list has over {MOST} entries; give fewer"));
        }
        let layout = match &written.panes {
            Some(text) => {
                let root: Place = text.parse().map_err(|error| format!("view.panes: {error}"))?;
                Some(PaneLayout { root, hidden: written.hidden_panes })
            }
            None if written.hidden_panes.is_empty() => None,
            None => return Err("view.hidden-panes stands without view.panes; give the layout, too".into()),
        };
        if let Some(limit) = written.speed_limit.filter(|limit| !(0.001..=1e6).contains(limit)) {
            return Err(format!("view.speed-limit can't be {limit}; give updates a second, from 0.001 to 1000000"));
        }
        let cameras =
            written.cameras.into_iter().map(|(name, angles)| orbit(name, angles)).collect::<Result<_, _>>()?;
        Ok(Self {
            layout,
            maximised: written.maximised,
            options: read_options(written.options)?,
            cameras,
            cursor: written.cursor,
            light: matches!(written.theme, Some(Theme::Light)),
            presenter: written.presenter,
            knobs_folded: written.fold_knobs,
            lesson_folded: written.fold_lesson,
            lesson_step: written.lesson_step,
            hidden_knobs: written.hidden_knobs,
            speed_limit: written.speed_limit,
            paused: written.paused,
        })
    }
}

/// To a thousandth: no eye sees less.
fn camera(orbit: &Orbit) -> [f64; 3] {
    [orbit.yaw, orbit.pitch, orbit.zoom].map(|x| (f64::from(x) * 1_000.0).round() / 1_000.0)
}

fn orbit(name: String, [yaw, pitch, zoom]: [f64; 3]) -> Result<(String, Orbit), String> {
    let fits = yaw.abs() <= 3.2 && (0.0..=1.6).contains(&pitch) && (0.1..=10.0).contains(&zoom);
    if !fits {
        return Err(format!(
            "view.cameras.{name} can't be [{yaw}, {pitch}, {zoom}]; give yaw (-3.2 to 3.2) and pitch (0 to 1.6) in radians, and zoom (0.1 to 10)"
        ));
    }
    // As it is written, so that a state that was read is sent on equal.
    let [yaw, pitch, zoom] = [yaw, pitch, zoom].map(|x| ((x * 1_000.0).round() / 1_000.0) as f32);
    Ok((name, Orbit { yaw, pitch, zoom }))
}
