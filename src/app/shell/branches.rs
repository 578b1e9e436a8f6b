//! The tree of branches above the time line: a row a track, from where it parts to where it ends.

use egui::{Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2};

use crate::app::action::Action;
use crate::app::theme::{self};
use crate::app::widgets::scrub::grouped;
use crate::record::{Outcome, Recording, TrackId};

/// Height of a row.
const ROW: f32 = 13.0;
/// Rows that are shown; the newest and the one in focus are among them.
const ROWS: usize = 7;
/// The scrub bar's own margin: steps lie one above the other.
const MARGIN: f32 = 8.0;

/// Shows the tree where there are branches; a click chooses a track.
pub fn show(recording: &Recording, ui: &mut Ui, actions: &mut Vec<Action>) {
    if !recording.is_branched() {
        return;
    }
    let rows = rows(recording);
    let tokens = theme::of(ui.visuals());
    let (area, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW * rows.len() as f32), Sense::hover());
    let last = span(recording).max(1) as f32;
    let x_of = |step: u64| area.left() + MARGIN + step as f32 / last * (area.width() - 2.0 * MARGIN);
    let y_of = |row: usize| area.top() + (row as f32 + 0.5) * ROW;
    for (row, &id) in rows.iter().enumerate() {
        let Some(track) = recording.track(id) else { continue };
        let from = track.parent.map_or(0, |fork| fork.step);
        let (x0, x1, y) = (x_of(from), x_of(track.newest_step()), y_of(row));
        let focused = id == recording.focus();
        let place =
            Rect::from_min_max(pos2(x0 - 4.0, y - ROW / 2.0), pos2((x1 + 70.0).min(area.right()), y + ROW / 2.0));
        let response = ui.interact(place, ui.scope_id().with(("branch", id.0)), Sense::click());
        let name = title(recording, id);
        response.widget_info(|| WidgetInfo::selected(egui::Role::Button, true, focused, format!("Show {name}")));
        let color = match (focused, response.hovered()) {
            (true, _) => tokens.accent,
            (false, true) => tokens.text,
            (false, false) => tokens.text_faint,
        };
        let stroke = Stroke::new(if focused { 3.0 } else { 1.5 }, color);
        let painter = ui.painter();
        if let Some(parent) = track.parent.and_then(|fork| rows.iter().position(|id| *id == fork.track)) {
            painter.line_segment([pos2(x0, y_of(parent)), pos2(x0, y)], Stroke::new(1.5, color));
        }
        painter.line_segment([pos2(x0, y), pos2(x1.max(x0 + 2.0), y)], stroke);
        if let Some(Outcome::Diverged(_)) = recording.outcome_of(id) {
            painter.circle_filled(pos2(x1, y), 3.5, tokens.danger);
        }
        let color = if focused { tokens.text } else { tokens.text_weak };
        let text = painter.layout_no_wrap(name.clone(), theme::small(), color);
        // On the line itself, wherever there is room: rows are too low for names beside them.
        let left = (x0 + 9.0).min(area.right() - MARGIN - text.size().x);
        let corner = pos2(left, y - text.size().y / 2.0);
        painter.rect_filled(Rect::from_min_size(corner, text.size()).expand2(Vec2::new(3.0, 0.0)), 2.0, tokens.panel);
        painter.galley(corner, text, color);
        let about = format!("{name}: steps {} to {}", grouped(from), grouped(track.newest_step()));
        if response.on_hover_text(about).clicked() {
            actions.push(Action::Focus(id));
        }
    }
}

/// The last step of all tracks: what the time line spans.
pub fn span(recording: &Recording) -> u64 {
    if !recording.is_branched() {
        return recording.newest_step();
    }
    recording.tracks().map(|(_, track)| track.newest_step()).max().unwrap_or(0)
}

/// `first run`, `branch 2`
fn title(recording: &Recording, id: TrackId) -> String {
    match recording.track(id) {
        Some(track) if !track.label.is_empty() => track.label.clone(),
        _ => "first run".into(),
    }
}

fn rows(recording: &Recording) -> Vec<TrackId> {
    let mut ids: Vec<_> = recording.tracks().map(|(id, _)| id).collect();
    if ids.len() > ROWS {
        let path: Vec<_> = recording.lineage(recording.focus()).into_iter().map(|(id, _)| id).collect();
        let newest = ids.len().saturating_sub(ROWS);
        let mut kept: Vec<_> =
            ids.iter().copied().enumerate().filter(|(i, id)| *i >= newest || path.contains(id)).collect();
        let surplus = kept.len().saturating_sub(ROWS);
        let mut dropped = 0;
        kept.retain(|(_, id)| {
            let goes = dropped < surplus && !path.contains(id);
            dropped += usize::from(goes);
            !goes
        });
        ids = kept.into_iter().map(|(_, id)| id).collect();
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Fork, TrackInfo};

    #[test]
    fn a_large_tree_shows_the_newest_and_the_way_to_the_one_in_focus() {
        let mut recording = Recording::default();
        recording.begin_track(&TrackInfo::default());
        for id in 1..30 {
            let parent = Some(Fork { track: TrackId(if id == 12 { 3 } else { 0 }), step: 0 });
            recording.begin_track(&TrackInfo { id: TrackId(id), parent, ..TrackInfo::default() });
        }
        recording.set_focus(TrackId(12));
        let rows = rows(&recording);
        assert_eq!(rows.len(), ROWS);
        for id in [0, 3, 12, 29] {
            assert!(rows.contains(&TrackId(id)), "{rows:?}");
        }
        assert_eq!((title(&recording, TrackId(0)), span(&recording)), ("first run".into(), 0));
    }
}
