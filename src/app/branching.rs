//! Going back in the window: branches, notes, and recordings that another program writes.

use std::path::Path;
use std::sync::Arc;

use crate::record::{Fork, Note, Snapshot, TimeCursor, TrackId, file};
use crate::run::Past;
use crate::run::knobs;
use crate::run::messages::{Command, RunState};
use crate::run::session::{Session, SessionOptions};
use crate::run::spec::RunSpec;
use crate::run::worker::WorkerOptions;

use super::draft;
use super::lab::FINEST_SLICE;
use super::link::Link;
use super::live::Live;
use super::state::Window;
use super::toasts::Notice;

impl Window {
    /// Where a branch would begin; none where there is nothing to branch from.
    pub fn fork_here(&self) -> Option<Fork> {
        let recording = self.recording();
        let is_run = recording.header.lab.is_none() && recording.header.watched.is_none() && !recording.is_empty();
        let lone = self.viewed.as_ref().is_some_and(|viewed| viewed.others == 0);
        let free = lone || (self.has_transport() && self.live.state != RunState::Failed);
        let step = self.cursor.step(recording.newest_step());
        (is_run && free && self.watched_sweep().is_none()).then_some(Fork { track: recording.focus(), step })
    }

    /// Begins a branch at the cursor and pauses there. Of a file, it is added to the file.
    pub(super) fn fork(&mut self) {
        let Some(fork) = self.fork_here() else {
            self.toasts.push(Notice::remark("There is no run here to branch from: labs begin anew with every knob"));
            return;
        };
        if self.viewed.is_none() {
            self.cursor = TimeCursor::Following;
            self.send(Command::Fork(fork));
            return;
        }
        let Some(viewed) = &self.viewed else { return };
        let past = Past { path: viewed.path.clone(), recording: Box::new(viewed.recording.clone()), fork };
        let ring = self.wake.clone();
        let options = SessionOptions {
            wake: Arc::new(move || ring.ring()),
            recording: None,
            worker: WorkerOptions { play: false, finest_slice: FINEST_SLICE },
        };
        match Session::resume(past, options) {
            Err(error) => self.toasts.push(Notice::problem(error.to_string())),
            Ok(session) => {
                if self.has_run_behind() {
                    self.toasts.push(Notice::remark("The run behind the file has ended; its own recording is kept"));
                }
                let Some(viewed) = self.viewed.take() else { return };
                self.take_over(session);
                self.recorded = Some((viewed.path, 1));
                self.live = Live::of(viewed.recording, viewed.spec);
                self.changed_as_a_whole();
            }
        }
    }

    /// Ends the worker that was, and listens to another.
    pub(super) fn take_over(&mut self, session: Session) {
        self.send(Command::Quit);
        self.link = Some(Link::new(session.commands().clone(), session.events().clone()));
        if let Some(before) = self.session.replace(session) {
            // Its worker may be in the middle of a long piece of work: nobody waits for it here.
            let _ = std::thread::Builder::new().name("ending".into()).spawn(move || drop(before));
        }
        self.lab = None;
        self.viewed = None;
        self.history.clear();
        self.arranged.cursor_to_come = None;
        (self.recorded, self.saved_at) = (None, None);
        self.speed_limit = None;
        self.cursor = TimeCursor::Following;
    }

    /// Shows a recording that another program writes, as it grows.
    pub fn follow_file(&mut self, path: &Path) {
        let ring = self.wake.clone();
        match Session::follow(path, Arc::new(move || ring.ring())) {
            Err(error) => self.toasts.push(Notice::problem(error.to_string())),
            Ok(session) => {
                self.take_over(session);
                self.live = Live::default();
                self.followed = Some(path.to_owned());
                self.changed_as_a_whole();
                let place = super::full_path(path);
                self.toasts.push(Notice::remark(format!(
                    "Another program writes {place}: this window follows it, and only reads"
                )));
            }
        }
    }

    /// The run as the knobs stand against one in which a knob has another value, side by side from one seed.
    pub(super) fn twin(&mut self, id: &str, text: &str) {
        let Some(knob) = knobs::find(id) else { return };
        let mut other = self.draft.clone();
        let set =
            knob.parse(text).and_then(|value| knob.set(&mut other, &value)).and_then(|()| knobs::validate(&other));
        let obstacle = set.err().or_else(|| draft::obstacle(&self.draft));
        let same = (other == self.draft).then(|| format!("Both would have {} {text}: give another value", knob.label));
        if let Some(message) = obstacle.or(same) {
            self.toasts.push(Notice::problem(message));
            return;
        }
        self.dialog = None;
        self.close_file();
        self.cursor = TimeCursor::Following;
        self.send(Command::Twin(Box::new([self.draft.clone(), other])));
    }

    /// Measures at the cursor of a file, beside the window.
    pub(super) fn measure_here(&mut self) {
        let (Some(at), Some(viewed)) = (self.fork_here(), &self.viewed) else { return };
        self.toasts.push(Notice::remark(format!("Measuring at step {}", at.step)));
        self.background.measure(viewed.path.clone(), &viewed.recording, at);
    }

    /// What was measured afterwards is shown if its file still is.
    pub(super) fn add_measured(&mut self, path: &Path, found: Vec<Snapshot>) {
        let step = found.first().map_or(0, |snapshot| snapshot.step);
        let Some(viewed) = self.viewed.as_mut().filter(|viewed| viewed.path == path) else { return };
        viewed.recording.insert(found);
        self.toasts.withdraw(&format!("Measuring at step {step}"));
        self.toasts.push(Notice::done(format!("Measured at step {step}; it is in the file now")));
        self.changed_as_a_whole();
    }

    /// Panes show this track from now on.
    pub(super) fn focus(&mut self, track: TrackId) {
        let recording = match &mut self.viewed {
            Some(viewed) => &mut viewed.recording,
            None => &mut self.live.recording,
        };
        if recording.track(track).is_some() && recording.focus() != track {
            recording.set_focus(track);
            // Tracks of several files have knobs of their own.
            if let Some(viewed) = self.viewed.as_mut().filter(|viewed| viewed.others > 0)
                && let Ok(spec) = RunSpec::from_toml(&viewed.recording.header.spec, "of the recording")
            {
                self.draft = spec.clone();
                viewed.spec = spec;
            }
            self.changed_as_a_whole();
        }
    }

    /// Writes what the user has to say at a step.
    pub(super) fn note(&mut self, step: u64, text: String) {
        let text = text.trim().to_owned();
        if text.is_empty() {
            return;
        }
        match &mut self.viewed {
            None => self.send(Command::Note { step, text }),
            Some(viewed) if viewed.others > 0 => {
                let message = "Notes go to a file: open that recording alone to write one";
                self.toasts.push(Notice::remark(message));
            }
            Some(viewed) => {
                let note = Note { track: viewed.recording.focus(), step, text };
                match file::add_note(&viewed.path, &note) {
                    Ok(()) => {
                        viewed.recording.notes.push(note);
                        viewed.recording.touch();
                    }
                    Err(error) => self.toasts.push(Notice::problem(error.to_string())),
                }
            }
        }
    }
}
