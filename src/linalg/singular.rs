//! Singular values through the smaller Gram matrix.

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, Mat, MatRef, Par, Side};

/// The smaller of `A A'` and `A' A` for `a = [rows, columns]`, row-major; only its lower triangle is set.
///
/// Both have the same Frobenius norm and, apart from zeros, the same eigenvalues: the squared singular values of A.
fn smaller_gram(a: &[f64], columns: usize) -> Mat<f64> {
    let rows = a.len() / columns.max(1);
    let a = MatRef::from_row_major_slice(&a[..rows * columns], rows, columns);
    let (left, right) = if rows < columns { (a, a.transpose()) } else { (a.transpose(), a) };
    let side = rows.min(columns);
    let mut gram = Mat::zeros(side, side);
    let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    matmul(gram.as_mut(), lower, Accum::Replace, left, full, right, full, 1.0, Par::Seq);
    gram
}

/// `||A A'||_F^2 = ||A' A||_F^2`, the sum of the fourth powers of the singular values of `a = [rows, columns]`,
/// row-major.
pub fn gram_norm_squared(a: &[f64], columns: usize) -> f64 {
    let gram = smaller_gram(a, columns);
    let mut sum = 0.0;
    for j in 0..gram.ncols() {
        sum += gram[(j, j)].powi(2);
        for i in j + 1..gram.nrows() {
            sum += 2.0 * gram[(i, j)].powi(2);
        }
    }
    sum
}

/// The `min(rows, columns)` singular values of `a = [rows, columns]`, row-major, largest first; `None` if an entry
/// isn't finite or there is none.
///
/// They are square roots of eigenvalues of the smaller Gram matrix, which takes `rows columns min(rows, columns)`
/// multiplications and an eigendecomposition of the smaller side. The price is accuracy at the small end: values below
/// some 1e-8 of the largest are rounding, which moves an effective rank by some 1e-7: see [`accurate_singular_values`].
pub fn singular_values(a: &[f64], columns: usize) -> Option<Vec<f64>> {
    let largest = a.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    // `max` skips what is not a number.
    if a.len() < columns.max(1) || columns == 0 || a.iter().any(|x| !x.is_finite()) {
        return None;
    }
    if largest == 0.0 {
        return Some(vec![0.0; columns.min(a.len() / columns)]);
    }
    // Squares of very large or small entries leave the range of f64.
    let scaled: Vec<f64> = a.iter().map(|x| x / largest).collect();
    let squares = smaller_gram(&scaled, columns).self_adjoint_eigenvalues(Side::Lower).ok()?;
    Some(squares.iter().rev().map(|square| largest * square.max(0.0).sqrt()).collect())
}

/// As [`singular_values`], but from A itself: right to some 1e-15 of the largest, in several times the time.
pub fn accurate_singular_values(a: &[f64], columns: usize) -> Option<Vec<f64>> {
    if a.len() < columns.max(1) || columns == 0 || a.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let rows = a.len() / columns;
    MatRef::from_row_major_slice(&a[..rows * columns], rows, columns).singular_values().ok()
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};

    use super::*;

    fn random(n: usize) -> Vec<f64> {
        normals(&mut Streams::new(4).stream("x"), n)
    }

    #[test]
    fn agrees_with_a_singular_value_decomposition_whichever_side_is_smaller() {
        for (rows, columns) in [(30, 7), (7, 30), (12, 12), (1, 5), (5, 1)] {
            let a = random(rows * columns);
            let matrix = Mat::from_fn(rows, columns, |i, j| a[i * columns + j]);
            let known = matrix.singular_values().unwrap();
            let found = singular_values(&a, columns).unwrap();
            assert_eq!(found.len(), known.len());
            for (found, known) in found.iter().zip(&known) {
                assert!((found - known).abs() < 1e-10 * known.max(1e-3), "{rows}x{columns}: {found} {known}");
            }
            let fourth: f64 = known.iter().map(|s| s.powi(4)).sum();
            assert!((gram_norm_squared(&a, columns) / fourth - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn known_matrices() {
        // diag(3, -2) has 3 and 2; the outer product of (1, 2) and (3, 4) has sqrt(5) * 5 and nothing else.
        assert!(
            singular_values(&[3.0, 0.0, 0.0, -2.0], 2)
                .unwrap()
                .iter()
                .zip([3.0, 2.0])
                .all(|(a, b)| (a - b).abs() < 1e-14)
        );
        let outer = singular_values(&[3.0, 4.0, 6.0, 8.0], 2).unwrap();
        assert!((outer[0] - 125f64.sqrt()).abs() < 1e-13 && outer[1] < 1e-7, "{outer:?}");
        assert_eq!(singular_values(&[0.0; 6], 3).unwrap(), [0.0, 0.0]);
        let outer = accurate_singular_values(&[3.0, 4.0, 6.0, 8.0], 2).unwrap();
        assert!((outer[0] - 125f64.sqrt()).abs() < 1e-14 && outer[1] < 1e-14, "{outer:?}");
        assert_eq!(accurate_singular_values(&[0.0; 6], 3).unwrap(), [0.0, 0.0]);
        let huge = singular_values(&[1e200, 0.0, 0.0, 1e200], 2).unwrap();
        assert!((huge[1] / 1e200 - 1.0).abs() < 1e-14);
    }

    #[test]
    fn what_has_no_singular_values_has_none() {
        assert_eq!(singular_values(&[1.0, f64::NAN], 2), None);
        assert_eq!(singular_values(&[1.0, f64::INFINITY], 2), None);
        assert_eq!(singular_values(&[], 3), None);
        assert_eq!(singular_values(&[], 0), None);
        assert_eq!(accurate_singular_values(&[1.0, f64::NAN], 2), None);
        assert_eq!(accurate_singular_values(&[], 0), None);
    }
}
