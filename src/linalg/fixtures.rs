//! Matrices whose spectra are known, for the tests of this room.

use crate::base::rng::{Stream, Streams, normals};

use super::operator::Dense;
use super::vectors::{norm, scale};

pub(super) fn random(seed: u64) -> Stream {
    Streams::new(seed).stream("probe/test")
}

/// Symmetric with these eigenvalues: a diagonal between Householder reflections, so that no basis vector is special.
pub(super) fn with_spectrum(values: &[f64]) -> Dense {
    let n = values.len();
    let mut u = normals(&mut random(99), n);
    let length = norm(&u);
    scale(1.0 / length, &mut u);
    let h = |i: usize, j: usize| f64::from(i == j) - 2.0 * u[i] * u[j];
    let entry = |i: usize, j: usize| (0..n).map(|k| h(i, k) * values[k] * h(k, j)).sum();
    Dense::new(n, (0..n * n).map(|ij| entry(ij / n, ij % n)).collect()).expect("fixtures are sound")
}

pub(super) fn diagonal(values: &[f64]) -> Dense {
    let n = values.len();
    Dense::new(n, (0..n * n).map(|ij| if ij / n == ij % n { values[ij / n] } else { 0.0 }).collect())
        .expect("fixtures are sound")
}
