//! Gradients and updates.

use crate::plots::{Pane, PaneId, PaneOptions, Plot};
use crate::record::{Recording, TimeCursor};

pub(crate) const PANE: Pane =
    Pane { id: PaneId::Gradients, slug: "gradients", title: "Gradients and updates", guide: "", plots };

fn plots(_recording: &Recording, _cursor: TimeCursor, _options: &PaneOptions) -> Vec<Plot> {
    vec![Plot::Empty { title: "Gradients and updates".into(), reason: "Not measured yet".into() }]
}
