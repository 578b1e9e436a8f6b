//! SOAP: Adam in the slowly turning eigenbasis of Shampoo's factors.
//!
//! With orthogonal `A` and `B` whose columns are eigenvectors of the factors L and R of `optim/kronecker.rs`:
//! `G~ = A' G B`, `m <- momentum m + (1 - momentum) G~`, `v <- beta2 v + (1 - beta2) G~^2`, `N = m / (sqrt(v) + epsilon)` with
//! Adam's bias corrections, `w <- w (1 - lr weight_decay) - lr A N B'` (Vyas et al. 2024, arXiv:2409.11321, algorithm 3).
//!
//! As the authors' code does it: the first update moves nothing (also not what is no matrix) but makes the first basis by an
//! eigendecomposition, so that no gradient is projected onto a basis it took part in; every `precondition_every` updates
//! one step of power iteration and QR (algorithm 4) turns the basis, with columns sorted by their Rayleigh quotients,
//! which sorts v, too, and m turns along. Unlike it, epsilon stands where Adam has it, beside the corrected root, and decay
//! comes before the update, as in AdamW: with the identity for a basis this is AdamW.

use candle_core::{DType, Device, Result, Tensor};

use crate::linalg::symmetric::{eigenpairs, orthonormal};

use super::composed::average;
use super::kronecker::{Kronecker, to_f64};
use super::matrix::{Matrix, Step};
use super::rule::Rule;
use super::spec::OptimizerSpec;

#[derive(Debug)]
pub(super) struct Soap {
    /// Moments in the eigenbasis.
    first: Tensor,
    second: Tensor,
    factors: Kronecker,
}

impl Soap {
    pub fn new(spec: &OptimizerSpec, shape: (usize, usize), dtype: DType, device: &Device) -> Result<Self> {
        let zeros = || Tensor::zeros(shape, dtype, device);
        Ok(Self { first: zeros()?, second: zeros()?, factors: Kronecker::new(spec, shape, dtype, device)? })
    }

    /// One step of power iteration for each basis.
    fn turn(&mut self) -> Result<()> {
        let first = self.factors.back_from_basis(&self.first)?;
        for (dimension, side) in self.factors.sides_mut() {
            let basis = to_f64(&side.derived)?;
            let mut order = Vec::new();
            side.derive(|n, factor| {
                let powers = multiply(n, factor, &basis);
                let quotient = |j: usize| (0..n).map(|i| basis[i * n + j] * powers[i * n + j]).sum::<f64>();
                let quotients: Vec<_> = (0..n).map(quotient).collect();
                order = (0..n as u32).collect();
                order.sort_by(|&a, &b| quotients[b as usize].total_cmp(&quotients[a as usize]));
                let sorted: Vec<_> = (0..n * n).map(|at| powers[at / n * n + order[at % n] as usize]).collect();
                orthonormal(n, &sorted)
            })?;
            if !order.is_empty() {
                let order = Tensor::from_vec(order, basis.len().isqrt(), self.second.device())?;
                self.second = self.second.index_select(&order, dimension)?;
            }
        }
        self.first = self.factors.to_basis(&first)?;
        Ok(())
    }
}

impl Matrix for Soap {
    fn change(&mut self, g: &Tensor, step: &Step) -> Result<Option<Tensor>> {
        let beta2 = step.spec.beta2;
        if step.update == 1 {
            self.factors.gather(g, beta2)?;
            for (_, side) in self.factors.sides_mut() {
                side.derive(|n, factor| eigenpairs(n, factor).map(|(_, vectors)| vectors))?;
            }
            return Ok(None);
        }
        let projected = self.factors.to_basis(g)?;
        let Rule::Adam { step: rate, beta1, beta2, root, epsilon } = Rule::new(step.spec, step.lr, step.products)
        else {
            candle_core::bail!("SOAP is Adam in another basis")
        };
        self.first = average(&self.first, &projected, beta1)?;
        self.second = average(&self.second, &projected.sqr()?, beta2)?;
        let change = ((&self.first * rate)? / ((self.second.sqrt()? * root)? + epsilon)?)?;
        let change = self.factors.back_from_basis(&change)?;
        self.factors.gather(g, beta2)?;
        if (step.update - 1).is_multiple_of(step.spec.precondition_every.max(1)) {
            self.turn()?;
        }
        Ok(Some(change))
    }

    fn memory(&self) -> Vec<&Tensor> {
        [&self.first, &self.second].into_iter().chain(self.factors.memory()).collect()
    }

    fn memory_mut(&mut self) -> Vec<&mut Tensor> {
        [&mut self.first, &mut self.second].into_iter().chain(self.factors.memory_mut()).collect()
    }
}

/// `A B` of square matrices.
fn multiply(n: usize, a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut c = vec![0.0; n * n];
    for (row, out) in a.chunks_exact(n).zip(c.chunks_exact_mut(n)) {
        for (&x, column) in row.iter().zip(b.chunks_exact(n)) {
            for (out, &y) in out.iter_mut().zip(column) {
                *out += x * y;
            }
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::rule::Products;

    const SHAPE: (usize, usize) = (4, 3);

    fn gradient(t: u64) -> Tensor {
        let entry =
            |i: u64| (0.8 * (i + 13 * t) as f64).sin() + if i.is_multiple_of(4) { 1.0 / (1.0 + i as f64) } else { 0.0 };
        Tensor::from_vec((0..12).map(entry).collect(), SHAPE, &Device::Cpu).unwrap()
    }

    fn spec() -> OptimizerSpec {
        OptimizerSpec {
            kind: super::super::spec::OptimizerKind::Soap,
            precondition_every: 2,
            ..OptimizerSpec::default()
        }
    }

    /// Runs `updates` updates; `between` may tamper with the memory before each after the first.
    fn run(spec: &OptimizerSpec, updates: u64, mut between: impl FnMut(&mut Soap)) -> (Soap, Vec<Vec<f64>>) {
        let mut soap = Soap::new(spec, SHAPE, DType::F64, &Device::Cpu).unwrap();
        let (mut products, mut changes) = (Products { beta1: 1.0, beta2: 1.0 }, Vec::new());
        for update in 1..=updates {
            if update > 1 {
                products.advance(spec);
                between(&mut soap);
            }
            match soap.change(&gradient(update), &Step { spec, lr: 0.1, products, update }).unwrap() {
                Some(change) => changes.push(change.flatten_all().unwrap().to_vec1().unwrap()),
                None => assert_eq!(update, 1),
            }
        }
        (soap, changes)
    }

    #[test]
    fn with_the_identity_for_a_basis_it_is_adam() {
        // No refresh within the run, so that the identity stays.
        let spec = OptimizerSpec { precondition_every: 1_000, ..spec() };
        let (_, changes) = run(&spec, 6, |soap| {
            for (_, side) in soap.factors.sides_mut() {
                side.derived = Tensor::eye(side.factor.dim(0).unwrap(), DType::F64, &Device::Cpu).unwrap();
            }
        });
        let (mut m, mut v) = (vec![0.0; 12], vec![0.0; 12]);
        for (t, change) in changes.iter().enumerate() {
            let g = gradient(t as u64 + 2).flatten_all().unwrap().to_vec1::<f64>().unwrap();
            for i in 0..12 {
                m[i] = spec.momentum * m[i] + (1.0 - spec.momentum) * g[i];
                v[i] = spec.beta2 * v[i] + (1.0 - spec.beta2) * g[i] * g[i];
                let n = t as i32 + 1;
                let (m, v) = (m[i] / (1.0 - spec.momentum.powi(n)), v[i] / (1.0 - spec.beta2.powi(n)));
                let known: f64 = 0.1 * m / (f64::sqrt(v) + spec.epsilon);
                assert!((change[i] - known).abs() < 1e-13, "{t}: {} {known}", change[i]);
            }
        }
    }

    #[test]
    fn bases_stay_orthogonal_and_approach_the_eigenvectors_of_a_factor_at_rest() {
        let (mut soap, _) = run(&spec(), 9, |_| ());
        for _ in 0..200 {
            soap.turn().unwrap();
        }
        for (_, side) in soap.factors.sides_mut() {
            let n = side.factor.dim(0).unwrap();
            let q = side.derived.clone();
            let turned = q.t().unwrap().matmul(&side.factor.matmul(&q).unwrap()).unwrap();
            let turned = turned.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let unit = q.t().unwrap().matmul(&q).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
            for i in 0..n * n {
                let diagonal = i % (n + 1) == 0;
                assert!((unit[i] - f64::from(u8::from(diagonal))).abs() < 1e-12);
                assert!(diagonal || turned[i].abs() < 1e-9 * turned[0], "{turned:?}");
            }
            assert!((1..n).all(|i| turned[i * (n + 1)] <= turned[(i - 1) * (n + 1)]), "{turned:?}");
        }
    }

    /// Turning must not change what the first moment means.
    #[test]
    fn the_first_moment_turns_with_its_basis() {
        let (mut soap, _) = run(&spec(), 4, |_| ());
        let meaning = |soap: &Soap| soap.factors.back_from_basis(&soap.first).unwrap().flatten_all().unwrap();
        let before = meaning(&soap).to_vec1::<f64>().unwrap();
        soap.turn().unwrap();
        for (a, b) in before.iter().zip(meaning(&soap).to_vec1::<f64>().unwrap()) {
            assert!((a - b).abs() < 1e-13);
        }
    }
}
