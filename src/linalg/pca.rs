//! Principal components of a few points in many dimensions, from their inner products alone.

use faer::Side;

/// Principal components of n points, the largest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// Variances along the components, times n; none is negative.
    pub variances: Vec<f64>,
    /// Row k holds, for every point, its weight in component k: the component is `sum_i weights[k][i] x_i`, of length
    /// 1. The weights of a row sum to zero, so that points may be given relative to anything.
    pub weights: Vec<Vec<f64>>,
}

impl Components {
    /// Share of the variance along component k, in [0, 1]; 0 if the points don't differ.
    pub fn share(&self, k: usize) -> f64 {
        let total: f64 = self.variances.iter().sum();
        if total > 0.0 { self.variances.get(k).map_or(0.0, |variance| variance / total) } else { 0.0 }
    }
}

/// Components of points `x_i` with inner products `gram = <x_i, x_j>`, row-major `[n, n]` (the lower triangle is read).
///
/// With `C = 1 - 11'/n`, the eigenpairs `(v, u)` of `C gram C` give the variance `v` and the component
/// `sum_i u_i x_i / sqrt(v)` (Turk and Pentland 1991, the "snapshot method"): n x n instead of P x P. Components of
/// less than 1e-12 of the largest variance have weights zero. `None` if a number isn't finite.
pub fn components(n: usize, gram: &[f64]) -> Option<Components> {
    assert_eq!(gram.len(), n * n, "inner products of all pairs");
    let entry = |i: usize, j: usize| gram[i.max(j) * n + i.min(j)];
    let means: Vec<f64> = (0..n).map(|i| (0..n).map(|j| entry(i, j)).sum::<f64>() / n as f64).collect();
    let mean = means.iter().sum::<f64>() / n.max(1) as f64;
    let centred = faer::Mat::<f64>::from_fn(n, n, |i, j| entry(i, j) - means[i] - means[j] + mean);
    let found = centred.self_adjoint_eigen(Side::Lower).ok()?;
    let (s, u) = (found.S(), found.U());
    let values: Vec<f64> = (0..n).rev().map(|k| s.column_vector()[k]).collect();
    if !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    // Rounding may take a variance of zero below.
    let variances: Vec<f64> = values.iter().map(|value| value.max(0.0)).collect();
    let least = 1e-12 * variances.first().copied().unwrap_or(0.0);
    let weights = (0..n).rev().zip(&variances).map(|(k, &variance)| {
        let factor = if variance > least { variance.sqrt().recip() } else { 0.0 };
        let column: Vec<f64> = (0..n).map(|i| u[(i, k)]).collect();
        let middle = column.iter().sum::<f64>() / n as f64;
        column.iter().map(|x| factor * (x - middle)).collect()
    });
    let weights = weights.collect();
    Some(Components { variances, weights })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Streams, normals};
    use crate::linalg::vectors::{axpy, dot};

    const N: usize = 12;
    const P: usize = 7;

    /// Points with well separated spreads, 3, 2, .., along skew axes, about a far centre.
    fn points() -> Vec<Vec<f64>> {
        let axes: Vec<Vec<f64>> = (0..P).map(|k| normals(&mut Streams::new(1).indexed("axis", k as u64), P)).collect();
        (0..N)
            .map(|i| {
                let mut x = vec![5.0; P];
                for (k, axis) in axes.iter().enumerate() {
                    axpy(3.0 / (1.0 + k as f64).powi(2) * ((i * (k + 2)) as f64 * 1.3).sin(), axis, &mut x);
                }
                x
            })
            .collect()
    }

    fn gram(points: &[Vec<f64>]) -> Vec<f64> {
        points.iter().flat_map(|x| points.iter().map(|y| dot(x, y)).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn components_are_the_eigenvectors_of_the_covariance() {
        let points = points();
        let found = components(N, &gram(&points)).unwrap();
        let mean: Vec<f64> = (0..P).map(|p| points.iter().map(|x| x[p]).sum::<f64>() / N as f64).collect();
        // The slow twin: the P x P scatter matrix.
        let scatter = faer::Mat::<f64>::from_fn(P, P, |p, q| {
            points.iter().map(|x| (x[p] - mean[p]) * (x[q] - mean[q])).sum::<f64>()
        });
        let known = scatter.self_adjoint_eigenvalues(Side::Lower).unwrap();
        for k in 0..P {
            let known = known[P - 1 - k];
            assert!((found.variances[k] - known).abs() < 1e-10 * found.variances[0], "{k}: {known}");
        }
        assert!(found.variances[P..].iter().all(|v| *v < 1e-10 * found.variances[0]));
        for k in 0..3 {
            let mut component = vec![0.0; P];
            points.iter().zip(&found.weights[k]).for_each(|(x, w)| axpy(*w, x, &mut component));
            assert!((dot(&component, &component) - 1.0).abs() < 1e-9);
            for p in 0..P {
                let image: f64 = (0..P).map(|q| scatter[(p, q)] * component[q]).sum();
                assert!((image - found.variances[k] * component[p]).abs() < 1e-9 * found.variances[0]);
            }
        }
        assert!(((0..P).map(|k| found.share(k)).sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn points_that_do_not_differ_have_no_components() {
        let found = components(3, &[4.0; 9]).unwrap();
        assert_eq!(found.share(0), 0.0);
        assert!(components(2, &[f64::NAN; 4]).is_none());
    }
}
