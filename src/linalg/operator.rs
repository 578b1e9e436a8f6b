//! Linear maps that are known only by what they do to a vector.

/// A square linear map on `dim` numbers.
///
/// Algorithms take any operator, so that they are tested on small matrices with known spectra.
pub trait LinearOperator {
    /// What can go wrong in a product.
    type Error;

    fn dim(&self) -> usize;

    /// `out <- A v`; both slices have [`Self::dim`] entries.
    ///
    /// # Errors
    /// Whatever the operator says; `out` then holds nothing of use.
    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<(), Self::Error>;

    /// The products with several vectors, equal to those one by one. Operators whose products share work, or that can do several
    /// at a time, override it.
    ///
    /// # Errors
    /// The first error of a product.
    fn apply_many(&mut self, vectors: &[&[f64]]) -> Result<Vec<Vec<f64>>, Self::Error> {
        let mut products = Vec::with_capacity(vectors.len());
        for v in vectors {
            let mut product = vec![0.0; self.dim()];
            self.apply(v, &mut product)?;
            products.push(product);
        }
        Ok(products)
    }
}

/// An operator whose products can be interrupted, so that live probes work in pieces of some 15 ms.
pub trait PiecewiseOperator: LinearOperator {
    /// Begins the product with `v`; an unfinished product is dropped.
    ///
    /// # Errors
    /// Whatever the operator says.
    fn begin(&mut self, v: &[f64]) -> Result<(), Self::Error>;

    /// Does a piece of the product that was begun; `Some(A v)` when it is complete.
    ///
    /// # Errors
    /// Whatever the operator says; the product is then to be begun anew.
    fn advance(&mut self) -> Result<Option<&[f64]>, Self::Error>;
}

/// A dense row-major matrix `[n, n]` as an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    n: usize,
    values: Vec<f64>,
}

impl Dense {
    /// `None` unless there are n times n values.
    pub fn new(n: usize, values: Vec<f64>) -> Option<Self> {
        (values.len() == n * n).then_some(Self { n, values })
    }

    /// The matrix of any operator, by its products with the basis vectors: column j is `A e_j`.
    ///
    /// # Errors
    /// The first error of a product.
    pub fn of<A: LinearOperator>(operator: &mut A) -> Result<Self, A::Error> {
        let n = operator.dim();
        let mut values = vec![0.0; n * n];
        let (mut basis, mut column) = (vec![0.0; n], vec![0.0; n]);
        for j in 0..n {
            basis[j] = 1.0;
            operator.apply(&basis, &mut column)?;
            basis[j] = 0.0;
            for (i, &x) in column.iter().enumerate() {
                values[i * n + j] = x;
            }
        }
        Ok(Self { n, values })
    }

    /// Number of rows n.
    pub fn side(&self) -> usize {
        self.n
    }

    /// Row-major.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    pub fn get(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.n + column]
    }

    /// Largest `|A_ij - A_ji|` over the largest `|A_ij|`: 0 for symmetric matrices.
    pub fn asymmetry(&self) -> f64 {
        let size = self.values.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        let mut largest = 0.0_f64;
        for i in 0..self.n {
            for j in 0..i {
                largest = largest.max((self.get(i, j) - self.get(j, i)).abs());
            }
        }
        if size > 0.0 { largest / size } else { 0.0 }
    }

    /// Eigenvalues of `(A + A') / 2`, ascending; `None` if an entry isn't finite.
    pub fn symmetric_eigenvalues(&self) -> Option<Vec<f64>> {
        let matrix = faer::Mat::<f64>::from_fn(self.n, self.n, |i, j| f64::midpoint(self.get(i, j), self.get(j, i)));
        matrix.self_adjoint_eigenvalues(faer::Side::Lower).ok()
    }
}

impl LinearOperator for Dense {
    type Error = std::convert::Infallible;

    fn dim(&self) -> usize {
        self.n
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<(), Self::Error> {
        for (row, out) in self.values.chunks_exact(self.n.max(1)).zip(out) {
            *out = super::vectors::dot(row, v);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_of_a_dense_operator_is_itself() {
        let mut a = Dense::new(3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0]).unwrap();
        assert_eq!(Dense::of(&mut a).unwrap(), a);
        assert!((a.asymmetry() - 0.4).abs() < 1e-15);
        assert!(Dense::new(2, vec![1.0]).is_none());
    }

    #[test]
    fn eigenvalues_of_a_known_matrix() {
        // [[2, 1], [1, 2]] has 1 and 3.
        let found = Dense::new(2, vec![2.0, 1.0, 1.0, 2.0]).unwrap().symmetric_eigenvalues().unwrap();
        assert!((found[0] - 1.0).abs() < 1e-14 && (found[1] - 3.0).abs() < 1e-14, "{found:?}");
    }
}
