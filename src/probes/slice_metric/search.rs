//! A metric at one point, in pieces.

use candle_core::{Result, Tensor};

use crate::base::rng::Stream;
use crate::linalg::estimator::Estimator;
use crate::linalg::lanczos::{Lanczos, Options, Progress};
use crate::linalg::trace::{Hutchinson, Options as TraceOptions};
use crate::linalg::vectors::dot;
use crate::nn::batch::Batch;
use crate::nn::curvature::Hessian;
use crate::probes::job::Subject;
use crate::probes::measure::{self, MEASUREMENTS, Value};
use crate::record::SliceMetric;

/// Numbers that the subspace of Lanczos' method may hold, each vector twice.
const MOST_NUMBERS: usize = 16 << 20;
/// Relative residual of an eigenpair: far below what the eye sees on a slice.
pub(super) const TOLERANCE: f64 = 5e-3;
const MOST_PRODUCTS: usize = 60;
/// The same at all points, so that their errors have one sign and the slice stays smooth.
pub(super) const TEST_VECTORS: usize = 10;

/// A number at a point, with how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    pub value: f64,
    /// Residual or standard error over |value|; 0 where it is exact.
    pub doubt: f64,
    pub converged: bool,
}

/// What it found, and a start for searches nearby.
pub(super) type Outcome = (Found, Option<Vec<f64>>);

pub(super) enum Search {
    Sharpness {
        hessian: Box<Hessian>,
        lanczos: Box<Lanczos>,
        multiplying: bool,
    },
    Trace {
        hessian: Box<Hessian>,
        hutchinson: Box<Hutchinson>,
        multiplying: bool,
    },
    Directional {
        hessian: Box<Hessian>,
        gradient: Vec<f64>,
        multiplying: bool,
    },
    /// One gradient or one forward pass.
    AtOnce {
        metric: SliceMetric,
        subject: Box<measure::Subject>,
    },
}

impl Search {
    /// `params` are those of the point; `warm` is where a search nearby ended, `random` is the point's own stream.
    pub fn begin(
        metric: SliceMetric,
        subject: &Subject,
        params: Vec<Tensor>,
        batch: &Batch,
        warm: Option<&[f64]>,
        random: Stream,
    ) -> Result<Self> {
        let dim = subject.model.layout().total();
        let hessian = || Hessian::new(subject.model.clone(), &params, batch, &subject.loss).map(Box::new);
        let multiplying = false;
        Ok(match metric {
            SliceMetric::Sharpness => {
                let options = Options {
                    tolerance: TOLERANCE,
                    most_products: MOST_PRODUCTS,
                    least_products: 3,
                    subspace: (MOST_NUMBERS / dim.max(1) / 2).clamp(6, 30),
                };
                let lanczos = Box::new(Lanczos::new(dim, warm, random, options));
                Self::Sharpness { hessian: hessian()?, lanczos, multiplying }
            }
            SliceMetric::Trace => {
                let options = TraceOptions { most_products: TEST_VECTORS, least_products: usize::MAX, tolerance: 0.0 };
                let vectors = subject.streams.stream("probe/landscape/trace");
                Self::Trace {
                    hessian: hessian()?,
                    hutchinson: Box::new(Hutchinson::new(dim, vectors, options)),
                    multiplying,
                }
            }
            SliceMetric::DirectionalSharpness => {
                let hessian = hessian()?;
                let gradient = measured(subject, params, batch).gradient()?;
                Self::Directional { hessian, gradient, multiplying }
            }
            SliceMetric::GradientNorm
            | SliceMetric::Kurtosis
            | SliceMetric::MaxMedianRatio
            | SliceMetric::TokenCosine => Self::AtOnce { metric, subject: Box::new(measured(subject, params, batch)) },
        })
    }

    /// Some milliseconds of work; the number when it is found.
    pub fn advance(&mut self) -> Result<Option<Outcome>> {
        match self {
            Self::Sharpness { hessian, lanczos, multiplying } => {
                let Some(product) = product(hessian, lanczos.vector(), multiplying)? else { return Ok(None) };
                let Progress::Finished(pair) = lanczos.absorb(product) else { return Ok(None) };
                let doubt = pair.residual / pair.value.abs();
                let found = Found { value: pair.value, doubt, converged: pair.converged };
                Ok(Some((found, pair.value.is_finite().then_some(pair.next_start))))
            }
            Self::Trace { hessian, hutchinson, multiplying } => {
                let Some(product) = product(hessian, hutchinson.vector(), multiplying)? else { return Ok(None) };
                let found = hutchinson.absorb(product);
                Ok(found.map(|trace| {
                    let doubt = trace.standard_error / trace.value.abs();
                    (Found { value: trace.value, doubt, converged: true }, None)
                }))
            }
            Self::Directional { hessian, gradient, multiplying } => {
                let Some(product) = product(hessian, gradient, multiplying)? else { return Ok(None) };
                Ok(Some(exact(dot(gradient, product) / dot(gradient, gradient))))
            }
            Self::AtOnce { metric, subject } => at_once(*metric, subject).map(Some),
        }
    }
}

/// The product when all of its pieces are in.
fn product<'a>(hessian: &'a mut Hessian, v: &[f64], multiplying: &mut bool) -> Result<Option<&'a [f64]>> {
    if !*multiplying {
        hessian.begin(v)?;
        *multiplying = true;
    }
    let product = hessian.advance()?;
    *multiplying = product.is_none();
    Ok(product)
}

fn exact(value: f64) -> Outcome {
    (Found { value, doubt: 0.0, converged: true }, None)
}

/// One of [`MEASUREMENTS`], in one piece, and of its numbers the one that [`SliceMetric`] names.
fn at_once(metric: SliceMetric, subject: &measure::Subject) -> Result<Outcome> {
    let id = if metric == SliceMetric::GradientNorm { "gradient" } else { metric.id() };
    let Some(measurement) = MEASUREMENTS.iter().find(|one| one.id == id) else {
        candle_core::bail!("there is no measurement {id}");
    };
    let found = (measurement.measure)(subject)?;
    Ok(exact(match (metric, found.value) {
        (_, Value::Number(value)) => value,
        (SliceMetric::TokenCosine, Value::Named(layers)) => layers.last().map_or(f64::NAN, |(_, value)| *value),
        (_, Value::Named(layers)) => layers.iter().map(|(_, value)| *value).fold(f64::NAN, f64::max),
        _ => f64::NAN,
    }))
}

fn measured(subject: &Subject, params: Vec<Tensor>, batch: &Batch) -> measure::Subject {
    measure::Subject {
        model: subject.model.clone(),
        params,
        loss: subject.loss.clone(),
        batch: batch.clone(),
        dtype: subject.dtype,
        device: subject.device.clone(),
        streams: subject.streams,
        spec: subject.spec.clone(),
        reference: None,
        options: measure::Options {
            top_k: 1,
            tolerance: TOLERANCE,
            most_products: MOST_PRODUCTS,
            test_vectors: TEST_VECTORS,
            ..measure::Options::default()
        },
    }
}
