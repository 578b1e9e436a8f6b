//! Going back: to any step of any track, bit for bit, and on from there as a branch.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::record::file;
use crate::record::{Checkpoint, CheckpointInfo, Fork, Intervention, Recording, TrackId, TrackInfo};
use crate::run::budget::Budget;
use crate::run::keeper::Keeper;
use crate::run::ledger::{self, Ledger};
use crate::run::messages::Event;
use crate::run::outbox::Outbox;
use crate::run::replay::{self, Reached};
use crate::run::spec::RunSpec;
use crate::run::trainer::{TrainError, Trainer};

use super::{LiveRun, STILL_GOOD, Stop};

/// A recording that a run goes on from.
pub struct Past {
    pub path: PathBuf,
    pub recording: Box<Recording>,
    pub fork: Fork,
}

/// Checkpoints that lie in the file.
#[derive(Default)]
pub(super) struct Stored {
    path: PathBuf,
    known: Vec<CheckpointInfo>,
}

impl Stored {
    fn before(&self, track: TrackId, step: u64) -> Option<CheckpointInfo> {
        file::checkpoint_before(&self.known, track, step)
    }
}

impl LiveRun {
    /// Goes on from a step of a recording, as a branch of it. The listener knows the recording.
    pub fn resume(past: Past, finest_slice: usize, outbox: &Outbox) -> Result<Self, Stop> {
        let Past { path, recording, fork } = past;
        let ledger = Ledger::of(&recording).map_err(|error| TrainError::Spec(error.to_string()))?;
        let mut root = ledger.root_of(fork.track).clone();
        if recording.checkpoints.iter().any(|info| info.step == 0) {
            // The file of the first weights may be gone; they are in the checkpoint.
            root.init_weights = None;
        }
        let mut run = Self::around(Trainer::new(root)?, ledger, finest_slice);
        run.stored = Stored { path, known: recording.checkpoints.clone() };
        for (id, track) in recording.tracks() {
            run.reached.insert(id, track.newest_step());
        }
        // Nothing has been trained yet: the network must be taken there.
        run.track = TrackId(u32::MAX);
        run.fork(fork, outbox)?;
        Ok(run)
    }

    /// Begins a branch at a step of a track, which is reached from the nearest checkpoint before it.
    pub fn fork(&mut self, fork: Fork, outbox: &Outbox) -> Result<(), Stop> {
        self.reached.insert(self.track, self.step());
        let Some(&newest) = self.reached.get(&fork.track) else {
            let text = format!("There is no track {} to branch from", fork.track.0);
            return Ok(outbox.send(Event::SaveFailed(text))?);
        };
        let fork = Fork { step: fork.step.min(newest), ..fork };
        if self.diverged || fork.track != self.track || fork.step != self.step() {
            self.go_to(fork, outbox)?;
        }
        self.branch(ledger::FORK, fork, outbox)
    }

    /// Takes the network to a step of a track.
    fn go_to(&mut self, to: Fork, outbox: &Outbox) -> Result<(), Stop> {
        let path = self.ledger.lineage(to.track);
        let until = |until: Option<u64>| until.unwrap_or(u64::MAX).min(to.step);
        let in_memory = path.iter().filter_map(|(track, end)| self.keeper.before(*track, until(*end)));
        let in_memory = in_memory.max_by_key(|checkpoint| checkpoint.step);
        let in_file = path.iter().filter_map(|(track, end)| self.stored.before(*track, until(*end)));
        let in_file = in_file.max_by_key(|info| info.step);
        let newer = in_file.filter(|info| in_memory.as_ref().is_none_or(|checkpoint| checkpoint.step < info.step));
        let start: Option<Checkpoint> = match newer {
            Some(info) => {
                let read = file::checkpoint(&self.stored.path, info.track, info.step);
                Some(read.map_err(TrainError::from)?)
            }
            None => in_memory,
        };
        match start {
            Some(checkpoint) => self.trainer.resume(&checkpoint.data)?,
            // From the very beginning.
            None => self.trainer = Trainer::new(self.ledger.root_of(to.track).clone())?,
        }
        let stop = || outbox.is_quitting();
        match replay::advance(&mut self.trainer, &self.ledger, to.track, to.step, &stop, &mut |_, _| Ok(()))? {
            Reached::There => Ok(()),
            Reached::Stopped => Err(Stop::Gone(crate::run::outbox::Gone)),
            Reached::Diverged(divergence) => {
                Err(TrainError::Bug(format!("{divergence}, which it didn't before")).into())
            }
        }
    }

    /// From here on all belongs to a new track.
    fn branch(&mut self, kind: &str, fork: Fork, outbox: &Outbox) -> Result<(), Stop> {
        let id = self.ledger.next_track();
        let info = TrackInfo { id, label: format!("branch {}", id.0), attributes: BTreeMap::new(), parent: Some(fork) };
        let common = self.ledger.common_step(self.track, fork.track).min(fork.step);
        self.checkpoints.retain(|checkpoint| checkpoint.step <= common);
        self.history.rewind(common);
        self.ledger.begin(&info);
        self.track = id;
        self.diverged = false;
        self.prober.discard();
        self.budget = Budget::default();
        (self.evaluated, self.fingerprinted, self.due) = (None, None, None);
        self.pace_step = fork.step;
        self.goal = Some(self.spec().steps).filter(|goal| *goal > fork.step);
        outbox.send(Event::Track(info))?;
        let from =
            if fork.track == TrackId::default() { "the first run".into() } else { format!("branch {}", fork.track.0) };
        self.tell(ledger::origin(kind, id, fork, &from), outbox)
    }

    /// Notes what was done and tells it.
    pub(super) fn tell(&mut self, mark: Intervention, outbox: &Outbox) -> Result<(), Stop> {
        self.ledger.note(mark.clone());
        Ok(outbox.send(Event::Intervention { mark, spec: Box::new(self.spec().clone()) })?)
    }

    /// After a divergence: a branch at the newest checkpoint whose loss was still good, with the knobs as they are and a gentler
    /// learning rate.
    pub fn restore_last_good(&mut self, lr_factor: f64, outbox: &Outbox) -> Result<(), Stop> {
        let best = self.checkpoints.iter().map(|checkpoint| checkpoint.loss).fold(f64::INFINITY, f64::min);
        let good = self.checkpoints.iter().rposition(|checkpoint| checkpoint.loss <= best * STILL_GOOD);
        let Some(index) = good else { return Ok(()) };
        let checkpoint = self.checkpoints[index].clone();
        let fork = Fork { track: self.track, step: checkpoint.step };
        self.reached.insert(self.track, self.step());
        let mut wanted = self.spec().clone();
        wanted.optimizer.lr *= lr_factor;
        let then = self.ledger.spec_at(fork.track, fork.step).map_err(|error| TrainError::Spec(error.to_string()))?;
        self.trainer.set_live(then.clone());
        self.trainer.restore(&checkpoint)?;
        self.branch(ledger::RESTORE, fork, outbox)?;
        self.turn_to(&then, wanted, outbox)
    }

    /// Turns knobs from one specification to another.
    pub(super) fn turn_to(&mut self, from: &RunSpec, to: RunSpec, outbox: &Outbox) -> Result<(), Stop> {
        let marks = ledger::turns(from, &to, self.track, self.step());
        let mut spec = from.clone();
        for mark in marks {
            ledger::apply(&mut spec, &mark).map_err(|error| TrainError::Bug(error.to_string()))?;
            self.trainer.set_live(spec.clone());
            self.tell(mark, outbox)?;
        }
        Ok(())
    }

    /// Keeps the state as it is, if it isn't kept yet.
    pub fn keep_here(&mut self, outbox: &Outbox) -> Result<(), Stop> {
        if self.keeper.is_on() && !self.diverged {
            let checkpoint = self.trainer.checkpoint(f64::NAN)?;
            self.keep_for_good(&checkpoint, outbox)?;
        }
        Ok(())
    }

    pub(super) fn keep_for_good(
        &mut self,
        checkpoint: &crate::run::trainer::Checkpoint,
        outbox: &Outbox,
    ) -> Result<(), Stop> {
        let (track, step) = (self.track, checkpoint.step);
        let data = std::sync::Arc::new(self.trainer.encode(checkpoint)?);
        for told in self.keeper.keep(Checkpoint { track, step, data }) {
            outbox.send(Event::Checkpoint(told))?;
        }
        Ok(())
    }

    /// The run before its first update, or before it is taken somewhere.
    pub(super) fn around(trainer: Trainer, ledger: Ledger, finest_slice: usize) -> Self {
        let now = std::time::Instant::now();
        Self {
            history: super::History::new(trainer.model().layout().total()),
            goal: Some(trainer.spec().steps),
            prober: super::Prober::new(finest_slice, trainer.model().attention_heads() > 0),
            budget: Budget::default(),
            checkpoints: std::collections::VecDeque::new(),
            due: None,
            speed_limit: None,
            next_step_at: now,
            evaluated: None,
            fingerprinted: None,
            pace_since: now,
            pace_step: 0,
            track: TrackId::default(),
            keeper: Keeper::new(&trainer.spec().checkpoints),
            ledger,
            reached: BTreeMap::new(),
            stored: Stored::default(),
            diverged: false,
            is_beside: false,
            trainer,
        }
    }
}
