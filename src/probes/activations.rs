//! How the activations of a layer are distributed.

use crate::record::Density;

/// Bins of the histogram.
pub const BINS: usize = 64;
/// The range reaches this many root mean squares at least (and at most twice as many).
const REACH: f64 = 4.0;

/// A histogram of `values` in 64 bins on `[-R, R]`, or `[0, R]` if none is negative.
///
/// R is the smallest power of two that is at least 4 root mean squares, so that the range stays the same while
/// activations drift, and outliers are counted as tails instead of stretching it. Moments are those of the finite
/// values (the standard deviation that of the sample itself, divided by n).
pub fn density(values: &[f32]) -> Density {
    let finite = || values.iter().filter(|x| x.is_finite()).map(|&x| f64::from(x));
    let count = finite().count();
    let divisor = count.max(1) as f64;
    let mean = finite().sum::<f64>() / divisor;
    let variance = finite().map(|x| (x - mean).powi(2)).sum::<f64>() / divisor;
    let rms = (variance + mean * mean).sqrt();
    let high = range(rms);
    let low = if finite().all(|x| x >= 0.0) { 0.0 } else { -high };
    let mut density = Density {
        low: low as f32,
        high: high as f32,
        counts: vec![0; BINS],
        below: 0,
        above: 0,
        not_finite: (values.len() - count) as u32,
        mean: mean as f32,
        std: variance.sqrt() as f32,
        zero_share: (values.iter().filter(|&&x| x == 0.0).count() as f64 / values.len().max(1) as f64) as f32,
    };
    // Exact for f32 values: the bounds are powers of two.
    let bins_a_unit = BINS as f64 / (high - low);
    for x in finite() {
        let bin = ((x - low) * bins_a_unit).floor();
        if bin < 0.0 {
            density.below += 1;
        } else if x > high {
            density.above += 1;
        } else {
            // The upper bound itself belongs to the last bin.
            density.counts[(bin as usize).min(BINS - 1)] += 1;
        }
    }
    density
}

fn range(rms: f64) -> f64 {
    if rms == 0.0 {
        return 1.0;
    }
    (REACH * rms).log2().ceil().clamp(-120.0, 120.0).exp2()
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};

    use super::*;

    /// Counts by comparing with the edges of every bin.
    fn slow(values: &[f32], low: f32, high: f32) -> Vec<u32> {
        let edge = |i: usize| f64::from(low) + (f64::from(high) - f64::from(low)) * i as f64 / BINS as f64;
        (0..BINS)
            .map(|bin| {
                let inside = |x: f64| x >= edge(bin) && (x < edge(bin + 1) || bin == BINS - 1 && x == edge(BINS));
                values.iter().filter(|&&x| inside(f64::from(x))).count() as u32
            })
            .collect()
    }

    fn total(density: &Density) -> u32 {
        density.counts.iter().sum::<u32>() + density.below + density.above + density.not_finite
    }

    #[test]
    fn counts_are_those_of_the_slow_twin_and_none_is_lost() {
        let mut values: Vec<f32> =
            normals(&mut Streams::new(2).stream("x"), 5000).iter().map(|&x| (3.0 * x) as f32).collect();
        values.extend([100.0, -200.0, -16.0, 16.0, 0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
        let found = density(&values);
        // A root mean square of 3 to 5.
        assert_eq!((found.low, found.high), (-32.0, 32.0));
        assert_eq!(found.counts, slow(&values, -32.0, 32.0));
        assert_eq!((found.below, found.above, found.not_finite), (1, 1, 3));
        assert_eq!(total(&found), values.len() as u32);
        assert!((found.zero_share - 2.0 / 5009.0).abs() < 1e-7);
    }

    #[test]
    fn moments_are_their_formulas() {
        let found = density(&[1.0, 2.0, 3.0, 6.0]);
        assert_eq!(found.mean, 3.0);
        assert!((found.std - 3.5f32.sqrt()).abs() < 1e-6);
        // 4 sqrt(12.5) = 14.1
        assert_eq!((found.low, found.high), (0.0, 16.0));
        assert_eq!(found.counts, slow(&[1.0, 2.0, 3.0, 6.0], 0.0, 16.0));
    }

    #[test]
    fn the_range_is_stable_under_drift_and_follows_scale() {
        let base: Vec<f32> = normals(&mut Streams::new(3).stream("x"), 4000).iter().map(|&x| 1.3 * x as f32).collect();
        let scaled = |factor: f32| density(&base.iter().map(|x| x * factor).collect::<Vec<_>>());
        assert_eq!(scaled(1.0).high, scaled(1.1).high);
        assert_eq!(scaled(4.0).high, 4.0 * scaled(1.0).high);
        assert_eq!(scaled(4.0).counts, scaled(1.0).counts);
    }

    #[test]
    fn dead_broken_and_empty_layers_have_densities() {
        let dead = density(&[0.0; 7]);
        assert_eq!((dead.low, dead.high, dead.zero_share, dead.counts[0]), (0.0, 1.0, 1.0, 7));
        let broken = density(&[f32::NAN; 3]);
        assert_eq!((broken.not_finite, broken.mean, total(&broken)), (3, 0.0, 3));
        assert_eq!(total(&density(&[])), 0);
        let huge = density(&[f32::MAX, -f32::MAX]);
        assert_eq!((total(&huge), huge.below, huge.above), (2, 1, 1));
        assert!((huge.high - huge.low).is_finite());
    }
}
