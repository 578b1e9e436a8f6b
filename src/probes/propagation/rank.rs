//! How many directions the signal of a layer fills.

use crate::linalg::singular::{accurate_singular_values, singular_values};

/// Two answers to how many directions a matrix `A = [n, d]` fills, each in [1, min(n, d)]. Nothing is centred: a common
/// mean is a direction, too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranks {
    /// `||A||_F^2 / ||A||_2^2 = sum_i sigma_i^2 / max_i sigma_i^2` (Rudelson and Vershynin 2007): hardly feels small
    /// singular values.
    pub stable: f64,
    /// `exp(-sum_i p_i ln p_i)` with `p_i = sigma_i / sum_k sigma_k` (Roy and Vetterli 2007): of the singular values
    /// themselves, not of their squares.
    pub effective: f64,
}

/// Ranks of `values = [n, d]`, row-major. NaN without values, when all are zero, and where one isn't finite.
pub fn ranks<T: Copy + Into<f64>>(values: &[T], d: usize) -> Ranks {
    let values: Vec<f64> = values.iter().map(|&x| x.into()).collect();
    singular_values(&values, d).map_or(Ranks { stable: f64::NAN, effective: f64::NAN }, |sigma| of_spectrum(&sigma))
}

/// As [`ranks`], to the last digits also where singular values are many orders apart, in several times the time.
pub fn accurate_ranks(values: &[f64], d: usize) -> Ranks {
    let nothing = Ranks { stable: f64::NAN, effective: f64::NAN };
    accurate_singular_values(values, d).map_or(nothing, |sigma| of_spectrum(&sigma))
}

/// Ranks from singular values, largest first.
fn of_spectrum(sigma: &[f64]) -> Ranks {
    let largest = sigma.first().copied().unwrap_or(0.0);
    let stable = sigma.iter().map(|s| (s / largest).powi(2)).sum();
    let sum: f64 = sigma.iter().sum();
    let shares = sigma.iter().map(|s| s / sum).filter(|&p| p != 0.0);
    let effective = shares.map(|p| -p * p.ln()).sum::<f64>().exp();
    Ranks { stable, effective }
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};

    use super::*;

    fn near(found: Ranks, stable: f64, effective: f64) {
        assert!((found.stable / stable - 1.0).abs() < 1e-6, "{found:?}: stable {stable}");
        assert!((found.effective / effective - 1.0).abs() < 1e-6, "{found:?}: effective {effective}");
    }

    #[test]
    fn equal_directions_count_one_each_and_an_outer_product_counts_one() {
        let mut identity = vec![0.0; 5 * 9];
        (0..5).for_each(|i| identity[i * 9 + i] = -3.0);
        near(ranks(&identity, 9), 5.0, 5.0);
        let outer: Vec<f64> = (0..24).map(|k| (1.0 + (k / 4) as f64) * ((k % 4) as f64 - 1.7)).collect();
        near(ranks(&outer, 4), 1.0, 1.0);
        let sharp = accurate_ranks(&outer, 4);
        assert!((sharp.effective - 1.0).abs() < 1e-12 && (sharp.stable - 1.0).abs() < 1e-12, "{sharp:?}");
    }

    #[test]
    fn two_unequal_directions_have_their_closed_form() {
        // Singular values 3 and 1: stable (9 + 1) / 9; shares 3/4 and 1/4 of the values, not 9/10 and 1/10.
        let (p, q) = (0.75_f64, 0.25_f64);
        let entropy = -(p * p.ln() + q * q.ln());
        near(ranks(&[3.0_f32, 0.0, 0.0, 0.0, 1.0, 0.0], 3), 10.0 / 9.0, entropy.exp());
    }

    #[test]
    fn rotations_scales_and_the_transpose_change_nothing() {
        let (n, d) = (20, 6);
        let a = normals(&mut Streams::new(7).stream("x"), n * d);
        let known = ranks(&a, d);
        assert!(known.stable > 1.0 && known.stable < known.effective && known.effective < 6.0, "{known:?}");
        let transposed: Vec<f64> = (0..n * d).map(|k| a[k % n * d + k / n]).collect();
        near(ranks(&transposed, n), known.stable, known.effective);
        let scaled: Vec<f64> = a.iter().map(|x| -1e25 * x).collect();
        near(ranks(&scaled, d), known.stable, known.effective);
        let (sin, cos) = 0.7_f64.sin_cos();
        let turn = |r: &[f64]| [cos * r[0] - sin * r[1], sin * r[0] + cos * r[1], r[2], r[3], r[4], r[5]];
        let rotated: Vec<f64> = a.chunks(d).flat_map(turn).collect();
        near(ranks(&rotated, d), known.stable, known.effective);
    }

    #[test]
    fn nothing_has_no_rank() {
        for found in [ranks::<f64>(&[], 3), ranks(&[0.0; 6], 3), ranks(&[1.0, f64::NAN], 2)] {
            assert!(found.stable.is_nan() && found.effective.is_nan(), "{found:?}");
        }
    }
}
