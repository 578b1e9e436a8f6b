//! The time line's bar: the steps recorded, where the cursor stands, what was done when.

use egui::{Align2, CursorIcon, Pos2, Rect, Response, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo, accesskit, pos2};

use crate::app::theme::{self, Tokens, size};
pub use crate::base::digits::grouped;
use crate::record::{Intervention, Note, TimeCommand, TimeCursor, WindowCommand};
use crate::run::{knobs, ledger};

use super::span::{self, Bar, Span};

/// What the bar shows.
pub struct Scrub<'a> {
    /// The last step of the bar.
    pub newest: u64,
    /// The last step of the track that is shown.
    pub end: u64,
    pub cursor: TimeCursor,
    pub interventions: Vec<&'a Intervention>,
    pub notes: Vec<&'a Note>,
    pub checkpoints: Vec<u64>,
    /// Step at which the run diverged.
    pub diverged: Option<u64>,
    /// Which steps all curves show; none where they aren't chosen here.
    pub span: Option<Span>,
}

/// What a reader asks of the bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wish {
    Time(TimeCommand),
    Window(WindowCommand),
}

/// Nearest distance in points at which a mark answers to the pointer.
const REACH: f32 = 6.0;
/// Height of the row of numbers below the bar.
const NUMBERS: f32 = 14.0;
/// Marks named in one tooltip.
const NAMED: usize = 8;

/// `step 120: Learning rate 0.002 → 0.1`
pub fn describe(mark: &Intervention) -> String {
    let knob = knobs::find(&mark.knob).map_or(mark.knob.as_str(), |knob| knob.label);
    if mark.knob == ledger::FORK {
        return format!("Step {}: branches from {}", grouped(mark.step), mark.from);
    }
    if mark.from.is_empty() && mark.to.is_empty() {
        return format!("Step {}: {knob}", grouped(mark.step));
    }
    format!("Step {}: {knob} {} → {}", grouped(mark.step), mark.from, mark.to)
}

/// Shows the bar over the available width; a click or drag asks for a step, a drag with Shift for steps to show.
pub fn show(ui: &mut Ui, scrub: &Scrub<'_>) -> Option<Wish> {
    let strip = if scrub.span.is_some() { span::HEIGHT } else { 0.0 };
    let size = Vec2::new(ui.available_width(), 36.0 + strip);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    let step = scrub.cursor.step(scrub.end);
    response.widget_info(|| WidgetInfo::slider(true, step as f64, "Time line"));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_min_numeric_value(0.0);
        node.set_max_numeric_value(scrub.newest as f64);
        node.add_action(accesskit::Action::SetValue);
    });
    let bar = Rect::from_min_max(rect.min + Vec2::new(8.0, 10.0), rect.max - Vec2::new(8.0, NUMBERS + strip));
    let scale = Bar { rect: bar, last: scrub.newest };
    let x_of = |step: u64| scale.x(step);
    let step_at = |x: f32| scale.step(x);

    let tokens = theme::of(ui.visuals());
    paint_bar(ui, tokens, bar, x_of(step), (scrub.newest, strip));
    paint_checkpoints(ui, tokens, bar, &scrub.checkpoints, &x_of);
    for note in &scrub.notes {
        paint_note(ui, tokens, pos2(x_of(note.step), bar.top()));
    }
    for mark in &scrub.interventions {
        paint_mark(ui, tokens, pos2(x_of(mark.step), bar.top()));
    }
    if let Some(diverged) = scrub.diverged {
        let x = x_of(diverged);
        ui.painter().line_segment([pos2(x, rect.top()), pos2(x, bar.bottom() + 3.0)], Stroke::new(2.0, tokens.danger));
    }
    paint_head(ui, tokens, pos2(x_of(step), bar.center().y), scrub.cursor.is_following());

    if let Some(span) = &scrub.span {
        if let Some(command) = span::show(ui, scale, span) {
            return Some(Wish::Window(command));
        }
        match choose(ui, &response, scale, span, tokens) {
            Chosen::Nothing => {}
            Chosen::Choosing => return None,
            Chosen::Steps(command) => return Some(Wish::Window(command)),
        }
    }
    if let Some(pointer) = response.hover_pos().filter(|_| !response.dragged()) {
        let near: Vec<_> =
            scrub.interventions.iter().filter(|mark| (x_of(mark.step) - pointer.x).abs() <= REACH).collect();
        let mut text = format!("Step {}", grouped(step_at(pointer.x).min(scrub.newest)));
        if let Some(diverged) = scrub.diverged.filter(|step| (x_of(*step) - pointer.x).abs() <= REACH) {
            text = format!("Diverged at step {}", grouped(diverged));
        }
        let notes = scrub.notes.iter().filter(|note| (x_of(note.step) - pointer.x).abs() <= REACH);
        let notes: Vec<_> = notes.map(|note| format!("Step {}: “{}”", grouped(note.step), note.text)).collect();
        if !near.is_empty() {
            text = near.iter().take(NAMED).map(|mark| describe(mark)).collect::<Vec<_>>().join("\n");
            if near.len() > NAMED {
                text.push_str(&format!("\nand {} more", near.len() - NAMED));
            }
        }
        if !notes.is_empty() {
            text = if near.is_empty() { notes.join("\n") } else { format!("{text}\n{}", notes.join("\n")) };
        }
        response.clone().on_hover_text_at_pointer(text);
    }
    if response.dragged() || response.clicked() || response.drag_stopped() {
        return response.interact_pointer_pos().map(|at| Wish::Time(TimeCommand::ScrubTo(step_at(at.x))));
    }
    let wanted = ui.input(|input| {
        let requests = input.accesskit_action_requests(response.id, accesskit::Action::SetValue);
        requests
            .filter_map(|request| match request.data {
                Some(accesskit::ActionData::NumericValue(value)) => Some(value.max(0.0) as u64),
                _ => None,
            })
            .last()
    });
    wanted.map(TimeCommand::ScrubTo).map(Wish::Time)
}

enum Chosen {
    Nothing,
    /// A drag with Shift goes on, or may begin.
    Choosing,
    Steps(WindowCommand),
}

/// A drag over the bar with Shift held chooses the steps to show; a double click shows all.
fn choose(ui: &Ui, response: &Response, bar: Bar, span: &Span, tokens: &Tokens) -> Chosen {
    let id = response.id.with("choosing");
    let begun: Option<u64> = ui.data(|data| data.get_temp(id));
    let shift = ui.input(|input| input.modifiers.shift);
    if response.double_clicked() {
        return Chosen::Steps(WindowCommand::ShowAll);
    }
    if shift && response.drag_started() {
        // A drag is one after some points; it began where the button went down.
        let origin = ui.input(|input| input.pointer.press_origin()).map(|at| bar.step(at.x).min(span.newest));
        ui.data_mut(|data| origin.map(|origin| data.insert_temp(id, origin)));
        return Chosen::Choosing;
    }
    if begun.is_none() && shift && response.hovered() {
        ui.set_cursor_icon(CursorIcon::Crosshair);
        response
            .clone()
            .on_hover_text_at_pointer("Drag to choose the steps that curves show; a double click shows all");
        return Chosen::Choosing;
    }
    let Some(begun) = begun else { return Chosen::Nothing };
    let here = response.interact_pointer_pos().map(|at| bar.step(at.x).min(span.newest));
    if response.dragged()
        && let Some(here) = here
    {
        let [low, high] = [begun.min(here), begun.max(here)];
        let stretch = Rect::from_x_y_ranges(bar.x(low)..=bar.x(high), bar.rect.y_range());
        ui.painter().rect(
            stretch,
            2.0,
            tokens.text.gamma_multiply(0.25),
            Stroke::new(1.5, tokens.text),
            egui::StrokeKind::Inside,
        );
        ui.set_cursor_icon(CursorIcon::Crosshair);
        span::at_pointer(response, &format!("Show steps {} to {}", grouped(low), grouped(high)));
        return Chosen::Choosing;
    }
    ui.data_mut(|data| data.remove::<u64>(id));
    let end = here.or_else(|| ui.input(|input| input.pointer.latest_pos()).map(|at| bar.step(at.x)));
    end.map_or(Chosen::Choosing, |end| Chosen::Steps(WindowCommand::Select(begun, end)))
}

fn paint_bar(ui: &Ui, tokens: &Tokens, bar: Rect, head: f32, (newest, strip): (u64, f32)) {
    let painter = ui.painter();
    painter.rect_filled(bar, 3.0, tokens.button);
    let past = Rect::from_min_max(bar.min, pos2(head.max(bar.left()), bar.max.y));
    painter.rect_filled(past, 3.0, tokens.accent.gamma_multiply(0.55));
    for step in ticks(newest, (bar.width() / 110.0) as u64) {
        let x = bar.left() + step as f32 / newest.max(1) as f32 * bar.width();
        painter.line_segment(
            [pos2(x, bar.bottom()), pos2(x, bar.bottom() + 3.0 + strip)],
            Stroke::new(1.0, tokens.text_faint),
        );
        let anchor = if step == 0 { Align2::LEFT_TOP } else { Align2::CENTER_TOP };
        let x = if step == 0 { bar.left() - 3.0 } else { x };
        painter.text(pos2(x, bar.bottom() + 2.0 + strip), anchor, grouped(step), theme::small(), tokens.text_faint);
    }
}

/// Round steps that divide `0..=newest` into at most about `wanted` parts.
fn ticks(newest: u64, wanted: u64) -> Vec<u64> {
    let rough = newest as f64 / wanted.max(1) as f64;
    let decade = 10f64.powf(rough.max(1.0).log10().floor());
    let by = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * decade).find(|by| *by >= rough).unwrap_or(decade);
    let by = (by as u64).max(1);
    (0..=newest / by).map(|i| i * by).filter(|step| *step == 0 || newest - step.min(&newest) > by / 4).collect()
}

fn paint_mark(ui: &Ui, tokens: &Tokens, tip: Pos2) {
    let points = vec![tip + Vec2::new(0.0, -1.0), tip + Vec2::new(-4.0, -8.0), tip + Vec2::new(4.0, -8.0)];
    ui.painter().add(Shape::convex_polygon(points, tokens.mark, Stroke::NONE));
    ui.painter().line_segment([tip, tip + Vec2::new(0.0, 12.0)], Stroke::new(1.0, tokens.mark.gamma_multiply(0.8)));
}

/// Fine ticks within the bar: from here a branch begins at once.
fn paint_checkpoints(ui: &Ui, tokens: &Tokens, bar: Rect, steps: &[u64], x_of: &dyn Fn(u64) -> f32) {
    let mut last = f32::NEG_INFINITY;
    for &step in steps {
        let x = x_of(step);
        // Closer than that they would be a band.
        if (x - last).abs() < 10.0 {
            continue;
        }
        last = x;
        let from = pos2(x, bar.bottom() - 4.0);
        ui.painter().line_segment([from, pos2(x, bar.bottom())], Stroke::new(1.0, tokens.text_weak));
    }
}

/// A small flag.
fn paint_note(ui: &Ui, tokens: &Tokens, foot: Pos2) {
    let top = foot - Vec2::new(0.0, 9.0);
    ui.painter().line_segment([foot + Vec2::new(0.0, 12.0), top], Stroke::new(1.5, tokens.good));
    let points = vec![top, top + Vec2::new(8.0, 2.5), top + Vec2::new(0.0, 5.0)];
    ui.painter().add(Shape::convex_polygon(points, tokens.good, Stroke::NONE));
}

fn paint_head(ui: &Ui, tokens: &Tokens, at: Pos2, following: bool) {
    let fill = if following { tokens.accent } else { tokens.cursor };
    let half = Vec2::new(3.0, 9.0);
    let rect = Rect::from_center_size(at, 2.0 * half);
    ui.painter().rect(rect, f32::from(size::CORNER) / 2.0, fill, outline(tokens), egui::StrokeKind::Outside);
}

fn outline(tokens: &Tokens) -> Stroke {
    Stroke::new(1.5, tokens.panel)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::TrackId;

    #[test]
    fn ticks_are_round_few_and_within_the_recording() {
        for (newest, wanted) in [(0, 5), (1, 5), (7, 12), (99, 10), (1_500, 8), (123_456, 11), (u64::from(u32::MAX), 3)]
        {
            let ticks = ticks(newest, wanted);
            assert!(ticks.len() as u64 <= wanted + 2, "{newest}: {ticks:?}");
            assert!(ticks.iter().all(|step| *step <= newest), "{newest}: {ticks:?}");
            assert_eq!(ticks[0], 0);
        }
    }

    #[test]
    fn marks_are_described_by_the_knob_that_was_turned() {
        let mark =
            Intervention { track: TrackId(0), step: 1_200, knob: "lr".into(), from: "0.002".into(), to: "0.1".into() };
        assert_eq!(describe(&mark), "Step 1,200: Learning rate 0.002 → 0.1");
        let restore =
            Intervention { track: TrackId(0), step: 3, knob: "restore".into(), from: String::new(), to: String::new() };
        assert_eq!(describe(&restore), "Step 3: restore");
    }
}
