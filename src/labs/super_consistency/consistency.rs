//! How far networks of different sizes are from the largest one, and how that falls with the size.

use crate::base::statistics::mean;
use crate::record::{Reading, SeriesId, TrackId};
use crate::run::bench::{Bench, Halt};
use crate::theory::power_law::PowerLaw;

use super::row::Row;

/// What is compared, as the series are called.
pub const QUANTITIES: [&str; 3] = ["sharpness", "loss", "kernel"];

/// A quantity at a moment, at all sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Sizes that are compared with the reference.
    pub sizes: Vec<f64>,
    /// `|value / reference - 1|` of each.
    pub distances: Vec<f64>,
    /// Their power law in the size; none with fewer than three that differ from the reference.
    pub law: Option<PowerLaw>,
}

impl Comparison {
    /// Of (size, value) pairs with `reference`, the value at infinite size, or the last pair's without. `None` if fewer than two sizes are left, or a
    /// number isn't finite.
    pub fn of(values: &[[f64; 2]], reference: Option<f64>) -> Option<Self> {
        let (compared, reference) = match reference {
            Some(reference) => (values, reference),
            None => values.split_last().map(|(last, rest)| (rest, last[1]))?,
        };
        let distances: Vec<f64> = compared.iter().map(|[_, value]| (value / reference - 1.0).abs()).collect();
        if compared.len() < 2 || distances.iter().any(|distance| !distance.is_finite()) {
            return None;
        }
        let sizes: Vec<f64> = compared.iter().map(|[size, _]| *size).collect();
        let law = PowerLaw::fit(sizes.iter().zip(&distances).map(|(size, distance)| [*size, *distance]));
        Some(Self { sizes, distances, law })
    }

    /// Root mean square of the distances.
    pub fn spread(&self) -> f64 {
        let squares: Vec<f64> = self.distances.iter().map(|distance| distance * distance).collect();
        mean(&squares).map_or(f64::NAN, f64::sqrt)
    }

    fn readings(&self) -> Vec<(SeriesId, Reading)> {
        let narrow = |values: &[f64]| Reading::Vector(values.iter().map(|value| *value as f32).collect());
        let named = |what: &'static str, reading| (SeriesId::owned(what), reading);
        let mut readings = vec![
            named("sizes", narrow(&self.sizes)),
            named("distance", narrow(&self.distances)),
            named("spread", Reading::Scalar(self.spread())),
        ];
        if let Some(law) = &self.law {
            let line: Vec<f64> = self.sizes.iter().map(|size| law.at(*size)).collect();
            readings.push(named("fit", narrow(&line)));
            readings.push(named("exponent", Reading::Scalar(law.exponent)));
            readings.push(named("exponent-error", Reading::Scalar(law.exponent_error)));
        }
        readings
    }
}

/// The values of a quantity: (size, value) pairs, and the value at infinite size where it is known.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    pub values: Vec<[f64; 2]>,
    pub limit: Option<f64>,
}

/// The tracks of a row's comparisons, one for each of [`QUANTITIES`].
pub struct Compared {
    tracks: [TrackId; 3],
    /// Sizes that are compared; with one missing, as a run that diverged is, there is no comparison.
    sizes: usize,
    /// Whether it is the value at infinite size that they are compared with.
    with_limit: bool,
}

impl Compared {
    /// # Errors
    /// [`Halt`] if the protocol is to begin anew or to end.
    pub fn begin(bench: &mut Bench<'_>, row: &Row, sizes: usize, with_limit: bool) -> Result<Self, Halt> {
        let mut track = |quantity: &str| {
            let parametrization = row.parametrization.as_str();
            let attributes = [
                ("place", row.place),
                ("parametrization", parametrization),
                ("kind", "comparison"),
                ("quantity", quantity),
            ];
            bench.track(quantity, &attributes)
        };
        let tracks = [track(QUANTITIES[0])?, track(QUANTITIES[1])?, track(QUANTITIES[2])?];
        Ok(Self { tracks, sizes, with_limit })
    }

    /// That of the sharpness.
    pub fn sharpness(&self) -> TrackId {
        self.tracks[0]
    }

    /// Records the comparison of each quantity that has been measured.
    ///
    /// # Errors
    /// [`Halt`] if the protocol is to begin anew or to end.
    pub fn record(&self, bench: &mut Bench<'_>, step: u64, measured: &[Measured]) -> Result<(), Halt> {
        let complete =
            |measured: &&Measured| measured.values.len() == self.sizes && measured.limit.is_some() == self.with_limit;
        for (track, measured) in self.tracks.iter().zip(measured).filter(|(_, measured)| complete(measured)) {
            if let Some(comparison) = Comparison::of(&measured.values, measured.limit) {
                bench.record(*track, step, comparison.readings())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_relative_to_the_largest_or_to_the_limit() {
        let values = [16.0, 64.0, 256.0, 1024.0].map(|n: f64| [n, 2.0 * (1.0 + 3.0 / n.sqrt())]);
        let limit = Comparison::of(&values, Some(2.0)).unwrap();
        let law = limit.law.unwrap();
        assert!((law.exponent + 0.5).abs() < 1e-12 && (law.factor - 3.0).abs() < 1e-11 && limit.sizes.len() == 4);
        let largest = Comparison::of(&values, None).unwrap();
        assert!(largest.sizes == [16.0, 64.0, 256.0] && largest.law.unwrap().exponent < -0.5);
        let by_hand = (1.0_f64 + 0.75) / (1.0 + 3.0 / 32.0) - 1.0;
        assert!((largest.distances[0] - by_hand).abs() < 1e-14);
        let two = Comparison::of(&values[..3], None).unwrap();
        assert!(two.law.is_none() && two.spread() > two.distances[1]);
        assert!(Comparison::of(&values[..2], None).is_none());
        assert!(Comparison::of(&[[1.0, f64::NAN], [2.0, 1.0], [4.0, 1.0]], None).is_none());
    }
}
