//! The spectrum of the training-loss Hessian: both ends, the density in between, the trace.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use candle_core::Result;

use crate::linalg::estimator::Estimator;
use crate::linalg::extremes::{self, ExtremeSearch, Extremes, Pair};
use crate::linalg::slq::{self, LanczosQuadrature};
use crate::linalg::spectrum::SpectralMeasure;
use crate::nn::curvature::Hessian;
use crate::nn::statistics::in_words;
use crate::record::{Circumstances, Eigenvalue, Estimate, Reading, SeriesId, Spectrum, names};

use super::job::{Advance, Job, Subject};
use super::sharpness;

/// Where the last search ended, for the next to begin at.
#[derive(Clone, Debug, Default)]
pub struct Warm(Arc<Mutex<Vec<Vec<f64>>>>);

/// Negative eigenvalues looked for.
const BOTTOM: usize = 2;
/// Relative residual at which an eigenvalue counts as found.
const TOLERANCE: f64 = 1e-2;
/// Products that the search for both ends may cost: what a cold start needs; a warm one stops sooner.
const MOST_PRODUCTS: usize = 80;
/// Random vectors of the quadrature, each with so many products: few, as the next measurement draws new ones.
const TEST_VECTORS: usize = 3;
const STEPS: usize = 12;
/// Width of the smoothing over the range of the spectrum.
const SMOOTHING: f64 = 0.01;
/// Numbers that a subspace may hold, each vector twice.
const MOST_NUMBERS: usize = 16 << 20;

/// The `top` largest and two smallest eigenvalues of the Hessian of the mean loss over the first `examples` training
/// examples ([`extremes`]), then its spectral density and trace ([`slq`]), as one reading
/// [`names::HESSIAN_SPECTRUM`]. The trace is the mean of `v' H v` over test vectors of signs (Hutchinson). As soon as the ends
/// are found they are a reading without density and trace, and the largest eigenvalue is one of the sharpness.
/// `sharpness` is where the last search for the largest eigenvalue alone ended.
///
/// # Errors
/// Whatever candle says of the device.
pub fn begin(
    subject: &Subject,
    examples: usize,
    top: usize,
    (warm, sharpness): (&Warm, &sharpness::Warm),
) -> Result<Box<dyn Job>> {
    let batch = subject.batch(examples)?;
    let hessian = Hessian::new(subject.model.clone(), &subject.params, &batch, &subject.loss)?;
    let dim = subject.model.layout().total();
    let options = extremes::Options {
        top,
        bottom: BOTTOM,
        tolerance: TOLERANCE,
        most_products: MOST_PRODUCTS,
        subspace: (MOST_NUMBERS / dim.max(1) / 2).clamp(top + BOTTOM + 6, 40),
        ..extremes::Options::default()
    };
    let mut starts = warm.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if starts.is_empty() {
        // The first search knows one direction already.
        starts.extend(sharpness.start());
    }
    let search = ExtremeSearch::new(dim, &starts, subject.streams.indexed("probe/extremes", subject.step), options);
    Ok(Box::new(SpectrumJob {
        step: subject.step,
        dim,
        hessian,
        stage: Stage::Ends(Box::new(search)),
        random: subject.streams.indexed("probe/quadrature", subject.step),
        multiplying: false,
        warm: warm.clone(),
        ends_method: in_words(
            "Lanczos for both ends of the spectrum, on exact Hessian-vector products",
            &*subject.model,
        ),
        circumstances: Circumstances {
            examples: batch.len,
            dtype: subject.dtype.as_str().into(),
            method: in_words(
                "Lanczos and stochastic Lanczos quadrature on exact Hessian-vector products",
                &*subject.model,
            ),
            seconds: 0.0,
        },
    }))
}

enum Stage {
    Ends(Box<ExtremeSearch>),
    Between(Box<LanczosQuadrature>, Box<Extremes>),
}

struct SpectrumJob {
    step: u64,
    dim: usize,
    hessian: Hessian,
    stage: Stage,
    random: crate::base::rng::Stream,
    /// A product has been begun.
    multiplying: bool,
    warm: Warm,
    /// How the largest eigenvalue alone came about.
    ends_method: String,
    circumstances: Circumstances,
}

impl Job for SpectrumJob {
    fn step(&self) -> u64 {
        self.step
    }

    fn advance(&mut self, deadline: Instant, stop: &dyn Fn() -> bool) -> Result<Advance> {
        loop {
            let started = Instant::now();
            let found = self.piece()?;
            self.circumstances.seconds += started.elapsed().as_secs_f64();
            let reading = |spectrum| (names::HESSIAN_SPECTRUM, Reading::Spectrum(Arc::new(spectrum)));
            match found {
                None => {}
                Some(Piece::Ends(ends)) => {
                    let mut readings = vec![reading(self.spectrum(&ends, None))];
                    readings.extend(self.sharpness(&ends));
                    return Ok(Advance::Working(readings));
                }
                Some(Piece::All(ends, measure)) => {
                    return Ok(Advance::Done(vec![reading(self.spectrum(&ends, Some(&measure)))]));
                }
            }
            if Instant::now() >= deadline || stop() {
                return Ok(Advance::Working(Vec::new()));
            }
        }
    }
}

/// What a piece of work completes.
enum Piece {
    Ends(Box<Extremes>),
    All(Box<Extremes>, SpectralMeasure),
}

impl SpectrumJob {
    fn piece(&mut self) -> Result<Option<Piece>> {
        let Self { hessian, stage, multiplying, .. } = self;
        if !*multiplying {
            let vector = match stage {
                Stage::Ends(search) => search.vector(),
                Stage::Between(quadrature, _) => quadrature.vector(),
            };
            hessian.begin(vector)?;
            *multiplying = true;
        }
        let Some(product) = hessian.advance()? else { return Ok(None) };
        *multiplying = false;
        match stage {
            Stage::Ends(search) => {
                let Some(ends) = search.absorb(product).map(Box::new) else { return Ok(None) };
                if ends.top.iter().all(|pair| pair.value.is_finite()) {
                    *self.warm.0.lock().unwrap_or_else(PoisonError::into_inner) = ends.next_starts.clone();
                }
                let options = slq::Options { test_vectors: TEST_VECTORS, steps: STEPS };
                let quadrature = LanczosQuadrature::new(self.dim, self.random.clone(), options);
                self.stage = Stage::Between(Box::new(quadrature), ends.clone());
                Ok(Some(Piece::Ends(ends)))
            }
            Stage::Between(quadrature, ends) => {
                Ok(quadrature.absorb(product).map(|measure| Piece::All(ends.clone(), measure)))
            }
        }
    }

    fn sharpness(&self, ends: &Extremes) -> Option<(SeriesId, Reading)> {
        let pair = ends.top.first()?;
        let estimate = Estimate {
            value: pair.value,
            residual: pair.residual,
            converged: pair.converged && ends.looked_twice,
            products: ends.products,
            circumstances: Arc::new(Circumstances { method: self.ends_method.clone(), ..self.circumstances.clone() }),
        };
        Some((names::SHARPNESS, Reading::Estimate(estimate)))
    }

    /// Without a measure there is no density yet, and the trace is no number.
    fn spectrum(&self, ends: &Extremes, measure: Option<&SpectralMeasure>) -> Spectrum {
        let eigenvalue = |pair: &Pair| Eigenvalue {
            value: pair.value,
            residual: pair.residual,
            // A second look that found something new leaves all in doubt.
            converged: pair.converged && ends.looked_twice,
        };
        let mut spectrum = Spectrum {
            matrix: "Hessian".into(),
            dim: self.dim,
            top: ends.top.iter().map(eigenvalue).collect(),
            bottom: ends.bottom.iter().map(eigenvalue).collect(),
            ritz: Vec::new(),
            smoothing: 0.0,
            trace: f64::NAN,
            trace_error: f64::NAN,
            test_vectors: 0,
            products: ends.products,
            circumstances: Arc::new(self.circumstances.clone()),
        };
        if let Some(measure) = measure {
            let (trace, n) = (measure.mean(|x| x), self.dim as f64);
            let rules = measure.rules.len() as f64;
            let nodes = measure.rules.iter().flat_map(|rule| rule.nodes.iter().zip(&rule.weights));
            spectrum.ritz = nodes.map(|(&node, &weight)| [node, weight / rules]).collect();
            spectrum.ritz.retain(|[node, weight]| node.is_finite() && weight.is_finite());
            spectrum.ritz.sort_by(|a, b| a[0].total_cmp(&b[0]));
            let [low, high] = measure.range();
            spectrum.smoothing = if high > low { SMOOTHING * (high - low) } else { SMOOTHING * high.abs().max(1.0) };
            (spectrum.trace, spectrum.trace_error) = (n * trace.value, n * trace.standard_error);
            spectrum.test_vectors = measure.rules.len();
            spectrum.products += measure.products;
        }
        spectrum
    }
}
