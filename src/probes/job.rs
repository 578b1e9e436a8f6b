//! What probes look at, and how heavy ones are done in small pieces.

use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Device, Result, Tensor};

use crate::base::rng::Streams;
use crate::nn::batch::Batch;
use crate::nn::model::Model;
use crate::nn::spec::{LossSpec, ModelSpec};
use crate::record::{Reading, SeriesId};
use crate::tasks::data::Split;

/// Names and readings of one step.
pub type Readings = Vec<(SeriesId, Reading)>;

/// A point of the training path: parameters that were, for the trajectory on the slice.
#[derive(Clone, Debug)]
pub struct PastPoint {
    pub step: u64,
    pub loss: f32,
    /// In the flattening order.
    pub params: Arc<Vec<f32>>,
}

/// Frozen parameters at a step, with all that a measurement needs.
#[derive(Clone)]
pub struct Subject {
    /// Updates done: these are the parameters after `step` updates.
    pub step: u64,
    pub model: Arc<dyn Model>,
    /// What `model` was built from.
    pub spec: ModelSpec,
    /// Detached; nobody writes to them.
    pub params: Arc<Vec<Tensor>>,
    pub loss: LossSpec,
    /// Training split as training sees it (with label noise).
    pub train: Arc<Split>,
    pub dtype: DType,
    pub device: Device,
    /// Streams of the run's seed; probes draw from names that begin with `probe/`.
    pub streams: Streams,
    /// Oldest first, thinned to a few hundred; the current parameters are the last.
    pub path: Arc<Vec<PastPoint>>,
}

impl Subject {
    /// The first `n` training examples as a batch (all if there are fewer).
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn batch(&self, n: usize) -> Result<Batch> {
        Batch::new(&self.train.first(n), self.dtype, &self.device)
    }
}

/// How far a job got.
#[derive(Clone, Debug, PartialEq)]
pub enum Advance {
    /// There is more to do; what is finished so far is to be recorded at the subject's step.
    Working(Readings),
    /// The last readings; the job is over.
    Done(Readings),
}

/// A measurement in pieces of at most some 20 ms each, on one subject.
pub trait Job: Send {
    /// The step whose parameters are measured.
    fn step(&self) -> u64;

    /// Works until `deadline` (at least one piece) or until `stop` answers true between two pieces.
    ///
    /// # Errors
    /// Whatever candle says of the device. A measurement that isn't finite is a reading, not an error.
    fn advance(&mut self, deadline: Instant, stop: &dyn Fn() -> bool) -> Result<Advance>;

    /// An unfinished picture for the eye alone.
    fn picture(&self) -> Option<Readings> {
        None
    }
}
