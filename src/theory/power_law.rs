//! Power laws `y = a t^b` through measured points.

use crate::base::statistics::least_squares;

/// A power law, and how sure its exponent is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerLaw {
    /// The factor a: y at t = 1.
    pub factor: f64,
    /// The exponent b.
    pub exponent: f64,
    /// Standard error of b, from the scatter about the line.
    pub exponent_error: f64,
    /// Points behind it.
    pub points: usize,
}

impl PowerLaw {
    /// Least squares of `log y = log a + b log t` through the points `[t, y]` whose numbers are positive and finite. `None` with
    /// fewer than three of them, or if all have one t: from two points any exponent follows, with no error.
    pub fn fit(points: impl IntoIterator<Item = [f64; 2]>) -> Option<Self> {
        // Logarithms of what isn't positive aren't finite, and `least_squares` leaves those out.
        let line = least_squares(points.into_iter().map(|[t, y]| [t.ln(), y.ln()]))?;
        Some(Self {
            factor: line.intercept.exp(),
            exponent: line.slope,
            exponent_error: line.slope_error,
            points: line.points,
        })
    }

    pub fn at(&self, t: f64) -> f64 {
        self.factor * t.powf(self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Streams, normals};

    #[test]
    fn a_power_law_is_found_exactly_and_what_has_no_logarithm_is_left_out() {
        let points = [8.0, 32.0, 128.0, 512.0].map(|t: f64| [t, 3.0 * t.powf(-0.5)]);
        let bad = [[4.0, 0.0], [4.0, -1.0], [0.0, 1.0], [f64::NAN, 1.0], [4.0, f64::INFINITY]];
        let fit = PowerLaw::fit(points.into_iter().chain(bad)).unwrap();
        assert!((fit.factor - 3.0).abs() < 1e-13 && (fit.exponent + 0.5).abs() < 1e-14 && fit.points == 4, "{fit:?}");
        assert!(fit.exponent_error < 1e-13);
        assert!((fit.at(2.0) - 3.0 / 2.0_f64.sqrt()).abs() < 1e-13);
        assert_eq!(PowerLaw::fit([[1.0, 1.0], [2.0, 2.0]]), None);
        assert_eq!(PowerLaw::fit([[2.0, 1.0], [2.0, 2.0], [2.0, 3.0]]), None);
    }

    /// The mean of n normals is n^-1/2 away from its limit: the exponent of the root mean square over many draws is -1/2.
    #[test]
    fn means_converge_with_the_exponent_of_the_central_limit_theorem() {
        let mut stream = Streams::new(1).stream("means");
        let points = [4_usize, 16, 64, 256].map(|n| {
            let draws = 400;
            let squares = (0..draws).map(|_| (normals(&mut stream, n).iter().sum::<f64>() / n as f64).powi(2));
            [n as f64, (squares.sum::<f64>() / f64::from(draws)).sqrt()]
        });
        let fit = PowerLaw::fit(points).unwrap();
        // Four standard errors of the slope, each point known to 1/sqrt(800) in its logarithm.
        assert!((fit.exponent + 0.5).abs() < 0.046, "{fit:?}");
    }
}
