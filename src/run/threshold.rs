//! The line that a run's sharpness is compared with.

use crate::nn::parametrization::Parametrization;
use crate::optim::spec::OptimizerKind;
use crate::theory::edge_of_stability as theory;

use super::spec::RunSpec;

/// The sharpness above which gradient descent with this optimiser is unstable on a quadratic;
/// `None` where there is no such line: adaptive kinds and parametrisations other than Standard have theirs for a
/// preconditioned Hessian (see [`super::parametrization::preconditioner`]), SAM's depends on the gradient's norm, and a
/// clipped step is shorter than the learning rate says.
pub fn value(spec: &RunSpec, lr: f64) -> Option<f64> {
    let optimizer = &spec.optimizer;
    if lr <= 0.0 || !has_line(spec) {
        return None;
    }
    Some(if optimizer.nesterov {
        theory::nesterov_threshold(lr, optimizer.momentum)
    } else {
        theory::heavy_ball_threshold(lr, optimizer.momentum)
    })
}

/// In words, for the header; empty where there is no line.
pub fn formula(spec: &RunSpec) -> &'static str {
    if !has_line(spec) {
        return "";
    }
    match (spec.optimizer.nesterov, spec.optimizer.momentum > 0.0) {
        (true, true) => "2(1 + β)/((1 + 2β) lr), Nesterov momentum",
        (false, true) => "2(1 + β)/lr, heavy-ball momentum",
        (_, false) => "2/lr",
    }
}

fn has_line(spec: &RunSpec) -> bool {
    let optimizer = &spec.optimizer;
    let plain = optimizer.kind == OptimizerKind::Sgd && optimizer.sam_rho == 0.0 && optimizer.clip_norm == 0.0;
    // All parameters must move at the same learning rate.
    plain && spec.model.parametrization.kind == Parametrization::Standard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_gradient_steps_at_one_rate_have_a_line() {
        let mut sgd = RunSpec::default();
        assert_eq!((value(&sgd, 0.1), formula(&sgd)), (None, ""), "AdamW");
        sgd.optimizer.kind = OptimizerKind::Sgd;
        sgd.optimizer.momentum = 0.0;
        assert_eq!((value(&sgd, 0.1), formula(&sgd)), (Some(20.0), "2/lr"));
        let changes: [fn(&mut RunSpec); 5] = [
            |spec| spec.optimizer.sam_rho = 0.05,
            |spec| spec.optimizer.clip_norm = 1.0,
            |spec| spec.optimizer.kind = OptimizerKind::RmsProp,
            |spec| spec.optimizer.kind = OptimizerKind::Muon,
            |spec| spec.model.parametrization.kind = Parametrization::Mup,
        ];
        for change in changes {
            let mut none = sgd.clone();
            change(&mut none);
            assert_eq!((value(&none, 0.1), formula(&none)), (None, ""), "{none:?}");
        }
    }
}
