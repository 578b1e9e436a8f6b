//! What is remembered of one tensor, and how it moves.

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::nn::params::ParamInfo;

use super::fused::Squares;
use super::matrix::{self, Matrix, Step};
use super::rule::{Handling, Rule};
use super::spec::{OptimizerKind, OptimizerSpec};
use super::state::Values;
use super::{composed, fused};

#[derive(Debug)]
pub(super) enum Slot {
    /// Element by element, on the CPU.
    Host {
        first: Values,
        second: Values,
    },
    /// Element by element, elsewhere.
    Device {
        first: Tensor,
        second: Option<Tensor>,
    },
    Matrix(Box<dyn Matrix>),
}

impl Slot {
    /// The memory before the first update.
    pub fn new(spec: &OptimizerSpec, info: &ParamInfo, dtype: DType, device: &Device) -> Result<Self> {
        if let Some(matrix) = matrix::of(spec, info, dtype, device)? {
            return Ok(Self::Matrix(matrix));
        }
        let keeps_second = spec.kind != OptimizerKind::Sgd;
        if device.is_cpu() {
            let second = if keeps_second { info.len() } else { 0 };
            return Ok(Self::Host { first: Values::zeros(dtype, info.len()), second: Values::zeros(dtype, second) });
        }
        Self::on_device(keeps_second, info, dtype, device)
    }

    /// Element by element in candle's operations.
    pub fn on_device(keeps_second: bool, info: &ParamInfo, dtype: DType, device: &Device) -> Result<Self> {
        let zeros = || Tensor::zeros(info.shape.as_slice(), dtype, device);
        Ok(Self::Device { first: zeros()?, second: if keeps_second { Some(zeros()?) } else { None } })
    }

    /// Moves `param` along `gradient`. `still` only measures where element-by-element rules would move it.
    pub fn update(
        &mut self,
        (param, gradient): (&Var, &Tensor),
        step: &Step,
        handling: Handling,
        still: bool,
        measure: bool,
    ) -> Result<Squares> {
        let rule = || (Rule::new(step.spec, step.lr, step.products), handling);
        match self {
            Self::Matrix(matrix) => {
                let g = composed::seen(param, gradient, handling)?.contiguous()?;
                let change = matrix.change(&g, step)?;
                composed::apply(param, gradient, change, handling, measure)
            }
            _ if still => composed::apply(param, gradient, None, handling, measure),
            Self::Host { first, second } => fused::update(param, gradient, (first, second), rule(), measure),
            Self::Device { first, second } => {
                composed::update(param, gradient, (first, second.as_mut()), rule(), measure)
            }
        }
    }

    pub fn save(&self) -> Result<Vec<Values>> {
        match self {
            Self::Host { first, second } => Ok(vec![first.clone(), second.clone()]),
            Self::Device { first, second } => {
                let second = second.as_ref().map_or_else(|| Ok(Values::zeros(first.dtype(), 0)), Values::of)?;
                Ok(vec![Values::of(first)?, second])
            }
            Self::Matrix(matrix) => matrix.memory().into_iter().map(Values::of).collect(),
        }
    }

    /// Takes over what [`Self::save`] gave.
    pub fn load(&mut self, saved: &[Values], info: &ParamInfo) -> Result<()> {
        let needed: Vec<_> = self.save()?.iter().map(Values::len).collect();
        let found: Vec<_> = saved.iter().map(Values::len).collect();
        if needed != found {
            candle_core::bail!(
                "the saved optimiser remembers arrays of {found:?} numbers for {}, this one needs {needed:?}: it was another kind or another network",
                info.name
            );
        }
        match self {
            Self::Host { first, second } => (*first, *second) = (saved[0].clone(), saved[1].clone()),
            Self::Device { first, second } => {
                *first = saved[0].tensor(first.shape(), &first.device().clone())?;
                if let Some(second) = second {
                    *second = saved[1].tensor(second.shape(), &second.device().clone())?;
                }
            }
            Self::Matrix(matrix) => {
                for (tensor, values) in matrix.memory_mut().into_iter().zip(saved) {
                    *tensor = values.tensor(tensor.shape(), &tensor.device().clone())?;
                }
            }
        }
        Ok(())
    }

    /// Second moments, element by element; `None` where there are none.
    pub fn second_moments(&self, info: &ParamInfo, device: &Device) -> Result<Option<Tensor>> {
        match self {
            Self::Host { second, .. } if second.is_empty() => Ok(None),
            Self::Host { second, .. } => second.tensor(info.shape.as_slice(), device).map(Some),
            Self::Device { second, .. } => Ok(second.clone()),
            Self::Matrix(_) => Ok(None),
        }
    }
}
