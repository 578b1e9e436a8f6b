//! Loss landscape.

use crate::plots::{Pane, PaneId, PaneOptions, Plot};
use crate::record::{Recording, TimeCursor};

pub(crate) const PANE: Pane =
    Pane { id: PaneId::Landscape, slug: "landscape", title: "Loss landscape", guide: "", plots };

fn plots(_recording: &Recording, _cursor: TimeCursor, _options: &PaneOptions) -> Vec<Plot> {
    vec![Plot::Empty { title: "Loss landscape".into(), reason: "Not measured yet".into() }]
}
