//! Activations.

use crate::plots::{Pane, PaneId, PaneOptions, Plot};
use crate::record::{Recording, TimeCursor};

pub(crate) const PANE: Pane =
    Pane { id: PaneId::Activations, slug: "activations", title: "Activations", guide: "", plots };

fn plots(_recording: &Recording, _cursor: TimeCursor, _options: &PaneOptions) -> Vec<Plot> {
    vec![Plot::Empty { title: "Activations".into(), reason: "Not measured yet".into() }]
}
