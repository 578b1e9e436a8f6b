//! The Jacobian of a network's outputs.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor};

use crate::linalg::vectors::axpy;
use crate::nn::batch::Batch;
use crate::nn::model::Model;
use crate::nn::parts::Part;

use super::output_graph::OutputGraph;
use super::sum::{Frozen, wave};

/// Work of a forward derivative over that of a forward pass.
const PASSES: f64 = 12.0;

/// `J = df/dw` of all outputs on a batch at frozen parameters, `[R C, P]`: rows R and outputs C row-major, as the network gives
/// them, so that an example's outputs are neighbours; parameters in the flattening order. Products are exact, done a piece of the batch at a
/// time on the threads of the current rayon pool, with equal bits for any number of threads.
///
/// The graphs are kept from one product to the next as long as they fit into memory. The threads need
/// [`crate::nn::autodiff::enable_second_derivatives`] and [`crate::nn::autodiff::STACK_BYTES`].
pub struct Jacobian {
    at: Frozen,
    pieces: Vec<Piece>,
    task: Task,
    product: Vec<f64>,
    done: usize,
}

/// The product under way.
enum Task {
    Idle,
    Forward(Vec<Tensor>),
    Reverse(Vec<f64>),
}

struct Piece {
    part: Part,
    graph: Option<OutputGraph>,
    /// Outputs before this piece.
    from: usize,
    outputs: usize,
}

impl Piece {
    fn with_graph<T>(&mut self, at: &Frozen, work: impl Fn(&OutputGraph) -> Result<T>) -> Result<T> {
        let graph = match self.graph.take() {
            Some(graph) => graph,
            None => OutputGraph::new(at.outputs(&self.part)?, &at.vars)?,
        };
        let answer = work(&graph)?;
        if at.keep_graphs {
            self.graph = Some(graph);
        }
        Ok(answer)
    }
}

impl Jacobian {
    /// Of the outputs on `batch` at `params`, which are copied.
    ///
    /// # Errors
    /// If there are no examples; whatever candle says of shapes and the device.
    pub fn new(model: Arc<dyn Model>, params: &[Tensor], batch: &Batch) -> Result<Self> {
        let (at, parts) = Frozen::new(model, params, batch, PASSES, "the Jacobian")?;
        Self::of_parts(at, parts)
    }

    fn of_parts(at: Frozen, parts: Vec<Part>) -> Result<Self> {
        let one = at.outputs(&Part { batch: parts[0].batch.part(0, 1)?.batch, share: 1.0 })?.elem_count();
        let mut from = 0;
        let pieces = parts.into_iter().map(|part| {
            let outputs = one * part.batch.len;
            from += outputs;
            Piece { part, graph: None, from: from - outputs, outputs }
        });
        let pieces = pieces.collect();
        Ok(Self { at, pieces, task: Task::Idle, product: Vec::new(), done: 0 })
    }

    /// Number of outputs `R C`.
    pub fn outputs(&self) -> usize {
        self.pieces.iter().map(|piece| piece.outputs).sum()
    }

    /// Number of parameters P.
    pub fn parameters(&self) -> usize {
        self.at.model.layout().total()
    }

    /// Begins `J v`, v `[P]`; an unfinished product is dropped.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn begin_jvp(&mut self, v: &[f64]) -> Result<()> {
        self.task = Task::Forward(self.at.unflatten(v)?);
        self.product = vec![0.0; self.outputs()];
        self.done = 0;
        Ok(())
    }

    /// Begins `J' u`, u `[R C]`; an unfinished product is dropped.
    pub fn begin_vjp(&mut self, u: &[f64]) {
        assert_eq!(u.len(), self.outputs(), "a cotangent has one entry an output");
        self.task = Task::Reverse(u.to_vec());
        self.product = vec![0.0; self.parameters()];
        self.done = 0;
    }

    /// Does a piece of the batch a thread; the product when all are done, `[R C]` or `[P]`. `None` if none was begun.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn advance(&mut self) -> Result<Option<&[f64]>> {
        let Self { at, pieces, task, product, done } = self;
        let before = *done;
        match task {
            Task::Idle => return Ok(None),
            Task::Forward(direction) => {
                let parts = wave(pieces, done, |piece| {
                    let found = piece.with_graph(at, |graph| graph.jvp(direction))?;
                    found.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()
                })?;
                for (piece, part) in pieces[before..].iter().zip(parts) {
                    product[piece.from..piece.from + piece.outputs].copy_from_slice(&part);
                }
            }
            Task::Reverse(cotangent) => {
                let parts = wave(pieces, done, |piece| {
                    let part = &cotangent[piece.from..piece.from + piece.outputs];
                    let found = piece.with_graph(at, |graph| {
                        let u = Tensor::from_slice(part, graph.outputs.shape(), &at.device)?.to_dtype(at.dtype)?;
                        graph.vjp(&u)
                    })?;
                    at.model.layout().flatten(&found)
                })?;
                for part in parts {
                    axpy(1.0, &part, product);
                }
            }
        }
        if *done < pieces.len() {
            return Ok(None);
        }
        Ok(Some(product))
    }

    /// `J v`, `[R C]`.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn jvp(&mut self, v: &[f64]) -> Result<Vec<f64>> {
        self.begin_jvp(v)?;
        self.finish()
    }

    /// `J' u`, `[P]`.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn vjp(&mut self, u: &[f64]) -> Result<Vec<f64>> {
        self.begin_vjp(u);
        self.finish()
    }

    fn finish(&mut self) -> Result<Vec<f64>> {
        loop {
            if let Some(product) = self.advance()? {
                return Ok(product.to_vec());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::linalg::vectors::{dot, norm, scale};
    use crate::nn::curvature::fixtures::{cases, draw, error};

    use super::*;

    #[test]
    fn products_are_the_derivative_of_the_outputs_and_its_transpose() {
        for case in cases() {
            let (at, parts) = case.in_parts();
            let mut jacobian = Jacobian::of_parts(at, parts).unwrap();
            let mut v = draw("v", case.flat.len());
            scale(1.0 / norm(&v), &mut v);
            let found = jacobian.jvp(&v).unwrap();
            assert_eq!((found.len(), jacobian.parameters()), (jacobian.outputs(), case.flat.len()));
            // Central differences of fourth order.
            let h = 1e-3;
            let [a, b, c, d] = [2.0 * h, h, -h, -2.0 * h].map(|by| case.outputs_at(&case.moved(&v, by)));
            let known: Vec<f64> = (0..a.len()).map(|i| (8.0 * (b[i] - c[i]) - (a[i] - d[i])) / (12.0 * h)).collect();
            let title = case.model.title();
            assert!(error(&found, &known) < 1e-8, "{title}: {}", error(&found, &known));
            let u = draw("u", jacobian.outputs());
            let pulled = jacobian.vjp(&u).unwrap();
            assert!((dot(&u, &found) - dot(&pulled, &v)).abs() < 1e-12 * norm(&u) * norm(&found), "{title}");

            // Once more on one thread, and from the kept graphs.
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            assert_eq!(pool.install(|| (jacobian.jvp(&v).unwrap(), jacobian.vjp(&u).unwrap())), (found, pulled));
        }
    }

    #[test]
    fn the_batch_and_its_parts_agree() {
        for case in &cases()[..3] {
            let (at, parts) = case.in_parts();
            let mut in_parts = Jacobian::of_parts(at, parts).unwrap();
            let mut whole = Jacobian::new(case.model.clone(), &case.params, &case.batch).unwrap();
            let (v, u) = (draw("v", case.flat.len()), draw("u", whole.outputs()));
            assert!(error(&in_parts.jvp(&v).unwrap(), &whole.jvp(&v).unwrap()) < 1e-13);
            assert!(error(&in_parts.vjp(&u).unwrap(), &whole.vjp(&u).unwrap()) < 1e-13);
        }
        let case = &cases()[0];
        let mut idle = Jacobian::new(case.model.clone(), &case.params, &case.batch).unwrap();
        assert!(idle.advance().unwrap().is_none());
    }
}
