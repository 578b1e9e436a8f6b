//! The gradient of a batch, on all cores.

use candle_core::{Result, Tensor};

use super::autodiff::gradients;
use super::batch::Batch;
use super::chain;
use super::loss::{correct, loss};
use super::model::Model;
use super::params::Params;
use super::parts::{on_all, sum};
use super::spec::LossSpec;

/// What a forward and backward pass over a batch found, at the parameters before the update.
#[derive(Clone, Debug)]
pub struct Gradient {
    pub loss: f64,
    /// Rows classified as their label, of `graded`; both 0 for regression.
    pub correct: usize,
    pub graded: usize,
    /// In the order and the shapes of the layout, detached.
    pub tensors: Vec<Tensor>,
}

/// Loss, accuracy and gradient of a batch. The bits don't depend on the number of threads (see [`super::parts`]).
///
/// Runs on the threads of the current rayon pool: their stacks need [`super::autodiff::STACK_BYTES`] for deep networks.
///
/// # Errors
/// Whatever candle says of shapes and the device. Losses that aren't finite are answers, not errors.
pub fn gradient(model: &dyn Model, params: &Params, batch: &Batch, spec: &LossSpec) -> Result<Gradient> {
    let tensors = params.tensors();
    let measured = model.measured_at(&tensors, &batch.inputs)?;
    let model = measured.as_deref().unwrap_or(model);
    let parts = batch.parts(model)?;
    let whole = parts.len() == 1;
    let by_hand = chain::of(model, &tensors);
    let found = on_all(&parts, |part| {
        if let Some(activation) = by_hand {
            let found = chain::gradient(activation, &tensors, part, spec)?;
            return Ok((found.loss, found.correct, found.graded, found.gradient));
        }
        let outputs = model.forward(&tensors, &part.batch.inputs, None)?;
        let loss = loss(&outputs, &part.batch.targets, spec)?;
        let loss = if whole { loss } else { (loss * part.share)? };
        let (correct, graded) = correct(&outputs, &part.batch.targets)?;
        Ok((scalar(&loss)?, correct, graded, gradients(&loss, params.vars())?))
    })?;
    let mut gradient = Gradient { loss: 0.0, correct: 0, graded: 0, tensors: Vec::new() };
    let mut lists = Vec::with_capacity(found.len());
    for (loss, correct, graded, list) in found {
        gradient.loss += loss;
        gradient.correct += correct;
        gradient.graded += graded;
        lists.push(list);
    }
    gradient.tensors = sum(lists)?;
    Ok(gradient)
}

/// Loss and accuracy of a batch: [`gradient`] without its gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    pub loss: f64,
    pub correct: usize,
    pub graded: usize,
}

/// Evaluates parameters, such as [`Params::frozen`], on a batch.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn evaluate(model: &dyn Model, params: &[Tensor], batch: &Batch, spec: &LossSpec) -> Result<Evaluation> {
    // Detached: nothing will be differentiated, so nothing need be kept.
    let params: Vec<Tensor> = params.iter().map(Tensor::detach).collect();
    let found = on_all(&batch.parts(model)?, |part| {
        let outputs = model.forward(&params, &part.batch.inputs, None)?;
        let loss = scalar(&loss(&outputs, &part.batch.targets, spec)?)? * part.share;
        Ok((loss, correct(&outputs, &part.batch.targets)?))
    })?;
    let mut sum = Evaluation { loss: 0.0, correct: 0, graded: 0 };
    for (loss, (correct, graded)) in found {
        sum.loss += loss;
        sum.correct += correct;
        sum.graded += graded;
    }
    Ok(sum)
}

fn scalar(tensor: &Tensor) -> Result<f64> {
    match tensor.dtype() {
        candle_core::DType::F64 => tensor.to_scalar(),
        _ => Ok(f64::from(tensor.to_scalar::<f32>()?)),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use crate::base::rng::{Streams, normals};
    use crate::nn::build::build;
    use crate::nn::spec::{ModelKind, ModelSpec};
    use crate::tasks::data::{Inputs, Split, Targets, UNGRADED};

    use super::*;

    /// Sequences with ungraded positions spread unevenly over the parts.
    fn sequences(n: usize) -> Split {
        let ids: Vec<u32> = (0..4 * n).map(|i| (i * i + 3 * i) as u32 % 11).collect();
        let targets = (0..4 * n).map(|i| if i * i % 9 < 4 && i < 3 * n { UNGRADED } else { ids[i] }).collect();
        Split {
            inputs: Inputs::Tokens { ids, length: 4, vocabulary: 11 },
            targets: Targets::NextTokens { ids: targets, length: 4, vocabulary: 11 },
        }
    }

    fn features(n: usize) -> Split {
        let values = normals(&mut Streams::new(5).stream("x"), 6 * n).iter().map(|&x| x as f32).collect();
        Split {
            inputs: Inputs::Features { values, shape: vec![6] },
            targets: Targets::Classes { labels: (0..n).map(|i| (i % 3) as u32).collect(), classes: 3 },
        }
    }

    fn pictures(n: usize) -> Split {
        let values = normals(&mut Streams::new(6).stream("x"), 48 * n).iter().map(|&x| x as f32).collect();
        Split { inputs: Inputs::Features { values, shape: vec![4, 6, 2] }, ..features(n) }
    }

    fn setting(kind: ModelKind, split: &Split, dtype: DType) -> (std::sync::Arc<dyn Model>, Params, Batch) {
        let spec = ModelSpec { kind, width: 8, depth: 2, n_heads: 2, ..ModelSpec::default() };
        let model = build(&spec, split).unwrap();
        let flat = model.init(&Streams::new(2));
        let params = Params::from_flat(model.layout().clone(), &flat, dtype, &Device::Cpu).unwrap();
        (model, params, Batch::new(split, dtype, &Device::Cpu).unwrap())
    }

    #[test]
    fn parts_sum_to_the_whole() {
        for (kind, split) in [
            (ModelKind::Gpt, sequences(100)),
            (ModelKind::VisionTransformer, features(100)),
            (ModelKind::ConvNet, pictures(100)),
        ] {
            let (model, params, batch) = setting(kind, &split, DType::F64);
            let spec = LossSpec::default();
            let found = gradient(&*model, &params, &batch, &spec).unwrap();

            let outputs = model.forward(&params.tensors(), &batch.inputs, None).unwrap();
            let whole = loss(&outputs, &batch.targets, &spec).unwrap();
            assert!((found.loss - whole.to_scalar::<f64>().unwrap()).abs() < 1e-13);
            assert_eq!((found.correct, found.graded), correct(&outputs, &batch.targets).unwrap());
            let known = model.layout().flatten(&gradients(&whole, params.vars()).unwrap()).unwrap();
            for (a, b) in model.layout().flatten(&found.tensors).unwrap().iter().zip(&known) {
                assert!((a - b).abs() < 1e-13, "{a} {b}");
            }
            let evaluation = evaluate(&*model, &params.frozen().unwrap(), &batch, &spec).unwrap();
            assert_eq!((evaluation.correct, evaluation.graded), (found.correct, found.graded));
            assert!((evaluation.loss - found.loss).abs() < 1e-13);
        }
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        for (kind, split) in [
            (ModelKind::Gpt, sequences(100)),
            (ModelKind::ResidualMlp, features(130)),
            (ModelKind::ResidualConvNet, pictures(130)),
        ] {
            let (model, params, batch) = setting(kind, &split, DType::F32);
            let bits = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let found = pool.install(|| gradient(&*model, &params, &batch, &LossSpec::default())).unwrap();
                let flat = model.layout().flatten(&found.tensors).unwrap();
                (found.loss.to_bits(), flat.iter().map(|g| g.to_bits()).collect::<Vec<_>>())
            };
            assert_eq!(bits(1), bits(2));
            assert_eq!(bits(1), bits(3));
        }
    }
}
