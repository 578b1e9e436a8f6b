//! What is known before the first checkpoint: network, loss and examples.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::run::knobs;
use crate::run::model_file::ModelFile;
use crate::run::spec::{ProbeSpec, RunSpec};
use crate::run::trainer::{TrainError, Trainer};
use crate::tasks::load::load_undivided;

use super::{DATA, MODEL, WatchOrder};

/// A file that was written so lately may be written to still.
const SETTLES: Duration = Duration::from_secs(2);
/// Examples behind the Hessian and behind a point of the slice: more than while a run goes on, for nothing competes.
const SHARPNESS_EXAMPLES: usize = 512;
const LANDSCAPE_EXAMPLES: usize = 256;

/// Ready to take checkpoints.
pub struct Beginning {
    pub trainer: Trainer,
    /// Files of the folder that are no checkpoints.
    pub data: Vec<PathBuf>,
    /// Whether the file says how the other program steps.
    pub steps_known: bool,
}

/// Why it can't begin.
pub enum Obstacle {
    /// Something isn't there yet.
    Missing(String),
    Wrong(TrainError),
}

impl From<TrainError> for Obstacle {
    fn from(error: TrainError) -> Self {
        Self::Wrong(error)
    }
}

impl Beginning {
    /// Reads the model and the examples.
    ///
    /// # Errors
    /// [`Obstacle`]
    pub fn read(order: &WatchOrder) -> Result<Self, Obstacle> {
        let model_path = order.folder.join(MODEL);
        if !model_path.exists() {
            return Err(Obstacle::Missing(format!("{:?} has no {MODEL}", order.folder)));
        }
        let said = |error: String| Obstacle::Wrong(TrainError::Spec(error));
        let text = std::fs::read_to_string(&model_path).map_err(|error| {
            said(format!("can't read {model_path:?}: {error}; give a TOML file as docs/WATCH.md says"))
        })?;
        let fresh = is_fresh(&model_path);
        let file = ModelFile::from_toml(&text, &model_path.display().to_string());
        let file = match file {
            Err(_) if fresh && !order.once => return Err(Obstacle::Missing(format!("{model_path:?} isn't whole"))),
            other => other.map_err(|error| said(error.to_string()))?,
        };
        let beside = |path: &Path| order.folder.join(path);
        let data = beside(file.data.as_deref().unwrap_or(Path::new(DATA)));
        let test = file.test_data.as_deref().map(beside);
        let files: Vec<PathBuf> = [Some(data.clone()), test.clone()].into_iter().flatten().collect();
        if let Some(path) = files.iter().find(|path| !path.exists()) {
            return Err(Obstacle::Missing(format!("{path:?}, the examples, isn't there")));
        }
        let spec = spec(order, &file, &data, test)?;
        let task = match load_undivided(&spec.task) {
            Err(_) if files.iter().any(|path| is_fresh(path)) && !order.once => {
                return Err(Obstacle::Missing(format!("{data:?}, the examples, isn't whole")));
            }
            other => other.map_err(TrainError::from)?,
        };
        let trainer = Trainer::with_task(spec, task)?;
        Ok(Self { trainer, data: files, steps_known: file.optimizer.is_some() })
    }
}

fn spec(order: &WatchOrder, file: &ModelFile, data: &Path, test: Option<PathBuf>) -> Result<RunSpec, TrainError> {
    let mut spec = file.run_spec(data);
    spec.task.test_path = test;
    spec.device = order.device;
    spec.probes = ProbeSpec {
        sharpness_examples: SHARPNESS_EXAMPLES,
        landscape_examples: LANDSCAPE_EXAMPLES,
        statistics: file.statistics.unwrap_or_default(),
        ..ProbeSpec::default()
    };
    if let Some(size) = file.batch_size {
        spec.batch_size = size;
    }
    for (id, value) in &order.knobs {
        let knob = knobs::find(id).ok_or_else(|| TrainError::Bug(format!("there is no knob {id}")))?;
        knob.set(&mut spec, value).map_err(TrainError::Spec)?;
    }
    Ok(spec)
}

fn is_fresh(path: &Path) -> bool {
    let modified = path.metadata().and_then(|metadata| metadata.modified());
    let age = modified.map(|time| SystemTime::now().duration_since(time));
    // A clock that is ahead tells nothing.
    matches!(age, Ok(Ok(age)) if age < SETTLES)
}
