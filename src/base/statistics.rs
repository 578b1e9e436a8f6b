//! Small descriptive statistics on slices.

/// Median of the finite values; `None` if there is none.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// Quantile of the finite values by linear interpolation between order statistics
/// (Hyndman and Fan's type 7); `None` if no value is finite. `q` in [0, 1].
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let position = q.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (position - below as f64) * (sorted[above] - sorted[below]))
}

/// Mean of all values; `None` without any, or if one isn't finite.
pub fn mean(values: &[f64]) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    mean.is_finite().then_some(mean)
}

/// Standard error of the mean, `sqrt(sum (x - mean)^2/(n (n - 1)))`; `None` with fewer than two values, or if one isn't
/// finite.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let n = values.len() as f64;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (n * (n - 1.0))).sqrt())
}

/// Smallest and largest finite value; `None` if no value is finite.
pub fn finite_range(values: impl IntoIterator<Item = f32>) -> Option<[f32; 2]> {
    values.into_iter().filter(|v| v.is_finite()).fold(None, |range, v| match range {
        None => Some([v, v]),
        Some([low, high]) => Some([low.min(v), high.max(v)]),
    })
}

/// A straight line through points, with the standard error of its slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineFit {
    pub slope: f64,
    pub intercept: f64,
    /// `sqrt(S/(n - 2) / sum (x - mean x)^2)` with S the sum of squared residuals.
    pub slope_error: f64,
    /// Points n.
    pub points: usize,
}

/// Ordinary least squares of `y = intercept + slope x` through the points `[x, y]` that are finite. `None` with fewer
/// than three of them, or if all have one x: then there is no slope, or no error of it.
///
/// The error supposes independent residuals of one variance around a straight line; a bend counts as noise and makes it
/// larger.
pub fn least_squares(points: impl IntoIterator<Item = [f64; 2]>) -> Option<LineFit> {
    let points: Vec<[f64; 2]> = points.into_iter().filter(|[x, y]| x.is_finite() && y.is_finite()).collect();
    if points.len() < 3 {
        return None;
    }
    let n = points.len() as f64;
    let mean = |axis: usize| points.iter().map(|p| p[axis]).sum::<f64>() / n;
    let (mean_x, mean_y) = (mean(0), mean(1));
    let xx: f64 = points.iter().map(|[x, _]| (x - mean_x).powi(2)).sum();
    if xx == 0.0 {
        return None;
    }
    let slope = points.iter().map(|[x, y]| (x - mean_x) * (y - mean_y)).sum::<f64>() / xx;
    let intercept = mean_y - slope * mean_x;
    let residuals: f64 = points.iter().map(|[x, y]| (y - intercept - slope * x).powi(2)).sum();
    Some(LineFit { slope, intercept, slope_error: (residuals / (n - 2.0) / xx).sqrt(), points: points.len() })
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};

    use super::*;

    /// By hand: x = 0, 1, 2, y = 0, 1, 5: slope 5/2, residuals 1/2, -1, 1/2, error sqrt((3/2)/1/2).
    #[test]
    fn a_line_through_three_points_is_the_one_by_hand() {
        let fit =
            least_squares([[0.0, 0.0], [1.0, 1.0], [2.0, 5.0], [f64::NAN, 1.0], [1.0, f64::NEG_INFINITY]]).unwrap();
        assert_eq!((fit.slope, fit.intercept, fit.points), (2.5, -0.5, 3));
        assert!((fit.slope_error - 0.75_f64.sqrt()).abs() < 1e-15);
        assert_eq!(least_squares([[0.0, 1.0], [1.0, 2.0]]), None);
        assert_eq!(least_squares([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]]), None);
    }

    /// With 10 points and 8 degrees of freedom the true slope lies within two errors in 91.9 % of draws (Student's t).
    #[test]
    fn two_errors_cover_the_true_slope_as_often_as_students_t_says() {
        let trials = 4_000;
        let mut stream = Streams::new(3).stream("noise");
        let covered = (0..trials).filter(|_| {
            let noise = normals(&mut stream, 10);
            let fit =
                least_squares(noise.iter().enumerate().map(|(i, z)| [i as f64, 1.0 - 0.3 * i as f64 + z])).unwrap();
            (fit.slope + 0.3).abs() < 2.0 * fit.slope_error
        });
        let share = covered.count() as f64 / f64::from(trials);
        // Four standard errors of a share.
        assert!((share - 0.919).abs() < 0.018, "{share}");
    }

    #[test]
    fn quantiles_interpolate_and_ignore_what_is_not_finite() {
        assert_eq!(median(&[3.0, 1.0, f64::NAN, 2.0, 4.0]), Some(2.5));
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 1.0), Some(3.0));
        assert_eq!(median(&[f64::INFINITY]), None);
    }

    #[test]
    fn range_ignores_what_is_not_finite() {
        assert_eq!(finite_range([f32::NAN, 2.0, -1.0, f32::INFINITY]), Some([-1.0, 2.0]));
        assert_eq!(finite_range([f32::NAN]), None);
    }
}
