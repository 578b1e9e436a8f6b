//! Where the panes are at first.

use std::collections::BTreeMap;

use crate::plots::{PaneId, pane};
use crate::record::Recording;
use crate::record::chart::Chart;

use super::layout::{PaneLayout, Part, Place, SHARE};

/// The tiles of the start layout, row by row; of each tile's panes the first is on top.
pub const ROWS: &[&[&[PaneId]]] = &[
    &[&[PaneId::Loss], &[PaneId::Landscape], &[PaneId::Sharpness, PaneId::Curvature]],
    &[&[PaneId::Activations, PaneId::Attention], &[PaneId::RankCollapse, PaneId::Signal], &[PaneId::Gradients]],
];

/// The tiles of a recording's charts: the stacks in the order of their numbers, in rows of about one length.
fn rows_of(charts: &[Chart]) -> Vec<Vec<Vec<PaneId>>> {
    let mut stacks: BTreeMap<u8, Vec<PaneId>> = BTreeMap::new();
    for (index, chart) in charts.iter().enumerate() {
        stacks.entry(chart.stack).or_default().push(PaneId::Chart(index as u8));
    }
    let stacks: Vec<_> = stacks.into_values().collect();
    let rows = match stacks.len() {
        0..=2 => 1,
        3..=8 => 2,
        _ => 3,
    };
    stacks.chunks(stacks.len().div_ceil(rows).max(1)).map(<[_]>::to_vec).collect()
}

/// The layout that a recording's panes begin with.
pub fn start(recording: &Recording) -> PaneLayout {
    let rows = match recording.header.charts.as_slice() {
        [] => ROWS.iter().map(|row| row.iter().map(|panes| panes.to_vec()).collect()).collect(),
        charts => rows_of(charts),
    };
    let pane = |id: &PaneId| Place::Pane(pane::slug(recording, *id).to_owned());
    let stack = |panes: &Vec<PaneId>| match panes.as_slice() {
        [alone] => pane(alone),
        several => Place::Stack { places: several.iter().map(pane).collect(), on_top: 0 },
    };
    let one = |mut places: Vec<Place>, make: fn(Vec<Part>) -> Place| match places.len() {
        1 => places.remove(0),
        _ => make(places.into_iter().map(|place| Part { place, share: SHARE }).collect()),
    };
    let rows: Vec<_> = rows.iter().map(|row| one(row.iter().map(stack).collect(), Place::Row)).collect();
    PaneLayout::new(one(rows, Place::Column))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::pane::PANES;

    #[test]
    fn every_pane_has_one_place_in_the_start_layout() {
        let layout = start(&Recording::default());
        let placed = layout.root.panes();
        assert_eq!(placed.len(), PANES.len());
        for pane in PANES {
            assert_eq!(placed.iter().filter(|name| **name == pane.slug).count(), 1, "{}", pane.slug);
        }
    }
}
