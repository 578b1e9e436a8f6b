//! The trace of an operator with a few large eigenvalues: Hutch++ (Meyer, Musco, Musco and Woodruff 2021, algorithm 1).

use crate::base::rng::Stream;

use super::estimator::Estimator;
use super::trace::{Sampled, signs};
use super::vectors::{axpy, dot, norm, scale};

/// What Hutch++ found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SketchedTrace {
    pub value: f64,
    /// Of the part outside the sketch, the only random one given the sketch.
    pub standard_error: f64,
    /// The part inside the sketch, `tr Q' A Q`.
    pub captured: f64,
    /// Products spent.
    pub products: usize,
}

/// Hutch++ in progress: an [`Estimator`] of a [`SketchedTrace`].
///
/// A third of the products makes the sketch `Q = orth(A S)` of random signs S, a third the exact trace inside it, a third
/// Hutchinson's estimate of the rest:
///
/// `tr A ~ tr(Q' A Q) + mean over g of g' (1 - QQ') A (1 - QQ') g`,
///
/// which is unbiased. For positive semidefinite A the relative error falls as 1/m, where Hutchinson's falls as 1/sqrt(m).
#[derive(Clone, Debug)]
pub struct HutchPlusPlus {
    dim: usize,
    /// Products of each third.
    third: usize,
    random: Stream,
    waiting: Vec<f64>,
    images: Vec<Vec<f64>>,
    /// Orthonormal.
    sketch: Vec<Vec<f64>>,
    captured: f64,
    rest: Vec<f64>,
    phase: Phase,
    products: usize,
}

/// What the vector that waits is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Sketching,
    /// The trace inside the sketch, at the vector of this index.
    Inside(usize),
    Outside,
}

impl HutchPlusPlus {
    /// On `dim >= 1` numbers with about `products` products, at least 6; the sketch holds a third as many vectors.
    pub fn new(dim: usize, mut random: Stream, products: usize) -> Self {
        assert!(dim > 0, "an operator on no numbers has no trace to estimate");
        let waiting = signs(&mut random, dim);
        Self {
            dim,
            third: (products / 3).max(2),
            random,
            waiting,
            images: Vec::new(),
            sketch: Vec::new(),
            captured: 0.0,
            rest: Vec::new(),
            phase: Phase::Sketching,
            products: 0,
        }
    }

    /// The part of v outside the sketch.
    fn outside(&self, mut v: Vec<f64>) -> Vec<f64> {
        for _ in 0..2 {
            for q in &self.sketch {
                axpy(-dot(q, &v), q, &mut v);
            }
        }
        v
    }

    /// Orthonormalises the images; what is left of one that depends on the others is dropped.
    fn complete_sketch(&mut self) {
        for image in std::mem::take(&mut self.images) {
            let before = norm(&image);
            let mut q = self.outside(image);
            let length = norm(&q);
            if length > 1e-10 * before {
                scale(1.0 / length, &mut q);
                self.sketch.push(q);
            }
        }
    }

    fn answer(&self) -> SketchedTrace {
        let found = Sampled::of(&self.rest).plus(self.captured);
        SketchedTrace {
            value: found.value,
            standard_error: found.standard_error,
            captured: self.captured,
            products: self.products,
        }
    }
}

impl Estimator for HutchPlusPlus {
    type Output = SketchedTrace;

    fn vector(&self) -> &[f64] {
        &self.waiting
    }

    fn products(&self) -> usize {
        self.products
    }

    fn absorb(&mut self, product: &[f64]) -> Option<SketchedTrace> {
        assert_eq!(product.len(), self.dim, "a product has the operator's dimension");
        self.products += 1;
        let size = norm(product);
        if !size.is_finite() {
            self.rest = vec![f64::NAN];
            return Some(self.answer());
        }
        let (form, phase) = (dot(&self.waiting, product), self.phase);
        self.phase = match phase {
            Phase::Sketching => {
                self.images.push(product.to_vec());
                if self.images.len() < self.third {
                    Phase::Sketching
                } else {
                    self.complete_sketch();
                    // Of an operator that is zero on all test vectors there is no sketch.
                    if self.sketch.is_empty() { Phase::Outside } else { Phase::Inside(0) }
                }
            }
            Phase::Inside(i) => {
                self.captured += form;
                if i + 1 < self.sketch.len() { Phase::Inside(i + 1) } else { Phase::Outside }
            }
            Phase::Outside => {
                self.rest.push(form);
                if self.rest.len() == self.third {
                    return Some(self.answer());
                }
                Phase::Outside
            }
        };
        self.waiting = match self.phase {
            Phase::Sketching => signs(&mut self.random, self.dim),
            Phase::Inside(i) => self.sketch[i].clone(),
            Phase::Outside => {
                let g = signs(&mut self.random, self.dim);
                self.outside(g)
            }
        };
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::linalg::estimator::estimate;
    use crate::linalg::fixtures::{random, with_spectrum};
    use crate::linalg::operator::{Dense, LinearOperator};
    use crate::linalg::trace::{Hutchinson, Options};

    use super::*;

    fn sketched(a: &mut Dense, seed: u64, products: usize) -> SketchedTrace {
        let dim = a.dim();
        estimate(a, &mut HutchPlusPlus::new(dim, random(seed), products)).unwrap()
    }

    #[test]
    fn is_exact_if_the_sketch_holds_the_range() {
        // Rank four, with both signs.
        let values: Vec<f64> = [vec![0.0; 40], vec![9.0, 4.0, -3.0, 0.5]].concat();
        let found = sketched(&mut with_spectrum(&values), 1, 18);
        assert!((found.value - 10.5).abs() < 1e-9 && found.standard_error < 1e-9, "{found:?}");
        // Four of six images were enough to span the range.
        assert_eq!(found.products, 6 + 4 + 6);
        let zero = sketched(&mut with_spectrum(&[0.0; 5]), 1, 9);
        assert_eq!((zero.value, zero.standard_error), (0.0, 0.0));
    }

    #[test]
    fn is_unbiased_and_beats_hutchinson_where_a_few_eigenvalues_are_large() {
        // 1/i^2, over a negative one, so that nothing relies on definiteness.
        let values: Vec<f64> = (1..=60).map(|i| 10.0 / f64::from(i * i)).chain([-1.0]).collect();
        let known: f64 = values.iter().sum();
        let mut a = with_spectrum(&values);
        let (seeds, products) = (400, 30);
        let found: Vec<SketchedTrace> = (0..seeds).map(|seed| sketched(&mut a, seed, products)).collect();
        assert!(found.iter().all(|t| t.products == products));
        let errors: Vec<f64> = found.iter().map(|t| t.value - known).collect();
        let mean = errors.iter().sum::<f64>() / seeds as f64;
        let square = errors.iter().map(|e| e * e).sum::<f64>() / seeds as f64;
        assert!(mean.abs() < 4.0 * (square / seeds as f64).sqrt(), "{mean} {square}");
        // The standard errors are of the errors' size.
        let predicted = found.iter().map(|t| t.standard_error.powi(2)).sum::<f64>() / seeds as f64;
        assert!((predicted / square - 1.0).abs() < 0.5, "{predicted} {square}");
        let options = Options { most_products: products, tolerance: 0.0, ..Options::default() };
        let plain = (0..seeds).map(|seed| {
            let dim = a.dim();
            estimate(&mut a, &mut Hutchinson::new(dim, random(seed), options)).unwrap().value - known
        });
        let plain = plain.map(|e| e * e).sum::<f64>() / seeds as f64;
        assert!(square < plain / 20.0, "{square} {plain}");
    }

    #[test]
    fn what_is_not_finite_ends_the_measurement() {
        let found = sketched(&mut Dense::new(2, vec![f64::NAN; 4]).unwrap(), 1, 9);
        assert!(found.value.is_nan() && found.products == 1);
    }
}
