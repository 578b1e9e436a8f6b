//! One widget for every kind of knob, made from the knob's own definition.

use egui::{Align, Button, Color32, ComboBox, Layout, RichText, Ui, vec2};

use crate::app::action::Action;
use crate::app::background::Browse;
use crate::app::draft;
use crate::app::state::Dialog;
use crate::app::theme::{self, size};
use crate::run::knobs::{Knob, KnobKind, KnobValue, Liveness};

use super::path::PathEvent;
use super::rail::{RailEvent, RailScale, number_of};
use super::{number, path, rail};

/// Seconds between values sent to the worker while a live knob is dragged: often enough to feel live, seldom
/// enough that the time line's marks can be told apart.
const DRAG_INTERVAL_SECS: f64 = 0.1;
/// The same for knobs whose experiment recomputes at once: nothing marks the time line.
const RECOMPUTE_INTERVAL_SECS: f64 = 0.03;
/// Seconds of quiet after which arrow keys on a cold knob restart the run.
const SETTLE_SECS: f64 = 0.5;

/// A value that is being turned and not yet wished for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Turning {
    value: f64,
    sent_at: f64,
    /// When it counts by itself (arrow keys on a cold knob).
    settles_at: Option<f64>,
}

/// A knob as it stands.
pub struct Standing {
    pub knob: &'static Knob,
    pub value: KnobValue,
    /// Where a double click takes it.
    pub default: KnobValue,
    /// What is picked where the value is a path.
    pub browse: Browse,
}

/// Shows a knob as it stands; wishes go to `actions`.
pub fn show(ui: &mut Ui, at: &Standing, actions: &mut Vec<Action>) {
    let knob = at.knob;
    ui.push_id(knob.id, |ui| match knob.kind {
        KnobKind::Float { .. } | KnobKind::Int { .. } => numeric(ui, at, actions),
        KnobKind::Choice(options) => choice(ui, at, options, actions),
        KnobKind::Toggle => toggle(ui, at, actions),
        KnobKind::Path => file(ui, at, actions),
        KnobKind::Numbers { .. } => list(ui, at, actions),
    });
}

fn set(knob: &'static Knob, value: KnobValue) -> Action {
    Action::SetKnob { id: knob.id, value }
}

/// What a name leaves to what stands beside it: the "?", and a number, a choice or a box to tick.
fn beside(kind: KnobKind) -> f32 {
    let value = match kind {
        KnobKind::Float { .. } | KnobKind::Int { .. } | KnobKind::Choice(_) => size::NUMBER,
        KnobKind::Toggle => 24.0,
        KnobKind::Path | KnobKind::Numbers { .. } => 0.0,
    };
    value + 36.0
}

/// Name, liveness and at the right whatever `right` adds before the "?".
fn head(ui: &mut Ui, knob: &'static Knob, actions: &mut Vec<Action>, right: impl FnOnce(&mut Ui, &mut Vec<Action>)) {
    let tokens = theme::of(ui.visuals());
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let (mark, note, color) = match knob.liveness {
            Liveness::Live => (true, "live", tokens.accent),
            // Nearly all of a lab's knobs are such: saying it at each would leave no room for their names.
            Liveness::Recomputes => (true, "", tokens.accent),
            Liveness::Cold => (false, "restarts", tokens.text_faint),
        };
        let (dot, _) = ui.allocate_exact_size(vec2(7.0, 20.0), egui::Sense::hover());
        if mark {
            ui.painter().circle_filled(dot.center(), 3.0, color);
        } else {
            ui.painter().circle_stroke(dot.center(), 2.6, egui::Stroke::new(1.0, color));
        }
        let font = egui::TextStyle::Body.resolve(ui.style());
        let width = |text: &str| ui.painter().layout_no_wrap(text.to_owned(), font.clone(), tokens.text).size().x;
        let room = (ui.available_width() - beside(knob.kind)).max(40.0);
        let fits = width(knob.label) + width(note) + 5.0 <= room;
        ui.scope(|ui| {
            ui.set_max_width(room);
            ui.add(egui::Label::new(RichText::new(knob.label).color(tokens.text)).truncate());
        });
        if !note.is_empty() && (fits || knob.is_live()) {
            ui.label(RichText::new(note).size(size::TEXT_SMALL).color(color));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let help = Button::new(RichText::new("?").color(tokens.text_weak)).fill(Color32::TRANSPARENT);
            let response = ui.add(help.min_size(vec2(18.0, 20.0)));
            let name = format!("What is {}?", knob.label);
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
            if response.on_hover_text(knob.definition).clicked() {
                actions.push(Action::Show(Dialog::Knob(knob.id)));
            }
            right(ui, actions);
        });
    });
}

fn numeric(ui: &mut Ui, at: &Standing, actions: &mut Vec<Action>) {
    let (knob, current) = (at.knob, at.value.clone());
    let Some(scale) = RailScale::of(knob.kind) else {
        head(ui, knob, actions, |ui, actions| entry(ui, knob, &current, actions));
        return;
    };
    let id = ui.make_persistent_id("turning");
    let turning: Option<Turning> = ui.data(|data| data.get_temp(id));
    let shown = turning.map_or(current, |turning| scale.to_knob(turning.value));
    head(ui, knob, actions, |ui, actions| entry(ui, knob, &shown, actions));
    let (_, event) = rail::rail(ui, knob.label, scale, number_of(&shown));
    let now = ui.input(|input| input.time);
    let next = settle(at, scale, turning, event, now, actions);
    if next != turning {
        ui.data_mut(|data| match next {
            Some(next) => drop(data.insert_temp(id, next)),
            None => data.remove::<Turning>(id),
        });
    }
    if let Some(at) = next.and_then(|next| next.settles_at) {
        ui.ctx().request_repaint_after_secs((at - now).max(0.01) as f32);
    }
}

/// The number as text, to be typed over.
fn entry(ui: &mut Ui, knob: &'static Knob, value: &KnobValue, actions: &mut Vec<Action>) {
    let text = text_of(knob, value);
    // A word for zero, such as "the width", needs more room than a number.
    let width = ui.painter().layout_no_wrap(text.clone(), theme::mono(), egui::Color32::WHITE).size().x + 12.0;
    let width = width.clamp(size::NUMBER, ui.available_width().max(size::NUMBER));
    let (_, entered) = number::field(ui, knob.label, &text, width, "");
    if let Some(entered) = entered {
        match knob.parse(meaning(knob, &entered)) {
            Ok(value) => actions.push(set(knob, value)),
            Err(message) => actions.push(Action::Tell(message)),
        }
    }
}

/// When a turned value becomes a wish. Live knobs: while being dragged, now and then; else at once. Cold knobs:
/// on release, and after the last of several arrow keys.
fn settle(
    at: &Standing,
    scale: RailScale,
    turning: Option<Turning>,
    event: Option<RailEvent>,
    now: f64,
    actions: &mut Vec<Action>,
) -> Option<Turning> {
    let knob = at.knob;
    let (live, interval) = match knob.liveness {
        Liveness::Live => (true, DRAG_INTERVAL_SECS),
        Liveness::Recomputes => (true, RECOMPUTE_INTERVAL_SECS),
        Liveness::Cold => (false, 0.0),
    };
    match event {
        Some(RailEvent::Reset) => {
            actions.push(set(knob, at.default.clone()));
            None
        }
        Some(RailEvent::Set(value)) => {
            actions.push(set(knob, scale.to_knob(value)));
            None
        }
        Some(RailEvent::Turning(value)) => {
            let sent_at = turning.map_or(f64::NEG_INFINITY, |turning| turning.sent_at);
            let due = live && now - sent_at >= interval && turning.is_none_or(|t| t.value != value);
            if due {
                actions.push(set(knob, scale.to_knob(value)));
            }
            Some(Turning { value, sent_at: if due { now } else { sent_at }, settles_at: None })
        }
        Some(RailEvent::Nudged(value)) if live => {
            actions.push(set(knob, scale.to_knob(value)));
            None
        }
        Some(RailEvent::Nudged(value)) => Some(Turning { value, sent_at: now, settles_at: Some(now + SETTLE_SECS) }),
        None => match turning {
            Some(Turning { value, settles_at: Some(at), .. }) if now >= at => {
                actions.push(set(knob, scale.to_knob(value)));
                None
            }
            kept => kept.filter(|kept| kept.settles_at.is_some()),
        },
    }
}

/// How a value is shown in its field: zero by what it means.
fn text_of(knob: &Knob, value: &KnobValue) -> String {
    match (knob.kind, value) {
        (KnobKind::Int { zero_means: Some(meaning), .. }, KnobValue::Int(0)) => meaning.to_owned(),
        _ => value.to_string(),
    }
}

/// What was typed, where the meaning of zero may stand for it.
fn meaning<'a>(knob: &Knob, typed: &'a str) -> &'a str {
    match knob.kind {
        KnobKind::Int { zero_means: Some(meaning), .. } if typed.eq_ignore_ascii_case(meaning) => "0",
        _ => typed,
    }
}

fn choice(ui: &mut Ui, at: &Standing, options: &'static [(&'static str, &'static str)], actions: &mut Vec<Action>) {
    let (knob, chosen) = (at.knob, at.value.to_string());
    head(ui, knob, actions, |ui, actions| {
        let width = ui.available_width().clamp(60.0, size::CHOICE);
        let combo = ComboBox::from_id_salt("choice")
            .width(width)
            .height(420.0)
            .truncate()
            .selected_text(draft::title(knob, &chosen))
            .show_ui(ui, |ui| {
                for (id, title) in options {
                    if ui.selectable_label(*id == chosen, *title).clicked() && *id != chosen {
                        actions.push(set(knob, KnobValue::Choice((*id).to_owned())));
                    }
                }
            });
        let shown = draft::title(knob, &chosen);
        combo.response.widget_info(|| egui::WidgetInfo {
            current_text_value: Some(shown.clone()),
            ..egui::WidgetInfo::labeled(egui::Role::ComboBox, true, knob.label)
        });
        step_choice(ui, at, options, &chosen, &combo.response, actions);
    });
}

/// Left and right on a focused list take its neighbours; a double click its default.
fn step_choice(
    ui: &Ui,
    at: &Standing,
    options: &[(&'static str, &'static str)],
    chosen: &str,
    response: &egui::Response,
    actions: &mut Vec<Action>,
) {
    let knob = at.knob;
    if response.double_clicked() {
        actions.push(set(knob, at.default.clone()));
        return;
    }
    if !response.has_focus() {
        return;
    }
    let filter = egui::EventFilter { horizontal_arrows: true, ..egui::EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let by = ui.input(|input| {
        input.num_presses(egui::Key::ArrowRight) as isize - input.num_presses(egui::Key::ArrowLeft) as isize
    });
    let index = options.iter().position(|(id, _)| *id == chosen).unwrap_or(0);
    let next = index.saturating_add_signed(by).min(options.len().saturating_sub(1));
    if next != index {
        actions.push(set(knob, KnobValue::Choice(options[next].0.to_owned())));
    }
}

fn toggle(ui: &mut Ui, at: &Standing, actions: &mut Vec<Action>) {
    let (knob, mut on) = (at.knob, at.value == KnobValue::Toggle(true));
    head(ui, knob, actions, |ui, actions| {
        let response = ui.checkbox(&mut on, "");
        let state = on;
        response.widget_info(|| egui::WidgetInfo::selected(egui::Role::CheckBox, true, state, knob.label));
        if response.changed() {
            actions.push(set(knob, KnobValue::Toggle(on)));
        }
    });
}

fn file(ui: &mut Ui, at: &Standing, actions: &mut Vec<Action>) {
    let knob = at.knob;
    head(ui, knob, actions, |_, _| {});
    match path::field(ui, knob.label, &at.value.to_string()) {
        Some(PathEvent::Entered(path)) => actions.push(set(knob, KnobValue::Path(path))),
        Some(PathEvent::Browse) => actions.push(Action::Browse(at.browse)),
        None => {}
    }
}

/// Numbers with commas between, to be typed over.
fn list(ui: &mut Ui, at: &Standing, actions: &mut Vec<Action>) {
    let knob = at.knob;
    head(ui, knob, actions, |_, _| {});
    let width = ui.available_width();
    let (_, entered) = number::field(ui, knob.label, &at.value.to_string(), width, "");
    if let Some(entered) = entered {
        match knob.parse(&entered) {
            Ok(value) => actions.push(set(knob, value)),
            Err(message) => actions.push(Action::Tell(message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::knobs;

    /// Feeds events 50 ms apart and counts the wishes after each.
    fn wishes(id: &str, events: &[Option<RailEvent>]) -> Vec<usize> {
        let knob = knobs::find(id).unwrap();
        let scale = RailScale::of(knob.kind).unwrap();
        let default = knob.default_value();
        let at = Standing { knob, value: default.clone(), default, browse: Browse::DataFile };
        let (mut turning, mut actions) = (None, Vec::new());
        let frame = |(i, event): (usize, &Option<RailEvent>)| {
            turning = settle(&at, scale, turning, *event, i as f64 * 0.05, &mut actions);
            actions.len()
        };
        events.iter().enumerate().map(frame).collect()
    }

    #[test]
    fn a_cold_knob_restarts_once_on_release_and_a_live_one_follows_the_drag_at_intervals() {
        let drag: Vec<_> = (1..=6)
            .map(|i| Some(RailEvent::Turning(f64::from(i * 8))))
            .chain([Some(RailEvent::Set(48.0)), None])
            .collect();
        assert_eq!(wishes("width", &drag), [0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(wishes("batch-size", &drag), [1, 1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn arrow_keys_on_a_cold_knob_count_together_after_a_pause() {
        let mut events = vec![Some(RailEvent::Nudged(33.0)), Some(RailEvent::Nudged(34.0))];
        events.extend([None; 12]);
        let counts = wishes("width", &events);
        assert_eq!((counts[8], counts[13]), (0, 1));
    }

    #[test]
    fn the_meaning_of_zero_can_be_typed() {
        let knob = knobs::find("batch-size").unwrap();
        let KnobKind::Int { zero_means: Some(meaning_of_zero), .. } = knob.kind else { panic!() };
        assert_eq!(text_of(knob, &KnobValue::Int(0)), meaning_of_zero);
        assert_eq!(knob.parse(meaning(knob, meaning_of_zero)), Ok(KnobValue::Int(0)));
    }
}
