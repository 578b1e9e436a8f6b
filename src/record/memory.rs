//! How much memory a recording may hold, and what it gives up to hold no more.
//!
//! A budget in bytes covers all series. Histograms, matrices, surfaces and spectra may have half of it, or what numbers leave them;
//! beyond that every second of the older ones goes. Numbers may have the other half, or what pictures leave them; beyond
//! that the largest series are summarised first ([`super::series`]). The file, where there is one, keeps all.

use std::sync::Arc;

use super::reading::{Reading, SeriesId, TrackId};
use super::recording::Recording;
use super::series::{HeavySeries, Place, Series};

/// The budget unless the user says otherwise.
pub const DEFAULT_BYTES: usize = 512 << 20;
/// Below it a recording couldn't hold what one picture shows.
pub const LEAST_BYTES: usize = 16 << 20;

/// What a series costs beside its entries: its name and its place.
const SERIES_BYTES: usize = 512;
/// Part of a budget that isn't handed out: what lies about allocations and between them.
const LOST: usize = 16;
/// Once a budget is reached, so much of it is freed at once.
const FREED: usize = 32;

/// What may be counted of a budget.
fn usable(budget: usize) -> usize {
    budget - budget / LOST
}

/// Bytes that are counted, and what was given up.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    budget: usize,
    numbers: usize,
    pictures: usize,
    /// At which size the next attempt makes sense: more than the budget if there is nothing left to give up.
    next: usize,
    is_summarised: bool,
    times_thinned: u32,
}

impl Default for Memory {
    fn default() -> Self {
        let budget = DEFAULT_BYTES;
        Self { budget, numbers: 0, pictures: 0, next: usable(budget), is_summarised: false, times_thinned: 0 }
    }
}

/// Memory of a recording, for the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// Bytes held by series, used or not.
    pub bytes: usize,
    pub budget: usize,
    /// Whether old numbers stand for several measurements each.
    pub is_summarised: bool,
    /// Whether some of the older pictures aren't in memory.
    pub is_thinned: bool,
}

impl Memory {
    pub fn begin_series(&mut self) {
        self.numbers += SERIES_BYTES;
    }

    /// A series grew or shrank, from so many bytes.
    pub fn changed(&mut self, series: &Series, before: usize) {
        let part = if matches!(series, Series::Heavy(_)) { &mut self.pictures } else { &mut self.numbers };
        *part = (*part + series.bytes()).saturating_sub(before);
    }

    fn bytes(&self) -> usize {
        self.numbers + self.pictures
    }
}

impl Recording {
    pub fn memory(&self) -> MemoryUse {
        let Memory { budget, is_summarised, times_thinned, .. } = self.memory;
        MemoryUse { bytes: self.memory.bytes(), budget, is_summarised, is_thinned: times_thinned > 0 }
    }

    /// Sets the budget in bytes, of which all series keep within from now on; what was given up before doesn't come back.
    pub fn set_memory_budget(&mut self, bytes: usize) {
        if bytes != self.memory.budget {
            self.memory.budget = bytes;
            self.memory.next = usable(bytes);
            self.keep_budget();
        }
    }

    /// Counts anew after series were cut.
    pub(super) fn count_memory(&mut self) {
        (self.memory.numbers, self.memory.pictures) = (0, 0);
        for series in self.tracks.values().flat_map(|track| track.series.values()) {
            self.memory.begin_series();
            self.memory.changed(series, 0);
        }
        self.memory.next = usable(self.memory.budget);
        self.keep_budget();
    }

    /// Gives up detail while there is more than the budget.
    pub(super) fn keep_budget(&mut self) {
        if self.memory.bytes() <= self.memory.next {
            return;
        }
        let budget = usable(self.memory.budget);
        let goal = budget - budget / FREED;
        while self.memory.bytes() > goal {
            let pictures_first = self.memory.pictures > budget / 2;
            let freed = [pictures_first, !pictures_first]
                .into_iter()
                .any(|pictures| if pictures { self.thin_pictures() } else { self.summarise_largest() });
            if !freed {
                break;
            }
        }
        // Where there is nothing left to give up, not every reading should look for it again.
        self.memory.next = budget.max(self.memory.bytes() + budget / FREED);
        if self.memory.bytes() <= budget {
            self.memory.next = budget;
        }
        self.touch();
    }

    /// Learns where a file has a picture.
    pub(super) fn found(&mut self, track: TrackId, id: &SeriesId, step: u64, place: Place) {
        self.with_heavy(track, id, |series| series.found(step, place));
        if self.is_branched() {
            let begins = |path: Vec<(TrackId, Option<u64>)>| path.into_iter().find(|(of, _)| *of == track)?.1;
            let heirs =
                self.tracks.keys().filter(|heir| begins(self.lineage(**heir)).is_some_and(|until| step < until));
            for heir in heirs.copied().collect::<Vec<_>>() {
                self.with_heavy(heir, id, |series| series.found(step, place));
            }
        }
    }

    /// A picture that was read back.
    pub(super) fn fetched(&mut self, track: TrackId, id: &SeriesId, step: u64, reading: Reading) {
        self.with_heavy(track, id, |series| series.fetched(step, reading));
        self.touch();
    }

    fn with_heavy(&mut self, track: TrackId, id: &SeriesId, work: impl FnOnce(&mut HeavySeries)) {
        let track = self.tracks.get_mut(&track).map(Arc::make_mut);
        let Some(series) = track.and_then(|track| track.series.get_mut(id)) else { return };
        let before = series.bytes();
        if let Series::Heavy(heavy) = series {
            work(heavy);
        }
        self.memory.changed(series, before);
    }

    /// Pictures at `step` of which memory has an older one only, and where the file has them.
    pub(super) fn missing_at(&self, step: u64) -> Vec<(TrackId, SeriesId, u64, Place)> {
        let series =
            self.tracks.iter().flat_map(|(track, all)| all.series.iter().map(|(id, series)| (*track, id, series)));
        let missing = series.filter_map(|(track, id, series)| match series {
            Series::Heavy(heavy) => heavy.missing_at(step).map(|(step, place)| (track, id.clone(), step, place)),
            _ => None,
        });
        missing.collect()
    }

    /// Every second of the older pictures of each series; whether there were any.
    fn thin_pictures(&mut self) -> bool {
        let mut went = false;
        for series in self.tracks.values_mut().flat_map(|track| Arc::make_mut(track).series.values_mut()) {
            if matches!(series, Series::Heavy(_)) {
                let before = series.bytes();
                went |= series.coarsen();
                self.memory.changed(series, before);
            }
        }
        self.memory.times_thinned += u32::from(went);
        went
    }

    /// Summarises the series that holds most, or the next that can be.
    fn summarise_largest(&mut self) -> bool {
        let numbers = self.tracks.values_mut().flat_map(|track| Arc::make_mut(track).series.values_mut());
        let mut numbers: Vec<_> = numbers.filter(|series| !matches!(series, Series::Heavy(_))).collect();
        numbers.sort_by_cached_key(|series| std::cmp::Reverse(series.bytes()));
        for series in numbers {
            let before = series.bytes();
            if series.coarsen() {
                self.memory.changed(series, before);
                self.memory.is_summarised = true;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::reading::{Matrix, Snapshot};

    fn push(recording: &mut Recording, step: u64, readings: Vec<(SeriesId, Reading)>) {
        recording.push(&Snapshot { track: TrackId(0), step, readings }).unwrap();
    }

    fn matrix(side: usize) -> Reading {
        Reading::Matrix(Arc::new(Matrix { rows: side, columns: side, values: vec![0.0; side * side] }))
    }

    #[test]
    fn numbers_stay_within_the_budget_and_what_is_drawn_stays() {
        let mut recording = Recording::default();
        let budget = 4 << 20;
        recording.set_memory_budget(budget);
        let (loss, norms) = (SeriesId::owned("loss"), SeriesId::owned("norms"));
        for step in 0..200_000 {
            let row = vec![step as f32; 10];
            let readings = vec![(loss.clone(), Reading::Scalar(step as f64)), (norms.clone(), Reading::Vector(row))];
            push(&mut recording, step, readings);
            let used = recording.memory();
            assert!(used.bytes <= budget + 70_000, "{used:?} at step {step}");
        }
        let used = recording.memory();
        assert!(used.is_summarised && !used.is_thinned && used.bytes > budget / 2, "{used:?}");
        let counted = used.bytes;
        recording.count_memory();
        assert_eq!(recording.memory().bytes, counted, "what is counted as it grows is what is there");
        let series = recording.scalar(&loss).unwrap();
        assert_eq!((series.measurements(), series.extremes(0, series.len())), (200_000, [0.0, 199_999.0]));
        assert_eq!(recording.vector(&norms).unwrap().latest_at(u64::MAX).unwrap().0, 199_999);
    }

    #[test]
    fn pictures_stay_within_their_share_and_the_newest_survive() {
        let mut recording = Recording::default();
        let budget = 64 << 20;
        recording.set_memory_budget(budget);
        for step in 0..100 {
            push(&mut recording, step, vec![(SeriesId::owned("m"), matrix(1_024))]);
            assert!(recording.memory().bytes <= budget + (5 << 20));
        }
        assert!(recording.memory().is_thinned);
        let id = SeriesId::owned("m");
        assert_eq!(recording.latest_at(&id, 99).unwrap().0, 99);
        assert_eq!(recording.latest_at(&id, 0).unwrap().0, 0);
    }

    #[test]
    fn a_budget_that_nothing_can_keep_is_tried_for_now_and_then_only() {
        let mut recording = Recording::default();
        recording.set_memory_budget(1 << 20);
        // Many series, each too short to be summarised.
        for k in 0..4_000 {
            for step in 0..3 {
                push(&mut recording, step, vec![(SeriesId::owned(format!("s{k}")), Reading::Scalar(0.0))]);
            }
        }
        assert!(recording.memory().bytes > 1 << 20 && !recording.memory().is_summarised);
        recording.set_memory_budget(512 << 20);
        assert!(recording.memory().bytes < recording.memory().budget);
    }
}
