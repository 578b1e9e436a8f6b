//! Files of parameters.

use std::path::{Path, PathBuf};

use candle_core::Tensor;

use crate::base::rng::Streams;
use crate::nn::build::build;
use crate::nn::params::Layout;
use crate::nn::weights::{self, WeightsError};
use crate::tasks::load::load;

use super::spec::RunSpec;

/// A file of parameters that can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsFileError {
    #[error("can't read the weights {path:?}: {source}; give the path of a safetensors file")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("can't write the weights {path:?}: {source}; give a path that you may write to")]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("the weights {path:?} don't fit: {source}")]
    Unfit { path: PathBuf, source: WeightsError },
}

/// The parameters in the flattening order of `layout`.
///
/// # Errors
/// [`WeightsFileError`] names the file, the tensor and what to do.
pub fn read(path: &Path, layout: &Layout) -> Result<Vec<f64>, WeightsFileError> {
    let bytes = std::fs::read(path).map_err(|source| WeightsFileError::Unreadable { path: path.into(), source })?;
    weights::from_bytes(layout, &bytes).map_err(|source| WeightsFileError::Unfit { path: path.into(), source })
}

/// Whether a file holds the parameters of the network that `spec` describes; why it doesn't otherwise. Loads the task's data: they
/// say how wide inputs and outputs are.
///
/// # Errors
/// One sentence for the user.
pub fn fit(path: &Path, spec: &RunSpec) -> Result<(), String> {
    let task = load(&spec.task, &Streams::new(spec.seed)).map_err(|error| error.to_string())?;
    let model = build(&spec.model, &task.train).map_err(|error| error.to_string())?;
    read(path, model.layout()).map(drop).map_err(|error| error.to_string())
}

/// Writes `tensors`, in the order of `layout`, under their names.
///
/// # Errors
/// [`WeightsFileError`] names the file and what to do.
pub fn write(path: &Path, layout: &Layout, tensors: &[Tensor]) -> Result<(), WeightsFileError> {
    let bytes =
        weights::to_bytes(layout, tensors).map_err(|source| WeightsFileError::Unfit { path: path.into(), source })?;
    std::fs::write(path, bytes).map_err(|source| WeightsFileError::Unwritable { path: path.into(), source })
}
