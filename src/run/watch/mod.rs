//! A training that another program does, measured from the checkpoints that it leaves in a folder.
//!
//! ```text
//! model.toml                 the network, its loss, its data: what `measure` reads, and `data`, `test_data`, `optimizer`
//! data.safetensors           x, y and, if there is a test split, x_test, y_test
//! step-000123.safetensors    the parameters after 123 updates
//! finished                   no more will come (its content doesn't matter)
//! ```
//!
//! `docs/WATCH.md` says the same to those who write such a folder. What is told is what a run tells: a recording with readings
//! at the checkpoints' own steps.

mod beginning;
mod folder;
mod watching;
mod worker;

use std::path::{Path, PathBuf};

use super::knobs::{self, Group, KnobValue, Liveness, SpecKnob};
use super::spec::DeviceChoice;

pub(super) use worker::work;

pub use super::prober::PROBES;

/// What a folder that can be watched has in it.
pub const MODEL: &str = "model.toml";
/// Where the examples are, unless `data` says otherwise.
pub const DATA: &str = "data.safetensors";
/// A file of that name says that no more checkpoints will come.
pub const FINISHED: &str = "finished";

/// What is watched, and how.
#[derive(Clone, Debug, Default)]
pub struct WatchOrder {
    pub folder: PathBuf,
    /// Ids of [`PROBES`]: what is measured besides losses and norms; empty for all.
    pub probes: Vec<&'static str>,
    /// Knobs of [`settings`] that differ from their defaults here.
    pub knobs: Vec<(&'static str, KnobValue)>,
    pub device: DeviceChoice,
    /// Measure what is there and end, instead of waiting for more.
    pub once: bool,
}

/// Whether `path` looks like such a folder.
pub fn is_one(path: &Path) -> bool {
    path.join(MODEL).is_file()
}

/// Knobs that mean something where the training is somebody else's.
pub fn settings() -> impl Iterator<Item = &'static SpecKnob> {
    let measures = |knob: &&SpecKnob| knob.group == Group::Measuring && knob.liveness == Liveness::Live;
    // Nothing competes for the time, and the optimiser's memory isn't in the files.
    knobs::all().filter(measures).filter(|knob| !["probe-budget", "sharpness-of"].contains(&knob.id))
}
