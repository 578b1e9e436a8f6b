//! Operators made of others: a block, a diagonal scaling, a difference.

use std::ops::Range;

use super::estimator::Estimator;
use super::operator::{LinearOperator, PiecewiseOperator};
use super::vectors::{dot, norm};

/// The diagonal block `P' A P` of the coordinates in a few ranges, such as one layer's parameters: `P` puts a short vector into
/// these places and zeros elsewhere.
#[derive(Clone, Debug)]
pub struct Block<A> {
    operator: A,
    ranges: Vec<Range<usize>>,
    whole: Vec<f64>,
    part: Vec<f64>,
}

impl<A> Block<A> {
    /// Of an operator on `dim` numbers. `None` unless the ranges ascend, don't overlap, end by `dim` and hold a number.
    pub fn new(operator: A, dim: usize, ranges: Vec<Range<usize>>) -> Option<Self> {
        let mut end = 0;
        for range in &ranges {
            if range.start < end || range.end < range.start || range.end > dim {
                return None;
            }
            end = range.end;
        }
        let len: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        (len > 0).then(|| Self { operator, ranges, whole: vec![0.0; dim], part: vec![0.0; len] })
    }

    fn embed(&mut self, v: &[f64]) {
        let mut from = 0;
        for range in &self.ranges {
            self.whole[range.clone()].copy_from_slice(&v[from..from + range.len()]);
            from += range.len();
        }
    }
}

/// The parts of `whole` in these ranges, one after the other.
fn extract(whole: &[f64], ranges: &[Range<usize>], part: &mut [f64]) {
    let mut from = 0;
    for range in ranges {
        part[from..from + range.len()].copy_from_slice(&whole[range.clone()]);
        from += range.len();
    }
}

impl<A: LinearOperator> LinearOperator for Block<A> {
    type Error = A::Error;

    fn dim(&self) -> usize {
        self.part.len()
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<(), A::Error> {
        self.embed(v);
        let mut product = vec![0.0; self.whole.len()];
        self.operator.apply(&self.whole, &mut product)?;
        extract(&product, &self.ranges, out);
        Ok(())
    }
}

impl<A: PiecewiseOperator> PiecewiseOperator for Block<A> {
    fn begin(&mut self, v: &[f64]) -> Result<(), A::Error> {
        self.embed(v);
        self.operator.begin(&self.whole)
    }

    fn advance(&mut self) -> Result<Option<&[f64]>, A::Error> {
        let Self { operator, ranges, part, .. } = self;
        Ok(operator.advance()?.map(|product| {
            extract(product, ranges, part);
            part.as_slice()
        }))
    }
}

/// `S A S` with a diagonal S, symmetric if A is, with the eigenvalues of `S^2 A`.
///
/// With the square roots of the learning-rate factors of the parameters it is the curvature that gradient descent feels,
/// `D^(1/2) H D^(1/2)`; with `s = (sqrt(v) + eps)^(-1/2)` it is the one that Adam feels, `P^(-1/2) H P^(-1/2)` (Cohen et al. 2022,
/// Adaptive Gradient Methods at the Edge of Stability).
#[derive(Clone, Debug)]
pub struct Scaled<A> {
    operator: A,
    factors: Vec<f64>,
    scaled: Vec<f64>,
}

impl<A> Scaled<A> {
    /// By the diagonal S itself.
    pub fn new(operator: A, factors: Vec<f64>) -> Self {
        let scaled = vec![0.0; factors.len()];
        Self { operator, factors, scaled }
    }

    /// `D^(1/2) A D^(1/2)` for a diagonal D: `None` if one of its entries is negative or isn't finite.
    pub fn by_root_of(operator: A, diagonal: &[f64]) -> Option<Self> {
        let fine = diagonal.iter().all(|d| *d >= 0.0 && d.is_finite());
        fine.then(|| Self::new(operator, diagonal.iter().map(|d| d.sqrt()).collect()))
    }

    /// `P^(-1/2) A P^(-1/2)` for a diagonal P, such as Adam's `sqrt(v / (1 - beta2^t)) + eps`: `None` if one of its entries isn't
    /// positive and finite.
    pub fn by_inverse_root_of(operator: A, diagonal: &[f64]) -> Option<Self> {
        let fine = diagonal.iter().all(|p| *p > 0.0 && p.is_finite());
        fine.then(|| Self::new(operator, diagonal.iter().map(|p| p.sqrt().recip()).collect()))
    }

    fn scale(&mut self, v: &[f64]) {
        assert_eq!(v.len(), self.factors.len(), "a diagonal has the operator's dimension");
        for ((scaled, v), factor) in self.scaled.iter_mut().zip(v).zip(&self.factors) {
            *scaled = factor * v;
        }
    }
}

impl<A: LinearOperator> LinearOperator for Scaled<A> {
    type Error = A::Error;

    fn dim(&self) -> usize {
        self.factors.len()
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<(), A::Error> {
        self.scale(v);
        self.operator.apply(&self.scaled, out)?;
        for (out, factor) in out.iter_mut().zip(&self.factors) {
            *out *= factor;
        }
        Ok(())
    }

    fn apply_many(&mut self, vectors: &[&[f64]]) -> Result<Vec<Vec<f64>>, A::Error> {
        let times = |v: &[f64]| v.iter().zip(&self.factors).map(|(v, factor)| factor * v).collect::<Vec<f64>>();
        let scaled: Vec<Vec<f64>> = vectors.iter().map(|v| times(v)).collect();
        let products = self.operator.apply_many(&scaled.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        Ok(products.iter().map(|product| times(product)).collect())
    }
}

impl<A: PiecewiseOperator> PiecewiseOperator for Scaled<A> {
    fn begin(&mut self, v: &[f64]) -> Result<(), A::Error> {
        self.scale(v);
        self.operator.begin(&self.scaled)
    }

    fn advance(&mut self) -> Result<Option<&[f64]>, A::Error> {
        let Self { operator, factors, scaled } = self;
        Ok(operator.advance()?.map(|product| {
            for ((scaled, product), factor) in scaled.iter_mut().zip(product).zip(factors) {
                *scaled = *factor * product;
            }
            scaled.as_slice()
        }))
    }
}

/// `A - B`: of the Hessian and its Gauss-Newton part, what the curvature of the network's outputs adds.
#[derive(Clone, Debug)]
pub struct Difference<A, B> {
    left: A,
    right: B,
    product: Vec<f64>,
}

impl<A: LinearOperator, B: LinearOperator<Error = A::Error>> Difference<A, B> {
    /// # Panics
    /// If the operators have different dimensions.
    pub fn new(left: A, right: B) -> Self {
        assert_eq!(left.dim(), right.dim(), "operators of one dimension have a difference");
        let product = vec![0.0; left.dim()];
        Self { left, right, product }
    }
}

impl<A: LinearOperator, B: LinearOperator<Error = A::Error>> LinearOperator for Difference<A, B> {
    type Error = A::Error;

    fn dim(&self) -> usize {
        self.left.dim()
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<(), A::Error> {
        self.left.apply(v, out)?;
        self.right.apply(v, &mut self.product)?;
        for (out, product) in out.iter_mut().zip(&self.product) {
            *out -= product;
        }
        Ok(())
    }
}

/// The curvature along a direction from one product.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RayleighQuotient {
    /// `v' A v / |v|^2`; along the gradient, with the Hessian, the directional sharpness `g' H g / |g|^2`.
    pub value: f64,
    /// `|A v - value v| / |v|`: some eigenvalue lies within it of `value`.
    pub residual: f64,
}

impl RayleighQuotient {
    /// `None` if v is zero, or a number isn't finite.
    pub fn new(v: &[f64], product: &[f64]) -> Option<Self> {
        let length = norm(v);
        let value = dot(v, product) / length / length;
        let residual = v.iter().zip(product).map(|(v, av)| (av - value * v).powi(2)).sum::<f64>().sqrt() / length;
        (value.is_finite() && residual.is_finite()).then_some(Self { value, residual })
    }
}

/// The curvature along a given direction, such as the gradient, as an [`Estimator`] of one product.
#[derive(Clone, Debug)]
pub struct Along {
    direction: Vec<f64>,
    products: usize,
}

impl Along {
    pub fn new(direction: Vec<f64>) -> Self {
        Self { direction, products: 0 }
    }
}

impl Estimator for Along {
    /// `None` as in [`RayleighQuotient::new`].
    type Output = Option<RayleighQuotient>;

    fn vector(&self) -> &[f64] {
        &self.direction
    }

    fn products(&self) -> usize {
        self.products
    }

    fn absorb(&mut self, product: &[f64]) -> Option<Self::Output> {
        self.products += 1;
        Some(RayleighQuotient::new(&self.direction, product))
    }
}

#[cfg(test)]
mod tests {
    use crate::linalg::estimator::estimate;
    use crate::linalg::fixtures::{diagonal, with_spectrum};
    use crate::linalg::operator::Dense;

    use super::*;

    /// A dense operator whose product takes one piece a row.
    struct Rows(Dense, Vec<f64>, Vec<f64>, usize);

    impl Rows {
        fn new(a: Dense) -> Self {
            let n = a.dim();
            Self(a, vec![0.0; n], vec![0.0; n], 0)
        }
    }

    impl LinearOperator for Rows {
        type Error = std::convert::Infallible;

        fn dim(&self) -> usize {
            self.0.dim()
        }

        fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<(), Self::Error> {
            self.0.apply(v, out)
        }
    }

    impl PiecewiseOperator for Rows {
        fn begin(&mut self, v: &[f64]) -> Result<(), Self::Error> {
            (self.1, self.3) = (v.to_vec(), 0);
            Ok(())
        }

        fn advance(&mut self) -> Result<Option<&[f64]>, Self::Error> {
            self.2[self.3] = (0..self.0.dim()).map(|j| self.0.get(self.3, j) * self.1[j]).sum();
            self.3 += 1;
            Ok((self.3 == self.0.dim()).then_some(&self.2))
        }
    }

    fn matrix() -> Dense {
        with_spectrum(&[3.0, -1.0, 0.5, 2.0, 0.1])
    }

    /// An entry is what it should be, at once and piece by piece.
    #[track_caller]
    fn check<A: PiecewiseOperator<Error = std::convert::Infallible>>(
        mut found: A,
        known: impl Fn(usize, usize) -> f64,
    ) {
        let n = found.dim();
        let dense = Dense::of(&mut found).unwrap();
        for j in 0..n {
            let basis: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i == j))).collect();
            found.begin(&basis).unwrap();
            let column = loop {
                if let Some(product) = found.advance().unwrap() {
                    break product.to_vec();
                }
            };
            for (i, &x) in column.iter().enumerate() {
                assert!((dense.get(i, j) - known(i, j)).abs() < 1e-14, "{i} {j}");
                assert!((x - known(i, j)).abs() < 1e-14, "{i} {j}, in pieces");
            }
        }
    }

    #[test]
    fn a_block_is_the_rows_and_columns_of_its_ranges() {
        let at = [1, 3, 4];
        let a = matrix();
        check(Block::new(Rows::new(matrix()), 5, vec![1..2, 3..5]).unwrap(), |i, j| a.get(at[i], at[j]));
        for bad in [&[][..], &[(2, 2)], &[(0, 6)], &[(2, 4), (3, 5)], &[(3, 4), (0, 1)]] {
            assert!(Block::new(matrix(), 5, bad.iter().map(|&(from, to)| from..to).collect()).is_none());
        }
    }

    #[test]
    fn a_scaling_multiplies_rows_and_columns() {
        let (a, d) = (matrix(), [4.0, 1.0, 0.25, 9.0, 0.0]);
        check(Scaled::by_root_of(Rows::new(matrix()), &d).unwrap(), |i, j| d[i].sqrt() * a.get(i, j) * d[j].sqrt());
        let p = [4.0, 1.0, 0.25, 9.0, 1e-8];
        let known = |i: usize, j: usize| a.get(i, j) / f64::sqrt(p[i] * p[j]);
        let scaled = Scaled::by_inverse_root_of(matrix(), &p).unwrap();
        let dense = Dense::of(&mut { scaled }).unwrap();
        assert!((dense.get(4, 0) / known(4, 0) - 1.0).abs() < 1e-14 && dense.asymmetry() < 1e-15);
        assert!(Scaled::by_inverse_root_of(matrix(), &d).is_none());
        assert!(Scaled::by_root_of(matrix(), &[-1.0; 5]).is_none());
        assert!(Scaled::by_root_of(matrix(), &[f64::NAN; 5]).is_none());
    }

    #[test]
    fn a_difference_subtracts_entries() {
        let (a, b) = (matrix(), with_spectrum(&[1.0, 2.0, -0.5, 0.0, 4.0]));
        let found = Dense::of(&mut Difference::new(a.clone(), b.clone())).unwrap();
        for (i, value) in found.values().iter().enumerate() {
            assert!((value - (a.values()[i] - b.values()[i])).abs() < 1e-15);
        }
    }

    #[test]
    fn a_preconditioned_spectrum_is_that_of_the_product() {
        // Of two diagonals all is known: eigenvalues a_i / p_i.
        let mut scaled = Scaled::by_inverse_root_of(diagonal(&[3.0, -2.0]), &[0.5, 4.0]).unwrap();
        let found = Dense::of(&mut scaled).unwrap().symmetric_eigenvalues().unwrap();
        assert!((found[0] + 0.5).abs() < 1e-14 && (found[1] - 6.0).abs() < 1e-14, "{found:?}");
    }

    #[test]
    fn the_rayleigh_quotient_lies_within_its_residual_of_an_eigenvalue() {
        let (mut a, v) = (matrix(), [1.0, 2.0, -1.0, 0.3, 0.0]);
        let mut product = [0.0; 5];
        a.apply(&v, &mut product).unwrap();
        let found = RayleighQuotient::new(&v, &product).unwrap();
        assert!([3.0, -1.0, 0.5, 2.0, 0.1].iter().any(|x| (x - found.value).abs() <= found.residual));
        assert_eq!(estimate(&mut a, &mut Along::new(v.to_vec())).unwrap(), Some(found));
        let twice: Vec<f64> = v.iter().map(|x| 2.0 * x).collect();
        let same = RayleighQuotient::new(&twice, &product.map(|x| 2.0 * x)).unwrap();
        assert!((same.value - found.value).abs() < 1e-14 && (same.residual - found.residual).abs() < 1e-14);
        assert_eq!(
            RayleighQuotient::new(&[0.0, 2.0], &[0.0, 6.0]),
            Some(RayleighQuotient { value: 3.0, residual: 0.0 })
        );
        assert!(RayleighQuotient::new(&[0.0; 2], &[0.0; 2]).is_none());
    }
}
