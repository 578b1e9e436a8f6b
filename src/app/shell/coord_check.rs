//! The dialog of the coordinate check.

use egui::{Button, DragValue, Grid, ProgressBar, RichText, TextEdit, Ui, UiBuilder, vec2};

use crate::app::action::Action;
use crate::app::coord_check::{CoordCheckAction, CoordCheckResult, Stage};
use crate::app::state::Window;
use crate::app::theme;
use crate::app::views::{self, ViewState};
use crate::plots::panes::coord_check::GUIDE;
use crate::record::coord_check::with_error;

/// Size of each picture.
const PICTURE: [f32; 2] = [400.0, 280.0];

pub fn show(window: &Window, ui: &mut Ui, pictures: &mut [ViewState; 2], actions: &mut Vec<Action>) {
    ui.set_width((2.0 * PICTURE[0] + 12.0).min(ui.available_width()));
    form(window, ui, actions);
    ui.separator();
    let tokens = theme::of(ui.visuals());
    match &window.coord_check.stage {
        Stage::Idle => drop(ui.label(RichText::new(GUIDE).color(tokens.text_weak))),
        Stage::Failed(message) => drop(ui.colored_label(tokens.danger, message)),
        Stage::Running(_, progress) => {
            let share = progress.map_or(0.0, |p| p.done as f32 / p.updates.max(1) as f32);
            let text = progress.map_or_else(
                || "Preparing".to_owned(),
                |p| format!("Run {} of {}, width {}", p.run + 1, p.runs, p.width),
            );
            ui.add(ProgressBar::new(share).text(text));
        }
        Stage::Done(result) => show_result(result, ui, pictures),
    }
}

fn form(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let checking = &window.coord_check;
    let running = matches!(checking.stage, Stage::Running(..));
    let mut push = |action| actions.push(Action::CoordCheck(action));
    ui.horizontal_wrapped(|ui| {
        ui.add_enabled_ui(!running, |ui| {
            let label = ui.label("Widths");
            let mut widths = checking.widths.clone();
            let edit = TextEdit::singleline(&mut widths).font(theme::mono()).desired_width(170.0);
            if ui.add(edit).labelled_by(label.id).changed() {
                push(CoordCheckAction::Widths(widths));
            }
            let label = ui.label("Seeds");
            let mut seeds = checking.seeds;
            if ui.add(DragValue::new(&mut seeds).range(1..=100)).labelled_by(label.id).changed() {
                push(CoordCheckAction::Seeds(seeds));
            }
            let label = ui.label("Steps");
            let mut steps = checking.steps;
            if ui.add(DragValue::new(&mut steps).range(1..=10_000)).labelled_by(label.id).changed() {
                push(CoordCheckAction::Steps(steps));
            }
        });
        let (verb, action) =
            if running { ("Stop", CoordCheckAction::Stop) } else { ("Start", CoordCheckAction::Start) };
        if ui.add(Button::new(verb).min_size(vec2(80.0, 24.0))).clicked() {
            push(action);
        }
    });
}

fn show_result(result: &CoordCheckResult, ui: &mut Ui, pictures: &mut [ViewState; 2]) {
    let tokens = theme::of(ui.visuals());
    ui.label(RichText::new(&result.check.title).color(tokens.text_weak));
    ui.horizontal(|ui| {
        for (i, (plot, state)) in result.plots.iter().zip(pictures).enumerate() {
            let (rect, _) = ui.allocate_exact_size(PICTURE.into(), egui::Sense::hover());
            ui.scope_builder(UiBuilder::new().max_rect(rect), |ui| {
                views::show(ui, egui::Id::unique(("coord check", i)), plot, state);
            });
        }
    });
    Grid::new("verdicts").num_columns(5).spacing([18.0, 3.0]).striped(true).show(ui, |ui| {
        for head in ["Module", "Verdict", "First third", "Last third", "Size at the start"] {
            ui.label(RichText::new(head).color(tokens.text_weak));
        }
        ui.end_row();
        for verdict in &result.verdicts {
            ui.label(&verdict.module);
            let word = verdict.finding.word();
            if verdict.finding.fails() {
                ui.colored_label(tokens.danger, word);
            } else {
                ui.label(word);
            }
            for fit in [&verdict.early, &verdict.late, &verdict.start] {
                ui.label(RichText::new(with_error(fit.as_ref())).monospace());
            }
            ui.end_row();
        }
    });
    ui.label(RichText::new("Powers of the width, ± one standard error").color(tokens.text_weak));
}
