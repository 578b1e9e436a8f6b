//! Undo and redo in the window: which wishes are edits, what they are called, and how the window goes back.

use toml::Table;

use crate::plots::pane;
use crate::run::knobs::{self, Knob, KnobValue};
use crate::run::messages::Command;
use crate::run::spec::RunSpec;

use super::action::Action;
use super::arrangement;
use super::draft;
use super::history::{Edit, Knobs, Moment};
use super::layouts::LayoutAction;
use super::state::Window;
use super::toasts::Notice;

impl Window {
    /// Carries out a wish, and remembers how to undo it where it can be undone.
    pub fn apply(&mut self, action: Action) {
        let Some(target) = self.target(&action) else {
            self.carry_out(action);
            return;
        };
        let before = self.moment();
        let tabs_only =
            matches!(&action, Action::Layout(LayoutAction::Set(to)) if to.same_but_for_tabs(&self.layout()));
        let label = self.label(&action);
        self.carry_out(action);
        // Which tab is in front is no edit: nobody wants to walk through them.
        if !tabs_only {
            let after = self.moment();
            let name = |from: &Moment, to: &Moment| label.clone().unwrap_or_else(|| knob_edit(&target, from, to));
            self.history.note(&target, before, after, &name);
        }
    }

    /// What a wish edits; none where it can't be undone.
    fn target(&self, action: &Action) -> Option<String> {
        Some(match action {
            Action::SetKnob { id, .. } => (*id).to_owned(),
            Action::Preset(_) => "preset".into(),
            Action::BeginWithWeights(_) => "weights".into(),
            Action::Lesson(_) => "lesson".into(),
            Action::SetOptions(options) => self.option_named(&options.clone().into()).unwrap_or("options".into()),
            Action::Layout(LayoutAction::Save(_) | LayoutAction::Delete(_)) => return None,
            Action::Layout(LayoutAction::Choose(_)) => "chosen layout".into(),
            Action::Layout(_) | Action::ResetLayout => "layout".into(),
            Action::Maximise(_) => "maximised".into(),
            Action::Back if self.dialog.is_none() && self.maximised.is_some() => "maximised".into(),
            _ => return None,
        })
    }

    /// What a wish is called in the menu, where that is known before it is carried out.
    fn label(&self, action: &Action) -> Option<String> {
        let title = |id| pane::title(self.recording(), id);
        Some(match action {
            Action::Preset(preset) => format!("Preset {}", preset.title()),
            Action::BeginWithWeights(Some(path)) => {
                format!("Begin with {}", path.file_name().unwrap_or_default().to_string_lossy())
            }
            Action::BeginWithWeights(None) => "Begin from the seed".into(),
            Action::Lesson(_) => "What the lesson changed".into(),
            Action::SetOptions(options) => {
                let option = self.option_named(&options.clone().into());
                format!("Option of a pane: {}", option.unwrap_or_default().replace('_', " "))
            }
            Action::Layout(LayoutAction::Set(_)) => "Moved panes".into(),
            Action::Layout(LayoutAction::Hide(id)) => format!("Hide {}", title(*id)),
            Action::Layout(LayoutAction::BringBack(id)) => format!("Show {}", title(*id)),
            Action::Layout(LayoutAction::Choose(name)) => format!("Layout {name}"),
            Action::ResetLayout => "Panes put back".into(),
            Action::Back => format!("Put back {}", title(self.maximised?)),
            Action::Maximise(id) if self.maximised == Some(*id) => format!("Put back {}", title(*id)),
            Action::Maximise(id) => format!("Maximise {}", title(*id)),
            _ => return None,
        })
    }

    /// The first option that differs from the present ones.
    fn option_named(&self, to: &OptionTable) -> Option<String> {
        let from = OptionTable::from(self.options.clone()).0;
        let keys = from.keys().chain(to.0.keys());
        keys.into_iter().find(|key| from.get(*key) != to.0.get(*key)).cloned()
    }

    /// All that can be undone, as it stands.
    fn moment(&self) -> Moment {
        let knobs = match &self.lab {
            Some(front) => Knobs::Lab(front.draft.clone()),
            None => Knobs::Spec(Box::new(self.draft.clone())),
        };
        let experiment = arrangement::experiment_of(self.recording());
        let layout = self.arranged.layouts.get(&experiment).cloned();
        Moment { knobs, options: self.options.clone(), layout, maximised: self.maximised }
    }

    pub(super) fn undo(&mut self) {
        match self.history.next_undo().cloned() {
            None => self.toasts.push(Notice::remark("There is nothing to undo")),
            Some(edit) if self.can_go(&edit) => {
                self.history.undo();
                self.go(&edit.after, &edit.before);
                self.toasts.push(Notice::remark(format!("Undone: {}", edit.name)));
            }
            Some(_) => self.toasts.push(Notice::remark(NEEDS_THE_RUN)),
        }
    }

    pub(super) fn redo(&mut self) {
        match self.history.next_redo().cloned() {
            None => self.toasts.push(Notice::remark("There is nothing to do again")),
            Some(edit) if self.can_go(&edit) => {
                self.history.redo();
                self.go(&edit.before, &edit.after);
                self.toasts.push(Notice::remark(format!("Done again: {}", edit.name)));
            }
            Some(_) => self.toasts.push(Notice::remark(NEEDS_THE_RUN)),
        }
    }

    /// A recording's knobs are read, not turned.
    fn can_go(&self, edit: &Edit) -> bool {
        self.has_transport() || edit.before.knobs == edit.after.knobs
    }

    /// Changes back what differs between two moments, and nothing else: the run may have moved other knobs since.
    fn go(&mut self, from: &Moment, to: &Moment) {
        if from.options != to.options {
            self.options = to.options.clone();
        }
        if from.layout != to.layout {
            let experiment = arrangement::experiment_of(self.recording());
            match &to.layout {
                Some(layout) => drop(self.arranged.layouts.insert(experiment, layout.clone())),
                None => drop(self.arranged.layouts.remove(&experiment)),
            }
        }
        if from.maximised != to.maximised {
            self.maximised = to.maximised;
        }
        match (&from.knobs, &to.knobs) {
            (Knobs::Spec(from), Knobs::Spec(to)) => self.turn_back(from, to),
            (Knobs::Lab(from), Knobs::Lab(to)) => {
                let ids = to.knobs().iter().map(|entry| &entry.knob);
                let turned: Vec<_> = ids.filter(|knob| from.get(knob.id) != to.get(knob.id)).collect();
                let seed = (from.seed != to.seed).then_some(to.seed);
                let Some(front) = &mut self.lab else { return };
                front.draft.seed = seed.unwrap_or(front.draft.seed);
                let values = turned.iter().filter_map(|knob| Some((*knob, to.get(knob.id)?.clone())));
                let values: Vec<(&Knob, KnobValue)> = values.collect();
                for (knob, value) in &values {
                    // Values that stood before are in range.
                    let _ = front.draft.set(knob.id, value.clone());
                }
                if seed.is_some() || values.iter().any(|(knob, _)| !knob.is_live()) {
                    self.restart_lab();
                } else {
                    values.into_iter().for_each(|(knob, value)| self.send(Command::SetKnob { id: knob.id, value }));
                }
            }
            // Another experiment forgets the history.
            _ => {}
        }
    }

    fn turn_back(&mut self, from: &RunSpec, to: &RunSpec) {
        let turned: Vec<_> = knobs::all().filter(|knob| knob.get(from) != knob.get(to)).collect();
        for knob in &turned {
            // Values that stood before are in range.
            let _ = knob.set(&mut self.draft, &knob.get(to));
        }
        if from.init_weights != to.init_weights {
            self.draft.init_weights.clone_from(&to.init_weights);
        }
        let only_live = turned.iter().all(|knob| knob.is_live()) && from.init_weights == to.init_weights;
        if only_live {
            turned.iter().for_each(|knob| self.send(Command::SetKnob { id: knob.id, value: knob.get(to) }));
        } else if draft::obstacle(&self.draft).is_none() && self.draft != self.live.spec {
            self.carry_out(Action::Restart);
        }
    }
}

/// "Learning rate 0.004 → 0.1"
fn knob_edit(id: &str, before: &Moment, after: &Moment) -> String {
    let text = |moment: &Moment| match &moment.knobs {
        Knobs::Spec(spec) => knobs::find(id).map(|knob| shown(knob, &knob.get(spec))),
        Knobs::Lab(values) if id == "seed" => Some(values.seed.to_string()),
        Knobs::Lab(values) => {
            let knob = values.knobs().iter().find(|entry| entry.knob.id == id)?;
            values.get(id).map(|value| shown(&knob.knob, value))
        }
    };
    let label = match &after.knobs {
        Knobs::Spec(_) => knobs::find(id).map_or(id, |knob| knob.label),
        Knobs::Lab(values) => {
            values.knobs().iter().find(|entry| entry.knob.id == id).map_or("Seed", |entry| entry.knob.label)
        }
    };
    let some = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "none".into());
    format!("{label} {} → {}", some(text(before)), some(text(after)))
}

const NEEDS_THE_RUN: &str = "That turns a knob of the run: go back to the run first";

fn shown(knob: &Knob, value: &KnobValue) -> String {
    match value {
        KnobValue::Choice(id) => draft::title(knob, id),
        KnobValue::Toggle(on) => if *on { "on" } else { "off" }.to_owned(),
        other => other.to_string(),
    }
}

/// The options by name.
struct OptionTable(Table);

impl From<crate::plots::PaneOptions> for OptionTable {
    fn from(mut options: crate::plots::PaneOptions) -> Self {
        // TOML can't say the largest number.
        options.similarity_layer = options.similarity_layer.min(1 << 30);
        Self(Table::try_from(options).unwrap_or_default())
    }
}
