//! Doing again what a recording says was done.

use std::collections::BTreeMap;

use crate::record::{Divergence, Fork, Outcome, Recording, TrackId, names};

use super::ledger::{self, Ledger};
use super::spec::RunSpec;
use super::trainer::{Checkpoint, StepOutcome, StepReport, TrainError, Trainer};

/// How far a trainer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    There,
    /// Somebody said so.
    Stopped,
    Diverged(Divergence),
}

type Visit<'a> = dyn FnMut(&Trainer, Option<&StepReport>) -> Result<(), TrainError> + 'a;

/// Takes a trainer, which stands at a step of `track` (its history included), to a later step of it: interventions are
/// carried out before the update at their step, those at the last step, too. `visit` sees the state before each update and at the
/// end (without a report), and each update's report after it.
///
/// # Errors
/// [`TrainError`]; what `visit` returns.
pub fn advance(
    trainer: &mut Trainer,
    ledger: &Ledger,
    track: TrackId,
    to: u64,
    stop: &dyn Fn() -> bool,
    visit: &mut Visit<'_>,
) -> Result<Reached, TrainError> {
    let marks: Vec<_> = ledger.marks(track, trainer.steps_done(), to).cloned().collect();
    loop {
        let step = trainer.steps_done();
        let mut spec = trainer.spec().clone();
        for mark in marks.iter().filter(|mark| mark.step == step) {
            ledger::apply(&mut spec, mark).map_err(|error| TrainError::Spec(error.to_string()))?;
            // One by one: another optimiser begins with an empty memory even if it is taken back at once.
            trainer.set_live(spec.clone());
        }
        visit(trainer, None)?;
        if step >= to {
            return Ok(Reached::There);
        }
        if stop() {
            return Ok(Reached::Stopped);
        }
        match trainer.step()? {
            StepOutcome::Done(report) => visit(trainer, Some(&report))?,
            StepOutcome::Diverged(divergence) => return Ok(Reached::Diverged(divergence)),
        }
    }
}

/// The first place where a recording and its repetition differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub track: TrackId,
    pub step: u64,
    /// `train_loss`, `test_loss`, `parameters` or `end`.
    pub what: String,
    pub recorded: String,
    pub repeated: String,
}

/// What a repetition found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    pub tracks: usize,
    /// Updates that were done again.
    pub steps: u64,
    /// Losses and hashes that were compared.
    pub compared: u64,
    /// The earliest of each track that has one.
    pub differences: Vec<Difference>,
}

/// Where a track is to be begun: the state and the specification in force.
type Start = Option<(Checkpoint, RunSpec)>;

/// Trains again what a recording of the Playground says: its specification, its branches and its interventions. Losses and
/// hashes of parameters must be the recorded ones, bit for bit, or within the relative `tolerance`, which takes the hashes' place.
///
/// # Errors
/// If the specification, an intervention or the data can't be had.
pub fn repeat(
    recording: &Recording,
    tolerance: f64,
    stop: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(u64),
) -> Result<Verdict, TrainError> {
    let ledger = Ledger::of(recording).map_err(|error| TrainError::Spec(error.to_string()))?;
    // The first track makes it anew.
    let mut trainer = Trainer::new(ledger.root().clone())?;
    let mut beginning = ledger.root().clone();
    let mut verdict = Verdict::default();
    let roots = recording.tracks().filter(|(_, track)| track.parent.is_none());
    let mut starts: BTreeMap<TrackId, Start> = roots.map(|(id, _)| (id, None)).collect();
    // Parents have smaller numbers than their branches.
    while let Some((track, start)) = starts.pop_first() {
        match start {
            Some((checkpoint, spec)) => {
                if *ledger.root_of(track) != beginning {
                    beginning = ledger.root_of(track).clone();
                    trainer = Trainer::new(beginning.clone())?;
                }
                trainer.set_live(spec);
                trainer.restore(&checkpoint)?;
            }
            None => {
                beginning = ledger.root_of(track).clone();
                trainer = Trainer::new(beginning.clone())?;
            }
        }
        let Some(of) = recording.track(track) else { continue };
        let forks: Vec<(TrackId, Fork)> = recording
            .tracks()
            .filter_map(|(id, track)| Some((id, track.parent?)))
            .filter(|(_, fork)| fork.track == track)
            .collect();
        let mut found = Comparison { recording, track, tolerance, compared: 0, difference: None };
        let from = trainer.steps_done();
        let updated =
            of.scalar(names::TRAIN_LOSS.as_str()).and_then(|losses| losses.steps().last().map(|step| step + 1));
        let broke_off = match recording.outcome_of(track) {
            Some(Outcome::Diverged(divergence)) => Some(divergence.step + 1),
            _ => None,
        };
        let last = of.newest_step().max(updated.unwrap_or(0)).max(broke_off.unwrap_or(0));
        let mut visit = |trainer: &Trainer, report: Option<&StepReport>| {
            match report {
                Some(report) => {
                    found.loss(names::TRAIN_LOSS.as_str(), report.step, report.loss);
                    verdict.steps += 1;
                    progress(verdict.steps);
                }
                None => {
                    found.state(trainer)?;
                    for (id, _) in forks.iter().filter(|(_, fork)| fork.step == trainer.steps_done()) {
                        starts.insert(*id, Some((trainer.checkpoint(f64::NAN)?, trainer.spec().clone())));
                    }
                }
            }
            Ok(())
        };
        let reached = advance(&mut trainer, &ledger, track, last.max(from), stop, &mut visit)?;
        found.end(&reached, trainer.steps_done());
        verdict.tracks += 1;
        verdict.compared += found.compared;
        verdict.differences.extend(found.difference);
        if reached == Reached::Stopped {
            break;
        }
    }
    Ok(verdict)
}

struct Comparison<'a> {
    recording: &'a Recording,
    track: TrackId,
    tolerance: f64,
    compared: u64,
    difference: Option<Difference>,
}

impl Comparison<'_> {
    fn differs(&mut self, step: u64, what: &str, recorded: String, repeated: String) {
        if self.difference.is_none() {
            let (track, what) = (self.track, what.to_owned());
            self.difference = Some(Difference { track, step, what, recorded, repeated });
        }
    }

    fn loss(&mut self, series: &str, step: u64, repeated: f64) {
        let at = self.recording.track(self.track).and_then(|track| track.scalar(series)?.exactly_at(step));
        if let Some(recorded) = at {
            self.number(step, series, recorded, repeated);
        }
    }

    fn number(&mut self, step: u64, what: &str, recorded: f64, repeated: f64) {
        self.compared += 1;
        // Files know one NaN only.
        let same = recorded.to_bits() == repeated.to_bits() || (recorded.is_nan() && repeated.is_nan());
        let close = self.tolerance > 0.0 && (recorded - repeated).abs() <= self.tolerance * recorded.abs().max(1e-3);
        if !same && !close {
            self.differs(step, what, recorded.to_string(), repeated.to_string());
        }
    }

    fn state(&mut self, trainer: &Trainer) -> Result<(), TrainError> {
        let step = trainer.steps_done();
        if self.tolerance == 0.0 {
            let of = |print: &&crate::record::Fingerprint| print.track == self.track && print.step == step;
            let recorded = self.recording.fingerprints.iter().rev().find(of).map(|print| print.hash.clone());
            if let Some(recorded) = recorded {
                let repeated = trainer.params().hash()?;
                self.compared += 1;
                if recorded != repeated {
                    self.differs(step, "parameters", recorded, repeated);
                }
            }
        }
        let tested = self
            .recording
            .track(self.track)
            .and_then(|track| track.scalar(names::TEST_LOSS.as_str())?.exactly_at(step));
        if tested.is_some() {
            self.loss(names::TEST_LOSS.as_str(), step, trainer.evaluate()?.loss);
        }
        Ok(())
    }

    fn end(&mut self, reached: &Reached, step: u64) {
        let recorded = match self.recording.outcome_of(self.track) {
            Some(Outcome::Diverged(divergence)) => Some(divergence.clone()),
            _ => None,
        };
        let repeated = match reached {
            Reached::Diverged(divergence) => Some(divergence.clone()),
            Reached::There | Reached::Stopped => None,
        };
        // A recording that was cut short says nothing of what came after.
        if recorded != repeated && *reached != Reached::Stopped {
            let text = |end: &Option<Divergence>| end.as_ref().map_or("no divergence".to_owned(), ToString::to_string);
            self.differs(step, "end", text(&recorded), text(&repeated));
        }
    }
}

/// Compares the numbers of two recordings, track by track: those that the first has must be in the second, too. (A recording that
/// was cut short says nothing of what came after.)
pub fn compare(recorded: &Recording, repeated: &Recording, tolerance: f64) -> Verdict {
    let mut verdict = Verdict { steps: repeated.newest_step(), ..Verdict::default() };
    for (id, track) in recorded.tracks() {
        verdict.tracks += 1;
        let mut found = Comparison { recording: recorded, track: id, tolerance, compared: 0, difference: None };
        let Some(again) = repeated.track(id) else {
            found.differs(0, "track", track.label.clone(), "no such track".into());
            verdict.differences.extend(found.difference);
            continue;
        };
        let mut firsts = Vec::new();
        // What took how long is never the same.
        for (series, _) in track.series().filter(|(series, _)| !series.as_str().ends_with("seconds")) {
            let name = series.as_str();
            if let Some(a) = track.scalar(name) {
                let b = again.scalar(name);
                // Entries of a long series may stand for several steps, and not for the same in both.
                let is_whole = a.coarseness().max(b.map_or(1, |b| b.coarseness())) == 1;
                for (&step, &value) in a.steps().iter().zip(a.values()) {
                    match b.and_then(|b| b.exactly_at(step)) {
                        Some(now) => found.number(step, name, value, now),
                        None if is_whole => found.differs(step, name, value.to_string(), "nothing".into()),
                        None => {}
                    }
                }
            } else if let Some(a) = track.vector(name) {
                let b = again.vector(name);
                let is_whole = a.coarseness().max(b.map_or(1, |b| b.coarseness())) == 1;
                for (row, &step) in a.steps().iter().enumerate() {
                    let now = b.and_then(|b| b.latest_at(step)).filter(|(at, _)| *at == step).map(|(_, row)| row);
                    match now.filter(|now| now.len() == a.width()) {
                        Some(now) => {
                            for (i, (&value, &now)) in a.row(row).iter().zip(now).enumerate() {
                                found.number(step, &format!("{name}[{i}]"), value.into(), now.into());
                            }
                        }
                        None if is_whole => {
                            found.differs(step, name, format!("{} numbers", a.width()), "nothing of the kind".into());
                        }
                        None => {}
                    }
                }
            }
            firsts.extend(found.difference.take());
        }
        verdict.compared += found.compared;
        verdict.differences.extend(firsts.into_iter().min_by_key(|difference| difference.step));
    }
    verdict
}
