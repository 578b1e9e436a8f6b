//! The bottom bar: where in the run every pane looks, and what was done when.

use egui::{Align, Button, Color32, Layout, RichText, Ui};

use super::{memory, smoothing, time_window, tracks};
use crate::app::action::Action;
use crate::app::state::{Dialog, Window};
use crate::app::theme::{self, Tokens};
use crate::app::widgets::icon::{self, Emphasis, Icon};
use crate::app::widgets::number;
use crate::app::widgets::scrub::{self, Scrub, Wish, grouped};
use crate::app::widgets::span::Span;
use crate::plots::charts;
use crate::record::{Intervention, Outcome, Recording, TimeCommand, TrackId};
use crate::run::ledger;
use crate::run::messages::RunState;

use super::branches;

/// Points below which the row leaves out what is least needed: a window of 1280 pixels in presenter mode has 850.
const NARROW: f32 = 1_000.0;

pub fn show(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    let recording = window.recording();
    let newest = recording.newest_step();
    let step = window.cursor.step(newest);
    ui.spacing_mut().item_spacing.y = 2.0;
    let narrow = ui.available_width() < NARROW;
    ui.horizontal(|ui| {
        let following = window.cursor.is_following();
        let emphasis = if following { Emphasis::On } else { Emphasis::Plain };
        if icon::button(ui, Icon::Follow, "Follow", "Follow the newest step (F)", emphasis).clicked() {
            actions.push(Action::Time(TimeCommand::Follow));
        }
        let word = capitalised(&charts::step_words(recording));
        ui.label(RichText::new(word).color(tokens.text_weak));
        let (_, entered) = number::field(ui, "Go to step", &step.to_string(), 76.0, "");
        if let Some(entered) = entered {
            match entered.replace([',', '_', ' '], "").parse() {
                Ok(step) => actions.push(Action::Time(TimeCommand::ScrubTo(step))),
                Err(_) => actions.push(Action::Tell(format!(
                    "There is no step {entered:?}; give a whole number from 0 to {newest}"
                ))),
            }
        }
        let planned = recording.header.planned_steps;
        let all = format!("of {} recorded, {} planned", grouped(newest), grouped(planned));
        let of = if planned > newest && !narrow { all.clone() } else { format!("of {}", grouped(newest)) };
        let label = ui.label(RichText::new(of).color(tokens.text_weak));
        if planned > newest && narrow {
            label.on_hover_text(capitalised(&all));
        }
        if let Some(fork) = window.fork_here() {
            let tip = format!("Begin a branch at step {}, with other knobs or the same (B)", grouped(fork.step));
            if icon::button(ui, Icon::Branch, "Branch here", &tip, Emphasis::Plain).clicked() {
                actions.push(Action::Fork);
            }
        }
        if window.viewed.is_some() && window.fork_here().is_some() {
            let tip = "Slice, sharpness and all that the panes show, measured at this step from the nearest checkpoint, and added to the file";
            if ui.button("Measure here").on_hover_text(tip).clicked() {
                actions.push(Action::MeasureHere);
            }
        }
        if !recording.is_empty() && !window.is_following_a_file() {
            let tip = "Write a note at this step (N)";
            if icon::button(ui, Icon::Note, "Note", tip, Emphasis::Plain).clicked() {
                actions.push(Action::Show(Dialog::Note { step, text: String::new() }));
            }
        }
        time_window::show(window, narrow, ui, actions);
        smoothing::show(window, narrow, ui, actions);
        if tracks::has_several(recording) {
            tracks::toggle(window, ui, actions);
        }
        // Where there is no room, the button at the left does the same.
        if !following && newest > step && (!narrow || ui.available_width() > BACK) {
            let end = if window.has_transport() { "live again" } else { "to the end" };
            let back = format!("{} steps back: {end}", grouped(newest - step));
            if ui.add(Button::new(RichText::new(back).color(tokens.accent)).fill(Color32::TRANSPARENT)).clicked() {
                actions.push(Action::Time(TimeCommand::Follow));
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            state_label(window, ui);
            if !narrow {
                kept(recording, ui);
            }
        });
    });
    branches::show(recording, ui, actions);
    let focus = recording.focus();
    let path = recording.lineage(focus);
    let is_own = |track: TrackId, step: u64| {
        path.iter().any(|(of, until)| *of == track && until.is_none_or(|until| step <= until))
    };
    let broke_off = match recording.outcome_of(focus) {
        Some(Outcome::Diverged(divergence)) => Some(divergence.step),
        _ => None,
    };
    let scrub = Scrub {
        newest: branches::span(recording),
        end: newest,
        cursor: window.cursor,
        interventions: recording.interventions_of(focus).collect(),
        notes: recording.notes.iter().filter(|note| is_own(note.track, note.step)).collect(),
        checkpoints: recording.checkpoints.iter().filter(|at| is_own(at.track, at.step)).map(|at| at.step).collect(),
        span: charts_choose(recording).then(|| span(window)),
        diverged: broke_off.or(window.divergence().map(|divergence| divergence.step)),
    };
    match scrub::show(ui, &scrub) {
        Some(Wish::Time(command)) => actions.push(Action::Time(command)),
        Some(Wish::Window(command)) => actions.push(Action::Window(command)),
        None => {}
    }
}

/// The charts of labs show all steps.
fn charts_choose(recording: &Recording) -> bool {
    recording.header.charts.is_empty()
}

fn span(window: &Window) -> Span {
    let newest = window.recording().newest_step();
    let at = window.cursor.step(newest);
    let shown = window.options.window;
    let grows = window.has_transport() && window.live.state != RunState::Finished || window.is_following_a_file();
    Span {
        window: shown,
        shown: shown.range(at, newest).unwrap_or([0, newest]),
        newest,
        at,
        follows: grows && window.cursor.is_following(),
    }
}

/// Points that the dot of the state takes, and the way back to the end with the state beside it.
const DOT: f32 = 24.0;
const BACK: f32 = 300.0;

/// Points that the words on memory take.
const MEMORY: f32 = 110.0;

/// What the checkpoints cost.
fn kept(recording: &Recording, ui: &mut Ui) {
    let count = recording.checkpoints.len();
    if count == 0 || ui.available_width() < 200.0 {
        return;
    }
    let bytes: usize = recording.checkpoints.iter().map(|info| info.bytes).sum();
    let tokens = theme::of(ui.visuals());
    ui.add_space(10.0);
    let text = format!("{count} checkpoints, {}", size_of(bytes));
    let each = size_of(bytes / count);
    let about = format!(
        "From any step a branch can begin: the nearest checkpoint before it is trained on up to it. Each costs {each}; the knobs \"Checkpoints\" and \"Budget\" say how many are kept."
    );
    ui.label(RichText::new(text).color(tokens.text_weak)).on_hover_text(about);
}

/// `14 kB`, `2.3 MB`
fn size_of(bytes: usize) -> String {
    let kilo = bytes as f64 / 1e3;
    match kilo {
        k if k < 1e3 => format!("{k:.0} kB"),
        k if k < 1e4 => format!("{:.1} MB", k / 1e3),
        k => format!("{:.0} MB", k / 1e3),
    }
}

fn state_label(window: &Window, ui: &mut Ui) {
    let tokens = theme::of(ui.visuals());
    let (text, color) = if window.has_transport() || window.is_following_a_file() {
        state(window.live.state, tokens)
    } else {
        outcome(window, tokens)
    };
    let font = egui::TextStyle::Body.resolve(ui.style());
    let room = ui.painter().layout_no_wrap(text.to_owned(), font, color).size().x + DOT;
    if room < ui.available_width() {
        ui.label(RichText::new(text).color(tokens.text));
    }
    let (dot, about) = ui.allocate_exact_size(egui::vec2(10.0, 20.0), egui::Sense::hover());
    ui.painter().circle_filled(dot.center(), 4.0, color);
    about.on_hover_text(text);
    ui.add_space(10.0);
    if ui.available_width() > MEMORY {
        memory::show(window, ui);
    }
    let recording = window.recording();
    let turned = |mark: &&Intervention| ![ledger::FORK, ledger::RESTORE].contains(&mark.knob.as_str());
    let marks = recording.interventions_of(recording.focus()).filter(turned).count();
    if marks > 0 {
        ui.add_space(10.0);
        let text = if marks == 1 { "1 intervention".to_owned() } else { format!("{marks} interventions") };
        ui.label(RichText::new(text).color(tokens.mark));
    }
}

fn state(state: RunState, tokens: &Tokens) -> (&'static str, Color32) {
    match state {
        RunState::Preparing => ("Preparing", tokens.warning),
        RunState::Running => ("Running", tokens.good),
        RunState::Watching => ("Watching", tokens.good),
        RunState::Paused => ("Paused", tokens.text_faint),
        RunState::Finished => ("Finished", tokens.accent),
        RunState::Diverged => ("Diverged", tokens.danger),
        RunState::Failed => ("Failed", tokens.danger),
        RunState::Following => ("Following", tokens.accent),
    }
}

fn outcome(window: &Window, tokens: &Tokens) -> (&'static str, Color32) {
    match &window.recording().outcome {
        None => ("Recording", tokens.text_faint),
        Some(Outcome::Finished) => ("Recording, finished", tokens.accent),
        Some(Outcome::Stopped) => ("Recording, stopped", tokens.text_faint),
        Some(Outcome::Diverged(_)) => ("Recording, diverged", tokens.danger),
        Some(Outcome::Failed(_)) => ("Recording, failed", tokens.danger),
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
