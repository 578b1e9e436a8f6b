//! Weights of a run, and of files that fit its network.

use std::path::PathBuf;
use std::sync::Arc;

use crate::nn::batch::Batch;
use crate::nn::paths::Judge;
use crate::probes::job::PastPoint;
use crate::run::spec::RunSpec;
use crate::run::trainer::{TrainError, Trainer};
use crate::run::weights_file;

use super::{ConnectivityOptions, Order};

/// Parameters that a run keeps of its path, oldest first; the last are the current ones.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    /// What is in force.
    pub spec: RunSpec,
    points: Arc<Vec<PastPoint>>,
}

impl Checkpoints {
    pub fn new(spec: RunSpec, points: Arc<Vec<PastPoint>>) -> Self {
        Self { spec, points }
    }

    /// Steps that are kept.
    pub fn steps(&self) -> impl Iterator<Item = u64> {
        self.points.iter().map(|point| point.step)
    }

    /// The kept step next to `step`, the earlier of two, and its parameters.
    fn nearest(&self, step: u64) -> Option<(u64, Vec<f64>)> {
        let point = self.points.iter().min_by_key(|point| point.step.abs_diff(step))?;
        Some((point.step, point.params.iter().map(|x| f64::from(*x)).collect()))
    }
}

/// Where weights come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WeightsPlace {
    /// The run's, at the kept step next to this one.
    Step(u64),
    /// A safetensors file.
    File(PathBuf),
}

/// Examples of the run's task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunSplit {
    /// As training sees them, with label noise.
    #[default]
    Train,
    Test,
}

/// A comparison of weights of one run's network.
#[derive(Clone, Debug)]
pub struct RunOrder {
    pub spec: RunSpec,
    /// Needed where a place is a step.
    pub checkpoints: Option<Arc<Checkpoints>>,
    pub places: Vec<WeightsPlace>,
    pub split: RunSplit,
    /// The first so many.
    pub examples: usize,
    pub options: ConnectivityOptions,
}

impl RunOrder {
    /// Loads the run's data, builds its network and reads the files.
    ///
    /// # Errors
    /// [`TrainError`] names the file, the tensor or the knob that is wrong.
    pub fn order(self) -> Result<Order, TrainError> {
        let spec = RunSpec { init_weights: None, ..self.spec };
        let seed = spec.seed;
        let trainer = Trainer::new(spec)?;
        let model = trainer.model().clone();
        let mut networks = Vec::new();
        for place in self.places {
            networks.push(match place {
                WeightsPlace::File(path) => {
                    let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
                    (name.into_owned(), weights_file::read(&path, model.layout())?)
                }
                WeightsPlace::Step(step) => {
                    let kept = self.checkpoints.as_ref().and_then(|checkpoints| checkpoints.nearest(step));
                    let (step, flat) = kept.ok_or_else(|| {
                        TrainError::Spec("the run keeps no weights; give files of weights instead".into())
                    })?;
                    if flat.len() != model.layout().total() {
                        return Err(TrainError::Spec("the run has another network by now; start again".into()));
                    }
                    (format!("step {step}"), flat)
                }
            });
        }
        let (split, name) = match self.split {
            RunSplit::Train => (trainer.train().first(self.examples), "training examples"),
            RunSplit::Test => (trainer.task().test.first(self.examples), "test examples"),
        };
        let (dtype, device) = (trainer.dtype(), trainer.device().clone());
        let batch = Batch::new(&split, dtype, &device)?;
        Ok(Order {
            spec: trainer.spec().model.clone(),
            judge: Judge { model, batch, loss: trainer.spec().loss.clone(), dtype, device },
            data: name.into(),
            networks,
            train: trainer.train().clone(),
            streams: crate::base::rng::Streams::new(seed),
            options: self.options,
        })
    }
}
