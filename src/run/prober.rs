//! Which measurement works next, and on which parameters.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::nn::statistics::under;
use crate::probes::job::{Advance, Job, PastPoint, Readings, Subject};
use crate::probes::{attention, landscape, plane, sharpness, signal, slice_metric, spectrum};
use crate::record::{Reading, names};

use super::history::History;
use super::preconditioning;
use super::spec::RunSpec;
use super::trainer::{TrainError, Trainer};

/// While training goes on, a slice that has been refined for so long makes room for one of fresher parameters.
const FRESH_SECS: f64 = 4.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Signal,
    Sharpness,
    Preconditioned,
    Landscape,
    Spectrum,
    Attention,
    Metric,
}

/// Shares of the probes' time: a curve of the sharpness needs many points and each of them several products; a slice with
/// less than a tenth of a second before it is stale stays at 9x9 points.
const KINDS: [(Kind, f64); 7] = [
    (Kind::Signal, 0.6),
    (Kind::Sharpness, 2.7),
    (Kind::Preconditioned, 2.7),
    (Kind::Landscape, 2.7),
    (Kind::Spectrum, 1.2),
    (Kind::Attention, 0.3),
    (Kind::Metric, 2.7),
];

/// The ids of what a prober measures, and what they are.
pub const PROBES: &[(&str, &str)] = &[
    ("signal", "activations layer by layer: histograms, similarities, ranks, kurtosis, int8"),
    ("sharpness", "the largest eigenvalue of the Hessian of the training loss"),
    ("landscape", "loss and accuracy on a plane through the parameters"),
    ("spectrum", "both ends of the Hessian's spectrum, its density and trace"),
    ("attention", "attention of one example, and its entropy"),
    ("slice-metric", "another metric on the plane (--landscape-metric)"),
];

impl Kind {
    fn id(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Sharpness => "sharpness",
            // No id: it needs the memory of an optimiser.
            Self::Preconditioned => "",
            Self::Landscape => "landscape",
            Self::Spectrum => "spectrum",
            Self::Attention => "attention",
            Self::Metric => "slice-metric",
        }
    }

    fn is_wanted(self, spec: &RunSpec) -> bool {
        match self {
            Self::Signal | Self::Landscape => true,
            Self::Sharpness => spec.probes.sharpness_of.wants_raw(spec),
            Self::Preconditioned => spec.probes.sharpness_of.wants_preconditioned(spec),
            Self::Spectrum => spec.probes.eigenvalues > 0,
            Self::Attention => spec.probes.attention_example > 0,
            Self::Metric => spec.probes.landscape_metric.is_some(),
        }
    }
}

/// Where the last searches for eigenvalues ended.
#[derive(Default)]
struct Warm {
    sharpness: sharpness::Warm,
    preconditioned: sharpness::Warm,
    spectrum: spectrum::Warm,
}

struct Slot {
    kind: Kind,
    weight: f64,
    spent_secs: f64,
    job: Option<(Box<dyn Job>, Instant)>,
    /// Step of the last complete measurement.
    done: Option<u64>,
}

/// What came of one piece of work.
#[derive(Default)]
pub struct Findings {
    /// To be recorded, each at its own step.
    pub readings: Vec<(u64, Readings)>,
    /// For the eye alone.
    pub picture: Option<(u64, Readings)>,
}

/// How the worker stands while it asks for a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training goes on: keep fresh.
    Running,
    /// Training waits: measure these very parameters, as finely as there is.
    Resting,
}

/// The heavy probes of one run.
pub struct Prober {
    slots: Vec<Slot>,
    warm: Warm,
    planes: plane::Memory,
    finest: usize,
    slices: Slices,
    /// Step of the last recorded sharpness: none is recorded of an earlier one.
    sharpness: Option<u64>,
}

/// What is shown of slices while training goes on: a slice that is still coarser than the last one waits until it is as
/// fine, or is given up for a fresher one, so that the picture doesn't jump between coarse and fine.
#[derive(Default)]
struct Slices {
    /// Points a side of the last recorded slice; 0 before the first.
    shown: usize,
    /// A complete level of the slice in progress, not recorded.
    withheld: Option<Readings>,
    /// The slice in progress has a complete level.
    usable: bool,
}

impl Slices {
    /// What of a finished level is to be recorded now.
    fn admit(&mut self, readings: Readings, at_once: bool) -> Option<Readings> {
        let side = points_a_side(&readings);
        if side == 0 {
            return (!readings.is_empty()).then_some(readings);
        }
        self.usable = true;
        if at_once || side >= self.shown {
            self.shown = side;
            self.withheld = None;
            return Some(readings);
        }
        self.withheld = Some(readings);
        None
    }

    /// The slice in progress is over; what it had that wasn't recorded.
    fn give_up(&mut self) -> Option<Readings> {
        self.usable = false;
        let readings = self.withheld.take()?;
        self.shown = points_a_side(&readings);
        Some(readings)
    }
}

impl Prober {
    /// `finest`: points a side of a slice at rest.
    pub fn new(finest: usize, has_attention: bool) -> Self {
        let slots = KINDS
            .into_iter()
            .filter(|(kind, _)| has_attention || *kind != Kind::Attention)
            .map(|(kind, weight)| Slot { kind, weight, spent_secs: 0.0, job: None, done: None })
            .collect();
        Self {
            slots,
            warm: Warm::default(),
            planes: plane::Memory::default(),
            finest,
            slices: Slices::default(),
            sharpness: None,
        }
    }

    /// Measures nothing but these of [`PROBES`].
    #[must_use]
    pub fn only(mut self, ids: &[&str]) -> Self {
        self.slots.retain(|slot| ids.contains(&slot.kind.id()));
        self
    }

    /// Drops unfinished work (a live knob changed what is measured, or time went back).
    pub fn discard(&mut self) {
        self.slices = Slices { shown: self.slices.shown, ..Slices::default() };
        self.sharpness = None;
        for slot in &mut self.slots {
            slot.job = None;
            slot.done = None;
        }
    }

    /// A sharpness that the spectrum came upon is as good as any, unless a later one is known or one of an earlier step is
    /// under way. Where it is of the newest parameters, none needs to be measured.
    fn pass_on(&mut self, kind: Kind, readings: Vec<(u64, Readings)>) -> Vec<(u64, Readings)> {
        let fits = |at: u64, slots: &[Slot], last: Option<u64>| {
            let under_way =
                slots.iter().filter(|slot| slot.kind == Kind::Sharpness).filter_map(|slot| slot.job.as_ref());
            last.is_none_or(|last| last < at) && under_way.map(|(job, _)| job.step()).all(|step| step > at)
        };
        let mut passed = Vec::new();
        for (at, mut found) in readings {
            if kind == Kind::Spectrum && !fits(at, &self.slots, self.sharpness) {
                found.retain(|(series, _)| *series != names::SHARPNESS);
            }
            if found.iter().any(|(series, _)| *series == names::SHARPNESS) {
                self.sharpness = Some(at);
                let own = self.slots.iter_mut().filter(|slot| slot.kind == Kind::Sharpness);
                own.for_each(|slot| slot.done = Some(at));
            }
            passed.push((at, found));
        }
        passed
    }

    /// Whether there is work: a measurement in progress, or one not yet made of the parameters after `step` updates.
    pub fn has_work(&self, step: u64, spec: &RunSpec) -> bool {
        let mut wanted = self.slots.iter().filter(|slot| slot.kind.is_wanted(spec));
        wanted.any(|slot| slot.job.is_some() || slot.done != Some(step))
    }

    /// Works for about `time`, on the probe that is furthest behind its share.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn advance(
        &mut self,
        trainer: &Trainer,
        history: &History,
        mode: Mode,
        time: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<Findings, TrainError> {
        let step = trainer.steps_done();
        let resting = mode == Mode::Resting;
        if resting {
            for slot in &mut self.slots {
                let stale = slot.job.take_if(|(job, _)| job.step() != step);
                if stale.is_some() && slot.kind == Kind::Landscape {
                    self.slices.give_up();
                }
            }
        }
        let behind = |a: &&mut Slot, b: &&mut Slot| (a.spent_secs / a.weight).total_cmp(&(b.spent_secs / b.weight));
        let spec = trainer.spec();
        let wanted = self.slots.iter_mut().filter(|slot| slot.kind.is_wanted(spec));
        let candidates = wanted.filter(|slot| slot.job.is_some() || slot.done != Some(step));
        let Some(slot) = candidates.min_by(behind) else { return Ok(Findings::default()) };
        let started = Instant::now();
        let (job, begun) = match &mut slot.job {
            Some(job) => job,
            empty => {
                let subject = subject(trainer, history)?;
                let known = (&self.warm, &self.planes);
                let Some(job) = begin(slot.kind, &subject, (trainer, mode), known, self.finest)? else {
                    slot.done = Some(step);
                    return Ok(Findings::default());
                };
                empty.insert((job, started))
            }
        };
        let at = job.step();
        let advance = job.advance(started + time, stop)?;
        let mut findings = Findings::default();
        let stale = begun.elapsed().as_secs_f64() > FRESH_SECS;
        match advance {
            Advance::Done(readings) => {
                let admitted = self.slices.admit(readings, true);
                findings.readings.extend(admitted.map(|readings| (at, readings)));
                if slot.kind == Kind::Landscape {
                    self.slices.give_up();
                }
                slot.done = Some(at);
                slot.job = None;
            }
            Advance::Working(readings) => {
                // The very first slice shows as it grows; once a level is complete, that is the better picture.
                if self.slices.shown == 0 && readings.is_empty() {
                    findings.picture = job.picture().map(|picture| (at, picture));
                }
                let admitted = self.slices.admit(readings, resting);
                findings.readings.extend(admitted.map(|readings| (at, readings)));
                if slot.kind == Kind::Landscape && self.slices.usable && stale && !resting {
                    findings.readings.extend(self.slices.give_up().map(|readings| (at, readings)));
                    slot.done = Some(at);
                    slot.job = None;
                }
            }
        }
        slot.spent_secs += started.elapsed().as_secs_f64();
        let kind = slot.kind;
        findings.readings = self.pass_on(kind, findings.readings);
        self.forget_old_debts(spec);
        Ok(findings)
    }

    /// Keeps the accounts of the probes comparable: what was long ago doesn't starve anybody now.
    fn forget_old_debts(&mut self, spec: &RunSpec) {
        let wanted = self.slots.iter().filter(|slot| slot.kind.is_wanted(spec));
        let least = wanted.map(|slot| slot.spent_secs / slot.weight).fold(f64::INFINITY, f64::min);
        for slot in &mut self.slots {
            slot.spent_secs = if least.is_finite() { (slot.spent_secs - least * slot.weight).max(0.0) } else { 0.0 };
        }
    }
}

/// Of the slice of the loss; 0 where there is none. Slices of other metrics come as they are.
fn points_a_side(readings: &Readings) -> usize {
    let slice = readings.iter().filter(|(id, _)| *id == names::LANDSCAPE);
    let sides = slice.map(|(_, reading)| if let Reading::Surface(surface) = reading { surface.n } else { 0 });
    sides.max().unwrap_or(0)
}

/// `None` where there is nothing to measure: no preconditioner before the first update.
fn begin(
    kind: Kind,
    subject: &Subject,
    (trainer, mode): (&Trainer, Mode),
    (warm, planes): (&Warm, &plane::Memory),
    finest: usize,
) -> Result<Option<Box<dyn Job>>, TrainError> {
    let probes = &trainer.spec().probes;
    let (examples, tolerance) = (probes.sharpness_examples, sharpness::tolerance(mode == Mode::Running));
    Ok(Some(match kind {
        Kind::Signal => signal::begin(subject, probes.signal_examples, probes.int8)?,
        Kind::Sharpness => sharpness::begin(subject, examples, tolerance, &warm.sharpness)?,
        Kind::Preconditioned => {
            let Some(factors) = trainer.preconditioning()? else { return Ok(None) };
            let scaling = (factors, preconditioning::title(trainer.spec()));
            sharpness::begin_preconditioned(subject, examples, tolerance, scaling, &warm.preconditioned)?
        }
        Kind::Spectrum => spectrum::begin(subject, examples, probes.eigenvalues, (&warm.spectrum, &warm.sharpness))?,
        Kind::Attention => attention::begin(subject, probes.attention_example)?,
        Kind::Landscape => {
            let options = landscape::Options {
                directions: probes.landscape_directions,
                normalisation: probes.landscape_normalisation,
                choice: probes.landscape_checkpoint,
                radius: probes.landscape_radius,
                examples: probes.landscape_examples,
                finest,
            };
            landscape::along(subject, &options, planes)?
        }
        Kind::Metric => {
            let Some(metric) = probes.landscape_metric else {
                return Err(TrainError::Bug("a slice of no metric was wanted".into()));
            };
            let options = slice_metric::Options {
                metric,
                extent: probes.landscape_metric_extent,
                directions: probes.landscape_directions,
                normalisation: probes.landscape_normalisation,
                choice: probes.landscape_checkpoint,
                radius: probes.landscape_radius,
                examples: probes.landscape_examples,
            };
            slice_metric::begin(subject, &options, planes)?
        }
    }))
}

fn subject(trainer: &Trainer, history: &History) -> Result<Subject, TrainError> {
    Ok(Subject {
        step: trainer.steps_done(),
        model: under(trainer.model().clone(), trainer.spec().probes.statistics, trainer.spec().batch_size),
        params: Arc::new(trainer.params().frozen()?),
        loss: trainer.spec().loss.clone(),
        train: trainer.train().clone(),
        dtype: trainer.dtype(),
        device: trainer.device().clone(),
        streams: trainer.streams(),
        spec: trainer.spec().model.clone(),
        path: history.up_to(before(trainer)?, point(trainer, f32::NAN)?),
    })
}

/// The parameters before the last update, where a slice wants to know them.
fn before(trainer: &Trainer) -> Result<Option<PastPoint>, TrainError> {
    let Some((step, tensors)) = trainer.before_the_last_update() else { return Ok(None) };
    let flat = trainer.model().layout().flatten(tensors)?;
    let params = Arc::new(flat.into_iter().map(|x| x as f32).collect());
    Ok(Some(PastPoint { step: *step, loss: f32::NAN, params }))
}

/// The current parameters as a point of the path.
///
/// # Errors
/// [`TrainError::Tensor`].
pub fn point(trainer: &Trainer, loss: f32) -> Result<PastPoint, TrainError> {
    let mut params = Vec::with_capacity(trainer.model().layout().total());
    for var in trainer.params().vars() {
        params.extend(var.as_detached_tensor().flatten_all()?.to_vec1::<f32>()?);
    }
    Ok(PastPoint { step: trainer.steps_done(), loss, params: Arc::new(params) })
}
