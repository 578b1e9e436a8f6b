//! In the time line's row: playing the recording, and which steps all curves show.

use egui::{ComboBox, Ui};

use crate::app::action::Action;
use crate::app::state::Window;
use crate::app::widgets::icon::{self, Emphasis, Icon};
use crate::app::widgets::scrub::grouped;
use crate::record::{StepWindow, WindowCommand, playback};

/// Widths of a window that moves with the cursor.
const WIDTHS: [u64; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];

pub fn show(window: &Window, narrow: bool, ui: &mut Ui, actions: &mut Vec<Action>) {
    let playing = window.playback.is_some();
    let (sign, label) = if playing { (Icon::Pause, "Stop playback") } else { (Icon::Play, "Play the recording") };
    let emphasis = if playing { Emphasis::On } else { Emphasis::Plain };
    let tip = format!("{label}: the cursor moves through what is recorded (G)");
    if icon::button(ui, sign, label, &tip, emphasis).clicked() {
        actions.push(Action::Playback);
    }
    let speeds = playback::SPEEDS.map(|speed| (speed, format!("{} steps/s", grouped(speed as u64))));
    let shown = format!("{} steps/s", grouped(window.playback_speed as u64));
    let shown = if narrow { shown.replace(" steps", "") } else { shown };
    list(
        ui,
        "Playback speed",
        &shown,
        if narrow { 70.0 } else { 104.0 },
        "Steps that the cursor moves in a second",
        |ui| {
            for (speed, title) in &speeds {
                if ui.selectable_label(*speed == window.playback_speed, title).clicked() {
                    actions.push(Action::PlaybackSpeed(*speed));
                }
            }
        },
    );
    if !window.recording().header.charts.is_empty() {
        // The charts of labs show all steps.
        return;
    }
    let now = window.options.window;
    let newest = window.recording().newest_step();
    let tip = "The steps that all curves show; drag the handles below the time line, or over a curve with Shift held, to choose some";
    list(ui, "Steps shown", &title(now), if narrow { 116.0 } else { 150.0 }, tip, |ui| {
        let mut entry = |window: StepWindow, command: WindowCommand| {
            if ui.selectable_label(now == window, title(window)).clicked() {
                actions.push(Action::Window(command));
            }
        };
        entry(StepWindow::All, WindowCommand::ShowAll);
        for width in WIDTHS.into_iter().filter(|width| *width < newest.max(101)) {
            entry(StepWindow::Last(width), WindowCommand::ShowLast(width));
        }
        if let StepWindow::Between { from, to } = now {
            entry(now, WindowCommand::Select(from, to));
        }
    });
}

fn title(window: StepWindow) -> String {
    match window {
        StepWindow::All => "All steps".into(),
        StepWindow::Last(steps) => format!("Last {} steps", grouped(steps)),
        StepWindow::Between { from, to } => format!("{} to {}", grouped(from), grouped(to)),
    }
}

fn list(ui: &mut Ui, label: &str, shown: &str, width: f32, tip: &str, entries: impl FnOnce(&mut Ui)) {
    let combo = ComboBox::from_id_salt(label).width(width).truncate().selected_text(shown).show_ui(ui, entries);
    combo.response.widget_info(|| egui::WidgetInfo {
        current_text_value: Some(shown.to_owned()),
        ..egui::WidgetInfo::labeled(egui::Role::ComboBox, true, label)
    });
    combo.response.on_hover_text(tip);
}
