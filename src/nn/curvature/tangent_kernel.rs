//! The empirical neural tangent kernel (Jacot, Gabriel and Hongler 2018).

use std::sync::Arc;

use candle_core::{D, DType, Result, Tensor};

use crate::linalg::operator::Dense;
use crate::nn::batch::{Batch, InputTensor};
use crate::nn::chain::{self, Layerwise};
use crate::nn::model::Model;

use super::output_graph::vjp;
use super::sum::{Frozen, wave};

/// Gradients that are computed, and kept, together.
const ROWS: usize = 16;
/// Terms of an inner product that are added in the type of the parameters before f64 takes over.
const TERMS: usize = 4096;
/// Examples a side of a tile that is computed from factors.
const FACTORED: usize = 64;
/// Bytes of gradients held at once.
const MOST_BYTES: usize = 2 << 30;

/// What of the kernel `Theta_(n o, m p) = <df_no / dw, df_mp / dw>` is wanted, for examples n, m of N and outputs o, p of each:
/// the C outputs of an example, for token models its `T C`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernels {
    /// `sum_o Theta_(n o, m o)`, `[N, N]`: one kernel.
    #[default]
    Traced,
    /// `Theta_(n o, m o)`, `[N, N]`: one kernel an output.
    PerOutput,
    /// All of it, `[N O, N O]`, an example's outputs as neighbours: one kernel, in the order of [`super::Jacobian`].
    Full,
}

/// The kernel of a batch at frozen parameters in progress, from the gradients of single outputs. All parameters count alike: no learning
/// rates and no factors of a parametrisation are in it.
///
/// Exact but for rounding: inner products are added in f64 from sums of 4096 terms in the type of the parameters.
///
/// Perceptrons ([`Model::chain`]) need no gradients: those of a layer are outer products, so that
/// `Theta_(n o, m p) = sum_l (delta_no . delta_mp) (h_n . h_m + 1)`, with the layer's inputs h and the derivatives delta for its
/// preactivations. For layers of width D that takes `N O D^2` multiplications for delta and `N^2 O D` for the products
/// (`N^2 O^2 D` for the full kernel), and `N O D` numbers are held.
///
/// For other networks, with N examples, O outputs each and P parameters, it takes `N O` backward passes on one example and `N^2 O P` multiplications, for
/// the full kernel `N^2 O^2 P`. The traced kernel holds the gradients of one output, `N P` numbers; the full one
/// holds all `N O P`.
pub struct TangentKernel {
    at: Frozen,
    examples: Vec<InputTensor>,
    /// Outputs of an example.
    outputs: usize,
    kernels: Kernels,
    /// Outputs whose gradients are held together, in turn.
    group: usize,
    blocks: Vec<Block>,
    /// Blocks whose gradients are in.
    ready: usize,
    tiles: Vec<[usize; 2]>,
    /// Tiles of the kernel that are in.
    tiled: usize,
    found: Vec<Vec<f64>>,
    /// The gradients in factors, if they have any.
    factors: Option<Box<dyn Layerwise>>,
}

/// Gradients of some outputs.
struct Block {
    /// Example and output of each.
    rows: Vec<[usize; 2]>,
    /// `[rows, P]`
    gradients: Option<Tensor>,
}

impl TangentKernel {
    /// # Errors
    /// If there are no examples, or their gradients don't fit into memory, or the network couples examples; whatever candle says of shapes and the device.
    pub fn new(model: Arc<dyn Model>, params: &[Tensor], batch: &Batch, kernels: Kernels) -> Result<Self> {
        let (at, _) = Frozen::new(model, params, batch, 1.0, "a tangent kernel")?;
        if at.model.coupled_examples() > 1 {
            // The gradients below are those of examples that come alone.
            candle_core::bail!(
                "the outputs for an example depend on the others of its batch (BatchNorm statistics: {}); give frozen ones",
                at.model.statistics().unwrap_or_default()
            );
        }
        let examples: Vec<InputTensor> =
            (0..batch.len).map(|n| Ok(batch.part(n, n + 1)?.batch.inputs)).collect::<Result<_>>()?;
        let outputs = at.model.forward(params, &examples[0], None)?.elem_count();
        let activation = chain::of(&*at.model, params);
        let numbers = match (activation, kernels) {
            (Some(_), _) => chain::held(params)?,
            (None, Kernels::Full) => outputs * at.model.layout().total(),
            (None, _) => at.model.layout().total(),
        };
        check_memory(batch.len, numbers * at.dtype.size_in_bytes())?;
        let factors = activation.map(|activation| chain::layerwise(activation, params, &batch.inputs)).transpose()?;
        let (count, side) = match kernels {
            Kernels::Traced => (1, batch.len),
            Kernels::PerOutput => (outputs, batch.len),
            Kernels::Full => (1, batch.len * outputs),
        };
        let mut kernel = Self {
            at,
            examples,
            outputs,
            kernels,
            group: 0,
            blocks: Vec::new(),
            ready: 0,
            tiles: Vec::new(),
            tiled: 0,
            found: vec![vec![0.0; side * side]; count],
            factors,
        };
        if kernel.factors.is_some() {
            let blocks = kernel.examples.len().div_ceil(FACTORED);
            kernel.tiles = (0..blocks).flat_map(|a| (0..=a).map(move |b| [a, b])).collect();
        } else {
            kernel.begin_group();
        }
        Ok(kernel)
    }

    /// How it is computed.
    pub fn method(&self) -> &'static str {
        if self.factors.is_some() {
            "products of layers' inputs and derivatives"
        } else {
            "gradients of single outputs"
        }
    }

    /// Outputs O of an example.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    fn begin_group(&mut self) {
        let held = if self.kernels == Kernels::Full { 0..self.outputs } else { self.group..self.group + 1 };
        let rows: Vec<[usize; 2]> = (0..self.examples.len()).flat_map(|n| held.clone().map(move |o| [n, o])).collect();
        self.blocks = rows.chunks(ROWS).map(|rows| Block { rows: rows.to_vec(), gradients: None }).collect();
        self.tiles = (0..self.blocks.len()).flat_map(|a| (0..=a).map(move |b| [a, b])).collect();
        (self.ready, self.tiled) = (0, 0);
    }

    /// Does a piece a thread of the current rayon pool; the kernels when all are done. Equal bits for any number of threads.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn advance(&mut self) -> Result<Option<Vec<Dense>>> {
        if self.factors.is_some() {
            return self.advance_in_factors();
        }
        let Self { at, examples, outputs, blocks, ready, tiles, tiled, found, .. } = self;
        if *ready < blocks.len() {
            wave(blocks, ready, |block| {
                block.gradients = Some(gradients(at, examples, *outputs, &block.rows)?);
                Ok(())
            })?;
            return Ok(None);
        }
        let before = *tiled;
        let values = wave(tiles, tiled, |[a, b]| tile(&blocks[*a], &blocks[*b]))?;
        for (&[a, b], values) in tiles[before..].iter().zip(values) {
            let columns = blocks[b].rows.len();
            for (i, &[n, o]) in blocks[a].rows.iter().enumerate() {
                for (j, &[m, p]) in blocks[b].rows.iter().enumerate() {
                    let (kernel, row, column) = match self.kernels {
                        Kernels::Traced => (0, n, m),
                        Kernels::PerOutput => (o, n, m),
                        Kernels::Full => (0, n * *outputs + o, m * *outputs + p),
                    };
                    let side = if self.kernels == Kernels::Full { examples.len() * *outputs } else { examples.len() };
                    let value = values[i * columns + j];
                    found[kernel][row * side + column] += value;
                    if a != b {
                        found[kernel][column * side + row] += value;
                    }
                }
            }
        }
        if *tiled < tiles.len() {
            return Ok(None);
        }
        self.group += 1;
        if self.kernels != Kernels::Full && self.group < self.outputs {
            self.begin_group();
            return Ok(None);
        }
        self.blocks.clear();
        let side = |values: &Vec<f64>| values.len().isqrt();
        Ok(Some(std::mem::take(&mut self.found).into_iter().filter_map(|k| Dense::new(side(&k), k)).collect()))
    }

    fn advance_in_factors(&mut self) -> Result<Option<Vec<Dense>>> {
        let Self { examples, outputs, kernels, tiles, tiled, found, factors: Some(factors), .. } = self else {
            return Ok(None);
        };
        let (kernels, outputs, count) = (*kernels, *outputs, examples.len());
        let pairs: Vec<[usize; 2]> = match kernels {
            Kernels::Full => (0..outputs).flat_map(|o| (0..outputs).map(move |p| [o, p])).collect(),
            Kernels::Traced | Kernels::PerOutput => (0..outputs).map(|o| [o, o]).collect(),
        };
        let range = |block: usize| block * FACTORED..((block + 1) * FACTORED).min(count);
        let before = *tiled;
        let values = wave(tiles, tiled, |[a, b]| Ok(factors.products(range(*a), range(*b), &pairs)))?;
        let side = if kernels == Kernels::Full { count * outputs } else { count };
        for (&[a, b], values) in tiles[before..].iter().zip(values) {
            let mut values = values.into_iter();
            for &[o, p] in &pairs {
                let (kernel, step) = match kernels {
                    Kernels::Traced => (0, 1),
                    Kernels::PerOutput => (o, 1),
                    Kernels::Full => (0, outputs),
                };
                let (o, p) = if kernels == Kernels::Full { (o, p) } else { (0, 0) };
                for n in range(a) {
                    for (m, value) in range(b).zip(values.by_ref()) {
                        found[kernel][(n * step + o) * side + m * step + p] += value;
                        if a != b {
                            found[kernel][(m * step + p) * side + n * step + o] += value;
                        }
                    }
                }
            }
        }
        if *tiled < tiles.len() {
            return Ok(None);
        }
        let found = std::mem::take(found);
        Ok(Some(found.into_iter().filter_map(|kernel| Dense::new(side, kernel)).collect()))
    }

    /// Does all pieces.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn finish(mut self) -> Result<Vec<Dense>> {
        loop {
            if let Some(kernels) = self.advance()? {
                return Ok(kernels);
            }
        }
    }
}

fn check_memory(examples: usize, example_bytes: usize) -> Result<()> {
    if examples * example_bytes > MOST_BYTES {
        candle_core::bail!(
            "the gradients of {examples} examples take {} MiB, and {} MiB are allowed; give at most {} examples",
            (examples * example_bytes) >> 20,
            MOST_BYTES >> 20,
            MOST_BYTES / example_bytes
        );
    }
    Ok(())
}

/// Gradients of single outputs, a row each, `[rows, P]`.
fn gradients(at: &Frozen, examples: &[InputTensor], outputs: usize, rows: &[[usize; 2]]) -> Result<Tensor> {
    let mut found = Vec::with_capacity(rows.len());
    let mut last: Option<(usize, Tensor)> = None;
    for &[n, o] in rows {
        let params: Vec<Tensor> = at.vars.iter().map(|var| var.as_tensor().clone()).collect();
        let of_example = match last.take() {
            Some((example, of_example)) if example == n => of_example,
            _ => at.model.forward(&params, &examples[n], None)?,
        };
        let one: Vec<f64> = (0..outputs).map(|i| f64::from(u8::from(i == o))).collect();
        let cotangent = Tensor::from_vec(one, of_example.shape(), &at.device)?.to_dtype(at.dtype)?;
        let gradient = vjp(&of_example, &cotangent, &at.vars)?;
        let flat: Vec<Tensor> = gradient.iter().map(Tensor::flatten_all).collect::<Result<_>>()?;
        found.push(Tensor::cat(&flat, 0)?);
        last = Some((n, of_example));
    }
    Tensor::stack(&found, 0)
}

/// Inner products of two blocks' gradients, row-major.
fn tile(a: &Block, b: &Block) -> Result<Vec<f64>> {
    let (Some(x), Some(y)) = (&a.gradients, &b.gradients) else { return Ok(Vec::new()) };
    let mut sum = vec![0.0; a.rows.len() * b.rows.len()];
    let terms = x.dim(D::Minus1)?;
    for from in (0..terms).step_by(TERMS) {
        let len = TERMS.min(terms - from);
        let product = x.narrow(1, from, len)?.matmul(&y.narrow(1, from, len)?.t()?)?;
        let product = product.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        for (sum, term) in sum.iter_mut().zip(product) {
            *sum += term;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use crate::linalg::vectors::dot;
    use crate::nn::curvature::fixtures::{Case, cases, draw, error, linear_case};
    use crate::nn::curvature::{GaussNewton, Jacobian, Metric};

    use super::*;

    fn kernels(case: &Case, kernels: Kernels) -> Vec<Dense> {
        TangentKernel::new(case.model.clone(), &case.params, &case.batch, kernels).unwrap().finish().unwrap()
    }

    #[test]
    fn kernels_are_products_of_jacobians() {
        for case in &cases()[..3] {
            let mut jacobian = Jacobian::new(case.model.clone(), &case.params, &case.batch).unwrap();
            let all = jacobian.outputs();
            let basis = |i: usize| (0..all).map(|j| f64::from(u8::from(i == j))).collect::<Vec<f64>>();
            let rows: Vec<Vec<f64>> = (0..all).map(|i| jacobian.vjp(&basis(i)).unwrap()).collect();
            let full: Vec<f64> = rows.iter().flat_map(|a| rows.iter().map(|b| dot(a, b))).collect();
            let title = case.model.title();
            let found = &kernels(case, Kernels::Full)[0];
            assert!(error(found.values(), &full) < 1e-12, "{title}: {}", error(found.values(), &full));

            let (n, outputs) = (case.batch.len, all / case.batch.len);
            let entry = |o: usize, nm: usize| full[(nm / n * outputs + o) * all + nm % n * outputs + o];
            let traced: Vec<f64> = (0..n * n).map(|nm| (0..outputs).map(|o| entry(o, nm)).sum()).collect();
            let found = kernels(case, Kernels::Traced);
            assert!(found.len() == 1 && error(found[0].values(), &traced) < 1e-12, "{title}");
            let found = kernels(case, Kernels::PerOutput);
            assert_eq!(found.len(), outputs);
            for (o, found) in found.iter().enumerate() {
                let known: Vec<f64> = (0..n * n).map(|nm| entry(o, nm)).collect();
                assert!(error(found.values(), &known) < 1e-12, "{title}, output {o}");
            }
            // On one thread the same bits.
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            assert_eq!(pool.install(|| kernels(case, Kernels::Traced)), kernels(case, Kernels::Traced));
        }
    }

    #[test]
    fn perceptrons_in_factors_equal_their_gradients() {
        use crate::nn::spec::{Activation, LossSpec, ModelKind, ModelSpec};
        use crate::tasks::data::{Inputs, Split, Targets};
        // More than one tile, the last not full; three hidden layers of other sizes than inputs and outputs.
        let examples = FACTORED + 9;
        let values = draw("x", 5 * examples).iter().map(|&x| x as f32).collect();
        let split = Split {
            inputs: Inputs::Features { values, shape: vec![5] },
            targets: Targets::Classes { labels: (0..examples as u32).map(|i| i % 3).collect(), classes: 3 },
        };
        for activation in [Activation::Gelu, Activation::Tanh] {
            let spec = ModelSpec { kind: ModelKind::Mlp, width: 7, depth: 3, activation, ..ModelSpec::default() };
            let case = Case::new(&spec, &split, LossSpec::default());
            for wanted in [Kernels::Traced, Kernels::PerOutput, Kernels::Full] {
                let fast = TangentKernel::new(case.model.clone(), &case.params, &case.batch, wanted).unwrap();
                assert!(fast.method().starts_with("products"));
                let mut slow = TangentKernel::new(case.model.clone(), &case.params, &case.batch, wanted).unwrap();
                slow.factors = None;
                slow.begin_group();
                let (fast, slow) = (fast.finish().unwrap(), slow.finish().unwrap());
                assert_eq!(fast.len(), slow.len());
                for (fast, slow) in fast.iter().zip(&slow) {
                    let error = error(fast.values(), slow.values());
                    assert!(error < 1e-13, "{activation:?} {wanted:?}: {error}");
                    assert!(fast.asymmetry() < 1e-13);
                }
            }
            // In f32, against f64.
            let narrow: Vec<Tensor> = case.params.iter().map(|p| p.to_dtype(DType::F32).unwrap()).collect();
            let batch = Batch::new(&split, DType::F32, &candle_core::Device::Cpu).unwrap();
            let found =
                TangentKernel::new(case.model.clone(), &narrow, &batch, Kernels::Traced).unwrap().finish().unwrap();
            let error = error(found[0].values(), kernels(&case, Kernels::Traced)[0].values());
            assert!(error < 1e-5, "{activation:?}: {error}");
        }
    }

    #[test]
    fn a_linear_model_has_the_kernel_of_its_inputs() {
        // Theta_(n o, m p) = [o = p] (<x_n, x_m> + 1), whatever the weights are.
        let case = linear_case();
        let x = case.batch.inputs.features().unwrap().flatten_from(1).unwrap().to_vec2::<f64>().unwrap();
        let (n, outputs) = (x.len(), 3);
        let found = &kernels(&case, Kernels::Full)[0];
        for i in 0..n * outputs {
            for j in 0..n * outputs {
                let same = f64::from(u8::from(i % outputs == j % outputs));
                let known = same * (dot(&x[i / outputs], &x[j / outputs]) + 1.0);
                assert!((found.get(i, j) - known).abs() < 1e-12, "{i} {j}");
            }
        }
        let traced = &kernels(&case, Kernels::Traced)[0];
        assert!((traced.get(1, 4) - 3.0 * (dot(&x[1], &x[4]) + 1.0)).abs() < 1e-12);
    }

    #[test]
    fn it_has_the_nonzero_eigenvalues_of_the_ggn_of_the_squared_error() {
        // G = 2 J' J / (N C) and Theta = J J': the paper's eig(G) = eig(Theta / P) has 1/2 in its loss, and ours a mean over outputs.
        let case = &cases()[3];
        let mut ggn = GaussNewton::new(case.model.clone(), &case.params, &case.batch, &case.loss, Metric::Ggn).unwrap();
        let mut found = Dense::of(&mut ggn).unwrap().symmetric_eigenvalues().unwrap();
        let kernel = &kernels(case, Kernels::Full)[0];
        let known = kernel.symmetric_eigenvalues().unwrap();
        found.drain(..found.len() - known.len());
        let factor = 2.0 / kernel.side() as f64;
        let largest = known[known.len() - 1] * factor;
        for (found, known) in found.iter().zip(&known) {
            assert!((found - factor * known).abs() < 1e-12 * largest, "{found} {known}");
        }
    }

    #[test]
    fn it_predicts_a_small_step_of_gradient_descent() {
        // f(w - eta g) = f - eta Theta dL/df + O(eta^2), with dL/df = 2 (f - y) / (N C) for the squared error.
        let case = &cases()[3];
        let f = case.outputs_at(&case.flat);
        let y = draw("y", f.len());
        let count = f.len() as f64;
        let slope: Vec<f64> = f.iter().zip(&y).map(|(f, y)| 2.0 * (f - y) / count).collect();
        let mut jacobian = Jacobian::new(case.model.clone(), &case.params, &case.batch).unwrap();
        let gradient = jacobian.vjp(&slope).unwrap();
        let kernel = &kernels(case, Kernels::Full)[0];
        let side = kernel.side();
        let predicted: Vec<f64> = kernel.values().chunks_exact(side).map(|row| -dot(row, &slope)).collect();
        let eta = 1e-5;
        // The second order cancels between a step forward and one back.
        let (plus, minus) =
            (case.outputs_at(&case.moved(&gradient, -eta)), case.outputs_at(&case.moved(&gradient, eta)));
        let found: Vec<f64> = plus.iter().zip(&minus).map(|(a, b)| (a - b) / (2.0 * eta)).collect();
        assert!(error(&found, &predicted) < 1e-8, "{}", error(&found, &predicted));
    }

    #[test]
    fn too_many_examples_are_refused_with_a_number() {
        let bytes = 85_000 * 4;
        let error = check_memory(1 << 20, bytes).err().unwrap().to_string();
        assert!(error.contains(&(MOST_BYTES / bytes).to_string()), "{error}");
        assert!(check_memory(MOST_BYTES / bytes, bytes).is_ok());
    }
}
