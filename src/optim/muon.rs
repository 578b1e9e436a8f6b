//! Muon: momentum whose singular values are all brought near 1.
//!
//! `m <- momentum m + (1 - momentum) g`, `u = m` or, with Nesterov, `(1 - momentum) g + momentum m`,
//! `w <- w (1 - lr weight_decay) - lr s NS(u)` (Jordan et al. 2024, kellerjordan.github.io/posts/muon; PyTorch's
//! `torch.optim.Muon`). NS is five steps of a Newton-Schulz iteration from `u / |u|_F`; s is [`scale`]. PyTorch iterates in
//! bfloat16, we in the type of the parameters. Applies to matrices between hidden layers; AdamW moves the rest at the same rate.

use candle_core::{DType, Device, Result, Tensor};

use crate::nn::ops::product::{Transposed, product};

use super::composed::average;
use super::matrix::{Matrix, Step};
use super::norms::squared;
use super::spec::MuonScale;

/// Coefficients of `x (a + b x^2 + c x^4)`, steepest at 0 among those that keep [0, 1] within about [0.7, 1.2] in the end.
const COEFFICIENTS: [f64; 3] = [3.4445, -4.775, 2.0315];
const ITERATIONS: usize = 5;
/// Least norm that is divided by.
const SMALLEST: f64 = 1e-7;

#[derive(Debug)]
pub(super) struct Muon {
    momentum: Tensor,
}

impl Muon {
    pub fn new(shape: (usize, usize), dtype: DType, device: &Device) -> Result<Self> {
        Ok(Self { momentum: Tensor::zeros(shape, dtype, device)? })
    }
}

impl Matrix for Muon {
    fn change(&mut self, g: &Tensor, step: &Step) -> Result<Option<Tensor>> {
        let beta = step.spec.momentum;
        self.momentum = average(&self.momentum, g, beta)?;
        let direction = if step.spec.nesterov { average(&self.momentum, g, beta)? } else { self.momentum.clone() };
        let scale = scale(step.spec.muon_scale, g.dims2()?);
        (orthogonalized(&direction)? * (step.lr * scale)).map(Some)
    }

    fn memory(&self) -> Vec<&Tensor> {
        vec![&self.momentum]
    }

    fn memory_mut(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.momentum]
    }
}

/// The factor s for a matrix `[fan_in, fan_out]`.
pub(super) fn scale(convention: MuonScale, (fan_in, fan_out): (usize, usize)) -> f64 {
    match convention {
        MuonScale::MatchAdam => 0.2 * (fan_in.max(fan_out) as f64).sqrt(),
        MuonScale::Spectral => (fan_out as f64 / fan_in as f64).max(1.0).sqrt(),
    }
}

/// About `U V'` of `u = U S V'`: each singular value above some hundredth of the norm ends within [0.65, 1.25].
fn orthogonalized(u: &Tensor) -> Result<Tensor> {
    let (rows, columns) = u.dims2()?;
    let tall = rows > columns;
    let [a, b, c] = COEFFICIENTS;
    let mut x = (if tall { u.t()?.contiguous()? } else { u.clone() } / squared(u)?.sqrt().max(SMALLEST))?;
    for _ in 0..ITERATIONS {
        let gram = product(&x, &x, Transposed::Right)?;
        let polynomial = ((&gram * b)? + (product(&gram, &gram, Transposed::Neither)? * c)?)?;
        x = ((&x * a)? + product(&polynomial, &x, Transposed::Neither)?)?;
    }
    if tall { x.t()?.contiguous() } else { Ok(x) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::symmetric::eigenpairs;

    /// Well-conditioned: singular values within a factor of some ten, so that five iterations are enough for each.
    fn matrix(rows: usize, columns: usize) -> Tensor {
        let entry = |i: usize| {
            let (r, c) = (i / columns, i % columns);
            (1.7 * (r * r) as f64 + 0.9 * c as f64 + 0.3 * (r * c) as f64).sin() + if r == c { 1.5 } else { 0.0 }
        };
        let values: Vec<_> = (0..rows * columns).map(entry).collect();
        Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
    }

    /// Descending.
    fn singular_values(a: &Tensor) -> Vec<f64> {
        let n = a.dims2().unwrap().1;
        let gram = product(a, a, Transposed::Left).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        eigenpairs(n, &gram).unwrap().0.into_iter().map(|x| x.max(0.0).sqrt()).collect()
    }

    #[test]
    fn singular_values_end_near_one() {
        for (rows, columns) in [(6, 6), (9, 4), (4, 9)] {
            let before = singular_values(&matrix(rows, columns));
            let after = singular_values(&orthogonalized(&matrix(rows, columns)).unwrap());
            let rank = rows.min(columns);
            assert!(before[0] / before[rank - 1] > 1.5, "{before:?}");
            for &s in &after[..rank] {
                assert!((0.65..1.25).contains(&s), "{after:?}");
            }
        }
    }

    /// The iteration is a polynomial of the singular values: on a diagonal matrix it is that polynomial of numbers.
    #[test]
    fn a_diagonal_matrix_follows_the_scalar_iteration() {
        let diagonal = [2.0_f64, -1.0, 0.5];
        let values: Vec<_> = (0..9).map(|i| if i % 4 == 0 { diagonal[i / 4] } else { 0.0 }).collect();
        let found = orthogonalized(&Tensor::from_vec(values, (3, 3), &Device::Cpu).unwrap()).unwrap();
        let found = found.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let norm = diagonal.iter().map(|x| x * x).sum::<f64>().sqrt();
        for (i, found) in found.into_iter().enumerate() {
            let mut x = if i % 4 == 0 { diagonal[i / 4] / norm } else { 0.0 };
            for _ in 0..ITERATIONS {
                let [a, b, c] = COEFFICIENTS;
                x *= a + b * x * x + c * x.powi(4);
            }
            assert!((found - x).abs() < 1e-13, "{i}: {found} {x}");
        }
    }

    #[test]
    fn a_matrix_and_its_transpose_give_transposed_updates() {
        let a = matrix(5, 3);
        let one = orthogonalized(&a).unwrap().t().unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let other = orthogonalized(&a.t().unwrap().contiguous().unwrap()).unwrap();
        for (x, y) in one.iter().zip(other.flatten_all().unwrap().to_vec1::<f64>().unwrap()) {
            assert!((x - y).abs() < 1e-13);
        }
    }

    #[test]
    fn both_scales_are_the_published_ones() {
        assert!((scale(MuonScale::MatchAdam, (100, 25)) - 2.0).abs() < 1e-15);
        assert_eq!(scale(MuonScale::Spectral, (25, 100)), 2.0);
        assert_eq!(scale(MuonScale::Spectral, (100, 25)), 1.0);
    }

    #[test]
    fn a_gradient_of_zeros_moves_nothing() {
        let zeros = Tensor::zeros((3, 2), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(squared(&orthogonalized(&zeros).unwrap()).unwrap(), 0.0);
    }
}
