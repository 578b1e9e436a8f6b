//! Curvature matrices that are positive semidefinite: the generalised Gauss-Newton matrix and the Fisher matrices.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use rand::SeedableRng;

use crate::base::rng::Stream;
use crate::linalg::operator::{LinearOperator, PiecewiseOperator};
use crate::nn::batch::Batch;
use crate::nn::model::Model;
use crate::nn::parts::Part;
use crate::nn::spec::LossSpec;

use super::fisher::OutputMetric;
use super::output_graph::OutputGraph;
use super::sum::{Frozen, PieceProduct, Sum};

/// Work of a product over that of a forward pass.
const PASSES: f64 = 15.0;

/// What stands between the Jacobians: a matrix `M_r`, `[C, C]`, on the outputs of each graded row r.
///
/// The Fishers read the loss as a negative log-likelihood: cross-entropy as that of the softmax of `outputs / temperature`, the squared
/// error `|f - y|^2 / C` as that of a Gaussian about the outputs with variance `C / 2`. Scores are per graded row: of a sequence
/// every position counts by itself.
#[derive(Clone, Debug)]
pub enum Metric {
    /// `d^2 L / df_r^2`: the generalised Gauss-Newton matrix (Schraudolph 2002), the Hessian less the term with `d^2 f / dw^2`.
    Ggn,
    /// The (true) Fisher, its expectation over the model's labels taken as a sum over all of them: `sum_c p_c s_c s_c'` with the score
    /// `s_c = d(-log p_c) / df_r`. For these losses it equals the GGN, here by another way, at C times the memory and the cost of its
    /// output part; for the squared error the expectation is taken in closed form.
    ExpectedFisher,
    /// The (true) Fisher, its expectation over the model's labels as the mean over some drawn ones a row, from this stream, once for all
    /// products: unbiased for the GGN.
    SampledFisher { samples: usize, random: Box<Stream> },
    /// `s_r s_r'` with the score `s_r` at the label in the data (Kunstner, Hennig and Balles 2019 on how it is *not* the Fisher).
    EmpiricalFisher,
}

/// `v -> G v` with `G = sum_r share_r J_r' M_r J_r` over the graded rows of a batch at frozen parameters, as the loss averages them.
/// Exact; summed over pieces in their order in f64: equal bits for any number of threads.
///
/// The graphs are kept from one product to the next as long as they fit into memory. The threads need
/// [`crate::nn::autodiff::enable_second_derivatives`] and [`crate::nn::autodiff::STACK_BYTES`].
pub struct GaussNewton {
    sum: Sum<Piece>,
}

struct Piece {
    part: Part,
    loss: LossSpec,
    metric: Metric,
    /// The metric at the outputs, made in the first product and kept, so that samples stay the same.
    at_outputs: Option<OutputMetric>,
    graph: Option<OutputGraph>,
}

impl PieceProduct for Piece {
    fn product(&mut self, at: &Frozen, direction: &[Tensor]) -> Result<Vec<f64>> {
        let graph = match self.graph.take() {
            Some(graph) => graph,
            None => OutputGraph::new(at.outputs(&self.part)?, &at.vars)?,
        };
        let metric = match self.at_outputs.take() {
            Some(metric) => metric,
            None => OutputMetric::new(&graph.outputs.detach(), &self.part, &self.loss, &mut self.metric)?,
        };
        let pulled = graph.vjp(&metric.product(&graph.jvp(direction)?)?)?;
        self.at_outputs = Some(metric);
        if at.keep_graphs {
            self.graph = Some(graph);
        }
        at.model.layout().flatten(&pulled)
    }
}

impl GaussNewton {
    /// Of the loss on `batch` at `params`, which are copied.
    ///
    /// # Errors
    /// If there are no examples, or no samples; whatever candle says of shapes and the device.
    pub fn new(
        model: Arc<dyn Model>,
        params: &[Tensor],
        batch: &Batch,
        loss: &LossSpec,
        metric: Metric,
    ) -> Result<Self> {
        let (at, parts) = Frozen::new(model, params, batch, PASSES, "a Gauss-Newton matrix")?;
        Self::of_parts(at, parts, loss, metric)
    }

    fn of_parts(at: Frozen, parts: Vec<Part>, loss: &LossSpec, mut metric: Metric) -> Result<Self> {
        if let Metric::SampledFisher { samples: 0, .. } = metric {
            candle_core::bail!("a sampled Fisher matrix can't be that of 0 samples; give at least one");
        }
        // A stream a piece, so that it doesn't matter which is worked on first.
        let pieces = parts.into_iter().map(|part| {
            let mut metric_here = metric.clone();
            if let (Metric::SampledFisher { random: here, .. }, Metric::SampledFisher { random, .. }) =
                (&mut metric_here, &mut metric)
            {
                **here = Stream::from_rng(random.as_mut());
            }
            Piece { part, loss: loss.clone(), metric: metric_here, at_outputs: None, graph: None }
        });
        let pieces = pieces.collect();
        Ok(Self { sum: Sum::new(at, pieces) })
    }
}

impl LinearOperator for GaussNewton {
    type Error = candle_core::Error;

    fn dim(&self) -> usize {
        self.sum.dim()
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
        self.sum.apply(v, out)
    }
}

impl PiecewiseOperator for GaussNewton {
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

    use crate::base::rng::Streams;
    use crate::linalg::operator::Dense;
    use crate::linalg::vectors::{axpy, dot};
    use crate::nn::batch::TargetTensor;
    use crate::nn::curvature::fixtures::{Case, cases, draw, error};
    use crate::nn::curvature::{Hessian, Jacobian};
    use crate::nn::spec::LossKind;

    use super::*;

    fn operator(case: &Case, metric: Metric) -> GaussNewton {
        let (at, parts) = case.in_parts();
        GaussNewton::of_parts(at, parts, &case.loss, metric).unwrap()
    }

    fn product(case: &Case, metric: Metric, v: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; v.len()];
        operator(case, metric).apply(v, &mut out).unwrap();
        out
    }

    fn sampled(seed: u64, samples: usize) -> Metric {
        Metric::SampledFisher { samples, random: Box::new(Streams::new(seed).stream("probe/fisher")) }
    }

    /// The graded rows: number, label, gradients of all outputs `[C, P]`, outputs.
    struct Row {
        label: usize,
        jacobian: Vec<Vec<f64>>,
        outputs: Vec<f64>,
    }

    fn rows(case: &Case) -> Vec<Row> {
        let TargetTensor::Classes { labels, weights, .. } = &case.batch.targets else { unreachable!() };
        let labels = labels.to_vec1::<u32>().unwrap();
        let weights = weights.as_ref().map_or(vec![1.0; labels.len()], |w| w.to_vec1::<f64>().unwrap());
        let mut jacobian = Jacobian::new(case.model.clone(), &case.params, &case.batch).unwrap();
        let outputs = case.outputs_at(&case.flat);
        let classes = outputs.len() / labels.len();
        let gradient = |jacobian: &mut Jacobian, i: usize| {
            let u: Vec<f64> = (0..outputs.len()).map(|j| f64::from(u8::from(i == j))).collect();
            jacobian.vjp(&u).unwrap()
        };
        (0..labels.len())
            .filter(|&r| weights[r] != 0.0)
            .map(|r| Row {
                label: labels[r] as usize,
                jacobian: (0..classes).map(|c| gradient(&mut jacobian, r * classes + c)).collect(),
                outputs: outputs[r * classes..(r + 1) * classes].to_vec(),
            })
            .collect()
    }

    fn softmax(z: &[f64], temperature: f64) -> Vec<f64> {
        let e: Vec<f64> = z.iter().map(|z| (z / temperature).exp()).collect();
        let sum: f64 = e.iter().sum();
        e.iter().map(|e| e / sum).collect()
    }

    /// `sum_r J_r' M_r J_r v / R` by hand, with `M_r` a closed form.
    fn by_hand(rows: &[Row], v: &[f64], metric: impl Fn(&Row, usize, usize) -> f64) -> Vec<f64> {
        let mut sum = vec![0.0; v.len()];
        for row in rows {
            let along: Vec<f64> = row.jacobian.iter().map(|g| dot(g, v)).collect();
            for (c, gradient) in row.jacobian.iter().enumerate() {
                let weight: f64 = along.iter().enumerate().map(|(d, x)| metric(row, c, d) * x).sum();
                axpy(weight / rows.len() as f64, gradient, &mut sum);
            }
        }
        sum
    }

    #[test]
    fn matrices_are_their_definitions() {
        for case in cases() {
            let (rows, v) = (rows(&case), draw("v", case.flat.len()));
            let (t, classes) = (case.loss.temperature, rows[0].outputs.len() as f64);
            let entropy = case.loss.kind == LossKind::CrossEntropy;
            let ggn = by_hand(&rows, &v, |row, c, d| {
                let p = softmax(&row.outputs, t);
                let same = f64::from(u8::from(c == d));
                if entropy { (same * p[c] - p[c] * p[d]) / (t * t) } else { same * 2.0 / classes }
            });
            let empirical = by_hand(&rows, &v, |row, c, d| {
                let p = softmax(&row.outputs, t);
                let score = |c: usize| {
                    let y = f64::from(u8::from(c == row.label));
                    if entropy { (p[c] - y) / t } else { 2.0 * (row.outputs[c] - y) / classes }
                };
                score(c) * score(d)
            });
            let title = case.model.title();
            let check = |metric: Metric, known: &[f64], what: &str| {
                let e = error(&product(&case, metric, &v), known);
                assert!(e < 1e-11, "{title}, {what}: {e}");
            };
            check(Metric::Ggn, &ggn, "GGN");
            check(Metric::ExpectedFisher, &ggn, "Fisher");
            check(Metric::EmpiricalFisher, &empirical, "empirical Fisher");
        }
    }

    #[test]
    fn the_sampled_fisher_is_unbiased() {
        for case in cases() {
            let v = draw("v", case.flat.len());
            let known = dot(&v, &product(&case, Metric::Ggn, &v));
            let samples = |seed: u64, n: usize| dot(&v, &product(&case, sampled(seed, n), &v));
            let forms: Vec<f64> = (0..60).map(|seed| samples(seed, 4)).collect();
            let n = forms.len() as f64;
            let mean = forms.iter().sum::<f64>() / n;
            let error = (forms.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
            assert!((mean - known).abs() < 4.0 * error && error < 0.3 * known, "{mean} {known} {error}");
            // The same stream, the same matrix.
            assert_eq!(samples(5, 2), samples(5, 2));
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads_and_the_matrix_is_symmetric_and_semidefinite() {
        let case = &cases()[0];
        let v = draw("v", case.flat.len());
        let here = product(case, Metric::Ggn, &v);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(pool.install(|| product(case, Metric::Ggn, &v)), here);
        let dense = Dense::of(&mut operator(case, Metric::Ggn)).unwrap();
        assert!(dense.asymmetry() < 1e-13);
        let values = dense.symmetric_eigenvalues().unwrap();
        assert!(values[0] > -1e-13 * values[values.len() - 1], "{}", values[0]);
    }

    #[test]
    fn the_hessian_is_the_ggn_where_the_fit_is_perfect() {
        // H - G = sum_r (dl/df_r) d^2 f_r / dw^2, and dl/df is zero there.
        let mut case = cases().remove(4);
        let outputs = case.model.forward(&case.params, &case.batch.inputs, None).unwrap();
        case.batch.targets = TargetTensor::Values(outputs);
        let v = draw("v", case.flat.len());
        let mut hessian = vec![0.0; v.len()];
        Hessian::new(case.model.clone(), &case.params, &case.batch, &case.loss)
            .unwrap()
            .apply(&v, &mut hessian)
            .unwrap();
        let e = error(&product(&case, Metric::Ggn, &v), &hessian);
        assert!(e < 1e-12, "{e}");
        // And isn't elsewhere, or the test would see nothing.
        let case = &cases()[4];
        Hessian::new(case.model.clone(), &case.params, &case.batch, &case.loss)
            .unwrap()
            .apply(&v, &mut hessian)
            .unwrap();
        assert!(error(&product(case, Metric::Ggn, &v), &hessian) > 1e-2);
    }

    #[test]
    fn nothing_graded_is_no_curvature_and_no_samples_are_refused() {
        let mut case = cases().remove(2);
        case.batch = case.batch.part(1, 2).unwrap().batch;
        let v = draw("v", case.flat.len());
        for metric in [Metric::Ggn, Metric::ExpectedFisher, sampled(0, 2), Metric::EmpiricalFisher] {
            assert!(product(&case, metric, &v).iter().all(|&x| x == 0.0));
        }
        let (at, parts) = case.in_parts();
        assert!(GaussNewton::of_parts(at, parts, &case.loss, sampled(0, 0)).is_err());
        let params = case.model.layout().unflatten(&case.flat, DType::F64, &Device::Cpu).unwrap();
        let none = Batch { len: 0, ..case.batch.clone() };
        let error = GaussNewton::new(case.model.clone(), &params, &none, &case.loss, Metric::Ggn).err().unwrap();
        assert!(error.to_string().contains("no examples"), "{error}");
    }
}
