//! The lab in front, as the window knows it: which, and its knobs as the reader has turned them.

use std::sync::Arc;

use crate::labs::{self, Experiment, Lab};
use crate::run::bench::{Preset, Values};
use crate::run::course::Course;
use crate::run::knobs::KnobValue;
use crate::run::messages::Command;
use crate::run::session::{Session, SessionOptions};
use crate::run::worker::WorkerOptions;

use super::lesson_links::Awaited;
use super::live::Live;
use super::state::Window;
use super::toasts::Notice;

/// Points a side of the Playground's slice while training rests.
pub(super) const FINEST_SLICE: usize = 65;

/// A lab and what its knobs show.
pub struct LabInFront {
    pub lab: &'static dyn Lab,
    pub draft: Values,
}

/// What a knob panel of a lab shows: the knobs as they stand, and whether they can be turned.
pub struct LabKnobs {
    pub lab: &'static dyn Lab,
    pub values: Values,
    pub turnable: bool,
}

impl Window {
    /// The lab whose recording is shown, if this program knows it.
    pub fn shown_lab(&self) -> Option<LabKnobs> {
        if self.viewed.is_none() {
            return self.lab.as_ref().map(|front| LabKnobs {
                lab: front.lab,
                values: front.draft.clone(),
                turnable: true,
            });
        }
        let header = &self.recording().header;
        let lab = labs::find(&header.lab.as_ref()?.id)?;
        let mut values = Values::preset(lab.knobs(), Preset::Standard);
        values.read_toml(&header.spec).ok()?;
        Some(LabKnobs { lab, values, turnable: false })
    }

    /// Puts another experiment in front and begins it: a lab, or the Playground. A run that goes on is ended.
    pub fn open_lab(&mut self, id: Option<&'static str>) {
        let front =
            id.and_then(labs::find).map(|lab| LabInFront { lab, draft: Values::preset(lab.knobs(), Preset::Instant) });
        self.begin(front);
    }

    /// As [`Self::open_lab`], with knobs that were set before.
    pub fn begin(&mut self, front: Option<LabInFront>) {
        self.begin_with(front, Course::default());
    }

    /// The Playground's run with the knobs as they stand, to which is done what `course` says.
    pub fn begin_again(&mut self, course: Course) {
        self.begin_with(None, course);
    }

    fn begin_with(&mut self, front: Option<LabInFront>, course: Course) {
        let ring = self.wake.clone();
        let recording = self.new_recording.and_then(|name| name());
        let file = recording.clone();
        let options = SessionOptions {
            wake: Arc::new(move || ring.ring()),
            recording,
            worker: WorkerOptions { play: true, finest_slice: FINEST_SLICE },
        };
        let session = match &front {
            Some(front) => Session::start_lab(Box::new(Experiment(front.lab)), front.draft.clone(), options),
            None => Session::start_again(self.draft.clone(), course, options),
        };
        let session = match session {
            Ok(session) => session,
            Err(error) => {
                self.toasts.push(Notice::problem(format!("Can't begin: {error}; close other programs and try again")));
                return;
            }
        };
        self.take_over(session);
        self.followed = None;
        self.live = Live::default();
        self.live.spec = self.draft.clone();
        self.lab = front;
        self.maximised = None;
        self.dialog = None;
        self.lesson_step = 0;
        self.arranged.hidden_knobs.clear();
        self.recorded_in(file.as_deref());
        self.awaited = Awaited::default();
        self.changed_as_a_whole();
    }

    /// All knobs of the lab as `preset` has them.
    pub(super) fn set_preset(&mut self, preset: Preset) {
        if self.take_preset(preset) {
            self.restart_lab();
        }
    }

    /// Likewise, without beginning anew; whether there is a lab.
    pub(super) fn take_preset(&mut self, preset: Preset) -> bool {
        let Some(front) = &mut self.lab else { return false };
        let seed = front.draft.seed;
        front.draft = Values::preset(front.lab.knobs(), preset);
        front.draft.seed = seed;
        true
    }

    /// Turns a knob of the lab in front; the knob `seed` is the seed.
    pub(super) fn set_lab_knob(&mut self, id: &'static str, value: &KnobValue) {
        let Some(front) = &mut self.lab else { return };
        let before = front.draft.clone();
        let outcome = match (id, value) {
            ("seed", KnobValue::Int(seed)) => {
                front.draft.seed = *seed;
                Ok(())
            }
            _ => front.draft.set(id, value.clone()),
        };
        if front.draft == before && outcome.is_ok() {
            return;
        }
        let checked = outcome.and_then(|()| front.lab.check(&front.draft));
        if let Err(message) = checked {
            front.draft = before;
            self.toasts.push(Notice::problem(message));
            return;
        }
        let live = front.lab.knobs().iter().any(|entry| entry.knob.id == id && entry.knob.is_live());
        if live {
            self.send(Command::SetKnob { id, value: value.clone() });
        } else {
            self.restart_lab();
        }
    }

    /// Begins the lab anew with the knobs as they stand.
    pub(super) fn restart_lab(&mut self) {
        let Some(front) = &self.lab else { return };
        let values = Box::new(front.draft.clone());
        self.awaited.comes_with(values.to_toml(front.lab.id()));
        self.cursor = crate::record::TimeCursor::Following;
        self.send(Command::RestartLab(values));
    }
}
