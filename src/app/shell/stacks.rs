//! Which panes share a tile, and the tabs to choose among them.
//!
//! The tabs stand in the pane's own header, so that a tile with several panes is no lower than one with a single pane. A
//! pane behind another is neither laid out nor drawn, and its plots aren't built.

use std::collections::HashMap;

use egui::{FontId, Rect, Role, Sense, Ui, WidgetInfo, WidgetText, pos2, vec2};
use egui_tiles::{Container, Tile, TileId, Tree};

use crate::app::theme::{self, size};
use crate::plots::{PaneId, pane};
use crate::record::Recording;

/// Between two tabs.
const GAP: f32 = 12.0;
/// What is left to the words that stand for the tabs without room.
const MORE: f32 = 54.0;
/// Headers narrower than this have no room for whole words beside the title.
const NARROW: f32 = 260.0;
/// A tab narrower than this says nothing.
const LEAST_TAB: f32 = 56.0;
/// What is left to the title of the pane on top.
const LEAST_ON_TOP: f32 = 120.0;
/// What titles leave to the buttons beside them.
const BUTTONS: f32 = 60.0;

/// The panes of every tile that has several, as the tree stands.
#[derive(Default)]
pub struct Stacks(HashMap<TileId, Vec<PaneId>>);

impl Stacks {
    pub fn of(tree: &Tree<PaneId>) -> Self {
        let panes = |tile: &TileId| tree.tiles.get_pane(tile).copied();
        let stacks = tree.tiles.iter().filter_map(|(id, tile)| match tile {
            // What holds a row of panes behind a tab keeps the bar of tabs: no single header could stand for it.
            Tile::Container(Container::Tabs(tabs)) => {
                Some((*id, tabs.children.iter().map(panes).collect::<Option<_>>()?))
            }
            _ => None,
        });
        Self(stacks.collect())
    }

    /// Whether the panes' headers hold the tabs of this container.
    pub fn has(&self, container: TileId) -> bool {
        self.0.contains_key(&container)
    }

    /// The panes of the tile that holds `id`, in their order; `id` alone where it has a tile to itself.
    pub fn panes_with(&self, id: PaneId) -> Vec<PaneId> {
        self.0.values().find(|panes| panes.contains(&id)).cloned().unwrap_or_else(|| vec![id])
    }
}

/// Titles side by side from the left of a header, that of `on_top` brought out; returns where they end, and the pane
/// that was asked for.
pub fn titles(
    ui: &mut Ui,
    rect: Rect,
    recording: &Recording,
    panes: &[PaneId],
    on_top: PaneId,
) -> (f32, Option<PaneId>) {
    let tokens = theme::of(ui.visuals());
    let mut left = rect.left();
    let mut asked = None;
    let mut without_room = Vec::new();
    let (more, is_narrow) = if rect.width() < NARROW { (MORE / 2.0, true) } else { (MORE, false) };
    for (k, &id) in panes.iter().enumerate() {
        let title = pane::title(recording, id);
        let is_on_top = id == on_top;
        let place = |left: f32, galley: &egui::Galley| {
            Rect::from_min_size(pos2(left, rect.top()), vec2(galley.size().x, rect.height()))
        };
        let text = egui::RichText::new(title).size(if is_on_top { size::TEXT_TITLE } else { size::TEXT_BODY });
        let text = WidgetText::from(if is_on_top { text.strong() } else { text });
        // The one on top is readable wherever it stands.
        let later = panes[k + 1..].contains(&on_top);
        let kept = if later { LEAST_ON_TOP } else { 0.0 } + if k + 1 < panes.len() { more } else { 0.0 };
        let room = (rect.right() - left - BUTTONS - kept).max(0.0);
        if !is_on_top && (room < LEAST_TAB || !without_room.is_empty()) {
            without_room.push(id);
            continue;
        }
        let font = FontId::proportional(size::TEXT_BODY);
        let galley = text.into_galley(ui, Some(egui::TextWrapMode::Truncate), room, font);
        let place = place(left, &galley);
        let mut color = tokens.text;
        if panes.len() > 1 {
            let tab = ui.interact(place.expand2(vec2(GAP / 2.0, 0.0)), ui.scope_id().with(("tab", id)), Sense::click());
            tab.widget_info(|| WidgetInfo::selected(Role::Tab, true, is_on_top, format!("{title} tab")));
            if !is_on_top {
                color = if tab.hovered() { tokens.text } else { tokens.text_weak };
            }
            if tab.on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
                asked = Some(id);
            }
        }
        let at = pos2(left, rect.center().y - galley.size().y / 2.0);
        if panes.len() > 1 && is_on_top {
            let line = egui::Stroke::new(2.0, tokens.accent);
            ui.painter().hline(place.x_range(), rect.bottom() - 1.5, line);
        }
        ui.painter().galley_with_override_text_color(at, galley, color);
        left = place.right() + GAP;
    }
    if !without_room.is_empty() {
        let count = without_room.len();
        let text = if is_narrow { format!("+{count}") } else { format!("{count} more") };
        let galley =
            ui.painter().layout_no_wrap(text.clone(), FontId::proportional(size::TEXT_SMALL), tokens.text_weak);
        let place = Rect::from_min_size(pos2(left, rect.top()), vec2(galley.size().x, rect.height()));
        let more = ui.interact(place, ui.scope_id().with(("more tabs", on_top)), Sense::click());
        more.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{count} more tabs")));
        let color = if more.hovered() { tokens.text } else { tokens.text_weak };
        let at = pos2(left, rect.center().y - galley.size().y / 2.0);
        ui.painter().galley_with_override_text_color(at, galley, color);
        left = place.right() + GAP;
        egui::Popup::menu(&more.on_hover_cursor(egui::CursorIcon::PointingHand)).show(|ui| {
            for id in without_room {
                if ui.button(pane::title(recording, id)).clicked() {
                    asked = Some(id);
                }
            }
        });
    }
    (left - GAP, asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::arrangement::{self, ROWS};

    #[test]
    fn stacks_know_who_shares_a_tile() {
        let recording = Recording::default();
        let tree = arrangement::grow(&arrangement::start(&recording), &recording);
        let stacks = Stacks::of(&tree);
        for panes in ROWS.iter().flat_map(|row| row.iter()) {
            for id in *panes {
                assert_eq!(stacks.panes_with(*id), *panes);
            }
        }
        assert_eq!(stacks.0.len(), ROWS.iter().flat_map(|row| row.iter()).filter(|panes| panes.len() > 1).count());
        assert!(!stacks.has(tree.root().unwrap()));
    }
}
