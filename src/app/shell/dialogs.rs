//! What stands in front of the panes: the key list, help, and prompts for paths.

use egui::{Align2, Context, Grid, Key, RichText, ScrollArea, TextEdit, Ui, Window as Floating, vec2};

use crate::app::action::Action;
use crate::app::background::Browse;
use crate::app::keys::KEYS;
use crate::app::sharing::ShareAction;
use crate::app::state::{Dialog, Window};
use crate::app::theme::{self, size};
use crate::app::views::ViewState;
use crate::app::widgets::number;
use crate::app::widgets::scrub::grouped;
use crate::plots::{PaneId, pane, panes};
use crate::run::bench::Preset;
use crate::run::knobs::{self, Knob, Liveness};

use super::{bring, connectivity, coord_check, export_dialog, film_dialog, settings, share};

/// Cameras, zooms and the like of what dialogs draw.
#[derive(Default)]
pub struct Pictures {
    coord_check: [ViewState; 2],
    connectivity: [ViewState; 2],
}

pub fn show(
    window: &Window,
    ctx: &Context,
    pictures: &mut Pictures,
    sharing: &mut share::Memory,
    actions: &mut Vec<Action>,
) {
    let Some(dialog) = &window.dialog else { return };
    let mut open = true;
    let title = title(dialog, window);
    let room = ctx.content_rect().size() - vec2(60.0, 140.0);
    let mut floating = Floating::new(title)
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .max_size(room)
        .default_width(460.0f32.min(room.x));
    floating = match dialog {
        // Beside the knobs, so that the knob stays in sight.
        Dialog::Knob(_) => floating.default_pos([size::KNOB_PANEL + 18.0, size::TOP_BAR + 18.0]),
        _ => floating.anchor(Align2::CENTER_CENTER, vec2(0.0, -20.0)),
    };
    floating.show(ctx, |ui| match dialog {
        Dialog::Keys => keys(ui),
        Dialog::Guide(id) => guide(*id, window, ui),
        Dialog::Knob(id) => {
            knob(id, window, ui);
            twin(id, window, ui, actions);
        }
        Dialog::CoordCheck => coord_check::show(window, ui, &mut pictures.coord_check, actions),
        Dialog::Connectivity => connectivity::show(window, ui, &mut pictures.connectivity, actions),
        Dialog::Share => share::show(window, ui, sharing, actions),
        // It stands over the whole window.
        Dialog::QrCode => {}
        Dialog::Settings => settings::show(window, ui, actions),
        Dialog::Arrival(arriving) => share::arrival(arriving, ui, actions),
        Dialog::Weights { path, tensors, fit } => bring::weights(path, *tensors, fit, ui, actions),
        Dialog::SaveState { path } => {
            let about = "The experiment and the view, as text: open it, or drop it on the window";
            let then = |path| Action::Share(ShareAction::SaveAs(path));
            prompt(ui, about, "Save", path, Browse::SaveAs, actions, |path| Dialog::SaveState { path }, then);
        }
        Dialog::SaveWeights { path } => {
            let about = "The run's weights as they are now, a safetensors file that measure and connect read";
            let again = |path| Dialog::SaveWeights { path };
            prompt(ui, about, "Save", path, Browse::SaveAs, actions, again, Action::SaveWeights);
        }
        Dialog::Save { path } => {
            let about = "The whole recording, as one file that any SQLite tool opens too";
            prompt(ui, about, "Save", path, Browse::SaveAs, actions, |path| Dialog::Save { path }, Action::Save);
        }
        Dialog::Open { path } => {
            let about =
                "A recording, a specification, a saved state, weights or data by its path, or a link (landscope://…); files can be dropped on the window, too";
            prompt(ui, about, "Open", path, Browse::OpenRecording, actions, |path| Dialog::Open { path }, Action::Open);
            if window.recording().header.charts.is_empty() && !window.recording().is_empty() {
                ui.add_space(4.0);
                let add = ui.add_enabled(!path.trim().is_empty(), egui::Button::new("Add to comparison"));
                let tip = "The file's tracks beside those that are shown: panes then show both";
                if add.on_hover_text(tip).clicked() {
                    actions.push(Action::Compare { paths: vec![path.trim().into()], with_shown: true });
                }
            }
        }
        Dialog::Note { step, text } => note(*step, text, ui, actions),
        Dialog::Export(export) => export_dialog::show(export, ui, actions),
        Dialog::Film => film_dialog::show(window, ui, actions),
    });
    if !open {
        actions.push(Action::Back);
    }
}

fn title(dialog: &Dialog, window: &Window) -> String {
    match dialog {
        Dialog::Keys => "Keys".into(),
        Dialog::Guide(id) => format!("How to read: {}", pane::title(window.recording(), *id)),
        Dialog::Knob(id) => knob_texts(id, window).map_or(*id, |texts| texts.knob.label).to_owned(),
        Dialog::CoordCheck => panes::coord_check::TITLE.into(),
        Dialog::Connectivity => panes::connectivity::TITLE.into(),
        Dialog::Share => "Share".into(),
        Dialog::QrCode => "QR code".into(),
        Dialog::Settings => "Settings".into(),
        Dialog::Arrival(_) => "Begin this experiment?".into(),
        Dialog::Weights { .. } => "Weights".into(),
        Dialog::SaveState { .. } => "Save the state".into(),
        Dialog::SaveWeights { .. } => "Save the weights".into(),
        Dialog::Save { .. } => "Save the recording".into(),
        Dialog::Open { .. } => "Open".into(),
        Dialog::Note { step, .. } => format!("Note at step {}", grouped(*step)),
        Dialog::Export(export) => export_dialog::title(export, window),
        Dialog::Film => film_dialog::title(window),
    }
}

fn keys(ui: &mut Ui) {
    let tokens = theme::of(ui.visuals());
    Grid::new("keys").num_columns(2).spacing([18.0, 6.0]).show(ui, |ui| {
        for (key, does) in KEYS {
            ui.label(RichText::new(*key).monospace().color(tokens.accent));
            ui.label(*does);
            ui.end_row();
        }
    });
    ui.add_space(8.0);
    ui.separator();
    ui.label(
        RichText::new("Every knob: drag, type a number, double-click for the default, “?” for its meaning")
            .color(tokens.text_weak),
    );
}

fn guide(id: PaneId, window: &Window, ui: &mut Ui) {
    ScrollArea::vertical().show(ui, |ui| {
        ui.set_max_width(520.0);
        for paragraph in pane::guide(window.recording(), id).split("\n\n") {
            ui.label(paragraph);
            ui.add_space(4.0);
        }
    });
}

/// A knob of the lab that is shown, or of the Playground, with its values in words.
struct KnobTexts {
    knob: &'static Knob,
    now: String,
    default: String,
}

fn knob_texts(id: &str, window: &Window) -> Option<KnobTexts> {
    if let Some(shown) = window.shown_lab() {
        let entry = shown.lab.knobs().iter().find(|entry| entry.knob.id == id)?;
        let now = shown.values.get(id).map(ToString::to_string).unwrap_or_default();
        let presets = Preset::ALL.iter().zip(entry.presets).map(|(preset, text)| format!("{text} ({})", preset.id()));
        return Some(KnobTexts { knob: &entry.knob, now, default: presets.collect::<Vec<_>>().join(", ") });
    }
    let knob = knobs::find(id)?;
    let (now, default) = (knob.get(&window.draft).to_string(), knob.default_value().to_string());
    Some(KnobTexts { knob, now, default })
}

fn knob(id: &str, window: &Window, ui: &mut Ui) {
    let Some(KnobTexts { knob, now, default }) = knob_texts(id, window) else { return };
    let tokens = theme::of(ui.visuals());
    ui.set_max_width(420.0);
    ui.label(knob.definition);
    ui.add_space(6.0);
    let formula = RichText::new(knob.formula).monospace().color(tokens.text);
    egui::Frame::new().fill(tokens.well).corner_radius(f32::from(size::CORNER)).inner_margin(8).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.label(formula);
    });
    ui.add_space(6.0);
    ui.label(knob.effect);
    ui.add_space(6.0);
    let when = match knob.liveness {
        Liveness::Live => "Live: takes effect with the next step and leaves a mark on the time line",
        Liveness::Recomputes => "At once: the experiment begins anew with every move of the slider",
        Liveness::Cold => "Restarts the run when it is changed",
    };
    Grid::new("facts").num_columns(2).spacing([14.0, 4.0]).show(ui, |ui| {
        let facts = [
            ("Now", now),
            ("Default", default),
            ("Allowed", knob.allowed()),
            ("Flag", format!("--{}", knob.id)),
            ("Change", when.to_owned()),
        ];
        for (name, text) in facts {
            ui.label(RichText::new(name).color(tokens.text_weak));
            ui.add(egui::Label::new(text).wrap());
            ui.end_row();
        }
    });
}

/// Two runs side by side that differ in this knob.
fn twin(id: &'static str, window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let Some(knob) =
        knobs::find(id).filter(|_| window.has_transport() && window.lab.is_none() && !window.is_watching())
    else {
        return;
    };
    let tokens = theme::of(ui.visuals());
    ui.add_space(6.0);
    ui.separator();
    ui.label(RichText::new("Run A against B: two runs from one seed, stepped in turn").color(tokens.text_weak));
    ui.horizontal(|ui| {
        let now = knob.get(&window.draft).to_string();
        ui.label(format!("A has {now}, B has"));
        let (_, entered) = number::field(ui, "Value of B", "", 110.0, &now);
        if let Some(text) = entered {
            actions.push(Action::Twin { id, text });
        }
    });
    ui.label(RichText::new("Enter begins both").color(tokens.text_faint));
}

/// Something to be written at a step.
fn note(step: u64, text: &str, ui: &mut Ui, actions: &mut Vec<Action>) {
    ui.set_width(380.0f32.min(ui.available_width()));
    let mut typed = text.to_owned();
    let edit = TextEdit::singleline(&mut typed).desired_width(f32::INFINITY).hint_text("What is to be remembered");
    let field = ui.add(edit);
    field.widget_info(|| egui::WidgetInfo {
        current_text_value: Some(text.to_owned()),
        ..egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Note")
    });
    let enter = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if !enter && text.is_empty() {
        field.request_focus();
    }
    if typed != text {
        actions.push(Action::Show(Dialog::Note { step, text: typed.clone() }));
    }
    ui.add_space(6.0);
    let ready = !typed.trim().is_empty();
    let write = ui.add_enabled(ready, egui::Button::new("Write").min_size(vec2(90.0, 26.0))).clicked();
    if ready && (write || enter) {
        actions.push(Action::Note { step, text: typed });
    }
}

/// A path to type or browse for, and a button that does it.
#[expect(clippy::too_many_arguments, reason = "three callers in this file, each on one line")]
fn prompt(
    ui: &mut Ui,
    about: &str,
    verb: &str,
    path: &str,
    browse: Browse,
    actions: &mut Vec<Action>,
    again: impl Fn(String) -> Dialog,
    then: impl Fn(std::path::PathBuf) -> Action,
) {
    let tokens = theme::of(ui.visuals());
    ui.set_width(440.0f32.min(ui.available_width()));
    ui.label(RichText::new(about).color(tokens.text_weak));
    ui.add_space(4.0);
    let (typed, enter) = path_field(ui, path);
    if typed != path {
        actions.push(Action::Show(again(typed.clone())));
    }
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        let ready = !typed.trim().is_empty();
        let go = ui.add_enabled(ready, egui::Button::new(verb).min_size(vec2(90.0, 26.0)));
        if go.clicked() || (enter && ready) {
            actions.push(then(typed.trim().into()));
        }
        if ui.add(egui::Button::new("Browse").min_size(vec2(70.0, 26.0))).clicked() {
            actions.push(Action::Browse(browse));
        }
        if ui.add(egui::Button::new("Cancel").min_size(vec2(70.0, 26.0))).clicked() {
            actions.push(Action::Back);
        }
    });
}

/// A field for a path that takes the keyboard when it first shows; what is typed, and whether it was confirmed.
pub(super) fn path_field(ui: &mut Ui, path: &str) -> (String, bool) {
    let mut typed = path.to_owned();
    let edit = TextEdit::singleline(&mut typed).font(theme::mono()).desired_width(f32::INFINITY).hint_text("Path");
    let field = ui.add(edit);
    field.widget_info(|| egui::WidgetInfo {
        current_text_value: Some(path.to_owned()),
        ..egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Path")
    });
    // Once, when the prompt opens: the keyboard goes straight to the path.
    let seen = ui.make_persistent_id("seen");
    let pass = ui.ctx().cumulative_pass_nr();
    let last: u64 = ui.data(|data| data.get_temp(seen)).unwrap_or(0);
    if last + 1 < pass {
        field.request_focus();
    }
    ui.data_mut(|data| data.insert_temp(seen, pass));
    let enter = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    (typed, enter)
}
