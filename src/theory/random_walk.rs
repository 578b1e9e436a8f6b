//! What principal components show of a path that leads nowhere.

use std::f64::consts::PI;

/// Expected share of the variance that component `k` (1 is the first) of a random walk of `points` points has, in the
/// limit of many dimensions (Antognini and Sohl-Dickstein 2018, "PCA of high dimensional random walks with comparison
/// to neural network training").
///
/// The centred inner products of such a walk are the pseudo-inverse of the Laplacian of a path of `n` nodes, whose
/// eigenvalues are `2 - 2 cos(pi k / n)`; the trace is `(n^2 - 1)/6`. So the share is
/// `6 / ((n^2 - 1) (2 - 2 cos(pi k / n)))`, and `6 / (pi k)^2` of a long walk: 61 % for the first component, 15 % for
/// the second. A path whose shares are no larger shows no direction of its own.
pub fn component_share(points: usize, k: usize) -> f64 {
    if k == 0 || k >= points {
        return 0.0;
    }
    let n = points as f64;
    let half = (PI * k as f64 / (2.0 * n)).sin();
    6.0 / ((n * n - 1.0) * 4.0 * half * half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Streams, normals};
    use crate::linalg::pca::components;
    use crate::linalg::vectors::{axpy, dot};

    #[test]
    fn shares_sum_to_one_and_tend_to_the_limit() {
        for points in [2, 3, 50] {
            let sum: f64 = (1..points).map(|k| component_share(points, k)).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{points}: {sum}");
        }
        for k in 1..4 {
            let limit = 6.0 / (PI * k as f64).powi(2);
            assert!((component_share(10_000, k) - limit).abs() < 1e-7);
        }
        assert_eq!((component_share(3, 3), component_share(0, 1), component_share(5, 0)), (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_simulated_walk_has_these_shares() {
        const POINTS: usize = 40;
        const DIM: usize = 4_000;
        let mut stream = Streams::new(3).stream("walk");
        let mut walk = vec![vec![0.0; DIM]];
        for at in 1..POINTS {
            let mut next = walk[at - 1].clone();
            axpy(1.0, &normals(&mut stream, DIM), &mut next);
            walk.push(next);
        }
        let gram: Vec<f64> = walk.iter().flat_map(|x| walk.iter().map(|y| dot(x, y)).collect::<Vec<_>>()).collect();
        let found = components(POINTS, &gram).unwrap();
        for k in 1..4 {
            let (share, known) = (found.share(k - 1), component_share(POINTS, k));
            // Inner products fluctuate by sqrt(2 / DIM), about 2 %; four of that.
            assert!((share / known - 1.0).abs() < 0.09, "{k}: {share} {known}");
        }
    }
}
