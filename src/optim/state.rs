//! What an optimiser remembers between updates.

use candle_core::{DType, Device, Result, Shape, Tensor};

/// Numbers of one array, row-major, in the type that training uses.
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

    pub(super) fn of(tensor: &Tensor) -> Result<Self> {
        let flat = tensor.flatten_all()?;
        if tensor.dtype() == DType::F64 { flat.to_vec1().map(Self::F64) } else { flat.to_vec1().map(Self::F32) }
    }

    pub(super) fn tensor(&self, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
        let shape = shape.into();
        match self {
            Self::F32(values) => Tensor::from_slice(values, shape, device),
            Self::F64(values) => Tensor::from_slice(values, shape, device),
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
    /// For each tensor of the layout the arrays kept for it: element by element first moments (SGD's momentum) and second
    /// moments (empty for SGD), else what the files of Muon, Shampoo and SOAP say. Empty before the first update.
    pub tensors: Vec<Vec<Values>>,
}
