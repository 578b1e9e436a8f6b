//! The line that a run's sharpness is compared with.

use crate::optim::spec::{OptimizerKind, OptimizerSpec};
use crate::theory::edge_of_stability as theory;

/// The sharpness above which gradient descent with this optimiser is unstable on a quadratic;
/// `None` for Adam, whose edge belongs to the preconditioned Hessian.
pub fn value(optimizer: &OptimizerSpec, lr: f64) -> Option<f64> {
    if lr <= 0.0 || optimizer.kind != OptimizerKind::Sgd {
        return None;
    }
    Some(if optimizer.nesterov {
        theory::nesterov_threshold(lr, optimizer.momentum)
    } else {
        theory::heavy_ball_threshold(lr, optimizer.momentum)
    })
}

/// In words, for the header; empty where there is no line.
pub fn formula(optimizer: &OptimizerSpec) -> &'static str {
    match (optimizer.kind, optimizer.nesterov, optimizer.momentum > 0.0) {
        (OptimizerKind::Sgd, true, true) => "2(1 + β)/((1 + 2β) lr), Nesterov momentum",
        (OptimizerKind::Sgd, false, true) => "2(1 + β)/lr, heavy-ball momentum",
        (OptimizerKind::Sgd, _, false) => "2/lr",
        (OptimizerKind::Adam | OptimizerKind::AdamW, ..) => "",
    }
}
