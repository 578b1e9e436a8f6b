//! What was done to a run by hand, as plain data: knobs turned at steps, a second run beside it, branches. With the run's
//! specification it says all that a recording's numbers follow from, so that the run can be done again elsewhere.

mod plan;

use crate::record::{Fork, Intervention, Outcome, Recording, TrackId, TrackInfo, names};

use super::knobs;
use super::ledger::{self, FORK, Ledger, LedgerError, RESTORE};
use super::spec::RunSpec;

pub(super) use plan::Plan;

/// Turned knobs that a course may have; more is no hand's work.
const MOST_TURNS: usize = 10_000;
const MOST_BRANCHES: usize = 1_000;

/// A live knob that was turned: the update after `step` is the first with the new value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    pub step: u64,
    pub knob: String,
    /// As the knob writes it.
    pub to: String,
}

/// The way of the run, or of a branch, from its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leg {
    /// In the order in which they were turned.
    pub turns: Vec<Turn>,
    /// Updates after which the next branch begins. None where that is when training ends by itself; always none of the last leg, which
    /// goes on.
    pub until: Option<u64>,
}

/// A branch: it begins at a step of an earlier leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branch {
    /// 0 is the run itself, `n` the `n`th branch.
    pub from: usize,
    pub step: u64,
    pub leg: Leg,
}

/// The second of two runs that are trained in turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Beside {
    pub spec: Box<RunSpec>,
    pub turns: Vec<Turn>,
}

/// All that was done to a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    pub first: Leg,
    pub beside: Option<Beside>,
    /// In the order in which they began. A run with one beside it has none.
    pub branches: Vec<Branch>,
}

impl Course {
    /// What a recording of the Playground says was done, and the specification that it began with. Of a twin run with branches, what
    /// belongs to the run that is shown.
    ///
    /// # Errors
    /// [`LedgerError`] if there is nothing that could be done again.
    pub fn of(recording: &Recording) -> Result<(RunSpec, Self), LedgerError> {
        let ledger = Ledger::of(recording)?;
        let root = |id| ledger.lineage(id).first().map_or(id, |(first, _)| *first);
        let shown = root(recording.focus());
        let tracks: Vec<_> = recording.tracks().map(|(id, track)| (id, track.parent)).collect();
        let family: Vec<_> = tracks.iter().filter(|(id, _)| root(*id) == shown).collect();
        let turns = |id| turns_of(recording, id);
        if let ([(first, None), (second, None)], true) = (tracks.as_slice(), family.len() == 1) {
            let spec = Box::new(ledger.root_of(*second).clone());
            let first_leg = Leg { turns: turns(*first), until: None };
            let beside = Some(Beside { spec, turns: turns(*second) });
            return Ok((ledger.root_of(*first).clone(), Self { first: first_leg, beside, branches: Vec::new() }));
        }
        let leg = |index: usize, id: TrackId| {
            let last = index + 1 == family.len();
            let until = (!last).then(|| reached(recording, id)).flatten();
            Leg { turns: turns(id), until }
        };
        let first = leg(0, shown);
        let later = family.iter().enumerate().skip(1);
        let branches = later.filter_map(|(index, (id, fork))| {
            let fork = (*fork)?;
            let from = family.iter().position(|(of, _)| *of == fork.track)?;
            Some(Branch { from, step: fork.step, leg: leg(index, *id) })
        });
        Ok((ledger.root_of(shown).clone(), Self { first, beside: None, branches: branches.collect() }))
    }

    /// Whether nothing was done: the specification says all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Knobs that were turned.
    pub fn turns(&self) -> usize {
        let branches: usize = self.branches.iter().map(|branch| branch.leg.turns.len()).sum();
        // Those of a run beside it were turned with the first one's.
        self.first.turns.len() + branches
    }

    fn leg_mut(&mut self, index: usize) -> Option<&mut Leg> {
        match index.checked_sub(1) {
            None => Some(&mut self.first),
            Some(index) => self.branches.get_mut(index).map(|branch| &mut branch.leg),
        }
    }

    /// Checks what comes from outside against `spec`, with which the run begins, and writes values as the knobs do.
    ///
    /// # Errors
    /// One sentence that names the knob or branch, the value and what is allowed.
    pub fn check(&mut self, spec: &RunSpec) -> Result<(), String> {
        let beside = self.beside.as_ref().map_or(0, |beside| beside.turns.len());
        if self.turns() + beside > MOST_TURNS || self.branches.len() > MOST_BRANCHES {
            return Err(format!("over {MOST_TURNS} turned knobs or {MOST_BRANCHES} branches; give fewer"));
        }
        if let Some(beside) = &mut self.beside {
            if !self.branches.is_empty() {
                return Err("a run that has another beside it has no branches; leave `branches` or `beside` out".into());
            }
            knobs::validate(&beside.spec).map_err(|message| format!("beside.spec: {message}"))?;
            check_turns(&mut beside.turns, beside.spec.as_ref().clone(), 0)?;
        }
        let mut ledger = Ledger::new(spec.clone());
        for index in 0..=self.branches.len() {
            let id = track(index);
            let mut start = 0;
            if let Some(Branch { from, step, .. }) = index.checked_sub(1).map(|index| &self.branches[index]) {
                if *from >= index {
                    return Err(format!(
                        "branch {index} can't come from {from}; give an earlier one, 0 to {}",
                        index - 1
                    ));
                }
                start = *step;
                let parent = Some(Fork { track: track(*from), step: start });
                ledger.begin(&TrackInfo { id, parent, ..TrackInfo::default() });
            }
            let now = ledger.spec_at(id, start).map_err(|error| error.to_string())?;
            let last = index == self.branches.len();
            let Some(leg) = self.leg_mut(index) else { continue };
            check_turns(&mut leg.turns, now, start)?;
            if let Some(until) = leg.until.filter(|until| *until < start) {
                return Err(format!("a branch at step {start} can't go until {until}; give a later step"));
            }
            if last {
                leg.until = None;
            }
            for Turn { step, knob, to } in &leg.turns {
                let (knob, to) = (knob.clone(), to.clone());
                ledger.note(Intervention { track: id, step: *step, knob, from: String::new(), to });
            }
        }
        Ok(())
    }
}

fn track(index: usize) -> TrackId {
    TrackId(u32::try_from(index).unwrap_or(u32::MAX))
}

/// What was turned on a track, without its history.
fn turns_of(recording: &Recording, id: TrackId) -> Vec<Turn> {
    let own = recording.interventions.iter().filter(|mark| mark.track == id);
    let turned = own.filter(|mark| ![FORK, RESTORE].contains(&mark.knob.as_str()));
    turned.map(|mark| Turn { step: mark.step, knob: mark.knob.clone(), to: mark.to.clone() }).collect()
}

/// Updates that a track was trained for; none where it ended by itself.
fn reached(recording: &Recording, id: TrackId) -> Option<u64> {
    if matches!(recording.outcome_of(id), Some(Outcome::Diverged(_))) {
        return None;
    }
    let track = recording.track(id)?;
    let updated =
        track.scalar(names::TRAIN_LOSS.as_str()).and_then(|losses| losses.steps().last().map(|step| step + 1));
    Some(track.newest_step().max(updated.unwrap_or(0)))
}

/// Turns knobs one after the other from `spec` on, which holds at step `start`.
fn check_turns(turns: &mut [Turn], mut spec: RunSpec, start: u64) -> Result<(), String> {
    let mut latest = start;
    for turn in turns {
        let Turn { step, knob: id, to } = &mut *turn;
        if *step < latest || i64::try_from(*step).is_err() {
            return Err(format!("{id} can't be turned at step {step}; give steps in order, from {latest} on"));
        }
        latest = *step;
        let knob = knobs::find(id).filter(|knob| knob.is_live());
        let knob = knob.ok_or_else(|| {
            let live: Vec<_> = knobs::all().filter(|knob| knob.is_live()).map(|knob| knob.id).collect();
            format!("{id:?} can't be turned while a run goes on; give one of {}", live.join(", "))
        })?;
        let value = knob.parse(to)?;
        let (track, from) = (TrackId::default(), String::new());
        let mark = Intervention { track, step: *step, knob: id.clone(), from, to: value.to_string() };
        ledger::apply(&mut spec, &mark).map_err(|error| error.to_string())?;
        knobs::validate(&spec).map_err(|message| format!("step {step}: {message}"))?;
        *to = mark.to;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
