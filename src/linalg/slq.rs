//! The spectral density of a symmetric operator by stochastic Lanczos quadrature.
//!
//! For a random vector v of independent signs over sqrt(n), `E v' f(A) v = tr f(A) / n`, and m steps of Lanczos from v
//! give the Gauss quadrature of that: nodes `theta_i`, the eigenvalues of the m x m tridiagonal matrix, with weights
//! `tau_i^2`, the squares of the first entries of its eigenvectors. It is exact for polynomials of degree up to 2m - 1
//! (Golub and Welsch 1969; Ubaru, Chen and Saad 2017; for networks Ghorbani, Krishnan and Xiao 2019). Lanczos runs with full
//! reorthogonalisation, so no node is a ghost.

use crate::base::rng::Stream;

use super::estimator::{Estimator, estimate_all};
use super::operator::LinearOperator;
use super::spectrum::{Rule, SpectralMeasure};
use super::trace::signs;
use super::vectors::{axpy, dot, norm, scale};

/// How much is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Test vectors, at least 1; from 2 on, what is read off carries a standard error.
    pub test_vectors: usize,
    /// Lanczos steps m for each, at least 1: as many products, and as many vectors of memory.
    pub steps: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { test_vectors: 4, steps: 40 }
    }
}

/// Stochastic Lanczos quadrature in progress: an [`Estimator`] of a [`SpectralMeasure`]. The measure isn't finite if a product
/// isn't.
#[derive(Clone, Debug)]
pub struct LanczosQuadrature {
    dim: usize,
    options: Options,
    random: Stream,
    /// Orthonormal; the last one waits for its product.
    basis: Vec<Vec<f64>>,
    /// Of the tridiagonal matrix.
    diagonal: Vec<f64>,
    off_diagonal: Vec<f64>,
    rules: Vec<Rule>,
    products: usize,
}

impl LanczosQuadrature {
    /// On `dim >= 1` numbers.
    pub fn new(dim: usize, random: Stream, options: Options) -> Self {
        assert!(dim > 0, "an operator on no numbers has no spectrum");
        let options = Options { test_vectors: options.test_vectors.max(1), steps: options.steps.clamp(1, dim) };
        let mut search = Self {
            dim,
            options,
            random,
            basis: Vec::new(),
            diagonal: Vec::new(),
            off_diagonal: Vec::new(),
            rules: Vec::new(),
            products: 0,
        };
        search.begin();
        search
    }

    /// The measure of [`Self::new`] with the same test vectors, from `together` searches side by side, one test vector each, until
    /// all are done.
    ///
    /// # Errors
    /// The first error of a product.
    pub fn side_by_side<A: LinearOperator>(
        operator: &mut A,
        mut random: Stream,
        options: Options,
        together: usize,
    ) -> Result<SpectralMeasure, A::Error> {
        let dim = operator.dim();
        let alone = Options { test_vectors: 1, ..options };
        let (mut rules, mut products, mut left) = (Vec::new(), 0, options.test_vectors.max(1));
        while left > 0 {
            let count = left.min(together.max(1));
            let mut searches: Vec<Self> = (0..count)
                .map(|_| {
                    let search = Self::new(dim, random.clone(), alone);
                    // The next test vector begins where this one ends.
                    signs(&mut random, dim);
                    search
                })
                .collect();
            for found in estimate_all(operator, &mut searches)? {
                products += found.products;
                rules.extend(found.rules);
            }
            left -= count;
        }
        Ok(SpectralMeasure { dim, rules, products })
    }

    /// The measure from the test vectors that are done, for a picture that sharpens; `None` before the first.
    pub fn so_far(&self) -> Option<SpectralMeasure> {
        SpectralMeasure::new(self.dim, self.rules.clone(), self.products)
    }

    fn begin(&mut self) {
        let mut v = signs(&mut self.random, self.dim);
        scale(1.0 / (self.dim as f64).sqrt(), &mut v);
        self.basis = vec![v];
        self.diagonal.clear();
        self.off_diagonal.clear();
    }

    /// The Gauss rule of the tridiagonal matrix; not a number if that can't be diagonalised.
    fn rule(&self) -> Rule {
        let m = self.diagonal.len();
        let matrix = faer::Mat::<f64>::from_fn(m, m, |i, j| match i.abs_diff(j) {
            0 => self.diagonal[i],
            1 => self.off_diagonal[i.min(j)],
            _ => 0.0,
        });
        match matrix.self_adjoint_eigen(faer::Side::Lower) {
            Ok(found) => Rule {
                nodes: (0..m).map(|i| found.S().column_vector()[i]).collect(),
                weights: (0..m).map(|i| found.U()[(0, i)].powi(2)).collect(),
            },
            Err(_) => Rule::not_finite(),
        }
    }
}

impl Estimator for LanczosQuadrature {
    type Output = SpectralMeasure;

    fn vector(&self) -> &[f64] {
        self.basis.last().map_or(&[], Vec::as_slice)
    }

    fn products(&self) -> usize {
        self.products
    }

    fn absorb(&mut self, product: &[f64]) -> Option<SpectralMeasure> {
        assert_eq!(product.len(), self.dim, "a product has the operator's dimension");
        self.products += 1;
        let size = norm(product);
        if !size.is_finite() {
            self.rules.push(Rule::not_finite());
            return self.so_far();
        }
        let mut next = product.to_vec();
        self.diagonal.push(dot(self.vector(), product));
        for _ in 0..2 {
            for q in &self.basis {
                axpy(-dot(q, &next), q, &mut next);
            }
        }
        let rest = norm(&next);
        let scale_of_a = self.diagonal.iter().chain(&self.off_diagonal).fold(size, |m, x| m.max(x.abs()));
        // A closed subspace: the rule is exact for every function.
        if self.basis.len() < self.options.steps && rest > 1e-12 * scale_of_a {
            self.off_diagonal.push(rest);
            scale(1.0 / rest, &mut next);
            self.basis.push(next);
            return None;
        }
        self.rules.push(self.rule());
        if self.rules.len() == self.options.test_vectors {
            return self.so_far();
        }
        self.begin();
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::linalg::estimator::estimate;
    use crate::linalg::fixtures::{diagonal, random, with_spectrum};
    use crate::linalg::operator::{Dense, LinearOperator};

    use super::*;

    fn measure(a: &mut Dense, seed: u64, test_vectors: usize, steps: usize) -> SpectralMeasure {
        let dim = a.dim();
        estimate(a, &mut LanczosQuadrature::new(dim, random(seed), Options { test_vectors, steps })).unwrap()
    }

    #[test]
    fn moments_are_exact_up_to_twice_the_steps() {
        // Signs weigh all eigenvectors of a diagonal matrix alike, so there each rule alone has the moments of the spectrum.
        for k in [8, 20, 50] {
            let values: Vec<f64> = (1..=k).map(f64::from).collect();
            let steps = 6;
            let found = measure(&mut diagonal(&values), 3, 2, steps);
            assert_eq!(found.products, 2 * steps);
            let known = |j: i32| values.iter().map(|x| x.powi(j)).sum::<f64>() / f64::from(k);
            for j in 0..2 * steps as i32 {
                let moment = found.moment(j);
                assert!((moment.value / known(j) - 1.0).abs() < 1e-10, "{k} {j}: {} {}", moment.value, known(j));
                assert!(moment.standard_error <= 1e-10 * known(j));
            }
            // And not beyond: the next one is the first that the nodes get wrong.
            let next = found.moment(2 * steps as i32).value / known(2 * steps as i32) - 1.0;
            assert!(next < -1e-12, "{k}: {next}");
        }
    }

    #[test]
    fn side_by_side_is_the_same_measure() {
        let mut a = with_spectrum(&(0..80).map(|i| (f64::from(i) * 0.7).sin()).chain([7.0]).collect::<Vec<_>>());
        let options = Options { test_vectors: 5, steps: 9 };
        let known = measure(&mut a, 6, 5, 9);
        for together in [1, 2, 5, 9] {
            let found = LanczosQuadrature::side_by_side(&mut a, random(6), options, together).unwrap();
            assert_eq!(found, known, "{together}");
        }
        let mut broken = Dense::new(2, vec![f64::NAN; 4]).unwrap();
        let found = LanczosQuadrature::side_by_side(&mut broken, random(1), options, 3).unwrap();
        assert!(found.moment(1).value.is_nan());
    }

    #[test]
    fn nodes_are_the_spectrum_once_the_subspace_closes() {
        // Three eigenvalues, two of them repeated: three steps see all there is.
        let values: Vec<f64> = [(4.0, 5), (-1.0, 20), (0.0, 15)].iter().flat_map(|&(x, n)| vec![x; n]).collect();
        let found = measure(&mut with_spectrum(&values), 1, 40, 30);
        assert!(found.products == 3 * 40, "{}", found.products);
        for rule in &found.rules {
            for (node, known) in rule.nodes.iter().zip([-1.0, 0.0, 4.0]) {
                assert!((node - known).abs() < 1e-12, "{:?}", rule.nodes);
            }
            assert!((rule.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        for (range, share) in [((3.5, 4.5), 0.125), ((-1.5, -0.5), 0.5), ((-0.5, 0.5), 0.375)] {
            let estimate = found.share(range.0, range.1);
            assert!((estimate.value - share).abs() < 4.0 * estimate.standard_error, "{estimate:?} {share}");
        }
        let zero = measure(&mut with_spectrum(&[0.0; 9]), 1, 2, 5);
        assert_eq!((zero.range(), zero.moment(1).value), ([0.0, 0.0], 0.0));
    }

    #[test]
    fn the_density_integrates_to_one_and_has_the_moments() {
        let values: Vec<f64> = (0..200).map(|i| (f64::from(i) * 0.7).sin()).chain([5.0, 6.0]).collect();
        let found = measure(&mut with_spectrum(&values), 2, 5, 30);
        let density = found.density(2_001, 0.01);
        let width = density.grid[1] - density.grid[0];
        let integral =
            |f: fn(f64) -> f64| density.grid.iter().zip(&density.values).map(|(&t, p)| f(t) * p * width).sum::<f64>();
        assert!((integral(|_| 1.0) - 1.0).abs() < 1e-4, "{}", integral(|_| 1.0));
        assert!((integral(|t| t) - found.moment(1).value).abs() < 1e-3);
        // Smoothing adds its variance.
        let second = found.moment(2).value + density.sigma.powi(2);
        assert!((integral(|t| t * t) - second).abs() < 5e-3, "{} {second}", integral(|t| t * t));
        assert!(density.standard_errors.iter().all(|e| e.is_finite()));
        let single = measure(&mut with_spectrum(&[2.0; 4]), 2, 1, 3).density(101, 0.1);
        assert!((single.sigma - 0.2).abs() < 1e-9 && single.standard_errors[50] == f64::INFINITY);
    }

    #[test]
    fn standard_errors_cover_the_truth_over_many_seeds() {
        let values: Vec<f64> = (0..60).map(|i| (f64::from(i) * 0.7).sin()).chain([4.0, -2.0]).collect();
        let mut a = with_spectrum(&values);
        let mean = |f: fn(f64) -> f64| values.iter().map(|&x| f(x)).sum::<f64>() / values.len() as f64;
        // Entire, so that 25 steps have no error of their own.
        let f = |x: f64| x.exp();
        let scores: Vec<f64> = (0..200)
            .map(|seed| {
                let found = measure(&mut a, seed, 12, 25).mean(f);
                (found.value - mean(f)) / found.standard_error
            })
            .collect();
        // Student's t with 11 degrees of freedom: 5 % beyond 2.201. Of 200, 10 +- 3.1.
        let beyond = scores.iter().filter(|z| z.abs() > 2.201).count();
        assert!((1..=22).contains(&beyond), "{beyond}");
    }

    #[test]
    fn what_is_not_finite_ends_the_measurement() {
        let found = measure(&mut Dense::new(2, vec![f64::NAN; 4]).unwrap(), 1, 3, 2);
        assert!(found.moment(1).value.is_nan() && found.range()[0].is_nan() && found.products == 1);
    }
}
