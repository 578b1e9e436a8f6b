//! Curves over steps.

use std::collections::BTreeSet;

use egui::{Color32, Id, Rect, Sense, Shape, Stroke, Ui, UiBuilder, Vec2b, pos2, vec2};
use egui_plot::{PlotMemory, PlotPoint, PlotPoints};

use super::axes::{self, Scale};
use super::dashes;
use super::legend::{self, Entry};
use super::ticks::{self, Tick};
use super::{bundle, hover};
use crate::app::theme::{self, Tokens};
use crate::plots::{Band, Line, LinePlot, LineStyle, XAxis, ranges};
use crate::record::TrackId;

/// What a reader changed, and what was under the pointer a frame ago.
#[derive(Default)]
pub struct Memory {
    hidden: BTreeSet<String>,
    hover: Option<f64>,
    /// The scale that the remembered zoom belongs to; `None` before the first frame.
    log: Option<bool>,
    bundle: bundle::Memory,
    /// Where a drag that chooses steps began.
    selecting: Option<f64>,
}

/// What the reader did to the picture in this frame.
#[derive(Default)]
pub struct Done {
    /// Whose curve of a bundle was clicked.
    pub picked: Option<TrackId>,
    /// The steps that were chosen.
    pub selected: Option<[u64; 2]>,
}

/// Draws curves.
pub fn show(ui: &mut Ui, id: Id, plot: &LinePlot, memory: &mut Memory) -> Done {
    let tokens = theme::of(ui.visuals());
    let (area, _) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
    if area.width() < 60.0 || area.height() < 60.0 {
        return Done::default();
    }
    // Noise behind a curve is named last.
    let mut order: Vec<_> = (0..plot.lines.len()).filter(|&i| plot.is_named(i)).collect();
    order.sort_by_key(|&i| plot.lines[i].style == LineStyle::Faint);
    let entries: Vec<_> = order.iter().map(|&i| entry(i, plot, memory, tokens)).collect();
    let rows = legend::rows(area.size());
    let scale = plot.key.as_ref().map_or(0.0, |key| legend::scale(ui, area, key));
    let beside = Rect::from_min_max(area.min, pos2(area.right() - scale, area.bottom()));
    let (head, pointed) = legend::show(ui, id, beside, rows, &plot.y_label, &entries, &mut memory.hidden);
    let pointed = pointed.map(|k| plot.lines[order[k]].label.as_str());
    let visible: Vec<_> = plot.lines.iter().map(|line| !memory.hidden.contains(&line.label)).collect();

    // The zoom that the reader left, if any; until then the whole run is in view.
    let remembered = PlotMemory::load(ui.ctx(), id).filter(|_| memory.log == Some(plot.y_log));
    let auto = remembered.as_ref().map_or(Vec2b::TRUE, |m| m.auto_bounds);
    let whole = plot.x_axis.range().or(plot.x_window).unwrap_or([0.0, if plot.x_max > 0.0 { plot.x_max } else { 1.0 }]);
    let zoomed = |axis: usize| {
        let bounds = remembered.as_ref().filter(|_| !auto[axis])?.bounds();
        Some([bounds.min()[axis], bounds.max()[axis]])
    };
    let x_range = zoomed(0).unwrap_or(whole);
    let bundled = plot.bundle.as_ref().map(|bundle| memory.bundle.range(bundle, plot.y_log, x_range));
    let fitted = y_range(plot, &visible, x_range, bundled);
    let y_range = zoomed(1).unwrap_or(fitted);

    let below = if legend::is_low(area) { 1.0 } else { 2.0 };
    let inner_height = area.height() - head - axes::row(ui) * below - 2.0;
    let y_ticks = y_ticks(plot.y_log, y_range, inner_height);
    let column = axes::labels_width(ui, y_ticks.iter().map(|t| t.label.as_str())).max(24.0);
    let inner = Rect::from_min_max(
        pos2(area.left() + column, area.top() + head + 2.0),
        pos2(area.right() - 6.0, area.bottom() - axes::row(ui) * below),
    );
    let inner = if plot.equal_units { equally(inner, x_range, y_range) } else { inner };
    if inner.width() < 20.0 || inner.height() < 16.0 {
        return Done::default();
    }

    ui.painter().rect_filled(inner, 2.0, tokens.well);
    let behind = ui.painter().add(Shape::Noop);
    if let Some(bundle) = &plot.bundle {
        // The frame before's bounds are this frame's, unless the reader zooms: then the picture moves with them.
        let (x, y) = (Scale::x(x_range, inner), Scale::y(y_range, inner));
        memory.bundle.show(ui, inner, bundle, (&x, &y), plot.y_log, tokens);
    }
    let em = axes::emphasis(area.size());
    let is_over_steps = plot.x_axis == XAxis::Steps;
    // A drag with Shift chooses steps instead of moving the picture.
    let chooses = is_over_steps && (memory.selecting.is_some() || ui.input(|input| input.modifiers.shift));
    let items = items(plot, &visible, pointed, em, tokens);
    let shown = ui.scope_builder(UiBuilder::new().max_rect(inner).id_salt(id), |ui| {
        egui_plot::Plot::new(id)
            .id(id)
            // Its own least size would push the curves out of a low picture.
            .min_size(vec2(1.0, 1.0))
            .default_x_bounds(whole[0], whole[1])
            .default_y_bounds(fitted[0], fitted[1])
            .show_axes(false)
            .show_grid(false)
            .show_background(false)
            .show_crosshair(false)
            .show_x(false)
            .show_y(false)
            .allow_scroll(false)
            .allow_drag(!chooses)
            .label_formatter(|_| None)
            .show(ui, |plot_ui| {
                if remembered.is_none() || plot_ui.plot_bounds().width() > 1.5 * (whole[1] - whole[0]) {
                    plot_ui.set_auto_bounds(true);
                }
                let wheel = plot_ui.ctx().input(|input| input.smooth_scroll_delta.y);
                if wheel != 0.0 && !plot.equal_units && plot_ui.response().contains_pointer() {
                    plot_ui.zoom_bounds_around_hovered(vec2((wheel / 240.0).exp(), 1.0));
                    // The wheel stretches time; the values are fitted to what is in view.
                    plot_ui.set_auto_bounds(Vec2b::new(false, auto.y));
                }
                for item in items {
                    match item {
                        Item::Line(line) => plot_ui.line(line),
                        Item::Points(points) => plot_ui.points(points),
                        Item::Area(area) => plot_ui.add(area),
                    }
                }
            })
    });
    memory.log = Some(plot.y_log);
    let response = shown.inner.response;
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &plot.title));

    let bounds = shown.inner.transform.bounds();
    let x = Scale::x([bounds.min()[0], bounds.max()[0]], inner);
    let y = Scale::y([bounds.min()[1], bounds.max()[1]], inner);
    let x_ticks = plot.x_axis.ticks(x.units, axes::x_room(inner.width()));
    ui.painter().set(behind, Shape::Vec(axes::grid(inner, (&x, &x_ticks), (&y, &y_ticks), tokens)));
    axes::x_labels(ui, inner, area, &x, &x_ticks, tokens);
    axes::y_labels(ui, inner, &y, &y_ticks, tokens);
    let foot_right = if plot.equal_units { inner.right() + 6.0 } else { area.right() };
    let foot = Rect::from_min_max(pos2(area.left(), area.bottom() - axes::row(ui)), pos2(foot_right, area.bottom()));
    if !legend::is_low(area) {
        axes::foot(ui, id, foot, &plot.notes, &plot.x_label);
    }

    for (line, _) in plot.lines.iter().zip(&visible).filter(|(line, on)| **on && line.style == LineStyle::Dashed) {
        let (color, width) = look(line.style, tokens.line(line.color), pointed.is_none_or(|p| p == line.label), em);
        let painter = ui.painter().with_clip_rect(inner);
        for stretch in line.points.split(|p| transform(p[1], plot.y_log).is_nan()) {
            let place = |p: &[f64; 2]| pos2(x.point(plot.x_axis.place(p[0])), y.point(transform(p[1], plot.y_log)));
            let points = stretch.iter().map(place);
            painter.extend(dashes::along(points, inner, Stroke::new(width, color)));
        }
    }
    for (point, color) in &plot.spots {
        let at = pos2(x.point(plot.x_axis.place(point[0])), y.point(transform(point[1], plot.y_log)));
        if inner.contains(at) {
            ui.painter().circle(at, 4.5 * em, tokens.well, Stroke::new(2.2 * em, tokens.line(*color)));
        }
    }
    cursor_and_marks(ui, inner, &x, plot, tokens);
    memory.hover = None;
    let selected = if chooses { choose(ui, inner, &x, &response, memory, tokens) } else { None };
    let Some(pointer) = response.hover_pos().filter(|p| inner.contains(*p) && !response.dragged()) else {
        if let Some(step) = hover::elsewhere(ui.ctx(), id).filter(|_| is_over_steps) {
            memory.hover = Some(step);
            let at = pos2(x.point(step), inner.center().y);
            if inner.contains(at) {
                hairline(ui, inner, area, (&x, &y), plot, &visible, at, tokens);
            }
        }
        return Done { selected, ..Done::default() };
    };
    let at = plot.x_axis.number(x.unit(pointer.x));
    memory.hover = Some(at);
    if is_over_steps {
        hover::tell(ui.ctx(), id, at);
    }
    hairline(ui, inner, area, (&x, &y), plot, &visible, pointer, tokens);
    let near = plot.bundle.as_ref().and_then(|bundle| {
        let unit = y.unit(pointer.y);
        let (i, value) = bundle::nearest(bundle, [at, unit], plot.y_log, &y, pointer.y)?;
        Some((bundle, i, value))
    });
    let mut picked = None;
    let mut text = marks_near(plot, &x, pointer.x);
    if let Some((bundle, i, value)) = near {
        let line = &bundle.lines[i];
        let place = |p: &[f64; 2]| pos2(x.point(p[0]), y.point(transform(p[1], plot.y_log)));
        let points: Vec<_> = line.points.iter().map(place).filter(|p| p.is_finite()).collect();
        let painter = ui.painter().with_clip_rect(inner);
        painter.add(Shape::line(points.clone(), Stroke::new(4.0 * em, tokens.well)));
        painter.add(Shape::line(points, Stroke::new(2.0 * em, tokens.line(line.color))));
        let about = format!("{}: {} (click: focus)", bundle.names[i], ticks::number(value));
        text = Some(text.map_or(about.clone(), |marks| format!("{about}\n{marks}")));
        picked = response.clicked().then(|| bundle.tracks[i]);
    }
    if let Some(text) = text {
        response.on_hover_text_at_pointer(text);
    }
    Done { picked, selected }
}

/// The stretch that is being dragged over; its ends when the pointer is let go.
fn choose(
    ui: &Ui,
    inner: Rect,
    x: &Scale,
    response: &egui::Response,
    memory: &mut Memory,
    tokens: &Tokens,
) -> Option<[u64; 2]> {
    let here = response.interact_pointer_pos().map(|at| x.unit(at.x.clamp(inner.left(), inner.right())));
    if response.drag_started() {
        // A drag is one after some points; it began where the button went down.
        let origin = ui.input(|input| input.pointer.press_origin());
        memory.selecting = origin.map(|at| x.unit(at.x.clamp(inner.left(), inner.right()))).or(here);
    }
    let begun = memory.selecting?;
    if response.dragged() {
        let ends = [begun, here?].map(|step| x.point(step));
        let stretch = Rect::from_x_y_ranges(ends[0].min(ends[1])..=ends[0].max(ends[1]), inner.y_range());
        ui.painter().rect_filled(stretch, 0.0, tokens.accent.gamma_multiply(0.18));
        return None;
    }
    memory.selecting = None;
    let end = here.or_else(|| ui.input(|input| input.pointer.latest_pos()).map(|at| x.unit(at.x)))?;
    Some([begun, end].map(|step| step.round().max(0.0) as u64))
}

/// The largest part of `free`, in its middle, where a unit of y is as long as one of x.
fn equally(free: Rect, x: [f64; 2], y: [f64; 2]) -> Rect {
    let spans = vec2((x[1] - x[0]) as f32, (y[1] - y[0]) as f32);
    if !(spans.x > 0.0 && spans.y > 0.0) {
        return free;
    }
    let unit = (free.width() / spans.x).min(free.height() / spans.y);
    Rect::from_center_size(free.center(), spans * unit)
}

fn entry<'a>(i: usize, plot: &'a LinePlot, memory: &Memory, tokens: &Tokens) -> Entry<'a> {
    let line = &plot.lines[i];
    let value = |line: &Line, at_cursor: &[(String, f64)]| {
        let value = match memory.hover {
            Some(x) => nearest(&line.points, x).map(|[_, y]| y),
            None => at_cursor.iter().find(|(label, _)| *label == line.label).map(|(_, value)| *value),
        };
        // Gaps between error bars are no values.
        value.filter(|value| value.is_finite())
    };
    let smoothed = plot.smoothing.half_life().is_some();
    let raw = plot.as_measured(i).filter(|_| smoothed).and_then(|raw| value(raw, &plot.raw_at_cursor));
    Entry {
        label: &line.label,
        color: tokens.line(line.color),
        style: line.style,
        value: value(line, &plot.at_cursor),
        raw,
    }
}

/// The point whose x is nearest; points are in order of x.
fn nearest(points: &[[f64; 2]], x: f64) -> Option<[f64; 2]> {
    let after = points.partition_point(|p| p[0] < x);
    let (left, right) = (after.checked_sub(1).map(|i| points[i]), points.get(after).copied());
    match (left, right) {
        (Some(l), Some(r)) => Some(if x - l[0] <= r[0] - x { l } else { r }),
        (one, other) => one.or(other),
    }
}

/// On the scale of the picture; NaN where it cannot be drawn.
pub(super) fn transform(value: f64, log: bool) -> f64 {
    if !log {
        if value.is_finite() { value } else { f64::NAN }
    } else if value > 0.0 && value.is_finite() {
        value.log10()
    } else {
        f64::NAN
    }
}

/// The range that holds all that is visible, with a little air.
fn y_range(plot: &LinePlot, visible: &[bool], [x_low, x_high]: [f64; 2], bundled: Option<[f64; 2]>) -> [f64; 2] {
    let [mut low, mut high] = bundled.unwrap_or([f64::INFINITY, f64::NEG_INFINITY]);
    match plot.y_range {
        Some([a, b]) => (low, high) = (transform(a, plot.y_log), transform(b, plot.y_log)),
        None => {
            for (line, _) in plot.lines.iter().zip(visible).filter(|(_, visible)| **visible) {
                // One point beyond either side, since the curve comes from there.
                let from = line.points.partition_point(|p| plot.x_axis.place(p[0]) < x_low).saturating_sub(1);
                let to =
                    (line.points.partition_point(|p| plot.x_axis.place(p[0]) <= x_high) + 1).min(line.points.len());
                for [_, value] in &line.points[from..to.max(from)] {
                    let value = transform(*value, plot.y_log);
                    (low, high) = (low.min(value), high.max(value));
                }
            }
            for value in plot.bands.iter().flat_map(|band| &band.points).flat_map(|point| &point[1..]) {
                let value = transform(*value, plot.y_log);
                (low, high) = (low.min(value), high.max(value));
            }
        }
    }
    if !(low.is_finite() && high.is_finite()) {
        return if plot.y_log { [-3.0, 0.0] } else { [0.0, 1.0] };
    }
    if !plot.y_log
        && let Some(range) = ranges::about_zero([low, high])
    {
        return range;
    }
    let span = high - low;
    let air = if plot.y_range.is_some() { 0.025 } else { 0.06 };
    // The noise of the last digits is no shape: a range is at least some per cent of what it shows.
    let least = if plot.y_log { 0.1 } else { (0.02 * high.abs().max(low.abs())).max(1e-6) };
    let pad = (span * air).max((least - span) / 2.0);
    [low - pad, high + pad]
}

fn y_ticks(log: bool, range: [f64; 2], height: f32) -> Vec<Tick> {
    let room = axes::y_room(height);
    if log { ticks::logarithmic(range, room) } else { ticks::linear(range, room) }
}

enum Item<'a> {
    Line(egui_plot::Line<'a>),
    Points(egui_plot::Points<'a>),
    Area(egui_plot::FilledArea),
}

/// The unbroken stretches of all visible lines, the pointed one last so that it lies on top.
fn items<'a>(plot: &LinePlot, visible: &[bool], pointed: Option<&str>, em: f32, tokens: &Tokens) -> Vec<Item<'a>> {
    // egui's own dashes fall apart where points are dense: see `dashes`.
    let drawn = |i: &usize| visible[*i] && plot.lines[*i].style != LineStyle::Dashed;
    let mut order: Vec<_> = (0..plot.lines.len()).filter(drawn).collect();
    order.sort_by_key(|&i| (pointed == Some(plot.lines[i].label.as_str()), plot.lines[i].style != LineStyle::Faint));
    let mut items: Vec<_> = plot.bands.iter().flat_map(|band| areas(band, plot, tokens)).collect();
    for i in order {
        let line = &plot.lines[i];
        let alone = pointed.is_none_or(|p| p == line.label);
        let (color, width) = look(line.style, tokens.line(line.color), alone, em);
        for stretch in line.points.split(|p| transform(p[1], plot.y_log).is_nan()) {
            let points = |stretch: &[[f64; 2]]| {
                let point = |&[x, y]: &[f64; 2]| PlotPoint { x: plot.x_axis.place(x), y: transform(y, plot.y_log) };
                PlotPoints::Owned(stretch.iter().map(point).collect())
            };
            match stretch.len() {
                0 => {}
                1 => items.push(dots(&line.label, points(stretch), color, width)),
                _ => {
                    // Curves are thinned already, and egui_plot's bands of columns break where a curve is steep. Noise
                    // is a band.
                    let band = line.style == LineStyle::Faint;
                    let stroke = egui_plot::Line::new(line.label.as_str(), points(stretch)).allow_band(band);
                    items.push(Item::Line(stroke.color(color).width(width)));
                    if line.style == LineStyle::Marked {
                        items.push(dots(&line.label, points(stretch), color, width));
                    }
                }
            }
        }
    }
    items
}

/// The unbroken stretches of a band.
fn areas<'a>(band: &Band, plot: &LinePlot, tokens: &Tokens) -> Vec<Item<'a>> {
    let color = tokens.line(band.color).gamma_multiply(band.strength);
    let placed: Vec<_> = band
        .points
        .iter()
        .map(|&[x, low, high]| [plot.x_axis.place(x), transform(low, plot.y_log), transform(high, plot.y_log)])
        .collect();
    let stretches = placed.split(|point| point.iter().any(|v| v.is_nan())).filter(|stretch| stretch.len() > 1);
    let column = |stretch: &[[f64; 3]], k: usize| stretch.iter().map(|point| point[k]).collect::<Vec<_>>();
    stretches
        .map(|stretch| {
            let [xs, low, high] = [0, 1, 2].map(|k| column(stretch, k));
            Item::Area(egui_plot::FilledArea::new(band.label.as_str(), &xs, &low, &high).fill_color(color))
        })
        .collect()
}

fn dots<'a>(label: &str, points: PlotPoints<'a>, color: Color32, width: f32) -> Item<'a> {
    Item::Points(egui_plot::Points::new(label, points).color(color).radius(width + 0.5))
}

fn look(style: LineStyle, color: Color32, alone: bool, em: f32) -> (Color32, f32) {
    let fade = if alone { 1.0 } else { 0.3 };
    match style {
        LineStyle::Solid | LineStyle::Marked => (color.gamma_multiply(fade), 1.8 * em),
        LineStyle::Dashed => (color.gamma_multiply(fade), 1.6 * em),
        LineStyle::Faint => (color.gamma_multiply(0.38 * fade), em),
    }
}

fn cursor_and_marks(ui: &Ui, inner: Rect, x: &Scale, plot: &LinePlot, tokens: &Tokens) {
    let painter = ui.painter().with_clip_rect(inner);
    let mut last = f32::NEG_INFINITY;
    for (step, _) in &plot.marks {
        let at = x.point(*step).round() + 0.5;
        // A knob that is being dragged leaves a mark a frame: one line for each few points is enough.
        if at - last < 3.0 {
            continue;
        }
        last = at;
        let stroke = Stroke::new(1.0, tokens.mark.gamma_multiply(0.55));
        painter.extend(Shape::dashed_line(&[pos2(at, inner.top()), pos2(at, inner.bottom())], stroke, 3.0, 4.0));
        let tip = [pos2(at - 4.0, inner.top()), pos2(at + 4.0, inner.top()), pos2(at, inner.top() + 6.0)];
        painter.add(Shape::convex_polygon(tip.to_vec(), tokens.mark, Stroke::NONE));
    }
    if let Some(step) = plot.cursor {
        let at = x.point(step).round() + 0.5;
        if at < inner.right() {
            // What lies after the cursor has not happened yet for the reader.
            let later = Rect::from_min_max(pos2(at.max(inner.left()), inner.top()), inner.max);
            painter.rect_filled(later, 0.0, tokens.well.gamma_multiply(0.6));
        }
        painter.vline(at, inner.y_range(), Stroke::new(1.5, tokens.cursor));
    }
}

fn marks_near(plot: &LinePlot, x: &Scale, pointer: f32) -> Option<String> {
    let near = plot.marks.iter().filter(|(step, _)| (x.point(*step) - pointer).abs() < 5.0);
    let lines: Vec<_> = near.map(|(step, what)| format!("Step {step}: {what}")).collect();
    match lines.len() {
        0 => None,
        n @ 1..=6 => Some(lines[..n].join("\n")),
        n => Some(format!("{}\n… and {} more", lines[..5].join("\n"), n - 5)),
    }
}

/// A hairline at the pointer's step with a dot on every curve; the values are in the legend.
#[expect(clippy::too_many_arguments, reason = "the geometry of one picture, not worth a name of its own")]
fn hairline(
    ui: &Ui,
    inner: Rect,
    area: Rect,
    (x, y): (&Scale, &Scale),
    plot: &LinePlot,
    visible: &[bool],
    pointer: egui::Pos2,
    tokens: &Tokens,
) {
    let painter = ui.painter().with_clip_rect(inner.expand(3.0));
    painter.vline(pointer.x.round() + 0.5, inner.y_range(), Stroke::new(1.0, tokens.text_faint.gamma_multiply(0.7)));
    let at = plot.x_axis.number(x.unit(pointer.x));
    for (line, _) in plot.lines.iter().zip(visible).filter(|(line, on)| **on && line.style != LineStyle::Faint) {
        if let Some([px, py]) = nearest(&line.points, at) {
            let dot = pos2(x.point(plot.x_axis.place(px)), y.point(transform(py, plot.y_log)));
            if inner.expand(2.0).contains(dot) {
                painter.circle(dot, 3.0, tokens.line(line.color), Stroke::new(1.0, tokens.well));
            }
        }
    }
    let text = format!("{} {}", plot.x_label, plot.x_axis.words(at));
    let galley = ui.painter().layout_no_wrap(text, axes::font(ui), tokens.text);
    let size = galley.size() + vec2(8.0, 2.0);
    let left = (pointer.x - size.x / 2.0).clamp(area.left(), (area.right() - size.x).max(area.left()));
    let tag = Rect::from_min_size(pos2(left, inner.bottom() + 2.0), size);
    ui.painter().rect_filled(tag, 3.0, tokens.button);
    ui.painter().galley(tag.min + vec2(4.0, 1.0), galley, tokens.text);
}

#[cfg(test)]
mod tests;
