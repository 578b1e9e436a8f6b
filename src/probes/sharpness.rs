//! The sharpness: the largest eigenvalue of the training-loss Hessian, plain or as the optimiser sees it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use candle_core::Result;

use crate::linalg::lanczos::{Eigenpair, Lanczos, Options, Progress};
use crate::linalg::operator::PiecewiseOperator;
use crate::linalg::wrappers::Scaled;
use crate::nn::curvature::Hessian;
use crate::nn::statistics::in_words;
use crate::record::names::{PRECONDITIONED_SHARPNESS, SHARPNESS};
use crate::record::{Circumstances, Estimate, Reading, SeriesId};

use super::job::{Advance, Job, Subject};

/// Where the last search ended, for the next to begin at.
#[derive(Clone, Debug, Default)]
pub struct Warm(Arc<Mutex<Option<Vec<f64>>>>);

impl Warm {
    pub(super) fn start(&self) -> Option<Vec<f64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, start: Vec<f64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(start);
    }
}

/// Where a measurement leaves its eigenpair when it is over.
pub type Found = Arc<Mutex<Option<Eigenpair>>>;

/// Numbers that the subspace of Lanczos' method may hold, each vector twice.
const MOST_NUMBERS: usize = 16 << 20;

/// Relative residual at which a search ends: a tenth while training goes on and more points of the curve are worth more than
/// digits, 0.5 % where it rests. The residual bounds the eigenvalue's error, which is far less when the next eigenvalue is not
/// that near: it goes with the square of the residual over the gap.
pub fn tolerance(hurried: bool) -> f64 {
    if hurried { 0.1 } else { 5e-3 }
}

/// The largest eigenvalue of the Hessian of the mean loss over the first `examples` training examples, with the
/// loss's temperature, to a relative residual of `tolerance`: a few exact products after a warm start, some tens after a cold one.
///
/// # Errors
/// Whatever candle says of the device.
pub fn begin(subject: &Subject, examples: usize, tolerance: f64, warm: &Warm) -> Result<Box<dyn Job>> {
    let (job, _) = with_options(subject, examples, warm, live(subject, tolerance))?;
    Ok(job)
}

/// [`begin`] for `S H S` with the diagonal S, `factors` in the flattening order: the Hessian that an optimiser sees whose
/// updates are `w <- w - lr S^2 m`. `title` is what captions call the matrix, such as `P^-1/2 H P^-1/2`.
///
/// # Errors
/// Whatever candle says of the device.
pub fn begin_preconditioned(
    subject: &Subject,
    examples: usize,
    tolerance: f64,
    (factors, title): (Vec<f64>, &str),
    warm: &Warm,
) -> Result<Box<dyn Job>> {
    let method = format!("Lanczos on exact products with {title}");
    let matrix = |hessian| -> Operator { Box::new(Scaled::new(hessian, factors)) };
    let (job, _) =
        search(subject, examples, warm, live(subject, tolerance), (PRECONDITIONED_SHARPNESS, method), matrix)?;
    Ok(job)
}

fn live(subject: &Subject, tolerance: f64) -> Options {
    Options {
        tolerance,
        most_products: 100,
        least_products: 2,
        subspace: (MOST_NUMBERS / subject.model.layout().total().max(1) / 2).clamp(6, 30),
    }
}

type Operator = Box<dyn PiecewiseOperator<Error = candle_core::Error> + Send>;

/// [`begin`] with other options, and where to find the whole eigenpair at the end.
///
/// # Errors
/// Whatever candle says of the device.
pub fn with_options(
    subject: &Subject,
    examples: usize,
    warm: &Warm,
    options: Options,
) -> Result<(Box<dyn Job>, Found)> {
    let method = "Lanczos on exact Hessian-vector products".into();
    search(subject, examples, warm, options, (SHARPNESS, method), |hessian| Box::new(hessian))
}

fn search(
    subject: &Subject,
    examples: usize,
    warm: &Warm,
    options: Options,
    (series, method): (SeriesId, String),
    matrix: impl FnOnce(Hessian) -> Operator,
) -> Result<(Box<dyn Job>, Found)> {
    let batch = subject.batch(examples)?;
    let hessian = Hessian::new(subject.model.clone(), &subject.params, &batch, &subject.loss)?;
    let stream = if series == SHARPNESS { "probe/sharpness" } else { "probe/preconditioned-sharpness" };
    let random = subject.streams.indexed(stream, subject.step);
    let search = Lanczos::new(subject.model.layout().total(), warm.start().as_deref(), random, options);
    let found = Arc::new(Mutex::new(None));
    let job = Sharpness {
        step: subject.step,
        series,
        operator: matrix(hessian),
        search,
        multiplying: false,
        warm: warm.clone(),
        found: found.clone(),
        circumstances: Circumstances {
            examples: batch.len,
            dtype: subject.dtype.as_str().into(),
            method: in_words(&method, &*subject.model),
            seconds: 0.0,
        },
    };
    Ok((Box::new(job), found))
}

struct Sharpness {
    step: u64,
    series: SeriesId,
    operator: Operator,
    search: Lanczos,
    /// A product has been begun.
    multiplying: bool,
    warm: Warm,
    found: Arc<Mutex<Option<Eigenpair>>>,
    circumstances: Circumstances,
}

impl Job for Sharpness {
    fn step(&self) -> u64 {
        self.step
    }

    fn advance(&mut self, deadline: Instant, stop: &dyn Fn() -> bool) -> Result<Advance> {
        loop {
            let started = Instant::now();
            let finished = self.piece()?;
            self.circumstances.seconds += started.elapsed().as_secs_f64();
            if let Some(pair) = finished {
                let estimate = Estimate {
                    value: pair.value,
                    residual: pair.residual,
                    converged: pair.converged,
                    products: pair.products,
                    circumstances: Arc::new(self.circumstances.clone()),
                };
                if pair.value.is_finite() {
                    self.warm.keep(pair.next_start.clone());
                }
                *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(pair);
                return Ok(Advance::Done(vec![(self.series.clone(), Reading::Estimate(estimate))]));
            }
            if Instant::now() >= deadline || stop() {
                return Ok(Advance::Working(Vec::new()));
            }
        }
    }
}

impl Sharpness {
    fn piece(&mut self) -> Result<Option<Eigenpair>> {
        if !self.multiplying {
            self.operator.begin(self.search.vector())?;
            self.multiplying = true;
        }
        let Some(product) = self.operator.advance()? else { return Ok(None) };
        self.multiplying = false;
        Ok(match self.search.absorb(product) {
            Progress::Wants => None,
            Progress::Finished(pair) => Some(*pair),
        })
    }
}
