//! Which checkpoints are kept: evenly over the run, within a budget of bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::record::{Checkpoint, CheckpointInfo, TrackId};

use super::spec::CheckpointSpec;

/// What became of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    Kept(Checkpoint),
    /// It lies in the recording that is followed.
    Found(CheckpointInfo),
    /// It made room.
    Dropped {
        track: TrackId,
        step: u64,
    },
}

/// Checkpoints at multiples of a stride that doubles whenever the budget is full; each track's newest, and the root's first,
/// stay whatever their step.
#[derive(Debug)]
pub struct Keeper {
    budget: usize,
    /// 0 keeps none on a schedule.
    stride: u64,
    kept: BTreeMap<(TrackId, u64), Arc<Vec<u8>>>,
    bytes: usize,
}

impl Keeper {
    pub fn new(spec: &CheckpointSpec) -> Self {
        let budget = usize::try_from(spec.budget_mib << 20).unwrap_or(usize::MAX);
        Self { budget, stride: spec.every, kept: BTreeMap::new(), bytes: 0 }
    }

    /// Whether the state after `step` updates is to be kept.
    pub fn wants(&self, step: u64) -> bool {
        self.stride > 0 && step.is_multiple_of(self.stride)
    }

    /// Whether anything is kept at all.
    pub fn is_on(&self) -> bool {
        self.stride > 0
    }

    /// Keeps a checkpoint; what comes of it, in order.
    pub fn keep(&mut self, checkpoint: Checkpoint) -> Vec<Keeping> {
        let place = (checkpoint.track, checkpoint.step);
        if self.kept.contains_key(&place) {
            return Vec::new();
        }
        self.bytes += checkpoint.data.len();
        self.kept.insert(place, checkpoint.data.clone());
        let mut told = vec![Keeping::Kept(checkpoint)];
        while self.bytes > self.budget && self.kept.keys().any(|place| !self.stays(*place)) {
            self.stride *= 2;
            let surplus: Vec<_> = self.kept.keys().copied().filter(|place| !self.stays(*place)).collect();
            for place in surplus.into_iter().filter(|(_, step)| !step.is_multiple_of(self.stride)) {
                self.bytes -= self.kept.remove(&place).map_or(0, |data| data.len());
                told.push(Keeping::Dropped { track: place.0, step: place.1 });
            }
        }
        told
    }

    fn stays(&self, (track, step): (TrackId, u64)) -> bool {
        step == 0 || self.kept.range((track, step)..=(track, u64::MAX)).nth(1).is_none()
    }

    /// The last one at or before `step` of a track.
    pub fn before(&self, track: TrackId, step: u64) -> Option<Checkpoint> {
        let (&(track, step), data) = self.kept.range((track, 0)..=(track, step)).next_back()?;
        Some(Checkpoint { track, step, data: data.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(step: u64) -> Checkpoint {
        Checkpoint { track: TrackId(0), step, data: Arc::new(vec![0; 1 << 18]) }
    }

    #[test]
    fn the_budget_holds_and_what_is_left_covers_the_run_evenly() {
        let mut keeper = Keeper::new(&CheckpointSpec { every: 10, budget_mib: 4 });
        let (mut alive, mut most) = (std::collections::BTreeSet::new(), 0);
        for step in 0..10_000 {
            if keeper.wants(step) {
                for told in keeper.keep(checkpoint(step)) {
                    match told {
                        Keeping::Kept(checkpoint) => assert!(alive.insert(checkpoint.step)),
                        Keeping::Found(_) => unreachable!(),
                        Keeping::Dropped { step, .. } => assert!(alive.remove(&step)),
                    }
                }
                most = most.max(keeper.bytes);
            }
        }
        assert!(most <= 4 << 20, "{most}");
        let steps: Vec<_> = keeper.kept.keys().map(|(_, step)| *step).collect();
        assert_eq!(steps, alive.into_iter().collect::<Vec<_>>());
        assert!(steps.len() >= 8 && steps[0] == 0, "{steps:?}");
        let gaps: Vec<_> = steps.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|&gap| gap == keeper.stride), "{steps:?}");
        assert_eq!(keeper.before(TrackId(0), 9_999).unwrap().step, *steps.last().unwrap());
    }

    #[test]
    fn a_checkpoint_larger_than_the_budget_leaves_the_newest_alone() {
        let mut keeper = Keeper::new(&CheckpointSpec { every: 1, budget_mib: 0 });
        for step in 0..5 {
            keeper.keep(checkpoint(step));
        }
        assert_eq!(keeper.kept.keys().map(|(_, step)| *step).collect::<Vec<_>>(), [0, 4]);
        assert_eq!(keeper.before(TrackId(0), 3).unwrap().step, 0);
        assert!(keeper.before(TrackId(1), 3).is_none());
    }
}
