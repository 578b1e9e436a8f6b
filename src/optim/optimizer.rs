//! One optimiser: spec, memory and the step.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

use crate::nn::params::{Layout, Params};

use super::fused::Squares;
use super::matrix::Step;
use super::norms::clip_factor;
use super::rule::{Handling, Products, Rule};
use super::sam::{self, Ascent};
use super::slot::Slot;
use super::spec::{OptimizerKind, OptimizerSpec};
use super::state::OptimizerState;

/// Updates parameters by the rule of an [`OptimizerSpec`]; conventions are PyTorch's.
///
/// All randomness-free: equal gradients give equal bits. Weight decay touches only the tensors whose
/// [`crate::nn::params::Role::decays`].
#[derive(Debug)]
pub struct Optimizer {
    spec: OptimizerSpec,
    layout: Arc<Layout>,
    /// Of the learning rate, one a tensor of the layout.
    rate_factors: Vec<f64>,
    /// Of weight decay and epsilon, one a tensor; none for 1.
    decay_factors: Option<Vec<f64>>,
    epsilon_factors: Option<Vec<f64>>,
    updates: u64,
    products: Products,
    /// One a tensor; made at the first step, which knows type and device.
    slots: Vec<Slot>,
}

/// Norms of one update, one entry for each of [`Layout::groups`].
#[derive(Clone, Debug, PartialEq)]
pub struct StepNorms {
    /// Euclidean norm of the gradient, without weight decay and before clipping.
    pub gradient: Vec<f64>,
    /// `|w_after - w_before| / |w_before|`; 0 where all parameters are 0.
    pub update_ratio: Vec<f64>,
}

impl Optimizer {
    pub fn new(spec: &OptimizerSpec, layout: &Arc<Layout>) -> Self {
        Self {
            spec: spec.clone(),
            layout: Arc::clone(layout),
            rate_factors: vec![1.0; layout.infos().len()],
            decay_factors: None,
            epsilon_factors: None,
            updates: 0,
            products: Products { beta1: 1.0, beta2: 1.0 },
            slots: Vec::new(),
        }
    }

    /// Lets tensor i of the layout move at `lr * factors[i]`; all 1 without this call.
    ///
    /// The factor stands wherever the rule has `lr`, so AdamW's decoupled decay of that tensor is
    /// `w <- w (1 - lr factors[i] weight_decay)`: its equilibrium between decay and update moves with the factor.
    #[must_use]
    pub fn with_rate_factors(mut self, factors: Vec<f64>) -> Self {
        assert_eq!(factors.len(), self.layout.infos().len(), "one factor for each entry of the layout");
        self.rate_factors = factors;
        self
    }

    /// Where the gradient for the next update is to be taken, if not at the parameters themselves: moves `params` there along
    /// `grads`, the gradient at the parameters. Take the gradient of the same minibatch, [`Ascent::undo`], then step.
    /// `None` without sharpness-aware minimisation.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn ascend(&self, params: &Params, grads: &[Tensor]) -> Result<Option<Ascent>> {
        if self.spec.sam_rho == 0.0 { Ok(None) } else { sam::ascend(self.spec.sam_rho, params, grads).map(Some) }
    }

    /// Multiplies the weight decay of tensor i by `decay[i]`, whichever way it is applied, and Adam's epsilon by
    /// `epsilon[i]`; all 1 without this call.
    #[must_use]
    pub fn with_decay_and_epsilon_factors(mut self, decay: Vec<f64>, epsilon: Vec<f64>) -> Self {
        let tensors = self.layout.infos().len();
        assert!(decay.len() == tensors && epsilon.len() == tensors, "one factor for each entry of the layout");
        self.decay_factors = Some(decay);
        self.epsilon_factors = Some(epsilon);
        self
    }

    /// The settings of tensor `index`.
    fn spec_of(&self, index: usize) -> OptimizerSpec {
        let mut spec = self.spec.clone();
        if let Some(factors) = &self.decay_factors {
            spec.weight_decay *= factors[index];
        }
        if let Some(factors) = &self.epsilon_factors {
            spec.epsilon *= factors[index];
        }
        spec
    }

    /// Updates `params` in place along `grads`, which have the shapes of the layout. `lr` is the rate after the
    /// schedule; the rate in the spec isn't looked at.
    ///
    /// # Errors
    /// Whatever candle says of shapes, types and the device.
    pub fn step(&mut self, params: &Params, grads: &[Tensor], lr: f64) -> Result<()> {
        self.advance(params, grads, lr, false).map(drop)
    }

    /// [`Self::step`] that also tells the norms per group, from the same pass.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub fn step_with_norms(&mut self, params: &Params, grads: &[Tensor], lr: f64) -> Result<StepNorms> {
        self.advance(params, grads, lr, true)
    }

    /// Takes over rates and decays from the next step on; what was learned stays. Another kind starts with an empty
    /// memory, as its moments mean something else.
    pub fn set_hyperparameters(&mut self, spec: &OptimizerSpec) {
        // A longest dimension changes which factors there are.
        let same_memory =
            self.spec.kind.shares_memory_with(spec.kind) && self.spec.precondition_longest == spec.precondition_longest;
        if same_memory {
            self.spec = spec.clone();
        } else {
            *self = Self {
                rate_factors: std::mem::take(&mut self.rate_factors),
                decay_factors: self.decay_factors.take(),
                epsilon_factors: self.epsilon_factors.take(),
                ..Self::new(spec, &self.layout)
            };
        }
    }

    /// Updates done.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The diagonal P that the last update of Adam, AdamW or RMSprop divided its average of gradients by, in the shapes of the
    /// layout: `w <- w - lr m / P` with
    ///
    /// - Adam, AdamW: `P = (1 - prod beta1) (sqrt(v / (1 - prod beta2)) + epsilon)`,
    /// - RMSprop: `P = sqrt(v) + epsilon`, without corrections.
    ///
    /// Learning-rate factors aren't in it. `None` for other kinds and before the first update.
    ///
    /// At the adaptive edge of stability the largest eigenvalue of `P^-1/2 H P^-1/2` is compared with
    /// [`crate::theory::edge_of_stability::adaptive_threshold`] (Cohen et al. 2022, whose P this is).
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn preconditioner(&self, device: &Device) -> Result<Option<Vec<Tensor>>> {
        if !self.spec.kind.divides_by_a_diagonal() || self.slots.is_empty() {
            return Ok(None);
        }
        let of = |(i, (slot, info)): (usize, (&Slot, _))| {
            let (correction, root, epsilon) = match Rule::new(&self.spec_of(i), 1.0, self.products) {
                Rule::Sgd { .. } => return Ok(None),
                Rule::Adam { step, root, epsilon, .. } => (step.recip(), root, epsilon),
                Rule::RmsProp { epsilon, .. } => (1.0, 1.0, epsilon),
            };
            match slot.second_moments(info, device)? {
                Some(second) => (((second.sqrt()? * root)? + epsilon)? * correction).map(Some),
                None => Ok(None),
            }
        };
        self.slots.iter().zip(self.layout.infos()).enumerate().map(of).collect()
    }

    /// A copy of the memory. Before the first step it is all empty.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn save(&self) -> Result<OptimizerState> {
        Ok(OptimizerState {
            updates: self.updates,
            products: [self.products.beta1, self.products.beta2],
            tensors: self.slots.iter().map(Slot::save).collect::<Result<_>>()?,
        })
    }

    /// Continues from a saved state: with equal gradients, bit for bit as the optimiser that saved it.
    ///
    /// # Errors
    /// If the state has another number of parameters or was saved by another kind of optimiser; whatever candle says
    /// of the device.
    pub fn restore(&mut self, state: &OptimizerState, params: &Params) -> Result<()> {
        let mut slots = Vec::new();
        if !state.tensors.is_empty() {
            slots = self.empty_slots(params)?;
            if slots.len() != state.tensors.len() {
                let (found, needed) = (state.tensors.len(), slots.len());
                candle_core::bail!("the saved optimiser remembers {found} tensors, this network has {needed}");
            }
            for ((slot, saved), info) in slots.iter_mut().zip(&state.tensors).zip(self.layout.infos()) {
                slot.load(saved, info)?;
            }
        }
        self.slots = slots;
        self.updates = state.updates;
        self.products = Products { beta1: state.products[0], beta2: state.products[1] };
        Ok(())
    }

    fn empty_slots(&self, params: &Params) -> Result<Vec<Slot>> {
        let (dtype, device) =
            params.vars().first().map_or((DType::F32, Device::Cpu), |var| (var.dtype(), var.device().clone()));
        self.layout.infos().iter().map(|info| Slot::new(&self.spec, info, dtype, &device)).collect()
    }

    fn advance(&mut self, params: &Params, grads: &[Tensor], lr: f64, measure: bool) -> Result<StepNorms> {
        let layout = Arc::clone(&self.layout);
        assert_eq!(grads.len(), layout.infos().len(), "one gradient for each entry of the layout");
        if self.slots.is_empty() {
            self.slots = self.empty_slots(params)?;
        }
        // SOAP's first update makes its bases and moves nothing.
        let still = self.spec.kind == OptimizerKind::Soap && self.updates == 0;
        if !still {
            self.products.advance(&self.spec);
        }
        self.updates += 1;
        let clip = clip_factor(self.spec.clip_norm, grads)?;
        let mut squares = vec![Squares::default(); layout.groups().len()];
        for (i, ((info, var), gradient)) in layout.infos().iter().zip(params.vars()).zip(grads).enumerate() {
            let lr = lr * self.rate_factors[i] * self.spec.rates.of(info.role);
            let spec = self.spec_of(i);
            let step = Step { spec: &spec, lr, products: self.products, update: self.updates };
            let handling = Handling::new(&spec, info.role.decays(), lr, clip);
            let met = self.slots[i].update((var, gradient), &step, handling, still, measure)?;
            let sum = &mut squares[info.group];
            sum.gradient += met.gradient;
            sum.params += met.params;
            sum.update += met.update;
        }
        Ok(StepNorms {
            gradient: squares.iter().map(|s| s.gradient.sqrt()).collect(),
            update_ratio: squares
                .iter()
                .map(|s| if s.params == 0.0 { 0.0 } else { (s.update / s.params).sqrt() })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests;
