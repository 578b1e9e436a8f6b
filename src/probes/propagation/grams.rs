//! How alike inputs are, how alike features are, and what ties the two to the kurtosis.

use crate::linalg::singular::gram_norm_squared;

use super::kurtosis::mean_squares;

/// Off-diagonal entries of the Gram matrices of activations X `[n, d]`, scaled so that the mean square of X is 1:
/// inputs `I = X X' / d` `[n, n]` and features `F = X' X / n` `[d, d]` (He et al. 2024; their code's `batch_corr_mean`,
/// `batch_corr_rms`, `feat_corr_rms`). Both matrices have a mean diagonal of 1. Nothing is centred.
///
/// NaN where there is one row or one column only, where all of X is zero, and where an entry isn't finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grams {
    pub n: usize,
    pub d: usize,
    pub input_mean: f64,
    pub input_rms: f64,
    pub feature_mean: f64,
    pub feature_rms: f64,
    /// `||I||_F^2`, with the diagonal.
    pub input_norm_squared: f64,
}

impl Grams {
    /// Of `values = [n, d]`, row-major, in about `n d min(n, d) / 2` multiplications: only the smaller of the matrices
    /// is made, since both have the same sum of squares up to their factors.
    pub fn of<T: Copy + Into<f64>>(values: &[T], d: usize) -> Self {
        let x: Vec<f64> = values.iter().map(|&x| x.into()).collect();
        let rows = x.chunks_exact(d.max(1));
        let n = rows.len();
        let (rows_n, columns_d) = (n as f64, d as f64);
        let mut column_sums = vec![0.0; d];
        let (mut lengths, mut lengths_squared, mut row_sums_squared) = (0.0, 0.0, 0.0);
        for row in rows {
            let length: f64 = row.iter().map(|x| x * x).sum();
            lengths += length;
            lengths_squared += length * length;
            row_sums_squared += row.iter().sum::<f64>().powi(2);
            column_sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        let squares = mean_squares(&x, d);
        // The factors that give X a mean square of 1 and make I and F of its products.
        let mean_square = lengths / (rows_n * columns_d);
        let (to_i, to_f) = (1.0 / (columns_d * mean_square), 1.0 / (rows_n * mean_square));
        let gram = gram_norm_squared(&x, d);
        let input_norm_squared = gram * to_i * to_i;
        let input_diagonal = lengths_squared * to_i * to_i;
        let feature_norm_squared = gram * to_f * to_f;
        let feature_diagonal = squares.iter().map(|s| (s / mean_square).powi(2)).sum::<f64>();
        let (input_pairs, feature_pairs) = (rows_n * (rows_n - 1.0), columns_d * (columns_d - 1.0));
        let input_sum = column_sums.iter().map(|s| s * s).sum::<f64>() * to_i;
        let feature_sum = row_sums_squared * to_f;
        // Differences of equal sums may come out a little below zero; NaN stays NaN.
        let rms = |sum: f64, pairs: f64| if sum < 0.0 { 0.0 } else { (sum / pairs).sqrt() };
        Self {
            n,
            d,
            input_mean: (input_sum - rows_n) / input_pairs,
            input_rms: rms(input_norm_squared - input_diagonal, input_pairs),
            feature_mean: (feature_sum - columns_d) / feature_pairs,
            feature_rms: rms(feature_norm_squared - feature_diagonal, feature_pairs),
            input_norm_squared,
        }
    }

    /// The kurtosis of neuron RMS that the Gram matrices leave: `(d/n^2) ||I||_F^2 - (1/d) sum_(i != j) F_ij^2`.
    ///
    /// By the cyclic trace `tr (X X')^2 = tr (X' X)^2`, so it equals [`super::kurtosis`] for every X: inputs that are
    /// all alike (rank collapse) force outlier features or correlated features.
    pub fn kurtosis(&self) -> f64 {
        let [input, feature] = self.kurtosis_terms();
        input - feature
    }

    /// The two terms of [`Self::kurtosis`]: what alike inputs put into it, and what correlated features take from it.
    pub fn kurtosis_terms(&self) -> [f64; 2] {
        let (n, d) = (self.n as f64, self.d as f64);
        [d / (n * n) * self.input_norm_squared, (d - 1.0) * self.feature_rms.powi(2)]
    }
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};

    use super::super::kurtosis;
    use super::*;

    /// Uneven neurons, a common mean and different lengths: every term of the identity takes part.
    fn uneven(n: usize, d: usize) -> Vec<f64> {
        let noise = normals(&mut Streams::new(6).stream("x"), n * d);
        noise
            .iter()
            .enumerate()
            .map(|(k, x)| 40.0 * (x + 0.4) * (1.0 + (k % d) as f64) * (1.0 + (k / d % 3) as f64))
            .collect()
    }

    fn off_diagonal(side: usize, entry: impl Fn(usize, usize) -> f64) -> (f64, f64) {
        let (mut sum, mut squares) = (0.0, 0.0);
        for i in 0..side {
            for j in (0..side).filter(|&j| j != i) {
                sum += entry(i, j);
                squares += entry(i, j).powi(2);
            }
        }
        let pairs = (side * (side - 1)) as f64;
        (sum / pairs, (squares / pairs).sqrt())
    }

    #[test]
    fn agrees_with_the_matrices_themselves() {
        for (n, d) in [(9, 4), (4, 9), (6, 6)] {
            let x = uneven(n, d);
            let mean_square = x.iter().map(|x| x * x).sum::<f64>() / (n * d) as f64;
            let input = |a: usize, b: usize| {
                (0..d).map(|j| x[a * d + j] * x[b * d + j]).sum::<f64>() / (d as f64 * mean_square)
            };
            let feature = |i: usize, j: usize| {
                (0..n).map(|a| x[a * d + i] * x[a * d + j]).sum::<f64>() / (n as f64 * mean_square)
            };
            let found = Grams::of(&x, d);
            let (mean, rms) = off_diagonal(n, input);
            assert!((found.input_mean - mean).abs() < 1e-12 && (found.input_rms - rms).abs() < 1e-12, "{found:?}");
            let (mean, rms) = off_diagonal(d, feature);
            assert!((found.feature_mean - mean).abs() < 1e-12 && (found.feature_rms - rms).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn the_identity_holds_for_any_activations() {
        for (n, d) in [(50, 8), (8, 50), (30, 30), (2, 3)] {
            let x = uneven(n, d);
            let (direct, by_grams) = (kurtosis(&x, d), Grams::of(&x, d).kurtosis());
            assert!((direct - by_grams).abs() < 1e-10 * direct, "{n}x{d}: {direct} {by_grams}");
        }
    }

    #[test]
    fn orthogonal_inputs_have_nothing_in_common_and_equal_ones_all() {
        let found = Grams::of(&[1.0, 0.0, 0.0, 1.0], 2);
        assert!(found.input_mean.abs() < 1e-15 && found.input_rms.abs() < 1e-15 && found.feature_rms.abs() < 1e-15);
        let collapsed = Grams::of(&[1.0_f32, -1.0, 1.0, -1.0, 1.0, -1.0], 2);
        assert!((collapsed.input_mean - 1.0).abs() < 1e-14 && (collapsed.input_rms - 1.0).abs() < 1e-14);
        assert!((collapsed.feature_mean + 1.0).abs() < 1e-14 && (collapsed.feature_rms - 1.0).abs() < 1e-14);
    }

    #[test]
    fn what_has_no_pairs_or_no_size_has_no_answer() {
        assert!(Grams::of(&[1.0, 2.0], 2).input_rms.is_nan());
        assert!(Grams::of(&[1.0, 2.0], 1).feature_rms.is_nan());
        assert!(Grams::of(&[0.0; 6], 3).input_mean.is_nan());
        assert!(Grams::of(&[1.0, f64::NAN, 1.0, 2.0], 2).input_rms.is_nan());
        assert!(Grams::of::<f64>(&[], 2).input_mean.is_nan());
    }
}
