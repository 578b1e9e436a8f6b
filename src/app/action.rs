//! What a user can do: widgets push actions, [`Window::apply`] alone carries them out.

use std::path::PathBuf;

use crate::labs::lesson::LessonAction;
use crate::plots::{PaneId, PaneOptions};
use crate::record::{Playback, TimeCommand, TrackId, WindowCommand, file};
use crate::run::bench::Preset;
use crate::run::knobs::{self, KnobValue};
use crate::run::messages::{Command, RunState};
use crate::run::watch;

use super::background::Browse;
use super::connectivity::{ConnectivityAction, Shown};
use super::coord_check::CoordCheckAction;
use super::draft;
use super::export::ExportAction;
use super::film::FilmAction;
use super::layouts::LayoutAction;
use super::settings::SettingsAction;
use super::sharing::ShareAction;
use super::state::{Dialog, Window};
use super::toasts::Notice;

/// A wish of the user.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    PlayPause,
    /// One optimiser update.
    Step,
    /// Begin the run anew with the knobs as they stand.
    Restart,
    /// Updates a second at most; `None` lifts the limit.
    SpeedLimit(Option<f64>),
    /// Live knobs reach the worker at once; cold ones restart the run.
    SetKnob {
        id: &'static str,
        value: KnobValue,
    },
    /// Another experiment: a lab by its id, or the Playground.
    OpenLab(Option<&'static str>),
    /// All knobs of the lab in front as a preset has them.
    Preset(Preset),
    ToggleLesson,
    /// A step of the lesson.
    LessonStep(usize),
    /// What a lesson's link does.
    Lesson(Vec<LessonAction>),
    /// A branch at the cursor.
    Fork,
    /// This run beside one in which a knob has another value.
    Twin {
        id: &'static str,
        text: String,
    },
    /// Measure at the cursor what nobody measured then, and add it to the file.
    MeasureHere,
    /// Show this track.
    Focus(TrackId),
    /// Write something at a step.
    Note {
        step: u64,
        text: String,
    },
    /// After a divergence: the last good step, with a tenth of the learning rate.
    RestoreLastGood,
    Time(TimeCommand),
    /// Which steps all curves show.
    Window(WindowCommand),
    /// Let the cursor move by itself, or stop it.
    Playback,
    PlaybackSpeed(f64),
    /// Maximise a pane, or put it back.
    Maximise(PaneId),
    SetOptions(PaneOptions),
    /// Panes back to where they were at the start.
    ResetLayout,
    Layout(LayoutAction),
    /// Take back the newest edit of knobs, options or layout.
    Undo,
    Redo,
    Share(ShareAction),
    Settings(SettingsAction),
    /// Begin the Playground's run with the weights of a file; with none, from the seed.
    BeginWithWeights(Option<PathBuf>),
    CompareWeights(PathBuf),
    ToggleTheme,
    TogglePresenter,
    ToggleKnobs,
    Show(Dialog),
    /// Close what is open, or else put back the maximised pane.
    Back,
    Browse(Browse),
    Save(PathBuf),
    Open(PathBuf),
    /// Several recordings beside one another; with the one that is shown, or without it.
    Compare {
        paths: Vec<PathBuf>,
        with_shown: bool,
    },
    ToggleTracks,
    /// From a file back to the run.
    CloseFile,
    /// A pane as a file, or to the clipboard.
    Export(ExportAction),
    Film(FilmAction),
    CoordCheck(CoordCheckAction),
    Connectivity(ConnectivityAction),
    /// The run's current weights, as a safetensors file.
    SaveWeights(PathBuf),
    /// A place of a pane was clicked, in its axes' units.
    Pick {
        pane: PaneId,
        at: [f64; 2],
    },
    /// Back from a cell to its sweep.
    BackToSweep,
    /// Tell of a mistake.
    Tell(String),
    /// Take a message off the screen.
    Dismiss(usize),
}

/// Factor on the learning rate when a diverged run is restored.
pub const RESTORE_FACTOR: f64 = 0.1;

impl Window {
    /// Does what a wish says; [`Window::apply`] remembers how to undo it.
    pub(super) fn carry_out(&mut self, action: Action) {
        match action {
            Action::PlayPause => self.play_or_pause(),
            Action::Step => self.send(Command::Step),
            Action::Restart => self.restart(),
            Action::SpeedLimit(limit) => {
                self.speed_limit = limit;
                self.send(Command::SpeedLimit(limit));
            }
            Action::SetKnob { id, value } if self.lab.is_some() => self.set_lab_knob(id, &value),
            Action::SetKnob { id, value } => self.set_knob(id, &value),
            Action::OpenLab(id) => self.open_lab(id),
            Action::Preset(preset) => self.set_preset(preset),
            Action::ToggleLesson => self.lesson_open = !self.lesson_open,
            Action::LessonStep(step) => self.lesson_step = step,
            Action::Lesson(actions) => self.follow_lesson(actions),
            Action::RestoreLastGood => self.send(Command::RestoreLastGood { lr_factor: RESTORE_FACTOR }),
            Action::Fork => self.fork(),
            Action::MeasureHere => self.measure_here(),
            Action::Twin { id, text } => self.twin(id, &text),
            Action::Focus(track) => self.focus(track),
            Action::Note { step, text } => {
                self.dialog = None;
                self.note(step, text);
            }
            Action::Time(command) => {
                self.playback = None;
                self.awaited.forget_step();
                self.cursor = self.cursor.after(command, self.recording().newest_step());
            }
            Action::Window(command) => {
                self.options.window = self.options.window.after(command, self.recording().newest_step());
            }
            Action::Playback => self.toggle_playback(),
            Action::PlaybackSpeed(speed) => {
                self.playback_speed = speed;
                self.playback = self.playback.map(|_| Playback::at(speed));
            }
            Action::Maximise(pane) => {
                self.awaited.forget_chart();
                self.maximised = if self.maximised == Some(pane) { None } else { Some(pane) };
            }
            Action::SetOptions(options) => self.options = options,
            Action::ResetLayout => {
                self.maximised = None;
                self.set_layout(super::arrangement::start(self.recording()));
                self.layout_resets += 1;
            }
            Action::Layout(action) => self.arrange(action),
            Action::Undo => self.undo(),
            Action::Redo => self.redo(),
            Action::Share(action) => self.share(action),
            Action::Settings(action) => self.set_settings(action),
            Action::BeginWithWeights(path) => self.begin_with_weights(path),
            Action::CompareWeights(path) => self.compare_weights(&path),
            Action::ToggleTheme => self.dark = !self.dark,
            Action::TogglePresenter => self.toggle_presenter(),
            Action::ToggleKnobs => self.knobs_open = !self.knobs_open,
            Action::Show(dialog) => self.dialog = Some(dialog),
            Action::Back => {
                if self.dialog.take().is_none() {
                    self.maximised = None;
                }
            }
            Action::Browse(purpose) => self.background.browse(purpose, self.memory.folder.as_deref()),
            Action::Save(path) => {
                self.dialog = None;
                self.save(path);
            }
            Action::Open(path) if path.to_str().is_some_and(super::share::link::is_one) => {
                self.dialog = None;
                self.share(ShareAction::Open(path.to_string_lossy().into_owned()));
            }
            Action::Open(path) => {
                self.dialog = None;
                if watch::is_one(&path) {
                    self.watch_training(&path);
                    return;
                }
                if file::is_being_written(&path) {
                    self.follow_file(&path);
                    return;
                }
                self.bring(path);
            }
            Action::Compare { paths, with_shown } => {
                self.dialog = None;
                self.open_beside(paths, with_shown);
            }
            Action::ToggleTracks => self.tracks_open = !self.tracks_open,
            Action::CloseFile => self.close_file(),
            Action::Export(action) => self.leave(action),
            Action::Film(action) => self.film(action),
            Action::CoordCheck(action) => self.coord_check.apply(action, &self.draft, &self.wake),
            Action::Connectivity(action) => self.connect(action),
            Action::SaveWeights(path) => {
                self.dialog = None;
                self.send(Command::SaveWeights(path));
            }
            Action::Pick { pane, at } => self.open_cell(pane, at),
            Action::BackToSweep => {
                if let Some(path) = self.sweep.as_ref().map(|watch| watch.folder().to_owned()) {
                    self.watch_sweep(&path);
                }
            }
            Action::Tell(message) => self.toasts.push(Notice::problem(message)),
            Action::Dismiss(index) => self.toasts.dismiss(index),
        }
    }

    /// Text for the last row leaves no room for the panels at the sides: they are put aside, and come back.
    fn toggle_presenter(&mut self) {
        self.presenter = !self.presenter;
        if self.presenter {
            self.put_aside = [self.knobs_open, self.lesson_open];
            (self.knobs_open, self.lesson_open) = (false, false);
        } else {
            self.knobs_open |= self.put_aside[0];
            self.lesson_open |= self.put_aside[1];
        }
    }

    fn toggle_playback(&mut self) {
        let newest = self.recording().newest_step();
        self.playback = match self.playback {
            None if newest > 0 => {
                self.cursor = Playback::start(self.cursor, newest);
                Some(Playback::at(self.playback_speed))
            }
            _ => None,
        };
    }

    /// Moves a cursor that is played on by so many seconds; whether it goes on.
    pub fn play_on(&mut self, secs: f64) -> bool {
        let newest = self.recording().newest_step();
        let Some(playback) = &mut self.playback else { return false };
        match playback.advance(self.cursor, secs, newest) {
            Some(cursor) => self.cursor = cursor,
            None => {
                self.cursor = crate::record::TimeCursor::Following;
                self.playback = None;
            }
        }
        self.playback.is_some()
    }

    fn play_or_pause(&mut self) {
        match self.live.state {
            // A protocol has an end; there is nothing to train on with.
            RunState::Finished | RunState::Failed if self.lab.is_some() => self.restart_lab(),
            RunState::Running | RunState::Preparing => self.send(Command::Pause),
            RunState::Paused | RunState::Finished => self.send(Command::Play),
            RunState::Watching => {}
            RunState::Diverged => {
                self.toasts.push(Notice::remark("The run has diverged: restore the last good step, branch, or reset"));
            }
            RunState::Failed => self.toasts.push(Notice::remark("The run has failed: restart it")),
            RunState::Following => {}
        }
    }

    fn connect(&mut self, action: ConnectivityAction) {
        let live = self.has_transport();
        let mut comparing = std::mem::take(&mut self.comparing);
        let (recording, step) = (self.recording(), self.cursor.step(self.recording().newest_step()));
        let shown = Shown { spec: self.spec(), recording, step, live };
        if comparing.apply(action, &shown, &self.wake) {
            self.send(Command::Checkpoints);
        }
        self.comparing = comparing;
    }

    fn restart(&mut self) {
        if self.lab.is_some() {
            self.close_file();
            self.restart_lab();
            return;
        }
        if let Some(obstacle) = draft::obstacle(&self.draft) {
            self.toasts.push(Notice::problem(obstacle));
            return;
        }
        self.close_file();
        self.cursor = crate::record::TimeCursor::Following;
        self.send(Command::Restart(Box::new(self.draft.clone())));
    }

    fn set_knob(&mut self, id: &'static str, value: &KnobValue) {
        let Some(knob) = knobs::find(id) else { return };
        if knob.get(&self.draft) == *value && knob.get(self.spec()) == *value {
            return;
        }
        match draft::change(&mut self.draft, id, value) {
            Err(message) => self.toasts.push(Notice::problem(message)),
            Ok(remarks) => {
                remarks.into_iter().for_each(|text| self.toasts.push(Notice::remark(text)));
                if knob.is_live() {
                    self.send(Command::SetKnob { id, value: value.clone() });
                } else if draft::obstacle(&self.draft).is_none() {
                    self.restart();
                }
            }
        }
    }
}
