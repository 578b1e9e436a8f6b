//! The frame around a picture: numbers, grid, names of the axes, and the notes at its foot.

use egui::{Align2, Color32, Pos2, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};

use super::ticks::Tick;
use crate::app::theme::{self, Tokens};

/// Between a tick's label and the picture.
const LABEL_GAP: f32 = 5.0;

/// A note that is cut shorter than this says nothing.
const LEAST_NOTE: f32 = 90.0;

/// A maximised picture is shown to a room: text and lines grow with it, up to this factor.
const LARGEST: f32 = 1.5;

/// How much larger than usual text and lines are in a picture of this size.
pub fn emphasis(size: egui::Vec2) -> f32 {
    (size.x / 640.0).min(size.y / 440.0).clamp(1.0, LARGEST)
}

/// All text in and about a picture. `views::show` sets its size.
pub fn font(ui: &Ui) -> egui::FontId {
    egui::TextStyle::Small.resolve(ui.style())
}

/// Height of a row of text: tick labels, the legend, the foot.
pub fn row(ui: &Ui) -> f32 {
    (font(ui).size * 1.46).round()
}

/// A linear map from axis units to points on the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    pub units: [f64; 2],
    pub points: [f32; 2],
}

impl Scale {
    /// Along the bottom of `rect`.
    pub fn x(units: [f64; 2], rect: Rect) -> Self {
        Self { units, points: [rect.left(), rect.right()] }
    }

    /// Up the side of `rect`.
    pub fn y(units: [f64; 2], rect: Rect) -> Self {
        Self { units, points: [rect.bottom(), rect.top()] }
    }

    pub fn point(&self, value: f64) -> f32 {
        let ([low, high], [a, b]) = (self.units, self.points);
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        a + (b - a) * share as f32
    }

    pub fn unit(&self, point: f32) -> f64 {
        let ([low, high], [a, b]) = (self.units, self.points);
        if a == b { low } else { low + (high - low) * f64::from((point - a) / (b - a)) }
    }
}

/// How many labelled ticks fit on an axis of this length.
pub fn x_room(width: f32) -> usize {
    ((width / 50.0) as usize).clamp(1, 12)
}

/// Two at least where two labels have room: one number is no scale.
pub fn y_room(height: f32) -> usize {
    ((height / 34.0) as usize).clamp(if height > 34.0 { 2 } else { 1 }, 12)
}

pub fn text_width(ui: &Ui, text: &str) -> f32 {
    ui.painter().layout_no_wrap(text.to_owned(), font(ui), Color32::WHITE).size().x
}

/// Width of the column that the labels need, in whole steps so that it doesn't tremble while numbers change.
pub fn labels_width<'a>(ui: &Ui, labels: impl Iterator<Item = &'a str>) -> f32 {
    let widest = labels.map(|text| text_width(ui, text)).fold(0.0, f32::max);
    ((widest + LABEL_GAP + 3.0) / 6.0).ceil() * 6.0
}

/// Grid lines of both axes, to be put behind the data.
pub fn grid(
    rect: Rect,
    (x, x_ticks): (&Scale, &[Tick]),
    (y, y_ticks): (&Scale, &[Tick]),
    tokens: &Tokens,
) -> Vec<Shape> {
    let line = |tick: &Tick, ends: [Pos2; 2]| {
        let color = if tick.label.is_empty() { tokens.grid.gamma_multiply(0.45) } else { tokens.grid };
        Shape::line_segment(ends, Stroke::new(1.0, color))
    };
    let vertical = x_ticks.iter().map(|tick| {
        let at = x.point(tick.at).round() + 0.5;
        line(tick, [pos2(at, rect.top()), pos2(at, rect.bottom())])
    });
    let horizontal = y_ticks.iter().map(|tick| {
        let at = y.point(tick.at).round() + 0.5;
        line(tick, [pos2(rect.left(), at), pos2(rect.right(), at)])
    });
    vertical.chain(horizontal).collect()
}

/// Numbers below the picture. A label that would touch its neighbour is left out; none leaves `within`.
pub fn x_labels(ui: &Ui, rect: Rect, within: Rect, scale: &Scale, ticks: &[Tick], tokens: &Tokens) {
    let mut free_from = f32::NEG_INFINITY;
    for tick in ticks.iter().filter(|tick| !tick.label.is_empty()) {
        let centre = scale.point(tick.at);
        if centre < rect.left() - 1.0 || centre > rect.right() + 1.0 {
            continue;
        }
        let galley = ui.painter().layout_no_wrap(tick.label.clone(), font(ui), tokens.text_faint);
        let width = galley.size().x;
        let left = (centre - width / 2.0).min(within.right() - width).max(within.left());
        if left >= free_from {
            ui.painter().galley(pos2(left, rect.bottom() + LABEL_GAP - 2.0), galley, tokens.text_faint);
            free_from = left + width + 8.0;
        }
    }
}

/// Numbers to the left of the picture; a label that would touch its neighbour is left out.
pub fn y_labels(ui: &Ui, rect: Rect, scale: &Scale, ticks: &[Tick], tokens: &Tokens) {
    let mut last = f32::INFINITY;
    for tick in ticks.iter().filter(|tick| !tick.label.is_empty()) {
        let at = scale.point(tick.at);
        if (last - at).abs() < row(ui) - 3.0 || at < rect.top() - 1.0 || at > rect.bottom() + 1.0 {
            continue;
        }
        last = at;
        // The names above begin at the very left: a number at the top keeps out of their row.
        let place = pos2(rect.left() - LABEL_GAP, at.max(rect.top() + 4.0));
        ui.painter().text(place, Align2::RIGHT_CENTER, &tick.label, font(ui), tokens.text_faint);
    }
}

/// The row below the picture: notes on the left, as many as fit, and the name of the x axis on the right. What does
/// not fit is shown on hover; where next to nothing fits, one word stands for all of it.
pub fn foot(ui: &mut Ui, id: egui::Id, rect: Rect, notes: &[String], x_label: &str) {
    let tokens = theme::of(ui.visuals());
    let label = ui.painter().layout_no_wrap(x_label.to_owned(), font(ui), tokens.text_weak);
    let label_at = rect.right() - label.size().x;
    ui.painter().galley(pos2(label_at, rect.bottom() - label.size().y), label, tokens.text_weak);
    let room = label_at - rect.left() - 12.0;
    if notes.is_empty() || room < 8.0 {
        return;
    }
    let text = notes.join("  ·  ");
    let is_word = room < LEAST_NOTE && text_width(ui, &text) > room;
    let shown = if is_word { "note".to_owned() } else { text.clone() };
    let mut job = egui::text::LayoutJob::simple_singleline(shown, font(ui), tokens.text_faint);
    job.wrap = egui::text::TextWrapping::truncate_at_width(room);
    let galley = ui.painter().layout_job(job);
    let place = Rect::from_min_size(pos2(rect.left(), rect.bottom() - galley.size().y), vec2(room, galley.size().y));
    let elided = galley.elided || is_word;
    ui.painter().galley(place.min, galley, tokens.text_faint);
    let response = ui.interact(place, id.with("notes"), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &text));
    if elided {
        response.on_hover_ui(|ui| {
            for note in notes {
                ui.label(note);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_goes_there_and_back() {
        let rect = Rect::from_min_max(pos2(10.0, 20.0), pos2(110.0, 220.0));
        for scale in [Scale::x([-3.0, 5.0], rect), Scale::y([0.0, 1e-3], rect)] {
            let span = scale.units[1] - scale.units[0];
            for share in [0.0, 0.25, 1.0] {
                let value = scale.units[0] + share * span;
                assert!((scale.unit(scale.point(value)) - value).abs() < 1e-5 * span);
            }
        }
        assert_eq!(Scale::y([0.0, 1.0], rect).point(1.0), 20.0, "up is up");
    }

    #[test]
    fn an_empty_range_is_drawn_in_the_middle() {
        let rect = Rect::from_min_max(pos2(0.0, 0.0), pos2(10.0, 10.0));
        assert_eq!(Scale::x([2.0, 2.0], rect).point(2.0), 5.0);
    }
}
