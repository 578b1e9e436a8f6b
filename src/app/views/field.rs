//! Heat maps with iso-lines, a path and a read-out.

use std::sync::Arc;

use egui::{
    Align2, Color32, Id, Pos2, Rect, Response, Sense, Shape, Stroke, StrokeKind, TextureHandle, Ui, pos2, vec2,
};

use super::axes::{self, Scale};
use super::color_bar::{self, Key};
use super::ticks::{self, Tick};
use crate::app::gpu::{self, heatmap, heatmap_cpu, heatmap_cpu::Cells};
use crate::app::theme::{self, Tokens};
use crate::plots::{Colormap, FieldPlot};

/// The picture of the last frame, kept while nothing changes.
#[derive(Default)]
pub struct Memory {
    /// The values on the colour map's scale, and what they were made of.
    cells: Option<(Source, Arc<Cells>)>,
    /// The picture made on the CPU, of what and how large.
    picture: Option<(Arc<Cells>, [usize; 2], TextureHandle)>,
}

/// Draws a heat map; where it was clicked, in its axes' units, if its cells stand for something of their own.
pub fn show(ui: &mut Ui, id: Id, plot: &FieldPlot, memory: &mut Memory) -> Option<[f64; 2]> {
    let tokens = theme::of(ui.visuals());
    let (area, mut response) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &plot.title));
    if area.width() < 60.0 || area.height() < 60.0 || plot.columns == 0 || plot.rows == 0 {
        return None;
    }
    let key = Key { label: &plot.value_label, range: plot.value_range, log: plot.log, colormap: plot.colormap };
    let height = area.height() - 3.0 * axes::row(ui) - 4.0;
    let bar_width = color_bar::width(ui, &key, height);
    let y_ticks = y_ticks(plot, height);
    let column = axes::labels_width(ui, y_ticks.iter().map(|t| t.label.as_str())).clamp(18.0, area.width() * 0.35);
    let free = Rect::from_min_max(
        pos2(area.left() + column, area.top() + axes::row(ui) + 2.0),
        pos2(area.right() - bar_width - 10.0, area.bottom() - 2.0 * axes::row(ui)),
    );
    if free.width() < 16.0 || free.height() < 16.0 {
        return None;
    }
    let inner = picture_rect(free, plot, ui.pixels_per_point());
    let (x, y) = (Scale::x(plot.x_range, inner), Scale::y(plot.y_range, inner));

    picture(ui, id, inner, plot, memory, tokens);
    ui.painter().rect_stroke(inner, 0.0, Stroke::new(1.0, tokens.border), StrokeKind::Outside);
    overlays(ui, inner, (&x, &y), plot, tokens);

    let x_ticks = if let Some(named) = plot.column_ticks(axes::x_room(inner.width())) {
        named
    } else if whole_numbers(&plot.x_label) {
        ticks::whole(plot.x_range, axes::x_room(inner.width()))
    } else {
        ticks::linear(plot.x_range, axes::x_room(inner.width()))
    };
    let within = Rect::from_min_max(area.min, pos2(inner.right() + 14.0, area.bottom()));
    axes::x_labels(ui, inner, within, &x, &x_ticks, tokens);
    let shifted = Rect::from_min_max(area.min, inner.max);
    row_labels(ui, shifted, inner, &y, &y_ticks, tokens);

    let bar = Rect::from_min_max(pos2(inner.right() + 10.0, inner.top()), pos2(area.right(), inner.bottom()));
    let label_right = (bar.left() + bar_width).max(bar.left() + axes::text_width(ui, key.label)).min(area.right());
    // A square picture in a high pane takes its names along.
    let head = inner.top() - axes::row(ui) - 2.0;
    let cut = |text: &str, most: f32| {
        let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), axes::font(ui), tokens.text_weak);
        job.wrap = egui::text::TextWrapping::truncate_at_width(most.max(0.0));
        ui.painter().layout_job(job)
    };
    let left = inner.left() - column.min(inner.left() - area.left());
    let room = label_right - left;
    // Where both names are long, each keeps enough to be told.
    let of_rows = axes::text_width(ui, &plot.y_label).min(0.45 * room);
    let of_bar = cut(key.label, room - of_rows - 10.0);
    let from = label_right - of_bar.size().x;
    ui.painter().galley(pos2(from, head), of_bar, tokens.text_weak);
    ui.painter().galley(pos2(left, head), cut(&plot.y_label, from - 10.0 - left), tokens.text_weak);

    let mut pointed = response.hover_pos().filter(|p| inner.contains(*p));
    let mut under = pointed.and_then(|p| plot.value_at(x.unit(p.x), y.unit(p.y)));
    color_bar::show(ui, bar, &key, under);
    // A square picture in a wide pane takes its foot along.
    let foot_right = if plot.square { label_right.max(inner.right()) } else { area.right() };
    let foot_bottom = inner.bottom() + 2.0 * axes::row(ui);
    let foot = Rect::from_min_max(pos2(area.left(), foot_bottom - axes::row(ui)), pos2(foot_right, foot_bottom));
    axes::foot(ui, id, foot, &plot.notes, &plot.x_label);
    let mut picked = None;
    if !plot.column_labels.is_empty() {
        let cells = ui.interact(inner, id.with("cells"), Sense::click());
        // It lies over the picture and takes its pointer.
        pointed = cells.hover_pos();
        under = pointed.and_then(|p| plot.value_at(x.unit(p.x), y.unit(p.y)));
        if cells.clicked() {
            picked = pointed.map(|p| [x.unit(p.x), y.unit(p.y)]);
        }
        response = cells.on_hover_cursor(egui::CursorIcon::PointingHand);
    }
    if let (Some(pointer), Some(value)) = (pointed, under) {
        read_out(response, inner, (&x, &y), plot, pointer, value, ui, tokens);
    }
    picked
}

/// Steps are counted in whole numbers, everything else is measured.
fn whole_numbers(label: &str) -> bool {
    let label = label.to_lowercase();
    ["step", "token", "example", "layer"].iter().any(|word| label.starts_with(word))
}

/// All of `free`, or, for square cells, the largest part of it with their aspect; on whole pixels.
fn picture_rect(free: Rect, plot: &FieldPlot, pixels_per_point: f32) -> Rect {
    use egui::emath::GuiRounding as _;
    let mut size = free.size();
    if plot.square {
        let side = (size.x / plot.columns as f32).min(size.y / plot.rows as f32);
        size = vec2(side * plot.columns as f32, side * plot.rows as f32).max(vec2(4.0, 4.0));
    }
    let left = if plot.square { free.left() + (free.width() - size.x) / 2.0 } else { free.left() };
    let top = free.top() + (free.height() - size.y) / 2.0;
    Rect::from_min_size(pos2(left, top), size).round_to_pixels(pixels_per_point)
}

fn y_ticks(plot: &FieldPlot, height: f32) -> Vec<Tick> {
    if plot.row_labels.is_empty() {
        return if whole_numbers(&plot.y_label) {
            ticks::whole(plot.y_range, axes::y_room(height))
        } else {
            ticks::linear(plot.y_range, axes::y_room(height))
        };
    }
    let [low, high] = plot.y_range;
    let centre = |row: usize| low + (high - low) * (row as f64 + 0.5) / plot.rows as f64;
    plot.row_labels
        .iter()
        .take(plot.rows)
        .enumerate()
        .map(|(row, label)| Tick { at: centre(row), label: label.clone() })
        .collect()
}

fn row_labels(ui: &Ui, within: Rect, inner: Rect, y: &Scale, ticks: &[Tick], tokens: &Tokens) {
    let mut last = f32::INFINITY;
    for tick in ticks.iter().filter(|tick| !tick.label.is_empty()) {
        let at = y.point(tick.at);
        if (last - at).abs() < axes::row(ui) - 3.5 || at < inner.top() - 1.0 || at > inner.bottom() + 1.0 {
            continue;
        }
        last = at;
        let mut job = egui::text::LayoutJob::simple_singleline(tick.label.clone(), axes::font(ui), tokens.text_faint);
        job.wrap = egui::text::TextWrapping::truncate_at_width((inner.left() - within.left() - 5.0).max(8.0));
        let galley = ui.painter().layout_job(job);
        let place = Align2::RIGHT_CENTER.anchor_size(pos2(inner.left() - 5.0, at), galley.size());
        ui.painter().galley(place.min, galley, tokens.text_faint);
    }
}

fn picture(ui: &Ui, id: Id, inner: Rect, plot: &FieldPlot, memory: &mut Memory, tokens: &Tokens) {
    let cells = cells(plot, &mut memory.cells, tokens);
    let size = (inner.size() * ui.pixels_per_point()).round();
    let size = [size.x.max(1.0) as u32, size.y.max(1.0) as u32];
    let largest = cells.columns.max(cells.rows) as u32;
    if gpu::largest_side(ui.ctx()).is_some_and(|limit| largest <= limit) {
        let callback = heatmap::Callback { id, cells, size };
        ui.painter().add(egui_wgpu::Callback::new_paint_callback(inner, callback));
        return;
    }
    let size = size.map(|v| v as usize);
    let current = memory.picture.as_ref().is_some_and(|(of, at, _)| Arc::ptr_eq(of, &cells) && *at == size);
    if !current {
        let image = heatmap_cpu::render(&cells, size);
        let texture = ui.ctx().load_texture("heat map", image, egui::TextureOptions::NEAREST);
        memory.picture = Some((cells, size, texture));
    }
    if let Some((_, _, texture)) = &memory.picture {
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        ui.painter().image(texture.id(), inner, whole, Color32::WHITE);
    }
}

/// All that the cells depend on.
struct Source {
    values: Vec<f32>,
    value_range: [f32; 2],
    log: bool,
    size: [usize; 2],
    colormap: Colormap,
    missing: [Color32; 2],
}

impl Source {
    fn is(&self, plot: &FieldPlot, tokens: &Tokens) -> bool {
        let Self { values, value_range, log, size, colormap, missing } = self;
        // By bits: missing values are NaN, which equals nothing.
        *value_range == plot.value_range
            && *log == plot.log
            && *size == [plot.columns, plot.rows]
            && *colormap == plot.colormap
            && *missing == tokens.missing
            && bytemuck::cast_slice::<f32, u8>(values) == bytemuck::cast_slice::<f32, u8>(&plot.values)
    }
}

/// The matrix on the colour map's scale, made anew only when something changed.
fn cells(plot: &FieldPlot, memory: &mut Option<(Source, Arc<Cells>)>, tokens: &Tokens) -> Arc<Cells> {
    if let Some((source, cells)) = memory
        && source.is(plot, tokens)
    {
        return cells.clone();
    }
    let mut units: Vec<_> = plot.values.iter().map(|value| plot.unit(*value).unwrap_or(-1.0)).collect();
    units.resize(plot.columns * plot.rows, -1.0);
    let FieldPlot { columns, rows, colormap, .. } = *plot;
    let cells = Arc::new(Cells { columns, rows, units, colormap, missing: tokens.missing });
    let source = Source {
        values: plot.values.clone(),
        value_range: plot.value_range,
        log: plot.log,
        size: [columns, rows],
        colormap,
        missing: tokens.missing,
    };
    *memory = Some((source, cells.clone()));
    cells
}

/// Lines at 45 degrees across a cell.
fn hatching(cell: Rect, stroke: Stroke) -> Vec<Shape> {
    const GAP: f32 = 8.0;
    let reach = cell.width() + cell.height();
    let count = (reach / GAP) as usize;
    let line = |k: usize| {
        // From the bottom or the right edge up to the left or the top.
        let along = GAP * (k as f32 + 0.5);
        let (a, b) = (along.min(cell.width()), (along - cell.width()).max(0.0));
        let (c, d) = ((along - cell.height()).max(0.0), along.min(cell.height()));
        let ends = [cell.left_bottom() + vec2(a, -b), cell.left_bottom() + vec2(c, -d)];
        Shape::line_segment(ends, stroke)
    };
    (0..count).map(line).collect()
}

fn overlays(ui: &Ui, inner: Rect, (x, y): (&Scale, &Scale), plot: &FieldPlot, tokens: &Tokens) {
    let painter = ui.painter().with_clip_rect(inner);
    let em = axes::emphasis(inner.size());
    let place = |[a, b]: [f64; 2]| pos2(x.point(a), y.point(b));
    for (index, _) in plot.crossed.iter().enumerate().filter(|(_, crossed)| **crossed) {
        let edge = |[low, high]: [f64; 2], i: usize, n: usize| low + (high - low) * i as f64 / n as f64;
        let (column, row) = (index % plot.columns, index / plot.columns);
        let corner =
            |c: usize, r: usize| place([edge(plot.x_range, c, plot.columns), edge(plot.y_range, r, plot.rows)]);
        let cell = Rect::from_two_pos(corner(column, row), corner(column + 1, row + 1)).shrink(1.0);
        painter.extend(hatching(cell, Stroke::new(1.2 * em, tokens.danger)));
    }
    for (_, line) in &plot.contours {
        let points: Vec<_> = line.iter().filter(|p| p[0].is_finite() && p[1].is_finite()).map(|p| place(*p)).collect();
        painter.add(Shape::line(points, Stroke::new(em, tokens.contour)));
    }
    for (width, color) in [(4.0 * em, tokens.path_rim), (2.0 * em, tokens.path)] {
        for stretch in plot.path.split(|p| !(p[0].is_finite() && p[1].is_finite())) {
            let points: Vec<_> = stretch.iter().map(|p| place(*p)).collect();
            painter.add(Shape::line(points, Stroke::new(width, color)));
        }
    }
    // Several paths have gaps between them; each ends in a dot.
    for last in plot.path.split(|p| !(p[0].is_finite() && p[1].is_finite())).filter_map(<[_]>::last) {
        let at = place(*last);
        painter.circle_filled(at, 6.5 * em, tokens.path_rim);
        painter.circle_filled(at, 5.2 * em, tokens.path);
        painter.circle_filled(at, 3.4 * em, tokens.here);
    }
    if let Some(step) = plot.cursor {
        let at = x.point(step).round() + 0.5;
        painter.vline(at, inner.y_range(), Stroke::new(3.0, tokens.path_rim));
        painter.vline(at, inner.y_range(), Stroke::new(1.4, tokens.path));
    }
}

#[expect(clippy::too_many_arguments, reason = "the geometry of one picture, not worth a name of its own")]
fn read_out(
    response: Response,
    inner: Rect,
    (x, y): (&Scale, &Scale),
    plot: &FieldPlot,
    pointer: Pos2,
    value: f32,
    ui: &Ui,
    tokens: &Tokens,
) {
    let [columns, rows] = [plot.columns, plot.rows].map(|n| n as f32);
    // A frame about the cell under the pointer, where cells are large enough to have one.
    let cell = vec2(inner.width() / columns, inner.height() / rows);
    if cell.x >= 6.0 && cell.y >= 6.0 {
        let i = ((pointer.x - inner.left()) / cell.x).floor().clamp(0.0, columns - 1.0);
        let j = ((pointer.y - inner.top()) / cell.y).floor().clamp(0.0, rows - 1.0);
        let frame = Rect::from_min_size(inner.min + vec2(i * cell.x, j * cell.y), cell);
        ui.painter().rect_stroke(frame, 0.0, Stroke::new(2.0, tokens.path_rim), StrokeKind::Inside);
        ui.painter().rect_stroke(frame, 0.0, Stroke::new(1.0, tokens.path), StrokeKind::Inside);
    }
    response.on_hover_text_at_pointer(words(plot, x.unit(pointer.x), y.unit(pointer.y), value));
}

fn words(plot: &FieldPlot, x: f64, y: f64, value: f32) -> String {
    let value = if value.is_finite() { ticks::number(f64::from(value)) } else { "not measured".into() };
    let along = |label: &str, v: f64| {
        let v = if whole_numbers(label) { format!("{}", v.floor()) } else { ticks::number(v) };
        format!("{label} {v}")
    };
    let [low, high] = plot.y_range;
    let row = ((y - low) / (high - low) * plot.rows as f64) as usize;
    let y = match plot.row_labels.get(row) {
        Some(label) => format!("{} {label}", plot.y_label),
        None => along(&plot.y_label, y),
    };
    let [left, right] = plot.x_range;
    let column = ((x - left) / (right - left) * plot.columns as f64) as usize;
    let x = match plot.column_labels.get(column) {
        Some(label) => format!("{} {label}", plot.x_label),
        None => along(&plot.x_label, x),
    };
    format!("{x}, {y}\n{} {value}", plot.value_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> FieldPlot {
        FieldPlot {
            columns: 4,
            rows: 2,
            values: vec![0.0, 1.0, 2.0, f32::NAN, 4.0, 5.0, 6.0, 7.0],
            value_range: [0.0, 7.0],
            x_range: [0.0, 40.0],
            y_range: [0.0, 2.0],
            x_label: "step".into(),
            y_label: "layer".into(),
            value_label: "cosine".into(),
            row_labels: vec!["first".into(), "second".into()],
            ..FieldPlot::default()
        }
    }

    #[test]
    fn square_cells_stay_square() {
        let free = Rect::from_min_size(pos2(10.0, 10.0), vec2(300.0, 100.0));
        let rect = picture_rect(free, &FieldPlot { square: true, ..plot() }, 1.0);
        assert_eq!(rect.size(), vec2(200.0, 100.0));
        assert_eq!(rect.center().x, free.center().x);
        assert_eq!(picture_rect(free, &plot(), 1.0), free);
    }

    #[test]
    fn cells_are_reused_until_something_changes() {
        let (mut plot, mut memory) = (plot(), None);
        let first = cells(&plot, &mut memory, &theme::DARK);
        assert_eq!(first.units[3], -1.0);
        assert!(Arc::ptr_eq(&first, &cells(&plot, &mut memory, &theme::DARK)));
        plot.values[0] = 0.5;
        assert!(!Arc::ptr_eq(&first, &cells(&plot, &mut memory, &theme::DARK)));
        plot.values.truncate(3);
        assert_eq!(cells(&plot, &mut memory, &theme::DARK).units.len(), 8, "short data is missing data");
    }

    #[test]
    fn the_read_out_names_what_it_shows() {
        assert_eq!(words(&plot(), 12.7, 1.5, 5.0), "step 12, layer second\ncosine 5.00");
        assert_eq!(words(&plot(), 0.0, 0.2, f32::NAN), "step 0, layer first\ncosine not measured");
    }
}
