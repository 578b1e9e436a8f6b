//! Loss and accuracy.

use crate::plots::{Pane, PaneId, PaneOptions, Plot};
use crate::record::{Recording, TimeCursor};

pub(crate) const PANE: Pane = Pane { id: PaneId::Loss, slug: "loss", title: "Loss and accuracy", guide: "", plots };

fn plots(_recording: &Recording, _cursor: TimeCursor, _options: &PaneOptions) -> Vec<Plot> {
    vec![Plot::Empty { title: "Loss and accuracy".into(), reason: "Not measured yet".into() }]
}
