//! Perceptrons by hand: loss, gradient and Hessian products of `h_l = act(h_(l-1) W_l + b_l)` without a graph.
//!
//! A graph of operations allocates, visits and frees; for small networks that costs as much as the arithmetic. Here a
//! part of the batch goes forward and backward on one core in plain loops and serial products, and what a Hessian
//! product needs of it is kept (Pearlmutter 1994, "Fast exact multiplication by the Hessian": differentiate the
//! forward and the backward pass along v). With n rows and a `d x d` matrix the gradient takes 3 products of
//! `2 n d^2` operations, the Hessian product 6: twice a gradient is the least that it can cost.
//!
//! The twin is the network of operations in [`crate::nn::mlp`]; tests hold both together.

mod head;
mod hessian;
mod layerwise;

use std::ops::Deref;

use candle_core::{DType, Result, Storage, Tensor};

use super::model::Model;
use super::ops::activation::{Curve, Gelu, Relu, Silu, Straight, Tanh};
use super::ops::float::{Float, wide};
use super::ops::product::{Transposed, multiply};
use super::parts::Part;
use super::spec::{Activation, LossSpec};

use head::Head;

pub(super) use hessian::Product;
use hessian::Trace;
pub(super) use layerwise::{Layerwise, held, layerwise};

/// The activation, if `model` at `params` can be differentiated by hand.
pub(super) fn of(model: &dyn Model, params: &[Tensor]) -> Option<Activation> {
    let plain = |p: &Tensor| p.device().is_cpu() && p.is_contiguous() && matches!(p.dtype(), DType::F32 | DType::F64);
    model.chain().filter(|_| params.iter().all(plain) && params.len() >= 4 && params.len().is_multiple_of(2))
}

/// What a pass over a part found; see [`super::training::Gradient`].
pub(super) struct Found {
    /// Times the part's share.
    pub loss: f64,
    pub correct: usize,
    pub graded: usize,
    pub gradient: Vec<Tensor>,
}

/// Loss and gradient of a part of a batch, times its share.
///
/// # Errors
/// Labels out of range; whatever candle says of shapes.
pub(super) fn gradient(activation: Activation, params: &[Tensor], part: &Part, spec: &LossSpec) -> Result<Found> {
    match params[0].dtype() {
        DType::F64 => found::<f64>(activation, params, part, spec),
        _ => found::<f32>(activation, params, part, spec),
    }
}

/// What Hessian products of a part of a batch share.
///
/// # Errors
/// Labels out of range; whatever candle says of shapes.
pub(super) fn trace(
    activation: Activation,
    params: &[Tensor],
    part: &Part,
    spec: &LossSpec,
) -> Result<Box<dyn Product>> {
    Ok(match params[0].dtype() {
        DType::F64 => Box::new(Trace::<f64>::new(activation, params, part, spec)?),
        _ => Box::new(Trace::<f32>::new(activation, params, part, spec)?),
    })
}

fn found<T: Float>(activation: Activation, params: &[Tensor], part: &Part, spec: &LossSpec) -> Result<Found> {
    let guards = guards(params);
    let net = Net::<T>::new(activation, params, &guards)?;
    let x = part.batch.inputs.features()?.flatten_from(1)?.flatten_all()?.to_vec1::<T>()?;
    let mut head = Head::new(&part.batch.targets, spec, net.outputs(), part.share)?;
    let pass = net.forward(x, false);
    let mut errors = pass.outputs;
    let (loss, correct) = head.rates(&mut errors, false);
    let rows = part.batch.len;
    let mut gradient = Vec::with_capacity(params.len());
    for (l, layer) in net.layers.iter().enumerate().rev() {
        let [fan_in, fan_out] = layer.fan;
        let mut weight = vec![T::zero(); fan_in * fan_out];
        multiply(&mut weight, &pass.inputs[l], &errors, [fan_in, rows, fan_out], Transposed::Left, false);
        gradient.push(Tensor::from_vec(column_sums(&errors, fan_out), fan_out, params[0].device())?);
        gradient.push(Tensor::from_vec(weight, (fan_in, fan_out), params[0].device())?);
        if l > 0 {
            let mut below = vec![T::zero(); rows * fan_in];
            multiply(&mut below, &errors, layer.weight, [rows, fan_out, fan_in], Transposed::Right, false);
            times(&mut below, &pass.slopes[l - 1]);
            errors = below;
        }
    }
    gradient.reverse();
    Ok(Found { loss, correct, graded: head.graded(), gradient })
}

/// A layer's place in the parameters.
#[derive(Clone, Copy)]
struct Layer<'a, T> {
    /// `[fan_in, fan_out]`
    fan: [usize; 2],
    weight: &'a [T],
    bias: &'a [T],
}

/// The network at some parameters.
struct Net<'a, T> {
    activation: Activation,
    layers: Vec<Layer<'a, T>>,
}

/// What the forward pass leaves, all `[rows, ..]`.
struct Pass<T> {
    /// Of each layer.
    inputs: Vec<Vec<T>>,
    /// `act'` and `act''` at each hidden layer's preactivations.
    slopes: Vec<Vec<T>>,
    bends: Vec<Vec<T>>,
    outputs: Vec<T>,
}

/// Keeps the parameters' storage from being written to while slices of it are in use.
fn guards(params: &[Tensor]) -> Vec<(impl Deref<Target = Storage>, &candle_core::Layout)> {
    params.iter().map(Tensor::storage_and_layout).collect()
}

impl<'a, T: Float> Net<'a, T> {
    fn new(
        activation: Activation,
        params: &[Tensor],
        guards: &'a [(impl Deref<Target = Storage>, &'a candle_core::Layout)],
    ) -> Result<Self> {
        let mut slices = Vec::with_capacity(guards.len());
        for (storage, layout) in guards {
            let Storage::Cpu(storage) = &**storage else { candle_core::bail!("these parameters aren't in the memory") };
            slices.push(super::ops::float::slice::<T>(storage, layout)?);
        }
        let layers = params.chunks_exact(2).zip(slices.chunks_exact(2)).map(|(pair, slices)| {
            let (fan_in, fan_out) = pair[0].dims2()?;
            Ok(Layer { fan: [fan_in, fan_out], weight: slices[0], bias: slices[1] })
        });
        Ok(Self { activation, layers: layers.collect::<Result<_>>()? })
    }

    fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.fan[1])
    }

    /// With `bends`, keeps second derivatives, too.
    fn forward(&self, x: Vec<T>, bends: bool) -> Pass<T> {
        let last = self.layers.len() - 1;
        let mut pass = Pass { inputs: vec![x], slopes: Vec::new(), bends: Vec::new(), outputs: Vec::new() };
        for (l, layer) in self.layers.iter().enumerate() {
            let [fan_in, fan_out] = layer.fan;
            let h = &pass.inputs[l];
            let rows = h.len() / fan_in.max(1);
            // The product adds to the bias, which saves a pass over memory.
            let mut z = Vec::with_capacity(rows * fan_out);
            for _ in 0..rows {
                z.extend_from_slice(layer.bias);
            }
            multiply(&mut z, h, layer.weight, [rows, fan_in, fan_out], Transposed::Neither, true);
            if l == last {
                pass.outputs = z;
                break;
            }
            let mut slope = vec![T::zero(); z.len()];
            let mut bend = vec![T::zero(); if bends { z.len() } else { 0 }];
            match self.activation {
                Activation::Relu => bent::<T, Relu>(&mut z, &mut slope, &mut bend),
                Activation::Gelu => bent::<T, Gelu>(&mut z, &mut slope, &mut bend),
                Activation::Tanh => bent::<T, Tanh>(&mut z, &mut slope, &mut bend),
                Activation::Silu => bent::<T, Silu>(&mut z, &mut slope, &mut bend),
                Activation::Identity => bent::<T, Straight>(&mut z, &mut slope, &mut bend),
            }
            pass.slopes.push(slope);
            pass.bends.push(bend);
            pass.inputs.push(z);
        }
        pass
    }
}

fn bent<T: Float, C: Curve>(z: &mut [T], slope: &mut [T], bend: &mut [T]) {
    if bend.is_empty() { enter::<T, C>(z, slope) } else { enter_twice::<T, C>(z, slope, bend) }
}

wide! {
    /// `slope <- act'(z)`, then `z <- act(z)`.
    fn enter[T: Float, C: Curve](z: &mut [T], slope: &mut [T]) {
        for (z, slope) in z.iter_mut().zip(slope) {
            [*z, *slope, _] = C::of(*z);
        }
    }
}

wide! {
    /// `bend <- act''(z)`, `slope <- act'(z)`, then `z <- act(z)`.
    fn enter_twice[T: Float, C: Curve](z: &mut [T], slope: &mut [T], bend: &mut [T]) {
        for ((z, slope), bend) in z.iter_mut().zip(slope).zip(bend) {
            [*z, *slope, *bend] = C::of(*z);
        }
    }
}

wide! {
    /// `x <- x y`, elementwise.
    fn times[T: Float](x: &mut [T], y: &[T]) {
        for (x, &y) in x.iter_mut().zip(y) {
            *x *= y;
        }
    }
}

wide! {
    /// Sums of the columns of `[rows, columns]`.
    fn column_sums[T: Float](x: &[T], columns: usize) -> Vec<T> {
        let mut sums = vec![T::zero(); columns];
        for row in x.chunks_exact(columns) {
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum += x;
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use crate::base::rng::{Streams, normals};
    use crate::nn::autodiff::{GradientGraph, gradients};
    use crate::nn::batch::{Batch, TargetTensor};
    use crate::nn::build::build;
    use crate::nn::loss::loss;
    use crate::nn::spec::{LossKind, ModelKind, ModelSpec};
    use crate::tasks::data::{Inputs, Split, Targets};

    use super::*;

    const ROWS: usize = 7;

    fn split(targets: Targets) -> Split {
        let values = normals(&mut Streams::new(3).stream("x"), 4 * ROWS).iter().map(|&x| x as f32).collect();
        Split { inputs: Inputs::Features { values, shape: vec![2, 2] }, targets }
    }

    /// Three hidden layers, so that what goes through the middle of the chain is seen; biases that aren't zero.
    #[track_caller]
    fn agrees(activation: Activation, split: &Split, weighted: bool, spec: &LossSpec, dtype: DType, tolerance: f64) {
        let model = ModelSpec { kind: ModelKind::Mlp, width: 6, depth: 3, activation, ..ModelSpec::default() };
        let model = build(&model, split).unwrap();
        let dim = model.layout().total();
        let flat: Vec<f64> = normals(&mut Streams::new(8).stream("w"), dim).iter().map(|w| 0.5 * w).collect();
        let params = model.layout().unflatten(&flat, dtype, &Device::Cpu).unwrap();
        let vars: Vec<Var> = params.iter().map(|p| Var::from_tensor(p).unwrap()).collect();
        let mut batch = Batch::new(split, dtype, &Device::Cpu).unwrap();
        if let (true, TargetTensor::Classes { weights, graded, .. }) = (weighted, &mut batch.targets) {
            let kept: Vec<f32> = (0..ROWS).map(|r| f32::from(r % 3 != 1)).collect();
            *graded = kept.iter().filter(|&&w| w != 0.0).count();
            *weights = Some(Tensor::from_vec(kept, ROWS, &Device::Cpu).unwrap().to_dtype(dtype).unwrap());
        }
        let part = Part { batch, share: 0.4 };
        assert_eq!(of(&*model, &params), Some(activation));

        let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let outputs = model.forward(&tensors, &part.batch.inputs, None).unwrap();
        let twin = (loss(&outputs, &part.batch.targets, spec).unwrap() * part.share).unwrap();
        let found = gradient(activation, &params, &part, spec).unwrap();
        let known_loss = twin.to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap();
        assert!((found.loss - known_loss).abs() < tolerance, "{} {known_loss}", found.loss);
        assert_eq!((found.correct, found.graded), crate::nn::loss::correct(&outputs, &part.batch.targets).unwrap());
        let same = |found: &[f64], known: &[f64], what: &str| {
            let size = known.iter().fold(1e-3_f64, |m, x| m.max(x.abs()));
            for (i, (a, b)) in found.iter().zip(known).enumerate() {
                assert!((a - b).abs() < tolerance * size, "{what} {i}: {a} {b} ({activation:?}, {spec:?}, {dtype:?})");
            }
        };
        let flatten = |tensors: &[Tensor]| model.layout().flatten(tensors).unwrap();
        same(&flatten(&found.gradient), &flatten(&gradients(&twin, &vars).unwrap()), "gradient");

        let v = normals(&mut Streams::new(9).stream("v"), dim);
        let direction = model.layout().unflatten(&v, dtype, &Device::Cpu).unwrap();
        let known = GradientGraph::new(&twin, &vars).unwrap().hvp(&direction).unwrap();
        let trace = trace(activation, &params, &part, spec).unwrap();
        same(&trace.product(&direction).unwrap(), &flatten(&known), "product");
        // Nothing is used up.
        assert_eq!(trace.product(&direction).unwrap(), trace.product(&direction).unwrap());
    }

    #[test]
    fn equals_the_graph_of_operations() {
        let classes = split(Targets::Classes { labels: (0..ROWS as u32).map(|i| i * i % 3).collect(), classes: 3 });
        let values = (0..2 * ROWS).map(|i| (i as f32).sin()).collect();
        let numbers = split(Targets::Values { values, outputs: 2 });
        let warm = LossSpec { kind: LossKind::CrossEntropy, temperature: 1.7 };
        let mse = LossSpec { kind: LossKind::Mse, temperature: 1.0 };
        for activation in [Activation::Relu, Activation::Gelu, Activation::Tanh, Activation::Silu, Activation::Identity]
        {
            for spec in [&LossSpec::default(), &warm, &mse] {
                for weighted in [false, true] {
                    agrees(activation, &classes, weighted, spec, DType::F64, 1e-12);
                }
                agrees(activation, &numbers, false, spec, DType::F64, 1e-12);
                agrees(activation, &classes, false, spec, DType::F32, 1e-5);
            }
        }
    }

    #[test]
    fn labels_out_of_range_are_refused() {
        let split = split(Targets::Classes { labels: vec![0; ROWS], classes: 3 });
        let model = ModelSpec { kind: ModelKind::Mlp, width: 4, depth: 1, ..ModelSpec::default() };
        let model = build(&model, &split).unwrap();
        let flat = model.init(&Streams::new(1));
        let params = model.layout().unflatten(&flat, DType::F32, &Device::Cpu).unwrap();
        let mut batch = Batch::new(&split, DType::F32, &Device::Cpu).unwrap();
        if let TargetTensor::Classes { labels, .. } = &mut batch.targets {
            *labels = Tensor::new(&[3u32; ROWS], &Device::Cpu).unwrap();
        }
        let part = Part { batch, share: 1.0 };
        let error = gradient(Activation::Relu, &params, &part, &LossSpec::default()).err().unwrap().to_string();
        assert!(error.contains("label 3"), "{error}");
    }
}
