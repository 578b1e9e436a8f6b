//! The menus of the top bar: what was done, how it is looked at, and files that were open lately.

use egui::{TextEdit, Ui};

use crate::app::action::Action;
use crate::app::layouts::LayoutAction;
use crate::app::state::{Dialog, Window};
use crate::plots::pane;

/// Undo and redo, by name.
pub fn edit(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let mut entry = |verb: &str, key: &str, name: Option<&str>, action: Action| {
        let text = match name {
            Some(name) => format!("{verb}: {}  ({key})", shortened(name)),
            None => format!("{verb}  ({key})"),
        };
        if ui.add_enabled(name.is_some(), egui::Button::new(text)).clicked() {
            actions.push(action);
        }
    };
    entry("Undo", "Ctrl Z", window.history.next_undo().map(|edit| edit.name.as_str()), Action::Undo);
    entry("Redo", "Ctrl Shift Z", window.history.next_redo().map(|edit| edit.name.as_str()), Action::Redo);
}

/// Menus don't wrap.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 60;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST).chain(['…']).collect()
}

/// Panes and layouts.
pub fn view(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    ui.menu_button("Panes", |ui| {
        let recording = window.recording();
        let layout = window.layout();
        for id in pane::of(recording) {
            let mut shown = !layout.is_hidden(pane::slug(recording, id));
            if ui.checkbox(&mut shown, pane::title(recording, id)).clicked() {
                let action = if shown { LayoutAction::BringBack(id) } else { LayoutAction::Hide(id) };
                actions.push(Action::Layout(action));
            }
        }
    });
    if ui.button("Put the panes back").clicked() {
        actions.push(Action::ResetLayout);
    }
    ui.separator();
    let names = window.layout_names();
    for name in &names {
        ui.menu_button(format!("Layout {name}"), |ui| {
            if ui.button("Choose it").clicked() {
                actions.push(Action::Layout(LayoutAction::Choose((*name).to_owned())));
            }
            if ui.button("Keep the present one in its place").clicked() {
                actions.push(Action::Layout(LayoutAction::Save((*name).to_owned())));
            }
            if ui.button("Delete it").clicked() {
                actions.push(Action::Layout(LayoutAction::Delete((*name).to_owned())));
            }
        });
    }
    ui.menu_button("Keep this layout …", |ui| keep(ui, actions));
    ui.separator();
    if ui.button("Settings …").clicked() {
        actions.push(Action::Show(Dialog::Settings));
    }
}

/// A name for the layout.
fn keep(ui: &mut Ui, actions: &mut Vec<Action>) {
    let id = ui.make_persistent_id("layout name");
    let mut name: String = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    ui.set_min_width(190.0);
    let field = ui.add(TextEdit::singleline(&mut name).hint_text("Name of the layout").desired_width(180.0));
    field.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Name of the layout"));
    let enter = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    let ready = !name.trim().is_empty();
    if (ui.add_enabled(ready, egui::Button::new("Keep")).clicked() || enter) && ready {
        actions.push(Action::Layout(LayoutAction::Save(name.trim().to_owned())));
        name.clear();
        ui.close();
    }
    ui.data_mut(|data| data.insert_temp(id, name));
}

/// Files that were open lately.
pub fn recent(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    if window.memory.recent.is_empty() {
        return;
    }
    ui.menu_button("Open again", |ui| {
        for path in &window.memory.recent {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            if ui.button(shortened(&name)).on_hover_text(path.display().to_string()).clicked() {
                actions.push(Action::Open(path.clone()));
            }
        }
    });
}
