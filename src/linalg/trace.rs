//! The trace and the Frobenius norm of an operator from random products (Hutchinson 1989).

use rand::RngCore;

use crate::base::rng::Stream;

use super::estimator::Estimator;
use super::operator::LinearOperator;
use super::vectors::dot;

/// Mean of independent samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampled {
    pub value: f64,
    /// Estimated standard deviation of `value`, `s / sqrt(samples)`; infinite if there is one sample.
    pub standard_error: f64,
    pub samples: usize,
}

impl Sampled {
    /// Of at least one sample.
    pub fn of(samples: &[f64]) -> Self {
        let n = samples.len() as f64;
        let value = samples.iter().sum::<f64>() / n;
        let squares: f64 = samples.iter().map(|x| (x - value).powi(2)).sum();
        let standard_error = if samples.len() > 1 { (squares / (n - 1.0) / n).sqrt() } else { f64::INFINITY };
        Self { value, standard_error, samples: samples.len() }
    }

    pub(super) fn plus(self, constant: f64) -> Self {
        Self { value: self.value + constant, ..self }
    }
}

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Test vectors, at most; at least 2.
    pub most_products: usize,
    /// Test vectors before which no standard error is believed.
    pub least_products: usize,
    /// Converged when the standard error is at most this share of the trace's magnitude. Stopping at the first time that it
    /// is favours low guesses of the error, by less the larger `least_products`.
    pub tolerance: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { most_products: 100, least_products: 10, tolerance: 1e-2 }
    }
}

/// A trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trace {
    pub value: f64,
    pub standard_error: f64,
    pub converged: bool,
    /// Products spent.
    pub products: usize,
    /// `|A|_F^2`, from the same products.
    pub frobenius_squared: Sampled,
}

/// Hutchinson's estimator in progress: an [`Estimator`] of a [`Trace`].
///
/// With test vectors v of independent signs, `E v' A v = tr A` with variance `2 sum_(i != j) a_ij^2` for symmetric A, and
/// `E |A v|^2 = |A|_F^2`.
#[derive(Clone, Debug)]
pub struct Hutchinson {
    options: Options,
    random: Stream,
    test_vector: Vec<f64>,
    forms: Vec<f64>,
    squares: Vec<f64>,
}

impl Hutchinson {
    /// On `dim >= 1` numbers.
    pub fn new(dim: usize, mut random: Stream, options: Options) -> Self {
        assert!(dim > 0, "an operator on no numbers has no trace to estimate");
        let options = Options { most_products: options.most_products.max(2), ..options };
        let test_vector = signs(&mut random, dim);
        Self { options, random, test_vector, forms: Vec::new(), squares: Vec::new() }
    }
}

/// The trace from `test_vectors >= 2` vectors of signs, `together` of them multiplied at a time: what [`Hutchinson`] finds with the same
/// stream when it is told to use them all.
///
/// # Errors
/// The first error of a product.
pub fn hutchinson<A: LinearOperator>(
    operator: &mut A,
    random: Stream,
    test_vectors: usize,
    together: usize,
) -> Result<Trace, A::Error> {
    let dim = operator.dim();
    let options = Options { most_products: test_vectors, least_products: usize::MAX, tolerance: 0.0 };
    let mut search = Hutchinson::new(dim, random, options);
    loop {
        let count = together.max(1).min(search.options.most_products - search.products());
        // The search draws its next vector when it has taken in the product of the last: these are the same.
        let mut ahead = search.random.clone();
        let mut vectors = vec![search.test_vector.clone()];
        vectors.extend((1..count).map(|_| signs(&mut ahead, dim)));
        let vectors: Vec<&[f64]> = vectors.iter().map(Vec::as_slice).collect();
        for product in operator.apply_many(&vectors)? {
            if let Some(trace) = search.absorb(&product) {
                return Ok(trace);
            }
        }
    }
}

impl Estimator for Hutchinson {
    type Output = Trace;

    fn vector(&self) -> &[f64] {
        &self.test_vector
    }

    fn products(&self) -> usize {
        self.forms.len()
    }

    fn absorb(&mut self, product: &[f64]) -> Option<Trace> {
        self.forms.push(dot(&self.test_vector, product));
        self.squares.push(dot(product, product));
        let found = Sampled::of(&self.forms);
        let products = self.forms.len();
        let close = found.standard_error <= self.options.tolerance * found.value.abs();
        let converged = close && products >= self.options.least_products.max(2);
        if converged || products >= self.options.most_products || !found.value.is_finite() {
            return Some(Trace {
                value: found.value,
                standard_error: found.standard_error,
                converged,
                products,
                frobenius_squared: Sampled::of(&self.squares),
            });
        }
        self.test_vector = signs(&mut self.random, self.test_vector.len());
        None
    }
}

/// `n` independent signs, each +1 or -1 with probability 1/2.
pub(super) fn signs(random: &mut Stream, n: usize) -> Vec<f64> {
    let mut bits = 0;
    (0..n)
        .map(|i| {
            if i % 64 == 0 {
                bits = random.next_u64();
            }
            let sign = if bits & 1 == 0 { 1.0 } else { -1.0 };
            bits >>= 1;
            sign
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::linalg::estimator::estimate;
    use crate::linalg::fixtures::{diagonal, random, with_spectrum};
    use crate::linalg::operator::{Dense, LinearOperator};

    use super::*;

    fn hutchinson(a: &mut Dense, seed: u64, products: usize) -> Trace {
        let options = Options { most_products: products, tolerance: 0.0, ..Options::default() };
        let dim = a.dim();
        estimate(a, &mut Hutchinson::new(dim, random(seed), options)).unwrap()
    }

    /// Mean and variance.
    fn moments(samples: &[f64]) -> (f64, f64) {
        let n = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / n;
        (mean, samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0))
    }

    #[test]
    fn is_unbiased_with_the_predicted_variance() {
        let values: Vec<f64> = (0..20).map(|i| (f64::from(i) * 0.9).cos()).chain([3.0, -2.0]).collect();
        let mut a = with_spectrum(&values);
        let n = values.len();
        let off_diagonal: f64 = (0..n * n).filter(|ij| ij / n != ij % n).map(|ij| a.get(ij / n, ij % n).powi(2)).sum();
        let (products, seeds) = (8, 2_000);
        let found: Vec<Trace> = (0..seeds).map(|seed| hutchinson(&mut a, seed, products)).collect();
        let (mean, variance) = moments(&found.iter().map(|t| t.value).collect::<Vec<_>>());
        let predicted = 2.0 * off_diagonal / products as f64;
        let known: f64 = values.iter().sum();
        assert!((mean - known).abs() < 4.0 * (predicted / seeds as f64).sqrt(), "{mean} {known}");
        // A variance from 2,000 near-normal values has a relative error of 3.2 %.
        assert!((variance / predicted - 1.0).abs() < 0.15, "{variance} {predicted}");
        // The standard error that a reading carries is of that size on average.
        let squares = found.iter().map(|t| t.standard_error.powi(2)).sum::<f64>() / seeds as f64;
        assert!((squares / predicted - 1.0).abs() < 0.1, "{squares} {predicted}");
        let (frobenius, spread) = moments(&found.iter().map(|t| t.frobenius_squared.value).collect::<Vec<_>>());
        let known: f64 = values.iter().map(|x| x * x).sum();
        assert!((frobenius - known).abs() < 4.0 * (spread / seeds as f64).sqrt(), "{frobenius} {known}");
    }

    #[test]
    fn is_exact_for_diagonals_and_stops_at_once() {
        let mut a = diagonal(&[1.0, -2.0, 5.0]);
        let found = estimate(&mut a, &mut Hutchinson::new(3, random(1), Options::default())).unwrap();
        assert_eq!((found.value, found.standard_error, found.converged, found.products), (4.0, 0.0, true, 10));
        assert_eq!(found.frobenius_squared.value, 30.0);
        let zero = estimate(&mut diagonal(&[0.0; 3]), &mut Hutchinson::new(3, random(1), Options::default())).unwrap();
        assert!(zero.value == 0.0 && zero.converged);
    }

    #[test]
    fn several_vectors_at_once_give_the_same_trace() {
        let mut a = with_spectrum(&(0..70).map(|i| (f64::from(i) * 0.9).cos()).collect::<Vec<_>>());
        let known = hutchinson(&mut a, 4, 11);
        for together in [1, 3, 4, 50] {
            assert_eq!(super::hutchinson(&mut a, random(4), 11, together).unwrap(), known, "{together}");
        }
        let mut broken = Dense::new(2, vec![f64::NAN; 4]).unwrap();
        assert!(super::hutchinson(&mut broken, random(2), 5, 3).unwrap().value.is_nan());
    }

    #[test]
    fn not_converged_is_a_value() {
        // Traceless: no relative error is ever small.
        let mut a = with_spectrum(&[1.0, -1.0, 2.0, -2.0, 3.0, -3.0]);
        let found = estimate(&mut a, &mut Hutchinson::new(6, random(2), Options::default())).unwrap();
        assert!(!found.converged && found.products == 100 && found.value.abs() < 4.0 * found.standard_error);
        let mut broken = Dense::new(2, vec![f64::NAN; 4]).unwrap();
        let found = estimate(&mut broken, &mut Hutchinson::new(2, random(2), Options::default())).unwrap();
        assert!(found.value.is_nan() && !found.converged && found.products == 1);
        assert_eq!(Sampled::of(&[3.0]).standard_error, f64::INFINITY);
    }

    #[test]
    fn signs_are_balanced() {
        let v = signs(&mut random(5), 100_001);
        assert!(v.iter().all(|x| x.abs() == 1.0));
        assert!(v.iter().sum::<f64>().abs() < 4.0 * 100_001_f64.sqrt());
    }
}
