//! Histograms of several layers above one another.

use super::canvas::{Canvas, Rect, Stroke, mix};
use super::frame::{self, Scale};
use super::text::{self, Style};
use crate::plots::{RidgePlot, ticks};

/// How far the highest ridge reaches into the row above it, in rows.
const OVERLAP: f64 = 1.7;

pub fn draw(canvas: &mut Canvas<'_>, plot: &RidgePlot, area: Rect, font: f64) {
    let mut inner = frame::title_and_notes(canvas, &plot.title, &plot.notes, area, font);
    inner.bottom -= frame::bottom_margin(&plot.x_label, font);
    let room = 0.35 * area.width();
    inner.left += frame::left_margin(plot.ridges.iter().map(|ridge| ridge.label.as_str()), "", font, room);
    let summaries = plot.ridges.iter().map(|ridge| text::width(&ridge.summary, font));
    let summaries = summaries.fold(canvas.room.summary * font, f64::max);
    // Beside the ridges where half the width is left for them.
    let beside = summaries > 0.0 && inner.width() - summaries - font > 0.5 * area.width();
    inner.right -= if beside { summaries + font } else { 0.5 * font };

    let x = Scale::x(plot.x_range, inner);
    let x_ticks = ticks::linear(plot.x_range, (inner.width() / (5.0 * font)).max(2.0) as usize);
    for tick in &x_ticks {
        let at = x.px(tick.at);
        let color = if tick.at == 0.0 { canvas.ink.frame } else { canvas.ink.grid };
        canvas.line([at, inner.top], [at, inner.bottom], frame::hairline(color, font));
    }
    let count = plot.ridges.len();
    // The first ridge has its overlap above it inside the picture, so every ridge has the same height.
    let row = inner.height() / (count.max(1) as f64 - 1.0 + OVERLAP + 0.05);
    let highest = plot.highest();
    let stride = (1.25 * font / row).ceil().max(1.0) as usize;
    for (i, ridge) in plot.ridges.iter().enumerate() {
        let base = inner.top + row * (OVERLAP + i as f64);
        let color = plot.color.map_or_else(|| canvas.ink.ridge(i, count), |color| canvas.ink.line(color));
        let height = |share: f32| {
            // A mild root brings out the tails without hiding that the peak is a peak: as on screen.
            if highest > 0.0 && share > 0.0 { f64::from(share / highest).powf(0.75) * row * OVERLAP } else { 0.0 }
        };
        let bin = inner.width() / ridge.shares.len().max(1) as f64;
        let ends =
            [ridge.shares.first(), ridge.shares.last()].map(|share| base - height(share.copied().unwrap_or(0.0)));
        let mut top = vec![[inner.left, ends[0]]];
        top.extend(
            ridge.shares.iter().enumerate().map(|(k, &s)| [inner.left + bin * (k as f64 + 0.5), base - height(s)]),
        );
        top.push([inner.right, ends[1]]);
        let mut body = top.clone();
        body.extend([[inner.right, base], [inner.left, base]]);
        // Opaque, so that the ridge in front hides the one behind.
        canvas.polygon(&body, mix(canvas.ink.ground, color, 0.42), 1.0);
        for over in &ridge.over {
            let points = over.shares.iter().enumerate();
            let outline: Vec<_> =
                points.map(|(k, &s)| [inner.left + bin * (k as f64 + 0.5), base - height(s)]).collect();
            canvas.path(&outline, Stroke::new(canvas.ink.line(over.color), 0.12 * font));
        }
        canvas.path(&top, Stroke::new(color, 0.1 * font));
        canvas.line([inner.left, base], [inner.right, base], Stroke { alpha: 0.55, ..frame::hairline(color, font) });
    }
    // After all ridges, so that none covers a name.
    for (i, ridge) in plot.ridges.iter().enumerate().step_by(stride) {
        let middle = inner.top + row * (OVERLAP + i as f64) - 0.4 * font;
        let label = text::elide(&ridge.label, font, room - 0.8 * font);
        canvas.text([inner.left - 0.6 * font, middle], &label, Style::new(font, canvas.ink.text).right());
        if beside {
            canvas.text([inner.right + 0.8 * font, middle], &ridge.summary, Style::new(font, canvas.ink.quiet));
        }
    }
    let mut left = inner.left;
    for (name, color) in &plot.names {
        let at = [left, inner.top + 0.6 * font];
        canvas.text(at, name, Style::new(font, canvas.ink.line(*color)));
        left += text::width(name, font) + 1.2 * font;
    }
    frame::x_axis(canvas, inner, &x, &x_ticks, &plot.x_label, font);
    canvas.line([inner.left, inner.bottom], [inner.right, inner.bottom], frame::hairline(canvas.ink.frame, font));
}
