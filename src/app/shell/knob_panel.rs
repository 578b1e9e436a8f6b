//! The knobs, in groups.

use egui::{Frame, Margin, RichText, ScrollArea, Sense, Ui, Vec2, WidgetInfo, vec2};

use crate::app::action::Action;
use crate::app::draft;
use crate::app::sharing::ShareAction;
use crate::app::state::{Dialog, Window};
use crate::app::theme::{self, size};
use crate::app::widgets::knob;
use crate::record::LabHeader;
use crate::run::knobs::{self, Group, SpecKnob};
use crate::run::watch;

use super::lab_knobs;

pub fn show(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    if let Some(shown) = window.shown_lab() {
        lab_knobs::show(window, &shown, ui, actions);
        return;
    }
    let tokens = theme::of(ui.visuals());
    ui.set_min_width(ui.available_width());
    if let Some(header) = &window.recording().header.lab {
        swept(header, &window.recording().header.task_title, ui);
        return;
    }
    if window.has_transport()
        && let Some(obstacle) = draft::obstacle(&window.draft)
    {
        Frame::new().fill(tokens.danger_fill).inner_margin(Margin::symmetric(12, 6)).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            ui.label(RichText::new(obstacle).color(tokens.text));
        });
    }
    if let Some(path) = &window.draft.init_weights {
        Frame::new().fill(tokens.well).inner_margin(Margin::symmetric(12, 6)).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let text = RichText::new(format!("Begins with the weights of {name}")).color(tokens.text);
            ui.label(text).on_hover_text(crate::app::full_path(path));
            if window.has_transport() && ui.button(RichText::new("Begin from the seed").small()).clicked() {
                actions.push(Action::BeginWithWeights(None));
            }
        });
    }
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        Frame::new().inner_margin(Margin { left: 12, right: 12, top: 4, bottom: 12 }).show(ui, |ui| {
            // Of a training elsewhere nobody has said how it steps and on what; what is measured can be turned.
            let watched = window.recording().header.watched.is_some();
            let elsewhere = [Group::Measuring, Group::Model, Group::Block];
            for group in if watched { &elsewhere[..] } else { &Group::ALL } {
                self::group(window, *group, ui, actions);
            }
            hidden(window, ui, actions);
        });
    });
}

/// What a sweep goes over, or the knobs of a lab that this program doesn't know.
fn swept(header: &LabHeader, progress: &str, ui: &mut Ui) {
    let tokens = theme::of(ui.visuals());
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        Frame::new().inner_margin(Margin { left: 12, right: 12, top: 10, bottom: 12 }).show(ui, |ui| {
            ui.label(RichText::new(&header.title).strong().size(size::TEXT_TITLE).color(tokens.text));
            ui.label(RichText::new(progress).color(tokens.text_weak));
            ui.add_space(8.0);
            for (knob, values) in &header.knobs {
                ui.label(RichText::new(knob).color(tokens.text));
                ui.add(egui::Label::new(RichText::new(values).monospace().color(tokens.text_weak)).wrap());
                ui.add_space(6.0);
            }
        });
    });
}

fn group(window: &Window, group: Group, ui: &mut Ui, actions: &mut Vec<Action>) {
    let knobs: Vec<_> = knobs::all().filter(|knob| knob.group == group && knob.is_relevant(&window.draft)).collect();
    if knobs.iter().all(|knob| window.arranged.hidden_knobs.contains(knob.id)) {
        return;
    }
    let id = ui.make_persistent_id(("group", group.title()));
    // The block's two dozen switches would push the rest out of sight.
    let mut open = ui.data(|data| data.get_temp(id)).unwrap_or(!matches!(group, Group::Block | Group::Rates));
    if header(ui, group.title(), open) {
        open = !open;
        ui.data_mut(|data| data.insert_temp(id, open));
    }
    if !open {
        return;
    }
    let watching = window.is_watching();
    let turnable = |knob: &SpecKnob| !watching || watch::settings().any(|setting| setting.id == knob.id);
    // A recording's knobs are read, not turned; of a training elsewhere only what is measured can be.
    ui.add_enabled_ui(window.has_transport() && (!watching || group == Group::Measuring), |ui| {
        ui.spacing_mut().item_spacing.y = 3.0;
        let shown = knobs.iter().filter(|knob| !window.arranged.hidden_knobs.contains(knob.id));
        for knob in shown.filter(|knob| group != Group::Measuring || turnable(knob)) {
            let standing = knob::Standing {
                knob,
                value: knob.get(&window.draft),
                default: knob.default_value(),
                browse: draft::data_place(&window.draft),
            };
            knob::show(ui, &standing, actions);
            ui.add_space(2.0);
        }
        if group == Group::Model {
            let tip = "Trains at several widths and tells which modules depend on the width";
            if ui.button("Coordinate check …").on_hover_text(tip).clicked() {
                actions.push(Action::Show(Dialog::CoordCheck));
            }
        }
    });
    ui.add_space(4.0);
}

/// How many knobs a link has hidden, and the way to them: nobody is locked out.
pub(super) fn hidden(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let count = window.arranged.hidden_knobs.len();
    if count == 0 {
        return;
    }
    let text = if count == 1 { "Show the knob that is hidden".into() } else { format!("Show {count} hidden knobs") };
    if ui.button(RichText::new(text).small()).clicked() {
        let all = window.arranged.hidden_knobs.iter().cloned().collect();
        actions.push(Action::Share(ShareAction::HideKnobs(all, false)));
    }
}

/// A title that folds its group; whether it was clicked.
pub(super) fn header(ui: &mut Ui, title: &str, open: bool) -> bool {
    let tokens = theme::of(ui.visuals());
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 26.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(egui::Role::DisclosureTriangle, true, open, title));
    let color = if response.hovered() || response.has_focus() { tokens.text } else { tokens.text_weak };
    let font = egui::FontId::proportional(size::TEXT_BODY);
    let painter = ui.painter();
    painter.text(rect.left_center(), egui::Align2::LEFT_CENTER, title.to_uppercase(), font, color);
    let centre = rect.right_center() - Vec2::new(9.0, 0.0);
    let points = if open {
        [vec2(-4.0, -2.0), vec2(0.0, 2.5), vec2(4.0, -2.0)]
    } else {
        [vec2(-2.0, -4.0), vec2(2.5, 0.0), vec2(-2.0, 4.0)]
    };
    painter.add(egui::Shape::line(points.iter().map(|p| centre + *p).collect(), egui::Stroke::new(1.4, color)));
    painter.hline(rect.x_range(), rect.bottom() - 1.0, egui::Stroke::new(1.0, tokens.border));
    response.clicked()
}
