//! The line that a run's sharpness is compared with.

use crate::optim::spec::{OptimizerKind, OptimizerSpec};
use crate::theory::edge_of_stability as theory;

/// The sharpness above which gradient descent with this optimiser is unstable on a quadratic;
/// `None` where there is no such line: adaptive kinds have theirs for the preconditioned Hessian, SAM's depends on the
/// gradient's norm, and a clipped step is shorter than the learning rate says.
pub fn value(optimizer: &OptimizerSpec, lr: f64) -> Option<f64> {
    if lr <= 0.0 || !has_line(optimizer) {
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
    if !has_line(optimizer) {
        return "";
    }
    match (optimizer.nesterov, optimizer.momentum > 0.0) {
        (true, true) => "2(1 + β)/((1 + 2β) lr), Nesterov momentum",
        (false, true) => "2(1 + β)/lr, heavy-ball momentum",
        (_, false) => "2/lr",
    }
}

fn has_line(optimizer: &OptimizerSpec) -> bool {
    optimizer.kind == OptimizerKind::Sgd && optimizer.sam_rho == 0.0 && optimizer.clip_norm == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_gradient_steps_have_a_line() {
        let sgd = OptimizerSpec { kind: OptimizerKind::Sgd, momentum: 0.0, ..OptimizerSpec::default() };
        assert_eq!((value(&sgd, 0.1), formula(&sgd)), (Some(20.0), "2/lr"));
        for none in [
            OptimizerSpec { sam_rho: 0.05, ..sgd.clone() },
            OptimizerSpec { clip_norm: 1.0, ..sgd.clone() },
            OptimizerSpec { kind: OptimizerKind::RmsProp, ..sgd.clone() },
            OptimizerSpec { kind: OptimizerKind::Muon, ..sgd.clone() },
        ] {
            assert_eq!((value(&none, 0.1), formula(&none)), (None, ""), "{none:?}");
        }
    }
}
