//! One training run: data, network, optimiser and the step.
//!
//! Nothing here knows of probes, threads or windows: the numbers depend on the specification alone.

mod checkpoint;
mod spawn;
mod standing;

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use crate::base::rng::Streams;
use crate::nn::batch::{Batch, InputTensor};
use crate::nn::build::{BuildError, build};
use crate::nn::cost::Cost;
use crate::nn::model::Model;
use crate::nn::params::Params;
use crate::nn::roles::RoleParts;
use crate::nn::slice::directions::DirectionKind;
use crate::nn::statistics::{POPULATION, evaluated};
use crate::nn::training;
use crate::optim::Optimizer;
use crate::optim::schedule::lr_at;
use crate::record::file::FileError;
use crate::record::{Divergence, Header, LayerInfo};
use crate::tasks::batches::Batches;
use crate::tasks::data::{Split, Targets, Task};
use crate::tasks::error::TaskError;
use crate::tasks::load::load;
use crate::tasks::noise::noisy_targets;

use super::device::{self, DeviceError, first_line};
use super::divergence::{self, Watch};
use super::parametrization;
use super::preconditioning;
use super::spec::RunSpec;
use super::threshold;
use super::weights_file::{self, WeightsFileError};

pub use checkpoint::{Checkpoint, CheckpointError};
pub use spawn::Memory;
pub use standing::Whole;

/// Examples a forward pass of the test split takes at once.
const EVALUATION_CHUNK: usize = 512;
/// Steps between norms by role: they cost a copy of the parameters.
pub const ROLES_EVERY: u64 = 20;

/// A run that can't begin or go on, in words for the user.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error("{0}")]
    Spec(String),
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Weights(#[from] WeightsFileError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the worker hit a bug: {0}; what was recorded is safe, restart to go on")]
    Bug(String),
    #[error("the tensor library failed: {}", first_line(.0))]
    Tensor(#[from] candle_core::Error),
}

/// What one update saw.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// Updates done before this one: the losses belong to the parameters at this step.
    pub step: u64,
    pub loss: f64,
    /// Share of graded targets of the minibatch that were hit; none for regression.
    pub accuracy: Option<f64>,
    pub lr: f64,
    /// Per parameter group.
    pub gradient_norm: Vec<f32>,
    /// Per parameter group: norm of the update over norm of the parameters.
    pub update_ratio: Vec<f32>,
    /// Every [`ROLES_EVERY`] steps.
    pub by_role: Option<RoleNorms>,
}

/// The norms of a step by layer and role, as [`RoleParts`] has them.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleNorms {
    /// Of the minibatch gradient, before clipping.
    pub gradient: Vec<f32>,
    pub update_ratio: Vec<f32>,
}

/// An update was made, or can't be.
#[derive(Clone, Debug)]
pub enum StepOutcome {
    Done(StepReport),
    Diverged(Divergence),
}

/// Loss and accuracy on the test split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    pub loss: f64,
    pub accuracy: Option<f64>,
}

pub struct Trainer {
    spec: RunSpec,
    streams: Streams,
    device: Device,
    dtype: DType,
    task: Task,
    /// The training split with label noise, as training sees it.
    train: Arc<Split>,
    test: Vec<Batch>,
    /// Examples whose statistics the network is evaluated with, if it has batch normalisation.
    population: Option<InputTensor>,
    model: Arc<dyn Model>,
    params: Params,
    optimizer: Optimizer,
    batches: Batches,
    watch: Watch,
    roles: RoleParts,
    step: u64,
    /// Parameters before the last update and their step, kept while a slice wants to know.
    before: Option<(u64, Vec<Tensor>)>,
}

impl Trainer {
    /// Loads the data, builds and initialises the network.
    ///
    /// # Errors
    /// [`TrainError`] says what of the specification, the data or the device is wrong and what to do.
    pub fn new(spec: RunSpec) -> Result<Self, TrainError> {
        super::knobs::validate(&spec).map_err(TrainError::Spec)?;
        let task = load(&spec.task, &Streams::new(spec.seed))?;
        Self::with_task(spec, task)
    }

    /// As [`Self::new`], on data that are loaded already.
    ///
    /// # Errors
    /// [`TrainError`], as there.
    pub fn with_task(spec: RunSpec, task: Task) -> Result<Self, TrainError> {
        super::knobs::validate(&spec).map_err(TrainError::Spec)?;
        let device = device::open(spec.device)?;
        let dtype = DType::F32;
        let streams = Streams::new(spec.seed);
        let model = build(&spec.model, &task.train)?;
        let flat = match &spec.init_weights {
            Some(path) => weights_file::read(path, model.layout())?,
            None => model.init(&streams),
        };
        let params = Params::from_flat(model.layout().clone(), &flat, dtype, &device)?;
        let optimizer = parametrization::optimizer(&spec, model.layout());
        let batches = Batches::new(streams, task.train.len(), spec.batch_size);
        let test = (0..task.test.len())
            .step_by(EVALUATION_CHUNK)
            .map(|from| {
                let indices: Vec<_> = (from..(from + EVALUATION_CHUNK).min(task.test.len())).collect();
                Batch::new(&task.test.select(&indices), dtype, &device)
            })
            .collect::<candle_core::Result<_>>()?;
        let population = population(&*model, &task.train, dtype, &device)?;
        let train = Arc::new(with_noise(&task.train, spec.task.label_noise, &streams));
        let watch = Watch::default();
        Ok(Self {
            spec,
            streams,
            device,
            dtype,
            task,
            train,
            test,
            population,
            roles: RoleParts::of(model.layout()),
            model,
            params,
            optimizer,
            batches,
            watch,
            step: 0,
            before: None,
        })
    }

    /// What a reader needs to know before the first step.
    pub fn header(&self) -> Header {
        let layout = self.model.layout();
        let regression = self.task.train.targets.classes() == 0;
        Header {
            program_version: env!("CARGO_PKG_VERSION").into(),
            spec: self.spec.to_toml(),
            task_title: self.task.title.clone(),
            model_title: self.model.title(),
            loss_title: match self.spec.loss.kind {
                crate::nn::spec::LossKind::CrossEntropy if !regression => "cross-entropy (nats)".into(),
                _ => "mean squared error".into(),
            },
            parameters: layout.total(),
            train_examples: self.task.train.len(),
            test_examples: self.task.test.len(),
            classes: self.task.train.targets.classes(),
            layers: self.model.layers().iter().map(|name| LayerInfo { name: name.clone() }).collect(),
            parameter_groups: layout.groups().to_vec(),
            parameter_parts: self.roles.parts().to_vec(),
            attention_heads: Some(self.model.attention_heads()),
            token_kind: self.model.token_kind(),
            device: device::title(&self.device),
            threshold_formula: threshold::formula(&self.spec).into(),
            preconditioned_formula: threshold::preconditioned_formula(&self.spec).into(),
            planned_steps: self.spec.steps,
            lab: None,
            charts: Vec::new(),
            watched: None,
        }
    }

    /// One update.
    ///
    /// # Errors
    /// [`TrainError::Tensor`] for what only a bug or a device can cause. Numbers that aren't finite are an outcome.
    pub fn step(&mut self) -> Result<StepOutcome, TrainError> {
        let indices = self.batches.next_batch();
        let batch = Batch::new(&self.train.select(&indices), self.dtype, &self.device)?;
        let mut found = training::gradient(&*self.model, &self.params, &batch, &self.spec.loss)?;
        if let Some(suspicion) = self.watch.loss(self.step, found.loss) {
            return Ok(StepOutcome::Diverged(self.locate(suspicion, &batch)?));
        }
        let lr = lr_at(&self.spec.optimizer, &self.spec.schedule, self.step, self.spec.steps);
        let wanted = self.spec.probes.landscape_directions == DirectionKind::Gradient;
        self.before = if wanted { Some((self.step, self.params.frozen()?)) } else { None };
        let by_role = if self.step.is_multiple_of(ROLES_EVERY) {
            Some((self.roles.squares(&found.tensors)?, self.params.frozen()?))
        } else {
            None
        };
        let ascent = self.optimizer.ascend(&self.params, &found.tensors)?;
        if let Some(ascent) = &ascent {
            let uphill = training::gradient(&*self.model, &self.params, &batch, &self.spec.loss);
            ascent.undo(&self.params)?;
            found.tensors = uphill?.tensors;
        }
        let mut norms = self.optimizer.step_with_norms(&self.params, &found.tensors, lr)?;
        if let Some(ascent) = ascent {
            // What is recorded belongs to the parameters themselves.
            norms.gradient = ascent.gradient_norm;
        }
        if let Some(divergence) = divergence::in_norms(self.step, &norms, self.model.layout().groups()) {
            return Ok(StepOutcome::Diverged(divergence));
        }
        let by_role = match by_role {
            Some((squares, before)) => Some(RoleNorms {
                gradient: squares.iter().map(|s| s.sqrt() as f32).collect(),
                update_ratio: narrow(&self.roles.relative_change(&before, &self.frozen_tensors())?),
            }),
            None => None,
        };
        let report = StepReport {
            step: self.step,
            loss: found.loss,
            accuracy: share((found.correct, found.graded)),
            lr,
            gradient_norm: narrow(&norms.gradient),
            update_ratio: narrow(&norms.update_ratio),
            by_role,
        };
        self.step += 1;
        Ok(StepOutcome::Done(report))
    }

    /// Finds the layer behind a loss that isn't finite or has exploded.
    fn locate(&self, found: divergence::Suspicion, batch: &Batch) -> Result<Divergence, TrainError> {
        let mut taps = Vec::new();
        self.model.forward(&self.frozen_tensors(), &batch.inputs, Some(&mut taps))?;
        Ok(divergence::in_activations(found, self.model.layers(), &taps)?)
    }

    /// Loss and accuracy on the test split, with the parameters as they are.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn evaluate(&self) -> Result<Evaluation, TrainError> {
        let params = self.frozen_tensors();
        let model = match &self.population {
            Some(inputs) => evaluated(&self.model, &params, inputs)?,
            None => self.model.clone(),
        };
        let (mut loss_sum, mut weight, mut hit, mut graded) = (0.0, 0.0, 0, 0);
        for batch in &self.test {
            let found = training::evaluate(&*model, &params, batch, &self.spec.loss)?;
            let rows = if found.graded > 0 { found.graded } else { batch.len } as f64;
            loss_sum += found.loss * rows;
            weight += rows;
            hit += found.correct;
            graded += found.graded;
        }
        Ok(Evaluation { loss: loss_sum / f64::max(weight, 1.0), accuracy: share((hit, graded)) })
    }

    /// The parameters without gradient tracking, sharing storage: valid until the next update.
    fn frozen_tensors(&self) -> Vec<Tensor> {
        self.params.vars().iter().map(|var| var.as_detached_tensor()).collect()
    }

    /// Applies a changed specification before the next update. Only live fields may differ.
    pub fn set_live(&mut self, spec: RunSpec) {
        if spec.task.label_noise != self.spec.task.label_noise {
            self.train = Arc::new(with_noise(&self.task.train, spec.task.label_noise, &self.streams));
        }
        self.batches.set_batch_size(spec.batch_size);
        self.optimizer.set_hyperparameters(&spec.optimizer);
        if spec.loss != self.spec.loss || spec.optimizer.lr != self.spec.optimizer.lr {
            // A loss on another scale is no explosion.
            self.watch = Watch::default();
        }
        self.spec = spec;
    }

    pub fn spec(&self) -> &RunSpec {
        &self.spec
    }

    /// Updates done.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    pub fn model(&self) -> &Arc<dyn Model> {
        &self.model
    }

    /// The parameters before the last update and their step, if the specification's slices need them.
    pub fn before_the_last_update(&self) -> Option<&(u64, Vec<Tensor>)> {
        self.before.as_ref()
    }

    /// The diagonal S of the preconditioned Hessian `S H S` at the parameters as they are; see [`preconditioning::factors`].
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn preconditioning(&self) -> Result<Option<Vec<f64>>, TrainError> {
        Ok(preconditioning::factors(&self.spec, self.model.layout(), &self.optimizer, &self.device)?)
    }

    /// Multiplications of a forward pass, an example, about: each parameter once a token.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn multiplications(&self) -> Result<f64, TrainError> {
        let one = Batch::new(&self.train.select(&[0]), self.dtype, &self.device)?;
        Ok(Cost::of(&*self.model, &self.frozen_tensors(), &one)?.multiplications)
    }

    pub fn params(&self) -> &Params {
        &self.params
    }

    pub fn task(&self) -> &Task {
        &self.task
    }

    pub fn train(&self) -> &Arc<Split> {
        &self.train
    }

    pub fn streams(&self) -> Streams {
        self.streams
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Whether the model's targets are classes.
    pub fn is_classification(&self) -> bool {
        !matches!(self.task.train.targets, Targets::Values { .. })
    }
}

/// The training examples whose statistics the network is evaluated with, if it has batch normalisation: evenly spread.
fn population(
    model: &dyn Model,
    train: &Split,
    dtype: DType,
    device: &Device,
) -> candle_core::Result<Option<InputTensor>> {
    if model.coupled_examples() == 1 {
        return Ok(None);
    }
    let count = train.len().min(POPULATION);
    let spread: Vec<usize> = (0..count).map(|i| i * train.len() / count).collect();
    Ok(Some(Batch::new(&train.select(&spread), dtype, device)?.inputs))
}

fn with_noise(train: &Split, label_noise: f64, streams: &Streams) -> Split {
    Split { inputs: train.inputs.clone(), targets: noisy_targets(&train.targets, label_noise, streams) }
}

fn share((hit, of): (usize, usize)) -> Option<f64> {
    (of > 0).then(|| hit as f64 / of as f64)
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}
