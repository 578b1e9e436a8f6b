//! The slider's rail: where a value lies between its ends, linear or logarithmic, with zero reachable.

use egui::{EventFilter, Key, Rect, Response, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit, pos2};

use crate::app::theme::{self, size};
use crate::run::knobs::{KnobKind, KnobValue, Scale};

/// Share of a logarithmic rail kept for zero at its left end.
const ZERO_SHARE: f64 = 0.04;
/// Steps of the arrow keys over the whole rail.
const FINE_STEPS: f64 = 200.0;
const COARSE: f64 = 10.0;
/// Largest end of a rail of whole numbers.
const MOST: u64 = 1 << 40;

/// Maps values to places on the rail in [0, 1] and back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RailScale {
    min: f64,
    max: f64,
    /// Smallest positive value of a logarithmic scale; 0 on a linear one.
    smallest: f64,
    whole: bool,
}

impl RailScale {
    /// The scale of a numeric knob; `None` for choices, toggles and paths, and for numbers that are names (a seed).
    /// No rail has room for those.
    pub fn of(kind: KnobKind) -> Option<Self> {
        match kind {
            KnobKind::Float { min, max, smallest, scale } => {
                let smallest = if scale == Scale::Logarithmic { smallest.max(min) } else { 0.0 };
                Some(Self { min, max, smallest, whole: false })
            }
            KnobKind::Int { max, .. } if max > MOST => None,
            KnobKind::Int { min, max, scale, zero_means } => {
                let smallest = if scale == Scale::Logarithmic { min.max(1) as f64 } else { 0.0 };
                let min = if zero_means.is_some() { 0 } else { min };
                Some(Self { min: min as f64, max: max as f64, smallest, whole: true })
            }
            KnobKind::Choice(_) | KnobKind::Toggle | KnobKind::Path | KnobKind::Numbers { .. } => None,
        }
    }

    fn zero_share(&self) -> f64 {
        if self.smallest > self.min { ZERO_SHARE } else { 0.0 }
    }

    /// Place of `value` on the rail.
    pub fn place(&self, value: f64) -> f64 {
        let value = value.clamp(self.min, self.max);
        if self.smallest <= 0.0 {
            return (value - self.min) / (self.max - self.min);
        }
        if value < self.smallest {
            return 0.0;
        }
        let share = (value / self.smallest).ln() / (self.max / self.smallest).ln();
        self.zero_share() + (1.0 - self.zero_share()) * share
    }

    /// The value at a place, rounded to what the eye can tell apart.
    pub fn value(&self, place: f64) -> f64 {
        let place = place.clamp(0.0, 1.0);
        let raw = if self.smallest <= 0.0 {
            self.min + place * (self.max - self.min)
        } else if place < self.zero_share() {
            return self.min;
        } else {
            let share = (place - self.zero_share()) / (1.0 - self.zero_share());
            self.smallest * (share * (self.max / self.smallest).ln()).exp()
        };
        let rounded = if self.whole {
            raw.round()
        } else if self.smallest > 0.0 {
            significant(raw, 2)
        } else {
            let digits = (3.0 - (self.max - self.min).log10()).ceil().clamp(0.0, 9.0) as i32;
            (raw * 10f64.powi(digits)).round() / 10f64.powi(digits)
        };
        rounded.clamp(self.min, self.max)
    }

    /// The value `steps` fine steps further; whole numbers move by one at least.
    pub fn stepped(&self, value: f64, steps: f64) -> f64 {
        if steps == 0.0 {
            return value;
        }
        if value < self.smallest && steps > 0.0 {
            return self.smallest;
        }
        let moved = self.value(self.place(value) + steps / FINE_STEPS);
        let stuck = if steps > 0.0 { moved <= value } else { moved >= value };
        if !stuck {
            return moved;
        }
        let unit = if self.whole {
            steps.signum()
        } else if self.smallest > 0.0 {
            // The second significant digit.
            10f64.powf(value.abs().max(self.smallest).log10().floor() - 1.0) * steps.signum()
        } else {
            (self.max - self.min) / FINE_STEPS * steps
        };
        significant(value + unit, 12).clamp(self.min, self.max)
    }

    pub fn to_knob(self, value: f64) -> KnobValue {
        if self.whole { KnobValue::Int(value.round().max(0.0) as u64) } else { KnobValue::Float(value) }
    }
}

/// `value` as a plain number; 0 for what isn't one.
pub fn number_of(value: &KnobValue) -> f64 {
    match value {
        KnobValue::Float(v) => *v,
        KnobValue::Int(v) => *v as f64,
        KnobValue::Choice(_) | KnobValue::Toggle(_) | KnobValue::Path(_) | KnobValue::Numbers(_) => 0.0,
    }
}

/// Rounds to `digits` significant decimal digits, exactly as the shortest text would.
fn significant(value: f64, digits: usize) -> f64 {
    format!("{value:.*e}", digits - 1).parse().unwrap_or(value)
}

/// What happened to the rail in this frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RailEvent {
    /// Being dragged; not settled.
    Turning(f64),
    /// Released, or set by a screen reader.
    Set(f64),
    /// Moved by a key or a click: more of them may follow at once.
    Nudged(f64),
    /// Double-clicked.
    Reset,
}

/// A rail of the available width. `value` is what it shows.
pub fn rail(ui: &mut Ui, label: &str, scale: RailScale, value: f64) -> (Response, Option<RailEvent>) {
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 14.0), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::slider(ui.is_enabled(), value, label));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_min_numeric_value(scale.min);
        node.set_max_numeric_value(scale.max);
        node.add_action(accesskit::Action::SetValue);
        node.add_action(accesskit::Action::Increment);
        node.add_action(accesskit::Action::Decrement);
    });
    let event = event(ui, &response, rect, scale, value);
    let shown = match event {
        Some(RailEvent::Turning(v) | RailEvent::Set(v) | RailEvent::Nudged(v)) => v,
        Some(RailEvent::Reset) | None => value,
    };
    paint(ui, &response, rect, scale.place(shown) as f32);
    (response, event)
}

fn event(ui: &Ui, response: &Response, rect: Rect, scale: RailScale, value: f64) -> Option<RailEvent> {
    let inside = rect.shrink2(Vec2::new(HANDLE, 0.0));
    let under = |x: f32| scale.value(f64::from((x - inside.left()) / inside.width()));
    if response.double_clicked() {
        return Some(RailEvent::Reset);
    }
    if response.is_pointer_button_down_on() {
        response.request_focus();
    }
    if response.drag_stopped() {
        return response.interact_pointer_pos().map(|at| RailEvent::Set(under(at.x)));
    }
    if response.clicked() {
        return response.interact_pointer_pos().map(|at| RailEvent::Nudged(under(at.x)));
    }
    if response.dragged() {
        return response.interact_pointer_pos().map(|at| RailEvent::Turning(under(at.x)));
    }
    if let Some(wanted) = set_by_reader(ui, response) {
        return Some(RailEvent::Set(wanted));
    }
    let steps = key_steps(ui, response);
    (steps != 0.0).then(|| RailEvent::Nudged(scale.stepped(value, steps)))
}

fn set_by_reader(ui: &Ui, response: &Response) -> Option<f64> {
    ui.input(|input| {
        input
            .accesskit_action_requests(response.id, accesskit::Action::SetValue)
            .filter_map(|request| match request.data {
                Some(accesskit::ActionData::NumericValue(value)) => Some(value),
                _ => None,
            })
            .last()
    })
}

fn key_steps(ui: &Ui, response: &Response) -> f64 {
    let mut steps = ui.input(|input| {
        let count = |action| input.num_accesskit_action_requests(response.id, action) as f64;
        count(accesskit::Action::Increment) - count(accesskit::Action::Decrement)
    });
    if response.has_focus() {
        let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        steps += ui.input(|input| {
            let presses = |key| input.num_presses(key) as f64;
            let net =
                presses(Key::ArrowRight) + presses(Key::ArrowUp) - presses(Key::ArrowLeft) - presses(Key::ArrowDown);
            if input.modifiers.shift { COARSE * net } else { net }
        });
    }
    steps
}

/// Radius of the handle.
const HANDLE: f32 = 5.5;

fn paint(ui: &Ui, response: &Response, rect: Rect, place: f32) {
    if !ui.is_rect_visible(rect) {
        return;
    }
    let tokens = theme::of(ui.visuals());
    let fade = if ui.is_enabled() { 1.0 } else { 0.45 };
    let inside = rect.shrink2(Vec2::new(HANDLE, 0.0));
    let x = inside.left() + place * inside.width();
    let y = rect.center().y;
    let painter = ui.painter();
    let half = size::RAIL / 2.0;
    let whole = Rect::from_min_max(pos2(rect.left(), y - half), pos2(rect.right(), y + half));
    painter.rect_filled(whole, half, tokens.button);
    let filled = Rect::from_min_max(whole.min, pos2(x, whole.max.y));
    painter.rect_filled(filled, half, tokens.accent.gamma_multiply(0.6 * fade));
    let touched = response.hovered() || response.dragged() || response.has_focus();
    let ring = if touched { tokens.accent } else { tokens.text_weak };
    painter.circle(pos2(x, y), HANDLE, tokens.pane, Stroke::new(1.6, ring.gamma_multiply(fade)));
    if response.has_focus() {
        painter.circle_filled(pos2(x, y), HANDLE * 0.45, tokens.accent);
    }
}

/// For accessibility checks: the role a rail has.
pub const ROLE: Role = Role::Slider;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::knobs;

    #[test]
    fn every_numeric_knob_reaches_both_ends_and_its_default() {
        for knob in knobs::all() {
            let Some(scale) = RailScale::of(knob.kind) else { continue };
            for place in [0.0, 1.0] {
                let value = scale.to_knob(scale.value(place));
                assert!(knob.check(&value).is_ok(), "{} at {place}: {value}", knob.id);
            }
            let default = number_of(&knob.default_value());
            let place = scale.place(default);
            assert!((0.0..=1.0).contains(&place), "{}", knob.id);
            let back = scale.value(place);
            assert!((back - default).abs() <= 0.06 * default.abs().max(1e-12), "{}: {default} -> {back}", knob.id);
        }
    }

    #[test]
    fn a_logarithmic_rail_gives_each_decade_the_same_room_and_zero_the_left_end() {
        let scale = RailScale::of(knobs::find("lr").unwrap().kind).unwrap();
        assert_eq!(scale.value(0.0), 0.0);
        assert_eq!(scale.place(0.0), 0.0);
        let decade = scale.place(1e-2) - scale.place(1e-3);
        assert!((scale.place(10.0) - scale.place(1.0) - decade).abs() < 1e-12);
        assert!(scale.place(1e-6) > 0.0);
    }

    #[test]
    fn arrow_steps_always_move_and_undo_themselves_nearly() {
        for knob in knobs::all() {
            let Some(scale) = RailScale::of(knob.kind) else { continue };
            let start = number_of(&knob.default_value());
            let up = scale.stepped(start, 1.0);
            assert!(up > start || start >= scale.max, "{}: {start} -> {up}", knob.id);
            let down = scale.stepped(start, -1.0);
            assert!(down < start || start <= scale.min, "{}: {start} -> {down}", knob.id);
            assert!(knob.check(&scale.to_knob(up)).is_ok(), "{}", knob.id);
            assert!(knob.check(&scale.to_knob(down)).is_ok(), "{}", knob.id);
        }
    }
}
