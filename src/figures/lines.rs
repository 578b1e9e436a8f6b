//! Curves over steps.

use super::canvas::{Canvas, Rect, Stroke};
use super::frame::{self, Scale};
use super::ink::Ink;
use super::text::{self, Style};
use crate::plots::{Band, Line, LineColor, LineKey, LinePlot, LineStyle, ranges, ticks};

pub fn draw(canvas: &mut Canvas<'_>, plot: &LinePlot, area: Rect, font: f64) {
    let mut inner = frame::title_and_notes(canvas, &plot.title, &plot.notes, area, font);
    inner.top = legend(canvas, plot, inner, font);
    if !plot.marks.is_empty() || plot.cursor.is_some() {
        inner.top += 1.5 * font;
    }
    inner.bottom -= frame::bottom_margin(&plot.x_label, font);
    let y_range = y_range(plot);
    let room = (inner.height() / (3.0 * font)).max(2.0) as usize;
    let y_ticks = if plot.y_log { ticks::logarithmic(y_range, room) } else { ticks::linear(y_range, room) };
    let labels = y_ticks.iter().map(|tick| tick.label.as_str());
    let margin = frame::left_margin(labels, &plot.y_label, font, 0.3 * area.width());
    inner.left += margin;
    inner.right -= 0.5 * font;

    let x_range = x_range(plot);
    if plot.equal_units {
        equally(&mut inner, x_range, y_range);
    }
    let (x, y) = (Scale::x(x_range, inner), Scale::y(y_range, inner));
    let x_ticks = plot.x_axis.ticks(x_range, (inner.width() / (5.0 * font)).max(2.0) as usize);
    for tick in y_ticks.iter().filter(|tick| !tick.label.is_empty()) {
        let at = y.px(tick.at);
        canvas.line([inner.left, at], [inner.right, at], frame::hairline(canvas.ink.grid, font));
    }
    for tick in &x_ticks {
        let at = x.px(tick.at);
        canvas.line([at, inner.top], [at, inner.bottom], frame::hairline(canvas.ink.grid, font));
    }
    verticals(canvas, plot, inner, &x, font);
    for band in &plot.bands {
        self::band(canvas, band, plot, inner, (&x, &y));
    }
    for line in plot.bundle.iter().flat_map(|bundle| &bundle.lines) {
        curve(canvas, &Line { style: LineStyle::Faint, ..line.clone() }, plot, inner, (&x, &y), font);
    }
    // Faint lines lie behind the curves that stand for them.
    for faint in [true, false] {
        for line in plot.lines.iter().filter(|line| (line.style == LineStyle::Faint) == faint) {
            curve(canvas, line, plot, inner, (&x, &y), font);
        }
    }
    for (point, color) in &plot.spots {
        let at = [x.px(plot.x_axis.place(point[0])), y.px(transform(point[1], plot.y_log))];
        if inner.contains(at) {
            canvas.dot(at, 0.42 * font, canvas.ink.line(*color));
            canvas.dot(at, 0.2 * font, canvas.ink.ground);
        }
    }
    frame::border(canvas, inner, font);
    frame::x_axis(canvas, inner, &x, &x_ticks, &plot.x_label, font);
    frame::y_axis(canvas, inner, &y, &y_ticks, (&plot.y_label, margin), font);
}

/// Cuts the picture, about its middle, to where a unit of y is as long as one of x.
fn equally(inner: &mut Rect, x: [f64; 2], y: [f64; 2]) {
    let (wide, high) = (x[1] - x[0], y[1] - y[0]);
    let unit = (inner.width() / wide).min(inner.height() / high);
    let (spare_x, spare_y) = (inner.width() - unit * wide, inner.height() - unit * high);
    if spare_x.is_finite() && spare_y.is_finite() {
        (inner.left, inner.right) = (inner.left + 0.5 * spare_x, inner.right - 0.5 * spare_x);
        (inner.top, inner.bottom) = (inner.top + 0.5 * spare_y, inner.bottom - 0.5 * spare_y);
    }
}

fn stroke(line: &Line, ink: &Ink, font: f64) -> Stroke {
    let color = ink.line(line.color);
    match line.style {
        LineStyle::Solid | LineStyle::Marked | LineStyle::Dashed => Stroke::new(color, 0.13 * font),
        LineStyle::Faint => Stroke { color, width: 0.065 * font, alpha: 0.35 },
    }
}

fn curve(canvas: &mut Canvas<'_>, line: &Line, plot: &LinePlot, inner: Rect, (x, y): (&Scale, &Scale), font: f64) {
    let stroke = stroke(line, &canvas.ink, font);
    let points: Vec<_> =
        line.points.iter().map(|p| [x.px(plot.x_axis.place(p[0])), y.px(transform(p[1], plot.y_log))]).collect();
    for part in points.split(|p| !p.iter().all(|v| v.is_finite())) {
        if part.len() == 1 || line.style == LineStyle::Marked {
            for point in part.iter().filter(|point| inner.contains(**point)) {
                canvas.dot(*point, 1.5 * stroke.width, stroke.color);
            }
        }
        for piece in clipped(part, inner) {
            match line.style {
                LineStyle::Dashed => canvas.dashes(&piece, stroke, [0.55 * font, 0.35 * font]),
                LineStyle::Solid | LineStyle::Marked | LineStyle::Faint => canvas.path(&piece, stroke),
            }
        }
    }
}

/// The unbroken stretches of a band, cut at the picture's top and bottom.
fn band(canvas: &mut Canvas<'_>, band: &Band, plot: &LinePlot, inner: Rect, (x, y): (&Scale, &Scale)) {
    let placed: Vec<_> = band
        .points
        .iter()
        .map(|&[at, low, high]| {
            let py = |v: f64| y.px(transform(v, plot.y_log)).clamp(inner.top, inner.bottom);
            [x.px(plot.x_axis.place(at)), py(low), py(high)]
        })
        .collect();
    for stretch in placed.split(|p| !p.iter().all(|v| v.is_finite())).filter(|stretch| stretch.len() > 1) {
        let lower = stretch.iter().map(|p| [p[0], p[1]]);
        let outline: Vec<_> = lower.chain(stretch.iter().rev().map(|p| [p[0], p[2]])).collect();
        canvas.polygon(&outline, canvas.ink.line(band.color), f64::from(band.strength));
    }
}

/// Whether all points stand alone between gaps: they are drawn as dots.
fn all_alone(line: &Line) -> bool {
    let mut pairs = line.points.windows(2).map(|pair| pair[0][1].is_finite() && pair[1][1].is_finite());
    !line.points.is_empty() && !pairs.any(|joined| joined)
}

/// The parts of a polyline within the picture, cut where they cross its edges (a fixed range or window may be left).
fn clipped(points: &[[f64; 2]], inner: Rect) -> Vec<Vec<[f64; 2]>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<[f64; 2]> = Vec::new();
    for pair in points.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        // Shares of the segment from a to b that lie inside.
        let (mut from, mut to) = (0.0_f64, 1.0_f64);
        let rise = b[1] - a[1];
        for (start, along, ends) in
            [(a[0], b[0] - a[0], [inner.left, inner.right]), (a[1], rise, [inner.top, inner.bottom])]
        {
            if along.abs() > 1e-12 {
                let (one, other) = ((ends[0] - start) / along, (ends[1] - start) / along);
                from = from.max(one.min(other));
                to = to.min(one.max(other));
            } else if start < ends[0] - 1e-6 || start > ends[1] + 1e-6 {
                to = -1.0;
            }
        }
        if from >= to {
            pieces.push(std::mem::take(&mut piece));
            continue;
        }
        let at = |share: f64| [a[0] + (b[0] - a[0]) * share, a[1] + rise * share];
        if piece.is_empty() {
            piece.push(at(from));
        }
        piece.push(at(to));
        if to < 1.0 {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    pieces.push(piece);
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

/// Names, and values at the cursor, in rows above the picture; returns where the rows end.
fn legend(canvas: &mut Canvas<'_>, plot: &LinePlot, area: Rect, font: f64) -> f64 {
    let (swatch, gap, row) = (1.6 * font, 1.4 * font, 1.5 * font);
    let (mut left, mut top) = (area.left, area.top);
    let mut any = false;
    let named = plot.lines.iter().enumerate().filter(|(i, line)| line.style != LineStyle::Faint && plot.is_named(*i));
    for (_, line) in named {
        let value = plot.at_cursor.iter().find(|(label, _)| *label == line.label);
        let raw = plot.raw_at_cursor.iter().find(|(label, _)| *label == line.label);
        let raw = raw.map(|(_, raw)| format!(" ({})", ticks::number(*raw))).unwrap_or_default();
        let value = value.map(|(_, value)| ticks::number(*value) + &raw).unwrap_or_default();
        let label = text::elide(&line.label, font, area.width() - 2.0 * swatch);
        let label_width = text::width(&label, font);
        let wide = text::width(&value, font).max(canvas.room.value * font);
        let value_room = if wide > 0.0 { wide + 0.5 * font } else { 0.0 };
        if any && left + swatch + 0.4 * font + label_width + value_room > area.right {
            (left, top) = (area.left, top + row);
        }
        any = true;
        let middle = top + 0.5 * font;
        let stroke = stroke(line, &canvas.ink, font);
        let ends = [[left, middle], [left + swatch, middle]];
        match line.style {
            _ if all_alone(line) => canvas.dot([left + 0.5 * swatch, middle], 0.2 * font, stroke.color),
            LineStyle::Dashed => canvas.dashes(&ends, stroke, [0.45 * font, 0.13 * font]),
            LineStyle::Solid | LineStyle::Marked | LineStyle::Faint => canvas.path(&ends, stroke),
        }
        left += swatch + 0.4 * font;
        canvas.text([left, middle], &label, Style::new(font, canvas.ink.text));
        canvas.text([left + label_width + 0.5 * font, middle], &value, Style::new(font, canvas.ink.quiet));
        left += label_width + value_room + gap;
    }
    if let Some(key) = &plot.key {
        if any {
            (left, top) = (area.left, top + row);
        }
        any = true;
        scale(canvas, key, [left, top + 0.5 * font], font);
    }
    if any { top + row } else { top + 0.3 * font }
}

/// What the colours of a bundle mean: the ends of the scale about a bar.
fn scale(canvas: &mut Canvas<'_>, key: &LineKey, [mut left, middle]: [f64; 2], font: f64) {
    let text = |canvas: &mut Canvas<'_>, left: &mut f64, text: &str| {
        canvas.text([*left, middle], text, Style::new(font, canvas.ink.text));
        *left += text::width(text, font) + 0.5 * font;
    };
    let [low, high] = key.range.map(ticks::number);
    text(canvas, &mut left, &format!("{} {low}", key.label));
    const PARTS: usize = 24;
    let width = 8.0 * font / PARTS as f64;
    for part in 0..PARTS {
        let color = canvas.ink.line(LineColor::Scale(part as f32 / (PARTS - 1) as f32));
        let bar = Rect { left, top: middle - 0.35 * font, right: left + width + 0.5, bottom: middle + 0.35 * font };
        canvas.rect(bar, color);
        left += width;
    }
    left += 0.5 * font;
    text(canvas, &mut left, &if key.log { format!("{high} (logarithmic)") } else { high });
}

/// Interventions and the cursor: thin lines, with their names in the strip above where there is room.
fn verticals(canvas: &mut Canvas<'_>, plot: &LinePlot, inner: Rect, x: &Scale, font: f64) {
    let mut free = inner.left;
    let mut name = |canvas: &mut Canvas<'_>, at: f64, text: &str, color| {
        let text = text::elide(text, font, 0.45 * inner.width());
        let half = 0.5 * text::width(&text, font);
        let middle = at.min(inner.right - half).max(inner.left + half);
        if middle - half >= free {
            canvas.text([middle, inner.top - 0.75 * font], &text, Style::new(font, color).centred());
            free = middle + half + 0.8 * font;
        }
    };
    let mut all: Vec<(f64, Option<&str>)> =
        plot.marks.iter().map(|(step, what)| (*step, Some(what.as_str()))).collect();
    all.extend(plot.cursor.map(|step| (step, None)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (step, what) in all {
        let at = x.px(step);
        if !(at >= inner.left && at <= inner.right) {
            continue;
        }
        let ends = [[at, inner.top - 0.2 * font], [at, inner.bottom]];
        match what {
            Some(what) => {
                canvas.dashes(&ends, frame::hairline(canvas.ink.frame, font), [0.3 * font, 0.2 * font]);
                name(canvas, at, what, canvas.ink.quiet);
            }
            None => {
                canvas.path(&ends, frame::hairline(canvas.ink.text, font));
                name(canvas, at, &format!("{} {}", plot.x_label, step), canvas.ink.text);
            }
        }
    }
}

fn x_range(plot: &LinePlot) -> [f64; 2] {
    plot.x_axis.range().or(plot.x_window).unwrap_or_else(|| plot.step_range())
}

/// Range of y, in decimal logarithms on a logarithmic axis: the fixed one, or what the curves need and some air.
fn y_range(plot: &LinePlot) -> [f64; 2] {
    let fixed = plot.y_range.map(|range| range.map(|v| transform(v, plot.y_log)));
    let [low, high] = fixed.unwrap_or_else(|| {
        let lines = plot.lines.iter().chain(plot.bundle.iter().flat_map(|bundle| &bundle.lines));
        let lines = lines.flat_map(|line| &line.points).map(|p| p[1]);
        let bands = plot.bands.iter().flat_map(|band| &band.points).flat_map(|p| [p[1], p[2]]);
        lines
            .chain(bands)
            .map(|y| transform(y, plot.y_log))
            .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], y| [low.min(y), high.max(y)])
    });
    if !(low.is_finite() && high.is_finite()) {
        return [0.0, 1.0];
    }
    if !plot.y_log
        && let Some(range) = ranges::about_zero([low, high])
    {
        return range;
    }
    let span = high - low;
    let air = if fixed.is_some() { 0.025 } else { 0.06 };
    let flat = if plot.y_log { 0.15 } else { (0.1 * high.abs()).max(1e-6) };
    let pad = if span > 1e-9 * high.abs().max(1e-9) { span * air } else { flat };
    [low - pad, high + pad]
}

/// The value on the axis; NaN for what isn't finite or has no logarithm, so that a curve breaks there.
fn transform(value: f64, log: bool) -> f64 {
    let value = if log { if value > 0.0 { value.log10() } else { f64::NAN } } else { value };
    if value.is_finite() { value } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_cut_where_they_leave_a_fixed_range() {
        let inner = Rect { left: 0.0, top: 0.0, right: 10.0, bottom: 10.0 };
        let pieces = clipped(&[[0.0, 5.0], [1.0, 15.0], [2.0, 20.0], [3.0, 0.0], [4.0, -10.0]], inner);
        assert_eq!(pieces, [vec![[0.0, 5.0], [0.5, 10.0]], vec![[2.5, 10.0], [3.0, 0.0]]]);
        assert!(clipped(&[[0.0, 11.0], [1.0, 11.0]], inner).is_empty());
        assert_eq!(
            clipped(&[[-5.0, 0.0], [5.0, 10.0], [15.0, 10.0]], inner),
            [vec![[0.0, 5.0], [5.0, 10.0], [10.0, 10.0]]]
        );
        assert_eq!(clipped(&[[0.0, 1.0], [1.0, 2.0], [2.0, 1.0]], inner)[0].len(), 3);
    }

    #[test]
    fn what_is_no_number_does_not_count_for_the_range() {
        let points = vec![[0.0, 1.0], [1.0, f64::INFINITY], [2.0, f64::NAN], [3.0, -1.0], [4.0, 100.0]];
        let line = Line { label: "a".into(), points, style: LineStyle::Solid, color: 0.into() };
        let plot = LinePlot { lines: vec![line], y_log: true, ..LinePlot::default() };
        let [low, high] = y_range(&plot);
        assert!((low + 0.12).abs() < 1e-9 && (high - 2.12).abs() < 1e-9);
        assert_eq!(x_range(&plot), [0.0, 4.0]);
    }
}
