//! What a parametrisation means for a run's optimiser.

use std::sync::Arc;

use crate::nn::parametrization::{Parametrization, UpdateKind, factors, learning_rate_factors};
use crate::nn::params::Layout;
use crate::optim::Optimizer;
use crate::optim::spec::OptimizerKind;

use super::spec::RunSpec;

/// How an optimiser's updates depend on the size of gradients: the column of the table of exponents.
pub fn update_kind(optimizer: OptimizerKind) -> UpdateKind {
    match optimizer {
        OptimizerKind::Sgd => UpdateKind::Sgd,
        OptimizerKind::Adam => UpdateKind::Adam,
        OptimizerKind::AdamW => UpdateKind::AdamW,
    }
}

/// The run's optimiser, each tensor with the learning rate, weight decay and epsilon of the run's parametrisation.
pub fn optimizer(spec: &RunSpec, layout: &Arc<Layout>) -> Optimizer {
    let optimizer = Optimizer::new(&spec.optimizer, layout);
    if spec.model.parametrization.kind == Parametrization::Standard {
        return optimizer;
    }
    let factors = factors(&spec.model, layout, update_kind(spec.optimizer.kind));
    let (decay, epsilon) = factors.iter().map(|f| (f.weight_decay, f.epsilon)).unzip();
    optimizer.with_rate_factors(factors.iter().map(|f| f.lr).collect()).with_decay_and_epsilon_factors(decay, epsilon)
}

/// The factor on the learning rate of each tensor, as the run's optimiser has it: the preconditioner R of
/// `R^1/2 H R^1/2`, whose largest eigenvalue is to be compared with the edge of stability at the run's learning rate.
pub fn preconditioner(spec: &RunSpec, layout: &Layout) -> Vec<f64> {
    learning_rate_factors(&spec.model, layout, update_kind(spec.optimizer.kind))
}
