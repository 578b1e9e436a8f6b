//! The dialog that compares two sets of weights.

use egui::{Button, ComboBox, Grid, ProgressBar, RichText, ScrollArea, Ui, UiBuilder, vec2};

use crate::app::action::Action;
use crate::app::background::Browse;
use crate::app::connectivity::{ConnectivityAction, EndChoice, Pick, Stage};
use crate::app::state::Window;
use crate::app::theme;
use crate::app::views::{self, ViewState};
use crate::app::widgets::path::{self, PathEvent};
use crate::plots::panes::connectivity::{GUIDE, label};
use crate::plots::{Plot, words};
use crate::record::Connectivity;
use crate::record::connectivity::{CurveKind, Grades, Heights, Pair, Together};
use crate::run::connectivity::RunSplit;

/// Width of each picture, and the most that its height is.
const PICTURE: [f32; 2] = [430.0, 290.0];
/// What the title, the form and the margins take of the window's height.
const FORM: f32 = 230.0;
/// Share of the window that a picture is high: the tables below want room, too.
const HIGH: f32 = 0.28;

pub fn show(window: &Window, ui: &mut Ui, pictures: &mut [ViewState; 2], actions: &mut Vec<Action>) {
    ui.set_width((2.0 * PICTURE[0] + 12.0).min(ui.available_width()));
    form(window, ui, actions);
    ui.separator();
    let tokens = theme::of(ui.visuals());
    match &window.comparing.stage {
        Stage::Idle => drop(ui.label(RichText::new(GUIDE).color(tokens.text_weak))),
        Stage::Failed(message) => drop(ui.colored_label(tokens.danger, message)),
        Stage::Asking(_) => drop(ui.add(ProgressBar::new(0.0).text("Waiting for the run's weights"))),
        Stage::Running(_, progress) => {
            let share = progress.as_ref().map_or(0.0, |p| p.done as f32 / p.of.max(1) as f32);
            let text = progress.as_ref().map_or("Preparing", |p| p.what.as_str());
            ui.add(ProgressBar::new(share).text(text));
        }
        Stage::Done(found, plots) => {
            // A dialog takes no more height than it had; a result is worth more.
            let room = ui.ctx().content_rect().height() - FORM;
            let scroll = ScrollArea::vertical().max_height(room).min_scrolled_height(room);
            scroll.show(ui, |ui| show_result(found, plots, ui, pictures));
        }
    }
}

fn form(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let comparing = &window.comparing;
    let running = matches!(comparing.stage, Stage::Running(..) | Stage::Asking(_));
    let push = |actions: &mut Vec<Action>, action| actions.push(Action::Connectivity(action));
    ui.add_enabled_ui(!running, |ui| {
        Grid::new("ends").num_columns(3).spacing([10.0, 6.0]).show(ui, |ui| {
            for (at, name) in ["From", "To"].into_iter().enumerate() {
                end(window, at, name, ui, actions);
                ui.end_row();
            }
        });
    });
    ui.add_space(4.0);
    ui.horizontal_wrapped(|ui| {
        ui.add_enabled_ui(!running, |ui| {
            let splits = [(RunSplit::Train, "Training examples"), (RunSplit::Test, "Test examples")];
            if let Some(split) = one_of(ui, "On", &splits, comparing.split) {
                push(actions, ConnectivityAction::Split(split));
            }
            let curves = [
                (CurveKind::Line, "None"),
                (CurveKind::Bezier, "Bezier curve"),
                (CurveKind::Polychain, "Polygonal chain"),
            ];
            if let Some(curve) = one_of(ui, "Curve of low loss", &curves, comparing.curve) {
                push(actions, ConnectivityAction::Curve(curve));
            }
        });
        let (verb, action) =
            if running { ("Stop", ConnectivityAction::Stop) } else { ("Compare", ConnectivityAction::Start) };
        if ui.add(Button::new(verb).min_size(vec2(90.0, 24.0))).clicked() {
            push(actions, action);
        }
    });
}

fn end(window: &Window, at: usize, name: &str, ui: &mut Ui, actions: &mut Vec<Action>) {
    let choice = &window.comparing.ends[at];
    let change = |choice| Action::Connectivity(ConnectivityAction::End(at, choice));
    let picks: Vec<_> = Pick::ALL
        .into_iter()
        .filter(|pick| *pick == Pick::File || window.has_transport())
        .map(|pick| (pick, pick.label()))
        .collect();
    if let Some(pick) = one_of(ui, name, &picks, choice.pick) {
        actions.push(change(EndChoice { pick, path: choice.path.clone() }));
    }
    if choice.pick == Pick::File {
        ui.scope(|ui| {
            ui.set_width(420.0f32.min(ui.available_width()));
            match path::field(ui, &format!("{name}: file of weights"), &choice.path) {
                Some(PathEvent::Entered(path)) => actions.push(change(EndChoice { pick: Pick::File, path })),
                Some(PathEvent::Browse) => actions.push(Action::Browse(Browse::Weights(at))),
                None => {}
            }
        });
    } else {
        let tokens = theme::of(ui.visuals());
        let newest = window.recording().newest_step();
        let text = match choice.pick {
            Pick::Cursor => format!("the kept weights next to step {}", window.cursor.step(newest)),
            Pick::Last => format!("step {newest}"),
            Pick::Start => "step 0".into(),
            Pick::Best | Pick::File => "the kept weights next to it".into(),
        };
        ui.label(RichText::new(text).color(tokens.text_weak));
    }
}

/// A label and a list; what was chosen anew.
fn one_of<T: Copy + PartialEq>(ui: &mut Ui, name: &str, values: &[(T, &str)], now: T) -> Option<T> {
    let mut chosen = None;
    ui.label(name);
    let shown = values.iter().find(|(value, _)| *value == now).map_or("", |(_, label)| label);
    let combo = ComboBox::from_id_salt(name).width(150.0).selected_text(shown).show_ui(ui, |ui| {
        for (value, label) in values {
            if ui.selectable_label(*value == now, *label).clicked() && *value != now {
                chosen = Some(*value);
            }
        }
    });
    combo.response.widget_info(|| egui::WidgetInfo {
        current_text_value: Some(shown.to_owned()),
        ..egui::WidgetInfo::labeled(egui::Role::ComboBox, true, name)
    });
    chosen
}

fn show_result(found: &Connectivity, plots: &[Plot], ui: &mut Ui, pictures: &mut [ViewState; 2]) {
    let tokens = theme::of(ui.visuals());
    let [pair] = &found.pairs[..] else { return };
    ui.horizontal(|ui| {
        for (i, (plot, state)) in plots.iter().zip(pictures).enumerate() {
            let high = (HIGH * ui.ctx().content_rect().height()).clamp(160.0, PICTURE[1]);
            let (rect, _) = ui.allocate_exact_size(vec2(PICTURE[0], high), egui::Sense::hover());
            ui.scope_builder(UiBuilder::new().max_rect(rect), |ui| {
                views::show(ui, egui::Id::unique(("connectivity", i)), plot, state);
            });
        }
    });
    ui.add_space(4.0);
    barriers(pair, ui);
    for matched in &pair.matched {
        let text = format!(
            "{}: {} of {} units moved, distance {} (before: {}), outputs changed by at most {} of {}",
            matched.matching.words(),
            matched.moved,
            matched.units,
            words::number(matched.distance),
            words::number(pair.distance),
            words::number(matched.output_change),
            words::number(matched.largest_output)
        );
        ui.label(RichText::new(text).color(tokens.text_weak));
    }
    if let Some(reason) = &found.unmatched {
        ui.label(RichText::new(reason).color(tokens.text_weak));
    }
    if let Some(together) = &pair.together {
        ui.add_space(6.0);
        ensemble(found, pair, together, ui);
    }
}

fn heads(ui: &mut Ui, heads: &[&str]) {
    let tokens = theme::of(ui.visuals());
    for head in heads {
        ui.label(RichText::new(*head).color(tokens.text_weak));
    }
    ui.end_row();
}

fn barriers(pair: &Pair, ui: &mut Ui) {
    Grid::new("barriers").num_columns(7).spacing([16.0, 3.0]).striped(true).show(ui, |ui| {
        let quantities = ["Barrier of the loss: above chord", "higher end", "ends' mean"];
        heads(ui, &[&["Path"], &quantities[..], &["Of the error: above chord", "higher end", "ends' mean"]].concat());
        for walk in &pair.walks {
            ui.label(label(walk));
            let three = |found: &Heights| [found.above_chord, found.above_higher_end, found.above_mean];
            for height in three(&walk.loss) {
                ui.label(RichText::new(words::number(height.height)).monospace());
            }
            for height in walk.error.iter().flat_map(three) {
                ui.label(RichText::new(words::percent(height.height.max(0.0))).monospace());
            }
            ui.end_row();
        }
    });
}

fn ensemble(found: &Connectivity, pair: &Pair, together: &Together, ui: &mut Ui) {
    Grid::new("ensemble").num_columns(4).spacing([16.0, 3.0]).striped(true).show(ui, |ui| {
        heads(ui, &["Network", "Accuracy", "NLL", "Calibration error"]);
        let ends = [pair.a, pair.b].map(|at| &found.ends[at]);
        let own = ends.iter().filter_map(|end| end.grades.map(|grades| (end.name.clone(), grades)));
        let rest = [("Mean of the two".into(), together.mean), ("Ensemble".into(), together.ensemble)];
        for (name, Grades { accuracy, nll, calibration_error }) in own.chain(rest) {
            ui.label(name);
            ui.label(RichText::new(words::percent(accuracy)).monospace());
            ui.label(RichText::new(words::number(nll)).monospace());
            ui.label(RichText::new(words::percent(calibration_error)).monospace());
            ui.end_row();
        }
    });
    let tokens = theme::of(ui.visuals());
    let text = format!("The two disagree on {} of the examples", words::percent(together.disagreement));
    ui.label(RichText::new(text).color(tokens.text_weak));
}
