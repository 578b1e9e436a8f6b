//! The Hessian of the training loss as an operator, exact, a few examples at a time.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, Var};
use rayon::prelude::*;

use crate::linalg::operator::LinearOperator;
use crate::linalg::vectors::axpy;

use super::autodiff::GradientGraph;
use super::batch::Batch;
use super::chain;
use super::cost::Cost;
use super::loss::loss;
use super::model::Model;
use super::parts::Part;
use super::spec::LossSpec;

/// Work of a Hessian-vector product over that of a forward pass.
const PASSES: f64 = 10.0;
/// Examples of a piece on a GPU.
const GPU_EXAMPLES: usize = 4096;
/// Bytes that the graph of a gradient holds for a byte of activations at the taps.
const GRAPH_BYTES: usize = 120;
/// Bytes of graphs kept between products; beyond it they are built anew.
const MOST_GRAPH_BYTES: usize = 512 << 20;

/// `v -> H v` with `H = sum_i share_i d^2 loss_i / dw^2` at frozen parameters, where the pieces `i` of the batch are
/// differentiated twice each, on the threads of the current rayon pool, and summed in their order in f64: equal bits
/// for any number of threads.
///
/// The gradients' graphs are kept from one product to the next as long as they fit into memory. The threads need
/// [`super::autodiff::enable_second_derivatives`] and [`super::autodiff::STACK_BYTES`].
pub struct Hessian {
    model: Arc<dyn Model>,
    loss: LossSpec,
    vars: Vec<Var>,
    dtype: DType,
    device: Device,
    pieces: Vec<Piece>,
    keep_graphs: bool,
    /// The direction of the product, flat and in the shapes of the layout.
    flat: Vec<f64>,
    direction: Vec<Tensor>,
    sum: Vec<f64>,
    /// Pieces that are in the sum.
    summed: usize,
}

struct Piece {
    part: Part,
    shared: Shared,
}

/// What all products of a piece have in common.
enum Shared {
    /// Not made yet, or not kept.
    Nothing,
    Graph(GradientGraph),
    ByHand(Box<dyn chain::Product>),
}

impl Hessian {
    /// Of the loss on `batch` at `params`, which are copied.
    ///
    /// # Errors
    /// If there are no examples; whatever candle says of shapes and the device.
    pub fn new(model: Arc<dyn Model>, params: &[Tensor], batch: &Batch, loss: &LossSpec) -> Result<Self> {
        if batch.len == 0 {
            candle_core::bail!("the Hessian can't be that of no examples; give at least one");
        }
        let cost = Cost::of(&*model, params, batch)?;
        let vars: Vec<Var> = params.iter().map(Var::from_tensor).collect::<Result<_>>()?;
        let (dtype, device) = (params[0].dtype(), params[0].device().clone());
        let examples = if device.is_cpu() { cost.examples(PASSES) } else { GPU_EXAMPLES };
        // As equal as can be.
        let parts = batch.parts_of(batch.len.div_ceil(batch.len.div_ceil(examples)))?;
        let gradients = parts.len() * model.layout().total();
        let graphs = (GRAPH_BYTES * cost.activations * batch.len + gradients) * dtype.size_in_bytes();
        Ok(Self {
            sum: vec![0.0; model.layout().total()],
            model,
            loss: loss.clone(),
            vars,
            dtype,
            device,
            pieces: parts.into_iter().map(|part| Piece { part, shared: Shared::Nothing }).collect(),
            keep_graphs: graphs <= MOST_GRAPH_BYTES,
            flat: Vec::new(),
            direction: Vec::new(),
            summed: 0,
        })
    }

    /// Begins the product with `v`, in the flattening order; an unfinished product is dropped.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn begin(&mut self, v: &[f64]) -> Result<()> {
        self.flat.clear();
        self.flat.extend_from_slice(v);
        self.direction = self.model.layout().unflatten(v, self.dtype, &self.device)?;
        self.sum.fill(0.0);
        self.summed = 0;
        Ok(())
    }

    /// Adds a piece of the batch a thread to the product; `Some(H v)` when all are in.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn advance(&mut self) -> Result<Option<&[f64]>> {
        let Self { model, loss, vars, pieces, keep_graphs, flat, direction, sum, summed, .. } = self;
        let until = (*summed + rayon::current_num_threads().max(1)).min(pieces.len());
        let work = |piece: &mut Piece| piece.product(&**model, loss, vars, (flat, direction), *keep_graphs);
        let wave = &mut pieces[*summed..until];
        let products: Vec<Vec<f64>> = match wave {
            [piece] => vec![work(piece)?],
            wave => wave.par_iter_mut().map(work).collect::<Result<_>>()?,
        };
        for product in products {
            axpy(1.0, &product, sum);
        }
        *summed = until;
        Ok((until == pieces.len()).then_some(sum))
    }

    /// Number of pieces of a product.
    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }
}

impl Piece {
    fn product(
        &mut self,
        model: &dyn Model,
        spec: &LossSpec,
        vars: &[Var],
        (flat, direction): (&[f64], &[Tensor]),
        keep: bool,
    ) -> Result<Vec<f64>> {
        let shared = match std::mem::replace(&mut self.shared, Shared::Nothing) {
            Shared::Nothing => self.share(model, spec, vars)?,
            made => made,
        };
        let product = match &shared {
            Shared::ByHand(trace) => trace.product(flat)?,
            Shared::Graph(graph) => model.layout().flatten(&graph.hvp(direction)?)?,
            Shared::Nothing => unreachable!("it was just made"),
        };
        if keep {
            self.shared = shared;
        }
        Ok(product)
    }

    fn share(&self, model: &dyn Model, spec: &LossSpec, vars: &[Var]) -> Result<Shared> {
        let params: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        if let Some(activation) = chain::of(model, &params) {
            return Ok(Shared::ByHand(chain::trace(activation, &params, &self.part, spec)?));
        }
        let outputs = model.forward(&params, &self.part.batch.inputs, None)?;
        let loss = (loss(&outputs, &self.part.batch.targets, spec)? * self.part.share)?;
        GradientGraph::new(&loss, vars).map(Shared::Graph)
    }
}

impl LinearOperator for Hessian {
    type Error = candle_core::Error;

    fn dim(&self) -> usize {
        self.sum.len()
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
        self.begin(v)?;
        loop {
            if let Some(product) = self.advance()? {
                out.copy_from_slice(product);
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};
    use crate::nn::build::build;
    use crate::nn::params::Params;
    use crate::nn::spec::{ModelKind, ModelSpec};
    use crate::nn::training::gradient;
    use crate::tasks::data::{Inputs, Split, Targets, UNGRADED};

    use super::*;

    fn sequences(n: usize) -> Split {
        let ids: Vec<u32> = (0..5 * n).map(|i| (i * i + 3 * i) as u32 % 7).collect();
        let targets = (0..5 * n).map(|i| if i % 4 == 1 { UNGRADED } else { ids[i] }).collect();
        Split {
            inputs: Inputs::Tokens { ids, length: 5, vocabulary: 7 },
            targets: Targets::NextTokens { ids: targets, length: 5, vocabulary: 7 },
        }
    }

    #[test]
    fn pieces_sum_to_the_derivative_of_the_whole_gradient() {
        let split = sequences(20);
        let spec = ModelSpec { kind: ModelKind::Gpt, width: 8, depth: 1, n_heads: 2, ..ModelSpec::default() };
        let model = build(&spec, &split).unwrap();
        let flat = model.init(&Streams::new(3));
        let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
        let params = model.layout().unflatten(&flat, DType::F64, &Device::Cpu).unwrap();
        let mut hessian = Hessian::new(model.clone(), &params, &batch, &LossSpec::default()).unwrap();
        // Small pieces, so that there are several.
        hessian.pieces =
            batch.parts_of(6).unwrap().into_iter().map(|part| Piece { part, shared: Shared::Nothing }).collect();
        let v = normals(&mut Streams::new(4).stream("v"), flat.len());
        let mut product = vec![0.0; flat.len()];
        hessian.apply(&v, &mut product).unwrap();
        // Once more, from the kept graphs, on one thread.
        let mut again = vec![0.0; flat.len()];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| hessian.apply(&v, &mut again)).unwrap();
        assert_eq!(product, again);

        // The embeddings are small numbers under a normalisation: third derivatives are large, so steps are small.
        let step = 1e-6;
        let gradient_at = |sign: f64| {
            let moved: Vec<f64> = flat.iter().zip(&v).map(|(w, v)| w + sign * step * v).collect();
            let params = Params::from_flat(model.layout().clone(), &moved, DType::F64, &Device::Cpu).unwrap();
            let found = gradient(&*model, &params, &batch, &LossSpec::default()).unwrap();
            model.layout().flatten(&found.tensors).unwrap()
        };
        let (plus, minus) = (gradient_at(1.0), gradient_at(-1.0));
        let scale = product.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        for ((p, m), h) in plus.iter().zip(&minus).zip(&product) {
            assert!(((p - m) / (2.0 * step) - h).abs() < 1e-6 * scale, "{} {h}", (p - m) / (2.0 * step));
        }
    }
}
