//! The instruments: an ordered registry of what can be shown of a recording.

use crate::base::digits::grouped;
use crate::record::chart::Chart;
use crate::record::{Recording, TimeCursor};

use super::{PaneOptions, Plot, charts, compare, panes};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum PaneId {
    Loss,
    Landscape,
    Sharpness,
    Activations,
    RankCollapse,
    Gradients,
    Signal,
    Curvature,
    Attention,
    /// One of the charts that a lab's recording asks for.
    Chart(u8),
}

/// One instrument.
pub struct Pane {
    pub id: PaneId,
    /// In kebab case, for file names.
    pub slug: &'static str,
    pub title: &'static str,
    /// "How to read this": what the axes are, what is healthy, what isn't.
    pub guide: &'static str,
    /// What to draw of a recording at a cursor; more than one plot stand side by side.
    pub plots: fn(&Recording, TimeCursor, &PaneOptions) -> Vec<Plot>,
}

/// All panes, in the order of the screen and of the keys 1-9.
pub const PANES: &[Pane] = &[
    panes::loss::PANE,
    panes::landscape::PANE,
    panes::sharpness::PANE,
    panes::activations::PANE,
    panes::rank_collapse::PANE,
    panes::gradients::PANE,
    panes::signal_propagation::PANE,
    panes::curvature::PANE,
    panes::attention::PANE,
];

/// The Playground's pane `id`; none for charts.
pub fn find(id: PaneId) -> Option<&'static Pane> {
    PANES.iter().find(|pane| pane.id == id)
}

/// All panes of a recording, in the order of the keys: its charts, or the Playground's.
pub fn of(recording: &Recording) -> Vec<PaneId> {
    match recording.header.charts.len() {
        0 => PANES.iter().map(|pane| pane.id).collect(),
        count => (0..count).map(|index| PaneId::Chart(index as u8)).collect(),
    }
}

fn chart(recording: &Recording, id: PaneId) -> Option<&Chart> {
    match id {
        PaneId::Chart(index) => recording.header.charts.get(usize::from(index)),
        _ => None,
    }
}

pub fn title(recording: &Recording, id: PaneId) -> &str {
    chart(recording, id).map(|chart| chart.title.as_str()).or(find(id).map(|pane| pane.title)).unwrap_or_default()
}

/// "How to read this."
pub fn guide(recording: &Recording, id: PaneId) -> &str {
    chart(recording, id).map(|chart| chart.guide.as_str()).or(find(id).map(|pane| pane.guide)).unwrap_or_default()
}

/// In kebab case, for file names.
pub fn slug(recording: &Recording, id: PaneId) -> &str {
    chart(recording, id).map(|chart| chart.id.as_str()).or(find(id).map(|pane| pane.slug)).unwrap_or("pane")
}

/// What a caption calls the plots of a pane: a single plot's own title says more than the pane's; and where the cursor is, but for the
/// end of a lab, most of whose charts are of the whole.
pub fn told(recording: &Recording, id: PaneId, plots: &[Plot], cursor: TimeCursor) -> String {
    let what = match plots {
        [alone] if !alone.title().is_empty() => alone.title(),
        _ => title(recording, id),
    };
    if !recording.header.charts.is_empty() && cursor.is_following() {
        return what.to_owned();
    }
    format!("{what} at {} {}", charts::step_word(recording), grouped(cursor.step(recording.newest_step())))
}

/// What to draw of a recording at a cursor.
pub fn plots(recording: &Recording, id: PaneId, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    match (chart(recording, id), find(id)) {
        (Some(chart), _) => charts::plots(chart, recording, cursor, options.smoothing),
        (None, Some(pane)) if compare::is_comparing(recording, options) => {
            compare::plots(pane, recording, cursor, options)
        }
        (None, Some(pane)) => (pane.plots)(recording, cursor, options),
        (None, None) => Vec::new(),
    }
}
