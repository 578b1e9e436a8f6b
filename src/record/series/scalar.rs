//! One number a step.

mod drawing;

use std::ops::Range;

use crate::record::reading::Estimate;

use super::column::Column;
use super::memory;
use super::runs::Runs;

/// Number of children that one entry of a pyramid level summarises.
const FAN: usize = 8;
/// Weight of the past in [`ScalarSeries::smoothed`]: about the last 20 entries count. More would lag
/// visibly behind a loss that falls tenfold in a hundred steps.
pub const SMOOTHING: f64 = 0.95;

/// Numbers over steps, with the extremes of every aligned run of 8, 64, 512, ... of them, so that a curve of
/// any length is drawn from a few hundred entries without losing a spike.
///
/// A series that needs too much memory is summarised: an old entry then is the last of several measurements, with the
/// extremes of all of them. Averages are those of all measurements all the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScalarSeries {
    steps: Column<u64>,
    values: Column<f64>,
    /// Empty, or one entry a value (curvature estimates).
    estimates: Column<Estimate>,
    levels: Vec<Column<[f64; 2]>>,
    /// Exponential moving average after each value.
    smoothed: Column<f64>,
    /// Which entries stand for several measurements, and the extremes of each of those.
    runs: Runs,
    merged: Column<[f64; 2]>,
    /// Of what estimates point to.
    circumstances_bytes: usize,
}

impl ScalarSeries {
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub fn steps(&self) -> &Column<u64> {
        &self.steps
    }

    /// Of entries that stand for several measurements, the last of them.
    pub fn values(&self) -> &Column<f64> {
        &self.values
    }

    /// The exponential moving average `m <- m + w (value - m)` with `w = max(1 - SMOOTHING, 1 / number of values)`: the
    /// plain mean to begin with, so that the first value doesn't weigh on all that follow. Values that aren't finite leave
    /// it as it was. Kept while the series grows, so that drawing it costs nothing more.
    pub fn smoothed(&self) -> &Column<f64> {
        &self.smoothed
    }

    /// Measurements so far, those in summaries included.
    pub fn measurements(&self) -> u64 {
        self.runs.measurements(self.len())
    }

    /// The most measurements that one entry stands for: 1 where nothing is summarised.
    pub fn coarseness(&self) -> u64 {
        self.runs.most()
    }

    /// Index of the last entry at or before `step`.
    pub fn index_at(&self, step: u64) -> Option<usize> {
        self.steps.partition_point(|&s| s <= step).checked_sub(1)
    }

    /// The last value at or before `step`, with its own step.
    pub fn latest_at(&self, step: u64) -> Option<(u64, f64)> {
        self.index_at(step).map(|i| (self.steps[i], self.values[i]))
    }

    /// The value at this very step.
    pub fn exactly_at(&self, step: u64) -> Option<f64> {
        self.latest_at(step).filter(|(at, _)| *at == step).map(|(_, value)| value)
    }

    pub(super) fn has_estimates(&self) -> bool {
        !self.estimates.is_empty()
    }

    /// All estimates, one a value; empty for plain numbers.
    pub fn estimates(&self) -> &Column<Estimate> {
        &self.estimates
    }

    /// The estimate behind the last value at or before `step`.
    pub fn estimate_at(&self, step: u64) -> Option<(u64, &Estimate)> {
        let i = self.index_at(step)?;
        Some((self.steps[i], self.estimates.get(i)?))
    }

    pub(super) fn push(&mut self, step: u64, value: f64, estimate: Option<Estimate>) {
        // What stands at or after the step; of earlier entries nothing changes.
        let at = self.steps.partition_point(|&s| s < step);
        if at < self.merged.len() {
            self.replace_in_summary(at, step, value, estimate);
            return;
        }
        let later: Vec<_> = (at..self.len())
            .filter(|&i| self.steps[i] > step)
            .map(|i| (self.steps[i], self.values[i], self.estimates.get(i).cloned()))
            .collect();
        self.truncate(at);
        self.append(step, value, estimate);
        later.into_iter().for_each(|(step, value, estimate)| self.append(step, value, estimate));
    }

    /// A measurement that was refined long after: what it was before stays in the extremes.
    fn replace_in_summary(&mut self, at: usize, step: u64, value: f64, estimate: Option<Estimate>) {
        self.merged.set(at, extremes([self.merged[at], [value; 2]]));
        if self.steps[at] == step {
            self.values.set(at, value);
            if let Some(estimate) = estimate.filter(|_| at < self.estimates.len()) {
                self.estimates.set(at, estimate);
            }
        }
        self.summarise();
    }

    fn append(&mut self, step: u64, value: f64, estimate: Option<Estimate>) {
        self.steps.push(step);
        self.values.push(value);
        self.smoothed.push(match self.smoothed.last() {
            Some(&mean) if !value.is_finite() => mean,
            Some(&mean) if mean.is_finite() => {
                let weight = (1.0 - SMOOTHING).max(1.0 / self.measurements() as f64);
                mean + weight * (value - mean)
            }
            _ => value,
        });
        if let Some(estimate) = estimate {
            self.circumstances_bytes += memory::of_circumstances(&estimate);
            self.estimates.push(estimate);
        }
        self.summarise_at(self.len());
    }

    /// Forgets the entries from index `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.steps.truncate(len);
        self.values.truncate(len);
        self.circumstances_bytes -=
            self.estimates.range(len..self.estimates.len()).map(memory::of_circumstances).sum::<usize>();
        self.estimates.truncate(len);
        self.smoothed.truncate(len);
        self.merged.truncate(len);
        self.runs.truncate(len);
        let mut size = len;
        for level in &mut self.levels {
            size /= FAN;
            level.truncate(size);
        }
    }

    /// Makes one entry of two old neighbours, so that an eighth of the entries or more go; whether any did.
    pub(super) fn coarsen(&mut self) -> bool {
        let Some(plan) = self.runs.plan(self.len()) else { return false };
        let ranges: Vec<_> = plan.iter().map(|(range, _)| range.clone()).collect();
        let merged = self.runs.after(&plan, self.len());
        let kept = memory::merge(&ranges, self.len(), |to, from: Range<usize>| {
            let both = extremes(from.clone().map(|i| self.entry(i)));
            let last = from.end - 1;
            self.steps.set(to, self.steps[last]);
            self.values.set(to, self.values[last]);
            self.smoothed.set(to, self.smoothed[last]);
            if let Some(estimate) = self.estimates.get(last).cloned() {
                self.estimates.set(to, estimate);
            }
            if to < self.merged.len() {
                self.merged.set(to, both);
            } else if to < merged.merged() {
                self.merged.push(both);
            }
        });
        for column in [&mut self.values, &mut self.smoothed] {
            column.truncate(kept);
        }
        self.steps.truncate(kept);
        self.estimates.truncate(kept);
        self.merged.truncate(merged.merged());
        self.runs = merged;
        self.circumstances_bytes = self.estimates.iter().map(memory::of_circumstances).sum();
        self.summarise();
        true
    }

    /// Whether `step` lies among measurements of which only summaries are left.
    pub(super) fn is_summarised_at(&self, step: u64) -> bool {
        let merged = self.merged.len();
        merged > 0 && step <= self.steps[merged - 1]
    }

    /// Memory that is held, used or not.
    pub(super) fn bytes(&self) -> usize {
        let levels: usize = self.levels.iter().map(Column::bytes).sum();
        self.steps.bytes()
            + self.values.bytes()
            + self.smoothed.bytes()
            + self.estimates.bytes()
            + self.merged.bytes()
            + levels
            + self.levels.capacity() * size_of::<Column<[f64; 2]>>()
            + self.runs.bytes()
            + self.circumstances_bytes
    }

    /// Extremes of what entry `index` stands for.
    fn entry(&self, index: usize) -> [f64; 2] {
        self.merged.get(index).copied().unwrap_or_else(|| [self.values[index]; 2])
    }

    /// All summaries anew.
    fn summarise(&mut self) {
        self.levels.iter_mut().for_each(|level| level.truncate(0));
        (1..=self.len()).for_each(|len| self.summarise_at(len));
    }

    /// Summaries that are complete with entry `len - 1`.
    fn summarise_at(&mut self, len: usize) {
        let mut complete = len;
        let mut depth = 0;
        while complete.is_multiple_of(FAN) && complete > 0 {
            let of = complete - FAN..complete;
            let entry = if depth == 0 {
                extremes(of.map(|i| self.entry(i)))
            } else {
                extremes(self.levels[depth - 1].range(of).copied())
            };
            if self.levels.len() == depth {
                self.levels.push(Column::default());
            }
            self.levels[depth].push(entry);
            complete /= FAN;
            depth += 1;
        }
    }
}

fn extremes(ranges: impl IntoIterator<Item = [f64; 2]>) -> [f64; 2] {
    // f64::min and max ignore NaN; infinities are mapped to NaN first so that one spike can't hide a curve.
    let finite = |v: f64| if v.is_finite() { v } else { f64::NAN };
    ranges.into_iter().fold([f64::NAN; 2], |[low, high], [a, b]| [low.min(finite(a)), high.max(finite(b))])
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn wavy(n: usize) -> ScalarSeries {
        let mut series = ScalarSeries::default();
        for i in 0..n {
            series.push(i as u64, (i as f64 * 0.37).sin(), None);
        }
        series
    }

    #[test]
    fn pyramid_gives_the_extremes_of_a_scan() {
        let mut series = wavy(5_000);
        series.push(5_000, f64::NAN, None);
        for (from, to) in [(0, 5_001), (1, 4_999), (63, 65), (64, 576), (4_999, 5_001), (8, 16)] {
            let scan = extremes(series.values.range(from..to).map(|&v| [v, v]));
            assert_eq!(series.extremes(from, to), scan, "{from}..{to}");
        }
    }

    #[test]
    fn decimation_keeps_spikes_and_the_last_value() {
        let mut series = wavy(10_000);
        series.push(10_000, 50.0, None);
        for i in 10_001..20_000 {
            series.push(i, 0.25, None);
        }
        let points = series.decimated(0, 30_000, 300);
        assert!(points.len() <= 602, "{}", points.len());
        assert!(points.iter().any(|p| p[1] == 50.0));
        assert_eq!(points.last(), Some(&[19_999.0, 0.25]));
        assert!(points.windows(2).all(|pair| pair[0][0] <= pair[1][0]));
    }

    #[test]
    fn truncation_forgets_the_summaries_of_what_it_forgets() {
        let mut series = wavy(700);
        series.truncate(100);
        for i in 100..800 {
            series.push(i, 2.0, None);
        }
        assert_eq!(series.extremes(104, 800), [2.0, 2.0]);
        assert_eq!(series.latest_at(99).map(|(step, _)| step), Some(99));
    }

    #[test]
    fn a_reading_at_the_same_step_replaces_the_former() {
        let mut series = wavy(64);
        series.push(63, 9.0, None);
        assert_eq!(series.len(), 64);
        assert_eq!(series.latest_at(1_000), Some((63, 9.0)));
        assert_eq!(series.extremes(0, 64)[1], 9.0);
    }

    #[test]
    fn smoothing_is_the_recursion_and_survives_truncation_and_what_is_not_finite() {
        let mut series = ScalarSeries::default();
        for (step, value) in [f64::NAN, 4.0, 8.0, f64::INFINITY, 8.0].into_iter().enumerate() {
            series.push(step as u64, value, None);
        }
        let third = 4.0 + (8.0 - 4.0) / 3.0;
        assert!(series.smoothed()[0].is_nan());
        assert!(series.smoothed().range(1..4).eq(&[4.0, third, third]));
        series.truncate(2);
        series.push(2, 8.0, None);
        assert_eq!(series.smoothed()[2], third);
        for step in 3..300 {
            series.push(step, 1.0, None);
        }
        let last = series.smoothed()[299];
        series.push(300, 11.0, None);
        assert!((series.smoothed()[300] - (SMOOTHING * last + (1.0 - SMOOTHING) * 11.0)).abs() < 1e-12);
    }

    #[test]
    fn a_thinned_average_ends_in_its_last_value() {
        let series = wavy(1_000);
        let points = series.decimated_smoothed(0, 2_000, 100);
        assert!(points.len() <= 101, "{}", points.len());
        assert_eq!(points.last(), Some(&[999.0, series.smoothed()[999]]));
        assert!(series.decimated_smoothed(2_000, 3_000, 100).is_empty());
    }
}
