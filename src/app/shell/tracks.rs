//! The list of a recording's tracks: which are shown, how they are coloured, which of them the panes look at.

use egui::{Color32, ComboBox, RichText, ScrollArea, Sense, TextEdit, Ui, vec2};

use crate::app::action::Action;
use crate::app::state::Window;
use crate::app::theme::{self, size};
use crate::plots::compare::{self, Comparing, Looks};
use crate::record::{Recording, TrackId};

/// What was typed to find tracks.
#[derive(Default)]
pub struct Memory {
    filter: String,
    /// Colours of what was shown, and what they were made of.
    looks: Option<((u64, u64), Comparing, TrackId, Looks)>,
}

/// Whether there is anything to choose from.
pub fn has_several(recording: &Recording) -> bool {
    recording.header.charts.is_empty() && recording.tracks().nth(1).is_some()
}

pub fn show(window: &Window, memory: &mut Memory, ui: &mut Ui, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    let recording = window.recording();
    let mut options = window.options.clone();
    let total = recording.tracks().count();
    let shown = compare::shown(recording, &window.options).count();
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        ui.label(RichText::new("Tracks").strong().color(tokens.text));
        ui.label(RichText::new(format!("{shown} of {total}")).color(tokens.text_weak));
    });
    colors(recording, &mut options.comparing, ui);
    let solo = ui.checkbox(&mut options.comparing.solo, "Only the track in focus");
    solo.on_hover_text("The panes show one track as if there were no other; its marks and knobs are those in focus");
    let mut pictures = compare::shows_pictures(recording, &window.options);
    let several = ui.checkbox(&mut pictures, "Pictures of four tracks");
    if several.changed() {
        options.comparing.pictures = Some(pictures);
    }
    several.on_hover_text("Heat maps, surfaces and histograms of up to four tracks at once, and the difference of two");
    if pictures && window.options.activation_view == crate::plots::ActivationView::Ridges {
        ui.checkbox(&mut options.comparing.ridges_apart, "Histograms side by side")
            .on_hover_text("Instead of outlines over the histograms of the track in focus; four tracks at most");
    }
    ui.add_space(4.0);
    let field =
        TextEdit::singleline(&mut memory.filter).hint_text("Find by name or value").desired_width(f32::INFINITY);
    let field = ui.add(field);
    field.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Find tracks"));
    let wanted = memory.filter.to_lowercase();
    let found: Vec<TrackId> =
        recording.tracks().filter(|(id, _)| matches(recording, *id, &wanted)).map(|(id, _)| id).collect();
    ui.horizontal(|ui| {
        if ui.button("Show all").on_hover_text("All tracks in the list").clicked() {
            options.comparing.hidden.retain(|id| !found.contains(id));
        }
        if ui.button("Hide all").on_hover_text("All tracks in the list but the one in focus").clicked() {
            options.comparing.hidden.extend(found.iter().filter(|id| **id != recording.focus()));
        }
        if found.len() < total {
            ui.label(RichText::new(format!("{} found", found.len())).color(tokens.text_weak));
        }
    });
    ui.separator();
    let looks = memory.looks(window);
    let row = ui.spacing().interact_size.y;
    ScrollArea::vertical().auto_shrink(false).show_rows(ui, row, found.len(), |ui, rows| {
        for id in &found[rows] {
            track_row(window, *id, &looks, &mut options.comparing, ui, actions);
        }
    });
    if options.comparing != window.options.comparing {
        actions.push(Action::SetOptions(options));
    }
}

impl Memory {
    fn looks(&mut self, window: &Window) -> Looks {
        let (key, comparing, focus) = (window.recording_key(), &window.options.comparing, window.recording().focus());
        let current = self.looks.take().filter(|(of, by, at, _)| (*of, by, *at) == (key, comparing, focus));
        let looks = current.map_or_else(|| Looks::of(window.recording(), &window.options), |(.., looks)| looks);
        self.looks = Some((key, comparing.clone(), focus, looks.clone()));
        looks
    }
}

/// Whether a track's name or one of its values holds what was typed.
fn matches(recording: &Recording, id: TrackId, wanted: &str) -> bool {
    let Some(track) = recording.track(id) else { return false };
    wanted.is_empty()
        || compare::name(id, track).to_lowercase().contains(wanted)
        || track.attributes.iter().any(|(key, value)| format!("{key} {value}").to_lowercase().contains(wanted))
}

/// What colours and groups go by.
fn colors(recording: &Recording, comparing: &mut Comparing, ui: &mut Ui) {
    let attributes = compare::attributes(recording);
    if attributes.is_empty() {
        return;
    }
    egui::Grid::new("colours").num_columns(2).show(ui, |ui| {
        let mut choose = |label: &str, nothing: &str, tip: &str, chosen: &mut Option<String>| {
            ui.label(label);
            let text = chosen.clone().unwrap_or_else(|| nothing.to_owned());
            let combo = ComboBox::from_id_salt(label).width(130.0).truncate().selected_text(&text).show_ui(ui, |ui| {
                ui.selectable_value(chosen, None, nothing);
                for attribute in &attributes {
                    ui.selectable_value(chosen, Some(attribute.clone()), attribute);
                }
            });
            combo.response.widget_info(|| egui::WidgetInfo {
                current_text_value: Some(text.clone()),
                ..egui::WidgetInfo::labeled(egui::Role::ComboBox, true, label)
            });
            combo.response.on_hover_text(tip);
            ui.end_row();
        };
        choose("Colour by", "track", "A knob or another value that sets the tracks apart", &mut comparing.color_by);
        let tip = "Curves then show the mean and the spread of the tracks with one value";
        choose("Group by", "nothing", tip, &mut comparing.group_by);
    });
}

fn track_row(
    window: &Window,
    id: TrackId,
    looks: &Looks,
    comparing: &mut Comparing,
    ui: &mut Ui,
    actions: &mut Vec<Action>,
) {
    let tokens = theme::of(ui.visuals());
    let Some(track) = window.recording().track(id) else { return };
    let name = compare::name(id, track);
    let is_focus = id == window.recording().focus();
    ui.horizontal(|ui| {
        let mut on = !comparing.hidden.contains(&id);
        let check = ui.checkbox(&mut on, "");
        check.widget_info(|| egui::WidgetInfo::selected(egui::Role::CheckBox, true, on, format!("Show {name}")));
        if check.changed() && !(if on { comparing.hidden.remove(&id) } else { comparing.hidden.insert(id) }) {
            return;
        }
        let color = looks
            .tracks
            .iter()
            .find(|look| look.track == id)
            .map_or(Color32::TRANSPARENT, |look| tokens.line(look.color));
        let (swatch, _) = ui.allocate_exact_size(vec2(14.0, size::ICON), Sense::hover());
        ui.painter().hline(swatch.x_range(), swatch.center().y, egui::Stroke::new(3.0, color));
        let text = RichText::new(&name).color(if is_focus { tokens.text } else { tokens.text_weak });
        let text = if is_focus { text.strong() } else { text };
        let label = ui.add(egui::Button::selectable(is_focus, text).truncate());
        label.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, is_focus, format!("Focus {name}")));
        if label.clicked() {
            actions.push(Action::Focus(id));
        }
        label.on_hover_ui(|ui| {
            ui.label(format!("{name}: {} steps. Click to put it in focus", track.newest_step()));
            for (key, value) in &track.attributes {
                ui.label(format!("{key} {value}"));
            }
        });
    });
}

/// Folded, for narrow windows.
pub fn toggle(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let total = window.recording().tracks().count();
    let label = if window.tracks_open { "Hide tracks" } else { "Show tracks" };
    if ui
        .selectable_label(window.tracks_open, format!("{total} tracks"))
        .on_hover_text(format!("{label} (C)"))
        .clicked()
    {
        actions.push(Action::ToggleTracks);
    }
}
