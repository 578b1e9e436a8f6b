//! Layouts of the panes: moved by hand, put away, named and chosen again.

use crate::plots::{PaneId, pane};

use super::arrangement::{self, PaneLayout};
use super::state::Window;
use super::toasts::Notice;

/// What users do to the layout.
#[derive(Clone, Debug, PartialEq)]
pub enum LayoutAction {
    /// Panes were moved, resized or stacked.
    Set(PaneLayout),
    Hide(PaneId),
    BringBack(PaneId),
    /// A layout by its name.
    Choose(String),
    /// Keep the layout and the options of the panes under a name.
    Save(String),
    Delete(String),
}

impl Window {
    /// The layout of the panes that are shown.
    pub fn layout(&self) -> PaneLayout {
        let recording = self.recording();
        let start = arrangement::start(recording);
        match self.arranged.layouts.get(&arrangement::experiment_of(recording)) {
            Some(layout) => layout.fitted(&arrangement::slugs(recording), &start),
            None => start,
        }
    }

    /// Puts the panes that are shown into this layout.
    pub(super) fn set_layout(&mut self, layout: PaneLayout) {
        let experiment = arrangement::experiment_of(self.recording());
        if layout == arrangement::start(self.recording()) {
            self.arranged.layouts.remove(&experiment);
        } else {
            self.arranged.layouts.insert(experiment, layout);
        }
    }

    pub(super) fn arrange(&mut self, action: LayoutAction) {
        match action {
            LayoutAction::Set(layout) => self.set_layout(layout),
            LayoutAction::Hide(id) => {
                let name = pane::slug(self.recording(), id).to_owned();
                let mut layout = self.layout();
                layout.hide(&name);
                if !layout.is_hidden(&name) {
                    self.toasts.push(Notice::remark("The last pane stays"));
                    return;
                }
                if self.maximised == Some(id) {
                    self.maximised = None;
                }
                self.set_layout(layout);
            }
            LayoutAction::BringBack(id) => {
                let name = pane::slug(self.recording(), id).to_owned();
                let mut layout = self.layout();
                layout.bring_back(&name);
                self.set_layout(layout);
            }
            LayoutAction::Choose(name) => self.choose_layout(&name),
            LayoutAction::Save(name) => self.save_layout(&name),
            LayoutAction::Delete(name) => self.delete_layout(&name),
        }
    }
}
