//! "Share": the link, what it holds, and its QR code.

use std::path::PathBuf;

use egui::{
    Align, Align2, Area, Button, CollapsingHeader, Color32, Context, FontId, Frame, Grid, Id, Layout, Mesh, Order,
    Rect, RichText, Role, ScrollArea, Sense, TextEdit, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use crate::app::action::Action;
use crate::app::share::qr::{MOST_BYTES, QrPicture};
use crate::app::share::{Experiment, SharedState};
use crate::app::sharing::{Arriving, ShareAction};
use crate::app::state::{Dialog, Window};
use crate::app::theme::{self, size};
use crate::run::course::Course;
use crate::run::knobs::{self, Group};

/// Height in points that a link takes at most; it scrolls.
const SHOWN: f32 = 96.0;
/// Side of the small QR code in points.
const SMALL_CODE: f32 = 190.0;

/// The link of the state that was shown last.
#[derive(Default)]
pub struct Memory {
    state: Option<SharedState>,
    link: String,
    toml: String,
    code: Option<QrPicture>,
}

impl Memory {
    /// Makes link and code where the state has changed.
    fn follow(&mut self, window: &Window) -> Result<(), String> {
        let state = window.shared_state()?;
        if self.state.as_ref() != Some(&state) {
            self.toml = state.to_toml()?;
            self.link = state.to_link()?;
            self.code = QrPicture::of(&self.link);
            self.state = Some(state);
        }
        Ok(())
    }
}

pub fn show(window: &Window, ui: &mut Ui, memory: &mut Memory, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    ui.set_width(620.0f32.min(ui.available_width()));
    if let Err(message) = memory.follow(window) {
        ui.label(RichText::new(message).color(tokens.text));
        return;
    }
    let weak = |text: String| RichText::new(text).color(tokens.text_weak);
    ui.horizontal_top(|ui| {
        let room = ui.available_width();
        let code = if room > 480.0 { SMALL_CODE } else { 0.0 };
        ui.vertical(|ui| {
            ui.set_width(room - code - 20.0);
            ui.label(weak(
                "The experiment with all its knobs, and how the window looks at it, in one line. Measurements aren't in it: \
                 whoever opens it runs the experiment anew."
                    .into(),
            ));
            ui.add_space(6.0);
            link(ui, memory);
            ui.add_space(6.0);
            buttons(window, ui, memory, actions);
            notes(window, ui, memory, actions);
        });
        if code > 0.0 {
            ui.with_layout(Layout::top_down(Align::Center), |ui| small_code(ui, memory, code, actions));
        }
    });
    ui.separator();
    lecture(window, ui, actions);
}

fn link(ui: &mut Ui, memory: &Memory) {
    let tokens = theme::of(ui.visuals());
    let length = memory.link.chars().count();
    Frame::new().fill(tokens.well).corner_radius(f32::from(size::CORNER)).inner_margin(6).show(ui, |ui| {
        ScrollArea::vertical().id_salt("link").max_height(SHOWN).show(ui, |ui| {
            // What can't be changed is a text that can be selected.
            let mut text = memory.link.as_str();
            let edit = TextEdit::multiline(&mut text).font(theme::mono()).desired_width(f32::INFINITY).desired_rows(1);
            let field = ui.add(edit.frame(Frame::NONE));
            field.widget_info(|| WidgetInfo {
                current_text_value: Some(memory.link.clone()),
                ..WidgetInfo::labeled(Role::TextInput, true, "Link")
            });
        });
    });
    ui.label(RichText::new(format!("{length} characters")).size(size::TEXT_SMALL).color(tokens.text_faint));
}

fn buttons(window: &Window, ui: &mut Ui, memory: &Memory, actions: &mut Vec<Action>) {
    ui.horizontal_wrapped(|ui| {
        let tokens = theme::of(ui.visuals());
        let first = Button::new(RichText::new("Copy the link").color(tokens.on_accent)).fill(tokens.accent);
        if ui.add(first.min_size(vec2(100.0, 26.0))).clicked() {
            ui.copy_text(memory.link.clone());
            actions.push(Action::Share(ShareAction::Copied("Copied the link")));
        }
        let button = |text: &str| Button::new(text.to_owned()).min_size(vec2(0.0, 26.0));
        let tip = "The same as text that can be read and changed by hand";
        if ui.add(button("Copy as TOML")).on_hover_text(tip).clicked() {
            ui.copy_text(memory.toml.clone());
            actions.push(Action::Share(ShareAction::Copied("Copied the state as TOML")));
        }
        if ui.add(button("Save as a file …")).on_hover_text("It can be dropped on the window").clicked() {
            let name = memory.state.as_ref().map_or("state", |state| match &state.experiment {
                Experiment::Playground(_) => "playground",
                Experiment::Lab { lab, .. } => lab.id(),
            });
            actions.push(Action::Show(Dialog::SaveState { path: window.place(&format!("landscope-{name}.toml")) }));
        }
        if ui
            .add_enabled(memory.code.is_some(), button("QR code"))
            .on_hover_text("Large, for the lecture hall")
            .clicked()
        {
            actions.push(Action::Show(Dialog::QrCode));
        }
    });
}

/// What the reader should know about this link.
fn notes(window: &Window, ui: &mut Ui, memory: &Memory, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    let mut with_view = !window.arranged.without_view;
    let tip = "Layout, options and cameras of the panes, colours, time cursor, hidden knobs";
    if ui.checkbox(&mut with_view, "With the view, not the experiment alone").on_hover_text(tip).changed() {
        actions.push(Action::Share(ShareAction::WithView(with_view)));
    }
    if let Some((_, course)) = window.course_now() {
        let mut with_course = !window.arranged.without_course;
        let tip = "Whoever opens the link sees the run with all of it, step for step; without it a run that begins with the knobs as they \
                   stand now";
        let text = format!("With what was done by hand: {}", done(&course));
        if ui.checkbox(&mut with_course, text).on_hover_text(tip).changed() {
            actions.push(Action::Share(ShareAction::WithCourse(with_course)));
        }
    }
    let note = |ui: &mut Ui, text: String| ui.label(RichText::new(text).color(tokens.warning));
    let Some(state) = &memory.state else { return };
    let files = state.paths();
    if !files.is_empty() {
        note(ui, format!("It names what others may not have: {}", listed(&files)));
    }
    if memory.code.is_none() {
        let length = memory.link.len();
        note(
            ui,
            format!(
                "A QR code holds {MOST_BYTES} characters at most, and this link has {length}: leave the view out, or send the link"
            ),
        );
    } else if memory.code.as_ref().is_some_and(|code| !code.is_easily_read()) {
        note(ui, "The QR code is fine: from far away it is hard to read; without the view it is coarser".into());
    }
}

/// `3 knobs turned, 1 branch`.
fn done(course: &Course) -> String {
    let counted = |n: usize, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let parts = [
        course.beside.is_some().then(|| "a second run beside".to_owned()),
        counted(course.turns(), "knob turned", "knobs turned"),
        counted(course.branches.len(), "branch", "branches"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn listed(files: &[PathBuf]) -> String {
    files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn small_code(ui: &mut Ui, memory: &Memory, side: f32, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Enlarge the QR code"));
    let Some(code) = &memory.code else {
        ui.painter().rect_filled(rect, f32::from(size::CORNER), tokens.well);
        let font = FontId::proportional(size::TEXT_BODY);
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, "Too long for a QR code", font, tokens.text_weak);
        return;
    };
    draw(ui, code, rect);
    let response = response.on_hover_text("Show it as large as the window").on_hover_cursor(egui::CursorIcon::ZoomIn);
    if response.clicked() {
        actions.push(Action::Show(Dialog::QrCode));
    }
}

/// Dark on white in every theme: cameras want it so. Modules are whole pixels.
fn draw(ui: &Ui, code: &QrPicture, rect: Rect) {
    let pixels = ui.pixels_per_point();
    let all = (code.side + 2 * QrPicture::MARGIN) as f32;
    let module = (rect.width() * pixels / all).floor().max(1.0) / pixels;
    let corner = rect.center() - Vec2::splat(module * all / 2.0);
    let corner = pos2((corner.x * pixels).round() / pixels, (corner.y * pixels).round() / pixels);
    ui.painter().rect_filled(Rect::from_min_size(corner, Vec2::splat(module * all)), 0.0, Color32::WHITE);
    let mut mesh = Mesh::default();
    let margin = QrPicture::MARGIN as f32;
    for (row, from, length) in code.runs() {
        let at = corner + module * vec2(from as f32 + margin, row as f32 + margin);
        mesh.add_colored_rect(Rect::from_min_size(at, module * vec2(length as f32, 1.0)), Color32::BLACK);
    }
    ui.painter().add(mesh);
}

/// The QR code over the whole window.
pub fn large_code(window: &Window, ctx: &Context, memory: &mut Memory, actions: &mut Vec<Action>) {
    let known = memory.follow(window);
    let all = ctx.content_rect();
    Area::new(Id::unique("QR code")).order(Order::Foreground).fixed_pos(all.min).show(ctx, |ui| {
        let tokens = theme::of(ui.visuals());
        ui.set_clip_rect(all);
        let (rect, response) = ui.allocate_exact_size(all.size(), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "QR code"));
        ui.painter().rect_filled(rect, 0.0, tokens.background);
        let text = match (known, &memory.code) {
            (Err(message), _) => message,
            (Ok(()), None) => "This link is too long for a QR code: leave the view out, or send the link".into(),
            (Ok(()), Some(code)) => {
                let side = (rect.height() - 130.0).min(rect.width() - 40.0).max(60.0);
                let place = Rect::from_center_size(rect.center() - vec2(0.0, 22.0), Vec2::splat(side));
                draw(ui, code, place);
                let title = memory.state.as_ref().map_or("", |state| state.experiment.title());
                format!("{title}: paste this link into Landscope")
            }
        };
        let font = FontId::proportional(1.5 * size::TEXT_HEADING);
        let at = pos2(rect.center().x, rect.bottom() - 58.0);
        ui.painter().text(at, Align2::CENTER_CENTER, text, font, tokens.text);
        let at = pos2(rect.center().x, rect.bottom() - 24.0);
        let font = FontId::proportional(size::TEXT_TITLE);
        ui.painter().text(at, Align2::CENTER_CENTER, "Esc, or a click, closes it", font, tokens.text_weak);
        if response.clicked() {
            actions.push(Action::Show(Dialog::Share));
        }
    });
}

/// What the lecturer puts out of sight for whoever opens the link.
fn lecture(window: &Window, ui: &mut Ui, actions: &mut Vec<Action>) {
    let hidden = window.arranged.hidden_knobs.len();
    let title = match hidden {
        0 => "For a lesson: hide knobs".to_owned(),
        1 => "For a lesson: 1 knob is hidden".to_owned(),
        n => format!("For a lesson: {n} knobs are hidden"),
    };
    CollapsingHeader::new(title).id_salt("hidden knobs").show(ui, |ui| {
        ui.horizontal(|ui| {
            let mut folded = !window.knobs_open;
            if ui.checkbox(&mut folded, "The whole panel").changed() {
                actions.push(Action::ToggleKnobs);
            }
            if hidden > 0 && ui.button("Show all knobs").clicked() {
                let all = window.arranged.hidden_knobs.iter().cloned().collect();
                actions.push(Action::Share(ShareAction::HideKnobs(all, false)));
            }
        });
        ScrollArea::vertical().max_height(260.0).show(ui, |ui| {
            for (group, knobs) in groups(window) {
                let all = knobs.iter().all(|(id, _)| window.arranged.hidden_knobs.contains(*id));
                let mut on = all;
                if ui.checkbox(&mut on, RichText::new(group).strong()).changed() {
                    let ids = knobs.iter().map(|(id, _)| (*id).to_owned()).collect();
                    actions.push(Action::Share(ShareAction::HideKnobs(ids, on)));
                }
                Grid::new(("hidden", group)).num_columns(3).min_col_width(180.0).show(ui, |ui| {
                    for (index, (id, label)) in knobs.iter().enumerate() {
                        let mut on = window.arranged.hidden_knobs.contains(*id);
                        if ui.checkbox(&mut on, *label).changed() {
                            actions.push(Action::Share(ShareAction::HideKnobs(vec![(*id).to_owned()], on)));
                        }
                        if index % 3 == 2 {
                            ui.end_row();
                        }
                    }
                });
                ui.add_space(4.0);
            }
        });
    });
}

/// The knobs of what is shown, by the titles that they stand under.
fn groups(window: &Window) -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let mut found: Vec<(&'static str, Vec<_>)> = Vec::new();
    let mut add = |group: &'static str, id, label| match found.iter_mut().find(|(title, _)| *title == group) {
        Some((_, knobs)) => knobs.push((id, label)),
        None => found.push((group, vec![(id, label)])),
    };
    match window.shown_lab() {
        Some(shown) => {
            shown.lab.knobs().iter().for_each(|entry| add(entry.group, entry.knob.id, entry.knob.label));
        }
        None => {
            for group in Group::ALL {
                let knobs = knobs::all().filter(|knob| knob.group == group && knob.is_relevant(&window.draft));
                knobs.for_each(|knob| add(group.title(), knob.id, knob.label));
            }
        }
    }
    found
}

/// What has arrived and has to be agreed to.
pub fn arrival(arriving: &Arriving, ui: &mut Ui, actions: &mut Vec<Action>) {
    let tokens = theme::of(ui.visuals());
    ui.set_width(460.0f32.min(ui.available_width()));
    let text = |text: &str| RichText::new(text.to_owned()).color(tokens.text);
    let title = arriving.state.experiment.title();
    ui.label(text(&format!("An experiment was opened: {title}")).strong());
    if !arriving.files.is_empty() {
        ui.add_space(6.0);
        ui.label(text("It reads from this computer:"));
        for path in &arriving.files {
            ui.add(egui::Label::new(RichText::new(path.display().to_string()).font(theme::mono())).wrap());
        }
    }
    if let Some(stake) = &arriving.at_stake {
        ui.add_space(6.0);
        ui.label(text(stake));
    }
    for remark in &arriving.remarks {
        ui.add_space(6.0);
        ui.label(RichText::new(remark).color(tokens.text_weak));
    }
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        if ui.add(Button::new("Begin it").min_size(vec2(90.0, 26.0))).clicked() {
            actions.push(Action::Share(ShareAction::Begin(arriving.state.clone())));
        }
        if ui.add(Button::new("Cancel").min_size(vec2(70.0, 26.0))).clicked() {
            actions.push(Action::Back);
        }
    });
}
