//! What must not be overlooked: a run that diverged or failed.

use egui::{Button, Frame, Margin, Panel, RichText, Ui};

use crate::app::action::Action;
use crate::app::state::Window;
use crate::app::theme;
use crate::record::TimeCommand;

pub fn show(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let failure = window.live.failure.as_ref().filter(|_| window.has_transport());
    if let Some(divergence) = window.divergence() {
        let text = divergence.to_string();
        let before = divergence.step.saturating_sub(1);
        banner("divergence", &text, ui, |ui| {
            if window.has_transport() {
                let restore = Button::new("Restore last good step with lr/10").min_size(egui::vec2(0.0, 26.0));
                if ui.add(restore).clicked() {
                    actions.push(Action::RestoreLastGood);
                }
            }
            if ui.button("Look at the step before").clicked() {
                actions.push(Action::Time(TimeCommand::ScrubTo(before)));
            }
        });
    } else if let Some(message) = failure {
        banner("failure", &format!("The run failed: {message}. What was recorded is safe"), ui, |ui| {
            if ui.button("Restart").clicked() {
                actions.push(Action::Restart);
            }
        });
    }
}

fn banner(id: &str, text: &str, ui: &mut Ui, buttons: impl FnOnce(&mut Ui)) {
    let tokens = theme::of(ui.visuals());
    let frame = Frame::new().fill(tokens.danger_fill).inner_margin(Margin::symmetric(12, 8));
    Panel::top(id.to_owned()).frame(frame).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            let (dot, _) = ui.allocate_exact_size(egui::vec2(12.0, 20.0), egui::Sense::hover());
            ui.painter().circle_filled(dot.center(), 5.0, tokens.danger);
            ui.label(RichText::new(text).strong().color(tokens.text));
            ui.add_space(8.0);
            buttons(ui);
        });
    });
}
