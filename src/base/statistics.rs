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

/// Smallest and largest finite value; `None` if no value is finite.
pub fn finite_range(values: impl IntoIterator<Item = f32>) -> Option<[f32; 2]> {
    values.into_iter().filter(|v| v.is_finite()).fold(None, |range, v| match range {
        None => Some([v, v]),
        Some([low, high]) => Some([low.min(v), high.max(v)]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
