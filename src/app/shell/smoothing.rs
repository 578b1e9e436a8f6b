//! In the time line's row: how strongly all curves are smoothed.

use egui::{Align, ComboBox, Label, Layout, PopupCloseBehavior, RichText, Ui};

use crate::app::action::Action;
use crate::app::state::Window;
use crate::app::theme;
use crate::app::widgets::number;
use crate::app::widgets::rail::{self, RailEvent, RailScale};
use crate::plots::smoothing::{factor_words, steps_words};
use crate::plots::{Smoothing, charts};
use crate::record::Recording;
use crate::run::knobs::{KnobKind, Scale};

const LABEL: &str = "Smoothing";
/// Half-life that a reader begins with, and what a double click comes back to.
const FIRST: f64 = 20.0;
/// Ends of the rail, in steps; what is typed may be more.
const RAIL: KnobKind = KnobKind::Float { min: 1.0, max: 10_000.0, smallest: 1.0, scale: Scale::Logarithmic };
const WIDTH: f32 = 270.0;

/// Whether a recording has curves that can be smoothed: those of a lab may run over layers alone.
fn has_curves(recording: &Recording) -> bool {
    recording.header.charts.is_empty() || charts::has_curves_over_steps(recording)
}

pub fn show(window: &Window, narrow: bool, ui: &mut Ui, actions: &mut Vec<Action>) {
    if !has_curves(window.recording()) {
        return;
    }
    let now = window.options.smoothing;
    let shown = title(now);
    let combo = ComboBox::from_id_salt(LABEL)
        .width(if narrow { 100.0 } else { 118.0 })
        .height(320.0)
        .truncate()
        .selected_text(&shown)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let mut chosen = now;
    let combo = combo.show_ui(ui, |ui| {
        // Lists spread their words over their width.
        ui.with_layout(Layout::top_down(Align::Min), |ui| form(ui, &mut chosen, actions));
    });
    combo.response.widget_info(|| egui::WidgetInfo {
        current_text_value: Some(shown.clone()),
        ..egui::WidgetInfo::labeled(egui::Role::ComboBox, true, LABEL)
    });
    combo.response.on_hover_text("How strongly all curves over steps are smoothed");
    if chosen != now {
        let mut options = window.options.clone();
        options.smoothing = chosen;
        actions.push(Action::SetOptions(options));
    }
}

fn title(smoothing: Smoothing) -> String {
    match smoothing {
        Smoothing::Usual => "Smooth: usual".into(),
        Smoothing::Off => "Smooth: off".into(),
        Smoothing::HalfLife(steps) => format!("Smooth: {}", steps_words(steps)),
    }
}

fn form(ui: &mut Ui, chosen: &mut Smoothing, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    ui.set_width(WIDTH);
    ui.spacing_mut().item_spacing.y = 5.0;
    let usual = "Usual: minibatches over some 20 steps";
    ui.radio_value(chosen, Smoothing::Usual, usual);
    ui.radio_value(chosen, Smoothing::Off, "Off: all as it was measured");
    let on = chosen.half_life().is_some();
    if ui.radio(on, "Every curve, with a half-life of").clicked() && !on {
        *chosen = Smoothing::HalfLife(FIRST);
    }
    let half_life = chosen.half_life().unwrap_or(FIRST);
    ui.horizontal(|ui| {
        let (_, typed) = number::field(ui, "Half-life of smoothing in steps", &steps_words(half_life), 64.0, "");
        if let Some(typed) = typed {
            match typed.parse() {
                Ok(smoothing) => *chosen = smoothing,
                Err(message) => actions.push(Action::Tell(capitalised(&message))),
            }
        }
        ui.label("steps");
        if let Some(scale) = RailScale::of(RAIL) {
            match rail::rail(ui, LABEL, scale, half_life).1 {
                Some(RailEvent::Turning(steps) | RailEvent::Set(steps) | RailEvent::Nudged(steps)) => {
                    *chosen = Smoothing::HalfLife(steps);
                }
                Some(RailEvent::Reset) => *chosen = Smoothing::HalfLife(FIRST),
                None => {}
            }
        }
    });
    let about = format!(
        "What lies so many steps back counts half: a factor of {} a step, TensorBoard's smoothing. The measurements lie pale behind, and their values stand in brackets.",
        factor_words(half_life)
    );
    ui.add(Label::new(RichText::new(about).small().color(tokens.text_weak)).wrap());
}

fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
