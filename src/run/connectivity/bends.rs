//! Curves of low loss between two networks: the bends are trained, the ends stay.

use candle_core::Result;

use crate::base::rng::{Streams, uniforms};
use crate::nn::batch::Batch;
use crate::nn::params::Params;
use crate::nn::paths::Judge;
use crate::nn::paths::curve::Curve;
use crate::nn::training;
use crate::optim::Optimizer;
use crate::optim::schedule::lr_at;
use crate::optim::spec::{OptimizerSpec, ScheduleSpec};
use crate::tasks::batches::Batches;
use crate::tasks::data::Split;

/// How bends are trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub steps: u64,
    /// Examples a step; 0 for all.
    pub batch_size: usize,
    pub optimizer: OptimizerSpec,
    pub schedule: ScheduleSpec,
}

/// Minimises `E_t L(phi(t))`, t uniform on [0, 1], over the bends of a curve (Garipov et al. 2018, equation 2): one t and
/// one minibatch a step, `dL/dw_k = c_k(t) grad L(phi(t))`, an optimiser of its own for every bend. Weight decay pulls
/// the bends, not the points of the curve.
///
/// Batches come from the stream `batches` and t from `path/t`: equal streams, equal bits. `judge` names the network, the
/// loss and the device; its batch isn't looked at. `told` hears of each step's number and loss and may stop the training
/// by answering `false`. A curve without bends comes back as it is.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn train_bends(
    judge: &Judge,
    mut curve: Curve,
    train: &Split,
    options: &Options,
    streams: Streams,
    told: &mut dyn FnMut(u64, f64) -> bool,
) -> Result<Curve> {
    let layout = judge.model.layout().clone();
    let params = |flat: &[f64]| Params::from_flat(layout.clone(), flat, judge.dtype, &judge.device);
    let mut bends = Vec::new();
    for bend in curve.bends_mut() {
        bends.push((params(bend)?, Optimizer::new(&options.optimizer, &layout)));
    }
    if bends.is_empty() {
        return Ok(curve);
    }
    let mut batches = Batches::new(streams, train.len(), options.batch_size);
    let mut times = streams.stream("path/t");
    for step in 0..options.steps {
        let batch = Batch::new(&train.select(&batches.next_batch()), judge.dtype, &judge.device)?;
        let t = uniforms(&mut times, 1, 0.0, 1.0)[0];
        let found = training::gradient(&*judge.model, &params(&curve.at(t))?, &batch, &judge.loss)?;
        let coefficients = curve.coefficients(t);
        let lr = lr_at(&options.optimizer, &options.schedule, step, options.steps);
        for (k, (bend, optimizer)) in bends.iter_mut().enumerate() {
            let share = coefficients[k + 1];
            let gradients = found.tensors.iter().map(|g| g * share).collect::<Result<Vec<_>>>()?;
            optimizer.step(bend, &gradients, lr)?;
            curve.bends_mut()[k] = layout.flatten(&bend.frozen()?)?;
        }
        if !told(step, found.loss) {
            break;
        }
    }
    Ok(curve)
}
