//! One quantity over the steps of a track.

use super::reading::{Estimate, Reading};

/// Number of children that one entry of a pyramid level summarises.
const FAN: usize = 8;

/// Numbers over steps, with the extremes of every aligned run of 8, 64, 512, ... of them, so that a curve of
/// any length is drawn from a few hundred entries without losing a spike.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScalarSeries {
    steps: Vec<u64>,
    values: Vec<f64>,
    /// Empty, or one entry a value (curvature estimates).
    estimates: Vec<Estimate>,
    levels: Vec<Vec<[f64; 2]>>,
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

    /// Index of the last entry at or before `step`.
    pub fn index_at(&self, step: u64) -> Option<usize> {
        self.steps.partition_point(|&s| s <= step).checked_sub(1)
    }

    /// The last value at or before `step`, with its own step.
    pub fn latest_at(&self, step: u64) -> Option<(u64, f64)> {
        self.index_at(step).map(|i| (self.steps[i], self.values[i]))
    }

    /// The estimate behind the last value at or before `step`.
    pub fn estimate_at(&self, step: u64) -> Option<(u64, &Estimate)> {
        let i = self.index_at(step)?;
        Some((self.steps[i], self.estimates.get(i)?))
    }

    fn push(&mut self, step: u64, value: f64, estimate: Option<Estimate>) {
        if self.steps.last() == Some(&step) {
            self.truncate(self.len() - 1);
        }
        self.steps.push(step);
        self.values.push(value);
        self.estimates.extend(estimate);
        self.summarise_last();
    }

    /// Forgets the entries from index `len` on.
    fn truncate(&mut self, len: usize) {
        self.steps.truncate(len);
        self.values.truncate(len);
        self.estimates.truncate(len);
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
        let from = self.steps.partition_point(|&s| s < first_step);
        let to = self.steps.partition_point(|&s| s <= last_step);
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
}

fn extremes(ranges: impl IntoIterator<Item = [f64; 2]>) -> [f64; 2] {
    // f64::min and max ignore NaN; infinities are mapped to NaN first so that one spike can't hide a curve.
    let finite = |v: f64| if v.is_finite() { v } else { f64::NAN };
    ranges.into_iter().fold([f64::NAN; 2], |[low, high], [a, b]| [low.min(finite(a)), high.max(finite(b))])
}

/// A fixed number of numbers per step (one per layer), stored flat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorSeries {
    steps: Vec<u64>,
    width: usize,
    values: Vec<f32>,
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

    fn push(&mut self, step: u64, row: &[f32]) {
        if self.steps.is_empty() {
            self.width = row.len();
        }
        assert_eq!(row.len(), self.width, "a vector series has one width");
        if self.steps.last() == Some(&step) {
            self.truncate(self.len() - 1);
        }
        self.steps.push(step);
        self.values.extend_from_slice(row);
    }

    fn truncate(&mut self, len: usize) {
        self.steps.truncate(len);
        self.values.truncate(len * self.width);
    }
}

/// Readings of many kilobytes each; the recording's budget thins them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeavySeries {
    entries: Vec<(u64, Reading)>,
}

impl HeavySeries {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn entries(&self) -> &[(u64, Reading)] {
        &self.entries
    }

    pub fn latest_at(&self, step: u64) -> Option<(u64, &Reading)> {
        let i = self.entries.partition_point(|(s, _)| *s <= step).checked_sub(1)?;
        Some((self.entries[i].0, &self.entries[i].1))
    }

    fn push(&mut self, step: u64, reading: Reading) {
        if self.entries.last().is_some_and(|(s, _)| *s == step) {
            self.entries.pop();
        }
        self.entries.push((step, reading));
    }

    /// Keeps every second entry of all but the newest quarter; the newest stays.
    pub(super) fn thin(&mut self) {
        let old = self.entries.len() * 3 / 4;
        let mut index = 0;
        self.entries.retain(|_| {
            index += 1;
            index > old || index % 2 == 1
        });
    }

    pub fn bytes(&self) -> usize {
        self.entries.iter().map(|(_, reading)| reading_bytes(reading)).sum()
    }
}

pub(super) fn reading_bytes(reading: &Reading) -> usize {
    64 + match reading {
        Reading::Scalar(_) => 16,
        Reading::Estimate(_) => 128,
        Reading::Vector(values) => 4 * values.len(),
        Reading::Matrix(matrix) => 4 * matrix.values.len(),
        Reading::Density(density) => 4 * density.counts.len() + 48,
        Reading::Surface(surface) => 9 * surface.loss.len() + 24 * surface.path.len() + 128,
    }
}

/// All values of one quantity of one track.
#[derive(Clone, Debug, PartialEq)]
pub enum Series {
    Scalar(ScalarSeries),
    Vector(VectorSeries),
    Heavy(HeavySeries),
}

impl Series {
    pub(super) fn for_reading(reading: &Reading) -> Self {
        match reading {
            Reading::Scalar(_) | Reading::Estimate(_) => Self::Scalar(ScalarSeries::default()),
            Reading::Vector(_) => Self::Vector(VectorSeries::default()),
            Reading::Matrix(_) | Reading::Density(_) | Reading::Surface(_) => Self::Heavy(HeavySeries::default()),
        }
    }

    /// Whether `reading` is of this series' kind (and width) and not earlier than its last entry.
    pub(super) fn accepts(&self, step: u64, reading: &Reading) -> bool {
        let in_order = self.last_step().is_none_or(|last| step >= last);
        in_order
            && match (self, reading) {
                (Self::Scalar(series), Reading::Scalar(_)) => series.estimates.is_empty(),
                (Self::Scalar(series), Reading::Estimate(_)) => series.estimates.len() == series.values.len(),
                (Self::Vector(series), Reading::Vector(row)) => series.is_empty() || row.len() == series.width,
                (Self::Heavy(_), Reading::Matrix(_) | Reading::Density(_) | Reading::Surface(_)) => true,
                _ => false,
            }
    }

    pub(super) fn push(&mut self, step: u64, reading: &Reading) {
        match (self, reading) {
            (Self::Scalar(series), Reading::Scalar(value)) => series.push(step, *value, None),
            (Self::Scalar(series), Reading::Estimate(estimate)) => {
                series.push(step, estimate.value, Some(estimate.clone()))
            }
            (Self::Vector(series), Reading::Vector(row)) => series.push(step, row),
            (Self::Heavy(series), reading) => series.push(step, reading.clone()),
            (Self::Scalar(_) | Self::Vector(_), _) => unreachable!("`accepts` was asked first"),
        }
    }

    /// Forgets everything after `step`.
    pub(super) fn truncate_after(&mut self, step: u64) {
        match self {
            Self::Scalar(series) => series.truncate(series.steps.partition_point(|&s| s <= step)),
            Self::Vector(series) => series.truncate(series.steps.partition_point(|&s| s <= step)),
            Self::Heavy(series) => series.entries.truncate(series.entries.partition_point(|(s, _)| *s <= step)),
        }
    }

    pub fn last_step(&self) -> Option<u64> {
        match self {
            Self::Scalar(series) => series.steps.last().copied(),
            Self::Vector(series) => series.steps.last().copied(),
            Self::Heavy(series) => series.entries.last().map(|(step, _)| *step),
        }
    }
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
}
