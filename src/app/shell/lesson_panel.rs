//! Lesson and claims of a lab.

use std::collections::BTreeSet;

use egui::{CornerRadius, Frame, Margin, RichText, ScrollArea, Ui};

use crate::app::action::Action;
use crate::app::lab::LabKnobs;
use crate::app::state::Window;
use crate::app::theme::{self, Tokens, size};
use crate::labs::lesson::{Block, Lesson, Step};
use crate::labs::{Check, Claim};

/// Seconds between two looks at the claims while a recording grows.
const CHECK_EVERY: f64 = 0.5;

/// What was last made of the lab in view.
#[derive(Default)]
pub struct Memory {
    lab: Option<&'static str>,
    lesson: Lesson,
    checks: Vec<Check>,
    checked_at: f64,
    /// What the claims were checked on.
    key: Option<(u64, u64)>,
    /// Whether what is missing in it will not come any more.
    ended: bool,
    /// Whether the claims are in front, not the lesson.
    claims: bool,
    /// Claims whose numbers are open.
    open: BTreeSet<&'static str>,
    /// Steps whose answer is shown.
    answered: BTreeSet<usize>,
}

impl Memory {
    fn follow(&mut self, window: &Window, shown: &LabKnobs, now: f64) {
        if self.lab != Some(shown.lab.id()) {
            // A test reads every lesson.
            let lesson = Lesson::parse(shown.lab.lesson()).unwrap_or_default();
            *self = Self { lab: Some(shown.lab.id()), lesson, claims: self.claims, ..Self::default() };
        }
        let recording = window.recording();
        let key = window.recording_key();
        let belongs = recording.header.lab.as_ref().is_some_and(|header| header.id == shown.lab.id());
        let due = recording.outcome.is_some() || now - self.checked_at > CHECK_EVERY || self.checked_at > now;
        if belongs && self.key != Some(key) && due {
            self.checks = shown.lab.claims().iter().map(|claim| (claim.check)(recording)).collect();
            (self.key, self.checked_at, self.ended) = (Some(key), now, recording.outcome.is_some());
        }
    }
}

pub fn show(window: &Window, shown: &LabKnobs, memory: &mut Memory, ui: &mut Ui, actions: &mut Vec<Action>) {
    memory.follow(window, shown, ui.input(|input| input.time));
    let tokens = theme::of(ui.visuals());
    ui.set_min_width(ui.available_width());
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        Frame::new().inner_margin(Margin { left: 14, right: 14, top: 10, bottom: 14 }).show(ui, |ui| {
            let paper = shown.lab.paper();
            ui.label(RichText::new(paper.title).strong().size(size::TEXT_TITLE).color(tokens.text));
            ui.label(RichText::new(format!("{}; {}", paper.authors, paper.venue)).color(tokens.text_weak));
            let url = format!("https://arxiv.org/abs/{}", paper.arxiv);
            ui.hyperlink_to(format!("arXiv {}", paper.arxiv), url);
            ui.add_space(10.0);
            let held = memory.checks.iter().filter(|check| matches!(check, Check::Holds(_))).count();
            let reproduced = format!("Reproduced: {held} of {}", shown.lab.claims().len());
            ui.horizontal(|ui| {
                for (claims, title) in [(false, "Lesson"), (true, reproduced.as_str())] {
                    if ui.selectable_label(memory.claims == claims, title).clicked() {
                        memory.claims = claims;
                    }
                }
            });
            ui.add_space(6.0);
            if memory.claims || memory.lesson.steps.is_empty() {
                claims(shown, memory, ui, tokens);
            } else {
                lesson(window, memory, ui, tokens, actions);
            }
        });
    });
}

fn claims(shown: &LabKnobs, memory: &mut Memory, ui: &mut Ui, tokens: &Tokens) {
    let claims = shown.lab.claims();
    for (index, claim) in claims.iter().enumerate() {
        claim_row(claim, memory.checks.get(index), memory.ended, &mut memory.open, ui, tokens);
    }
}

fn claim_row(
    claim: &Claim,
    check: Option<&Check>,
    ended: bool,
    open: &mut BTreeSet<&'static str>,
    ui: &mut Ui,
    tokens: &Tokens,
) {
    let (sign, color) = match check {
        Some(Check::Holds(_)) => ("holds", tokens.good),
        Some(Check::Fails(_)) => ("fails", tokens.danger),
        Some(Check::NotYet(_)) if ended => ("not for these knobs", tokens.text_faint),
        Some(Check::NotYet(_)) | None => ("not yet", tokens.text_faint),
    };
    let is_open = open.contains(claim.id);
    let row = ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let (dot, _) = ui.allocate_exact_size(egui::vec2(10.0, 18.0), egui::Sense::hover());
        match check {
            Some(Check::Holds(_)) => drop(ui.painter().circle_filled(dot.center(), 4.5, color)),
            _ => drop(ui.painter().circle_stroke(dot.center(), 4.0, egui::Stroke::new(1.8, color))),
        }
        ui.vertical(|ui| {
            ui.add(egui::Label::new(RichText::new(claim.statement).color(tokens.text)).wrap());
            let numbers = check.map(ToString::to_string).unwrap_or_default();
            let words = if numbers.is_empty() { sign.to_owned() } else { format!("{sign}: {numbers}") };
            ui.add(egui::Label::new(RichText::new(words).size(size::TEXT_SMALL).color(color)).wrap());
            if is_open {
                let mut more = claim.check_text.to_owned();
                if !claim.known_failure.is_empty() {
                    more = format!("{more}\n\n{}", claim.known_failure);
                }
                ui.add(egui::Label::new(RichText::new(more).size(size::TEXT_SMALL).color(tokens.text_weak)).wrap());
            }
        });
    });
    let response = ui.interact(row.response.rect, ui.scope_id().with(("claim", claim.id)), egui::Sense::click());
    response.widget_info(|| {
        egui::WidgetInfo::selected(egui::Role::DisclosureTriangle, true, is_open, format!("Claim {}", claim.id))
    });
    if response.on_hover_text("What is checked, and where the bound comes from").clicked() && !open.remove(claim.id) {
        open.insert(claim.id);
    }
    ui.add_space(5.0);
}

fn lesson(window: &Window, memory: &mut Memory, ui: &mut Ui, tokens: &Tokens, actions: &mut Vec<Action>) {
    let Memory { lesson, answered, .. } = memory;
    if lesson.steps.is_empty() {
        return;
    }
    ui.label(RichText::new(&lesson.title).strong().size(size::TEXT_TITLE).color(tokens.text));
    blocks(&lesson.intro, ui, tokens, actions);
    ui.add_space(6.0);
    let at = window.lesson_step.min(lesson.steps.len() - 1);
    ui.horizontal(|ui| {
        let count = lesson.steps.len();
        let button = |ui: &mut Ui, text: &str, to: Option<usize>| {
            let response = ui.add_enabled(to.is_some(), egui::Button::new(text));
            response.clicked().then_some(to).flatten()
        };
        let back = button(ui, "Back", at.checked_sub(1));
        ui.label(RichText::new(format!("{} of {count}", at + 1)).color(tokens.text_weak));
        let next = button(ui, "Next", Some(at + 1).filter(|next| *next < count));
        actions.extend(back.or(next).map(Action::LessonStep));
    });
    ui.add_space(4.0);
    step(&lesson.steps[at], at, answered, ui, tokens, actions);
}

fn step(
    step: &Step,
    index: usize,
    answered: &mut BTreeSet<usize>,
    ui: &mut Ui,
    tokens: &Tokens,
    actions: &mut Vec<Action>,
) {
    ui.label(RichText::new(&step.title).strong().color(tokens.text));
    blocks(&step.blocks, ui, tokens, actions);
    if step.question.is_empty() {
        return;
    }
    ui.add_space(4.0);
    ui.add(egui::Label::new(RichText::new(&step.question).italics().color(tokens.text)).wrap());
    if answered.contains(&index) {
        ui.add(egui::Label::new(RichText::new(&step.answer).color(tokens.text)).wrap());
    } else if ui.button("Show the answer").clicked() {
        answered.insert(index);
    }
}

fn blocks(blocks: &[Block], ui: &mut Ui, tokens: &Tokens, actions: &mut Vec<Action>) {
    for block in blocks {
        ui.add_space(3.0);
        match block {
            Block::Paragraph(text) => {
                ui.add(egui::Label::new(RichText::new(text).color(tokens.text)).wrap());
            }
            Block::Formula(text) => {
                let corner = CornerRadius::same(size::CORNER);
                Frame::new().fill(tokens.well).corner_radius(corner).inner_margin(6).show(ui, |ui| {
                    ui.set_min_width(ui.available_width());
                    ui.add(egui::Label::new(RichText::new(text).monospace().color(tokens.text)).wrap());
                });
            }
            Block::Link { text, actions: wishes } => {
                if ui.button(text).clicked() {
                    actions.push(Action::Lesson(wishes.clone()));
                }
            }
        }
    }
}
