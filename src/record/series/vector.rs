//! One row of numbers a step.

/// Rows that one summary holds.
const BLOCK: usize = 64;

/// A fixed number of numbers per step (one per layer), stored flat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorSeries {
    steps: Vec<u64>,
    width: usize,
    values: Vec<f32>,
    /// Sum and number of the finite values of each entry in each run of [`BLOCK`] rows, `[blocks, width]`.
    sums: Vec<(f64, u32)>,
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
        self.width
    }

    pub fn steps(&self) -> &[u64] {
        &self.steps
    }

    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..(index + 1) * self.width]
    }

    pub fn index_at(&self, step: u64) -> Option<usize> {
        self.steps.partition_point(|&s| s <= step).checked_sub(1)
    }

    pub fn latest_at(&self, step: u64) -> Option<(u64, &[f32])> {
        self.index_at(step).map(|i| (self.steps[i], self.row(i)))
    }

    pub(super) fn push(&mut self, step: u64, row: &[f32]) {
        if self.steps.is_empty() {
            self.width = row.len();
        }
        assert_eq!(row.len(), self.width, "a vector series has one width");
        if let Ok(at) = self.steps.binary_search(&step) {
            self.values[at * self.width..(at + 1) * self.width].copy_from_slice(row);
            let from = at / BLOCK * BLOCK;
            if self.sums.len() > from / BLOCK * self.width {
                let block = from / BLOCK * self.width;
                (0..self.width).for_each(|entry| self.sums[block + entry] = self.summed(entry, from, from + BLOCK));
            }
            return;
        }
        self.steps.push(step);
        self.values.extend_from_slice(row);
        if self.len().is_multiple_of(BLOCK) {
            let (from, to) = (self.len() - BLOCK, self.len());
            for entry in 0..self.width {
                self.sums.push(self.summed(entry, from, to));
            }
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.steps.truncate(len);
        self.values.truncate(len * self.width);
        self.sums.truncate(len / BLOCK * self.width);
    }

    /// At most about `columns` points of one entry between two steps (inclusive): the mean of the finite values in each
    /// of equal parts, at the middle of the part; all values where there are few. The second number is the rows behind
    /// a point.
    pub fn decimated(&self, entry: usize, first_step: u64, last_step: u64, columns: usize) -> (Vec<[f64; 2]>, usize) {
        let from = self.steps.partition_point(|&s| s < first_step);
        let to = self.steps.partition_point(|&s| s <= last_step);
        let block = to.saturating_sub(from).div_ceil(columns.max(1)).next_power_of_two();
        if entry >= self.width {
            return (Vec::new(), block);
        }
        let mut points = Vec::with_capacity(to.saturating_sub(from) / block + 2);
        let mut at = from;
        while at < to {
            let end = ((at / block + 1) * block).min(to);
            let (sum, count) = self.sum(entry, at, end);
            let middle = (self.steps[at] as f64 + self.steps[end - 1] as f64) / 2.0;
            points.push([middle, if count > 0 { sum / f64::from(count) } else { f64::NAN }]);
            at = end;
        }
        (points, block)
    }

    /// As [`Self::sum`], of the rows themselves.
    fn summed(&self, entry: usize, from: usize, to: usize) -> (f64, u32) {
        let values = (from..to).map(|row| self.values[row * self.width + entry]).filter(|v| v.is_finite());
        values.fold((0.0, 0), |(sum, count), v| (sum + f64::from(v), count + 1))
    }

    /// Sum and number of the finite values of `entry` in rows `from..to`.
    fn sum(&self, entry: usize, from: usize, to: usize) -> (f64, u32) {
        let mut total = (0.0, 0);
        let mut at = from;
        while at < to {
            if at.is_multiple_of(BLOCK)
                && at + BLOCK <= to
                && let Some(&(sum, count)) = self.sums.get(at / BLOCK * self.width + entry)
            {
                total = (total.0 + sum, total.1 + count);
                at += BLOCK;
                continue;
            }
            let value = self.values[at * self.width + entry];
            if value.is_finite() {
                total.0 += f64::from(value);
                total.1 += 1;
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
}
