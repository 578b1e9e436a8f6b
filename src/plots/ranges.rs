//! Ranges of values that one outlier can't flatten.

use crate::base::statistics::quantile;

/// The range that a colour or height scale should span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fitted {
    pub range: [f32; 2],
    /// Share of the finite values that lie above the range and are drawn at its upper end.
    pub clipped: f64,
}

/// From the smallest finite value to the largest that isn't an outlier upwards: one beyond the upper quartile by more
/// than three times the distance between the quartiles (Tukey's outer fence), in logarithms if `log`. `None` without
/// finite (and, if `log`, positive) values.
pub fn without_high_outliers(values: &[f32], log: bool) -> Option<Fitted> {
    let scale = |v: f32| if log { f64::from(v).ln() } else { f64::from(v) };
    let kept: Vec<f32> = values.iter().copied().filter(|v| v.is_finite() && (!log || *v > 0.0)).collect();
    let scaled: Vec<f64> = kept.iter().map(|&v| scale(v)).collect();
    let (q1, q3) = (quantile(&scaled, 0.25)?, quantile(&scaled, 0.75)?);
    let fence = q3 + 3.0 * (q3 - q1);
    let (mut low, mut high, mut beyond) = (f32::INFINITY, f32::NEG_INFINITY, 0_usize);
    for (&value, &scaled) in kept.iter().zip(&scaled) {
        low = low.min(value);
        if scaled <= fence {
            high = high.max(value);
        } else {
            beyond += 1;
        }
    }
    Some(Fitted { range: [low, high], clipped: beyond as f64 / kept.len() as f64 })
}

/// Below this what lies about zero is taken for rounding, not for a shape.
const NOTHING: f64 = 1e-6;

/// The range in which nothing but rounding about zero is drawn as the zero that it is.
pub fn about_zero([low, high]: [f64; 2]) -> Option<[f64; 2]> {
    (low <= 0.0 && high >= 0.0 && high - low < NOTHING).then_some([-0.01, 0.01])
}

/// `count` values that part the range evenly (in logarithms if `log`), without its ends.
pub fn levels([low, high]: [f32; 2], log: bool, count: usize) -> Vec<f32> {
    if high <= low || (log && low <= 0.0) {
        return Vec::new();
    }
    let at = |t: f32| if log { (low.ln() + t * (high.ln() - low.ln())).exp() } else { low + t * (high - low) };
    (1..=count).map(|k| at(k as f32 / (count + 1) as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bowl_is_shown_whole_and_an_exploding_corner_is_cut() {
        let bowl: Vec<f32> =
            (0..33 * 33).map(|k| ((k % 33) as f32 - 16.0).powi(2) + ((k / 33) as f32 - 16.0).powi(2)).collect();
        let whole = without_high_outliers(&bowl, false).unwrap();
        assert_eq!(whole, Fitted { range: [0.0, 512.0], clipped: 0.0 });
        let mut exploding = bowl.clone();
        exploding[0] = 1e9;
        exploding[1] = f32::INFINITY;
        exploding[2] = f32::NAN;
        let cut = without_high_outliers(&exploding, false).unwrap();
        assert!(cut.range[1] <= 512.0 && cut.clipped > 0.0 && cut.clipped < 1e-3, "{cut:?}");
    }

    #[test]
    fn logarithms_ignore_what_has_none() {
        let fitted = without_high_outliers(&[-1.0, 0.0, 1.0, 10.0, 100.0, 1_000.0], true).unwrap();
        assert_eq!(fitted.range, [1.0, 1_000.0]);
        assert_eq!(without_high_outliers(&[f32::NAN, f32::INFINITY], false), None);
        assert_eq!(without_high_outliers(&[0.0], true), None);
        assert_eq!(without_high_outliers(&[2.0], false).unwrap().range, [2.0, 2.0]);
    }

    #[test]
    fn rounding_about_zero_is_no_shape() {
        for range in [[0.0, 0.0], [-3e-8, 2e-7]] {
            assert_eq!(about_zero(range), Some([-0.01, 0.01]));
        }
        for range in [[1e-9, 2e-9], [0.0, 1e-5], [-1.0, 1.0]] {
            assert_eq!(about_zero(range), None, "{range:?}");
        }
    }

    #[test]
    fn levels_part_the_range_evenly() {
        assert_eq!(levels([0.0, 4.0], false, 3), [1.0, 2.0, 3.0]);
        let log = levels([1.0, 1e4], true, 3);
        assert!(log.iter().zip([10.0, 100.0, 1_000.0]).all(|(a, b)| (a / b - 1.0).abs() < 1e-4), "{log:?}");
        assert!(levels([1.0, 1.0], false, 3).is_empty());
        assert!(levels([0.0, 1.0], true, 3).is_empty());
    }
}
