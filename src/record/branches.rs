//! Branches: tracks that begin at a step of another and go on in their own way.
//!
//! In memory a branch holds its whole history, so that whoever shows a track needs to know nothing of branches; the file
//! holds what is its own. At the step of the fork the parameters are the parent's; what is measured there is the branch's.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::reading::{Reading, SeriesId, Snapshot, TrackId};
use super::recording::{Intervention, Outcome, Recording, TrackInfo};
use super::series::Series;

/// Where a branch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    pub track: TrackId,
    /// The first update of the branch is the one after this step of its parent.
    pub step: u64,
}

/// The parameters of a track after `step` updates, as a hash: equal hashes, equal bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub track: TrackId,
    pub step: u64,
    pub hash: String,
}

impl Recording {
    /// The track that questions without a track are about: the first, unless another was chosen.
    pub fn focus(&self) -> TrackId {
        self.focus.or_else(|| self.tracks.keys().next().copied()).unwrap_or_default()
    }

    /// Chooses the track that panes show.
    pub fn set_focus(&mut self, track: TrackId) {
        if self.focus() != track {
            self.focus = Some(track);
            // Tracks of several recordings differ in more than their readings.
            if let Some(header) = self.tracks.get(&track).and_then(|track| track.header.as_deref()) {
                self.header.clone_from(header);
            }
            self.touch();
        }
    }

    /// A branch's history, root first: tracks, each with the step up to which it counts (none: to its end).
    pub fn lineage(&self, track: TrackId) -> Vec<(TrackId, Option<u64>)> {
        let mut path = vec![(track, None)];
        let mut at = track;
        // A damaged file may claim a circle; parents come before their branches.
        while let Some(fork) = self.tracks.get(&at).and_then(|track| track.parent).filter(|fork| fork.track < at) {
            path.push((fork.track, Some(fork.step)));
            at = fork.track;
        }
        path.reverse();
        path
    }

    /// Whether tracks grew from others.
    pub fn is_branched(&self) -> bool {
        self.branched
    }

    /// What was done to a track, its history included, in order.
    pub fn interventions_of(&self, track: TrackId) -> impl Iterator<Item = &Intervention> {
        let path = self.lineage(track);
        path.into_iter().flat_map(move |(of, until)| {
            let counts = move |mark: &&Intervention| mark.track == of && until.is_none_or(|until| mark.step <= until);
            self.interventions.iter().filter(counts)
        })
    }

    /// How a track ended, as far as it is known.
    pub fn outcome_of(&self, track: TrackId) -> Option<&Outcome> {
        if track == self.newest_track { self.outcome.as_ref() } else { self.tracks.get(&track)?.outcome.as_ref() }
    }

    /// Notes how a track ended.
    pub fn end_track(&mut self, track: TrackId, outcome: Outcome) {
        if track == self.newest_track {
            self.outcome = Some(outcome);
        } else if let Some(track) = self.tracks.get_mut(&track) {
            Arc::make_mut(track).outcome = Some(outcome);
        }
        self.touch();
    }

    /// Begins a branch, which takes over what was read before its step, and moves the focus to it.
    pub(super) fn begin_branch(&mut self, info: &TrackInfo, fork: Fork) {
        self.inherit(info.id, fork);
        self.focus = Some(info.id);
        if let (Some(outcome), Some(before)) = (self.outcome.take(), self.tracks.get_mut(&self.newest_track)) {
            Arc::make_mut(before).outcome = Some(outcome);
        }
        self.newest_track = info.id;
    }

    /// Takes in readings of steps that have passed: measured afterwards. What doesn't fit its series is left out.
    pub fn insert(&mut self, late: Vec<Snapshot>) {
        let mut by_series: BTreeMap<(TrackId, SeriesId), BTreeMap<u64, Reading>> = BTreeMap::new();
        for Snapshot { track, step, readings } in late {
            for (id, reading) in readings {
                by_series.entry((track, id)).or_default().insert(step, reading);
            }
        }
        for ((track, id), mut merged) in by_series {
            let track = Arc::make_mut(self.tracks.entry(track).or_default());
            let first = merged.first_key_value().map_or(0, |(step, _)| *step);
            let series = track
                .series
                .entry(id)
                .or_insert_with(|| Series::for_reading(merged.first_entry().expect("a series has a reading").get()));
            // One pass over what comes after the earliest, however many there are.
            let _ = series.for_each(|step, reading| {
                if step >= first {
                    merged.entry(step).or_insert(reading);
                }
                Ok::<_, Infallible>(())
            });
            match first.checked_sub(1) {
                Some(last) => series.truncate_after(last),
                None => series.clear(),
            }
            for (step, reading) in merged {
                if series.accepts(step, &reading) {
                    series.push(step, &reading);
                    track.newest_step = track.newest_step.max(step);
                    self.newest_step = self.newest_step.max(step);
                }
            }
        }
        self.count_memory();
        self.touch();
    }

    /// Turns tracks that were read for themselves into branches.
    pub(super) fn graft(&mut self, branches: BTreeMap<TrackId, Fork>) {
        for (branch, fork) in branches {
            // Parents come before their branches, so what is inherited is whole.
            self.inherit(branch, fork);
            self.newest_track = branch;
            self.focus = Some(branch);
        }
    }

    /// Puts the parent's readings from before the fork in front of the branch's own.
    pub(super) fn inherit(&mut self, branch: TrackId, fork: Fork) {
        if fork.track >= branch {
            return;
        }
        let mut whole = self.tracks.get(&fork.track).map(|parent| parent.series.clone()).unwrap_or_default();
        for series in whole.values_mut() {
            match fork.step.checked_sub(1) {
                Some(last) => series.truncate_after(last),
                None => series.clear(),
            }
        }
        whole.retain(|_, series| series.last_step().is_some());
        let own = std::mem::take(&mut Arc::make_mut(self.tracks.entry(branch).or_default()).series);
        for (id, series) in own {
            match whole.entry(id) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(series);
                }
                std::collections::btree_map::Entry::Occupied(mut place) => {
                    // A branch's series are of its parent's kinds; of a damaged file's only what fits is taken.
                    let _ = series.for_each(|step, reading: Reading| {
                        if step >= fork.step && place.get().accepts(step, &reading) {
                            place.get_mut().push(step, &reading);
                        }
                        Ok::<_, Infallible>(())
                    });
                }
            }
        }
        let track = Arc::make_mut(self.tracks.entry(branch).or_default());
        track.series = whole;
        track.parent = Some(fork);
        track.newest_step = track.newest_step.max(fork.step);
        self.branched = true;
        self.count_memory();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: SeriesId = SeriesId::from_static("x");

    fn push(recording: &mut Recording, track: u32, step: u64, value: f64) {
        let readings = vec![(X, Reading::Scalar(value))];
        recording.push(&Snapshot { track: TrackId(track), step, readings }).unwrap();
    }

    fn turn(recording: &mut Recording, track: u32, step: u64, to: &str) {
        let mark =
            Intervention { track: TrackId(track), step, knob: "lr".into(), from: String::new(), to: to.to_owned() };
        recording.intervene(mark);
    }

    fn branch(recording: &mut Recording, id: u32, track: u32, step: u64) {
        let parent = Some(Fork { track: TrackId(track), step });
        recording.begin_track(&TrackInfo { id: TrackId(id), parent, ..TrackInfo::default() });
    }

    /// Steps 0 to 9; a branch at 4 of its own to 6; a branch of that at 6.
    fn tree() -> Recording {
        let mut recording = Recording::default();
        (0..10).for_each(|step| push(&mut recording, 0, step, step as f64));
        turn(&mut recording, 0, 2, "a");
        turn(&mut recording, 0, 4, "b");
        turn(&mut recording, 0, 5, "not in the branch");
        recording.end_track(TrackId(0), Outcome::Finished);
        branch(&mut recording, 1, 0, 4);
        (4..7).for_each(|step| push(&mut recording, 1, step, 100.0 + step as f64));
        turn(&mut recording, 1, 4, "c");
        branch(&mut recording, 2, 1, 6);
        push(&mut recording, 2, 6, 200.0);
        recording
    }

    #[test]
    fn a_branch_has_its_parents_history_and_its_own_readings_from_the_fork_on() {
        let recording = tree();
        assert_eq!(recording.focus(), TrackId(2));
        assert_eq!(recording.scalar(&X).unwrap().values(), [0.0, 1.0, 2.0, 3.0, 104.0, 105.0, 200.0]);
        assert_eq!(recording.track(TrackId(0)).unwrap().scalar("x").unwrap().len(), 10);
        let path = recording.lineage(TrackId(2));
        assert_eq!(path, [(TrackId(0), Some(4)), (TrackId(1), Some(6)), (TrackId(2), None)]);
        let marks: Vec<_> = recording.interventions_of(TrackId(2)).map(|mark| mark.to.as_str()).collect();
        assert_eq!(marks, ["a", "b", "c"]);
    }

    #[test]
    fn each_track_has_its_own_end() {
        let mut recording = tree();
        assert_eq!(recording.outcome_of(TrackId(0)), Some(&Outcome::Finished));
        assert_eq!((recording.outcome_of(TrackId(1)), recording.outcome_of(TrackId(2))), (None, None));
        recording.end_track(TrackId(2), Outcome::Stopped);
        assert_eq!(recording.outcome, Some(Outcome::Stopped));
        assert_eq!(recording.outcome_of(TrackId(0)), Some(&Outcome::Finished));
    }

    #[test]
    fn a_track_that_claims_to_be_its_own_parent_has_no_history() {
        let mut recording = Recording::default();
        push(&mut recording, 1, 0, 1.0);
        branch(&mut recording, 1, 1, 5);
        assert_eq!(recording.lineage(TrackId(1)), [(TrackId(1), None)]);
        assert_eq!(recording.track(TrackId(1)).unwrap().scalar("x").unwrap().len(), 1);
    }
}
