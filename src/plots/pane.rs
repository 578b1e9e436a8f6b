//! The instruments: an ordered registry of what can be shown of a recording.

use crate::record::{Recording, TimeCursor};

use super::{PaneOptions, Plot, panes};

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

pub fn find(id: PaneId) -> &'static Pane {
    PANES.iter().find(|pane| pane.id == id).expect("every id is registered")
}
