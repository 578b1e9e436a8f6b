//! The dialog for a figure or a table, and the way to the clipboard.

use egui::{Button, ColorImage, ComboBox, Context, Grid, RichText, Ui, vec2};

use crate::app::action::Action;
use crate::app::background::Browse;
use crate::app::export::{CaptionPlace, Choice, Clip, Export, ExportAction};
use crate::app::state::{Dialog, Window};
use crate::app::theme;
use crate::figures::file::FileFormat;
use crate::figures::{FigureSize, Ground};
use crate::plots::pane;

use super::dialogs::path_field;

/// Puts on the clipboard what waits for it.
pub fn to_clipboard(window: &mut Window, ctx: &Context) {
    match window.clipboard.take() {
        None => {}
        Some(Clip::Text(text)) => ctx.copy_text(text),
        Some(Clip::Picture(pixels)) => {
            let size = [pixels.width as usize, pixels.height as usize];
            ctx.copy_image(ColorImage::from_rgb(size, &pixels.rgb));
        }
    }
}

pub fn title(export: &Export, window: &Window) -> String {
    let what = if export.format.is_figure() { "figure" } else { "data" };
    format!("{}: {what}", pane::title(window.recording(), export.pane))
}

pub fn show(export: &Export, ui: &mut Ui, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    ui.set_width(460.0f32.min(ui.available_width()));
    let about = if export.format.is_figure() {
        "The pane as it is now, drawn anew for paper or a slide; text is drawn as outlines, so it looks the same everywhere"
    } else {
        "The numbers that the pane shows; `landscope export` writes all that was recorded"
    };
    ui.label(RichText::new(about).color(tokens.text_weak));
    ui.add_space(4.0);
    let mut changed = export.clone();
    Grid::new("figure").num_columns(2).spacing([14.0, 6.0]).show(ui, |ui| {
        let formats = if export.format.is_figure() {
            [FileFormat::Svg, FileFormat::Png]
        } else {
            [FileFormat::Csv, FileFormat::Json]
        };
        ui.label("Format");
        ui.horizontal(|ui| {
            for format in formats {
                let name = format.extension().to_uppercase();
                if ui.radio(export.format == format, name).clicked() {
                    changed = export.in_format(format);
                }
            }
        });
        ui.end_row();
        if export.format.is_figure() {
            choices(ui, export, &mut changed.choice);
        }
    });
    ui.add_space(4.0);
    let (typed, enter) = path_field(ui, &export.path);
    if typed != export.path {
        changed.path = typed;
    }
    if changed != *export {
        actions.push(Action::Show(Dialog::Export(changed.clone())));
    }
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        let ready = !changed.path.trim().is_empty();
        let go = ui.add_enabled(ready, Button::new("Export").min_size(vec2(90.0, 26.0)));
        if go.clicked() || (enter && ready) {
            let path = changed.path.trim().to_owned();
            actions.push(Action::Export(ExportAction::Write(Export { path, ..changed.clone() })));
        }
        let mut also = |ui: &mut Ui, words: &str, action: Action| {
            if ui.add(Button::new(words).min_size(vec2(70.0, 26.0))).clicked() {
                actions.push(action);
            }
        };
        also(ui, "Browse", Action::Browse(Browse::SaveAs));
        also(ui, "Copy the command", Action::Export(ExportAction::CopyCommand(changed.clone())));
        also(ui, "Cancel", Action::Back);
    });
}

fn choices(ui: &mut Ui, export: &Export, choice: &mut Choice) {
    ui.label("Size");
    let on_screen = format!("shaped as on screen, {}", export.as_on_screen().text());
    let words = |size: Option<FigureSize>| match size {
        None => on_screen.clone(),
        Some(size) => size_words(size),
    };
    sizes(ui, "Size of the figure", &mut choice.size, std::iter::once(None).chain(named().map(Some)), words);
    ui.end_row();
    ui.label("Ground");
    grounds(ui, &mut choice.ground);
    ui.end_row();
    ui.label("Caption");
    ui.horizontal(|ui| {
        ui.radio_value(&mut choice.caption, CaptionPlace::Under, "under it");
        ui.radio_value(&mut choice.caption, CaptionPlace::File, "in a text file");
        ui.radio_value(&mut choice.caption, CaptionPlace::Nowhere, "none");
    });
    ui.end_row();
}

/// The sizes that have names.
pub fn named() -> impl Iterator<Item = FigureSize> {
    FigureSize::NAMED.into_iter().map(|(_, size, _)| size)
}

/// `journal: one column, 89 mm wide, text of 8 pt`
pub fn size_words(size: FigureSize) -> String {
    let named = FigureSize::NAMED.iter().find(|(_, one, _)| *one == size);
    named.map_or_else(|| size.text(), |(name, _, about)| format!("{name}: {about}"))
}

/// A list of sizes.
pub fn sizes<T: Copy + PartialEq>(
    ui: &mut Ui,
    name: &str,
    chosen: &mut T,
    all: impl Iterator<Item = T>,
    words: impl Fn(T) -> String,
) {
    let list = ComboBox::from_id_salt(name).width(300.0).selected_text(words(*chosen));
    let shown = list.show_ui(ui, |ui| {
        for size in all {
            ui.selectable_value(chosen, size, words(size));
        }
    });
    shown.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, name));
}

pub fn grounds(ui: &mut Ui, ground: &mut Ground) {
    ui.horizontal(|ui| {
        ui.radio_value(ground, Ground::Light, "light");
        ui.radio_value(ground, Ground::Dark, "dark");
    });
}
