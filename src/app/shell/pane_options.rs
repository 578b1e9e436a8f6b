//! The switches of each pane: in its header as far as there is room, and all of them in its menu.

use egui::{Button, Color32, ComboBox, RichText, Ui};

use crate::app::action::Action;
use crate::app::state::Window;
use crate::app::theme::{self, size};
use crate::run::knobs::KnobValue;

use crate::plots::{
    ActivationView, CurvatureView, EntropyView, GradientView, LandscapeMetric, LandscapeView, PaneId, PaneOptions,
    SignalStatistic,
};
use crate::record::{ParamRole, names};

/// Points that one more switch takes in a header.
const SWITCH: f32 = 44.0;

/// Switches in a header, from its right edge inwards.
pub fn header(ui: &mut Ui, id: PaneId, window: &Window, actions: &mut Vec<Action>) {
    let mut options = window.options.clone();
    let options = &mut options;
    let layer_names = layer_names(window);
    match id {
        PaneId::Chart(_) => {}
        PaneId::Loss => switch(ui, "log", "Loss on a logarithmic scale", &mut options.loss_log),
        PaneId::Sharpness => switch(ui, "log", "Sharpness on a logarithmic scale", &mut options.sharpness_log),
        PaneId::Gradients => {
            switch(ui, "log", "Norms on a logarithmic scale", &mut options.gradients_log);
            let views = GRADIENT_VIEWS.map(|(view, _, _)| view);
            let words = GRADIENT_VIEWS.map(|(_, word, _)| word);
            one_of(
                ui,
                &words,
                "Parameters by layer over steps, by role over steps, or by role over depth",
                &views,
                &mut options.gradient_view,
            );
            if options.gradient_view != GradientView::Groups {
                let (labels, roles) = roles(window);
                let mut at = roles.iter().position(|role| *role == options.gradient_role).unwrap_or(0);
                choice(ui, "Role of the gradients", &labels, &mut at);
                options.gradient_role = roles[at];
            }
        }
        PaneId::Attention => {
            let (layers, heads) = attention_names(window);
            if !layers.is_empty() {
                choice(ui, "Head of the attention map", &heads, &mut options.attention_head);
                choice(ui, "Layer of the attention map", &layers, &mut options.attention_layer);
                let views = ENTROPY_VIEWS.map(|(view, _, _)| view);
                let words = ENTROPY_VIEWS.map(|(_, word, _)| word);
                one_of(
                    ui,
                    &words,
                    "Entropies of the layers, of the layer's heads, or over depth",
                    &views,
                    &mut options.entropy_view,
                );
            }
        }
        PaneId::Landscape => {
            let views = [LandscapeView::Surface, LandscapeView::HeatMap, LandscapeView::Profile];
            one_of(ui, &["3-D", "map", "line"], "Surface or heat map", &views, &mut options.landscape_view);
            switch(ui, "log", "Height on a logarithmic scale", &mut options.landscape_log);
            height(ui, &mut options.landscape_metric);
        }
        PaneId::Activations => {
            let mut waterfall = options.activation_view == ActivationView::Waterfall;
            either(ui, ["layers", "time"], "All layers at the cursor, or one layer over time", &mut waterfall);
            options.activation_view = if waterfall { ActivationView::Waterfall } else { ActivationView::Ridges };
            if waterfall {
                choice(ui, "Layer of the histograms", &layer_names, &mut options.activation_layer);
            }
        }
        PaneId::Curvature => {
            let mut trace = options.curvature_view == CurvatureView::Trace;
            either(ui, ["ends", "trace"], "Ends of the spectrum, or its trace", &mut trace);
            options.curvature_view = if trace { CurvatureView::Trace } else { CurvatureView::Eigenvalues };
        }
        PaneId::RankCollapse => choice(ui, "Layer of the matrix", &layer_names, &mut options.similarity_layer),
        PaneId::Signal => {
            if !options.signal_statistic.is_linear() {
                switch(ui, "log", "Statistic on a logarithmic scale", &mut options.signal_log);
            }
            statistic(ui, &mut options.signal_statistic);
        }
    }
    if *options != window.options {
        changed(window, options.clone(), actions);
    }
}

/// Where a pane has many curves a track: which of them is compared.
pub fn compared_line(
    ui: &mut Ui,
    id: PaneId,
    (choices, chosen): (&[String], &str),
    window: &Window,
    actions: &mut Vec<Action>,
) {
    let mut at = choices.iter().position(|choice| choice == chosen).unwrap_or(0);
    let before = at;
    choice(ui, "Curve that is compared", choices, &mut at);
    if at != before {
        let mut options = window.options.clone();
        options.comparing.line.insert(id, choices[at].clone());
        actions.push(Action::SetOptions(options));
    }
}

/// A metric that is chosen is to be measured, too; one that isn't looked at any more costs nothing.
fn changed(window: &Window, options: PaneOptions, actions: &mut Vec<Action>) {
    if options.landscape_metric != window.options.landscape_metric && window.has_transport() {
        let id = match options.landscape_metric {
            LandscapeMetric::Measured(metric) => metric.id(),
            _ => "none",
        };
        actions.push(Action::SetKnob { id: "landscape-metric", value: KnobValue::Choice(id.into()) });
    }
    actions.push(Action::SetOptions(options));
}

/// The switches once more, with whole names, for tiles too narrow for them.
pub fn menu(ui: &mut Ui, id: PaneId, window: &Window, actions: &mut Vec<Action>) {
    ui.separator();
    let mut options: PaneOptions = window.options.clone();
    let layer_names = layer_names(window);
    match id {
        PaneId::Chart(_) => {}
        PaneId::Loss => drop(ui.checkbox(&mut options.loss_log, "Loss on a logarithmic scale")),
        PaneId::Sharpness => drop(ui.checkbox(&mut options.sharpness_log, "Sharpness on a logarithmic scale")),
        PaneId::Gradients => {
            for (view, _, words) in GRADIENT_VIEWS {
                ui.radio_value(&mut options.gradient_view, view, words);
            }
            ui.menu_button("Role", |ui| {
                let (labels, roles) = roles(window);
                for (label, role) in labels.iter().zip(roles) {
                    ui.radio_value(&mut options.gradient_role, role, label);
                }
            });
            ui.separator();
            ui.checkbox(&mut options.gradients_log, "Norms on a logarithmic scale");
        }
        PaneId::Attention => {
            let (names, heads) = attention_names(window);
            layers(ui, &names, &mut options.attention_layer);
            ui.menu_button("Head", |ui| {
                for (i, name) in heads.iter().enumerate() {
                    ui.radio_value(&mut options.attention_head, i, name);
                }
            });
            ui.separator();
            for (view, _, words) in ENTROPY_VIEWS {
                ui.radio_value(&mut options.entropy_view, view, words);
            }
        }
        PaneId::Landscape => {
            ui.radio_value(&mut options.landscape_view, LandscapeView::Surface, "Surface in three dimensions");
            ui.radio_value(&mut options.landscape_view, LandscapeView::HeatMap, "Heat map with contours");
            ui.radio_value(&mut options.landscape_view, LandscapeView::Profile, "Curves along the two axes");
            ui.separator();
            ui.checkbox(&mut options.landscape_log, "Height on a logarithmic scale");
            ui.separator();
            ui.menu_button("Height", |ui| {
                for metric in LandscapeMetric::all() {
                    ui.radio_value(&mut options.landscape_metric, metric, metric.label());
                }
            });
        }
        PaneId::Activations => {
            ui.radio_value(&mut options.activation_view, ActivationView::Ridges, "All layers at the cursor");
            ui.radio_value(&mut options.activation_view, ActivationView::Waterfall, "One layer over time");
            layers(ui, &layer_names, &mut options.activation_layer);
        }
        PaneId::RankCollapse => layers(ui, &layer_names, &mut options.similarity_layer),
        PaneId::Curvature => {
            ui.radio_value(&mut options.curvature_view, CurvatureView::Eigenvalues, "Ends of the spectrum");
            ui.radio_value(&mut options.curvature_view, CurvatureView::Trace, "Trace");
        }
        PaneId::Signal => {
            ui.checkbox(&mut options.signal_log, "Statistic on a logarithmic scale");
            ui.menu_button("Statistic", |ui| {
                families(ui, &mut options.signal_statistic);
            });
        }
    }
    if options != window.options {
        changed(window, options, actions);
    }
}

fn layer_names(window: &Window) -> Vec<String> {
    window.recording().header.layers.iter().map(|layer| layer.name.clone()).collect()
}

fn layers(ui: &mut Ui, names: &[String], chosen: &mut usize) {
    ui.menu_button("Layer", |ui| {
        for (i, name) in names.iter().enumerate() {
            ui.radio_value(chosen, i, name);
        }
    });
}

/// Every view with its word in the header and in the menu.
const GRADIENT_VIEWS: [(GradientView, &str, &str); 3] = [
    (GradientView::Groups, "groups", "By layer, over steps"),
    (GradientView::Roles, "roles", "By role (queries, keys, ...), over steps"),
    (GradientView::Depth, "depth", "By role, over depth at the cursor"),
];
const ENTROPY_VIEWS: [(EntropyView, &str, &str); 3] = [
    (EntropyView::Layers, "layers", "Entropy of every layer, over steps"),
    (EntropyView::Heads, "heads", "Entropy of the layer's heads, over steps"),
    (EntropyView::Depth, "depth", "Entropy of all heads, over depth at the cursor"),
];

/// Roles that the network's parameters have, after all of them.
fn roles(window: &Window) -> (Vec<String>, Vec<Option<ParamRole>>) {
    let parts = &window.recording().header.parameter_parts;
    let present = ParamRole::ALL.into_iter().filter(|role| parts.iter().any(|part| part.role == *role)).map(Some);
    let roles: Vec<_> = std::iter::once(None).chain(present).collect();
    (roles.iter().map(|role| role.map_or("all roles", ParamRole::label).to_owned()).collect(), roles)
}

/// Layers with attention, and what can be shown of one: its heads after their mean.
fn attention_names(window: &Window) -> (Vec<String>, Vec<String>) {
    let recording = window.recording();
    let layers = (1..).take_while(|layer| recording.heavy(&names::attention(*layer)).is_some());
    let heads = recording.header.attention_heads.unwrap_or(0);
    let heads = std::iter::once("all heads".to_owned()).chain((1..=heads).map(|head| format!("head {head}")));
    (layers.map(|layer| format!("block {layer}")).collect(), heads.collect())
}

fn height(ui: &mut Ui, chosen: &mut LandscapeMetric) {
    let all: Vec<_> = LandscapeMetric::all().collect();
    let labels: Vec<_> = all.iter().map(|metric| metric.label().to_owned()).collect();
    let mut at = all.iter().position(|metric| metric == chosen).unwrap_or(0);
    choice(ui, "Height of the landscape", &labels, &mut at);
    *chosen = all[at];
}

fn statistic(ui: &mut Ui, chosen: &mut SignalStatistic) {
    let label = chosen.label();
    combo(ui, "Statistic of the signal", (label, usize::MAX), |ui| families(ui, chosen));
}

/// Statistics below what they are about.
fn families(ui: &mut Ui, chosen: &mut SignalStatistic) {
    let faint = theme::of(ui.visuals()).text_faint;
    for (i, (family, statistics)) in SignalStatistic::FAMILIES.into_iter().enumerate() {
        ui.add_space(if i == 0 { 0.0 } else { 4.0 });
        ui.label(RichText::new(family).size(size::TEXT_SMALL).color(faint));
        for statistic in statistics {
            if ui.selectable_label(statistic == chosen, statistic.label()).clicked() {
                *chosen = *statistic;
                ui.close();
            }
        }
    }
}

/// A list to choose from; out of range counts as the last.
fn choice(ui: &mut Ui, label: &str, names: &[String], chosen: &mut usize) {
    let Some(last) = names.len().checked_sub(1) else { return };
    let at = (*chosen).min(last);
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    combo(ui, label, (&names[at], longest), |ui| {
        for (i, name) in names.iter().enumerate() {
            if ui.selectable_label(i == at, name).clicked() {
                *chosen = i;
            }
        }
    });
}

/// A button with the chosen text, as wide as the longest needs, that opens a list, if there is room.
fn combo(ui: &mut Ui, label: &str, (text, longest): (&str, usize), list: impl FnOnce(&mut Ui)) {
    let wanted = (34.0 + 7.0 * longest.min(99) as f32).clamp(70.0, 130.0);
    if ui.available_width() < wanted.min(2.0 * SWITCH) {
        return;
    }
    let width = ui.available_width().min(wanted);
    ui.spacing_mut().interact_size.y = 18.0;
    let combo = ComboBox::from_id_salt(label).width(width).height(420.0).truncate().selected_text(text);
    let combo = combo.show_ui(ui, list);
    combo.response.widget_info(|| egui::WidgetInfo {
        current_text_value: Some(text.to_owned()),
        ..egui::WidgetInfo::labeled(egui::Role::ComboBox, true, label)
    });
}

/// Some words, one of which holds.
fn one_of<T: Copy + PartialEq>(ui: &mut Ui, words: &[&str], label: &str, values: &[T], chosen: &mut T) {
    if ui.available_width() < words.len() as f32 * SWITCH {
        return;
    }
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 1.0;
        // From right to left.
        for (word, value) in words.iter().zip(values).rev() {
            if word_button(ui, word, &format!("{label}: {word}"), label, chosen == value) {
                *chosen = *value;
            }
        }
    });
}

/// Two words, one of which holds.
fn either(ui: &mut Ui, words: [&str; 2], label: &str, second: &mut bool) {
    if ui.available_width() < 2.0 * SWITCH {
        return;
    }
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 1.0;
        // From right to left.
        for (is_second, word) in [(true, words[1]), (false, words[0])] {
            if word_button(ui, word, &format!("{label}: {word}"), label, *second == is_second) {
                *second = is_second;
            }
        }
    });
}

fn switch(ui: &mut Ui, word: &str, label: &str, on: &mut bool) {
    if ui.available_width() < SWITCH + 3.0 * word.len() as f32 {
        return;
    }
    if word_button(ui, word, label, label, *on) {
        *on = !*on;
    }
}

fn word_button(ui: &mut Ui, word: &str, name: &str, tip: &str, on: bool) -> bool {
    let tokens = theme::of(ui.visuals());
    let (fill, color) =
        if on { (tokens.accent.gamma_multiply(0.28), tokens.text) } else { (Color32::TRANSPARENT, tokens.text_faint) };
    ui.spacing_mut().button_padding = egui::vec2(5.0, 1.0);
    let button = Button::new(RichText::new(word).size(size::TEXT_SMALL + 0.5).color(color));
    let response =
        ui.add(button.fill(fill).stroke((1.0, if on { fill } else { tokens.border })).min_size(egui::vec2(0.0, 18.0)));
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, on, name));
    response.on_hover_text(tip).clicked()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::link::Wake;
    use crate::record::{Recording, SliceMetric};
    use crate::run::spec::RunSpec;

    #[test]
    fn a_metric_that_is_looked_at_is_measured_and_only_that() {
        let (sender, _commands) = crossbeam::channel::bounded(8);
        let (_events, receiver) = crossbeam::channel::bounded(8);
        let mut window = Window::following(RunSpec::default(), sender, receiver, Wake::default());
        let mut knob = |metric| {
            let options = PaneOptions { landscape_metric: metric, ..window.options.clone() };
            let mut actions = Vec::new();
            changed(&window, options.clone(), &mut actions);
            window.options = options;
            actions.into_iter().find_map(|action| match action {
                Action::SetKnob { id: "landscape-metric", value } => Some(value.to_string()),
                _ => None,
            })
        };
        assert_eq!(knob(LandscapeMetric::Measured(SliceMetric::Trace)).as_deref(), Some("trace"));
        assert_eq!(knob(LandscapeMetric::Measured(SliceMetric::Trace)), None);
        assert_eq!(knob(LandscapeMetric::Error).as_deref(), Some("none"));
        // A file's measurements are what they are.
        let window = Window::viewing(std::path::Path::new("x"), Recording::default());
        let options = PaneOptions { landscape_metric: LandscapeMetric::Accuracy, ..PaneOptions::default() };
        let mut actions = Vec::new();
        changed(&window, options, &mut actions);
        assert!(matches!(actions[..], [Action::SetOptions(_)]));
    }
}
