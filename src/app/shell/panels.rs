//! The panels of a chart where there isn't room for all: some at a time, with tabs to the others.

use std::ops::Range;

use egui::{Button, Color32, FontId, Id, Rect, RichText, Ui, UiBuilder, Vec2, vec2};

use crate::app::theme::size;
use crate::plots::Plot;

/// In a picture narrower or lower than this, names and numbers leave nothing to the curves.
const LEAST: Vec2 = vec2(124.0, 112.0);
/// Height of the row of tabs.
const TABS: f32 = 24.0;

/// How many panels there is room for, beside or below each other; at least one.
pub fn fitting(rect: Rect, beside: bool) -> usize {
    let count = if beside { rect.width() / LEAST.x } else { rect.height() / LEAST.y };
    (count as usize).max(1)
}

/// A row with the panels' titles at the top of `rect`, of which it takes its height; which panels to show: as many as there is
/// room for, from the one that was asked for.
pub fn tabs(ui: &mut Ui, id: Id, rect: &mut Rect, plots: &[Plot], beside: bool) -> Range<usize> {
    let (row, rest) = rect.split_top_bottom_at_y(rect.top() + TABS);
    *rect = rest;
    let fitting = fitting(rest, beside).min(plots.len());
    let last = plots.len() - fitting;
    let first = ui.data(|data| data.get_temp::<usize>(id)).unwrap_or(0).min(last);
    let titles = || plots.iter().map(Plot::title);
    let font = FontId::proportional(size::TEXT_SMALL);
    let width = |text: &str| ui.painter().layout_no_wrap(text.to_owned(), font.clone(), Color32::WHITE).size().x;
    let all: f32 = titles().map(|title| width(title) + 2.0 * ui.spacing().button_padding.x + 2.0).sum();
    let mut asked = None;
    ui.scope_builder(UiBuilder::new().max_rect(row).id_salt(id), |ui| {
        ui.set_clip_rect(row.intersect(ui.clip_rect()));
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            let small = |text: String| RichText::new(text).size(size::TEXT_SMALL);
            if all <= row.width() {
                for (index, title) in titles().enumerate() {
                    let is_shown = (first..first + fitting).contains(&index);
                    if ui.selectable_label(is_shown, small(title.into())).clicked() {
                        asked = Some(index);
                    }
                }
                return;
            }
            let text = small(format!("{} of {}: {}", first + 1, plots.len(), plots[first].title()));
            let button = ui.add(Button::selectable(true, text).truncate());
            if button.on_hover_text("The next one").clicked() {
                asked = Some(if first == last { 0 } else { (first + fitting).min(last) });
            }
        });
    });
    if let Some(asked) = asked {
        ui.data_mut(|data| data.insert_temp(id, asked.min(last)));
        ui.ctx().request_repaint();
    }
    first..first + fitting
}

#[cfg(test)]
mod tests {
    use egui::pos2;

    use super::*;

    #[test]
    fn panels_have_a_least_size_and_one_is_always_shown() {
        let rect = |width: f32, height: f32| Rect::from_min_size(pos2(5.0, 5.0), vec2(width, height));
        assert_eq!(fitting(rect(320.0, 290.0), false), 2);
        assert_eq!(fitting(rect(430.0, 330.0), true), 3);
        assert_eq!(fitting(rect(200.0, 60.0), false), 1);
        assert_eq!(fitting(rect(90.0, 60.0), true), 1);
    }
}
