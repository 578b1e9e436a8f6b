//! What is kept from one day to the next, to be looked at and changed.

use egui::{Grid, RichText, Ui};

use crate::app::action::Action;
use crate::app::background::Browse;
use crate::app::layouts::LayoutAction;
use crate::app::settings::SettingsAction;
use crate::app::state::Window;
use crate::app::theme;
use crate::app::widgets::path::{self, PathEvent};

pub fn show(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    ui.set_width(480.0f32.min(ui.available_width()));
    ui.horizontal(|ui| {
        let (mut light, mut presenter) = (!window.dark, window.presenter);
        if ui.checkbox(&mut light, "Light colours").changed() {
            actions.push(Action::ToggleTheme);
        }
        if ui.checkbox(&mut presenter, "Presenter mode: large text").changed() {
            actions.push(Action::TogglePresenter);
        }
    });
    ui.add_space(6.0);
    ui.label("Where files are saved, unless another place is typed");
    let folder = window.memory.folder.as_ref().map_or_else(String::new, |path| path.display().to_string());
    match path::field(ui, "Folder for files", &folder) {
        Some(PathEvent::Entered(text)) => {
            let folder = (!text.is_empty()).then(|| text.into());
            actions.push(Action::Settings(SettingsAction::Folder(folder)));
        }
        Some(PathEvent::Browse) => actions.push(Action::Browse(Browse::SaveFolder)),
        None => {}
    }
    ui.add_space(6.0);
    ui.separator();
    if window.memory.layouts.is_empty() {
        ui.label(RichText::new("No layouts are kept yet: View, Keep this layout").color(tokens.text_weak));
    } else {
        ui.label("Layouts that are kept");
        Grid::new("layouts").num_columns(3).spacing([16.0, 4.0]).show(ui, |ui| {
            for (name, layout) in &window.memory.layouts {
                ui.label(RichText::new(name).color(tokens.text));
                ui.label(RichText::new(&layout.experiment).color(tokens.text_weak));
                if ui.button("Delete").clicked() {
                    actions.push(Action::Layout(LayoutAction::Delete(name.clone())));
                }
                ui.end_row();
            }
        });
    }
    ui.separator();
    ui.horizontal(|ui| {
        let count = window.memory.recent.len();
        ui.label(RichText::new(format!("Files that were open lately: {count}")).color(tokens.text_weak));
        if count > 0 && ui.button("Forget them").clicked() {
            actions.push(Action::Settings(SettingsAction::ForgetRecent));
        }
    });
    let place = match window.settings_path() {
        Some(path) => format!("Kept in {}, with one backup beside it", path.display()),
        None => "Not kept: this system has no place for settings".into(),
    };
    ui.add(egui::Label::new(RichText::new(place).small().color(tokens.text_faint)).wrap());
}
