//! The largest eigenvalue of a symmetric operator and its eigenvector, product by product.
//!
//! Lanczos' method (1950) with full reorthogonalisation and thick restarts (Wu and Simon 2000): in the span of
//! orthonormal vectors `Q = [q_1 .. q_k]`, each the last product made orthogonal to all before, the best
//! approximations of eigenpairs are those of the small matrix `Q' A Q`. The products `A Q` are kept, so that the
//! residual `|A y - theta y|` is computed and not estimated. When the subspace is full, its best vectors stay.
//!
//! It is a machine to be fed: the caller multiplies [`Lanczos::vector`] by the operator in its own time and hands
//! the product to [`Lanczos::absorb`].

use crate::base::rng::Stream;

use super::estimator::{Estimator, estimate};
use super::operator::LinearOperator;
use super::subspace::{Ritz, Subspace, random_unit};
use super::vectors::{axpy, norm, scale};

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Converged when `|A y - theta y| <= tolerance |theta|`. The eigenvalue is closer than that: its error goes with
    /// the square of the residual over the gap to the next.
    pub tolerance: f64,
    /// Products after which the answer is given as it stands.
    pub most_products: usize,
    /// Products before which nothing is believed: what a warm start missed needs a chance to show.
    pub least_products: usize,
    /// Vectors kept, at least 4; each costs two vectors of memory.
    pub subspace: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { tolerance: 1e-3, most_products: 200, least_products: 1, subspace: 30 }
    }
}

/// The approximation of the largest eigenvalue, in the algebraic sense: of -3 and 1 it is 1, and of a negative
/// definite operator it is the negative number next to zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Eigenpair {
    pub value: f64,
    /// Of length 1.
    pub vector: Vec<f64>,
    /// `|A vector - value vector|`: some eigenvalue lies within it of `value`.
    pub residual: f64,
    pub converged: bool,
    /// Products spent.
    pub products: usize,
    /// A start for the next search, on a slightly different operator: the vector with a tenth of the runner-up, which
    /// may have overtaken it by then.
    pub next_start: Vec<f64>,
}

/// What [`Lanczos::absorb`] says.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// [`Lanczos::vector`] is to be multiplied.
    Wants,
    Finished(Box<Eigenpair>),
}

/// A search in progress.
#[derive(Clone, Debug)]
pub struct Lanczos {
    dim: usize,
    options: Options,
    random: Stream,
    space: Subspace,
    products: usize,
    /// No convergence is believed before so many products.
    least_products: usize,
    /// The subspace closed once, and the second look is under way or over.
    looked: bool,
}

/// Share of the start that is drawn anew when warm.
const FRESH: f64 = 0.05;
/// Directions to look into after the subspace closed under the operator.
const SECOND_LOOKS: usize = 8;

impl Lanczos {
    /// A search on `dim >= 1` numbers from a random vector, or from `warm` with a little randomness added. A warm
    /// start of another length, of length zero or with numbers that aren't finite is as good as none.
    pub fn new(dim: usize, warm: Option<&[f64]>, random: Stream, options: Options) -> Self {
        assert!(dim > 0, "an operator on no numbers has no eigenvalue");
        let options = Options { subspace: options.subspace.max(4), ..options };
        let mut search = Self {
            dim,
            options,
            random,
            space: Subspace::default(),
            products: 0,
            least_products: options.least_products.max(1).min(dim),
            looked: false,
        };
        let mut start = random_unit(&mut search.random, dim);
        if let Some(warm) = warm.filter(|warm| warm.len() == dim) {
            let length = norm(warm);
            if length > 0.0 && length.is_finite() {
                scale(FRESH, &mut start);
                axpy(1.0 / length, warm, &mut start);
                let length = norm(&start);
                scale(1.0 / length, &mut start);
            }
        }
        search.space.basis.push(start);
        search
    }

    /// The vector whose product is wanted, of length 1.
    pub fn vector(&self) -> &[f64] {
        self.space.waiting()
    }

    /// Products taken in so far.
    pub fn products(&self) -> usize {
        self.products
    }

    /// Takes the product of the operator and [`Self::vector`].
    pub fn absorb(&mut self, product: &[f64]) -> Progress {
        assert_eq!(product.len(), self.dim, "a product has the operator's dimension");
        self.products += 1;
        let size = norm(product);
        if !size.is_finite() {
            return Progress::Finished(Box::new(self.not_finite()));
        }
        let (mut next, rest) = self.space.absorb(product);
        let Some(ritz) = self.space.ritz() else { return Progress::Finished(Box::new(self.not_finite())) };

        let full = self.space.basis.len() == self.dim;
        let closed = rest <= 1e-12 * ritz.size.max(size) || full;
        if closed && !full && !self.looked {
            // The subspace is closed, and the largest eigenvalue may lie outside. Once: with few distinct eigenvalues it closes again
            // every few products.
            self.looked = true;
            self.least_products =
                self.least_products.max(self.products + SECOND_LOOKS.min(self.dim - self.space.basis.len()));
        }
        let (value, weights) = ritz.pair(0);
        let bound = self.options.tolerance * value.abs().max(1e-6 * ritz.size);
        // The short formula says when it is worth computing the residual.
        let promising = closed || rest * weights.last().map_or(0.0, |w| w.abs()) <= bound;
        let out_of_products = self.products >= self.options.most_products;
        let may_stop = self.products >= self.least_products || full;
        if out_of_products || (promising && may_stop) {
            let pair = self.eigenpair(&ritz, bound);
            if out_of_products || full || pair.converged {
                return Progress::Finished(Box::new(pair));
            }
        }
        if self.space.basis.len() >= self.options.subspace {
            self.restart(&ritz);
        }
        if closed {
            next = random_unit(&mut self.random, self.dim);
        }
        self.space.push_orthogonal(next, &mut self.random);
        Progress::Wants
    }

    fn eigenpair(&self, ritz: &Ritz, bound: f64) -> Eigenpair {
        let (value, weights) = ritz.pair(0);
        let vector = self.space.vector(weights);
        let residual = norm(&self.space.error(value, &vector, weights));
        let mut next_start = vector.clone();
        if ritz.values.len() > 1 {
            axpy(0.1, &self.space.vector(ritz.pair(1).1), &mut next_start);
        }
        let converged = residual <= bound && self.products >= self.least_products;
        Eigenpair { value, vector, residual, converged, products: self.products, next_start }
    }

    fn not_finite(&self) -> Eigenpair {
        let vector = self.space.basis[0].clone();
        Eigenpair {
            value: f64::NAN,
            next_start: vector.clone(),
            vector,
            residual: f64::NAN,
            converged: false,
            products: self.products,
        }
    }

    /// Keeps the upper part of the subspace.
    fn restart(&mut self, ritz: &Ritz) {
        let kept = (self.options.subspace / 3).max(2).min(ritz.values.len() - 1);
        self.space.keep(ritz, 0..kept);
    }
}

impl Estimator for Lanczos {
    type Output = Eigenpair;

    fn vector(&self) -> &[f64] {
        Self::vector(self)
    }

    fn products(&self) -> usize {
        Self::products(self)
    }

    fn absorb(&mut self, product: &[f64]) -> Option<Eigenpair> {
        match Self::absorb(self, product) {
            Progress::Wants => None,
            Progress::Finished(pair) => Some(*pair),
        }
    }
}

/// Runs a search on an operator to its end.
///
/// # Errors
/// The first error of a product.
pub fn run<A: LinearOperator>(operator: &mut A, mut search: Lanczos) -> Result<Eigenpair, A::Error> {
    estimate(operator, &mut search)
}

#[cfg(test)]
mod tests {
    use crate::linalg::fixtures::{random, with_spectrum};
    use crate::linalg::operator::Dense;

    use super::*;

    fn strict() -> Options {
        Options { tolerance: 1e-10, ..Options::default() }
    }

    #[track_caller]
    fn check(values: &[f64], options: Options, warm: Option<&[f64]>) -> Eigenpair {
        let mut a = with_spectrum(values);
        let search = Lanczos::new(values.len(), warm, random(1), options);
        let pair = run(&mut a, search).unwrap();
        let expect = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert!(pair.converged, "{pair:?}");
        assert!((pair.value - expect).abs() <= 1e-9 * expect.abs().max(1.0), "{} and not {expect}", pair.value);
        // The residual is what it says, by a product of our own.
        let mut image = vec![0.0; values.len()];
        a.apply(&pair.vector, &mut image).unwrap();
        axpy(-pair.value, &pair.vector, &mut image);
        assert!((norm(&image) - pair.residual).abs() < 1e-12 * expect.abs().max(1.0), "{}", pair.residual);
        assert!((norm(&pair.vector) - 1.0).abs() < 1e-12);
        pair
    }

    #[test]
    fn finds_the_largest_of_known_spectra() {
        // A Hessian's spectrum: a bulk about zero and a few outliers on both sides.
        let hessian: Vec<f64> = (0..60).map(|i| (f64::from(i) * 0.7).sin() * 0.1).chain([7.0, 3.0, -9.0]).collect();
        check(&hessian, strict(), None);
        // The largest magnitude is negative.
        check(&[-100.0, 1.0, 0.5, 0.0], strict(), None);
        // Negative definite: the one next to zero.
        check(&[-5.0, -4.0, -1.0, -3.0], strict(), None);
        // Twice the same.
        check(&[2.0, 2.0, 1.0, 0.0, -1.0], strict(), None);
        check(&[4.0], strict(), None);
        check(&[-4.0], strict(), None);
        check(&[3.0; 5], strict(), None);
        check(&[0.0; 3], strict(), None);
    }

    #[test]
    fn restarts_find_close_eigenvalues_in_a_small_subspace() {
        // 120 values with the top two 0.5 % apart: more products than the subspace holds vectors.
        let values: Vec<f64> =
            (0..120).map(|i| 1.0 - (f64::from(i) / 120.0).sqrt() + f64::from(u8::from(i == 0)) * 0.005).collect();
        let pair = check(&values, Options { subspace: 8, most_products: 5_000, ..strict() }, None);
        assert!(pair.products > 8, "{}", pair.products);
    }

    #[test]
    fn a_warm_start_saves_products_and_is_not_fooled() {
        let values: Vec<f64> = (0..80).map(|i| (f64::from(i) * 0.37).cos()).chain([2.0]).collect();
        let options = Options { tolerance: 1e-4, ..Options::default() };
        let mut a = with_spectrum(&values);
        let cold = run(&mut a, Lanczos::new(81, None, random(1), options)).unwrap();
        let warm = run(&mut a, Lanczos::new(81, Some(&cold.vector), random(2), options)).unwrap();
        assert!(warm.converged && warm.products < cold.products, "{} {}", warm.products, cold.products);

        // Started at an exact eigenvector that is not the largest one's.
        let n = 20;
        let mut diagonal = vec![0.0; n * n];
        for i in 0..n {
            diagonal[i * n + i] = i as f64;
        }
        let mut a = Dense::new(n, diagonal).unwrap();
        let mut start = vec![0.0; n];
        start[3] = 1.0;
        let mut search = Lanczos::new(n, Some(&start), random(3), strict());
        search.space.basis[0] = start;
        let pair = run(&mut a, search).unwrap();
        assert!(pair.converged && (pair.value - 19.0).abs() < 1e-9, "{pair:?}");
    }

    /// The subspace closes again and again; one second look is enough.
    #[test]
    fn a_spectrum_of_few_values_converges() {
        let values: Vec<f64> = (0..90).map(|i| [2.0, -2.0, 0.0][i % 3]).chain([3.5, 3.0]).collect();
        let pair = check(&values, strict(), None);
        assert!(pair.products < 30, "{}", pair.products);
    }

    #[test]
    fn running_out_of_products_is_a_value() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0).collect();
        let options = Options { tolerance: 1e-12, most_products: 3, ..Options::default() };
        let pair = run(&mut with_spectrum(&values), Lanczos::new(100, None, random(1), options)).unwrap();
        assert!(!pair.converged && pair.products == 3 && pair.residual > 0.0);
        // Some eigenvalue lies within the residual.
        assert!(values.iter().any(|v| (v - pair.value).abs() <= pair.residual));
    }

    #[test]
    fn what_is_not_finite_ends_the_search() {
        let mut a = Dense::new(2, vec![f64::NAN; 4]).unwrap();
        let pair = run(&mut a, Lanczos::new(2, None, random(1), strict())).unwrap();
        assert!(pair.value.is_nan() && !pair.converged);
        // A useless warm start is none.
        check(&[1.0, 2.0, 0.5], strict(), Some(&[f64::NAN, 0.0, 0.0]));
        check(&[1.0, 2.0, 0.5], strict(), Some(&[0.0, 0.0, 0.0]));
        check(&[1.0, 2.0, 0.5], strict(), Some(&[1.0]));
    }
}
