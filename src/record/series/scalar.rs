//! One number a step.

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
            let block = if depth == 0 { self.entry(at) } else { self.levels[depth - 1][at / size] };
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
            return (from..to).flat_map(|i| self.spread(i)).collect();
        }
        let mut points = Vec::with_capacity(2 * columns + 4);
        for Range { start, end } in self.parts(from..to, columns) {
            let [low, high] = self.extremes(start, end);
            let rising = self.values[start] <= self.values[end - 1];
            let (x0, x1) = (self.steps[start] as f64, self.steps[end - 1] as f64);
            points.push([x0, if rising { low } else { high }]);
            if end > start + 1 || low < high {
                points.push([x1, if rising { high } else { low }]);
            }
        }
        // What the newest column ends in is what the reader looks for: keep the true last value.
        points.push([self.steps[to - 1] as f64, self.values[to - 1]]);
        points
    }

    /// Points that draw entry `index`: a measurement, or the extremes of several and the last.
    fn spread(&self, index: usize) -> impl Iterator<Item = [f64; 2]> + use<> {
        let (step, value) = (self.steps[index] as f64, self.values[index]);
        let [low, high] = self.entry(index);
        let several = index < self.merged.len() && low < high;
        let before = if index > 0 { self.steps[index - 1] as f64 } else { step };
        let middle = before + (step - before) / 2.0;
        let rising = index == 0 || self.values[index - 1] <= value;
        let [first, second] = if rising { [low, high] } else { [high, low] };
        let extra = several.then_some([[middle, first], [step, second]]);
        let last = (!several || second != value).then_some([step, value]);
        extra.into_iter().flatten().chain(last)
    }

    /// At most about `columns` points of [`Self::smoothed`] between two steps (inclusive): the last of each of equal
    /// parts.
    pub fn decimated_smoothed(&self, first_step: u64, last_step: u64, columns: usize) -> Vec<[f64; 2]> {
        let (from, to) = self.range(first_step, last_step);
        let last = |part: Range<usize>| [self.steps[part.end - 1] as f64, self.smoothed[part.end - 1]];
        self.parts(from..to, columns.max(1)).into_iter().map(last).collect()
    }

    /// Parts of a range of entries, at most about `columns` of them, none empty: blocks of equally many entries; where old
    /// entries stand for many measurements, of equally many steps. Both are aligned, so that a growing series keeps the columns
    /// it has shown.
    fn parts(&self, entries: Range<usize>, columns: usize) -> Vec<Range<usize>> {
        memory::parts(&self.steps, entries, columns, self.merged.len())
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

    /// What a curve is at screen resolution, in parts of the steps: (extremes, last).
    fn picture(points: &[[f64; 2]], parts: usize, steps: u64) -> Vec<[f64; 2]> {
        let mut seen = vec![[f64::INFINITY, f64::NEG_INFINITY]; parts];
        for [x, y] in points.iter().filter(|p| p[1].is_finite()) {
            let part = &mut seen[((x / steps as f64) * (parts as f64 - 1.0)) as usize];
            *part = [part[0].min(*y), part[1].max(*y)];
        }
        seen
    }

    #[test]
    fn a_summarised_series_draws_the_same_picture_and_smooths_alike() {
        let value = |i: u64| {
            let spike = if i % 9_973 == 17 { 30.0 } else { 0.0 };
            if i == 70_000 { f64::NAN } else { 5.0 * (-(i as f64) / 40_000.0).exp() + (i as f64 * 0.011).sin() + spike }
        };
        let (mut whole, mut summarised) = (ScalarSeries::default(), ScalarSeries::default());
        let steps = 200_000;
        for i in 0..steps {
            whole.push(i, value(i), None);
            summarised.push(i, value(i), None);
            if summarised.len() > 16_384 {
                assert!(summarised.coarsen());
            }
        }
        assert_eq!(summarised.measurements(), steps);
        assert!(summarised.bytes() < whole.bytes() / 6, "{} {}", summarised.bytes(), whole.bytes());
        assert_eq!(summarised.extremes(0, usize::MAX), whole.extremes(0, usize::MAX));
        // Averages and the values of the steps that are left are those of the whole.
        for i in 0..summarised.len() {
            let at = whole.index_at(summarised.steps()[i]).unwrap();
            assert_eq!(
                (summarised.smoothed()[i], summarised.values()[i].to_bits()),
                (whole.smoothed()[at], whole.values()[at].to_bits())
            );
        }
        // The newest are all there.
        let tail = summarised.len() - summarised.len() / 5;
        assert!((tail..summarised.len()).all(|i| summarised.steps()[i] + (summarised.len() - i) as u64 == steps));
        let parts = 100;
        let pictures = [&whole, &summarised].map(|s| picture(&s.decimated(0, u64::MAX, 300), parts, steps));
        for part in 1..parts - 1 {
            // A part's edge may lie within what an entry stands for, so neighbours count.
            for (seen, other) in [(0, 1), (1, 0)] {
                let around = (part - 1..=part + 1).map(|p| pictures[other][p]);
                let [low, high] =
                    around.fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], [c, d]| [a.min(c), b.max(d)]);
                let [l, h] = pictures[seen][part];
                assert!(l >= low - 1e-12 && h <= high + 1e-12, "part {part}: {l} {h} beside {low} {high}");
            }
        }
        let smooth = |s: &ScalarSeries| s.decimated_smoothed(0, u64::MAX, 200);
        assert!(smooth(&summarised).len() <= 201);
        let near =
            |[x, y]: [f64; 2]| smooth(&whole).iter().any(|[a, b]| (a - x).abs() < 3_000.0 && (b - y).abs() < 1.5);
        assert!(smooth(&summarised).into_iter().all(near));
        // Zoomed in, the spike of an old entry is still there.
        assert!(summarised.decimated(9_000, 11_000, 300).iter().any(|p| p[1] > 29.0));
    }

    #[test]
    fn a_rewind_into_summaries_goes_on_from_there() {
        let mut series = wavy(9_000);
        assert!(series.coarsen() && series.coarsen());
        series.truncate(1_000);
        let (before, last) = (series.measurements(), series.steps()[999]);
        for i in 1..9_000 {
            series.push(last + i, 0.5, None);
        }
        assert_eq!(series.measurements(), before + 8_999);
        while series.coarsen() {}
        assert!(series.len() < 1_100 && series.measurements() == before + 8_999, "{}", series.len());
        let [low, high] = series.extremes(0, series.len());
        assert!(low < -0.99 && high > 0.99);
        // A measurement that was refined late widens what its summary says.
        series.push(series.steps()[3] - 1, 70.0, None);
        assert_eq!(series.extremes(0, 8)[1], 70.0);
    }
}
