//! Which entries of a series stand for how many measurements.
//!
//! A series that is to need less memory makes one entry of two neighbours. Old entries go first, the newest quarter stays as it
//! was measured, and among the old ones those that stand for the fewest measurements go first: so what is old is
//! summarised evenly.

use std::ops::Range;

/// Series keep this many entries at least: more than a picture has columns.
const LEAST: usize = 1_024;
/// Ranges that are merged begin and end at multiples of it, so that summaries of so many entries stay aligned.
pub(super) const ALIGNED: usize = 64;

/// Entries of equal weight from the oldest on; after them each entry is one measurement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs {
    /// (entries, each of two to the power of so many measurements), the oldest first.
    runs: Vec<(usize, u32)>,
}

impl Runs {
    /// Entries that stand for several measurements: the first ones.
    pub fn merged(&self) -> usize {
        self.runs.iter().map(|(entries, _)| entries).sum()
    }

    /// Measurements behind all of `len` entries.
    pub fn measurements(&self, len: usize) -> u64 {
        let merged: u64 = self.runs.iter().map(|&(entries, doublings)| (entries as u64) << doublings).sum();
        merged + (len - self.merged()) as u64
    }

    /// Measurements behind entry `index`.
    pub fn weight(&self, index: usize) -> u64 {
        let mut end = 0;
        for &(entries, doublings) in &self.runs {
            end += entries;
            if index < end {
                return 1 << doublings;
            }
        }
        1
    }

    /// The most measurements that one entry stands for.
    pub fn most(&self) -> u64 {
        self.runs.iter().map(|&(_, doublings)| 1 << doublings).max().unwrap_or(1)
    }

    pub fn truncate(&mut self, len: usize) {
        let mut left = len;
        for (entries, _) in &mut self.runs {
            *entries = (*entries).min(left);
            left -= *entries;
        }
        self.runs.retain(|(entries, _)| *entries > 0);
    }

    pub fn bytes(&self) -> usize {
        self.runs.capacity() * size_of::<(usize, u32)>()
    }

    /// Ranges of neighbours to merge so that a series of `len` entries loses an eighth of them or more, in order; none if it is
    /// too short.
    pub fn plan(&self, len: usize) -> Option<Vec<(Range<usize>, u32)>> {
        if len < LEAST {
            return None;
        }
        let old = len / 4 * 3;
        let mut candidates = Vec::new();
        let mut start = 0_usize;
        for (entries, doublings) in self.runs.iter().copied().chain([(len - self.merged(), 0)]) {
            let from = start.next_multiple_of(ALIGNED);
            let pairs = (start + entries).min(old).saturating_sub(from) / (2 * ALIGNED);
            if pairs > 0 {
                candidates.push((from..from + pairs * 2 * ALIGNED, doublings));
            }
            start += entries;
        }
        let freed = |most: u32| -> usize {
            candidates.iter().filter(|(_, doublings)| *doublings <= most).map(|(range, _)| range.len() / 2).sum()
        };
        let levels = || candidates.iter().map(|(_, doublings)| *doublings);
        let enough = levels().filter(|&most| freed(most) >= len / 8).min().or(levels().max())?;
        candidates.retain(|(_, doublings)| *doublings <= enough);
        Some(candidates)
    }

    /// After the ranges of a plan were merged in a series of `len` entries.
    pub fn after(&self, plan: &[(Range<usize>, u32)], len: usize) -> Self {
        let mut runs: Vec<(usize, u32)> = Vec::new();
        let mut add = |entries: usize, doublings: u32| match runs.last_mut() {
            Some((before, same)) if *same == doublings => *before += entries,
            _ if entries > 0 => runs.push((entries, doublings)),
            _ => {}
        };
        let mut start = 0_usize;
        for (entries, doublings) in self.runs.iter().copied().chain([(len - self.merged(), 0)]) {
            let inside = plan.iter().find(|(range, _)| (start..start + entries).contains(&range.start));
            let (lead, merged) = inside.map_or((0, 0), |(range, _)| (range.start - start, range.len()));
            add(lead, doublings);
            add(merged / 2, doublings + 1);
            add(entries - lead - merged, doublings);
            start += entries;
        }
        runs.pop_if(|(_, doublings)| *doublings == 0);
        Self { runs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Streams entries in and merges whenever there are too many.
    #[test]
    fn old_entries_are_merged_evenly_and_the_newest_stay() {
        let (mut runs, mut len) = (Runs::default(), 0);
        for measurement in 1..=1_000_000_u64 {
            len += 1;
            if len == 8_192 {
                let plan = runs.plan(len).unwrap();
                let freed: usize = plan.iter().map(|(range, _)| range.len() / 2).sum();
                assert!(freed >= len / 8, "{freed}");
                assert!(plan.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start));
                assert!(plan.last().unwrap().0.end <= len / 4 * 3);
                runs = runs.after(&plan, len);
                len -= freed;
            }
            assert!(measurement % 1_000 > 0 || runs.measurements(len) == measurement);
        }
        let weights: Vec<u64> = (0..len).map(|i| runs.weight(i)).collect();
        assert!(weights.windows(2).all(|pair| pair[0] >= pair[1]), "the older, the coarser");
        assert_eq!(weights.iter().sum::<u64>(), 1_000_000);
        assert!(weights[len - len / 5..].iter().all(|w| *w == 1));
        // A picture of the whole has two thousand parts or more.
        assert!(runs.most() <= 512, "{}", runs.most());
    }

    #[test]
    fn a_short_series_stays_as_it_is() {
        assert_eq!(Runs::default().plan(LEAST - 1), None);
        let mut runs = Runs::default();
        let plan = runs.plan(LEAST).unwrap();
        runs = runs.after(&plan, LEAST);
        runs.truncate(70);
        assert_eq!((runs.merged(), runs.measurements(70)), (70, 140));
        runs.truncate(0);
        assert_eq!(runs, Runs::default());
    }
}
