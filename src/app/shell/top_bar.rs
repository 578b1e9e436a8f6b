//! The top bar: what runs, how fast, and everything that is about the run as a whole.

use egui::{Align, ComboBox, Layout, RichText, Ui};

use crate::app::action::Action;
use crate::app::state::{Dialog, Window};
use crate::app::theme::{self, size};
use crate::app::widgets::icon::{self, Emphasis, Icon};
use crate::app::widgets::scrub::grouped;
use crate::labs::LABS;
use crate::record::names;
use crate::run::messages::RunState;

use super::menus;

/// Limits on offer, updates a second.
const LIMITS: [Option<f64>; 7] = [None, Some(200.0), Some(50.0), Some(20.0), Some(5.0), Some(2.0), Some(1.0)];

pub fn show(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let knobs = if window.knobs_open { "Hide knobs" } else { "Show knobs" };
        if icon::button(ui, Icon::Knobs, knobs, &format!("{knobs} (K)"), Emphasis::Quiet).clicked() {
            actions.push(Action::ToggleKnobs);
        }
        ui.label(RichText::new("Landscope").size(size::TEXT_HEADING).strong().color(tokens.text));
        ui.add_space(8.0);
        experiments(window, ui, actions);
        if window.is_watching() {
            watched(window, ui);
        } else if window.has_transport() {
            transport(window, ui, actions);
        } else {
            file(window, ui, actions);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            right(window, ui, actions);
            ui.add_space(6.0);
            titles(window, ui);
        });
    });
}

/// The list of labs, and the Playground.
fn experiments(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    if LABS.is_empty() {
        return;
    }
    let current = window.lab.as_ref().map(|front| front.lab.id());
    let unnamed = if window.is_watching() { "Training elsewhere" } else { "Playground" };
    let title = window.lab.as_ref().map_or(unnamed, |front| front.lab.title());
    let combo = ComboBox::from_id_salt("experiment").width(170.0).selected_text(title).show_ui(ui, |ui| {
        let mut entry = |id: Option<&'static str>, title: &str, about: &str| {
            let chosen = ui.selectable_label(id == current, title).on_hover_text(about).clicked();
            if chosen && (id != current || !window.has_transport() || window.is_watching()) {
                actions.push(Action::OpenLab(id));
            }
        };
        entry(None, "Playground", "Any network on any task, every knob in reach");
        for lab in LABS {
            entry(Some(lab.id()), lab.title(), lab.about());
        }
    });
    combo.response.widget_info(|| egui::WidgetInfo {
        current_text_value: Some(title.to_owned()),
        ..egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "Experiment")
    });
    combo.response.on_hover_text("The Playground, or a paper as a live experiment");
}

fn transport(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let state = window.live.state;
    let running = window.live.is_running();
    let can_go = !matches!(state, RunState::Diverged | RunState::Failed);
    let (sign, label, tip) =
        if running { (Icon::Pause, "Pause", "Pause (Space)") } else { (Icon::Play, "Play", "Train on (Space)") };
    let emphasis = if running || !can_go { Emphasis::Plain } else { Emphasis::On };
    ui.add_enabled_ui(can_go, |ui| {
        if icon::button(ui, sign, label, tip, emphasis).clicked() {
            actions.push(Action::PlayPause);
        }
        if icon::button(ui, Icon::Step, "Step", "One optimiser update, then pause (S)", Emphasis::Plain).clicked() {
            actions.push(Action::Step);
        }
    });
    if icon::button(ui, Icon::Reset, "Reset", "Begin the run anew with these knobs (R)", Emphasis::Plain).clicked() {
        actions.push(Action::Restart);
    }
    let combo =
        ComboBox::from_id_salt("speed").width(88.0).selected_text(limit_title(window.speed_limit)).show_ui(ui, |ui| {
            for limit in LIMITS {
                if ui.selectable_label(limit == window.speed_limit, limit_title(limit)).clicked() {
                    actions.push(Action::SpeedLimit(limit));
                }
            }
        });
    combo.response.widget_info(|| egui::WidgetInfo {
        current_text_value: Some(limit_title(window.speed_limit)),
        ..egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "Speed limit")
    });
    combo.response.on_hover_text("At most so many updates a second: slow motion for the lecture");
    ui.add_space(4.0);
    pace(window, ui);
}

/// What stands in the place of the transport while another program trains.
fn watched(window: &Window, ui: &mut Ui) {
    let tokens = theme::of(ui.visuals());
    let recording = &window.live.recording;
    let Some(folder) = &recording.header.watched else { return };
    let path = std::path::Path::new(folder);
    let name = path.file_name().map_or_else(|| folder.clone(), |name| name.to_string_lossy().into_owned());
    ui.label(RichText::new(format!("Watching {name}")).color(tokens.text)).on_hover_text(crate::app::full_path(path));
    let count = recording.scalar(&names::TRAIN_LOSS).map_or(0, |series| series.len());
    let words = match count {
        0 => "no checkpoint yet".to_owned(),
        1 => format!("1 checkpoint, step {}", grouped(recording.newest_step())),
        _ => format!("{count} checkpoints, newest step {}", grouped(recording.newest_step())),
    };
    let tip = "Another program trains; each step-N.safetensors that it writes into the folder is measured";
    ui.label(RichText::new(words).color(tokens.text_weak)).on_hover_text(tip);
}

fn limit_title(limit: Option<f64>) -> String {
    limit.map_or_else(|| "Full speed".to_owned(), |limit| format!("{limit} steps/s"))
}

fn pace(window: &Window, ui: &mut Ui) {
    let tokens = theme::of(ui.visuals());
    let pace = window.live.pace;
    let number = |value: f64| if value >= 9.95 { grouped(value.round() as u64) } else { format!("{value:.1}") };
    let speed = format!("{} steps/s", number(pace.steps_per_sec));
    let share = format!("probes {:.0} %", 100.0 * pace.probe_share);
    // Room for the widest text, so that nothing moves as the numbers change.
    let cell = |ui: &mut Ui, width: f32, text: String, tip: &str| {
        let label = egui::Label::new(RichText::new(text).color(tokens.text_weak)).halign(Align::LEFT);
        let size = egui::vec2(width, size::ICON);
        ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(width);
            ui.add(label).on_hover_text(tip);
        });
    };
    if window.lab.is_some() {
        let progress = window.live.progress;
        let left = progress.left.filter(|left| *left >= 1.0).map(|left| format!(", {left:.0} s left"));
        let words = format!("{:.0} % done{}", 100.0 * progress.share, left.unwrap_or_default());
        cell(ui, 130.0, words, "How far the experiment is, and how long the rest takes if it goes on so");
        return;
    }
    cell(ui, 84.0, speed, "Optimiser updates per second of wall-clock time");
    cell(ui, 76.0, share, "Share of the worker's time that measuring takes; the probe budget limits it");
}

fn file(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    if let Some(path) = window.followed.as_ref().filter(|_| window.is_following_a_file()) {
        let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
        ui.label(RichText::new(format!("Following {name}, read-only")).color(tokens.text))
            .on_hover_text(format!("Another program writes {}", crate::app::full_path(path)));
        return;
    }
    let Some(viewed) = &window.viewed else { return };
    let name = viewed.path.file_name().map_or_else(|| viewed.path.to_string_lossy(), |name| name.to_string_lossy());
    let place = crate::app::full_path(&viewed.path);
    let watched = window.watched_sweep();
    let kind = if watched.is_some_and(|folder| folder == viewed.path) { "Sweep" } else { "Recording" };
    let beside = if viewed.others > 0 { format!(" and {} more", viewed.others) } else { String::new() };
    ui.label(RichText::new(format!("{kind} {name}{beside}")).color(tokens.text)).on_hover_text(place);
    if watched.is_some_and(|folder| folder != viewed.path) && ui.button("Back to the sweep").clicked() {
        actions.push(Action::BackToSweep);
    }
    if window.has_run_behind() && ui.button("Back to the run").clicked() {
        actions.push(Action::CloseFile);
    }
}

/// Buttons from the right edge inwards.
fn right(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    if icon::button(ui, Icon::Help, "Keys", "Keys and help (?)", Emphasis::Quiet).clicked() {
        actions.push(Action::Show(Dialog::Keys));
    }
    let emphasis = if window.presenter { Emphasis::On } else { Emphasis::Quiet };
    if icon::button(ui, Icon::Presenter, "Presenter mode", "Presenter mode: large text (P)", emphasis).clicked() {
        actions.push(Action::TogglePresenter);
    }
    let theme = if window.dark { "Light theme" } else { "Dark theme" };
    if icon::button(ui, Icon::Theme, theme, &format!("{theme} (T)"), Emphasis::Quiet).clicked() {
        actions.push(Action::ToggleTheme);
    }
    if window.shown_lab().is_some() {
        let label = if window.lesson_open { "Hide lesson" } else { "Show lesson" };
        let emphasis = if window.lesson_open { Emphasis::On } else { Emphasis::Quiet };
        if icon::button(ui, Icon::Lesson, label, &format!("{label} and claims (L)"), emphasis).clicked() {
            actions.push(Action::ToggleLesson);
        }
    }
    if ui.button("Share").on_hover_text("A link, a file or a QR code of this experiment (Ctrl L)").clicked() {
        actions.push(Action::Show(Dialog::Share));
    }
    ui.menu_button("View", |ui| menus::view(window, ui, actions));
    ui.menu_button("Edit", |ui| menus::edit(window, ui, actions));
    ui.menu_button("File", |ui| {
        if ui.button("Open …  (Ctrl O)").clicked() {
            actions.push(Action::Show(Dialog::Open { path: String::new() }));
        }
        menus::recent(window, ui, actions);
        if ui.button("Save the recording …  (Ctrl S)").clicked() {
            actions.push(Action::Show(window.save_dialog()));
        }
        ui.separator();
        if window.has_transport() && window.lab.is_none() && ui.button("Save the weights …").clicked() {
            actions.push(Action::Show(window.save_weights_dialog()));
        }
        if ui.button("Compare weights …").clicked() {
            actions.push(Action::Show(Dialog::Connectivity));
        }
    });
}

/// What runs on what, as far as there is room.
fn titles(window: &Window, ui: &mut Ui) {
    let tokens = theme::of(ui.visuals());
    let header = &window.recording().header;
    let parts = [&header.model_title, &header.task_title, &header.device];
    let text: Vec<_> = parts.iter().filter(|part| !part.is_empty()).map(|part| part.as_str()).collect();
    let text = text.join("  ·  ");
    if text.is_empty() || ui.available_width() < 60.0 {
        return;
    }
    let mut details = format!(
        "{text}\n{} parameters\n{} training and {} test examples\n{}",
        grouped(header.parameters as u64),
        grouped(header.train_examples as u64),
        grouped(header.test_examples as u64),
        header.loss_title
    );
    if let Some((step, hash)) = window.live.fingerprint.as_ref().filter(|_| window.viewed.is_none()) {
        details.push_str(&format!("\nParameters at step {}: {hash}", grouped(*step)));
    }
    let label = egui::Label::new(RichText::new(text).color(tokens.text_weak)).truncate();
    ui.add(label).on_hover_text(details);
}
