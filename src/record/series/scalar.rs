//! One number a step.

use crate::record::reading::Estimate;

/// Number of children that one entry of a pyramid level summarises.
const FAN: usize = 8;
/// Weight of the past in [`ScalarSeries::smoothed`]: about the last 20 entries count. More would lag
/// visibly behind a loss that falls tenfold in a hundred steps.
pub const SMOOTHING: f64 = 0.95;

/// Numbers over steps, with the extremes of every aligned run of 8, 64, 512, ... of them, so that a curve of
/// any length is drawn from a few hundred entries without losing a spike.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScalarSeries {
    steps: Vec<u64>,
    values: Vec<f64>,
    /// Empty, or one entry a value (curvature estimates).
    estimates: Vec<Estimate>,
    levels: Vec<Vec<[f64; 2]>>,
    /// Exponential moving average after each value.
    smoothed: Vec<f64>,
}

impl ScalarSeries {
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub fn steps(&self) -> &[u64] {
        &self.steps
    }

    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The exponential moving average `m <- m + w (value - m)` with `w = max(1 - SMOOTHING, 1 / number of values)`: the
    /// plain mean to begin with, so that the first value doesn't weigh on all that follow. Values that aren't finite leave
    /// it as it was. Kept while the series grows, so that drawing it costs nothing more.
    pub fn smoothed(&self) -> &[f64] {
        &self.smoothed
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
    pub fn estimates(&self) -> &[Estimate] {
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
        let later: Vec<_> = (at..self.len())
            .filter(|&i| self.steps[i] > step)
            .map(|i| (self.steps[i], self.values[i], self.estimates.get(i).cloned()))
            .collect();
        self.truncate(at);
        self.append(step, value, estimate);
        later.into_iter().for_each(|(step, value, estimate)| self.append(step, value, estimate));
    }

    fn append(&mut self, step: u64, value: f64, estimate: Option<Estimate>) {
        self.steps.push(step);
        self.values.push(value);
        self.smoothed.push(match self.smoothed.last() {
            Some(&mean) if !value.is_finite() => mean,
            Some(&mean) if mean.is_finite() => {
                let weight = (1.0 - SMOOTHING).max(1.0 / self.values.len() as f64);
                mean + weight * (value - mean)
            }
            _ => value,
        });
        self.estimates.extend(estimate);
        self.summarise_last();
    }

    /// Forgets the entries from index `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.steps.truncate(len);
        self.values.truncate(len);
        self.estimates.truncate(len);
        self.smoothed.truncate(len);
        let mut size = len;
        for level in &mut self.levels {
            size /= FAN;
            level.truncate(size);
        }
    }

    fn summarise_last(&mut self) {
        let mut complete = self.values.len();
        let mut depth = 0;
        while complete.is_multiple_of(FAN) {
            let entry = if depth == 0 {
                extremes(self.values[complete - FAN..].iter().map(|&v| [v, v]))
            } else {
                extremes(self.levels[depth - 1][complete - FAN..].iter().copied())
            };
            if self.levels.len() == depth {
                self.levels.push(Vec::new());
            }
            self.levels[depth].push(entry);
            complete /= FAN;
            depth += 1;
        }
    }

    /// Smallest and largest finite value of the entries `from..to` (NaN where there is none).
    pub fn extremes(&self, from: usize, to: usize) -> [f64; 2] {
        let to = to.min(self.len());
        let mut result = [f64::NAN; 2];
        let mut at = from;
        while at < to {
            // The coarsest aligned block that starts here and ends in range.
            let (mut depth, mut size) = (0, 1);
            while depth < self.levels.len() && at.is_multiple_of(size * FAN) && at + size * FAN <= to {
                depth += 1;
                size *= FAN;
            }
            let block = if depth == 0 { [self.values[at]; 2] } else { self.levels[depth - 1][at / size] };
            result = extremes([result, block]);
            at += size;
        }
        result
    }

    /// At most about `2 * columns` points of the entries between two steps (inclusive) that draw the same picture:
    /// the two extremes of each of `columns` equal parts, in order; all entries where there are few.
    pub fn decimated(&self, first_step: u64, last_step: u64, columns: usize) -> Vec<[f64; 2]> {
        let (from, to) = self.range(first_step, last_step);
        let count = to.saturating_sub(from);
        if count <= 2 * columns {
            return (from..to).map(|i| [self.steps[i] as f64, self.values[i]]).collect();
        }
        // Blocks aligned to the pyramid, so that a growing series keeps the columns it has shown.
        let block = (count.div_ceil(columns)).next_power_of_two();
        let mut points = Vec::with_capacity(2 * count / block + 4);
        let mut at = from;
        while at < to {
            let end = ((at / block + 1) * block).min(to);
            let [low, high] = self.extremes(at, end);
            let rising = self.values[at] <= self.values[end - 1];
            let (x0, x1) = (self.steps[at] as f64, self.steps[end - 1] as f64);
            points.push([x0, if rising { low } else { high }]);
            if end > at + 1 {
                points.push([x1, if rising { high } else { low }]);
            }
            at = end;
        }
        // What the newest column ends in is what the reader looks for: keep the true last value.
        points.push([self.steps[to - 1] as f64, self.values[to - 1]]);
        points
    }

    /// At most about `columns` points of [`Self::smoothed`] between two steps (inclusive): the last of each of equal
    /// parts.
    pub fn decimated_smoothed(&self, first_step: u64, last_step: u64, columns: usize) -> Vec<[f64; 2]> {
        let (from, to) = self.range(first_step, last_step);
        let block = to.saturating_sub(from).div_ceil(columns.max(1)).next_power_of_two();
        let mut points = Vec::with_capacity(to.saturating_sub(from) / block + 2);
        let mut at = from;
        while at < to {
            let end = ((at / block + 1) * block).min(to);
            points.push([self.steps[end - 1] as f64, self.smoothed[end - 1]]);
            at = end;
        }
        points
    }

    /// Indices of the entries between two steps (inclusive).
    fn range(&self, first_step: u64, last_step: u64) -> (usize, usize) {
        let from = self.steps.partition_point(|&s| s < first_step);
        (from, self.steps.partition_point(|&s| s <= last_step))
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

    fn wavy(n: usize) -> ScalarSeries {
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
            let scan = extremes(series.values[from..to].iter().map(|&v| [v, v]));
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
        assert_eq!(series.smoothed()[1..4], [4.0, third, third]);
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
