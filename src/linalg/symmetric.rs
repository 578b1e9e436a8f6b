//! Dense symmetric matrices as row-major slices: eigenpairs, powers, and the orthonormal factor of QR.
//!
//! Everything runs on the calling thread, so that bits don't depend on how many there are.

use faer::{Mat, Side};

/// Eigenvalues of the symmetric `A` `[n, n]`, descending, and the matrix `[n, n]` whose column j is the unit eigenvector
/// of value j (its sign is arbitrary, and within an eigenspace of several dimensions so is its direction).
/// `None` if an entry isn't finite. Only the lower triangle is read.
pub fn eigenpairs(n: usize, a: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
    let matrix = matrix(n, a)?;
    let found = matrix.self_adjoint_eigen(Side::Lower).ok()?;
    let (s, u) = (found.S(), found.U());
    let values = (0..n).rev().map(|j| s.column_vector()[j]).collect();
    Some((values, row_major(n, |i, j| u[(i, n - 1 - j)])))
}

/// `(A + ridge I)^exponent` of a positive semidefinite `A` `[n, n]`; eigenvalues that rounding made negative count as 0.
/// `None` if an entry isn't finite.
pub fn power(n: usize, a: &[f64], exponent: f64, ridge: f64) -> Option<Vec<f64>> {
    let (values, vectors) = eigenpairs(n, a)?;
    let u = matrix(n, &vectors)?;
    let scaled = Mat::<f64>::from_fn(n, n, |i, j| u[(i, j)] * (values[j].max(0.0) + ridge).powf(exponent));
    let result = scaled * u.transpose();
    // Rounding must not leave it asymmetric.
    Some(row_major(n, |i, j| f64::midpoint(result[(i, j)], result[(j, i)])))
}

/// The orthogonal Q of `A = Q R` by Householder reflections. `None` if an entry isn't finite.
pub fn orthonormal(n: usize, a: &[f64]) -> Option<Vec<f64>> {
    let q = matrix(n, a)?.qr().compute_Q();
    Some(row_major(n, |i, j| q[(i, j)]))
}

fn matrix(n: usize, a: &[f64]) -> Option<Mat<f64>> {
    assert_eq!(a.len(), n * n, "a square matrix has n times n entries");
    a.iter().all(|x| x.is_finite()).then(|| Mat::from_fn(n, n, |i, j| a[i * n + j]))
}

fn row_major(n: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..n * n).map(|at| entry(at / n, at % n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn multiply(n: usize, a: &[f64], b: &[f64]) -> Vec<f64> {
        row_major(n, |i, j| (0..n).map(|k| a[i * n + k] * b[k * n + j]).sum())
    }

    fn transposed(n: usize, a: &[f64]) -> Vec<f64> {
        row_major(n, |i, j| a[j * n + i])
    }

    #[track_caller]
    fn close(a: &[f64], b: &[f64]) {
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
    }

    /// Eigenvalues between about 0.2 and 12: far from singular, none equal.
    fn positive(n: usize) -> Vec<f64> {
        let b = row_major(n, |i, j| (1.3 * i as f64 + 0.7 * (j * j) as f64 + 0.2).sin());
        let mut a = multiply(n, &b, &transposed(n, &b));
        (0..n).for_each(|i| a[i * n + i] += 0.1 * (i + 1) as f64);
        a
    }

    fn identity(n: usize) -> Vec<f64> {
        row_major(n, |i, j| f64::from(u8::from(i == j)))
    }

    #[test]
    fn eigenpairs_rebuild_the_matrix_in_descending_order() {
        let (n, a) = (7, positive(7));
        let (values, u) = eigenpairs(n, &a).unwrap();
        assert!(values.windows(2).all(|pair| pair[0] > pair[1]), "{values:?}");
        let scaled = row_major(n, |i, j| u[i * n + j] * values[j]);
        close(&multiply(n, &scaled, &transposed(n, &u)), &a);
        close(&multiply(n, &transposed(n, &u), &u), &identity(n));
    }

    #[test]
    fn four_inverse_fourth_roots_undo_the_matrix_with_its_ridge() {
        let (n, a) = (6, positive(6));
        let root = power(n, &a, -0.25, 0.3).unwrap();
        let half = multiply(n, &root, &root);
        let ridged: Vec<_> = a.iter().zip(identity(n)).map(|(a, i)| a + 0.3 * i).collect();
        close(&multiply(n, &multiply(n, &half, &half), &ridged), &identity(n));
        // diag(16, 1)^(-1/4) = diag(1/2, 1)
        close(&power(2, &[16.0, 0.0, 0.0, 1.0], -0.25, 0.0).unwrap(), &[0.5, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn the_orthonormal_factor_spans_the_columns_one_after_another() {
        let (n, a) = (5, positive(5));
        let q = orthonormal(n, &a).unwrap();
        close(&multiply(n, &transposed(n, &q), &q), &identity(n));
        let r = multiply(n, &transposed(n, &q), &a);
        assert!((0..n).all(|i| (0..i).all(|j| r[i * n + j].abs() < 1e-12)), "{r:?}");
    }

    #[test]
    fn what_is_not_finite_has_no_decomposition() {
        let a = [1.0, f64::NAN, 0.0, 1.0];
        assert!(eigenpairs(2, &a).is_none() && power(2, &a, 1.0, 0.0).is_none() && orthonormal(2, &a).is_none());
    }
}
