//! Everything that determines one training run.
//!
//! Two equal specs give two equal runs on one machine. The canonical form is TOML: every field written,
//! in the order of the struct.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::nesting;
use crate::nn::slice::directions::{DirectionKind, Normalisation};
use crate::nn::spec::{LossSpec, ModelSpec};
use crate::nn::statistics::Statistics;
use crate::optim::spec::{OptimizerSpec, ScheduleSpec};
use crate::probes::plane::Choice;
use crate::record::{SliceExtent, SliceMetric};
use crate::tasks::spec::TaskSpec;

use super::preconditioning::SharpnessOf;

/// When the heavy probes (slice, sharpness) measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// Whenever the budget allows: what the eye wants. Which steps get measured depends on the machine's speed.
    #[default]
    Budget,
    /// Every `every` steps, to the end: equal specs then give equal recordings, too.
    Steps,
}

/// What is measured, how often and with how many examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeSpec {
    /// Share of the worker's time that probes may take, in [0, 1]; 0 measures nothing but the losses.
    pub budget: f64,
    pub pace: Pace,
    /// Steps between measurements of the heavy probes when `pace` is `steps`.
    pub every: u64,
    /// What spans the plane of the slice.
    pub landscape_directions: DirectionKind,
    /// Of random directions.
    pub landscape_normalisation: Normalisation,
    /// Through which point of the path the plane of `checkpoints` goes, beside its start and here.
    pub landscape_checkpoint: Choice,
    /// What else than loss and accuracy is measured on the slice; none for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landscape_metric: Option<SliceMetric>,
    /// At how many points that is measured.
    pub landscape_metric_extent: SliceExtent,
    /// Half the side of the slice, in units of the directions.
    pub landscape_radius: f64,
    /// Training examples behind each point of the slice.
    pub landscape_examples: usize,
    /// Training examples behind the Hessian.
    pub sharpness_examples: usize,
    /// Training examples whose activations are looked at.
    pub signal_examples: usize,
    /// Whether rounding to int8 is tried on activations and weights.
    pub int8: bool,
    /// The training example, from 1, whose attention is recorded; 0 measures no attention.
    pub attention_example: usize,
    /// The largest eigenvalue of which matrix.
    pub sharpness_of: SharpnessOf,
    /// Largest eigenvalues of the Hessian that the spectrum names one by one; 0 measures no spectrum.
    pub eigenvalues: usize,
    /// What batch normalisation's statistics are taken of.
    pub statistics: Statistics,
}

impl Default for ProbeSpec {
    fn default() -> Self {
        Self {
            budget: 0.25,
            pace: Pace::Budget,
            every: 100,
            landscape_directions: DirectionKind::Random,
            landscape_normalisation: Normalisation::Filter,
            landscape_checkpoint: Choice::Middle,
            landscape_metric: None,
            landscape_metric_extent: SliceExtent::Axes,
            landscape_radius: 1.0,
            landscape_examples: 64,
            sharpness_examples: 64,
            signal_examples: 128,
            int8: true,
            attention_example: 1,
            sharpness_of: SharpnessOf::Hessian,
            eigenvalues: 3,
            statistics: Statistics::Batch,
        }
    }
}

/// From which steps a run can be gone on with later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointSpec {
    /// Steps between checkpoints; 0 keeps none.
    pub every: u64,
    /// Most that the checkpoints of a run may take, in MiB; every other one is dropped where they would take more.
    pub budget_mib: u64,
}

impl Default for CheckpointSpec {
    fn default() -> Self {
        Self { every: 100, budget_mib: 128 }
    }
}

/// Where tensors live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The first of CUDA and Metal that the program was built for and that answers, else the CPU.
    #[default]
    Auto,
    Cpu,
    Cuda,
    Metal,
}

/// Everything that determines one training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunSpec {
    pub seed: u64,
    /// Optimiser updates in the whole run; the window goes on until stopped when it is reached.
    pub steps: u64,
    /// Training examples a step; 0 means all of them (full batch).
    pub batch_size: usize,
    /// Steps between evaluations of the test split.
    pub eval_every: u64,
    pub device: DeviceChoice,
    /// A safetensors file with the parameters to begin with; none draws them from the seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_weights: Option<PathBuf>,
    pub task: TaskSpec,
    pub model: ModelSpec,
    pub loss: LossSpec,
    pub optimizer: OptimizerSpec,
    pub schedule: ScheduleSpec,
    pub probes: ProbeSpec,
    pub checkpoints: CheckpointSpec,
}

impl Default for RunSpec {
    fn default() -> Self {
        Self {
            seed: 0,
            steps: 1_500,
            batch_size: 64,
            eval_every: 25,
            device: DeviceChoice::Auto,
            init_weights: None,
            task: TaskSpec::default(),
            model: ModelSpec::default(),
            loss: LossSpec::default(),
            optimizer: OptimizerSpec::default(),
            schedule: ScheduleSpec::default(),
            probes: ProbeSpec::default(),
            checkpoints: CheckpointSpec::default(),
        }
    }
}

/// A specification that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    #[error(
        "can't read the specification {path:?}: {source}; give the path of a TOML file that `landscope run` wrote, or leave `--config` out"
    )]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the specification {origin} isn't valid: {message}")]
    Invalid { origin: String, message: String },
}

impl RunSpec {
    /// The canonical text: equal specs have equal texts.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a spec holds only what TOML can say")
    }

    /// # Errors
    /// [`SpecError::Invalid`] with the line, for unknown fields, wrong types and impossible values.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, SpecError> {
        nesting::check(text).map_err(|message| SpecError::Invalid { origin: origin.into(), message })?;
        let spec: Self = toml::from_str(text).map_err(|error| SpecError::Invalid {
            origin: origin.into(),
            message: error.to_string().trim().replace('\n', " "),
        })?;
        super::knobs::validate(&spec).map_err(|message| SpecError::Invalid { origin: origin.into(), message })?;
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_reads_back_equal() {
        let spec = RunSpec { seed: 3, batch_size: 0, ..RunSpec::default() };
        assert_eq!(RunSpec::from_toml(&spec.to_toml(), "test").unwrap(), spec);
    }

    #[test]
    fn unknown_fields_are_named() {
        let error = RunSpec::from_toml("sede = 1", "test").unwrap_err().to_string();
        assert!(error.contains("sede"), "{error}");
    }
}
