//! Heat maps.

use std::borrow::Cow;

use super::canvas::{BLACK, Canvas, Rect, Stroke, WHITE};
use super::color_bar::ColorBar;
use super::frame::{self, Scale};
use super::text;
use crate::plots::FieldPlot;
use crate::plots::ticks::{self, Tick};

/// Cells a side that are drawn; more are averaged, since paper shows no more and files would grow without bound.
const MOST_CELLS: usize = 200;

pub fn draw(canvas: &mut Canvas<'_>, plot: &FieldPlot, area: Rect, font: f64) {
    let mut inner = frame::title_and_notes(canvas, &plot.title, &plot.notes, area, font);
    inner.bottom -= frame::bottom_margin(&plot.x_label, font);
    let bar = ColorBar { label: &plot.value_label, colormap: plot.colormap, range: plot.value_range, log: plot.log };
    let [x_range, y_range] = plot.shown();
    let y_ticks = y_ticks(plot, inner.height(), font);
    let labels: Vec<_> = y_ticks.iter().map(|tick| tick.label.as_str()).collect();
    let margin = frame::left_margin(labels.iter().copied(), &plot.y_label, font, 0.35 * area.width());
    inner.left += margin;
    inner.right -= 0.2 * font;
    inner.right -= bar.width(inner.height(), font);
    if plot.square {
        inner = squared(plot, inner);
    }
    bar.draw(canvas, inner, font);
    let (x, y) = (Scale::x(x_range, inner), Scale::y(y_range, inner));
    cells(canvas, plot, inner, (&x, &y));

    let place = |p: &[f64; 2]| [x.px(p[0]), y.px(p[1])];
    for (index, _) in plot.crossed.iter().enumerate().filter(|(_, crossed)| **crossed) {
        let edge = |[low, high]: [f64; 2], i: usize, n: usize| low + (high - low) * i as f64 / n as f64;
        let (column, row) = (index % plot.columns, index / plot.columns);
        let corner =
            |c: usize, r: usize| place(&[edge(plot.x_range, c, plot.columns), edge(plot.y_range, r, plot.rows)]);
        for (a, b) in
            [(corner(column, row), corner(column + 1, row + 1)), (corner(column + 1, row), corner(column, row + 1))]
        {
            canvas.line(a, b, Stroke::new(BLACK, 0.08 * font));
        }
    }
    for (level, line) in &plot.contours {
        let dark = plot.unit(*level).is_none_or(|t| luminance(plot.colormap.rgb8(t)) > 0.35);
        let color = if dark { BLACK } else { WHITE };
        let points: Vec<_> = line.iter().map(place).collect();
        for part in inside(&points, inner) {
            canvas.path(part, Stroke { color, width: 0.06 * font, alpha: 0.65 });
        }
    }
    let path: Vec<_> = plot.path.iter().map(place).collect();
    for part in inside(&path, inner) {
        canvas.path(part, Stroke::new(WHITE, 0.3 * font));
        canvas.path(part, Stroke::new(BLACK, 0.13 * font));
    }
    // Several paths have gaps between them; each ends in a dot.
    for end in path.split(|p| !p[0].is_finite()).filter_map(<[_]>::last).filter(|p| inner.contains(**p)) {
        canvas.dot(*end, 0.45 * font, WHITE);
        canvas.dot(*end, 0.3 * font, BLACK);
    }
    if let Some(at) = plot.cursor.map(|at| x.px(at)).filter(|at| (inner.left..=inner.right).contains(at)) {
        canvas.line([at, inner.top], [at, inner.bottom], Stroke::new(WHITE, 0.2 * font));
        canvas.line([at, inner.top], [at, inner.bottom], Stroke::new(BLACK, 0.09 * font));
    }
    frame::border(canvas, inner, font);
    let room = (inner.width() / (5.0 * font)).max(2.0) as usize;
    let x_ticks = plot.column_ticks(room).unwrap_or_else(|| ticks::linear(x_range, room));
    frame::x_axis(canvas, inner, &x, &x_ticks, &plot.x_label, font);
    let y_ticks: Vec<_> = y_ticks
        .into_iter()
        .map(|tick| Tick { label: text::elide(&tick.label, font, 0.35 * area.width() - 0.8 * font), ..tick })
        .collect();
    frame::y_axis(canvas, inner, &y, &y_ticks, (&plot.y_label, margin), font);
}

/// Numbers, or the names of the rows at their middles: all of them, or every so many where there are too many.
fn y_ticks(plot: &FieldPlot, height: f64, font: f64) -> Vec<Tick> {
    if plot.row_labels.is_empty() {
        return ticks::linear(plot.shown()[1], (height / (3.0 * font)).max(2.0) as usize);
    }
    let rows = plot.rows.max(1) as f64;
    let stride = (1.3 * font * rows / height).ceil().max(1.0) as usize;
    let [low, high] = plot.y_range;
    let centre = |row: usize| low + (high - low) * (row as f64 + 0.5) / rows;
    let labels = plot.row_labels.iter().enumerate().step_by(stride);
    labels.map(|(row, label)| Tick { at: centre(row), label: label.clone() }).collect()
}

/// The largest rectangle in the middle of `inner` whose cells are squares.
fn squared(plot: &FieldPlot, inner: Rect) -> Rect {
    let [x, y] = plot.shown();
    // Cells that are shown, which may be a part of them.
    let part = |n: usize, [low, high]: [f64; 2], [a, b]: [f64; 2]| {
        let share = (b - a) / (high - low);
        n.max(1) as f64 * if share.is_finite() && share > 0.0 { share } else { 1.0 }
    };
    let (columns, rows) = (part(plot.columns, plot.x_range, x), part(plot.rows, plot.y_range, y));
    let cell = (inner.width() / columns).min(inner.height() / rows);
    let (width, height) = (cell * columns, cell * rows);
    let spare = [0.5 * (inner.width() - width), 0.5 * (inner.height() - height)];
    let (left, top) = (inner.left + spare[0].max(0.0), inner.top + spare[1].max(0.0));
    Rect { left, top, right: left + width, bottom: top + height }
}

fn cells(canvas: &mut Canvas<'_>, plot: &FieldPlot, inner: Rect, scales: (&Scale, &Scale)) {
    let (values, rows, columns) = averaged(plot);
    let missing = canvas.ink.missing;
    canvas.rect(inner, missing);
    if rows == 0 || columns == 0 {
        return;
    }
    let edge = |[low, high]: [f64; 2], i: usize, n: usize| low + (high - low) * i as f64 / n as f64;
    let x = |i: usize| scales.0.px(edge(plot.x_range, i, columns)).clamp(inner.left, inner.right);
    let y = |j: usize| scales.1.px(edge(plot.y_range, j, rows)).clamp(inner.top, inner.bottom);
    for (j, row) in values.chunks_exact(columns).take(rows).enumerate() {
        let colors: Vec<_> = row.iter().map(|&v| plot.unit(v).map_or(missing, |t| plot.colormap.rgb8(t))).collect();
        let mut from = 0;
        while from < columns {
            let same = colors[from..].iter().take_while(|color| **color == colors[from]).count();
            // A pixel of overlap to the right and upwards is covered by what comes next: no seams.
            let right = (x(from + same) + 1.0).min(inner.right);
            let top = (y(j + 1) - 1.0).max(inner.top);
            canvas.rect(Rect { left: x(from), top, right, bottom: y(j) }, colors[from]);
            from += same;
        }
    }
}

/// Values with their rows and columns; means of blocks, without what is missing, where there are too many cells.
fn averaged(plot: &FieldPlot) -> (Cow<'_, [f32]>, usize, usize) {
    let (rows, columns) = (plot.rows, plot.columns);
    if rows.checked_mul(columns) != Some(plot.values.len()) {
        return (Cow::Borrowed(&[]), 0, 0);
    }
    let (high, wide) = (rows.div_ceil(MOST_CELLS).max(1), columns.div_ceil(MOST_CELLS).max(1));
    if (high, wide) == (1, 1) {
        return (Cow::Borrowed(&plot.values), rows, columns);
    }
    let (new_rows, new_columns) = (rows.div_ceil(high), columns.div_ceil(wide));
    let mut means = Vec::with_capacity(new_rows * new_columns);
    for j in 0..new_rows {
        for i in 0..new_columns {
            let block = (j * high..((j + 1) * high).min(rows))
                .flat_map(|row| &plot.values[row * columns + i * wide..row * columns + ((i + 1) * wide).min(columns)])
                .filter(|v| v.is_finite());
            let (sum, count) = block.fold((0.0_f64, 0_u32), |(sum, count), &v| (sum + f64::from(v), count + 1));
            means.push(if count > 0 { (sum / f64::from(count)) as f32 } else { f32::NAN });
        }
    }
    (Cow::Owned(means), new_rows, new_columns)
}

fn inside(points: &[[f64; 2]], inner: Rect) -> impl Iterator<Item = &[[f64; 2]]> {
    let near =
        Rect { left: inner.left - 0.5, top: inner.top - 0.5, right: inner.right + 0.5, bottom: inner.bottom + 0.5 };
    points.split(move |p| !near.contains(*p))
}

fn luminance([r, g, b]: [u8; 3]) -> f64 {
    let linear = |v: u8| (f64::from(v) / 255.0).powf(2.2);
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averaging_keeps_the_mean_and_leaves_out_what_is_missing() {
        let (rows, columns) = (3, 1_000);
        let mut values: Vec<f32> = (0..rows * columns).map(|i| (i % 7) as f32).collect();
        let plot = |values| FieldPlot { rows, columns, values, ..FieldPlot::default() };
        let whole = plot(values.clone());
        let (means, new_rows, new_columns) = averaged(&whole);
        assert_eq!((new_rows, new_columns), (3, 200));
        let mean = |v: &[f32]| v.iter().map(|&v| f64::from(v)).sum::<f64>() / v.len() as f64;
        assert!((mean(&means) - mean(&values)).abs() < 1e-6);
        values[..5].copy_from_slice(&[f32::NAN; 5]);
        values[5] = f32::NAN;
        let holed = plot(values);
        let (means, ..) = averaged(&holed);
        assert!(means[0].is_nan());
        assert_eq!(means[1], (6.0 + 0.0 + 1.0 + 2.0) / 4.0);
    }

    #[test]
    fn sizes_that_lie_draw_nothing() {
        let plot = FieldPlot { rows: 3, columns: usize::MAX, values: vec![0.0; 9], ..FieldPlot::default() };
        assert_eq!(averaged(&plot).1, 0);
    }

    #[test]
    fn squares_keep_their_aspect() {
        let plot = FieldPlot { rows: 10, columns: 20, ..FieldPlot::default() };
        let rect = squared(&plot, Rect { left: 0.0, top: 0.0, right: 100.0, bottom: 100.0 });
        assert_eq!(rect, Rect { left: 0.0, top: 25.0, right: 100.0, bottom: 75.0 });
    }
}
