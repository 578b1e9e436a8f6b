//! The dialog for a film: range, speed, size and camera, then a bar while it is drawn.

use egui::{Button, DragValue, Grid, ProgressBar, RichText, Ui, vec2};

use crate::app::action::Action;
use crate::app::background::Browse;
use crate::app::film::{FilmAction, FilmDraft};
use crate::app::state::Window;
use crate::app::theme;
use crate::figures::FigureSize;
use crate::figures::film::{FPS, FRAMES};
use crate::plots::pane;

use super::dialogs::path_field;
use super::export_dialog::{grounds, named, size_words, sizes};

/// Free sizes of films, besides those of figures.
const SIZES: [FigureSize; 3] = [
    FigureSize::Pixels { width: 640, height: 480 },
    FigureSize::Pixels { width: 960, height: 640 },
    FigureSize::Pixels { width: 1_280, height: 720 },
];

pub fn title(window: &Window) -> String {
    match &window.filming.draft {
        Some(draft) => format!("{}: film", pane::title(window.recording(), draft.pane)),
        None => "Film".into(),
    }
}

pub fn show(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let Some(draft) = &window.filming.draft else { return };
    let tokens = theme::of(ui.visuals());
    ui.set_width(460.0f32.min(ui.available_width()));
    let about = "The pane step by step, on axes and colours that stand still; the ending says what it is: .gif, .mp4 (through ffmpeg), or a folder of PNG files";
    ui.label(RichText::new(about).color(tokens.text_weak));
    ui.add_space(4.0);
    let running = window.filming.running.as_ref();
    let mut changed = draft.clone();
    let mut enter = false;
    ui.add_enabled_ui(running.is_none(), |ui| {
        form(ui, window, &mut changed);
        ui.add_space(4.0);
        let (typed, confirmed) = path_field(ui, &draft.path);
        enter = confirmed;
        if typed != draft.path {
            changed.path = typed;
        }
    });
    if changed != *draft {
        actions.push(Action::Film(FilmAction::Change(changed.clone())));
    }
    ui.add_space(6.0);
    if let Some(progress) = running {
        let (drawn, all) = (progress.drawn(), progress.frames);
        ui.add(ProgressBar::new(drawn as f32 / all.max(1) as f32).text(format!("Frame {drawn} of {all}")));
        ui.add_space(4.0);
    }
    ui.horizontal(|ui| {
        let mut button = |ui: &mut Ui, enabled: bool, words: &str, action: Action| {
            if ui.add_enabled(enabled, Button::new(words).min_size(vec2(70.0, 26.0))).clicked() {
                actions.push(action);
            }
        };
        if running.is_some() {
            button(ui, true, "Cancel the film", Action::Film(FilmAction::Cancel));
            button(ui, true, "Close", Action::Back);
            return;
        }
        let ready = !changed.path.trim().is_empty();
        button(ui, ready, "Make the film", Action::Film(FilmAction::Start));
        button(ui, true, "Browse", Action::Browse(Browse::SaveAs));
        button(ui, true, "Copy the command", Action::Film(FilmAction::CopyCommand));
        button(ui, true, "Cancel", Action::Back);
    });
    if enter && running.is_none() && !changed.path.trim().is_empty() {
        actions.push(Action::Film(FilmAction::Start));
    }
}

fn form(ui: &mut Ui, window: &Window, draft: &mut FilmDraft) {
    let newest = window.recording().newest_step();
    let word = crate::plots::charts::step_word(window.recording());
    Grid::new("film").num_columns(2).spacing([14.0, 6.0]).show(ui, |ui| {
        ui.label(format!("From {word}"));
        ui.horizontal(|ui| {
            number(ui, "First step of the film", DragValue::new(&mut draft.from).range(0..=newest));
            ui.label("to");
            number(ui, "Last step of the film", DragValue::new(&mut draft.to).range(0..=newest));
        });
        ui.end_row();
        ui.label("Frames");
        ui.horizontal(|ui| {
            number(ui, "Frames of the film", DragValue::new(&mut draft.frames).range(FRAMES));
            ui.label("at");
            number(ui, "Frames a second", DragValue::new(&mut draft.fps).range(FPS).max_decimals(2));
            ui.label(format!("a second: {:.1} s", draft.frames as f64 / draft.fps));
        });
        ui.end_row();
        ui.label("Size");
        sizes(ui, "Size of the film", &mut draft.size, SIZES.into_iter().chain(named()), size_words);
        ui.end_row();
        ui.label("Ground");
        grounds(ui, &mut draft.ground);
        ui.end_row();
        if window.shows_curves(draft.pane) {
            ui.label("Curves");
            ui.horizontal(|ui| {
                ui.radio_value(&mut draft.grows, true, "grow with the steps");
                ui.radio_value(&mut draft.grows, false, "are whole, with the cursor on them");
            });
            ui.end_row();
        }
        if window.shows_surface(draft.pane) {
            ui.label("Camera turns");
            ui.horizontal(|ui| {
                let turn = DragValue::new(&mut draft.turn).range(-3_600.0..=3_600.0).suffix("°");
                number(ui, "Degrees that the camera turns", turn);
                ui.label("from where it is now");
            });
            ui.end_row();
        }
    });
}

fn number(ui: &mut Ui, name: &str, drag: DragValue<'_>) {
    let response = ui.add(drag);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::SpinButton, true, name));
}
