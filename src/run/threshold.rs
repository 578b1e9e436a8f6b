//! The line that a run's sharpness is compared with.

use crate::nn::parametrization::Parametrization;
use crate::optim::spec::OptimizerKind;
use crate::theory::edge_of_stability as theory;

use super::spec::RunSpec;

/// The sharpness above which gradient descent with this optimiser is unstable on a quadratic;
/// `None` for Adam and for parametrisations other than Standard, whose edges belong to preconditioned Hessians
/// (see [`super::parametrization::preconditioner`]).
pub fn value(spec: &RunSpec, lr: f64) -> Option<f64> {
    let optimizer = &spec.optimizer;
    if lr <= 0.0 || optimizer.kind != OptimizerKind::Sgd || !has_one_rate(spec) {
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
    let optimizer = &spec.optimizer;
    if !has_one_rate(spec) {
        return "";
    }
    match (optimizer.kind, optimizer.nesterov, optimizer.momentum > 0.0) {
        (OptimizerKind::Sgd, true, true) => "2(1 + β)/((1 + 2β) lr), Nesterov momentum",
        (OptimizerKind::Sgd, false, true) => "2(1 + β)/lr, heavy-ball momentum",
        (OptimizerKind::Sgd, _, false) => "2/lr",
        (OptimizerKind::Adam | OptimizerKind::AdamW, ..) => "",
    }
}

/// Whether all parameters move at the same learning rate.
fn has_one_rate(spec: &RunSpec) -> bool {
    spec.model.parametrization.kind == Parametrization::Standard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_sharpness_has_a_line_under_one_learning_rate_only() {
        let mut spec = RunSpec::default();
        assert_eq!((value(&spec, 0.1), formula(&spec)), (None, ""));
        spec.optimizer.kind = OptimizerKind::Sgd;
        spec.optimizer.momentum = 0.0;
        assert_eq!((value(&spec, 0.1), formula(&spec)), (Some(20.0), "2/lr"));
        spec.model.parametrization.kind = Parametrization::Mup;
        assert_eq!((value(&spec, 0.1), formula(&spec)), (None, ""));
    }
}
