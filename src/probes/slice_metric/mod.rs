//! Sharpness, gradient norm and other numbers on the slice of the landscape: dear ones, so at fewer points than the loss.

mod nest;
mod search;

use std::sync::Arc;
use std::time::Instant;

use candle_core::Result;

use crate::base::digits::number;
use crate::linalg::vectors::axpy;
use crate::nn::batch::Batch;
use crate::nn::slice::Slice;
use crate::nn::slice::directions::{DirectionKind, Normalisation};
use crate::nn::statistics::in_words;
use crate::record::{Circumstances, Reading, SliceExtent, SliceMetric, Surface};

use super::job::{Advance, Job, Readings, Subject};
use super::plane::{Choice, Memory, Plane, Preparation, prepare};
use super::projection::{Projection, project};

use nest::{FINEST, Round, coordinate, rounds};
use search::{Found, Search};

/// What slice of what.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub metric: SliceMetric,
    pub extent: SliceExtent,
    pub directions: DirectionKind,
    pub normalisation: Normalisation,
    pub choice: Choice,
    /// In units of the directions.
    pub radius: f64,
    /// The first so many training examples.
    pub examples: usize,
}

/// Measures the metric on the plane that a slice with these options shows, the axes first, from the centre outwards.
/// After every round, a reading of [`SliceMetric::series`] with what is known so far replaces the last.
///
/// A point's number is a function of the point alone, but that searches for eigenvectors begin at the centre's: how the work
/// was cut into pieces changes no bit.
///
/// # Errors
/// A radius that can't be, no examples; whatever candle says of the device.
pub fn begin(subject: &Subject, options: &Options, memory: &Memory) -> Result<Box<dyn Job>> {
    Slice::check(options.radius, FINEST)?;
    if options.examples == 0 {
        candle_core::bail!("a slice can't be computed on no examples; give at least one");
    }
    let Options { directions, normalisation, choice, examples, .. } = *options;
    // Statistics that are to be frozen are those of the centre, at every point.
    let inputs = subject.batch(examples)?.inputs;
    let model = subject.model.measured_at(&subject.params, &inputs)?.unwrap_or_else(|| subject.model.clone());
    let subject = &Subject { model, ..subject.clone() };
    Ok(Box::new(Metric {
        preparation: Some(prepare(subject, directions, normalisation, choice, examples, memory)?),
        subject: subject.clone(),
        options: options.clone(),
        ground: None,
        rounds: rounds(options.extent),
        round: 0,
        values: vec![None; FINEST * FINEST],
        measured: 0,
        search: None,
        warm: None,
        seconds: 0.0,
    }))
}

/// The plane, when it has been found.
struct Ground {
    plane: Plane,
    projection: Projection,
    centre: Vec<f64>,
    batch: Batch,
}

struct Metric {
    subject: Subject,
    options: Options,
    preparation: Option<Box<dyn Preparation>>,
    ground: Option<Ground>,
    rounds: Vec<Round>,
    round: usize,
    /// Row-major on the finest grid.
    values: Vec<Option<Found>>,
    /// Points of the round that are done.
    measured: usize,
    search: Option<Search>,
    /// Where the search at the centre ended.
    warm: Option<Vec<f64>>,
    seconds: f64,
}

impl Job for Metric {
    fn step(&self) -> u64 {
        self.subject.step
    }

    fn advance(&mut self, deadline: Instant, stop: &dyn Fn() -> bool) -> Result<Advance> {
        loop {
            let started = Instant::now();
            let finished = self.piece()?;
            self.seconds += started.elapsed().as_secs_f64();
            if finished {
                let readings = self.readings();
                self.round += 1;
                self.measured = 0;
                let more = self.round < self.rounds.len();
                return Ok(if more { Advance::Working(readings) } else { Advance::Done(readings) });
            }
            if Instant::now() >= deadline || stop() {
                return Ok(Advance::Working(Vec::new()));
            }
        }
    }
}

impl Metric {
    /// One piece of work; whether it ended a round.
    fn piece(&mut self) -> Result<bool> {
        let Some(ground) = &self.ground else {
            self.prepare()?;
            return Ok(false);
        };
        let sites = &self.rounds[self.round].sites;
        let [column, row] = sites[self.measured];
        let at = row * FINEST + column;
        let search = match &mut self.search {
            Some(search) => search,
            empty => {
                let params = point(&self.subject, ground, [column, row].map(|x| coordinate(x, self.options.radius)))?;
                let random = self.subject.streams.indexed("probe/landscape/metric", at as u64);
                let warm = self.warm.as_deref();
                empty.insert(Search::begin(self.options.metric, &self.subject, params, &ground.batch, warm, random)?)
            }
        };
        let Some((found, start)) = search.advance()? else { return Ok(false) };
        self.search = None;
        self.values[at] = Some(found);
        if column == FINEST / 2 && row == FINEST / 2 {
            self.warm = start;
        }
        self.measured += 1;
        Ok(self.measured == sites.len())
    }

    fn prepare(&mut self) -> Result<()> {
        let Some(preparation) = &mut self.preparation else { return Ok(()) };
        let Some(plane) = preparation.advance()? else { return Ok(()) };
        self.preparation = None;
        let centre = self.subject.model.layout().flatten(&self.subject.params)?;
        let projection = project(&self.subject.path, &centre, &plane.directions);
        let batch = self.subject.batch(self.options.examples)?;
        self.ground = Some(Ground { plane, projection, centre, batch });
        Ok(())
    }

    fn readings(&self) -> Readings {
        let Some(Ground { plane, projection, batch, .. }) = &self.ground else { return Vec::new() };
        let side = self.rounds[self.round].side;
        let stride = (FINEST - 1) / (side - 1);
        let lines = || (0..FINEST).step_by(stride);
        let known: Vec<_> = lines().flat_map(|row| lines().map(move |c| row * FINEST + c)).collect();
        let known: Vec<Option<Found>> = known.into_iter().map(|at| self.values[at]).collect();
        let surface = Surface {
            n: side,
            radius: self.options.radius as f32,
            loss: known.iter().map(|found| found.map_or(f32::NAN, |found| found.value as f32)).collect(),
            accuracy: Vec::new(),
            valid: known.iter().map(Option::is_some).collect(),
            path: projection.path.clone(),
            path_share: projection.share,
            directions: plane.description.clone(),
            axes: plane.axes.clone(),
            circumstances: Arc::new(Circumstances {
                examples: batch.len,
                dtype: self.subject.dtype.as_str().into(),
                method: in_words(&self.method(), &*self.subject.model),
                seconds: self.seconds,
            }),
        };
        vec![(self.options.metric.series(), Reading::Surface(Arc::new(surface)))]
    }

    /// How the numbers were come by, and how sure they are.
    fn method(&self) -> String {
        let found: Vec<Found> = self.values.iter().flatten().copied().collect();
        let doubt = found.iter().map(|found| found.doubt).filter(|doubt| doubt.is_finite()).fold(0.0, f64::max);
        match self.options.metric {
            SliceMetric::Sharpness => {
                let open = found.iter().filter(|found| !found.converged).count();
                let largest = number(doubt);
                let unfinished = if open > 0 { format!(", {open} points NOT converged") } else { String::new() };
                format!("Lanczos on exact Hessian-vector products, relative residual at most {largest}{unfinished}")
            }
            SliceMetric::Trace => format!(
                "{} test vectors, the same at all points, relative standard error at most {}",
                search::TEST_VECTORS,
                number(doubt)
            ),
            SliceMetric::DirectionalSharpness => "one gradient and one exact Hessian-vector product a point".into(),
            SliceMetric::GradientNorm => "one gradient a point".into(),
            SliceMetric::Kurtosis | SliceMetric::MaxMedianRatio | SliceMetric::TokenCosine => {
                "one forward pass a point".into()
            }
        }
    }
}

/// The parameters `w + a d + b e`.
fn point(subject: &Subject, ground: &Ground, [a, b]: [f64; 2]) -> Result<Vec<candle_core::Tensor>> {
    let directions = &ground.plane.directions;
    let wide = |v: &[f32]| v.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
    let mut flat = ground.centre.clone();
    axpy(a, &wide(&directions.d), &mut flat);
    axpy(b, &wide(&directions.e), &mut flat);
    subject.model.layout().unflatten(&flat, subject.dtype, &subject.device)
}
