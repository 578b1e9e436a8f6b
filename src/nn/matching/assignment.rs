//! The assignment problem.

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

/// Largest weight after rounding. Sums of 2^20 of them fit an i64.
const SCALE: f64 = (1_u64 << 42) as f64;

/// The permutation p that maximises `sum_i weights[i][p_i]` of a row-major `[n, n]` matrix (Kuhn 1955, Munkres 1957),
/// exactly for weights rounded to 2^-42 of the largest. Weights that aren't finite count as the smallest.
pub(super) fn assign(n: usize, weights: &[f64]) -> Vec<usize> {
    assert_eq!(weights.len(), n * n, "a weight for every pair");
    let largest = weights.iter().filter(|w| w.is_finite()).fold(0.0_f64, |m, w| m.max(w.abs()));
    if n == 0 || largest == 0.0 {
        return (0..n).collect();
    }
    let rounded = |i: usize, j: usize| {
        let w = weights[i * n + j];
        if w.is_finite() { (w / largest * SCALE).round() as i64 } else { -(SCALE as i64) }
    };
    let matrix = Matrix::from_fn(n, n, |(i, j)| rounded(i, j));
    kuhn_munkres(&matrix).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Streams, normals};

    fn worth(n: usize, weights: &[f64], p: &[usize]) -> f64 {
        p.iter().enumerate().map(|(i, &j)| weights[i * n + j]).sum()
    }

    /// All permutations of `0..n` (Heap 1963).
    fn all(n: usize) -> Vec<Vec<usize>> {
        fn go(k: usize, p: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
            if k == p.len() {
                found.push(p.clone());
            }
            for i in k..p.len() {
                p.swap(k, i);
                go(k + 1, p, found);
                p.swap(k, i);
            }
        }
        let mut found = Vec::new();
        go(0, &mut (0..n).collect(), &mut found);
        found
    }

    #[test]
    fn no_permutation_is_worth_more() {
        for seed in 0..20 {
            // Of very unlike sizes, and signs.
            let weights: Vec<f64> =
                normals(&mut Streams::new(seed).stream("w"), 36).iter().map(|x| x.powi(3) * 1e-5).collect();
            let found = worth(6, &weights, &assign(6, &weights));
            let best = all(6).iter().map(|p| worth(6, &weights, p)).fold(f64::NEG_INFINITY, f64::max);
            assert!((found - best).abs() < 1e-12 * best.abs(), "{found} {best}");
        }
    }

    #[test]
    fn nothing_to_choose_is_no_error() {
        assert_eq!(assign(3, &[0.0; 9]), [0, 1, 2]);
        assert_eq!(assign(0, &[]), Vec::<usize>::new());
        let mut p = assign(2, &[f64::NAN; 4]);
        p.sort_unstable();
        assert_eq!(p, [0, 1]);
        assert_eq!(assign(2, &[f64::NAN, 1.0, 2.0, f64::INFINITY]), [1, 0]);
    }
}
