//! The knobs of a lab: presets, seed, and what the lab's definition lists.

use egui::{Frame, Margin, RichText, ScrollArea, Ui};

use crate::app::action::Action;
use crate::app::background::Browse;
use crate::app::lab::LabKnobs;
use crate::app::state::Window;
use crate::app::theme;
use crate::app::widgets::{knob, number};
use crate::run::bench::{Preset, Values};
use crate::run::knobs::KnobValue;

use super::knob_panel::{header, hidden};

pub fn show(window: &Window, shown: &LabKnobs, ui: &mut Ui, actions: &mut Vec<Action>) {
    ui.set_min_width(ui.available_width());
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        Frame::new().inner_margin(Margin { left: 12, right: 12, top: 8, bottom: 12 }).show(ui, |ui| {
            // A recording's knobs are read, not turned.
            ui.add_enabled_ui(shown.turnable, |ui| {
                presets(shown, ui, actions);
                seed(shown, ui, actions);
            });
            ui.add_space(4.0);
            let mut groups: Vec<&'static str> = Vec::new();
            for entry in shown.lab.knobs().iter().filter(|entry| !window.arranged.hidden_knobs.contains(entry.knob.id))
            {
                if !groups.contains(&entry.group) {
                    groups.push(entry.group);
                }
            }
            for group in groups {
                self::group(window, shown, group, ui, actions);
            }
            hidden(window, ui, actions);
        });
    });
}

/// Which preset the knobs stand at, if at one.
fn preset_of(shown: &LabKnobs) -> Option<Preset> {
    Preset::ALL.into_iter().find(|preset| {
        let mut values = Values::preset(shown.lab.knobs(), *preset);
        values.seed = shown.values.seed;
        values == shown.values
    })
}

fn presets(shown: &LabKnobs, ui: &mut Ui, actions: &mut Vec<Action>) {
    let at = preset_of(shown);
    ui.horizontal(|ui| {
        for preset in Preset::ALL {
            let tip = match preset {
                Preset::Instant => "Small: at most 15 seconds, for a lecture",
                Preset::Standard => "The size that the claims are checked at: at most three minutes on two cores",
                Preset::Paper => "The paper's own scale: for a GPU or a sweep; not run here",
            };
            if ui.selectable_label(at == Some(preset), preset.title()).on_hover_text(tip).clicked() {
                actions.push(Action::Preset(preset));
            }
        }
    });
}

fn seed(shown: &LabKnobs, ui: &mut Ui, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    ui.horizontal(|ui| {
        ui.label(RichText::new("Seed").color(tokens.text));
        let (_, entered) = number::field(ui, "Seed", &shown.values.seed.to_string(), 60.0, "");
        match entered.map(|text| text.parse().map_err(|_| text)) {
            Some(Ok(seed)) => actions.push(Action::SetKnob { id: "seed", value: KnobValue::Int(seed) }),
            Some(Err(text)) => {
                actions.push(Action::Tell(format!("seed can't be {text:?}; give a whole number from 0")))
            }
            None => {}
        }
        if ui.button("Another").on_hover_text("The same experiment with another seed").clicked() {
            let seed = shown.values.seed.wrapping_add(1);
            actions.push(Action::SetKnob { id: "seed", value: KnobValue::Int(seed) });
        }
    });
}

fn group(window: &Window, shown: &LabKnobs, group: &'static str, ui: &mut Ui, actions: &mut Vec<Action>) {
    let id = ui.make_persistent_id(("lab group", shown.lab.id(), group));
    let mut open = ui.data(|data| data.get_temp(id)).unwrap_or(true);
    if header(ui, group, open) {
        open = !open;
        ui.data_mut(|data| data.insert_temp(id, open));
    }
    if !open {
        return;
    }
    ui.add_enabled_ui(shown.turnable, |ui| {
        ui.spacing_mut().item_spacing.y = 3.0;
        let hidden = &window.arranged.hidden_knobs;
        let in_group = shown.lab.knobs().iter().filter(|entry| entry.group == group && !hidden.contains(entry.knob.id));
        for entry in in_group.filter(|entry| (entry.relevant)(&shown.values)) {
            let Some(value) = shown.values.get(entry.knob.id).cloned() else { continue };
            let default = entry.knob.parse(entry.presets[0]).unwrap_or_else(|_| value.clone());
            let standing = knob::Standing { knob: &entry.knob, value, default, browse: Browse::DataFile };
            knob::show(ui, &standing, actions);
            ui.add_space(2.0);
        }
    });
    ui.add_space(4.0);
}
