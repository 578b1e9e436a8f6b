//! One row of numbers a step.

use std::ops::Range;

use super::column::Column;
use super::memory;
use super::rows::Rows;
use super::runs::{ALIGNED, Runs};

/// Rows that one summary holds.
const BLOCK: usize = ALIGNED;

/// A fixed number of numbers per step (one per layer).
///
/// A series that needs too much memory is summarised: an old row then is the last of several that were measured. Means over
/// [`BLOCK`] rows and more are those of all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorSeries {
    steps: Column<u64>,
    rows: Rows,
    /// Sum and number of the finite values of each entry in each run of [`BLOCK`] rows, `[blocks, width]`.
    sums: Column<(f64, u32)>,
    /// Which rows stand for several.
    runs: Runs,
}

impl VectorSeries {
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Entries per step.
    pub fn width(&self) -> usize {
        self.rows.width()
    }

    pub fn steps(&self) -> &Column<u64> {
        &self.steps
    }

    pub fn row(&self, index: usize) -> &[f32] {
        self.rows.row(index)
    }

    /// The most measurements that one row stands for: 1 where nothing is summarised.
    pub fn coarseness(&self) -> u64 {
        self.runs.most()
    }

    pub fn index_at(&self, step: u64) -> Option<usize> {
        self.steps.partition_point(|&s| s <= step).checked_sub(1)
    }

    pub fn latest_at(&self, step: u64) -> Option<(u64, &[f32])> {
        self.index_at(step).map(|i| (self.steps[i], self.row(i)))
    }

    pub(super) fn push(&mut self, step: u64, row: &[f32]) {
        if self.steps.is_empty() {
            self.rows = Rows::of_width(row.len());
        }
        assert_eq!(row.len(), self.width(), "a vector series has one width");
        let at = self.steps.partition_point(|&s| s < step);
        if at < self.len() {
            self.replace(at, step, row);
            return;
        }
        self.steps.push(step);
        self.rows.push(row);
        if self.len().is_multiple_of(BLOCK) {
            let (from, to) = (self.len() - BLOCK, self.len());
            for entry in 0..self.width() {
                self.sums.push(self.summed(entry, from, to));
            }
        }
    }

    /// A row that was measured anew; of one that has gone into a summary nothing is changed.
    fn replace(&mut self, at: usize, step: u64, row: &[f32]) {
        if self.steps[at] != step {
            return;
        }
        let before = self.row(at).to_vec();
        self.rows.set(at, row);
        let block = at / BLOCK * self.width();
        if block >= self.sums.len() {
            return;
        }
        let from = at / BLOCK * BLOCK;
        for entry in 0..self.width() {
            let sum = if from < self.runs.merged() {
                // The others behind the block's rows are known as a sum alone.
                let part = |v: f32| if v.is_finite() { (f64::from(v), 1) } else { (0.0, 0) };
                let ((sum, count), old, new) = (self.sums[block + entry], part(before[entry]), part(row[entry]));
                (sum - old.0 + new.0, count + new.1 - old.1)
            } else {
                self.summed(entry, from, from + BLOCK)
            };
            self.sums.set(block + entry, sum);
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.steps.truncate(len);
        self.rows.truncate(len);
        self.sums.truncate(len / BLOCK * self.width());
        self.runs.truncate(len);
    }

    /// Makes one row of two old neighbours, so that an eighth of the rows or more go; whether any did.
    pub(super) fn coarsen(&mut self) -> bool {
        let Some(plan) = self.runs.plan(self.len()) else { return false };
        let (len, width) = (self.len(), self.width());
        let ranges: Vec<_> = plan.iter().map(|(range, _)| range.clone()).collect();
        let merged = self.runs.after(&plan, len);
        let kept = memory::merge(&ranges, len, |to, from| {
            self.steps.set(to, self.steps[from.end - 1]);
            self.rows.copy(from.end - 1, to);
        });
        // The ranges are whole blocks.
        let blocks: Vec<_> = ranges.iter().map(|range| range.start / BLOCK..range.end / BLOCK).collect();
        let kept_blocks = memory::merge(&blocks, len / BLOCK, |to, from: Range<usize>| {
            for entry in 0..width {
                let both = from.clone().map(|block| self.sums[block * width + entry]);
                let sum = both.fold((0.0, 0), |(sum, count), (s, c)| (sum + s, count + c));
                self.sums.set(to * width + entry, sum);
            }
        });
        self.steps.truncate(kept);
        self.rows.truncate(kept);
        self.sums.truncate(kept_blocks * width);
        self.runs = merged;
        true
    }

    /// Whether `step` lies among measurements of which only summaries are left.
    pub(super) fn is_summarised_at(&self, step: u64) -> bool {
        let merged = self.runs.merged();
        merged > 0 && step <= self.steps[merged - 1]
    }

    /// Memory that is held, used or not.
    pub(super) fn bytes(&self) -> usize {
        self.steps.bytes() + self.rows.bytes() + self.sums.bytes() + self.runs.bytes()
    }

    /// At most about `columns` points of one entry between two steps (inclusive): the mean of the finite values in each
    /// of equal parts, at the middle of the part; all values where there are few. The second number is the most
    /// measurements behind a point.
    pub fn decimated(&self, entry: usize, first_step: u64, last_step: u64, columns: usize) -> (Vec<[f64; 2]>, usize) {
        let from = self.steps.partition_point(|&s| s < first_step);
        let to = self.steps.partition_point(|&s| s <= last_step);
        if entry >= self.width() {
            return (Vec::new(), 1);
        }
        let parts = memory::parts(&self.steps, from..to, columns.max(1), self.runs.merged());
        let mut most = 1;
        let mut points = Vec::with_capacity(parts.len());
        for Range { start, end } in parts {
            let (sum, count) = self.sum(entry, start, end);
            most = most.max(((end - start) as u64 * self.runs.weight(start)) as usize);
            let middle = (self.steps[start] as f64 + self.steps[end - 1] as f64) / 2.0;
            points.push([middle, if count > 0 { sum / f64::from(count) } else { f64::NAN }]);
        }
        (points, most)
    }

    /// As [`Self::sum`], of the rows themselves.
    fn summed(&self, entry: usize, from: usize, to: usize) -> (f64, u32) {
        let values = (from..to).map(|row| self.row(row)[entry]).filter(|v| v.is_finite());
        values.fold((0.0, 0), |(sum, count), v| (sum + f64::from(v), count + 1))
    }

    /// Sum and number of the finite values of `entry` in rows `from..to`. Of a row that stands for several beside a whole
    /// block, the row itself stands in for them.
    fn sum(&self, entry: usize, from: usize, to: usize) -> (f64, u32) {
        let mut total = (0.0, 0);
        let mut at = from;
        while at < to {
            if at.is_multiple_of(BLOCK)
                && at + BLOCK <= to
                && let Some(&(sum, count)) = self.sums.get(at / BLOCK * self.width() + entry)
            {
                total = (total.0 + sum, total.1 + count);
                at += BLOCK;
                continue;
            }
            let value = self.row(at)[entry];
            if value.is_finite() {
                let weight = if at < self.runs.merged() { self.runs.weight(at) } else { 1 };
                total.0 += f64::from(value) * weight as f64;
                total.1 += weight as u32;
            }
            at += 1;
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_of_parts_are_those_of_a_scan() {
        let mut series = VectorSeries::default();
        let value = |i: usize, entry: usize| if i == 70 { f32::NAN } else { (i * (entry + 1) % 17) as f32 };
        for i in 0..1_000 {
            series.push(i as u64, &[value(i, 0), value(i, 1)]);
        }
        series.truncate(900);
        for i in 900..1_001 {
            series.push(i as u64, &[value(i, 0), value(i, 1)]);
        }
        for columns in [4, 10, 100] {
            let (points, block) = series.decimated(1, 0, 5_000, columns);
            assert!(points.len() <= columns + 1);
            for (k, [_, mean]) in points.iter().enumerate() {
                let part = (k * block..((k + 1) * block).min(1_001)).map(|i| f64::from(value(i, 1)));
                let finite: Vec<_> = part.filter(|v| v.is_finite()).collect();
                assert!((mean - finite.iter().sum::<f64>() / finite.len() as f64).abs() < 1e-9, "part {k}");
            }
        }
        let (all, block) = series.decimated(0, 10, 20, 100);
        assert_eq!((all.len(), block, all[3]), (11, 1, [13.0, 13.0]));
        assert!(series.decimated(2, 0, 10, 100).0.is_empty(), "there is no third entry");
    }

    #[test]
    fn a_summarised_series_has_the_means_of_all_its_rows() {
        let (mut whole, mut summarised) = (VectorSeries::default(), VectorSeries::default());
        let row = |i: u64| [((i * 37) % 101) as f32, if i % 1_000 == 3 { f32::NAN } else { (i as f32 * 1e-3).sin() }];
        let steps = 60_000;
        for i in 0..steps {
            whole.push(i, &row(i));
            summarised.push(i, &row(i));
            if summarised.len() > 8_192 {
                assert!(summarised.coarsen());
            }
        }
        assert!(summarised.bytes() < whole.bytes() / 4);
        for i in 0..summarised.len() {
            let same = whole.row(summarised.steps()[i] as usize).iter().zip(summarised.row(i));
            assert!(same.into_iter().all(|(a, b)| a.to_bits() == b.to_bits()));
        }
        let all = |series: &VectorSeries, entry| series.sum(entry, 0, series.len() / BLOCK * BLOCK);
        let (sum, count) = all(&summarised, 1);
        let counted = (0..steps - (summarised.len() % BLOCK) as u64).filter(|i| i % 1_000 != 3);
        assert_eq!(count as usize, counted.clone().count());
        let known: f64 = counted.map(|i| f64::from(row(i)[1])).sum();
        assert!((sum - known).abs() < 1e-6, "{sum} {known}");
        let (points, most) = summarised.decimated(1, 0, u64::MAX, 50);
        let (known, _) = whole.decimated(1, 0, u64::MAX, 50);
        assert!(most > 1 && points.len() <= 51);
        for [x, y] in points {
            let near = known.iter().min_by(|a, b| (a[0] - x).abs().total_cmp(&(b[0] - x).abs())).unwrap();
            assert!((near[1] - y).abs() < 0.6, "{x}: {y} beside {near:?}");
        }
        let step = summarised.steps()[5];
        let (sum, count) = summarised.sum(0, 0, BLOCK);
        let before = f64::from(summarised.row(5)[0]);
        summarised.push(step, &[1_000.0, 0.0]);
        assert_eq!(summarised.sum(0, 0, BLOCK), (sum - before + 1_000.0, count));
        summarised.truncate(100);
        assert_eq!((summarised.len(), summarised.sums.len()), (100, 2));
    }
}
