//! Activation matching.

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use crate::linalg::vectors::dot;
use crate::nn::batch::InputTensor;
use crate::nn::model::Model;
use crate::nn::ops::activation::activate;
use crate::nn::ops::layer_norm::layer_norm;
use crate::nn::ops::linear::linear;
use crate::nn::spec::{ModelKind, ModelSpec, Norm};

use super::assignment::assign;
use super::symmetry::{Permutations, Symmetry};

/// Permutes the units of `b` so that `sum over examples <z_a, permuted z_b>` is largest, for the activations z of each
/// group of units on `inputs` (Ainsworth et al. 2023, section 3.1; uncentred): for a group on its own the exact optimum
/// of `|z_a - permuted z_b|^2`. The residual stream's activations are those after every block together.
///
/// `a` and `b` in the flattening order; sums in f64, on the CPU.
///
/// # Errors
/// Whatever candle says of shapes.
pub fn match_activations(
    spec: &ModelSpec,
    model: &dyn Model,
    symmetry: &Symmetry,
    [a, b]: [&[f64]; 2],
    inputs: &InputTensor,
) -> Result<Permutations> {
    let (a, b) = (activations(spec, model, a, inputs)?, activations(spec, model, b, inputs)?);
    let matched = symmetry.sizes().iter().zip(a.iter().zip(&b)).map(|(&n, (a, b))| {
        let mut overlaps = vec![0.0; n * n];
        for (a, b) in a.iter().zip(b) {
            let (a, b) = (units(a)?, units(b)?);
            overlaps.par_chunks_mut(n).zip(&a).for_each(|(row, a)| {
                row.iter_mut().zip(&b).for_each(|(entry, b)| *entry += dot(a, b));
            });
        }
        Ok(assign(n, &overlaps))
    });
    Ok(Permutations(matched.collect::<Result<_>>()?))
}

/// `[units][examples]`
fn units(activations: &Tensor) -> Result<Vec<Vec<f64>>> {
    activations.t()?.contiguous()?.to_vec2::<f64>()
}

/// For each group of units the activations `[examples, units]`, at one place or at several.
fn activations(spec: &ModelSpec, model: &dyn Model, flat: &[f64], inputs: &InputTensor) -> Result<Vec<Vec<Tensor>>> {
    let params = model.layout().unflatten(flat, DType::F64, &Device::Cpu)?;
    let features = inputs.features()?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let mut taps = Vec::new();
    model.forward(&params, &InputTensor::Features(features), Some(&mut taps))?;
    if spec.kind == ModelKind::Mlp {
        return Ok(taps.into_iter().map(|tap| vec![tap]).collect());
    }
    // The hidden units of a block aren't tapped: they are computed from the stream before it.
    let mut hidden = Vec::new();
    let named = |name: String| {
        let at = model.layout().infos().iter().position(|info| info.name == name);
        at.map(|at| params[at].clone()).ok_or_else(|| candle_core::Error::Msg(format!("there is no tensor {name}")))
    };
    for (block, stream) in (1..taps.len()).zip(&taps) {
        let tensor = |part: &str| named(format!("block {block}.{part}"));
        let read = if spec.norm == Norm::PreLn {
            layer_norm(stream, &tensor("norm.gain")?, &tensor("norm.bias")?)?
        } else {
            stream.clone()
        };
        let z = linear(&read, &tensor("expand.weight")?, &tensor("expand.bias")?)?;
        hidden.push(vec![activate(&z, spec.activation)?]);
    }
    let mut groups = vec![taps];
    groups.extend(hidden);
    Ok(groups)
}
