//! Histograms on other bins than they were counted on.

use crate::record::Density;

/// Share of the values of `density` in each of `bins` equal bins of `[low, high]`: each counted bin is spread evenly
/// over its width. The shares sum to 1 less what lies outside the range (the counted tails `below` and `above`
/// included) and what wasn't a number. Empty histograms give zeros.
pub fn shares(density: &Density, [low, high]: [f64; 2], bins: usize) -> Vec<f32> {
    let mut shares = vec![0.0_f64; bins];
    let total = total(density);
    let (from, to) = (f64::from(density.low), f64::from(density.high));
    let width = (high - low) / bins as f64;
    if total == 0.0 || !(from <= to && width > 0.0 && (to - from).is_finite() && low.is_finite()) {
        return vec![0.0; bins];
    }
    let counted = (to - from) / density.counts.len().max(1) as f64;
    for (k, &count) in density.counts.iter().enumerate() {
        if count == 0 {
            continue;
        }
        let share = f64::from(count) / total;
        let (a, b) = (from + counted * k as f64, from + counted * (k + 1) as f64);
        if b <= a {
            // All values are one number.
            if a >= low && a < high {
                shares[(((a - low) / width) as usize).min(bins - 1)] += share;
            }
            continue;
        }
        let first = (((a - low) / width).floor().max(0.0) as usize).min(bins);
        let last = (((b - low) / width).ceil().max(0.0) as usize).min(bins);
        for (i, bin) in shares.iter_mut().enumerate().take(last).skip(first) {
            let (left, right) = (low + width * i as f64, low + width * (i + 1) as f64);
            *bin += share * ((b.min(right) - a.max(left)) / (b - a)).max(0.0);
        }
    }
    shares.into_iter().map(|share| share as f32).collect()
}

/// Shares on equal bins of one range as shares on as many equal bins of another; what lies outside is left out.
pub fn moved(shares: &[f32], [from, to]: [f64; 2], [low, high]: [f64; 2]) -> Vec<f32> {
    let bins = shares.len();
    let (old, new) = ((to - from) / bins.max(1) as f64, (high - low) / bins.max(1) as f64);
    if [from, to] == [low, high] || !(old > 0.0 && new > 0.0) {
        return shares.to_vec();
    }
    let mut moved = vec![0.0_f64; bins];
    for (k, &share) in shares.iter().enumerate() {
        let (a, b) = (from + old * k as f64, from + old * (k + 1) as f64);
        let first = (((a - low) / new).floor().max(0.0) as usize).min(bins);
        let last = (((b - low) / new).ceil().max(0.0) as usize).min(bins);
        for (i, bin) in moved.iter_mut().enumerate().take(last).skip(first) {
            let (left, right) = (low + new * i as f64, low + new * (i + 1) as f64);
            *bin += f64::from(share) * ((b.min(right) - a.max(left)) / old).max(0.0);
        }
    }
    moved.into_iter().map(|share| share as f32).collect()
}

/// Number of values behind a histogram, whatever they were.
pub fn total(density: &Density) -> f64 {
    let inside: f64 = density.counts.iter().map(|&count| f64::from(count)).sum();
    inside + f64::from(density.below) + f64::from(density.above) + f64::from(density.not_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn density(low: f32, high: f32, counts: &[u32]) -> Density {
        Density {
            low,
            high,
            counts: counts.to_vec(),
            below: 0,
            above: 0,
            not_finite: 0,
            mean: 0.0,
            std: 1.0,
            zero_share: 0.0,
        }
    }

    #[test]
    fn no_value_is_lost_or_made() {
        let counted = density(-1.3, 2.1, &[3, 0, 7, 11, 2, 5, 1]);
        for bins in [1, 3, 7, 64, 500] {
            let sum: f32 = shares(&counted, [-2.0, 3.0], bins).iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{bins}: {sum}");
        }
        // A finer uniform grid gives each bin its part of the counted one.
        let fine = shares(&density(0.0, 2.0, &[10, 30]), [0.0, 2.0], 4);
        assert_eq!(fine, [0.125, 0.125, 0.375, 0.375]);
    }

    #[test]
    fn what_is_outside_is_missing_from_the_sum() {
        let mut counted = density(0.0, 4.0, &[1, 1, 1, 1]);
        assert_eq!(shares(&counted, [1.0, 3.0], 2), [0.25, 0.25]);
        counted.below = 4;
        counted.not_finite = 8;
        assert_eq!(shares(&counted, [0.0, 4.0], 1), [0.25]);
    }

    #[test]
    fn spreading_keeps_the_sum_and_the_mean() {
        let shares = [0.1_f32, 0.2, 0.4, 0.25, 0.05];
        let (from, to) = ([-1.0, 2.0], [-2.5, 4.0]);
        let spread = moved(&shares, from, to);
        let moments = |shares: &[f32], [low, high]: [f64; 2]| {
            let centre = |i: usize| low + (high - low) * (i as f64 + 0.5) / shares.len() as f64;
            let sum: f64 = shares.iter().map(|&s| f64::from(s)).sum();
            (sum, shares.iter().enumerate().map(|(i, &s)| f64::from(s) * centre(i)).sum::<f64>())
        };
        let ((sum, mean), (spread_sum, spread_mean)) = (moments(&shares, from), moments(&spread, to));
        assert!((sum - spread_sum).abs() < 1e-6);
        assert!((mean - spread_mean).abs() < 0.2, "{mean} {spread_mean}");
        assert_eq!(moved(&shares, from, from), shares);
    }

    #[test]
    fn degenerate_histograms_are_harmless() {
        assert_eq!(shares(&density(1.0, 1.0, &[5]), [0.0, 2.0], 2), [0.0, 1.0]);
        assert_eq!(shares(&density(0.0, 1.0, &[0, 0]), [0.0, 1.0], 2), [0.0, 0.0]);
        assert_eq!(shares(&density(f32::NAN, 1.0, &[1]), [0.0, 1.0], 2), [0.0, 0.0]);
        assert_eq!(shares(&density(0.0, 1.0, &[1]), [0.0, 0.0], 2), [0.0, 0.0]);
        assert_eq!(shares(&density(f32::MIN, f32::MAX, &[1, 1]), [0.0, 1.0], 1).len(), 1);
    }
}
