//! A field to type a value into: what is typed counts on Enter or when the field is left.

use egui::{Align2, Key, Response, Role, TextEdit, Ui, Vec2, WidgetInfo};

use crate::app::theme;

/// A one-line field that shows `text` until someone types. Returns what was entered.
pub fn field(ui: &mut Ui, label: &str, text: &str, width: f32, hint: &str) -> (Response, Option<String>) {
    let id = ui.make_persistent_id(("entry", label));
    let typed: Option<String> = ui.data(|data| data.get_temp(id));
    let mut buffer = typed.clone().unwrap_or_else(|| text.to_owned());
    let edit = TextEdit::singleline(&mut buffer)
        .id(id.with("edit"))
        .font(theme::mono())
        .hint_text(hint)
        .align(Align2::RIGHT_CENTER)
        .margin(egui::Margin::symmetric(5, 2))
        .desired_width(width);
    let response = ui.add_sized(Vec2::new(width, 20.0), edit);
    let shown = buffer.clone();
    response.widget_info(|| WidgetInfo {
        current_text_value: Some(shown.clone()),
        ..WidgetInfo::labeled(Role::TextInput, ui.is_enabled(), label)
    });
    let escaped = ui.input(|input| input.key_pressed(Key::Escape));
    if response.has_focus() {
        if response.gained_focus() {
            select_all(ui, response.id, buffer.chars().count());
        }
        if typed.as_deref() != Some(buffer.as_str()) {
            ui.data_mut(|data| data.insert_temp(id, buffer));
        }
        return (response, None);
    }
    if response.lost_focus() {
        ui.data_mut(|data| data.remove::<String>(id));
        let entered = buffer.trim().to_owned();
        if !escaped && entered != text {
            return (response, Some(entered));
        }
    }
    (response, None)
}

fn select_all(ui: &Ui, id: egui::Id, length: usize) {
    if let Some(mut state) = egui::TextEdit::load_state(ui.ctx(), id) {
        let all = egui::text::CCursorRange::two(egui::text::CCursor::new(0), egui::text::CCursor::new(length));
        state.cursor.set_char_range(Some(all));
        state.store(ui.ctx(), id);
    }
}
