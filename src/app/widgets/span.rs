//! Below the time line's bar: which steps all curves show, with a handle at either end.

use egui::{CursorIcon, Id, Rect, Response, Sense, Stroke, Tooltip, Ui, WidgetInfo, accesskit, pos2, vec2};

use super::scrub::grouped;
use crate::app::theme::{self, Tokens};
use crate::record::{StepWindow, WindowCommand};

/// What the strip shows, and the bar's scale.
pub struct Span {
    pub window: StepWindow,
    /// First and last step shown.
    pub shown: [u64; 2],
    /// The last step of the recording.
    pub newest: u64,
    /// Where the cursor stands.
    pub at: u64,
    /// The recording grows and the cursor goes with it: what ends at the newest step goes on doing so.
    pub follows: bool,
}

/// Height of the strip.
pub const HEIGHT: f32 = 9.0;
/// How far from a handle the pointer takes hold of it.
const REACH: f32 = 8.0;
const LEAST: u64 = 2;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Grip {
    First,
    Last,
    /// All of it, from a step under the pointer.
    Middle {
        held: u64,
        from: u64,
        to: u64,
    },
}

/// Places on the bar.
#[derive(Clone, Copy)]
pub struct Bar {
    pub rect: Rect,
    pub last: u64,
}

impl Bar {
    pub fn x(&self, step: u64) -> f32 {
        self.rect.left() + step as f32 / self.last.max(1) as f32 * self.rect.width()
    }

    pub fn step(&self, x: f32) -> u64 {
        ((x - self.rect.left()) / self.rect.width() * self.last.max(1) as f32).round().max(0.0) as u64
    }
}

/// Shows the strip below `bar`; a drag of a handle, or of what lies between them, asks for other steps.
pub fn show(ui: &mut Ui, bar: Bar, span: &Span) -> Option<WindowCommand> {
    let tokens = theme::of(ui.visuals());
    let id = ui.scope_id().with("steps shown");
    let rect = Rect::from_min_max(
        pos2(bar.rect.left() - REACH, bar.rect.bottom() + 1.0),
        pos2(bar.rect.right() + REACH, bar.rect.bottom() + 1.0 + HEIGHT),
    );
    let ends = span.shown.map(|step| bar.x(step.min(bar.last)));
    let middle = ui.interact(rect, id, Sense::click_and_drag());
    middle.widget_info(|| WidgetInfo::labeled(egui::Role::Group, true, "Steps shown in the time line"));
    let [first, last] = [(0, "First step shown"), (1, "Last step shown")].map(|(end, label)| {
        // Handles that are close have half of the room between them each.
        let reach = REACH.min(((ends[1] - ends[0]) / 2.0).max(3.0));
        let sides = if end == 0 { [REACH, reach] } else { [reach, REACH] };
        let x = ends[end];
        let handle = Rect::from_x_y_ranges(x - sides[0]..=x + sides[1], rect.y_range());
        let response = ui.interact(handle, id.with(label), Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::slider(true, span.shown[end] as f64, label));
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_min_numeric_value(0.0);
            node.set_max_numeric_value(span.newest as f64);
            node.add_action(accesskit::Action::SetValue);
        });
        response
    });
    let command = command(ui, id, bar, span, [&first, &last, &middle]);
    paint(ui, rect, ends, span.window != StepWindow::All, [&first, &last, &middle], tokens);
    tell(ui, span, [first, last, middle]);
    command
}

fn command(ui: &Ui, id: Id, bar: Bar, span: &Span, [first, last, middle]: [&Response; 3]) -> Option<WindowCommand> {
    if [first, last, middle].into_iter().any(Response::double_clicked) {
        return Some(WindowCommand::ShowAll);
    }
    for (response, grip) in [(first, Grip::First), (last, Grip::Last)] {
        let set = ui.input(|input| {
            let asked = input.accesskit_action_requests(response.id, accesskit::Action::SetValue);
            let values = asked.filter_map(|request| match request.data {
                Some(accesskit::ActionData::NumericValue(value)) => Some(value.max(0.0) as u64),
                _ => None,
            });
            values.last()
        });
        if let Some(step) = set {
            return Some(moved(span, grip, step));
        }
    }
    let origin = ui.input(|input| input.pointer.press_origin()).map(|at| bar.step(at.x));
    let [from, to] = span.shown;
    let begun = if first.drag_started() {
        Some(Grip::First)
    } else if last.drag_started() {
        Some(Grip::Last)
    } else {
        let held = origin.filter(|_| middle.drag_started());
        held.map(|held| Grip::Middle { held, from, to })
    };
    if let Some(grip) = begun {
        ui.data_mut(|data| data.insert_temp(id, grip));
    }
    let dragged = [first, last, middle].into_iter().find(|response| response.dragged())?;
    let grip = ui.data(|data| data.get_temp::<Grip>(id))?;
    let step = bar.step(dragged.interact_pointer_pos()?.x);
    Some(moved(span, grip, step))
}

/// What a grip that is dragged to a step asks for.
fn moved(span: &Span, grip: Grip, step: u64) -> WindowCommand {
    let [from, to] = span.shown;
    let newest = span.newest;
    match grip {
        Grip::First => {
            let step = step.min(to.saturating_sub(LEAST));
            let goes_along = matches!(span.window, StepWindow::Last(_)) || (span.follows && to >= newest);
            match span.window {
                StepWindow::All | StepWindow::Last(_) if goes_along => {
                    WindowCommand::ShowLast(span.at.max(step + LEAST) - step)
                }
                _ => WindowCommand::Select(step, to),
            }
        }
        Grip::Last => WindowCommand::Select(from, step.clamp(from + LEAST, newest.max(from + LEAST))),
        Grip::Middle { held, from, to } => {
            let width = to - from;
            let from = (from + step).saturating_sub(held).min(newest.saturating_sub(width));
            WindowCommand::Select(from, from + width)
        }
    }
}

fn paint(ui: &Ui, rect: Rect, ends: [f32; 2], chosen: bool, responses: [&Response; 3], tokens: &Tokens) {
    let painter = ui.painter();
    let y = rect.center().y;
    let touched = responses.map(|response| response.hovered() || response.dragged());
    let color = |touched: bool| match (touched, chosen) {
        (true, _) => tokens.accent,
        (false, true) => tokens.text_weak,
        (false, false) => tokens.text_faint.gamma_multiply(0.6),
    };
    if chosen || touched.contains(&true) {
        let thick = if touched[2] && chosen { 4.0 } else { 3.0 };
        painter.hline(ends[0]..=ends[1], y, Stroke::new(thick, color(touched[2] && chosen).gamma_multiply(0.8)));
    }
    for (end, x) in ends.into_iter().enumerate() {
        let handle = Rect::from_center_size(pos2(x, y), vec2(5.0, HEIGHT));
        painter.rect(handle, 2.0, color(touched[end]), Stroke::new(1.0, tokens.panel), egui::StrokeKind::Outside);
    }
}

/// Shape of the pointer and words.
fn tell(ui: &Ui, span: &Span, [first, last, middle]: [Response; 3]) {
    let chosen = span.window != StepWindow::All;
    let [from, to] = span.shown.map(grouped);
    let held = first.dragged() || last.dragged() || middle.dragged();
    if first.hovered() || last.hovered() || first.dragged() || last.dragged() {
        ui.set_cursor_icon(CursorIcon::ResizeHorizontal);
    } else if middle.dragged() && chosen {
        ui.set_cursor_icon(CursorIcon::Grabbing);
    } else if middle.hovered() && chosen {
        ui.set_cursor_icon(CursorIcon::Grab);
    }
    let shown = if chosen { format!("Curves show steps {from} to {to}") } else { "Curves show all steps".into() };
    if held {
        for response in [first, last, middle].into_iter().filter(Response::dragged) {
            at_pointer(&response, &shown);
        }
        return;
    }
    let back = if chosen { "; a double click shows all" } else { "" };
    first.on_hover_text(format!("{shown}. Drag to begin elsewhere{back}"));
    last.on_hover_text(format!("{shown}. Drag to end elsewhere{back}"));
    if chosen {
        middle.on_hover_text_at_pointer(format!("{shown}. Drag to move{back}"));
    }
}

/// Words beside the pointer while something is dragged: the usual ones only show where nothing is held.
pub fn at_pointer(response: &Response, words: &str) {
    Tooltip::for_widget(response).at_pointer().gap(12.0).show(|ui| ui.label(words));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(window: StepWindow, at: u64, follows: bool) -> Span {
        let newest = 1_000;
        Span { window, shown: window.range(at, newest).unwrap_or([0, newest]), newest, at, follows }
    }

    #[test]
    fn handles_move_the_ends_and_never_cross() {
        let between = span(StepWindow::Between { from: 200, to: 600 }, 1_000, false);
        assert_eq!(moved(&between, Grip::First, 300), WindowCommand::Select(300, 600));
        assert_eq!(moved(&between, Grip::First, 900), WindowCommand::Select(598, 600));
        assert_eq!(moved(&between, Grip::Last, 100), WindowCommand::Select(200, 202));
        assert_eq!(moved(&between, Grip::Last, 5_000), WindowCommand::Select(200, 1_000));
        let all = span(StepWindow::All, 1_000, false);
        assert_eq!(moved(&all, Grip::First, 400), WindowCommand::Select(400, 1_000));
        assert_eq!(moved(&all, Grip::Last, 400), WindowCommand::Select(0, 400));
    }

    #[test]
    fn what_follows_goes_on_following() {
        let all = span(StepWindow::All, 1_000, true);
        assert_eq!(moved(&all, Grip::First, 400), WindowCommand::ShowLast(600));
        let last = span(StepWindow::Last(100), 700, false);
        assert_eq!(moved(&last, Grip::First, 500), WindowCommand::ShowLast(200));
        assert_eq!(moved(&last, Grip::Last, 650), WindowCommand::Select(600, 650));
    }

    #[test]
    fn the_middle_moves_both_ends_and_stays_inside() {
        let between = span(StepWindow::Between { from: 200, to: 600 }, 1_000, false);
        let middle = Grip::Middle { held: 400, from: 200, to: 600 };
        assert_eq!(moved(&between, middle, 450), WindowCommand::Select(250, 650));
        assert_eq!(moved(&between, middle, 0), WindowCommand::Select(0, 400));
        assert_eq!(moved(&between, middle, 5_000), WindowCommand::Select(600, 1_000));
    }

    #[test]
    fn places_and_steps_are_inverse() {
        let bar = Bar { rect: Rect::from_min_max(pos2(10.0, 0.0), pos2(1_010.0, 5.0)), last: 5_000 };
        for step in [0, 5, 1_250, 5_000] {
            assert_eq!(bar.step(bar.x(step)), step);
        }
    }
}
