//! The switches of each pane: in its header as far as there is room, and all of them in its menu.

use egui::{Button, Color32, ComboBox, RichText, Ui};

use crate::app::action::Action;
use crate::app::state::Window;
use crate::app::theme::{self, size};
use crate::run::knobs::KnobValue;

use crate::plots::{
    ActivationView, CurvatureView, LandscapeMetric, LandscapeView, PaneId, PaneOptions, SignalStatistic,
};

/// Points that one more switch takes in a header.
const SWITCH: f32 = 44.0;

/// Switches in a header, from its right edge inwards.
pub fn header(ui: &mut Ui, id: PaneId, window: &Window, actions: &mut Vec<Action>) {
    let mut options = window.options.clone();
    let options = &mut options;
    let names = layer_names(window);
    match id {
        PaneId::Loss => switch(ui, "log", "Loss on a logarithmic scale", &mut options.loss_log),
        PaneId::Sharpness => switch(ui, "log", "Sharpness on a logarithmic scale", &mut options.sharpness_log),
        PaneId::Gradients => switch(ui, "log", "Norms on a logarithmic scale", &mut options.gradients_log),
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
                choice(ui, "Layer of the histograms", &names, &mut options.activation_layer);
            }
        }
        PaneId::Curvature => {
            let mut trace = options.curvature_view == CurvatureView::Trace;
            either(ui, ["ends", "trace"], "Ends of the spectrum, or its trace", &mut trace);
            options.curvature_view = if trace { CurvatureView::Trace } else { CurvatureView::Eigenvalues };
        }
        PaneId::RankCollapse => choice(ui, "Layer of the matrix", &names, &mut options.similarity_layer),
        PaneId::Signal => {
            if options.signal_statistic != SignalStatistic::DeadUnits {
                switch(ui, "log", "Statistic on a logarithmic scale", &mut options.signal_log);
            }
            statistic(ui, &mut options.signal_statistic);
        }
    }
    if *options != window.options {
        changed(window, options.clone(), actions);
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
    let names = layer_names(window);
    match id {
        PaneId::Loss => drop(ui.checkbox(&mut options.loss_log, "Loss on a logarithmic scale")),
        PaneId::Sharpness => drop(ui.checkbox(&mut options.sharpness_log, "Sharpness on a logarithmic scale")),
        PaneId::Gradients => drop(ui.checkbox(&mut options.gradients_log, "Norms on a logarithmic scale")),
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
            layers(ui, &names, &mut options.activation_layer);
        }
        PaneId::RankCollapse => layers(ui, &names, &mut options.similarity_layer),
        PaneId::Curvature => {
            ui.radio_value(&mut options.curvature_view, CurvatureView::Eigenvalues, "Ends of the spectrum");
            ui.radio_value(&mut options.curvature_view, CurvatureView::Trace, "Trace");
        }
        PaneId::Signal => {
            ui.checkbox(&mut options.signal_log, "Statistic on a logarithmic scale");
            ui.menu_button("Statistic", |ui| {
                for statistic in SignalStatistic::ALL {
                    ui.radio_value(&mut options.signal_statistic, statistic, statistic.label());
                }
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

fn height(ui: &mut Ui, chosen: &mut LandscapeMetric) {
    let all: Vec<_> = LandscapeMetric::all().collect();
    let labels: Vec<_> = all.iter().map(|metric| metric.label().to_owned()).collect();
    let mut at = all.iter().position(|metric| metric == chosen).unwrap_or(0);
    choice(ui, "Height of the landscape", &labels, &mut at);
    *chosen = all[at];
}

fn statistic(ui: &mut Ui, chosen: &mut SignalStatistic) {
    let labels = SignalStatistic::ALL.map(|statistic| statistic.label().to_owned());
    let mut at = SignalStatistic::ALL.iter().position(|statistic| statistic == chosen).unwrap_or(0);
    choice(ui, "Statistic of the signal", &labels, &mut at);
    *chosen = SignalStatistic::ALL[at];
}

/// A list to choose from; out of range counts as the last.
fn choice(ui: &mut Ui, label: &str, names: &[String], chosen: &mut usize) {
    let Some(last) = names.len().checked_sub(1) else { return };
    if ui.available_width() < 2.0 * SWITCH {
        return;
    }
    let at = (*chosen).min(last);
    let width = ui.available_width().min(130.0);
    ui.spacing_mut().interact_size.y = 18.0;
    // High enough for the longest list.
    let combo = ComboBox::from_id_salt(label).width(width).height(320.0).truncate().selected_text(names[at].as_str());
    let combo = combo.show_ui(ui, |ui| {
        for (i, name) in names.iter().enumerate() {
            if ui.selectable_label(i == at, name).clicked() {
                *chosen = i;
            }
        }
    });
    combo.response.widget_info(|| egui::WidgetInfo {
        current_text_value: Some(names[at].clone()),
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
