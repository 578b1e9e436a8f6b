//! What of a series is drawn: extremes of equal parts, from the pyramid.

use std::ops::Range;

use super::{FAN, ScalarSeries, extremes};
use crate::record::series::average::{Average, REACH};
use crate::record::series::memory;

impl ScalarSeries {
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

    /// At most about `columns` points of the [`Average`] with this half-life (in steps) between two steps (inclusive), the last of
    /// each of equal parts, and the average at the last entry at or before step `at`. Of entries that stand for several
    /// measurements [`Self::smoothed`] is averaged, each as many times as it stands for.
    pub fn averaged(
        &self,
        half_life: f64,
        (first_step, last_step): (u64, u64),
        columns: usize,
        at: u64,
    ) -> (Vec<[f64; 2]>, Option<f64>) {
        let (from, to) = self.range(first_step, last_step);
        let parts = self.parts(from..to, columns.max(1));
        let at = self.index_at(at);
        // Before that nothing counts.
        let earliest = at.map_or(from, |at| from.min(at));
        let earliest = self.steps.get(earliest).map_or(0.0, |step| *step as f64 - REACH * half_life);
        let begin = self.steps.partition_point(|step| (*step as f64) < earliest);
        let mut average = Average::new(half_life);
        let (mut points, mut value) = (Vec::with_capacity(parts.len()), None);
        let mut ends = parts.iter().map(|part| part.end - 1).peekable();
        for i in begin..to.max(at.map_or(0, |at| at + 1)) {
            let (entry, count) = match i < self.merged.len() {
                true => (self.smoothed[i], self.runs.weight(i) as f64),
                false => (self.values[i], 1.0),
            };
            let mean = average.after(self.steps[i] as f64, entry, count);
            if ends.next_if_eq(&i).is_some() {
                points.push([self.steps[i] as f64, mean]);
            }
            if at == Some(i) {
                value = Some(mean);
            }
        }
        (points, value)
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

#[cfg(test)]
mod tests {
    use super::super::tests::wavy;
    use super::*;

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
    fn averages_are_those_of_a_scan_wherever_one_looks() {
        let series = wavy(4_000);
        let half_life = 25.0;
        let mut slow = Average::new(half_life);
        let all: Vec<_> = (0..series.len()).map(|i| slow.after(i as f64, series.values()[i], 1.0)).collect();
        for (range, at) in [((0, u64::MAX), 3_999), ((3_000, 3_500), 17), ((100, 200), 9_999), ((5_000, 6_000), 50)] {
            let (points, value) = series.averaged(half_life, range, 100, at);
            assert!(points.len() <= 101, "{}", points.len());
            for [step, mean] in &points {
                assert!((range.0 as f64..=range.1 as f64).contains(step));
                assert!((mean - all[*step as usize]).abs() < 1e-12, "{range:?} {step}");
            }
            assert!((value.unwrap() - all[(at as usize).min(3_999)]).abs() < 1e-12);
        }
        assert_eq!(series.averaged(half_life, (0, u64::MAX), 100, 0).0.last().unwrap()[0], 3_999.0);
        assert_eq!(ScalarSeries::default().averaged(1.0, (0, 9), 10, 9), (Vec::new(), None));
    }

    #[test]
    fn averages_of_a_summarised_series_are_near_those_of_the_whole() {
        let value = |i: u64| 2.0 + (i as f64 * 0.001).sin() + if i.is_multiple_of(2) { 0.5 } else { -0.5 };
        let (mut whole, mut summarised) = (ScalarSeries::default(), ScalarSeries::default());
        for i in 0..60_000 {
            whole.push(i, value(i), None);
            summarised.push(i, value(i), None);
            if summarised.len() > 8_192 {
                assert!(summarised.coarsen());
            }
        }
        for at in [10_000, 30_000, 59_999] {
            let [a, b] = [&whole, &summarised].map(|s| s.averaged(300.0, (0, u64::MAX), 100, at).1.unwrap());
            assert!((a - b).abs() < 0.06, "{at}: {a} {b}");
        }
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
