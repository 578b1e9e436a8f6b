//! What a parametrisation means for a run's optimiser.

use std::sync::Arc;

use crate::nn::parametrization::{Parametrization, UpdateKind, factors, learning_rate_factors};
use crate::nn::params::Layout;
use crate::optim::Optimizer;
use crate::optim::spec::{Grafting, OptimizerKind, OptimizerSpec};

use super::spec::RunSpec;

/// How an optimiser's updates depend on the size of gradients: the column of the table of exponents.
///
/// RMSprop's steps have Adam's size and coupled decay. SOAP is Adam in a turned basis, and grafted Shampoo moves as far as
/// Adam, so their steps grow and shrink with width as AdamW's do. Muon's and bare Shampoo's have sizes of their own that the
/// table doesn't know: [`has_column`] is false of them, and a run refuses the combination.
pub fn update_kind(optimizer: OptimizerKind) -> UpdateKind {
    match optimizer {
        OptimizerKind::Sgd => UpdateKind::Sgd,
        OptimizerKind::Adam | OptimizerKind::RmsProp => UpdateKind::Adam,
        OptimizerKind::AdamW | OptimizerKind::Soap | OptimizerKind::Shampoo | OptimizerKind::Muon => UpdateKind::AdamW,
    }
}

/// Whether the table of exponents says how this optimiser's rates change with width.
pub fn has_column(optimizer: &OptimizerSpec) -> bool {
    match optimizer.kind {
        OptimizerKind::Muon => false,
        OptimizerKind::Shampoo => optimizer.grafting == Grafting::Adam,
        _ => true,
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

/// Whether all parameters move at the run's learning rate itself.
pub fn has_one_rate(spec: &RunSpec) -> bool {
    spec.model.parametrization.kind == Parametrization::Standard && spec.optimizer.rates.is_one()
}

/// The factor on the learning rate of each tensor, as the run's optimiser has it: the preconditioner R of
/// `R^1/2 H R^1/2`, whose largest eigenvalue is to be compared with the edge of stability at the run's learning rate.
pub fn preconditioner(spec: &RunSpec, layout: &Layout) -> Vec<f64> {
    let factors = learning_rate_factors(&spec.model, layout, update_kind(spec.optimizer.kind));
    let roles = layout.infos().iter().map(|info| spec.optimizer.rates.of(info.role));
    factors.into_iter().zip(roles).map(|(factor, role)| factor * role).collect()
}
