//! Products with parameter vectors that are sums over pieces of a batch.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, Var};
use rayon::prelude::*;

use crate::linalg::vectors::axpy;
use crate::nn::batch::Batch;
use crate::nn::cost::Cost;
use crate::nn::model::Model;
use crate::nn::parts::Part;

/// Examples from which on a batch has two pieces at least, so that two cores share the work.
const LEAST_TO_HALVE: usize = 32;
/// Examples of a piece on a GPU.
const GPU_EXAMPLES: usize = 4096;
/// Bytes that the graph of a gradient holds for a byte of activations at the taps.
const GRAPH_BYTES: usize = 120;
/// Bytes of graphs kept between products; beyond it they are built anew.
const MOST_GRAPH_BYTES: usize = 512 << 20;

/// A network at frozen parameters.
pub(super) struct Frozen {
    pub model: Arc<dyn Model>,
    pub vars: Vec<Var>,
    pub dtype: DType,
    pub device: Device,
    /// Whether the graphs of all pieces fit into memory.
    pub keep_graphs: bool,
}

impl Frozen {
    /// At `params`, which are copied, and the batch in pieces that take some 15 ms if their work is `passes` times that of a
    /// forward pass.
    ///
    /// # Errors
    /// If there are no examples; whatever candle says of shapes and the device.
    pub fn new(
        model: Arc<dyn Model>,
        params: &[Tensor],
        batch: &Batch,
        passes: f64,
        what: &str,
    ) -> Result<(Self, Vec<Part>)> {
        if batch.len == 0 {
            candle_core::bail!("{what} can't be that of no examples; give at least one");
        }
        let model = model.measured_at(params, &batch.inputs)?.unwrap_or(model);
        let cost = Cost::of(&*model, params, batch)?;
        let vars: Vec<Var> = params.iter().map(Var::from_tensor).collect::<Result<_>>()?;
        let (dtype, device) = (params[0].dtype(), params[0].device().clone());
        let half = if batch.len < LEAST_TO_HALVE { batch.len } else { batch.len.div_ceil(2) };
        let examples = if device.is_cpu() { cost.examples(passes).min(half) } else { GPU_EXAMPLES };
        // As equal as can be.
        let parts = batch.parts_for(&*model, batch.len.div_ceil(batch.len.div_ceil(examples)))?;
        let gradients = parts.len() * model.layout().total();
        let graphs = (GRAPH_BYTES * cost.activations * batch.len + gradients) * dtype.size_in_bytes();
        Ok((Self { model, vars, dtype, device, keep_graphs: graphs <= MOST_GRAPH_BYTES }, parts))
    }

    /// The outputs for a part of the batch, `[R, C]`, with their graph.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn outputs(&self, part: &Part) -> Result<Tensor> {
        let params: Vec<Tensor> = self.vars.iter().map(|var| var.as_tensor().clone()).collect();
        self.model.forward(&params, &part.batch.inputs, None)
    }

    /// A flat vector in the shapes of the parameters.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn unflatten(&self, v: &[f64]) -> Result<Vec<Tensor>> {
        self.model.layout().unflatten(v, self.dtype, &self.device)
    }
}

/// What a piece of the batch adds to a product.
pub(super) trait PieceProduct: Send {
    /// In the flattening order.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    fn product(&mut self, at: &Frozen, direction: &[Tensor]) -> Result<Vec<f64>>;

    /// The products with several directions.
    ///
    /// # Errors
    /// The first error of a product.
    fn products<D: AsRef<[Tensor]> + Sync>(&mut self, at: &Frozen, directions: &[D]) -> Result<Vec<Vec<f64>>> {
        directions.iter().map(|direction| self.product(at, direction.as_ref())).collect()
    }
}

/// A sum over pieces, done on the threads of the current rayon pool and added up in the order of the pieces, in f64: equal bits
/// for any number of threads.
pub(super) struct Sum<P> {
    pub at: Frozen,
    pub pieces: Vec<P>,
    direction: Vec<Tensor>,
    sum: Vec<f64>,
    /// Pieces that are in the sum.
    summed: usize,
}

impl<P: PieceProduct> Sum<P> {
    pub fn new(at: Frozen, pieces: Vec<P>) -> Self {
        let sum = vec![0.0; at.model.layout().total()];
        Self { at, pieces, direction: Vec::new(), sum, summed: 0 }
    }

    pub fn dim(&self) -> usize {
        self.sum.len()
    }

    pub fn begin(&mut self, v: &[f64]) -> Result<()> {
        self.direction = self.at.unflatten(v)?;
        self.sum.fill(0.0);
        self.summed = 0;
        Ok(())
    }

    pub fn advance(&mut self) -> Result<Option<&[f64]>> {
        let Self { at, pieces, direction, sum, summed } = self;
        for product in wave(pieces, summed, |piece| piece.product(at, direction))? {
            axpy(1.0, &product, sum);
        }
        Ok((*summed == pieces.len()).then_some(sum))
    }

    pub fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
        self.begin(v)?;
        loop {
            if let Some(product) = self.advance()? {
                out.copy_from_slice(product);
                return Ok(());
            }
        }
    }
}

impl<P: PieceProduct> Sum<P> {
    /// As [`Self::apply`] for each vector, with the same bits: pieces are added in the same order. What the products of a piece share
    /// is made once for all vectors, also where it isn't kept.
    pub fn apply_many(&mut self, vectors: &[&[f64]]) -> Result<Vec<Vec<f64>>> {
        let Self { at, pieces, sum, .. } = self;
        let directions: Vec<Vec<Tensor>> = vectors.iter().map(|v| at.unflatten(v)).collect::<Result<_>>()?;
        let mut sums = vec![vec![0.0; sum.len()]; vectors.len()];
        let mut done = 0;
        while done < pieces.len() {
            for products in wave(pieces, &mut done, |piece| piece.products(at, &directions))? {
                for (sum, product) in sums.iter_mut().zip(&products) {
                    axpy(1.0, product, sum);
                }
            }
        }
        Ok(sums)
    }
}

/// Does the next pieces from `*done` on, one a thread of the current rayon pool, and counts them; answers in their order.
///
/// # Errors
/// The first error of `work`, in the order of the pieces.
pub(super) fn wave<P: Send, T: Send>(
    pieces: &mut [P],
    done: &mut usize,
    work: impl Fn(&mut P) -> Result<T> + Sync + Send,
) -> Result<Vec<T>> {
    let until = (*done + rayon::current_num_threads().max(1)).min(pieces.len());
    let answers = match &mut pieces[*done..until] {
        [piece] => vec![work(piece)?],
        wave => wave.par_iter_mut().map(work).collect::<Result<_>>()?,
    };
    *done = until;
    Ok(answers)
}
