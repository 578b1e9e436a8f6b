//! Shampoo: gradients of a matrix divided by roots of their second moments over rows and over columns.
//!
//! With the factors of `optim/kronecker.rs`, bias-corrected by `1 - prod beta2`, and k = 2 of them:
//! `m <- momentum m + (1 - momentum) G`, `D = (L + epsilon I)^(-1/2k) m (R + epsilon I)^(-1/2k)`, with m bias-corrected, too
//! (Gupta et al. 2018, arXiv:1802.09568, algorithm 1; running averages as in Shi et al. 2023, arXiv:2309.06497). Roots by
//! eigendecomposition in f64, at the first update and then every `precondition_every` updates.
//!
//! Grafting onto Adam replaces the length of D, matrix by matrix: `w <- w (1 - lr weight_decay) - lr |A|_F D / |D|_F` with A
//! the direction Adam would take with the same constants (Anil et al. 2020, arXiv:2002.09018).

use candle_core::{DType, Device, Result, Tensor};

use crate::linalg::symmetric::power;

use super::composed::average;
use super::kronecker::Kronecker;
use super::matrix::{Matrix, Step};
use super::norms::squared;
use super::spec::{Grafting, OptimizerSpec};

#[derive(Debug)]
pub(super) struct Shampoo {
    first: Tensor,
    /// Adam's second moments, for grafting.
    second: Tensor,
    factors: Kronecker,
}

impl Shampoo {
    pub fn new(spec: &OptimizerSpec, shape: (usize, usize), dtype: DType, device: &Device) -> Result<Self> {
        let zeros = || Tensor::zeros(shape, dtype, device);
        Ok(Self { first: zeros()?, second: zeros()?, factors: Kronecker::new(spec, shape, dtype, device)? })
    }

    fn refresh(&mut self, step: &Step) -> Result<()> {
        let exponent = -1.0 / (2.0 * self.factors.count() as f64);
        let correction = 1.0 / (1.0 - step.products.beta2);
        for (_, side) in self.factors.sides_mut() {
            side.derive(|n, factor| {
                let corrected: Vec<_> = factor.iter().map(|x| x * correction).collect();
                power(n, &corrected, exponent, step.spec.epsilon)
            })?;
        }
        Ok(())
    }
}

impl Matrix for Shampoo {
    fn change(&mut self, g: &Tensor, step: &Step) -> Result<Option<Tensor>> {
        let &OptimizerSpec { momentum, beta2, epsilon, .. } = step.spec;
        self.first = average(&self.first, g, momentum)?;
        self.second = average(&self.second, &g.sqr()?, beta2)?;
        self.factors.gather(g, beta2)?;
        if (step.update - 1).is_multiple_of(step.spec.precondition_every.max(1)) {
            self.refresh(step)?;
        }
        let averaged = (&self.first * (1.0 / (1.0 - step.products.beta1)))?;
        // Roots are symmetric.
        let direction = self.factors.to_basis(&averaged)?;
        let length = match step.spec.grafting {
            Grafting::None => 1.0,
            Grafting::Adam => {
                let root = (1.0 - step.products.beta2).sqrt().recip();
                let adam = (averaged / ((self.second.sqrt()? * root)? + epsilon)?)?;
                let own = squared(&direction)?.sqrt();
                if own == 0.0 { 0.0 } else { squared(&adam)?.sqrt() / own }
            }
        };
        (direction * (step.lr * length)).map(Some)
    }

    fn memory(&self) -> Vec<&Tensor> {
        [&self.first, &self.second].into_iter().chain(self.factors.memory()).collect()
    }

    fn memory_mut(&mut self) -> Vec<&mut Tensor> {
        [&mut self.first, &mut self.second].into_iter().chain(self.factors.memory_mut()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::rule::Products;

    fn changes(spec: &OptimizerSpec, shape: (usize, usize), gradients: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let mut shampoo = Shampoo::new(spec, shape, DType::F64, &Device::Cpu).unwrap();
        let mut products = Products { beta1: 1.0, beta2: 1.0 };
        let step = |(t, g): (usize, &Vec<f64>)| {
            products.advance(spec);
            let g = Tensor::from_slice(g, shape, &Device::Cpu).unwrap();
            let step = Step { spec, lr: 0.5, products, update: t as u64 + 1 };
            shampoo.change(&g, &step).unwrap().unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        gradients.iter().enumerate().map(step).collect()
    }

    fn spec() -> OptimizerSpec {
        OptimizerSpec { momentum: 0.0, grafting: Grafting::None, precondition_every: 1, ..OptimizerSpec::default() }
    }

    /// Diagonal gradients make both factors diagonal: entry (i, i) is divided by the fourth root of its second moment twice,
    /// which is RMSprop with bias correction (epsilon apart, which here is inside both roots).
    #[test]
    fn on_a_diagonal_problem_it_divides_by_the_root_mean_square() {
        let diagonals = [[2.0, -0.3, 0.01], [1.0, 0.4, 0.02], [-3.0, 0.1, -0.05]];
        let spread = |d: &[f64; 3]| (0..9).map(|i| if i % 4 == 0 { d[i / 4] } else { 0.0 }).collect();
        let gradients: Vec<Vec<f64>> = diagonals.iter().map(spread).collect();
        let spec = OptimizerSpec { epsilon: 1e-6, ..spec() };
        let (mut v, mut product) = ([0.0; 3], 1.0);
        for (found, g) in changes(&spec, (3, 3), &gradients).iter().zip(diagonals) {
            product *= spec.beta2;
            for i in 0..3 {
                v[i] = spec.beta2 * v[i] + (1.0 - spec.beta2) * g[i] * g[i];
                let known = 0.5 * g[i] / (v[i] / (1.0 - product) + spec.epsilon).sqrt();
                assert!((found[4 * i] - known).abs() < 1e-12, "{found:?} {known}");
            }
            assert!(found.iter().enumerate().all(|(i, x)| i % 4 == 0 || x.abs() < 1e-14));
        }
    }

    /// The first preconditioned gradient of a full-rank matrix is orthogonal: `(G G')^(-1/4) G (G' G)^(-1/4) = U V'`.
    #[test]
    fn the_first_step_is_the_orthogonal_factor() {
        let g = vec![2.0, 0.5, -0.3, 1.0];
        let found = &changes(&OptimizerSpec { epsilon: 1e-16, ..spec() }, (2, 2), &[g])[0];
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| 2.0 * found[i]);
        for (x, known) in [(a * a + b * b, 1.0), (c * c + d * d, 1.0), (a * c + b * d, 0.0)] {
            assert!((x - known).abs() < 1e-9, "{found:?}");
        }
    }

    /// With one side too long the other takes the whole square root.
    #[test]
    fn a_long_side_is_left_alone_and_the_other_takes_its_share() {
        let g: Vec<f64> = vec![3.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0];
        let spec = OptimizerSpec { precondition_longest: 2, epsilon: 1e-16, ..spec() };
        let found = &changes(&spec, (2, 5), &[g])[0];
        // G G' = diag(25, 4): rows divided by 5 and by 2.
        for (x, known) in found.iter().zip([0.3, 0.0, 0.0, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5]) {
            assert!((x - known).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn grafting_keeps_the_direction_and_takes_adams_length() {
        let g: Vec<Vec<f64>> = (0..3).map(|t| (0..6).map(|i| (0.9 * (i + 7 * t) as f64).sin()).collect()).collect();
        let plain = changes(&OptimizerSpec { momentum: 0.5, ..spec() }, (2, 3), &g);
        let spec = OptimizerSpec { momentum: 0.5, grafting: Grafting::Adam, ..spec() };
        let (mut m, mut v) = ([0.0; 6], [0.0; 6]);
        for (t, (grafted, plain)) in changes(&spec, (2, 3), &g).iter().zip(&plain).enumerate() {
            let mut adam = 0.0;
            for i in 0..6 {
                m[i] = 0.5 * m[i] + 0.5 * g[t][i];
                v[i] = spec.beta2 * v[i] + (1.0 - spec.beta2) * g[t][i] * g[t][i];
                let n = t as i32 + 1;
                let a: f64 =
                    m[i] / (1.0 - 0.5_f64.powi(n)) / ((v[i] / (1.0 - spec.beta2.powi(n))).sqrt() + spec.epsilon);
                adam += a * a;
            }
            let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!((norm(grafted) - 0.5 * adam.sqrt()).abs() < 1e-12);
            let cosine = grafted.iter().zip(plain).map(|(a, b)| a * b).sum::<f64>() / norm(grafted) / norm(plain);
            assert!((cosine - 1.0).abs() < 1e-12);
        }
    }
}
