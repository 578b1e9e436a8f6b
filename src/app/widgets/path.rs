//! A field for the path of a file or folder, typed or browsed.

use egui::{Role, TextEdit, Ui, WidgetInfo};

use crate::app::theme;

/// What happened to a path field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathEvent {
    Entered(String),
    Browse,
}

/// A text field and a button that opens the system's dialog. Shows `text` until someone types.
pub fn field(ui: &mut Ui, label: &str, text: &str) -> Option<PathEvent> {
    let id = ui.make_persistent_id(("path", label));
    let mut buffer: String = ui.data(|data| data.get_temp(id)).unwrap_or_else(|| text.to_owned());
    let mut event = None;
    ui.horizontal(|ui| {
        let width = (ui.available_width() - 70.0).max(60.0);
        let edit = TextEdit::singleline(&mut buffer).id(id.with("edit")).font(theme::mono()).desired_width(width);
        let response = ui.add(edit.hint_text("Type or drop a path"));
        let shown = buffer.clone();
        response.widget_info(|| WidgetInfo {
            current_text_value: Some(shown.clone()),
            ..WidgetInfo::labeled(Role::TextInput, ui.is_enabled(), label)
        });
        if response.has_focus() {
            ui.data_mut(|data| data.insert_temp(id, buffer.clone()));
        } else if response.lost_focus() {
            ui.data_mut(|data| data.remove::<String>(id));
            let entered = buffer.trim();
            if entered != text {
                event = Some(PathEvent::Entered(entered.to_owned()));
            }
        }
        if ui.button("Browse").on_hover_text("Choose with the system's dialog").clicked() {
            event = Some(PathEvent::Browse);
        }
    });
    event
}
