//! The whole vocabulary between the worker and whoever listens.

use std::path::PathBuf;
use std::sync::Arc;

use crate::record::{Fingerprint, Fork, Header, Intervention, Note, Outcome, Snapshot, TrackId, TrackInfo};

use super::bench::Values;
use super::connectivity::Checkpoints;
use super::course::Course;
use super::keeper::Keeping;
use super::knobs::KnobValue;
use super::spec::RunSpec;

/// What a listener may ask of the worker. Each takes effect within 50 ms, even during a measurement.
#[derive(Clone, Debug)]
pub enum Command {
    /// Train on (after a pause, or past the planned number of steps).
    Play,
    Pause,
    /// One optimiser update, then pause.
    Step,
    /// Drop the run and begin another: [`Event::Started`] follows, paused or playing as before.
    Restart(Box<RunSpec>),
    /// The same for two runs that are trained in turn, from one seed: each is a track.
    Twin(Box<[RunSpec; 2]>),
    /// Drop the run and do another again: its knobs are turned and its branches begin where `course` says. A branch that the user
    /// begins meanwhile ends the course.
    Repeat {
        spec: Box<RunSpec>,
        course: Box<Course>,
    },
    /// Set a live knob before the next update: [`Event::Intervention`] follows. Cold knobs need [`Command::Restart`].
    SetKnob {
        id: &'static str,
        value: KnobValue,
    },
    /// At most so many updates a second; `None` lifts the limit.
    SpeedLimit(Option<f64>),
    /// Begin a branch at a step of a track and pause there: [`Event::Track`] follows.
    Fork(Fork),
    /// Write something at a step of the track that runs.
    Note {
        step: u64,
        text: String,
    },
    /// After a divergence: a branch at the last good step with the learning rate times `lr_factor`, and play.
    RestoreLastGood {
        lr_factor: f64,
    },
    /// Write all that was recorded into a file: [`Event::Saved`] or [`Event::SaveFailed`] follows.
    Save(PathBuf),
    /// Tell the weights that are kept of the path: [`Event::Checkpoints`] follows.
    Checkpoints,
    /// Write the current weights into a safetensors file: [`Event::Saved`] or [`Event::SaveFailed`] follows.
    SaveWeights(PathBuf),
    /// Of a lab: begin it anew with these knobs: [`Event::LabStarted`] follows.
    RestartLab(Box<Values>),
    /// End the worker thread.
    Quit,
}

/// What the worker does at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunState {
    /// Building data and model.
    #[default]
    Preparing,
    Running,
    Paused,
    /// Another program trains; its checkpoints are measured as they come.
    Watching,
    /// The planned steps are done; `Play` goes on.
    Finished,
    Diverged,
    /// Another program trains: this one reads its recording as it grows, and commands have no effect.
    Following,
    /// The run can't go on (an error or a bug); `Restart` begins anew.
    Failed,
}

/// How fast it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PaceReport {
    pub step: u64,
    /// Optimiser updates per wall-clock second over the last second or so.
    pub steps_per_sec: f64,
    /// Share of the worker's time that probes took over the same span.
    pub probe_share: f64,
}

/// How far a lab is, and how long the rest will take if it goes on so.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// In [0, 1].
    pub share: f64,
    /// Seconds; none before there is anything to go by.
    pub left: Option<f64>,
}

/// What the worker tells. Events arrive in order and complete, but for [`Event::Picture`].
#[derive(Clone, Debug)]
pub enum Event {
    /// A run begins; earlier events belong to earlier runs.
    Started {
        header: Arc<Header>,
        spec: Box<RunSpec>,
    },
    /// The same for a lab.
    LabStarted {
        header: Arc<Header>,
        values: Box<Values>,
    },
    /// A track of a lab begins, or a branch: what follows belongs to it.
    Track(TrackInfo),
    /// A live knob of a lab was turned; `values` are now in force.
    KnobTurned {
        mark: Intervention,
        values: Box<Values>,
    },
    /// How far a lab is.
    Progress(Progress),
    /// Readings to be recorded.
    Snapshot(Arc<Snapshot>),
    /// An unfinished slice for the eye alone; newer ones replace it, any may be missing.
    Picture(Arc<Snapshot>),
    /// A live knob changed; `spec` is the specification now in force.
    Intervention {
        mark: Intervention,
        spec: Box<RunSpec>,
    },
    State(RunState),
    Pace(PaceReport),
    Fingerprint(Fingerprint),
    /// What became of a checkpoint.
    Checkpoint(Keeping),
    Note(Note),
    /// Training rests and all is measured there is to measure: the worker sleeps until a command comes.
    AtRest {
        step: u64,
    },
    /// A track ended so; a divergence is where training stopped by itself.
    Ended {
        track: TrackId,
        outcome: Outcome,
    },
    /// An error or a panic of the worker, in words for the user; what was recorded is safe.
    Failed(String),
    /// A line for the user about something that came from outside and that the worker could not use.
    Remark(String),
    /// What [`Command::Checkpoints`] asked for.
    Checkpoints(Arc<Checkpoints>),
    Saved(PathBuf),
    SaveFailed(String),
}
