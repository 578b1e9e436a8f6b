//! The curvature of a run's loss at its parameters as they are: the sharpness that its updates meet, split into parts.
//!
//! With S the square roots of what the run's updates multiply a gradient by ([`super::preconditioning`]; 1 where all parameters
//! move at one rate), and `H = G + R`, `G = sum_i J_i' (d2l/df2) J_i`, `R = sum_i (dl/df) d2f`:
//!
//! | | |
//! | --- | --- |
//! | sharpness | `lambda_max(S H S)`, `gamma^2 lambda_max(H)` in the explicit form of a parametrisation; the edge of stability is at `2/eta0` |
//! | Gauss-Newton part | `lambda_max(S G S)` |
//! | residual part | the eigenvalue of `S R S` that is largest in magnitude |
//! | kernel | the largest eigenvalues of `S`-weighted `Theta / P`, `J S^2 J' / P`, over all outputs of the P examples: of `S J' J S / P` |
//! | trace | `tr S H S` |
//!
//! Source: Noci et al. 2024, arXiv:2402.17457. For the squared error `1/(2P) sum |f - y|^2` the kernel's eigenvalues are those of G.
//! Each search begins where the last one ended, so that a curve of many points costs a few products a point.

use candle_core::Error;

use crate::base::rng::Stream;
use crate::linalg::estimator::estimate;
use crate::linalg::extremes::{ExtremeSearch, Options as ExtremeOptions, Pair};
use crate::linalg::lanczos::{Lanczos, Options};
use crate::linalg::operator::LinearOperator;
use crate::linalg::trace::{Sampled, hutchinson};
use crate::linalg::wrappers::{Difference, Scaled};
use crate::nn::batch::Batch;
use crate::nn::curvature::{GaussNewton, Hessian, Metric};
use crate::nn::spec::{LossKind, LossSpec};

use super::trainer::{TrainError, Trainer};

/// Numbers that the subspace of a search may hold, each vector twice.
const MOST_NUMBERS: usize = 16 << 20;
/// Test vectors multiplied at a time.
const TOGETHER: usize = 4;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// Training examples behind it, the first ones; all if there are fewer.
    pub examples: usize,
    /// Whether the Gauss-Newton and the residual part are measured, too.
    pub parts: bool,
    /// Largest eigenvalues of the kernel; 0 for none.
    pub kernel: usize,
    /// Test vectors of the trace; 0 measures none.
    pub trace: usize,
    /// Relative residual at which a search ends. The eigenvalue's error is less: it goes with the square of that over the gap.
    pub tolerance: f64,
    /// Products that a search may spend.
    pub most_products: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { examples: 512, parts: false, kernel: 0, trace: 0, tolerance: 0.02, most_products: 60 }
    }
}

/// An eigenvalue and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Eigenvalue {
    pub value: f64,
    /// Some eigenvalue lies within it of `value`.
    pub residual: f64,
    pub converged: bool,
    pub products: usize,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Curvature {
    pub sharpness: Eigenvalue,
    pub gauss_newton: Option<Eigenvalue>,
    /// With its sign.
    pub residual: Option<Eigenvalue>,
    /// The largest first; empty unless wanted.
    pub kernel: Vec<Eigenvalue>,
    pub trace: Option<Sampled>,
}

/// Measures one run again and again.
pub struct CurvatureProbe {
    wanted: Wanted,
    batch: Option<Batch>,
    sharpness: Option<Vec<f64>>,
    gauss_newton: Option<Vec<f64>>,
    residual: Vec<Vec<f64>>,
    kernel: Vec<Vec<f64>>,
}

impl CurvatureProbe {
    pub fn new(wanted: Wanted) -> Self {
        Self { wanted, batch: None, sharpness: None, gauss_newton: None, residual: Vec::new(), kernel: Vec::new() }
    }

    /// At the parameters of `trainer` as they are. `None` where the optimiser's preconditioner isn't known: before the first update of
    /// Adam and its kin, and once numbers aren't finite.
    ///
    /// The thread and its rayon pool need [`crate::nn::autodiff::STACK_BYTES`] and the switch of [`crate::nn::autodiff`].
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn measure(&mut self, trainer: &Trainer) -> Result<Option<Curvature>, TrainError> {
        self.measure_also(trainer, self.wanted)
    }

    /// The same with other parts, kernel, trace and bounds of their searches this once. The sharpness is searched for as
    /// always, from where it was last: a probe of its own for the rarer parts would begin at a vector long gone, next to
    /// the eigenvector of some smaller eigenvalue, and could take that for the largest.
    ///
    /// # Errors
    /// As [`Self::measure`].
    pub fn measure_also(&mut self, trainer: &Trainer, wanted: Wanted) -> Result<Option<Curvature>, TrainError> {
        let total = trainer.model().layout().total();
        let factors = match trainer.preconditioning()? {
            Some(factors) => factors,
            None if super::preconditioning::exists(trainer.spec()) => return Ok(None),
            None => vec![1.0; total],
        };
        let batch = match self.batch.take() {
            Some(batch) => batch,
            None => Batch::new(&trainer.train().first(self.wanted.examples.max(1)), trainer.dtype(), trainer.device())?,
        };
        let at = Point { trainer, batch: &batch, factors: &factors, params: trainer.params().frozen()? };
        let found = self.at(&at, wanted);
        self.batch = Some(batch);
        found
    }

    fn at(&mut self, at: &Point, wanted: Wanted) -> Result<Option<Curvature>, TrainError> {
        let loss = at.trainer.spec().loss.clone();
        let sharpness = largest(&mut at.hessian(&loss)?, &mut self.sharpness, self.wanted, at.random("sharpness"))?;
        if !sharpness.value.is_finite() {
            return Ok(None);
        }
        let kernel = if wanted.kernel > 0 {
            // Of the squared error 1/(2P) sum |f - y|^2 the second derivative is the identity over P; the program's is 2/C of it.
            let squared = LossSpec { kind: LossKind::Mse, ..loss.clone() };
            let mut matrix = at.gauss_newton(&squared)?;
            let half = at.outputs() as f64 / 2.0;
            let pairs = top(&mut matrix, wanted.kernel, 0, &mut self.kernel, wanted, at.random("kernel"))?;
            pairs.into_iter().map(|(pair, products)| eigenvalue(&pair, products).times(half)).collect()
        } else {
            Vec::new()
        };
        let (mut gauss_newton, mut residual) = (None, None);
        if wanted.parts {
            let mut matrix = at.gauss_newton(&loss)?;
            gauss_newton = Some(largest(&mut matrix, &mut self.gauss_newton, wanted, at.random("gauss-newton"))?);
            let mut rest = Difference::new(at.hessian(&loss)?, matrix);
            let ends = top(&mut rest, 1, 1, &mut self.residual, wanted, at.random("residual"))?;
            let larger = ends.into_iter().max_by(|(a, _), (b, _)| a.value.abs().total_cmp(&b.value.abs()));
            residual = larger.map(|(pair, products)| eigenvalue(&pair, products));
        }
        let trace = if wanted.trace > 1 {
            let found = hutchinson(&mut at.hessian(&loss)?, at.random("trace"), wanted.trace, TOGETHER)?;
            Some(Sampled { value: found.value, standard_error: found.standard_error, samples: found.products })
        } else {
            None
        };
        Ok(Some(Curvature { sharpness, gauss_newton, residual, kernel, trace }))
    }
}

impl Eigenvalue {
    /// In another unit.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { value: factor * self.value, residual: factor * self.residual, ..self }
    }
}

/// What the program's loss is to be multiplied by, and its learning rate divided by, to have the papers' squared error
/// `1/(2P) sum |f - y|^2` over C outputs: C/2; 1 for the cross-entropy.
pub fn squared_error_factor(trainer: &Trainer) -> f64 {
    let outputs = trainer.task().train.targets.outputs() as f64;
    let squared = trainer.spec().loss.kind == LossKind::Mse || !trainer.is_classification();
    if squared { outputs / 2.0 } else { 1.0 }
}

/// A run at a moment.
struct Point<'a> {
    trainer: &'a Trainer,
    batch: &'a Batch,
    factors: &'a [f64],
    params: Vec<candle_core::Tensor>,
}

impl Point<'_> {
    fn hessian(&self, loss: &LossSpec) -> Result<Scaled<Hessian>, TrainError> {
        let hessian = Hessian::new(self.trainer.model().clone(), &self.params, self.batch, loss)?;
        Ok(Scaled::new(hessian, self.factors.to_vec()))
    }

    fn gauss_newton(&self, loss: &LossSpec) -> Result<Scaled<GaussNewton>, TrainError> {
        let matrix = GaussNewton::new(self.trainer.model().clone(), &self.params, self.batch, loss, Metric::Ggn)?;
        Ok(Scaled::new(matrix, self.factors.to_vec()))
    }

    fn outputs(&self) -> usize {
        self.trainer.task().train.targets.outputs()
    }

    fn random(&self, what: &str) -> Stream {
        self.trainer.streams().indexed(&format!("probe/curvature/{what}"), self.trainer.steps_done())
    }
}

fn largest(
    operator: &mut impl LinearOperator<Error = Error>,
    warm: &mut Option<Vec<f64>>,
    wanted: Wanted,
    random: Stream,
) -> Result<Eigenvalue, TrainError> {
    let dim = operator.dim();
    let options = Options {
        tolerance: wanted.tolerance,
        most_products: wanted.most_products,
        least_products: 3,
        subspace: (MOST_NUMBERS / dim.max(1) / 2).clamp(6, 40),
    };
    let pair = estimate(operator, &mut Lanczos::new(dim, warm.as_deref(), random, options))?;
    if pair.value.is_finite() {
        *warm = Some(pair.next_start);
    }
    Ok(Eigenvalue { value: pair.value, residual: pair.residual, converged: pair.converged, products: pair.products })
}

/// So many eigenpairs of the top and of the bottom, each with the products of the whole search.
fn top(
    operator: &mut impl LinearOperator<Error = Error>,
    top: usize,
    bottom: usize,
    warm: &mut Vec<Vec<f64>>,
    wanted: Wanted,
    random: Stream,
) -> Result<Vec<(Pair, usize)>, TrainError> {
    let dim = operator.dim();
    let options = ExtremeOptions {
        top,
        bottom,
        tolerance: wanted.tolerance,
        floor: 0.1,
        most_products: wanted.most_products,
        second_look: if warm.is_empty() { 3 } else { 0 },
        subspace: (MOST_NUMBERS / dim.max(1) / 2).clamp(6, 40),
    };
    let found = estimate(operator, &mut ExtremeSearch::new(dim, warm, random, options))?;
    if found.top.iter().chain(&found.bottom).all(|pair| pair.value.is_finite()) {
        *warm = found.next_starts;
    }
    Ok(found.top.into_iter().chain(found.bottom).map(|pair| (pair, found.products)).collect())
}

fn eigenvalue(pair: &Pair, products: usize) -> Eigenvalue {
    Eigenvalue { value: pair.value, residual: pair.residual, converged: pair.converged, products }
}
