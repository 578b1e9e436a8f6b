//! Points of a plane for multi-layer perceptrons, by hand.
//!
//! The first layer is linear in the parameters, so `x (W + a D + b E) = x W + a x D + b x E`: three products, once,
//! serve all points, and it is by far the largest layer of networks on pictures. The other layers are serial products
//! on one core a point, in blocks of examples whose activations stay in the cache, one tile wide, examples in the lanes
//! of vectors ([`crate::nn::forward`]); biases are where sums start. Nothing is allocated from point to point.

use std::sync::{Mutex, PoisonError};

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use crate::nn::batch::Batch;
use crate::nn::forward::{GROUP, Machine, Number, ROWS, Then, Weights, bend, combine, enter, pack, product};
use crate::nn::ops::activation::{Gelu, Relu, Silu, Straight, Tanh};
use crate::nn::ops::product::{Transposed, multiply};
use crate::nn::spec::{Activation, LossSpec};

use super::directions::Directions;
use super::outputs::Graded;
use super::{Evaluator, Tally, Worker};

/// Examples whose activations go through the layers together: the width of a tile.
const BLOCK: usize = ROWS;
/// Multiplications of a piece of work, about: two to four milliseconds on one core.
const PIECE_PRODUCTS: usize = 150_000_000;

/// A tensor of the parameters at the centre, and its directions.
struct Plane<T> {
    centre: Vec<T>,
    d: Vec<T>,
    e: Vec<T>,
}

impl<T: Number> Plane<T> {
    fn combine(&self, machine: Machine, site: [f64; 2], out: &mut Vec<T>) {
        out.resize(self.centre.len(), T::zero());
        combine(machine, out, &self.centre, &self.d, &self.e, site);
    }

    fn map(self, change: impl Fn(&[T]) -> Vec<T>) -> Self {
        Self { centre: change(&self.centre), d: change(&self.d), e: change(&self.e) }
    }
}

struct Layer<T> {
    fan_in: usize,
    fan_out: usize,
    /// In panels, but for the first layer's.
    weight: Plane<T>,
    /// Filled up to whole panels, likewise.
    bias: Plane<T>,
}

pub(super) struct Chain<T> {
    activation: Activation,
    machine: Machine,
    examples: usize,
    /// Examples of a piece of work, whole blocks.
    examples_a_part: usize,
    /// Preactivations of the first layer, `[width, BLOCK]` for a block after another, and how they change along the directions.
    first: Plane<T>,
    width: usize,
    /// All layers but the first; the last has no activation.
    layers: Vec<Layer<T>>,
    graded: Graded<T>,
    desks: Mutex<Vec<Desk<T>>>,
}

/// What a thread writes to.
#[derive(Default)]
struct Desk<T> {
    site: Option<[f64; 2]>,
    /// Weights and biases of the layers at the site.
    weights: Vec<[Vec<T>; 2]>,
    from: Vec<T>,
    to: Vec<T>,
}

impl<T: Number> Chain<T> {
    /// # Errors
    /// Parameters that aren't weights and biases in turn; labels out of range; whatever candle says of the device.
    pub fn new(
        activation: Activation,
        machine: Machine,
        centre: &[Tensor],
        directions: &Directions,
        batch: &Batch,
        loss: &LossSpec,
    ) -> Result<Self> {
        let mut layers = Vec::with_capacity(centre.len() / 2);
        let mut at = 0;
        for pair in centre.chunks(2) {
            let [weight, bias] = pair else {
                candle_core::bail!("a chain's parameters are weights and biases in turn")
            };
            let (fan_in, fan_out) = weight.dims2()?;
            let mut plane = |tensor: &Tensor| -> Result<Plane<T>> {
                let values = tensor.flatten_all()?.to_vec1::<T>()?;
                let range = at..at + values.len();
                at = range.end;
                let part = |flat: &[f32]| flat[range.clone()].iter().map(|&x| T::of(f64::from(x))).collect();
                Ok(Plane { d: part(&directions.d), e: part(&directions.e), centre: values })
            };
            layers.push(Layer { fan_in, fan_out, weight: plane(weight)?, bias: plane(bias)? });
        }
        if layers.len() < 2 {
            candle_core::bail!("a chain has at least one hidden layer");
        }
        let inputs = batch.inputs.features()?.flatten_from(1)?;
        let outputs = layers[layers.len() - 1].fan_out;
        let graded = Graded::new(&batch.targets, loss, outputs)?;
        let first = layers.remove(0);
        let x = inputs.flatten_all()?.to_vec1::<T>()?;
        let products: usize = layers.iter().map(|layer| layer.fan_in * layer.fan_out).sum();
        let blocks = (PIECE_PRODUCTS / (products * BLOCK).max(1)).max(1);
        let layers = layers.into_iter().map(|Layer { fan_in, fan_out, weight, bias }| Layer {
            fan_in,
            fan_out,
            weight: weight.map(|weight| pack(weight, [fan_in, fan_out])),
            bias: bias.map(|bias| pack(bias, [1, fan_out])),
        });
        Ok(Self {
            activation,
            machine,
            examples: batch.len,
            examples_a_part: blocks * BLOCK,
            width: first.fan_out,
            first: first_layer(&first, &x),
            layers: layers.collect(),
            graded,
            desks: Mutex::new(Vec::new()),
        })
    }

    /// The examples `from..to`, a block.
    fn block(&self, desk: &mut Desk<T>, site: [f64; 2], from: usize, to: usize) -> Tally {
        let Desk { weights, from: h, to: next, .. } = desk;
        let machine = self.machine;
        let rows = (to - from).next_multiple_of(GROUP);
        let range = from * self.width..(from + BLOCK) * self.width;
        let widest = self.layers.iter().fold(self.width, |widest, layer| widest.max(layer.fan_out)) * BLOCK;
        h.resize(widest, T::zero());
        next.resize(widest, T::zero());
        let entered = &mut h[..range.len()];
        let Plane { centre, d, e } = &self.first;
        let (z, d, e) = (&centre[range.clone()], &d[range.clone()], &e[range]);
        match self.activation {
            Activation::Relu => enter::<T, Relu>(machine, entered, z, d, e, site),
            Activation::Gelu => enter::<T, Gelu>(machine, entered, z, d, e, site),
            Activation::Tanh => enter::<T, Tanh>(machine, entered, z, d, e, site),
            Activation::Silu => enter::<T, Silu>(machine, entered, z, d, e, site),
            Activation::Identity => enter::<T, Straight>(machine, entered, z, d, e, site),
        }
        let last = self.layers.len() - 1;
        for (index, (layer, [weight, bias])) in self.layers.iter().zip(&*weights).enumerate() {
            let Layer { fan_in, fan_out, .. } = *layer;
            let weight = Weights::packed(weight, fan_in);
            product(machine, (next, BLOCK), (h, BLOCK), weight, Some(bias), [fan_in, fan_out, rows], Then::Store);
            if index < last {
                match self.activation {
                    Activation::Relu => bend::<T, Relu>(machine, &mut next[..BLOCK * fan_out], BLOCK, rows),
                    Activation::Gelu => bend::<T, Gelu>(machine, &mut next[..BLOCK * fan_out], BLOCK, rows),
                    Activation::Tanh => bend::<T, Tanh>(machine, &mut next[..BLOCK * fan_out], BLOCK, rows),
                    Activation::Silu => bend::<T, Silu>(machine, &mut next[..BLOCK * fan_out], BLOCK, rows),
                    Activation::Identity => bend::<T, Straight>(machine, &mut next[..BLOCK * fan_out], BLOCK, rows),
                }
            }
            std::mem::swap(h, next);
        }
        // An example after another again; the bias is in already.
        let outputs = self.layers[last].fan_out;
        next.resize(next.len().max((BLOCK + 1) * outputs), T::zero());
        let (rows, zeros) = next.split_at_mut((to - from) * outputs);
        let zeros = &mut zeros[..outputs];
        zeros.fill(T::zero());
        for (c, channel) in h.chunks_exact(BLOCK).take(outputs).enumerate() {
            for (row, &x) in rows.chunks_exact_mut(outputs).zip(channel) {
                row[c] = x;
            }
        }
        self.graded.tally(rows, zeros, from)
    }
}

/// `x W + b` at the centre and along the directions, on all cores, in blocks `[width, BLOCK]`.
fn first_layer<T: Number>(layer: &Layer<T>, x: &[T]) -> Plane<T> {
    let Layer { fan_in, fan_out, weight, bias } = layer;
    let affine = |weight: &[T], bias: &[T]| {
        let blocks = (x.len() / fan_in).div_ceil(BLOCK);
        let mut out = vec![T::zero(); blocks * BLOCK * fan_out];
        out.par_chunks_mut(BLOCK * fan_out).zip(x.par_chunks(BLOCK * fan_in)).for_each(|(out, x)| {
            let examples = x.len() / fan_in;
            let mut rows = bias.repeat(examples);
            multiply(&mut rows, x, weight, [examples, *fan_in, *fan_out], Transposed::Neither, true);
            for (r, row) in rows.chunks_exact(*fan_out).enumerate() {
                for (c, &z) in row.iter().enumerate() {
                    out[c * BLOCK + r] = z;
                }
            }
        });
        out
    };
    Plane { centre: affine(&weight.centre, &bias.centre), d: affine(&weight.d, &bias.d), e: affine(&weight.e, &bias.e) }
}

impl<T: Number> Evaluator for Chain<T> {
    fn parts(&self) -> usize {
        self.examples.div_ceil(self.examples_a_part)
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        let desk = self.desks.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut desk = desk.unwrap_or(Desk { site: None, weights: Vec::new(), from: Vec::new(), to: Vec::new() });
        desk.weights.resize_with(self.layers.len(), Default::default);
        Box::new(AtDesk { chain: self, desk: Some(desk) })
    }
}

struct AtDesk<'a, T: Number> {
    chain: &'a Chain<T>,
    desk: Option<Desk<T>>,
}

impl<T: Number> Worker for AtDesk<'_, T> {
    fn tally(&mut self, site: [f64; 2], part: usize) -> Result<Tally> {
        let chain = self.chain;
        let Some(desk) = &mut self.desk else { return Ok(Tally::default()) };
        if desk.site != Some(site) {
            for (layer, [weight, bias]) in chain.layers.iter().zip(&mut desk.weights) {
                layer.weight.combine(chain.machine, site, weight);
                layer.bias.combine(chain.machine, site, bias);
            }
            desk.site = Some(site);
        }
        let end = ((part + 1) * chain.examples_a_part).min(chain.examples);
        let mut total = Tally::default();
        for from in (part * chain.examples_a_part..end).step_by(BLOCK) {
            let found = chain.block(desk, site, from, (from + BLOCK).min(end));
            total.loss += found.loss;
            total.correct += found.correct;
        }
        Ok(total)
    }
}

/// Buffers outlive the piece of work: they are as good at the next point.
impl<T: Number> Drop for AtDesk<'_, T> {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.take() {
            self.chain.desks.lock().unwrap_or_else(PoisonError::into_inner).push(desk);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::{DType, Device};

    use crate::base::rng::{Streams, normals};
    use crate::nn::build::build;
    use crate::nn::model::Model;
    use crate::nn::spec::{LossKind, ModelKind, ModelSpec};
    use crate::tasks::data::{Inputs, Split, Targets};

    use super::super::any_model::AnyModel;
    use super::*;

    const SITES: [[f64; 2]; 5] = [[0.0, 0.0], [1.0, 0.0], [0.0, -0.5], [0.7, 0.3], [-4.0, 4.0]];

    /// More than a block, and not a whole number of them.
    const EXAMPLES: usize = 300;

    fn inputs() -> Inputs {
        let values = normals(&mut Streams::new(5).stream("x"), 6 * EXAMPLES).iter().map(|&x| x as f32).collect();
        Inputs::Features { values, shape: vec![2, 3] }
    }

    fn classes() -> Targets {
        Targets::Classes { labels: (0..EXAMPLES as u32).map(|i| i * i % 3).collect(), classes: 3 }
    }

    fn sums(evaluator: &dyn Evaluator, site: [f64; 2]) -> Tally {
        let mut worker = evaluator.worker();
        (0..evaluator.parts()).fold(Tally::default(), |sum, part| {
            let found = worker.tally(site, part).unwrap();
            Tally { loss: sum.loss + found.loss, correct: sum.correct + found.correct }
        })
    }

    #[track_caller]
    fn same_as_the_plain_loop<T: Number>(
        activation: Activation,
        targets: Targets,
        loss: &LossSpec,
        scale: f64,
        tolerance: f64,
    ) {
        let dtype = T::DTYPE;
        let split = Split { inputs: inputs(), targets };
        let spec = ModelSpec { kind: ModelKind::Mlp, width: 16, depth: 3, activation, ..ModelSpec::default() };
        let model: Arc<dyn Model> = build(&spec, &split).unwrap();
        // Not the initial values: there biases are zero.
        let flat = normals(&mut Streams::new(9).stream("w"), model.layout().total());
        let flat: Vec<f64> = flat.iter().map(|w| scale * w).collect();
        let centre = model.layout().unflatten(&flat, dtype, &Device::Cpu).unwrap();
        let mut directions = Directions::random(model.layout(), &flat, &Streams::new(1));
        // Directions that move biases too.
        directions.d.iter_mut().enumerate().for_each(|(i, d)| *d += 0.01 * (i as f32).sin());
        directions.e.iter_mut().enumerate().for_each(|(i, e)| *e += 0.01 * (i as f32).cos());
        let batch = Batch::new(&split, dtype, &Device::Cpu).unwrap();
        let plain = AnyModel::new(&model, &centre, &directions, &batch, loss).unwrap();
        for (machine, site) in Machine::all().into_iter().flat_map(|machine| SITES.map(|site| (machine, site))) {
            let chain = Chain::<T>::new(activation, machine, &centre, &directions, &batch, loss).unwrap();
            let (known, found) = (sums(&plain, site), sums(&chain, site));
            if !known.loss.is_finite() {
                assert_eq!(known.loss.is_nan(), found.loss.is_nan(), "{activation:?} {site:?}: {known:?} {found:?}");
                continue;
            }
            let error = (known.loss - found.loss).abs() / known.loss.max(1.0);
            assert!(error < tolerance, "{activation:?} {dtype:?} {loss:?} {site:?}: {known:?} {found:?}");
            // Ties may fall either way in the last bit.
            assert!(known.correct.abs_diff(found.correct) <= usize::from(dtype == DType::F32), "{known:?} {found:?}");
        }
    }

    const ALL: [Activation; 5] =
        [Activation::Relu, Activation::Gelu, Activation::Tanh, Activation::Silu, Activation::Identity];

    #[test]
    fn equals_the_plain_loop_for_all_activations() {
        for activation in ALL {
            let warm = LossSpec { temperature: 2.5, ..LossSpec::default() };
            for loss in [LossSpec::default(), warm] {
                same_as_the_plain_loop::<f64>(activation, classes(), &loss, 0.3, 1e-12);
                same_as_the_plain_loop::<f32>(activation, classes(), &loss, 0.3, 4e-6);
            }
        }
    }

    #[test]
    fn equals_the_plain_loop_for_the_squared_error() {
        let mse = LossSpec { kind: LossKind::Mse, temperature: 3.0 };
        let values = Targets::Values { values: (0..2 * EXAMPLES).map(|i| (i as f32).cos()).collect(), outputs: 2 };
        for targets in [classes(), values] {
            same_as_the_plain_loop::<f64>(Activation::Tanh, targets.clone(), &mse, 0.3, 1e-12);
            same_as_the_plain_loop::<f32>(Activation::Tanh, targets, &mse, 0.3, 4e-6);
        }
    }

    #[test]
    fn diverges_where_the_plain_loop_does() {
        for activation in ALL {
            same_as_the_plain_loop::<f32>(activation, classes(), &LossSpec::default(), 1e12, 1e-3);
            same_as_the_plain_loop::<f32>(activation, classes(), &LossSpec::default(), f64::NAN, 1e-3);
        }
    }

    #[test]
    fn desks_carry_nothing_from_point_to_point() {
        let split = Split { inputs: inputs(), targets: classes() };
        let spec = ModelSpec { kind: ModelKind::Mlp, width: 16, depth: 2, ..ModelSpec::default() };
        let model = build(&spec, &split).unwrap();
        let flat = model.init(&Streams::new(1));
        let centre = model.layout().unflatten(&flat, DType::F32, &Device::Cpu).unwrap();
        let directions = Directions::random(model.layout(), &flat, &Streams::new(1));
        let batch = Batch::new(&split, DType::F32, &Device::Cpu).unwrap();
        let chain = || {
            let here = Machine::here();
            Chain::<f32>::new(spec.activation, here, &centre, &directions, &batch, &LossSpec::default()).unwrap()
        };
        let used = chain();
        let first: Vec<_> = SITES.iter().map(|&site| sums(&used, site)).collect();
        for (&site, first) in SITES.iter().zip(first).rev() {
            assert_eq!(sums(&used, site), first);
            assert_eq!(sums(&chain(), site), first);
        }
    }
}
