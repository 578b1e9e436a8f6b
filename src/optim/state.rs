//! What an optimiser remembers between updates.

use candle_core::{DType, Device, Result, Tensor};

use crate::nn::params::Layout;

/// Flat numbers in the flattening order, in the type that training uses.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn zeros(dtype: DType, len: usize) -> Self {
        if dtype == DType::F64 { Self::F64(vec![0.0; len]) } else { Self::F32(vec![0.0; len]) }
    }

    /// Joins tensors in the flattening order.
    pub(super) fn gather(tensors: &[Tensor], dtype: DType) -> Result<Self> {
        if dtype == DType::F64 {
            let parts: Vec<Vec<f64>> = tensors.iter().map(|t| t.flatten_all()?.to_vec1()).collect::<Result<_>>()?;
            Ok(Self::F64(parts.concat()))
        } else {
            let parts: Vec<Vec<f32>> = tensors.iter().map(|t| t.flatten_all()?.to_vec1()).collect::<Result<_>>()?;
            Ok(Self::F32(parts.concat()))
        }
    }

    /// Cuts into tensors of a layout.
    pub(super) fn scatter(&self, layout: &Layout, dtype: DType, device: &Device) -> Result<Vec<Tensor>> {
        match self {
            Self::F32(values) => layout.unflatten(values, dtype, device),
            Self::F64(values) => layout.unflatten(values, dtype, device),
        }
    }
}

/// A copy of an optimiser's memory, for checkpoints. Plain numbers; equal states continue with equal bits.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerState {
    /// Updates done.
    pub updates: u64,
    /// Products of the decays over these updates, for the bias corrections.
    pub products: [f64; 2],
    /// First moments (Adam) or momentum (SGD).
    pub first: Values,
    /// Second moments; empty for SGD.
    pub second: Values,
}
