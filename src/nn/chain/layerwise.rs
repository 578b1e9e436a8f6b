//! Inner products of the gradients of single outputs, layer by layer.
//!
//! The gradient of output o at example n for a layer's weights is an outer product, `h_n delta_no'`, with h the layer's inputs and delta
//! the derivative for its preactivations; for its bias it is delta. So
//! `<df_no/dw, df_mp/dw> = sum_l (delta_no . delta_mp) (h_n . h_m + 1)`: no gradient is ever written down, and P falls out of the cost.

use std::ops::Range;

use candle_core::{DType, Result, Tensor};
use rayon::prelude::*;

use super::{Net, guards, times};
use crate::nn::batch::InputTensor;
use crate::nn::ops::float::Float;
use crate::nn::ops::product::{Transposed, multiply};
use crate::nn::spec::Activation;

/// Gradients of all outputs on some examples, in factors.
pub(in crate::nn) trait Layerwise: Send + Sync {
    /// `<df_no/dw, df_mp/dw>` of the examples n in `rows` and m in `columns` for every pair (o, p) of outputs: `[pairs, rows, columns]`.
    /// Inner products of a layer's factors are added in the type of the parameters, layers in f64.
    fn products(&self, rows: Range<usize>, columns: Range<usize>, pairs: &[[usize; 2]]) -> Vec<f64>;
}

/// Numbers that [`layerwise`] holds for an example.
pub(in crate::nn) fn held(params: &[Tensor]) -> Result<usize> {
    let layers: Vec<_> = params.iter().step_by(2).map(Tensor::dims2).collect::<Result<_>>()?;
    let outputs = layers.last().map_or(0, |&(_, outputs)| outputs);
    let hidden: usize = layers[..layers.len() - 1].iter().map(|&(_, fan_out)| fan_out).sum();
    let inputs: usize = layers.iter().map(|&(fan_in, _)| fan_in).sum();
    Ok(inputs + hidden * (outputs + 1))
}

/// # Errors
/// Whatever candle says of shapes.
pub(in crate::nn) fn layerwise(
    activation: Activation,
    params: &[Tensor],
    inputs: &InputTensor,
) -> Result<Box<dyn Layerwise>> {
    Ok(match params[0].dtype() {
        DType::F64 => Box::new(Factors::<f64>::new(activation, params, inputs)?),
        _ => Box::new(Factors::<f32>::new(activation, params, inputs)?),
    })
}

struct Factors<T> {
    layers: Vec<Factor<T>>,
}

struct Factor<T> {
    /// `[fan_in, fan_out]`
    fan: [usize; 2],
    /// h, `[N, fan_in]`
    inputs: Vec<T>,
    /// delta, `[N, fan_out]` an output; none for the last layer, where it is the unit vector of the output.
    deltas: Vec<Vec<T>>,
}

impl<T: Float> Factors<T> {
    fn new(activation: Activation, params: &[Tensor], inputs: &InputTensor) -> Result<Self> {
        let guards = guards(params);
        let net = Net::<T>::new(activation, params, &guards)?;
        let x = inputs.features()?.flatten_from(1)?.flatten_all()?.to_vec1::<T>()?;
        let pass = net.forward(x, false);
        let last = net.layers.len() - 1;
        let outputs = net.outputs();
        // From the outputs down, an output at a time.
        let of_output = |output: usize| -> Vec<Vec<T>> {
            let head = net.layers[last];
            let column: Vec<T> = head.weight.iter().skip(output).step_by(outputs).copied().collect();
            let mut found = Vec::with_capacity(last);
            let mut delta = pass.slopes[last - 1].clone();
            for row in delta.chunks_exact_mut(column.len()) {
                times(row, &column);
            }
            for l in (1..last).rev() {
                let [fan_in, fan_out] = net.layers[l].fan;
                let rows = delta.len() / fan_out;
                let mut below = vec![T::zero(); rows * fan_in];
                let shape = [rows, fan_out, fan_in];
                multiply(&mut below, &delta, net.layers[l].weight, shape, Transposed::Right, false);
                times(&mut below, &pass.slopes[l - 1]);
                found.push(std::mem::replace(&mut delta, below));
            }
            found.push(delta);
            found.reverse();
            found
        };
        let mut all: Vec<Vec<Vec<T>>> = (0..outputs).into_par_iter().map(of_output).collect();
        let layers = net.layers.iter().zip(pass.inputs).enumerate().map(|(l, (layer, inputs))| {
            let deltas =
                if l == last { Vec::new() } else { all.iter_mut().map(|of| std::mem::take(&mut of[l])).collect() };
            Factor { fan: layer.fan, inputs, deltas }
        });
        Ok(Self { layers: layers.collect() })
    }
}

impl<T: Float> Layerwise for Factors<T> {
    fn products(&self, rows: Range<usize>, columns: Range<usize>, pairs: &[[usize; 2]]) -> Vec<f64> {
        let size = rows.len() * columns.len();
        let mut found = vec![0.0; pairs.len() * size];
        let (mut inner, mut outer) = (vec![T::zero(); size], vec![T::zero(); size]);
        let gram = |out: &mut [T], a: &[T], b: &[T], width: usize| {
            let (a, b) = (&a[rows.start * width..rows.end * width], &b[columns.start * width..columns.end * width]);
            multiply(out, a, b, [rows.len(), width, columns.len()], Transposed::Right, false);
        };
        for Factor { fan: [fan_in, fan_out], inputs, deltas } in &self.layers {
            gram(&mut inner, inputs, inputs, *fan_in);
            for (found, &[o, p]) in found.chunks_exact_mut(size.max(1)).zip(pairs) {
                if deltas.is_empty() {
                    if o == p {
                        found.iter_mut().zip(&inner).for_each(|(sum, inner)| *sum += inner.wide() + 1.0);
                    }
                    continue;
                }
                gram(&mut outer, &deltas[o], &deltas[p], *fan_out);
                for ((sum, outer), inner) in found.iter_mut().zip(&outer).zip(&inner) {
                    *sum += outer.wide() * (inner.wide() + 1.0);
                }
            }
        }
        found
    }
}
