//! The two factors that Shampoo and SOAP keep of a matrix's gradients.
//!
//! For gradients G `[m, n]`: `L` `[m, m]` averages `G G'`, `R` `[n, n]` averages `G' G` (Gupta et al. 2018,
//! arXiv:1802.09568, algorithm 1, with the running average of Shi et al. 2023, arXiv:2309.06497, for the sum).

use candle_core::{DType, Device, Result, Tensor};

use crate::nn::ops::product::{Transposed, product};

use super::composed::average;
use super::spec::OptimizerSpec;
use super::state::Values;

/// One factor, and the matrix that was derived from it: a root for Shampoo, an eigenbasis for SOAP.
#[derive(Debug)]
pub(super) struct Side {
    pub factor: Tensor,
    pub derived: Tensor,
}

/// Both factors; one is absent where its dimension is longer than [`OptimizerSpec::precondition_longest`].
#[derive(Debug)]
pub(super) struct Kronecker {
    left: Option<Side>,
    right: Option<Side>,
}

impl Side {
    fn new(spec: &OptimizerSpec, n: usize, dtype: DType, device: &Device) -> Result<Option<Self>> {
        if n > spec.precondition_longest {
            return Ok(None);
        }
        let zeros = || Tensor::zeros((n, n), dtype, device);
        Ok(Some(Self { factor: zeros()?, derived: zeros()? }))
    }

    /// Sets the derived matrix to what `derive(n, factor)` finds in f64. Where it finds nothing (a factor that
    /// isn't finite) the old one stays: the run stops at such a gradient anyway.
    pub fn derive(&mut self, derive: impl FnOnce(usize, &[f64]) -> Option<Vec<f64>>) -> Result<()> {
        let n = self.factor.dim(0)?;
        if let Some(found) = derive(n, &to_f64(&self.factor)?) {
            self.derived = from_f64(found, n, &self.factor)?;
        }
        Ok(())
    }
}

impl Kronecker {
    pub fn new(spec: &OptimizerSpec, (m, n): (usize, usize), dtype: DType, device: &Device) -> Result<Self> {
        Ok(Self { left: Side::new(spec, m, dtype, device)?, right: Side::new(spec, n, dtype, device)? })
    }

    /// `L <- beta L + (1 - beta) G G'`, `R <- beta R + (1 - beta) G' G`
    pub fn gather(&mut self, g: &Tensor, beta: f64) -> Result<()> {
        for (side, transposed) in [(&mut self.left, Transposed::Right), (&mut self.right, Transposed::Left)] {
            if let Some(side) = side {
                side.factor = average(&side.factor, &product(g, g, transposed)?, beta)?;
            }
        }
        Ok(())
    }

    /// `A' x B` with the derived matrices A and B.
    pub fn to_basis(&self, x: &Tensor) -> Result<Tensor> {
        let x = match &self.left {
            Some(left) => product(&left.derived, x, Transposed::Left)?,
            None => x.clone(),
        };
        match &self.right {
            Some(right) => product(&x, &right.derived, Transposed::Neither),
            None => Ok(x),
        }
    }

    /// `A x B'`: undoes [`Self::to_basis`] where A and B are orthogonal.
    pub fn back_from_basis(&self, x: &Tensor) -> Result<Tensor> {
        let x = match &self.left {
            Some(left) => product(&left.derived, x, Transposed::Neither)?,
            None => x.clone(),
        };
        match &self.right {
            Some(right) => product(&x, &right.derived, Transposed::Right),
            None => Ok(x),
        }
    }

    /// The sides there are, with the dimension of the matrix that each belongs to.
    pub fn sides_mut(&mut self) -> impl Iterator<Item = (usize, &mut Side)> {
        [(0, &mut self.left), (1, &mut self.right)].into_iter().filter_map(|(d, side)| Some((d, side.as_mut()?)))
    }

    pub fn count(&self) -> usize {
        usize::from(self.left.is_some()) + usize::from(self.right.is_some())
    }

    pub fn memory(&self) -> impl Iterator<Item = &Tensor> {
        [&self.left, &self.right].into_iter().flatten().flat_map(|side| [&side.factor, &side.derived])
    }

    pub fn memory_mut(&mut self) -> impl Iterator<Item = &mut Tensor> {
        [&mut self.left, &mut self.right].into_iter().flatten().flat_map(|side| [&mut side.factor, &mut side.derived])
    }
}

/// A matrix's numbers, row-major. Widened on the host: some devices have no f64.
pub(super) fn to_f64(matrix: &Tensor) -> Result<Vec<f64>> {
    Ok(match Values::of(matrix)? {
        Values::F32(values) => values.into_iter().map(f64::from).collect(),
        Values::F64(values) => values,
    })
}

/// The inverse of [`to_f64`], with type and device of `like`.
pub(super) fn from_f64(values: Vec<f64>, n: usize, like: &Tensor) -> Result<Tensor> {
    let values = match like.dtype() {
        DType::F64 => Values::F64(values),
        _ => Values::F32(values.into_iter().map(|x| x as f32).collect()),
    };
    values.tensor((n, n), like.device())
}
