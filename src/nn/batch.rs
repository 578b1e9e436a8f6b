//! Examples as tensors.

use candle_core::{DType, Device, Result, Tensor};

use crate::tasks::data::{Inputs, Split, Targets, UNGRADED};

#[derive(Clone, Debug)]
pub enum InputTensor {
    /// `[B, ...shape]`, floating.
    Features(Tensor),
    /// `[B, T]`, u32.
    Tokens(Tensor),
}

impl InputTensor {
    /// # Errors
    /// If these are tokens: the model was built for another task.
    pub fn features(&self) -> Result<&Tensor> {
        match self {
            Self::Features(features) => Ok(features),
            Self::Tokens(_) => candle_core::bail!("the model reads features and was given tokens"),
        }
    }

    /// # Errors
    /// If these are features: the model was built for another task.
    pub fn tokens(&self) -> Result<&Tensor> {
        match self {
            Self::Tokens(tokens) => Ok(tokens),
            Self::Features(_) => candle_core::bail!("the model reads tokens and was given features"),
        }
    }
}

#[derive(Clone, Debug)]
pub enum TargetTensor {
    /// `[R]` u32 labels for the R rows of logits, with `[R]` weights (1, or 0 where ungraded) that sum to `graded`.
    Classes { labels: Tensor, weights: Option<Tensor>, graded: usize, classes: usize },
    /// `[B, outputs]`, floating.
    Values(Tensor),
}

#[derive(Clone, Debug)]
pub struct Batch {
    pub inputs: InputTensor,
    pub targets: TargetTensor,
    /// Examples B.
    pub len: usize,
}

impl Batch {
    /// # Errors
    /// Whatever candle says of the device.
    pub fn new(split: &Split, dtype: DType, device: &Device) -> Result<Self> {
        let len = split.len();
        let inputs = match &split.inputs {
            Inputs::Features { values, shape } => {
                let dims: Vec<usize> = std::iter::once(len).chain(shape.iter().copied()).collect();
                InputTensor::Features(Tensor::from_slice(values, dims, device)?.to_dtype(dtype)?)
            }
            Inputs::Tokens { ids, length, .. } => InputTensor::Tokens(Tensor::from_slice(ids, (len, *length), device)?),
        };
        let targets = match &split.targets {
            Targets::Classes { labels, classes } => TargetTensor::Classes {
                labels: Tensor::from_slice(labels, labels.len(), device)?,
                weights: None,
                graded: labels.len(),
                classes: *classes,
            },
            Targets::NextTokens { ids, vocabulary, .. } => {
                let graded = ids.iter().filter(|&&id| id != UNGRADED).count();
                let labels: Vec<u32> = ids.iter().map(|&id| if id == UNGRADED { 0 } else { id }).collect();
                let weights = if graded == ids.len() {
                    None
                } else {
                    let weights: Vec<f32> = ids.iter().map(|&id| f32::from(id != UNGRADED)).collect();
                    Some(Tensor::from_vec(weights, ids.len(), device)?.to_dtype(dtype)?)
                };
                TargetTensor::Classes {
                    labels: Tensor::from_vec(labels, ids.len(), device)?,
                    weights,
                    graded,
                    classes: *vocabulary,
                }
            }
            Targets::Values { values, outputs } => {
                TargetTensor::Values(Tensor::from_slice(values, (len, *outputs), device)?.to_dtype(dtype)?)
            }
        };
        Ok(Self { inputs, targets, len })
    }
}
