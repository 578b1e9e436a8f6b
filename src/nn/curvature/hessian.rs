//! The Hessian of the training loss.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::linalg::operator::{LinearOperator, PiecewiseOperator};
use crate::nn::autodiff::GradientGraph;
use crate::nn::batch::Batch;
use crate::nn::chain;
use crate::nn::loss::loss;
use crate::nn::model::Model;
use crate::nn::parts::Part;
use crate::nn::spec::LossSpec;

use super::sum::{Frozen, PieceProduct, Sum};

/// Work of a Hessian-vector product over that of a forward pass.
const PASSES: f64 = 10.0;

/// `v -> H v` with `H = sum_i share_i d^2 loss_i / dw^2` at frozen parameters, where the pieces `i` of the batch are
/// differentiated twice each, on the threads of the current rayon pool, and summed in their order in f64: equal bits
/// for any number of threads.
///
/// The gradients' graphs are kept from one product to the next as long as they fit into memory. The threads need
/// [`crate::nn::autodiff::enable_second_derivatives`] and [`crate::nn::autodiff::STACK_BYTES`].
pub struct Hessian {
    sum: Sum<Piece>,
}

struct Piece {
    part: Part,
    loss: LossSpec,
    shared: Shared,
}

/// What all products of a piece have in common.
enum Shared {
    /// Not made yet, or not kept.
    Nothing,
    Graph(GradientGraph),
    /// Perceptrons need no graph.
    ByHand(Box<dyn chain::Product>),
}

impl Piece {
    fn share(&self, at: &Frozen) -> Result<Shared> {
        let params: Vec<Tensor> = at.vars.iter().map(|var| var.as_tensor().clone()).collect();
        if let Some(activation) = chain::of(&*at.model, &params) {
            return Ok(Shared::ByHand(chain::trace(activation, &params, &self.part, &self.loss)?));
        }
        let outputs = at.outputs(&self.part)?;
        let loss = (loss(&outputs, &self.part.batch.targets, &self.loss)? * self.part.share)?;
        GradientGraph::new(&loss, &at.vars).map(Shared::Graph)
    }

    fn new(part: Part, loss: &LossSpec) -> Self {
        Self { part, loss: loss.clone(), shared: Shared::Nothing }
    }
}

impl PieceProduct for Piece {
    fn product(&mut self, at: &Frozen, direction: &[Tensor]) -> Result<Vec<f64>> {
        Ok(self.products(at, std::slice::from_ref(&direction))?.remove(0))
    }

    fn products<D: AsRef<[Tensor]> + Sync>(&mut self, at: &Frozen, directions: &[D]) -> Result<Vec<Vec<f64>>> {
        let shared = match std::mem::replace(&mut self.shared, Shared::Nothing) {
            Shared::Nothing => self.share(at)?,
            made => made,
        };
        let product = |direction: &D| match &shared {
            Shared::ByHand(trace) => trace.product(direction.as_ref()),
            Shared::Graph(graph) => at.model.layout().flatten(&graph.hvp(direction.as_ref())?),
            Shared::Nothing => unreachable!("it was just made"),
        };
        let products = directions.iter().map(product).collect::<Result<_>>()?;
        if at.keep_graphs {
            self.shared = shared;
        }
        Ok(products)
    }
}

impl Hessian {
    /// Of the loss on `batch` at `params`, which are copied.
    ///
    /// # Errors
    /// If there are no examples; whatever candle says of shapes and the device.
    pub fn new(model: Arc<dyn Model>, params: &[Tensor], batch: &Batch, loss: &LossSpec) -> Result<Self> {
        let (at, parts) = Frozen::new(model, params, batch, PASSES, "the Hessian")?;
        let pieces = parts.into_iter().map(|part| Piece::new(part, loss)).collect();
        Ok(Self { sum: Sum::new(at, pieces) })
    }

    /// Begins the product with `v`, in the flattening order; an unfinished product is dropped.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn begin(&mut self, v: &[f64]) -> Result<()> {
        self.sum.begin(v)
    }

    /// Adds a piece of the batch a thread to the product; `Some(H v)` when all are in.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn advance(&mut self) -> Result<Option<&[f64]>> {
        self.sum.advance()
    }

    /// Number of pieces of a product.
    pub fn pieces(&self) -> usize {
        self.sum.pieces.len()
    }
}

impl LinearOperator for Hessian {
    type Error = candle_core::Error;

    fn dim(&self) -> usize {
        self.sum.dim()
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
        self.sum.apply(v, out)
    }

    fn apply_many(&mut self, vectors: &[&[f64]]) -> Result<Vec<Vec<f64>>> {
        if !self.sum.at.keep_graphs {
            return self.sum.apply_many(vectors);
        }
        // What products share is kept anyway, and one sum at a time stays in the cache.
        let product = |v: &&[f64]| {
            let mut out = vec![0.0; v.len()];
            self.sum.apply(v, &mut out)?;
            Ok(out)
        };
        vectors.iter().map(product).collect()
    }
}

impl PiecewiseOperator for Hessian {
    fn begin(&mut self, v: &[f64]) -> Result<()> {
        self.sum.begin(v)
    }

    fn advance(&mut self) -> Result<Option<&[f64]>> {
        self.sum.advance()
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

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
        let loss = LossSpec::default();
        hessian.sum.pieces = batch.parts_of(6).unwrap().into_iter().map(|part| Piece::new(part, &loss)).collect();
        let v = normals(&mut Streams::new(4).stream("v"), flat.len());
        let mut product = vec![0.0; flat.len()];
        hessian.apply(&v, &mut product).unwrap();
        // Once more, from the kept graphs, on one thread.
        let mut again = vec![0.0; flat.len()];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| hessian.apply(&v, &mut again)).unwrap();
        assert_eq!(product, again);
        // Several at once have the same bits, with kept graphs and without.
        let u = normals(&mut Streams::new(5).stream("u"), flat.len());
        hessian.apply(&u, &mut again).unwrap();
        for keep in [true, false] {
            hessian.sum.at.keep_graphs = keep;
            assert_eq!(hessian.apply_many(&[&v, &u]).unwrap(), [product.clone(), again.clone()]);
            let alone = pool.install(|| hessian.apply_many(&[&v, &u, &v])).unwrap();
            assert_eq!(alone, [product.clone(), again.clone(), product.clone()]);
        }

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
