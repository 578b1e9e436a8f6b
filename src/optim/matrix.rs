//! Optimisers that treat a matrix as a matrix, not as a list of numbers.

use std::fmt::Debug;

use candle_core::{DType, Device, Result, Tensor};

use crate::nn::params::{ParamInfo, Role};

use super::muon::Muon;
use super::rule::Products;
use super::shampoo::Shampoo;
use super::soap::Soap;
use super::spec::{OptimizerKind, OptimizerSpec};

/// The circumstances of one update of one tensor.
pub(super) struct Step<'a> {
    pub spec: &'a OptimizerSpec,
    pub lr: f64,
    pub products: Products,
    /// Counts from 1.
    pub update: u64,
}

/// What one kind of optimiser remembers of one matrix `[fan_in, fan_out]`, and how it moves it.
pub(super) trait Matrix: Debug + Send + Sync {
    /// What to subtract from the matrix, decoupled decay apart; `None` to leave it where it is. `g` is the clipped, detached
    /// gradient.
    fn change(&mut self, g: &Tensor, step: &Step) -> Result<Option<Tensor>>;

    /// All that must be kept for the next update.
    fn memory(&self) -> Vec<&Tensor>;

    /// The same tensors in the same order.
    fn memory_mut(&mut self) -> Vec<&mut Tensor>;
}

/// The memory of a tensor that `spec` treats as a matrix; `None` for the others. Tensors of more or fewer than two
/// dimensions are no matrices.
pub(super) fn of(
    spec: &OptimizerSpec,
    info: &ParamInfo,
    dtype: DType,
    device: &Device,
) -> Result<Option<Box<dyn Matrix>>> {
    let &[rows, columns] = info.shape.as_slice() else { return Ok(None) };
    let shape = (rows, columns);
    // With neither side preconditioned nothing of Shampoo or SOAP is left.
    let has_factor = rows.min(columns) <= spec.precondition_longest;
    Ok(match spec.kind {
        OptimizerKind::Muon if info.role == Role::Hidden => Some(Box::new(Muon::new(shape, dtype, device)?)),
        OptimizerKind::Shampoo if has_factor => Some(Box::new(Shampoo::new(spec, shape, dtype, device)?)),
        OptimizerKind::Soap if has_factor => Some(Box::new(Soap::new(spec, shape, dtype, device)?)),
        _ => None,
    })
}
