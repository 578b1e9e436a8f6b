//! Between a layout and the tiles that are drawn and dragged.

use egui_tiles::{Container, LinearDir, SimplificationOptions, Tile, TileId, Tiles, Tree};

use crate::plots::{PaneId, pane};
use crate::record::Recording;

use super::layout::{self, PaneLayout, Part, Place, SHARE};

/// What the tiles do to themselves before they are drawn.
pub const SIMPLIFICATIONS: SimplificationOptions = SimplificationOptions {
    all_panes_must_have_tabs: false,
    prune_empty_tabs: true,
    prune_empty_containers: true,
    prune_single_child_tabs: true,
    prune_single_child_containers: true,
    join_nested_linear_containers: true,
    flatten_tabs_in_tabs: false,
};

/// The tiles of a layout whose panes are all of `recording`.
pub fn grow(layout: &PaneLayout, recording: &Recording) -> Tree<PaneId> {
    let mut tiles = Tiles::default();
    let id = egui::Id::unique("panes");
    let mut tree = match plant(&layout.root, recording, &mut tiles) {
        Some(root) => Tree::new(id, root, tiles),
        None => Tree::empty(id),
    };
    tree.simplify(&SIMPLIFICATIONS);
    tree
}

fn plant(place: &Place, recording: &Recording, tiles: &mut Tiles<PaneId>) -> Option<TileId> {
    match place {
        Place::Pane(name) => layout::find(recording, name).map(|id| tiles.insert_pane(id)),
        Place::Stack { places, on_top } => {
            let children: Vec<_> = places.iter().map(|place| plant(place, recording, tiles)).collect();
            let active = children.get(*on_top).copied().flatten();
            let mut tabs = egui_tiles::Tabs::new(children.into_iter().flatten().collect());
            tabs.active = active.or(tabs.active);
            Some(tiles.insert_container(tabs))
        }
        Place::Row(parts) => linear(LinearDir::Horizontal, parts, recording, tiles),
        Place::Column(parts) => linear(LinearDir::Vertical, parts, recording, tiles),
    }
}

fn linear(dir: LinearDir, parts: &[Part], recording: &Recording, tiles: &mut Tiles<PaneId>) -> Option<TileId> {
    let children: Vec<_> = parts
        .iter()
        .filter_map(|part| Some((plant(&part.place, recording, tiles)?, part.share as f32 / SHARE as f32)))
        .collect();
    let mut linear = egui_tiles::Linear::new(dir, children.iter().map(|(id, _)| *id).collect());
    children.iter().for_each(|(id, share)| linear.shares.set_share(*id, *share));
    Some(tiles.insert_container(linear))
}

/// The layout that the tiles have come to; `hidden` are the panes that aren't among them.
pub fn read(tree: &Tree<PaneId>, recording: &Recording, hidden: &[String]) -> Option<PaneLayout> {
    let root = harvest(tree.root()?, &tree.tiles, recording)?;
    Some(PaneLayout { root, hidden: hidden.to_vec() })
}

fn harvest(id: TileId, tiles: &Tiles<PaneId>, recording: &Recording) -> Option<Place> {
    let container = match tiles.get(id)? {
        Tile::Pane(id) => return Some(Place::Pane(pane::slug(recording, *id).to_owned())),
        Tile::Container(container) => container,
    };
    let part =
        |child: &TileId, share: f32| Some(Part { place: harvest(*child, tiles, recording)?, share: whole(share) });
    match container {
        Container::Tabs(tabs) => {
            let places: Vec<_> = tabs.children.iter().filter_map(|child| harvest(*child, tiles, recording)).collect();
            let on_top = tabs.children.iter().position(|child| tabs.active == Some(*child)).unwrap_or(0);
            let on_top = on_top.min(places.len().saturating_sub(1));
            if places.len() > 1 { Some(Place::Stack { places, on_top }) } else { places.into_iter().next() }
        }
        Container::Linear(linear) => {
            let parts: Vec<_> = linear.children.iter().filter_map(|child| part(child, linear.shares[*child])).collect();
            one_of(parts, if linear.dir == LinearDir::Horizontal { Place::Row } else { Place::Column })
        }
        // Nothing here makes grids.
        Container::Grid(grid) => one_of(grid.children().filter_map(|child| part(child, 1.0)).collect(), Place::Row),
    }
}

fn one_of(parts: Vec<Part>, make: fn(Vec<Part>) -> Place) -> Option<Place> {
    if parts.len() > 1 { Some(make(parts)) } else { parts.into_iter().next().map(|part| part.place) }
}

fn whole(share: f32) -> u32 {
    // A cast of what is no number gives 0.
    ((share * SHARE as f32).round() as u32).clamp(1, 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::super::start;
    use super::*;

    #[test]
    fn what_grows_from_a_layout_reads_as_that_layout() {
        let recording = Recording::default();
        for text in [
            start(&recording).root.to_string(),
            "loss".into(),
            "loss + *gradients".into(),
            "((loss:0.25 | *landscape + sharpness) / (gradients | signal-propagation):1.5)".into(),
        ] {
            let layout = PaneLayout::new(text.parse().unwrap());
            let layout = layout.fitted(&layout.root.panes(), &layout);
            assert_eq!(read(&grow(&layout, &recording), &recording, &[]), Some(layout), "{text}");
        }
    }
}
