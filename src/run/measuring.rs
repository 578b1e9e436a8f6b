//! Measurements outside a run, on threads that can differentiate twice.

use candle_core::{DType, Device, Tensor};

use crate::base::rng::Streams;
use crate::nn::autodiff;
use crate::nn::batch::{Batch, InputTensor, TargetTensor};
use crate::nn::params::Layout;
use crate::probes::measure::{Answer, Measurement, Options, Subject, measure};
use crate::tasks::data::Split;
use crate::tasks::examples::Examples;

use super::device::first_line;
use super::model_file::ModelFile;
use super::trainer::TrainError;

/// What is measured, and how.
pub struct Order<'a> {
    pub model: &'a ModelFile,
    /// In the flattening order.
    pub weights: &'a [f64],
    /// Other parameters of the same network, to compare with.
    pub reference: Option<&'a [f64]>,
    pub examples: &'a Examples,
    pub dtype: DType,
    pub device: &'a Device,
    /// Of the random vectors.
    pub seed: u64,
    pub options: Options,
}

/// Makes the measurements in turn and hands each answer to `tell`.
///
/// # Errors
/// [`TrainError`] says what of the model or the device is wrong, or that derivatives are.
pub fn measure_all(
    order: &Order,
    measurements: &[&'static Measurement],
    tell: impl FnMut(Answer) + Send,
) -> Result<(), TrainError> {
    measure_subject(|| order.subject(), measurements, tell)
}

/// Threads that can differentiate twice, once they have tested themselves.
pub(super) fn measuring_pool() -> Result<rayon::ThreadPool, TrainError> {
    let bug = |error: rayon::ThreadPoolBuildError| TrainError::Bug(error.to_string());
    rayon::ThreadPoolBuilder::new()
        .thread_name(|index| format!("measure-{index}"))
        .stack_size(autodiff::STACK_BYTES)
        .build()
        .map_err(bug)
}

/// As [`measure_all`], of what `subject` makes on a thread that can differentiate twice.
///
/// # Errors
/// As there.
pub fn measure_subject(
    subject: impl FnOnce() -> Result<Subject, TrainError> + Send,
    measurements: &[&'static Measurement],
    mut tell: impl FnMut(Answer) + Send,
) -> Result<(), TrainError> {
    let pool = measuring_pool()?;
    pool.install(|| {
        // Once a thread: without the switch, second derivatives are silently wrong.
        for report in pool.broadcast(|_| autodiff::self_test()) {
            report.map_err(|error| TrainError::Spec(error.to_string()))?;
        }
        let subject = subject()?;
        for measurement in measurements {
            tell(measure(measurement, &subject).map_err(|error| unable(measurement, &error))?);
        }
        Ok(())
    })
}

fn unable(measurement: &Measurement, error: &candle_core::Error) -> TrainError {
    TrainError::Spec(format!("{} can't be measured: {}", measurement.id, first_line(error)))
}

impl Order<'_> {
    fn subject(&self) -> Result<Subject, TrainError> {
        let model = self.model.measured()?;
        let layout: &Layout = model.layout();
        let unflatten = |flat: &[f64]| layout.unflatten(flat, self.dtype, self.device);
        let params = unflatten(self.weights)?;
        let reference = self.reference.map(unflatten).transpose()?;
        let batch = wide_batch(self.examples, self.dtype, self.device)?;
        Ok(Subject {
            params,
            reference,
            spec: self.model.model.clone(),
            model,
            loss: self.model.loss.clone(),
            batch,
            dtype: self.dtype,
            device: self.device.clone(),
            streams: Streams::new(self.seed),
            options: self.options,
        })
    }
}

/// Examples as training has them, in `dtype`.
///
/// # Errors
/// Whatever candle says of the device.
pub(super) fn narrow_batch(split: &Split, dtype: DType, device: &Device) -> candle_core::Result<Batch> {
    Batch::new(split, dtype, device)
}

/// The examples with all digits that their file has and `dtype` holds.
///
/// # Errors
/// Whatever candle says of the device.
pub fn wide_batch(examples: &Examples, dtype: DType, device: &Device) -> candle_core::Result<Batch> {
    let mut batch = Batch::new(&examples.split, dtype, device)?;
    let again = |narrow: &Tensor, values: &[f64]| Tensor::from_slice(values, narrow.shape(), device)?.to_dtype(dtype);
    if let (InputTensor::Features(features), Some(values)) = (&mut batch.inputs, &examples.wide_inputs) {
        *features = again(features, values)?;
    }
    if let (TargetTensor::Values(targets), Some(values)) = (&mut batch.targets, &examples.wide_targets) {
        *targets = again(targets, values)?;
    }
    Ok(batch)
}
