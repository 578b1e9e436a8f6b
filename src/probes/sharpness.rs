//! The sharpness: the largest eigenvalue of the training-loss Hessian.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use candle_core::Result;

use crate::linalg::lanczos::{Eigenpair, Lanczos, Options, Progress};
use crate::nn::curvature::Hessian;
use crate::nn::statistics::in_words;
use crate::record::names::SHARPNESS;
use crate::record::{Circumstances, Estimate, Reading};

use super::job::{Advance, Job, Subject};

/// Where the last search ended, for the next to begin at.
#[derive(Clone, Debug, Default)]
pub struct Warm(Arc<Mutex<Option<Vec<f64>>>>);

impl Warm {
    fn start(&self) -> Option<Vec<f64>> {
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

/// A relative residual of 0.5 % bounds the eigenvalue's error by 0.5 %, and by far less when the next eigenvalue is
/// not that near.
pub const TOLERANCE: f64 = 5e-3;

/// The largest eigenvalue of the Hessian of the mean loss over the first `examples` training examples, with the
/// loss's temperature, to [`TOLERANCE`]: a few exact products after a warm start, some tens after a cold one.
///
/// # Errors
/// Whatever candle says of the device.
pub fn begin(subject: &Subject, examples: usize, warm: &Warm) -> Result<Box<dyn Job>> {
    let dim = subject.model.layout().total();
    let options = Options {
        tolerance: TOLERANCE,
        most_products: 100,
        least_products: 3,
        subspace: (MOST_NUMBERS / dim.max(1) / 2).clamp(6, 30),
    };
    let (job, _) = with_options(subject, examples, warm, options)?;
    Ok(job)
}

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
    let batch = subject.batch(examples)?;
    let hessian = Hessian::new(subject.model.clone(), &subject.params, &batch, &subject.loss)?;
    let random = subject.streams.indexed("probe/sharpness", subject.step);
    let search = Lanczos::new(subject.model.layout().total(), warm.start().as_deref(), random, options);
    let found = Arc::new(Mutex::new(None));
    let job = Sharpness {
        step: subject.step,
        hessian,
        search,
        multiplying: false,
        warm: warm.clone(),
        found: found.clone(),
        circumstances: Circumstances {
            examples: batch.len,
            dtype: subject.dtype.as_str().into(),
            method: in_words("Lanczos on exact Hessian-vector products", &*subject.model),
            seconds: 0.0,
        },
    };
    Ok((Box::new(job), found))
}

struct Sharpness {
    step: u64,
    hessian: Hessian,
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
                return Ok(Advance::Done(vec![(SHARPNESS, Reading::Estimate(estimate))]));
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
            self.hessian.begin(self.search.vector())?;
            self.multiplying = true;
        }
        let Some(product) = self.hessian.advance()? else { return Ok(None) };
        self.multiplying = false;
        Ok(match self.search.absorb(product) {
            Progress::Wants => None,
            Progress::Finished(pair) => Some(*pair),
        })
    }
}
