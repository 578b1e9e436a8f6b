//! One quantity over the steps of a track.

mod scalar;
mod vector;

pub use scalar::{SMOOTHING, ScalarSeries};
pub use vector::VectorSeries;

use super::reading::Reading;

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
        match self.entries.binary_search_by_key(&step, |(s, _)| *s) {
            Ok(at) => self.entries[at].1 = reading,
            Err(at) => self.entries.insert(at, (step, reading)),
        }
    }

    /// Keeps every second entry of all but the newest quarter; the newest stays.
    pub(in crate::record) fn thin(&mut self) {
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

pub(in crate::record) fn reading_bytes(reading: &Reading) -> usize {
    64 + match reading {
        Reading::Scalar(_) => 16,
        Reading::Estimate(_) => 128,
        Reading::Vector(values) => 4 * values.len(),
        Reading::Matrix(matrix) => 4 * matrix.values.len(),
        Reading::Density(density) => 4 * density.counts.len() + 48,
        Reading::Surface(surface) => 9 * surface.loss.len() + 24 * surface.path.len() + 128,
        Reading::Spectrum(spectrum) => {
            16 * spectrum.ritz.len() + 24 * (spectrum.top.len() + spectrum.bottom.len()) + 256
        }
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
    pub(in crate::record) fn for_reading(reading: &Reading) -> Self {
        match reading {
            Reading::Scalar(_) | Reading::Estimate(_) => Self::Scalar(ScalarSeries::default()),
            Reading::Vector(_) => Self::Vector(VectorSeries::default()),
            Reading::Matrix(_) | Reading::Density(_) | Reading::Surface(_) | Reading::Spectrum(_) => {
                Self::Heavy(HeavySeries::default())
            }
        }
    }

    /// Whether `reading` is of this series' kind (and width), and later than all entries or in the place of one.
    pub(in crate::record) fn accepts(&self, step: u64, reading: &Reading) -> bool {
        let in_order = self.last_step().is_none_or(|last| step >= last);
        (in_order || self.has(step))
            && match (self, reading) {
                (Self::Scalar(series), Reading::Scalar(_)) => !series.has_estimates(),
                (Self::Scalar(series), Reading::Estimate(_)) => series.is_empty() || series.has_estimates(),
                (Self::Vector(series), Reading::Vector(row)) => series.is_empty() || row.len() == series.width(),
                (
                    Self::Heavy(_),
                    Reading::Matrix(_) | Reading::Density(_) | Reading::Surface(_) | Reading::Spectrum(_),
                ) => true,
                _ => false,
            }
    }

    pub(in crate::record) fn push(&mut self, step: u64, reading: &Reading) {
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

    /// Visits all readings in the order of their steps.
    ///
    /// # Errors
    /// The first that `visit` returns.
    pub(in crate::record) fn for_each<E>(&self, mut visit: impl FnMut(u64, Reading) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Scalar(scalars) => {
                scalars.steps().iter().zip(scalars.values()).enumerate().try_for_each(|(i, (&step, &value))| {
                    let estimate = scalars.estimates().get(i).cloned();
                    visit(step, estimate.map_or(Reading::Scalar(value), Reading::Estimate))
                })
            }
            Self::Vector(vectors) => {
                let rows = vectors.steps().iter().enumerate();
                rows.map(|(i, &step)| (step, vectors.row(i).to_vec()))
                    .try_for_each(|(step, row)| visit(step, Reading::Vector(row)))
            }
            Self::Heavy(heavy) => heavy.entries.iter().try_for_each(|(step, reading)| visit(*step, reading.clone())),
        }
    }

    /// Forgets everything.
    pub(in crate::record) fn clear(&mut self) {
        match self {
            Self::Scalar(series) => series.truncate(0),
            Self::Vector(series) => series.truncate(0),
            Self::Heavy(series) => series.entries.clear(),
        }
    }

    /// Forgets everything after `step`.
    pub(in crate::record) fn truncate_after(&mut self, step: u64) {
        match self {
            Self::Scalar(series) => series.truncate(series.index_at(step).map_or(0, |i| i + 1)),
            Self::Vector(series) => series.truncate(series.index_at(step).map_or(0, |i| i + 1)),
            Self::Heavy(series) => series.entries.truncate(series.entries.partition_point(|(s, _)| *s <= step)),
        }
    }

    fn has(&self, step: u64) -> bool {
        match self {
            Self::Scalar(series) => series.steps().binary_search(&step).is_ok(),
            Self::Vector(series) => series.steps().binary_search(&step).is_ok(),
            // Thinned, it may have lost the entry that is measured again.
            Self::Heavy(series) => !series.is_empty(),
        }
    }

    pub fn last_step(&self) -> Option<u64> {
        match self {
            Self::Scalar(series) => series.steps().last().copied(),
            Self::Vector(series) => series.steps().last().copied(),
            Self::Heavy(series) => series.entries.last().map(|(step, _)| *step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replacing entries anywhere leaves what pushing the final ones would have made, summaries included.
    #[test]
    fn refined_readings_take_the_place_of_earlier_ones() {
        let first = |i: u64| if i == 9 { f64::NAN } else { (i * 7 % 31) as f64 };
        let then = |i: u64| (i * 5 % 17) as f64 - 3.0;
        let of: [fn(f64) -> Reading; 3] = [
            Reading::Scalar,
            |v| Reading::Vector(vec![v as f32, 1.0]),
            |v| {
                Reading::Matrix(std::sync::Arc::new(crate::record::Matrix {
                    rows: 1,
                    columns: 1,
                    values: vec![v as f32],
                }))
            },
        ];
        for reading in of {
            let mut refined = Series::for_reading(&reading(0.0));
            let mut direct = refined.clone();
            for i in 0..200 {
                refined.push(3 * i, &reading(first(i)));
                direct.push(3 * i, &reading(if i % 3 == 0 { then(i) } else { first(i) }));
            }
            for i in (0..200).filter(|i| i % 3 == 0) {
                assert!(refined.accepts(3 * i, &reading(0.0)));
                refined.push(3 * i, &reading(then(i)));
            }
            // Equal but for NaN, which isn't equal to itself: here there is none.
            assert_eq!(refined, direct);
            if let Series::Scalar(series) = &refined {
                assert_eq!(series.extremes(0, 200), direct_extremes(series));
                assert!(!refined.accepts(4, &reading(0.0)), "an earlier step that isn't there");
            }
        }
    }

    fn direct_extremes(series: &ScalarSeries) -> [f64; 2] {
        let values = series.values().iter().copied();
        values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
    }
}
