//! What surrounds a picture: title, notes, axes with numbers.

use super::canvas::{Canvas, Color, Rect, Stroke};
use super::text::{self, Align, Style};
use crate::plots::ticks::Tick;

/// Most lines of notes; what doesn't fit is cut.
const NOTE_LINES: usize = 3;

/// Values to pixels.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub range: [f64; 2],
    /// Pixels of the two ends.
    pub ends: [f64; 2],
}

impl Scale {
    pub fn x(range: [f64; 2], inner: Rect) -> Self {
        Self { range, ends: [inner.left, inner.right] }
    }

    pub fn y(range: [f64; 2], inner: Rect) -> Self {
        Self { range, ends: [inner.bottom, inner.top] }
    }

    pub fn px(&self, value: f64) -> f64 {
        let [low, high] = self.range;
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        self.ends[0] + share * (self.ends[1] - self.ends[0])
    }
}

/// A thin line: a pixel at the usual size of text, and as much of print.
pub fn hairline(color: Color, font: f64) -> Stroke {
    Stroke::new(color, font / 15.0)
}

/// The lines that notes need.
pub fn note_lines(notes: &[String], font: f64, room: f64) -> Vec<String> {
    let mut lines = text::wrap(&notes.join(" · "), font, room);
    if lines.len() > NOTE_LINES {
        let rest = lines.split_off(NOTE_LINES - 1).join(" ");
        lines.push(text::elide(&rest, font, room));
    }
    lines
}

/// Lines of notes in a picture so many times as high as its text: in a low one they would take the place of the curves.
fn notes_of(height: f64) -> usize {
    match height {
        ..16.0 => 0,
        16.0..20.0 => 1,
        _ => NOTE_LINES,
    }
}

/// Title above, notes below; returns what is left between them.
pub fn title_and_notes(canvas: &mut Canvas<'_>, title: &str, notes: &[String], area: Rect, font: f64) -> Rect {
    let mut inner = area;
    if !title.is_empty() {
        let size = 1.3 * font;
        let style = Style { vertical: Align::Start, ..Style::new(size, canvas.ink.text) };
        canvas.text([area.left, area.top], &text::elide(title, size, area.width()), style);
        inner.top += 2.0 * size;
    }
    let mut lines = note_lines(notes, font, area.width());
    let most = notes_of(area.height() / font);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = text::elide(&format!("{last} …"), font, area.width());
        }
    }
    let kept = lines.len().max(canvas.room.note_lines).min(most);
    // In a film the first line stands still, however many follow.
    for (i, line) in lines.iter().enumerate() {
        let at = [area.left, area.bottom - 1.35 * font * (kept - 1 - i) as f64];
        canvas.text(at, line, Style { vertical: Align::End, ..Style::new(font, canvas.ink.quiet) });
    }
    if kept > 0 {
        inner.bottom -= 1.35 * font * kept as f64 + 0.5 * font;
    }
    inner
}

/// Room for the numbers and the name of a vertical axis at the left.
pub fn left_margin<'a>(labels: impl Iterator<Item = &'a str>, name: &str, font: f64, most: f64) -> f64 {
    let widest = labels.map(|label| text::width(label, font)).fold(0.0, f64::max);
    (widest + 0.8 * font).min(most) + if name.is_empty() { 0.0 } else { 1.7 * font }
}

/// Room for the numbers and the name of a horizontal axis below.
pub fn bottom_margin(name: &str, font: f64) -> f64 {
    1.8 * font + if name.is_empty() { 0.0 } else { 1.6 * font }
}

/// Numbers and name below the picture. Numbers that would touch the one before are left out.
pub fn x_axis(canvas: &mut Canvas<'_>, inner: Rect, scale: &Scale, ticks: &[Tick], name: &str, font: f64) {
    let mut free = f64::NEG_INFINITY;
    for tick in ticks {
        let at = scale.px(tick.at);
        let length = if tick.label.is_empty() { 0.2 } else { 0.35 };
        canvas.line([at, inner.bottom], [at, inner.bottom + length * font], hairline(canvas.ink.frame, font));
        let half = 0.5 * text::width(&tick.label, font);
        if !tick.label.is_empty() && at - half > free {
            free = at + half + 0.5 * font;
            let style = Style { vertical: Align::Start, ..Style::new(font, canvas.ink.quiet).centred() };
            canvas.text([at, inner.bottom + 0.75 * font], &tick.label, style);
        }
    }
    let style = Style { vertical: Align::Start, ..Style::new(font, canvas.ink.text).centred() };
    let name = text::elide(name, font, inner.width());
    canvas.text([inner.middle()[0], inner.bottom + 2.2 * font], &name, style);
}

/// Numbers and name left of the picture; `margin` is what [`left_margin`] said.
pub fn y_axis(
    canvas: &mut Canvas<'_>,
    inner: Rect,
    scale: &Scale,
    ticks: &[Tick],
    (name, margin): (&str, f64),
    font: f64,
) {
    let mut free = f64::INFINITY;
    for tick in ticks {
        let at = scale.px(tick.at);
        let length = if tick.label.is_empty() { 0.2 } else { 0.35 };
        canvas.line([inner.left - length * font, at], [inner.left, at], hairline(canvas.ink.frame, font));
        if !tick.label.is_empty() && at + 0.6 * font < free {
            free = at - 0.6 * font;
            canvas.text([inner.left - 0.6 * font, at], &tick.label, Style::new(font, canvas.ink.quiet).right());
        }
    }
    let style = Style { upwards: true, vertical: Align::Start, ..Style::new(font, canvas.ink.text).centred() };
    canvas.text([inner.left - margin, inner.middle()[1]], &text::elide(name, font, inner.height()), style);
}

/// The four sides of the picture.
pub fn border(canvas: &mut Canvas<'_>, inner: Rect, font: f64) {
    let Rect { left, top, right, bottom } = inner;
    let corners = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]];
    canvas.path(&corners, hairline(canvas.ink.frame, font));
}
