//! The subspace of a Rayleigh-Ritz method: orthonormal vectors, their products, and the small matrix between.

use faer::Side;

use crate::base::rng::{Stream, normals};

use super::vectors::{axpy, dot, norm, scale};

/// Orthonormal vectors `Q = [q_1 .. q_k]`, the products `A Q` and the projected matrix `Q' A Q`. The last vector may
/// still wait for its product.
#[derive(Clone, Debug, Default)]
pub(super) struct Subspace {
    pub basis: Vec<Vec<f64>>,
    /// `A q` for all of the basis but a last one that waits.
    pub images: Vec<Vec<f64>>,
    /// `projected[j][i] = <q_i, A q_j>` for `i <= j`.
    projected: Vec<Vec<f64>>,
}

/// Eigenpairs of the projected matrix, largest first.
pub(super) struct Ritz {
    pub values: Vec<f64>,
    /// In coordinates of the basis.
    vectors: Vec<Vec<f64>>,
    /// Largest magnitude of the values.
    pub size: f64,
}

impl Ritz {
    pub fn pair(&self, i: usize) -> (f64, &[f64]) {
        (self.values[i], &self.vectors[i])
    }
}

impl Subspace {
    /// The vector that waits for its product.
    pub fn waiting(&self) -> &[f64] {
        self.basis.last().map_or(&[], Vec::as_slice)
    }

    /// Takes the product of the waiting vector; gives its part orthogonal to the basis, and that part's length.
    pub fn absorb(&mut self, product: &[f64]) -> (Vec<f64>, f64) {
        self.images.push(product.to_vec());
        let mut next = product.to_vec();
        let mut column: Vec<f64> = vec![0.0; self.basis.len()];
        // Twice is enough (Kahan; Parlett 1980, section 6.9).
        for pass in 0..2 {
            for (q, entry) in self.basis.iter().zip(&mut column) {
                let overlap = dot(q, &next);
                axpy(-overlap, q, &mut next);
                if pass == 0 {
                    *entry = overlap;
                }
            }
        }
        self.projected.push(column);
        let rest = norm(&next);
        (next, rest)
    }

    /// Appends a vector's part orthogonal to the basis, or a random one's if nothing is left of it.
    pub fn push_orthogonal(&mut self, mut v: Vec<f64>, random: &mut Stream) {
        loop {
            let before = norm(&v);
            for _ in 0..2 {
                for q in &self.basis {
                    axpy(-dot(q, &v), q, &mut v);
                }
            }
            let length = norm(&v);
            if length > 1e-10 * before {
                scale(1.0 / length, &mut v);
                self.basis.push(v);
                return;
            }
            v = random_unit(random, v.len());
        }
    }

    /// Eigenpairs of the projected matrix; `None` if they can't be computed.
    pub fn ritz(&self) -> Option<Ritz> {
        let k = self.projected.len();
        let entry = |i: usize, j: usize| self.projected[i.max(j)][i.min(j)];
        let matrix = faer::Mat::<f64>::from_fn(k, k, entry);
        let found = matrix.self_adjoint_eigen(Side::Lower).ok()?;
        let (s, u) = (found.S(), found.U());
        let values: Vec<f64> = (0..k).rev().map(|i| s.column_vector()[i]).collect();
        let vectors = (0..k).rev().map(|j| (0..k).map(|i| u[(i, j)]).collect()).collect();
        let size = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        size.is_finite().then_some(Ritz { values, vectors, size })
    }

    /// The approximate eigenvector with these coordinates.
    pub fn vector(&self, weights: &[f64]) -> Vec<f64> {
        combine(&self.basis, weights)
    }

    /// `A y - value y` of `y = vector`, whose coordinates are `weights`.
    pub fn error(&self, value: f64, vector: &[f64], weights: &[f64]) -> Vec<f64> {
        let mut error = combine(&self.images, weights);
        axpy(-value, vector, &mut error);
        error
    }

    /// Makes these approximate eigenvectors the new basis.
    pub fn keep(&mut self, ritz: &Ritz, which: impl Iterator<Item = usize>) {
        let mut kept = Self::default();
        for i in which {
            let (value, weights) = ritz.pair(i);
            let mut column = vec![0.0; kept.basis.len() + 1];
            column[kept.basis.len()] = value;
            kept.projected.push(column);
            kept.basis.push(combine(&self.basis, weights));
            kept.images.push(combine(&self.images, weights));
        }
        *self = kept;
    }
}

/// Uniform on the unit sphere.
pub(super) fn random_unit(random: &mut Stream, dim: usize) -> Vec<f64> {
    loop {
        let mut v = normals(random, dim);
        let length = norm(&v);
        if length > 0.0 {
            scale(1.0 / length, &mut v);
            return v;
        }
    }
}

fn combine(vectors: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; vectors[0].len()];
    for (v, &w) in vectors.iter().zip(weights) {
        axpy(w, v, &mut sum);
    }
    sum
}
