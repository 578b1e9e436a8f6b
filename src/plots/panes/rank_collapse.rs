//! Rank collapse.

use crate::plots::{Pane, PaneId, PaneOptions, Plot};
use crate::record::{Recording, TimeCursor};

pub(crate) const PANE: Pane =
    Pane { id: PaneId::RankCollapse, slug: "rank-collapse", title: "Rank collapse", guide: "", plots };

fn plots(_recording: &Recording, _cursor: TimeCursor, _options: &PaneOptions) -> Vec<Plot> {
    vec![Plot::Empty { title: "Rank collapse".into(), reason: "Not measured yet".into() }]
}
