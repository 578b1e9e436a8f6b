//! One run, or two that differ in a knob and are stepped in turn, under the same commands.

use std::path::PathBuf;

use crate::record::{Outcome, TrackId, TrackInfo};

use super::connectivity::Checkpoints;
use super::course::{Course, Plan, Turn};
use super::knobs::{self, KnobValue, SpecKnob};
use super::live_run::{LiveRun, Stop};
use super::messages::{Event, RunState};
use super::outbox::Outbox;
use super::spec::RunSpec;

/// What a twin run's tracks say of themselves beside their label.
pub const SPEC: &str = "spec";

/// Runs side by side; the first is the one that is asked where only one can be.
pub struct Lockstep {
    runs: Vec<LiveRun>,
    ended: Vec<Option<RunState>>,
    plan: Plan,
}

impl Lockstep {
    pub fn of(run: LiveRun) -> Self {
        Self { runs: vec![run], ended: vec![None], plan: Plan::default() }
    }

    /// A run during which knobs are turned and branches begin as they once did; two side by side, if so it was.
    pub fn again(spec: RunSpec, course: Course, finest_slice: usize, outbox: &Outbox) -> Result<Self, Stop> {
        let begun = match &course.beside {
            Some(beside) => Self::twin([spec, (*beside.spec).clone()], finest_slice, outbox)?,
            None => Self::of(LiveRun::begin(spec, finest_slice, outbox)?),
        };
        Ok(Self { plan: Plan::of(course), ..begun })
    }

    /// Two runs of specifications that differ, from one seed and on the same batches where these don't depend on what differs.
    pub fn twin(specs: [RunSpec; 2], finest_slice: usize, outbox: &Outbox) -> Result<Self, Stop> {
        let labels = labels(&specs);
        let [first, second] = specs;
        let info = |id, label: &String, spec: &RunSpec| TrackInfo {
            id: TrackId(id),
            label: label.clone(),
            attributes: [("run".to_owned(), label.clone()), (SPEC.to_owned(), spec.to_toml())].into(),
            parent: None,
        };
        let infos = [info(0, &labels[0], &first), info(1, &labels[1], &second)];
        let first = LiveRun::begin(first, finest_slice, outbox)?;
        infos.into_iter().try_for_each(|info| outbox.send(Event::Track(info)))?;
        let second = LiveRun::begin_beside(second, TrackId(1), finest_slice)?;
        Ok(Self { runs: vec![first, second], ended: vec![None, None], plan: Plan::default() })
    }

    /// The run that a question about one run is about.
    fn first(&self) -> &LiveRun {
        &self.runs[0]
    }

    fn is_twin(&self) -> bool {
        self.runs.len() > 1
    }

    pub fn step(&self) -> u64 {
        self.first().step()
    }

    /// Does what a course says is due before the next update; `ended` says that training has ended by itself. Whether the run
    /// goes on elsewhere, or beyond its end.
    pub fn follow_course(&mut self, ended: Option<RunState>, outbox: &Outbox) -> Result<bool, Stop> {
        self.turn_due(outbox)?;
        if ended == Some(RunState::Finished) && self.plan.goes_beyond(self.step()) {
            self.go_on();
            return Ok(true);
        }
        let Some(fork) = self.plan.next_branch(self.step(), ended.is_some()) else { return Ok(false) };
        let Some(run) = self.runs.first_mut() else { return Ok(false) };
        run.fork(fork, outbox)?;
        self.plan.began(run.track());
        self.ended = vec![None];
        self.turn_due(outbox)?;
        Ok(true)
    }

    fn turn_due(&mut self, outbox: &Outbox) -> Result<(), Stop> {
        for (i, run) in self.runs.iter_mut().enumerate() {
            if self.ended[i] == Some(RunState::Diverged) {
                continue;
            }
            while let Some(Turn { knob, to, .. }) = self.plan.due(i, run.step()) {
                if let Some(knob) = knobs::find(&knob).filter(|knob| knob.is_live())
                    && let Ok(value) = knob.parse(&to)
                {
                    turn(run, knob, &value, outbox)?;
                }
            }
        }
        Ok(())
    }

    /// The run itself, for what goes with one only; a sentence for the user otherwise.
    pub fn alone(&mut self, outbox: &Outbox) -> Result<Option<&mut LiveRun>, Stop> {
        if self.is_twin() {
            let text = "Two runs go side by side here: begin one of them alone to branch, or to go back";
            outbox.send(Event::SaveFailed(text.into()))?;
            return Ok(None);
        }
        self.ended = vec![None];
        // The user goes another way.
        self.plan = Plan::default();
        Ok(self.runs.first_mut())
    }

    pub fn go_on(&mut self) {
        for (run, ended) in self.runs.iter_mut().zip(&mut self.ended) {
            if *ended != Some(RunState::Diverged) {
                *ended = None;
                run.go_on();
            }
        }
    }

    /// Training rests for a while: what belongs to the step is measured and kept.
    pub fn pause(&mut self, outbox: &Outbox) -> Result<(), Stop> {
        self.rest(outbox)?;
        let going = self.runs.iter_mut().zip(&self.ended).filter(|(_, ended)| ended.is_none());
        going.map(|(run, _)| run).try_for_each(|run| run.keep_here(outbox))
    }

    pub fn rest(&mut self, outbox: &Outbox) -> Result<(), Stop> {
        let going = self.runs.iter_mut().zip(&self.ended).filter(|(_, ended)| ended.is_none());
        going.map(|(run, _)| run).try_for_each(|run| run.rest(outbox))
    }

    pub fn limit_speed(&mut self, limit: Option<f64>) {
        self.runs.iter_mut().for_each(|run| run.limit_speed(limit));
    }

    /// Turns a live knob of all runs, but for the one in which they differ.
    pub fn set_knob(&mut self, id: &'static str, value: &KnobValue, outbox: &Outbox) -> Result<(), Stop> {
        let Some(knob) = knobs::find(id).filter(|knob| knob.is_live()) else { return Ok(()) };
        if self.is_twin() && self.runs.windows(2).any(|pair| knob.get(pair[0].spec()) != knob.get(pair[1].spec())) {
            let text = format!("{} is what the two runs differ in: it stays as it is in each", knob.label);
            return Ok(outbox.send(Event::SaveFailed(text))?);
        }
        for (run, ended) in self.runs.iter_mut().zip(&self.ended) {
            if *ended != Some(RunState::Diverged) {
                turn(run, knob, value, outbox)?;
            }
        }
        Ok(())
    }

    /// A piece of work of the run that is behind; with `must_step`, an update of each. Tells when all have ended.
    pub fn work(
        &mut self,
        must_step: bool,
        interrupted: &dyn Fn() -> bool,
        outbox: &Outbox,
    ) -> Result<Option<RunState>, Stop> {
        let mut going: Vec<_> = (0..self.runs.len()).filter(|&i| self.ended[i].is_none()).collect();
        if !must_step {
            let behind = going.iter().copied().min_by_key(|&i| self.runs[i].step());
            going = behind.into_iter().collect();
        }
        for i in going {
            self.ended[i] = self.runs[i].work(must_step, interrupted, outbox)?;
        }
        if self.ended.iter().any(Option::is_none) {
            return Ok(None);
        }
        let finished = self.ended.contains(&Some(RunState::Finished));
        Ok(Some(if finished { RunState::Finished } else { RunState::Diverged }))
    }

    /// Measures at rest; false when everything is measured.
    pub fn measure_at_rest(&mut self, interrupted: &dyn Fn() -> bool, outbox: &Outbox) -> Result<bool, Stop> {
        for (run, ended) in self.runs.iter_mut().zip(&self.ended) {
            if *ended != Some(RunState::Diverged) && run.measure_at_rest(interrupted, outbox)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Says that those which go on were stopped.
    pub fn stop(&self, outbox: &Outbox) -> Result<(), Stop> {
        for (run, _) in self.runs.iter().zip(&self.ended).filter(|(_, ended)| ended.is_none()) {
            outbox.send(Event::Ended { track: run.track(), outcome: Outcome::Stopped })?;
        }
        Ok(())
    }

    pub fn note(&self, step: u64, text: String, outbox: &Outbox) -> Result<(), Stop> {
        Ok(self.first().note(step, text, outbox)?)
    }

    pub fn checkpoints(&self) -> Result<Checkpoints, Stop> {
        Ok(self.first().checkpoints()?)
    }

    pub fn save_weights(&self, path: PathBuf, outbox: &Outbox) -> Result<(), Stop> {
        self.first().save_weights(path, outbox)
    }
}

/// Turns a live knob of a run, if that changes anything. (Who asks has checked; one who hasn't is told by nothing changing.)
fn turn(run: &mut LiveRun, knob: &SpecKnob, value: &KnobValue, outbox: &Outbox) -> Result<(), Stop> {
    let mut spec = run.spec().clone();
    let from = knob.get(&spec);
    if from == *value || knob.set(&mut spec, value).is_err() {
        return Ok(());
    }
    run.turn(spec, knob.id, from.to_string(), value.to_string(), outbox)
}

/// What sets two specifications apart, in the order of the knobs: `lr 0.004`, `lr 0.04`.
fn labels(specs: &[RunSpec; 2]) -> [String; 2] {
    let [a, b] = specs;
    let differing: Vec<_> = knobs::all().filter(|knob| knob.get(a) != knob.get(b)).collect();
    let label = |spec: &RunSpec, name: &str| {
        let parts: Vec<_> = differing.iter().map(|knob| format!("{} {}", knob.id, knob.get(spec))).collect();
        if parts.is_empty() { name.to_owned() } else { parts.join(", ") }
    };
    [label(a, "A"), label(b, "B")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_are_called_by_what_sets_them_apart() {
        let (a, mut b) = (RunSpec::default(), RunSpec::default());
        assert_eq!(labels(&[a.clone(), b.clone()]), ["A", "B"]);
        b.optimizer.lr = 0.1;
        assert_eq!(labels(&[a, b]), ["lr 0.004", "lr 0.1"]);
    }
}
