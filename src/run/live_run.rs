//! A run in progress: trainer, probes, budget, checkpoints and what is told of them.

mod branching;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::record::{Fingerprint, Intervention, Note, Outcome, Reading, TrackId, names};

use super::budget::Budget;
use super::connectivity::Checkpoints;
use super::history::History;
use super::keeper::Keeper;
use super::ledger::Ledger;
use super::messages::{Event, PaceReport, RunState};
use super::outbox::{Gone, Outbox};
use super::prober::{Findings, Mode, Prober, point};
use super::spec::{Pace, RunSpec};
use super::threshold;
use super::trainer::{Checkpoint, StepOutcome, StepReport, TrainError, Trainer};
use super::weights_file;

/// Steps between checkpoints that a divergence can go back to.
const CHECKPOINT_EVERY: u64 = 20;
const CHECKPOINTS: usize = 8;
/// A checkpoint whose loss is so many times the best one's isn't good any more.
const STILL_GOOD: f64 = 4.0;
/// Steps between hashes of the parameters.
const FINGERPRINT_EVERY: u64 = 100;
/// Time a probe works before training and commands get their turn.
const PIECE: Duration = Duration::from_millis(15);
const PACE_EVERY: Duration = Duration::from_millis(500);

pub struct LiveRun {
    trainer: Trainer,
    prober: Prober,
    history: History,
    budget: Budget,
    checkpoints: VecDeque<Checkpoint>,
    /// Where the run stops by itself; none once it was told to go on beyond.
    goal: Option<u64>,
    /// Steps at which heavy probes are due in [`Pace::Steps`] and not done.
    due: Option<u64>,
    speed_limit: Option<f64>,
    next_step_at: Instant,
    evaluated: Option<u64>,
    fingerprinted: Option<u64>,
    pace_since: Instant,
    pace_step: u64,
    /// What is told now belongs to it.
    track: TrackId,
    keeper: Keeper,
    ledger: Ledger,
    /// How far tracks came that were left.
    reached: BTreeMap<TrackId, u64>,
    stored: branching::Stored,
    diverged: bool,
    /// The first of two tells the pace.
    is_beside: bool,
}

pub use branching::Past;

/// A run that can't go on: nobody listens, or an error.
pub enum Stop {
    Gone(Gone),
    Error(TrainError),
}

impl From<Gone> for Stop {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl From<TrainError> for Stop {
    fn from(error: TrainError) -> Self {
        Self::Error(error)
    }
}

impl LiveRun {
    /// Builds everything and announces the run.
    pub fn begin(spec: RunSpec, finest_slice: usize, outbox: &Outbox) -> Result<Self, Stop> {
        let trainer = Trainer::new(spec)?;
        let header = Arc::new(trainer.header());
        outbox.send(Event::Started { header, spec: Box::new(trainer.spec().clone()) })?;
        let ledger = Ledger::new(trainer.spec().clone());
        Ok(Self::around(trainer, ledger, finest_slice))
    }

    /// A second run, whose readings belong to `track`; the listener knows of it.
    pub fn begin_beside(spec: RunSpec, track: TrackId, finest_slice: usize) -> Result<Self, Stop> {
        let trainer = Trainer::new(spec)?;
        let ledger = Ledger::new(trainer.spec().clone());
        Ok(Self { track, is_beside: true, ..Self::around(trainer, ledger, finest_slice) })
    }

    pub fn spec(&self) -> &RunSpec {
        self.trainer.spec()
    }

    pub fn step(&self) -> u64 {
        self.trainer.steps_done()
    }

    /// Applies a live knob before the next update and tells so.
    pub fn turn(&mut self, spec: RunSpec, knob: &str, from: String, to: String, outbox: &Outbox) -> Result<(), Stop> {
        // The state before somebody turned a knob is what they want back if it was too much.
        let loss = self.checkpoints.back().map_or(f64::NAN, |checkpoint| checkpoint.loss);
        if self.checkpoints.back().is_none_or(|checkpoint| checkpoint.step < self.step()) && loss.is_finite() {
            let checkpoint = self.trainer.checkpoint(loss)?;
            self.push_checkpoint(checkpoint);
        }
        self.trainer.set_live(spec);
        self.prober.discard();
        self.tell(Intervention { track: self.track, step: self.step(), knob: knob.into(), from, to }, outbox)
    }

    pub fn track(&self) -> TrackId {
        self.track
    }

    /// What the user wrote at a step.
    pub fn note(&self, step: u64, text: String, outbox: &Outbox) -> Result<(), Gone> {
        outbox.send(Event::Note(Note { track: self.track, step, text }))
    }

    pub fn limit_speed(&mut self, steps_per_sec: Option<f64>) {
        self.speed_limit = steps_per_sec.filter(|limit| *limit > 0.0);
        self.next_step_at = Instant::now();
    }

    /// Told to play: beyond the planned end, if that is where it is.
    pub fn go_on(&mut self) {
        if self.goal.is_some_and(|goal| self.step() >= goal) {
            self.goal = None;
        }
        self.next_step_at = Instant::now();
    }

    /// One piece of running: an update or a piece of a probe. Tells why the run stopped by itself, if it did.
    pub fn work(
        &mut self,
        must_step: bool,
        interrupted: &dyn Fn() -> bool,
        outbox: &Outbox,
    ) -> Result<Option<RunState>, Stop> {
        if self.goal.is_some_and(|goal| self.step() >= goal) && !must_step {
            self.rest(outbox)?;
            self.keep_here(outbox)?;
            outbox.send(Event::Ended { track: self.track, outcome: Outcome::Finished })?;
            return Ok(Some(RunState::Finished));
        }
        self.tell_pace(outbox)?;
        if self.heavy_probes_are_due() && !must_step {
            self.probe(Mode::Resting, PIECE, interrupted, outbox)?;
            if !self.prober.has_work(self.step(), self.spec()) {
                self.due = Some(self.step());
            }
            return Ok(None);
        }
        let share = self.spec().probes.budget;
        let measuring = self.spec().probes.pace == Pace::Budget && self.budget.allows(share);
        if measuring && self.prober.has_work(self.step(), self.spec()) && !must_step {
            self.probe(Mode::Running, PIECE, interrupted, outbox)?;
            return Ok(None);
        }
        if let Some(limit) = self.speed_limit.filter(|_| !must_step) {
            let now = Instant::now();
            if now < self.next_step_at {
                let nap = (self.next_step_at - now).min(Duration::from_millis(10));
                std::thread::sleep(nap);
                self.budget.trained(nap);
                return Ok(None);
            }
            self.next_step_at = now.max(self.next_step_at) + Duration::from_secs_f64((1.0 / limit).min(60.0));
        }
        self.update(outbox)
    }

    fn heavy_probes_are_due(&self) -> bool {
        let probes = &self.spec().probes;
        probes.pace == Pace::Steps
            && probes.budget > 0.0
            && self.step().is_multiple_of(probes.every)
            && self.due != Some(self.step())
    }

    fn update(&mut self, outbox: &Outbox) -> Result<Option<RunState>, Stop> {
        let started = Instant::now();
        let step = self.step();
        if step.is_multiple_of(self.spec().eval_every) {
            self.evaluate(outbox)?;
        }
        if step.is_multiple_of(FINGERPRINT_EVERY) {
            self.fingerprint(outbox)?;
        }
        let wants_point = self.history.wants(step);
        let before = if wants_point { Some(point(&self.trainer, 0.0)?) } else { None };
        let (nearby, for_good) = (step.is_multiple_of(CHECKPOINT_EVERY), self.keeper.wants(step));
        let checkpoint = if nearby || for_good { Some(self.trainer.checkpoint(0.0)?) } else { None };
        let outcome = self.trainer.step()?;
        self.budget.trained(started.elapsed());
        match outcome {
            StepOutcome::Done(report) => {
                if let Some(mut point) = before {
                    point.loss = report.loss as f32;
                    self.history.push(point);
                }
                if let Some(mut checkpoint) = checkpoint {
                    checkpoint.loss = report.loss;
                    if for_good {
                        self.keep_for_good(&checkpoint, outbox)?;
                    }
                    if nearby {
                        self.push_checkpoint(checkpoint);
                    }
                }
                self.tell_step(&report, outbox)?;
                Ok(None)
            }
            StepOutcome::Diverged(divergence) => {
                self.diverged = true;
                outbox.send(Event::Ended { track: self.track, outcome: Outcome::Diverged(divergence) })?;
                Ok(Some(RunState::Diverged))
            }
        }
    }

    fn tell_step(&self, report: &StepReport, outbox: &Outbox) -> Result<(), Gone> {
        let mut readings = vec![
            (names::TRAIN_LOSS, Reading::Scalar(report.loss)),
            (names::LR, Reading::Scalar(report.lr)),
            (names::GRADIENT_NORM, Reading::Vector(report.gradient_norm.clone())),
            (names::UPDATE_RATIO, Reading::Vector(report.update_ratio.clone())),
        ];
        if let Some(by_role) = &report.by_role {
            readings.push((names::ROLE_GRADIENT_NORM, Reading::Vector(by_role.gradient.clone())));
            readings.push((names::ROLE_UPDATE_RATIO, Reading::Vector(by_role.update_ratio.clone())));
        }
        if let Some(accuracy) = report.accuracy {
            readings.push((names::TRAIN_ACCURACY, Reading::Scalar(accuracy)));
        }
        if let Some(line) = threshold::value(self.spec(), report.lr) {
            readings.push((names::SHARPNESS_THRESHOLD, Reading::Scalar(line)));
        }
        let spec = self.spec();
        if let Some(line) = threshold::preconditioned_value(spec, report.lr)
            .filter(|_| spec.probes.sharpness_of.wants_preconditioned(spec))
        {
            readings.push((names::PRECONDITIONED_THRESHOLD, Reading::Scalar(line)));
        }
        outbox.snapshot(self.track, report.step, readings)
    }

    fn evaluate(&mut self, outbox: &Outbox) -> Result<(), Stop> {
        let step = self.step();
        let evaluation = self.trainer.evaluate()?;
        let mut readings = vec![(names::TEST_LOSS, Reading::Scalar(evaluation.loss))];
        if let Some(accuracy) = evaluation.accuracy {
            readings.push((names::TEST_ACCURACY, Reading::Scalar(accuracy)));
        }
        self.evaluated = Some(step);
        Ok(outbox.snapshot(self.track, step, readings)?)
    }

    fn fingerprint(&mut self, outbox: &Outbox) -> Result<(), Stop> {
        let step = self.step();
        self.fingerprinted = Some(step);
        let hash = self.trainer.params().hash().map_err(TrainError::from)?;
        Ok(outbox.send(Event::Fingerprint(Fingerprint { track: self.track, step, hash }))?)
    }

    /// Training rests: the curves end at the very step that is shown.
    pub fn rest(&mut self, outbox: &Outbox) -> Result<(), Stop> {
        if self.evaluated != Some(self.step()) {
            self.evaluate(outbox)?;
        }
        if self.fingerprinted != Some(self.step()) {
            self.fingerprint(outbox)?;
        }
        Ok(())
    }

    /// Writes the parameters as they are, and tells how that went.
    pub fn save_weights(&self, path: PathBuf, outbox: &Outbox) -> Result<(), Stop> {
        let params = self.trainer.params().frozen().map_err(TrainError::from)?;
        let written = weights_file::write(&path, self.trainer.model().layout(), &params);
        Ok(outbox.send(written.map_or_else(|error| Event::SaveFailed(error.to_string()), |()| Event::Saved(path)))?)
    }

    /// Measures the parameters at rest; false when everything is measured.
    pub fn measure_at_rest(&mut self, interrupted: &dyn Fn() -> bool, outbox: &Outbox) -> Result<bool, Stop> {
        if self.spec().probes.budget <= 0.0 || !self.prober.has_work(self.step(), self.spec()) {
            return Ok(false);
        }
        self.probe(Mode::Resting, PIECE, interrupted, outbox)?;
        Ok(true)
    }

    fn probe(
        &mut self,
        mode: Mode,
        time: Duration,
        interrupted: &dyn Fn() -> bool,
        outbox: &Outbox,
    ) -> Result<(), Stop> {
        let started = Instant::now();
        let Findings { readings, picture } =
            self.prober.advance(&self.trainer, &self.history, mode, time, interrupted)?;
        self.budget.probed(started.elapsed());
        for (step, readings) in readings {
            outbox.snapshot(self.track, step, readings)?;
        }
        if let Some((step, readings)) = picture {
            outbox.picture(self.track, step, readings)?;
        }
        Ok(())
    }

    fn push_checkpoint(&mut self, checkpoint: Checkpoint) {
        if self.checkpoints.len() == CHECKPOINTS {
            self.checkpoints.pop_front();
        }
        self.checkpoints.push_back(checkpoint);
    }

    /// The weights that are kept of the path, and the current ones.
    pub fn checkpoints(&self) -> Result<Checkpoints, TrainError> {
        let points = self.history.up_to(None, point(&self.trainer, f32::NAN)?);
        Ok(Checkpoints::new(self.spec().clone(), points))
    }

    fn tell_pace(&mut self, outbox: &Outbox) -> Result<(), Gone> {
        let elapsed = self.pace_since.elapsed();
        if elapsed < PACE_EVERY {
            return Ok(());
        }
        if self.is_beside {
            self.pace_since = Instant::now();
            return Ok(());
        }
        let step = self.step();
        let steps_per_sec = step.saturating_sub(self.pace_step) as f64 / elapsed.as_secs_f64();
        self.pace_since = Instant::now();
        self.pace_step = step;
        outbox.send(Event::Pace(PaceReport { step, steps_per_sec, probe_share: self.budget.probe_share() }))
    }
}
