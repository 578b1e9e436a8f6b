//! One quantity over the steps of a track.

mod average;
mod column;
mod heavy;
mod memory;
mod rows;
mod runs;
mod scalar;
mod vector;

pub use average::Average;
pub use column::Column;
pub use heavy::{HeavySeries, Place};
pub use scalar::{SMOOTHING, ScalarSeries};
pub use vector::VectorSeries;

use super::reading::Reading;

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
            Self::Heavy(heavy) => heavy.entries().iter().try_for_each(|(step, reading)| visit(*step, reading.clone())),
        }
    }

    /// Forgets everything.
    pub(in crate::record) fn clear(&mut self) {
        match self {
            Self::Scalar(series) => series.truncate(0),
            Self::Vector(series) => series.truncate(0),
            Self::Heavy(series) => *series = HeavySeries::default(),
        }
    }

    /// Forgets everything after `step`.
    pub(in crate::record) fn truncate_after(&mut self, step: u64) {
        match self {
            Self::Scalar(series) => series.truncate(series.index_at(step).map_or(0, |i| i + 1)),
            Self::Vector(series) => series.truncate(series.index_at(step).map_or(0, |i| i + 1)),
            Self::Heavy(series) => series.truncate_after(step),
        }
    }

    /// Gives up detail of what is old for memory; whether any was left to give up.
    pub(in crate::record) fn coarsen(&mut self) -> bool {
        match self {
            Self::Scalar(series) => series.coarsen(),
            Self::Vector(series) => series.coarsen(),
            Self::Heavy(series) => series.thin(),
        }
    }

    /// Memory that is held, used or not.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Scalar(series) => series.bytes(),
            Self::Vector(series) => series.bytes(),
            Self::Heavy(series) => series.bytes(),
        }
    }

    /// The most measurements that one entry stands for: 1 where all are kept.
    pub fn coarseness(&self) -> u64 {
        match self {
            Self::Scalar(series) => series.coarseness(),
            Self::Vector(series) => series.coarseness(),
            Self::Heavy(series) => 1 << series.times_thinned(),
        }
    }

    fn has(&self, step: u64) -> bool {
        match self {
            Self::Scalar(series) => {
                // In a summary it may be one of the measurements that are no entry any more.
                series.index_at(step).is_some_and(|at| series.steps()[at] == step) || series.is_summarised_at(step)
            }
            Self::Vector(series) => {
                series.index_at(step).is_some_and(|at| series.steps()[at] == step) || series.is_summarised_at(step)
            }
            // Thinned, it may have lost the entry that is measured again.
            Self::Heavy(series) => !series.is_empty(),
        }
    }

    pub fn last_step(&self) -> Option<u64> {
        match self {
            Self::Scalar(series) => series.steps().last().copied(),
            Self::Vector(series) => series.steps().last().copied(),
            Self::Heavy(series) => series.entries().last().map(|(step, _)| *step),
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
