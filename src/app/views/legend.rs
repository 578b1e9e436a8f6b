//! One row of names and values above a picture, so that no data is covered.

use std::collections::BTreeSet;

use egui::{Color32, Id, Pos2, Rect, Sense, Stroke, Ui, pos2, vec2};

use super::{axes, ticks};
use crate::app::theme;
use crate::plots::{LineColor, LineKey, LineStyle};

pub struct Entry<'a> {
    pub label: &'a str,
    pub color: Color32,
    pub style: LineStyle,
    /// At the cursor, or under the pointer.
    pub value: Option<f64>,
    /// Where the line is smoothed: what was measured.
    pub raw: Option<f64>,
}

impl Entry<'_> {
    /// The value, and in brackets what was measured.
    fn words(&self) -> String {
        let value = self.value.map(ticks::number).unwrap_or_default();
        self.raw.map_or_else(|| value.clone(), |raw| format!("{value} ({})", ticks::number(raw)))
    }
}

const SWATCH: f32 = 14.0;
const GAP: f32 = 12.0;

/// Rows that names may take of a picture of this size: where it is narrow, each name needs its own.
pub fn rows(size: egui::Vec2) -> usize {
    let (a_row, most) = if size.x < 220.0 { (55.0, 6) } else { (75.0, 4) };
    ((size.y / a_row) as usize).clamp(1, most)
}

/// Whether a picture has hardly room for its curves: what surrounds them is cut to what they need to be read.
pub fn is_low(area: Rect) -> bool {
    area.height() < 110.0
}

/// Draws the name of the y axis and the entries into rows from `top_left`; returns the height used. At most
/// `max_rows` rows: the rest is named on hover. A click hides or shows a line; the entry under the pointer is
/// returned, to be brought out.
pub fn show(
    ui: &mut Ui,
    id: Id,
    area: Rect,
    max_rows: usize,
    y_label: &str,
    entries: &[Entry],
    hidden: &mut BTreeSet<String>,
) -> (f32, Option<usize>) {
    let tokens = theme::of(ui.visuals());
    let row = axes::row(ui) + 1.0;
    let mut at = area.min;
    let rest = axes::text_width(ui, &format!("{} more", entries.len()));
    // In a low picture a name that pushes the entries into another row takes the place of the curves.
    let crowded = |width: f32| !entries.is_empty() && is_low(area) && width + GAP + 4.0 + rest > area.width();
    if !y_label.is_empty() && !crowded(axes::text_width(ui, y_label)) {
        let galley = galley(ui, y_label.to_owned(), area.width(), tokens.text_weak);
        let width = galley.size().x;
        ui.painter().galley(at + vec2(0.0, 2.0), galley, tokens.text_weak);
        at.x += width + GAP + 4.0;
    }
    // A value keeps its room while it changes, so that the rows don't jump.
    let value_width = axes::text_width(ui, "0.0000") + 4.0;
    let raw_width = axes::text_width(ui, " (0.0000)");
    let widths: Vec<_> = entries
        .iter()
        .map(|entry| {
            let room = if entry.raw.is_some() { value_width + raw_width } else { value_width };
            let value = entry.value.map_or(0.0, |_| room.max(axes::text_width(ui, &entry.words()) + 4.0));
            (SWATCH + 4.0 + axes::text_width(ui, entry.label) + value).min(area.width()) + GAP
        })
        .collect();
    let (places, shown) = arrange(at, area, (max_rows.max(1), row), &widths, rest);
    let mut pointed = None;
    for (i, (entry, place)) in entries.iter().zip(&places).take(shown).enumerate() {
        let rect = Rect::from_min_size(*place, vec2(widths[i] - GAP, row));
        let response = ui.interact(rect, id.with(("legend", i)), Sense::click());
        response.widget_info(|| {
            let on = !hidden.contains(entry.label);
            egui::WidgetInfo::selected(egui::Role::CheckBox, true, on, format!("Line {}", entry.label))
        });
        if response.clicked() && !hidden.remove(entry.label) {
            hidden.insert(entry.label.to_owned());
        }
        if response.hovered() {
            pointed = Some(i);
        }
        paint(ui, rect, entry, hidden.contains(entry.label));
        response.on_hover_text(if hidden.contains(entry.label) { "Show this line" } else { "Hide this line" });
    }
    if shown < entries.len() {
        let place = places.get(shown).copied().unwrap_or(at);
        let text = format!("{} more", entries.len() - shown);
        let rect = Rect::from_min_size(place, vec2(axes::text_width(ui, &text), row));
        ui.painter().text(place + vec2(0.0, 2.0), egui::Align2::LEFT_TOP, &text, axes::font(ui), tokens.text_faint);
        ui.interact(rect, id.with("legend rest"), Sense::hover()).on_hover_ui(|ui| {
            for entry in &entries[shown..] {
                ui.colored_label(entry.color, format!("{}  {}", entry.label, entry.words()));
            }
        });
    }
    let bottom = places.iter().take(shown + 1).map(|place| place.y + row).fold(at.y + row, f32::max);
    (bottom - area.top(), pointed)
}

/// What the colours of a bundle stand for: the ends of the scale about a bar, at the right of the head; the width used.
pub fn scale(ui: &Ui, area: Rect, key: &LineKey) -> f32 {
    const BAR: f32 = 60.0;
    const PARTS: usize = 20;
    let tokens = theme::of(ui.visuals());
    let [low, high] = key.range.map(ticks::number);
    let (low, high) = (format!("{} {low}", key.label), if key.log { format!("{high} (log)") } else { high });
    let galley = |text: String| ui.painter().layout_no_wrap(text, axes::font(ui), tokens.text_weak);
    let (low, high) = (galley(low), galley(high));
    let width = low.size().x + high.size().x + BAR + 10.0;
    if width > 0.6 * area.width() {
        return 0.0;
    }
    let middle = area.top() + 2.0 + low.size().y / 2.0;
    let bar = pos2(area.right() - high.size().x - 5.0 - BAR, middle);
    ui.painter().galley(pos2(bar.x - 5.0 - low.size().x, area.top() + 2.0), low, tokens.text_weak);
    ui.painter().galley(pos2(bar.x + BAR + 5.0, area.top() + 2.0), high, tokens.text_weak);
    for part in 0..PARTS {
        let color = tokens.line(LineColor::Scale(part as f32 / (PARTS - 1) as f32));
        let size = vec2(BAR / PARTS as f32, 8.0);
        let at = pos2(bar.x + part as f32 * size.x, middle - 4.0);
        ui.painter().rect_filled(Rect::from_min_size(at, size + vec2(0.5, 0.0)), 0.0, color);
    }
    width + GAP
}

/// Places entries of the given widths row by row; of those that don't fit into `max_rows`, the first place is where
/// to say how many there are, in the width `rest`. Returns the places and how many entries are shown.
fn arrange(start: Pos2, area: Rect, (max_rows, height): (usize, f32), widths: &[f32], rest: f32) -> (Vec<Pos2>, usize) {
    let mut places = Vec::with_capacity(widths.len());
    let (mut at, mut row) = (start, 1);
    // Where not even how many there are fits beside what stands first, a row more is needed anyway: it is used.
    let crowded = max_rows == 1 && start.x > area.left() && start.x + rest > area.right() + 0.5;
    let max_rows = if crowded { 2 } else { max_rows };
    for (i, &width) in widths.iter().enumerate() {
        let last = i + 1 == widths.len();
        if at.x + width - GAP > area.right() && at.x > area.left() && row < max_rows {
            at = pos2(area.left(), at.y + height);
            row += 1;
        }
        let need = if row == max_rows && !last { width + rest } else { width - GAP };
        if row == max_rows && at.x + need > area.right() + 0.5 {
            // Everything left may still fit without the room for the rest's number.
            let left: f32 = widths[i..].iter().sum::<f32>() - GAP;
            if at.x + left > area.right() + 0.5 {
                // How many there are is said in a row more rather than outside.
                let fits = at.x + rest <= area.right() + 0.5 || at.x <= area.left();
                places.push(if fits { at } else { pos2(area.left(), at.y + height) });
                return (places, i);
            }
        }
        places.push(at);
        at.x += width;
    }
    (places, widths.len())
}

fn paint(ui: &Ui, rect: Rect, entry: &Entry, hidden: bool) {
    let tokens = theme::of(ui.visuals());
    let fade = if hidden { 0.35 } else { 1.0 };
    let y = rect.center().y;
    let (left, right) = (rect.left(), rect.left() + SWATCH);
    let stroke = match entry.style {
        LineStyle::Faint => Stroke::new(2.0, entry.color.gamma_multiply(0.45 * fade)),
        _ => Stroke::new(2.5, entry.color.gamma_multiply(fade)),
    };
    if entry.style == LineStyle::Dashed {
        ui.painter().hline(left..=left + 5.5, y, stroke);
        ui.painter().hline(right - 5.5..=right, y, stroke);
    } else {
        ui.painter().hline(left..=right, y, stroke);
    }
    let value = entry.value.map(|_| galley(ui, entry.words(), f32::INFINITY, tokens.text.gamma_multiply(fade)));
    let of_value = value.as_ref().map_or(0.0, |value| value.size().x + 4.0);
    // A value of an odd length takes of the gap behind it before the name is cut.
    let room = (rect.right() + GAP - 2.0 - right - 4.0 - of_value).max(0.0);
    let label = galley(ui, entry.label.to_owned(), room, tokens.text_weak.gamma_multiply(fade));
    let mut at = pos2(right + 4.0, y - label.size().y / 2.0);
    let end = at.x + label.size().x + 4.0;
    ui.painter().galley(at, label, tokens.text_weak);
    if let Some(value) = value {
        at.x = end;
        ui.painter().galley(at, value, tokens.text);
    }
}

/// A row of text, cut where it is wider than `most`.
fn galley(ui: &Ui, text: String, most: f32, color: Color32) -> std::sync::Arc<egui::Galley> {
    let mut job = egui::text::LayoutJob::simple_singleline(text, axes::font(ui), color);
    job.wrap = egui::text::TextWrapping::truncate_at_width(most);
    ui.painter().layout_job(job)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_wrap_and_the_rest_is_counted() {
        let area = Rect::from_min_max(pos2(0.0, 0.0), pos2(200.0, 100.0));
        let start = pos2(40.0, 0.0);
        let (places, shown) = arrange(start, area, (3, 17.0), &[72.0; 2], 60.0);
        assert_eq!((shown, places[1]), (2, pos2(112.0, 0.0)));
        let (places, shown) = arrange(start, area, (3, 17.0), &[72.0; 5], 60.0);
        assert_eq!(shown, 5);
        assert_eq!(places.iter().map(|p| p.y).fold(0.0, f32::max), 34.0);
        let (places, shown) = arrange(start, area, (1, 17.0), &[72.0; 5], 60.0);
        assert_eq!((shown, places.len()), (1, 2));
        assert!(places[1].x + 60.0 <= 200.0);
        let (places, shown) = arrange(pos2(170.0, 0.0), area, (1, 17.0), &[72.0; 5], 60.0);
        assert_eq!((shown, places.as_slice()), (1, &[pos2(0.0, 17.0), pos2(72.0, 17.0)][..]));
    }

    #[test]
    fn nothing_fits_into_nothing() {
        let area = Rect::from_min_max(pos2(0.0, 0.0), pos2(10.0, 10.0));
        let (places, shown) = arrange(area.min, area, (1, 17.0), &[72.0; 5], 60.0);
        assert_eq!((places.len(), shown), (1, 0));
    }
}
