//! Outlier features, seen from a single input.

/// Max-median ratio of activations `[n, width]`, row-major: the mean over rows of `max_j |X_aj| / median_j |X_aj|` (He
/// et al. 2024, Eq. 2). The median of an even number of neurons is the mean of the two in the middle.
///
/// Within a row, not over the neurons' RMS. At least 1; infinite where half of a row's neurons or more are zero (ReLU).
/// NaN without rows, and where a row is all zero or not finite.
pub fn max_median_ratio<T: Copy + Into<f64>>(values: &[T], width: usize) -> f64 {
    let rows = values.chunks_exact(width.max(1));
    let n = rows.len() as f64;
    let mut sizes = vec![0.0; width];
    rows.map(|row| {
        for (size, &x) in sizes.iter_mut().zip(row) {
            *size = x.into().abs();
        }
        ratio(&mut sizes)
    })
    .sum::<f64>()
        / n
}

fn ratio(sizes: &mut [f64]) -> f64 {
    if sizes.iter().any(|x| !x.is_finite()) {
        return f64::NAN;
    }
    let middle = sizes.len() / 2;
    let (below, &mut upper, above) = sizes.select_nth_unstable_by(middle, f64::total_cmp);
    let largest = above.iter().copied().fold(upper, f64::max);
    let lower = below.iter().copied().fold(0.0, f64::max);
    let median = if below.len() > above.len() { f64::midpoint(lower, upper) } else { upper };
    largest / median
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};
    use crate::base::statistics::median;

    use super::*;

    #[test]
    fn agrees_with_the_slow_twin_for_odd_and_even_widths() {
        for width in [1, 2, 3, 8, 9] {
            let values = normals(&mut Streams::new(5).stream("x"), 20 * width);
            let slow = values.chunks(width).map(|row| {
                let sizes: Vec<f64> = row.iter().map(|x| x.abs()).collect();
                sizes.iter().copied().fold(0.0, f64::max) / median(&sizes).unwrap()
            });
            let slow = slow.sum::<f64>() / 20.0;
            let found = max_median_ratio(&values, width);
            assert!((found - slow).abs() < 1e-12 * slow, "{width}: {found} {slow}");
        }
    }

    #[test]
    fn an_outlier_in_equal_neurons_is_the_ratio_and_signs_and_scales_are_nothing() {
        let row = [1.0, -1.0, 1.0, -7.0, 1.0];
        let scaled = row.map(|x| -30.0 * x);
        let values: Vec<f64> = row.into_iter().chain(scaled).collect();
        assert!((max_median_ratio(&values, 5) - 7.0).abs() < 1e-14);
        assert_eq!(max_median_ratio(&[2.0_f32, -2.0, 2.0], 3), 1.0);
    }

    #[test]
    fn rows_without_a_middle_have_no_finite_ratio() {
        assert_eq!(max_median_ratio(&[0.0, 0.0, 1.0], 3), f64::INFINITY);
        assert!(max_median_ratio(&[0.0; 3], 3).is_nan());
        assert!(max_median_ratio(&[1.0, f64::NAN, 2.0], 3).is_nan());
        assert!(max_median_ratio::<f64>(&[], 3).is_nan());
        assert!(max_median_ratio::<f64>(&[], 0).is_nan());
    }
}
