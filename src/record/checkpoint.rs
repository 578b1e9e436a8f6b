//! From where a run can go on: stored whole, understood by `run` alone.

use std::sync::Arc;

use super::reading::TrackId;

/// All that a track needs to go on after `step` updates, bit for bit, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub track: TrackId,
    pub step: u64,
    /// A safetensors file; `docs/RECORDING.md` says what is in it.
    pub data: Arc<Vec<u8>>,
}

impl Checkpoint {
    pub fn info(&self) -> CheckpointInfo {
        CheckpointInfo { track: self.track, step: self.step, bytes: self.data.len() }
    }
}

/// That there is one, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointInfo {
    pub track: TrackId,
    pub step: u64,
    pub bytes: usize,
}
