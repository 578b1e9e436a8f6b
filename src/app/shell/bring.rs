//! Files held over the window and dropped on it.

use std::path::{Path, PathBuf};

use egui::{Align2, Button, FontId, Id, LayerId, Order, RichText, Ui, vec2};

use crate::app::action::Action;
use crate::app::state::Window;
use crate::app::theme::{self, size};

/// What dropping would do, and the drop itself.
pub fn show(window: &mut Window, ui: &Ui, actions: &mut Vec<Action>) {
    let (held, dropped) = ui.input(|input| {
        let held: Vec<_> = input.raw.hovered_files.iter().map(|file| file.path.clone()).collect();
        let dropped: Vec<_> = input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect();
        (held, dropped)
    });
    window.hover(held.first().cloned().flatten());
    if !held.is_empty() {
        overlay(window, ui, held.len());
    }
    match dropped.as_slice() {
        [] => {}
        [path] => actions.push(Action::Open(path.clone())),
        // Several files are recordings.
        _ => actions.push(Action::Compare { paths: dropped, with_shown: false }),
    }
}

fn overlay(window: &Window, ui: &Ui, count: usize) {
    let tokens = theme::of(ui.visuals());
    let painter = ui.ctx().layer_painter(LayerId::new(Order::Foreground, Id::unique("drop")));
    let all = ui.ctx().content_rect();
    painter.rect_filled(all, 0.0, tokens.background.gamma_multiply(0.86));
    let rim = egui::Stroke::new(2.0, tokens.accent);
    painter.rect_stroke(all.shrink(14.0), 8.0, rim, egui::StrokeKind::Inside);
    let (name, does, good) = match &window.hovered {
        _ if count > 1 => (format!("{count} files"), "Drop them to compare the recordings".to_owned(), true),
        None => (String::new(), "Drop it to open it".to_owned(), true),
        Some(hovered) => {
            let name = hovered.path.file_name().unwrap_or(hovered.path.as_os_str()).to_string_lossy().into_owned();
            match &hovered.found {
                None => (name, "Drop it to open it".to_owned(), true),
                Some(Ok(brought)) => (name, brought.does(), true),
                Some(Err(message)) => (name, message.clone(), false),
            }
        }
    };
    let font = FontId::proportional(if good { 2.0 } else { 1.2 } * size::TEXT_HEADING);
    let color = if good { tokens.text } else { tokens.danger };
    let galley = painter.layout(does, font, color, all.width() * 0.7);
    let at = all.center() - vec2(galley.size().x / 2.0, 0.0);
    painter.galley(at, galley, color);
    let font = FontId::proportional(size::TEXT_HEADING);
    painter.text(all.center() - vec2(0.0, 18.0), Align2::CENTER_BOTTOM, name, font, tokens.text_weak);
}

/// What to do with weights that were brought.
pub fn weights(path: &Path, tensors: usize, fit: &Result<(), String>, ui: &mut Ui, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    ui.set_width(480.0f32.min(ui.available_width()));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ui.label(RichText::new(format!("{name}: {tensors} tensors")).strong().color(tokens.text))
        .on_hover_text(path.display().to_string());
    ui.add_space(4.0);
    match fit {
        Ok(()) => drop(ui.label("They are the parameters of the network that the knobs describe.")),
        Err(reason) => {
            ui.label("No run can begin with them, as they aren't those of the network that the knobs describe:");
            ui.label(RichText::new(reason).color(tokens.danger));
        }
    }
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        let big = |text: &str| Button::new(text.to_owned()).min_size(vec2(0.0, 26.0));
        if ui.add_enabled(fit.is_ok(), big("Begin a run with them")).clicked() {
            actions.push(Action::BeginWithWeights(Some(PathBuf::from(path))));
        }
        if ui.add(big("Compare them with the run's …")).clicked() {
            actions.push(Action::CompareWeights(PathBuf::from(path)));
        }
        if ui.add(big("Cancel")).clicked() {
            actions.push(Action::Back);
        }
    });
}
