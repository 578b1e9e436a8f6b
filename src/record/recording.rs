//! Everything one session measured, and the questions panes ask of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::branches::{Fingerprint, Fork};
use super::chart::Chart;
use super::checkpoint::CheckpointInfo;
use super::memory::Memory;
use super::param_role::ParamPart;
use super::reading::{Estimate, Reading, SeriesId, Snapshot, TrackId};
use super::series::{HeavySeries, ScalarSeries, Series, VectorSeries};

/// What the pane on token similarity compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenKind {
    /// Tokens of one sequence, averaged over examples.
    #[default]
    Tokens,
    /// The model has no tokens: examples of a batch take their place.
    Examples,
}

/// A place in the network where activations are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerInfo {
    /// Such as `embedding`, `block 2 attention`, `block 2`.
    pub name: String,
}

/// What a reader needs to know of a run before its first step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub program_version: String,
    /// The run's specification as canonical TOML.
    pub spec: String,
    pub task_title: String,
    pub model_title: String,
    pub loss_title: String,
    pub parameters: usize,
    pub train_examples: usize,
    pub test_examples: usize,
    /// Classes, or 0 for regression.
    pub classes: usize,
    /// Where activations and cosines are measured, input side first.
    pub layers: Vec<LayerInfo>,
    /// Groups of parameters that gradient norms are given for, input side first.
    pub parameter_groups: Vec<String>,
    /// What numbers by role are given for, input side first; empty in recordings that are older.
    #[serde(default)]
    pub parameter_parts: Vec<ParamPart>,
    /// Heads of an attention branch, 0 for networks without attention; none in recordings that are older.
    #[serde(default)]
    pub attention_heads: Option<usize>,
    pub token_kind: TokenKind,
    pub device: String,
    /// What the sharpness is compared with, such as `2(1 + momentum)/lr`; empty where nothing is.
    pub threshold_formula: String,
    /// The same for the preconditioned sharpness; empty in recordings that are older, too.
    #[serde(default)]
    pub preconditioned_formula: String,
    /// Optimiser steps the run is meant to take.
    pub planned_steps: u64,
    /// The lab that was run; none for the Playground.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lab: Option<LabHeader>,
    /// What is shown of it; none for the Playground's panes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<Chart>,
    /// The folder whose checkpoints were measured, if another program trained; none for runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<String>,
}

/// Which experiment was run, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabHeader {
    pub id: String,
    pub title: String,
    pub seed: u64,
    /// Knobs by id, as they stood at the start.
    pub knobs: BTreeMap<String, String>,
}

/// A knob that was moved while the run went on, or another mark on the time line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervention {
    #[serde(default)]
    pub track: TrackId,
    /// The change takes effect with the update after this step.
    pub step: u64,
    /// Id of the knob; `restore` and `fork` tell where a branch comes from.
    pub knob: String,
    pub from: String,
    pub to: String,
}

/// What a user wrote at a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub track: TrackId,
    pub step: u64,
    pub text: String,
}

/// Where numbers stopped being numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    pub step: u64,
    /// The layer (or `loss`, or the parameter group) that was first not finite in the order of computation.
    pub layer: String,
    /// `activation`, `loss`, `gradient` or `update`; a whole remark where every number was still finite.
    pub quantity: String,
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { step, layer, quantity } = self;
        match quantity.as_str() {
            "loss" => write!(f, "Diverged at step {step}: the loss is the first number that isn't finite"),
            "activation" | "gradient" | "update" => {
                write!(f, "Diverged at step {step}: the first number that isn't finite is in {layer} ({quantity})")
            }
            remark => write!(f, "Diverged at step {step}: {remark} in {layer}"),
        }
    }
}

/// How a track ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Finished,
    Stopped,
    Diverged(Divergence),
    Failed(String),
}

/// What a track is called, and what sets it apart from the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrackInfo {
    pub id: TrackId,
    /// Such as `width 256`.
    pub label: String,
    /// Such as width = 256, seed = 0: what charts choose, colour and group by.
    pub attributes: BTreeMap<String, String>,
    /// Of a branch.
    pub parent: Option<Fork>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    pub label: String,
    pub attributes: BTreeMap<String, String>,
    /// Of a branch: it holds its parent's readings from before the fork, too.
    pub parent: Option<Fork>,
    /// Of a track that came from another recording than the others.
    pub(super) header: Option<Arc<Header>>,
    pub(super) outcome: Option<Outcome>,
    pub(super) newest_step: u64,
    pub(super) series: BTreeMap<SeriesId, Series>,
}

impl Track {
    pub fn series(&self) -> impl Iterator<Item = (&SeriesId, &Series)> {
        self.series.iter()
    }

    pub fn scalar(&self, id: &str) -> Option<&ScalarSeries> {
        match self.series.get(&SeriesId::owned(id))? {
            Series::Scalar(series) => Some(series),
            _ => None,
        }
    }

    pub fn vector(&self, id: &str) -> Option<&VectorSeries> {
        match self.series.get(&SeriesId::owned(id))? {
            Series::Vector(series) => Some(series),
            _ => None,
        }
    }

    pub fn heavy(&self, id: &str) -> Option<&HeavySeries> {
        match self.series.get(&SeriesId::owned(id))? {
            Series::Heavy(series) => Some(series),
            _ => None,
        }
    }

    /// The last step that was read.
    pub fn newest_step(&self) -> u64 {
        self.newest_step
    }

    /// An attribute as a number.
    pub fn number(&self, attribute: &str) -> Option<f64> {
        self.attributes.get(attribute)?.parse().ok()
    }
}

/// A snapshot that doesn't fit the series it names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reading {series:?} at step {step} is of another kind, size or an earlier step than the readings before it")]
pub struct Misfit {
    pub series: String,
    pub step: u64,
    /// It is of an earlier step only: [`Recording::insert`] takes it.
    pub is_late: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Recording {
    pub header: Header,
    pub interventions: Vec<Intervention>,
    /// How the newest track ended; [`Recording::outcome_of`] knows the others.
    pub outcome: Option<Outcome>,
    pub fingerprints: Vec<Fingerprint>,
    /// From where the run can go on, in the order in which they were kept.
    pub checkpoints: Vec<CheckpointInfo>,
    pub notes: Vec<Note>,
    pub(super) focus: Option<TrackId>,
    pub(super) newest_track: TrackId,
    pub(super) branched: bool,
    /// Shared with copies until one of them changes.
    pub(super) tracks: BTreeMap<TrackId, Arc<Track>>,
    pub(super) newest_step: u64,
    pub(super) memory: Memory,
    pub(super) version: u64,
}

impl Recording {
    pub fn new(header: Header) -> Self {
        Self { header, ..Self::default() }
    }

    /// Grows with every change: a cache key.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Marks a change made through a public field.
    pub fn touch(&mut self) {
        self.version += 1;
    }

    /// The last step of all tracks; with branches, of the one in focus.
    pub fn newest_step(&self) -> u64 {
        if self.branched {
            self.tracks.get(&self.focus()).map_or(0, |track| track.newest_step)
        } else {
            self.newest_step
        }
    }

    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    pub fn tracks(&self) -> impl Iterator<Item = (TrackId, &Track)> {
        self.tracks.iter().map(|(id, track)| (*id, &**track))
    }

    pub fn track(&self, id: TrackId) -> Option<&Track> {
        self.tracks.get(&id).map(|track| &**track)
    }

    /// Names a track before its first reading, or anew.
    pub fn begin_track(&mut self, info: &TrackInfo) {
        let track = Arc::make_mut(self.tracks.entry(info.id).or_default());
        track.label.clone_from(&info.label);
        track.attributes.clone_from(&info.attributes);
        if let Some(fork) = info.parent {
            self.begin_branch(info, fork);
        }
        self.version += 1;
    }

    /// Adds a snapshot. Steps of one series don't go backwards, but a reading may take the place of an earlier one at its step:
    /// an estimate that was refined.
    ///
    /// # Errors
    /// [`Misfit`] names the first reading that doesn't fit; nothing of the snapshot is then added.
    pub fn push(&mut self, snapshot: &Snapshot) -> Result<(), Misfit> {
        let track = Arc::make_mut(self.tracks.entry(snapshot.track).or_default());
        for (id, reading) in &snapshot.readings {
            if let Some(series) = track.series.get(id).filter(|series| !series.accepts(snapshot.step, reading)) {
                let is_late = series.accepts(u64::MAX, reading);
                return Err(Misfit { series: id.to_string(), step: snapshot.step, is_late });
            }
        }
        for (id, reading) in &snapshot.readings {
            let series = track.series.entry(id.clone()).or_insert_with(|| {
                self.memory.begin_series();
                Series::for_reading(reading)
            });
            let before = series.bytes();
            series.push(snapshot.step, reading);
            self.memory.changed(series, before);
        }
        track.newest_step = track.newest_step.max(snapshot.step);
        self.newest_step = self.newest_step.max(snapshot.step);
        self.version += 1;
        self.keep_budget();
        Ok(())
    }

    pub fn intervene(&mut self, mark: Intervention) {
        self.interventions.push(mark);
        self.version += 1;
    }

    /// A series of the track in focus.
    pub fn series(&self, id: &SeriesId) -> Option<&Series> {
        self.tracks.get(&self.focus())?.series.get(id)
    }

    pub fn scalar(&self, id: &SeriesId) -> Option<&ScalarSeries> {
        match self.series(id)? {
            Series::Scalar(series) => Some(series),
            _ => None,
        }
    }

    pub fn vector(&self, id: &SeriesId) -> Option<&VectorSeries> {
        match self.series(id)? {
            Series::Vector(series) => Some(series),
            _ => None,
        }
    }

    pub fn heavy(&self, id: &SeriesId) -> Option<&HeavySeries> {
        match self.series(id)? {
            Series::Heavy(series) => Some(series),
            _ => None,
        }
    }

    pub fn estimate_at(&self, id: &SeriesId, step: u64) -> Option<(u64, &Estimate)> {
        self.scalar(id)?.estimate_at(step)
    }

    /// The newest heavy reading at or before `step`, with its own step.
    pub fn latest_at(&self, id: &SeriesId, step: u64) -> Option<(u64, &Reading)> {
        self.heavy(id)?.latest_at(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(step: u64, id: &str, reading: Reading) -> Snapshot {
        Snapshot { track: TrackId(0), step, readings: vec![(SeriesId::owned(id), reading)] }
    }

    #[test]
    fn a_snapshot_of_another_kind_or_an_earlier_step_is_refused_whole() {
        let mut recording = Recording::default();
        recording.push(&snapshot(3, "x", Reading::Scalar(1.0))).unwrap();
        assert!(recording.push(&snapshot(4, "x", Reading::Vector(vec![1.0]))).is_err());
        assert!(recording.push(&snapshot(2, "x", Reading::Scalar(1.0))).is_err());
        assert_eq!(recording.newest_step(), 3);
        assert_eq!(recording.scalar(&SeriesId::owned("x")).unwrap().len(), 1);
    }
}
