//! The lines that a run's sharpness is compared with.

use crate::optim::spec::OptimizerKind;
use crate::theory::edge_of_stability as theory;

use super::parametrization::has_one_rate;
use super::preconditioning;
use super::spec::RunSpec;

/// The sharpness above which gradient descent with this optimiser is unstable on a quadratic;
/// `None` where there is no such line: adaptive kinds and parametrisations other than Standard have theirs for a
/// preconditioned Hessian ([`preconditioned_value`]), SAM's depends on the gradient's norm, and a
/// clipped step is shorter than the learning rate says.
pub fn value(spec: &RunSpec, lr: f64) -> Option<f64> {
    (lr > 0.0 && has_line(spec)).then(|| of_momentum(spec, lr))
}

/// In words, for the header; empty where there is no line.
pub fn formula(spec: &RunSpec) -> &'static str {
    if has_line(spec) { momentum_formula(spec) } else { "" }
}

/// The same for the preconditioned sharpness: the largest eigenvalue of the Hessian between the factors of
/// [`preconditioning::factors`] above which steps with these factors held fixed are unstable on a quadratic. Weight decay,
/// decoupled or not, isn't in it.
pub fn preconditioned_value(spec: &RunSpec, lr: f64) -> Option<f64> {
    (lr > 0.0 && has_preconditioned_line(spec)).then(|| match spec.optimizer.kind {
        OptimizerKind::Adam | OptimizerKind::AdamW => theory::adaptive_threshold(lr, spec.optimizer.momentum),
        OptimizerKind::RmsProp => theory::heavy_ball_threshold(lr, spec.optimizer.momentum),
        _ => of_momentum(spec, lr),
    })
}

/// In words, for the header; empty where there is no line.
pub fn preconditioned_formula(spec: &RunSpec) -> &'static str {
    if !has_preconditioned_line(spec) {
        return "";
    }
    match (spec.optimizer.kind, spec.optimizer.momentum) {
        (OptimizerKind::Adam | OptimizerKind::AdamW, 0.9) => "38/lr = 2(1 + β)/((1 - β) lr), Adam",
        (OptimizerKind::Adam | OptimizerKind::AdamW, _) => "2(1 + β)/((1 - β) lr), Adam",
        (OptimizerKind::RmsProp, beta) if beta > 0.0 => "2(1 + β)/lr, RMSprop with momentum",
        (OptimizerKind::RmsProp, _) => "2/lr, RMSprop",
        _ => momentum_formula(spec),
    }
}

fn of_momentum(spec: &RunSpec, lr: f64) -> f64 {
    let optimizer = &spec.optimizer;
    if optimizer.nesterov {
        theory::nesterov_threshold(lr, optimizer.momentum)
    } else {
        theory::heavy_ball_threshold(lr, optimizer.momentum)
    }
}

fn momentum_formula(spec: &RunSpec) -> &'static str {
    match (spec.optimizer.nesterov, spec.optimizer.momentum > 0.0) {
        (true, true) => "2(1 + β)/((1 + 2β) lr), Nesterov momentum",
        (false, true) => "2(1 + β)/lr, heavy-ball momentum",
        (_, false) => "2/lr",
    }
}

/// The gradient at the parameters is what moves them.
fn moves_by_the_gradient(spec: &RunSpec) -> bool {
    spec.optimizer.sam_rho == 0.0 && spec.optimizer.clip_norm == 0.0
}

fn has_line(spec: &RunSpec) -> bool {
    // All parameters must move at the same learning rate.
    spec.optimizer.kind == OptimizerKind::Sgd && has_one_rate(spec) && moves_by_the_gradient(spec)
}

fn has_preconditioned_line(spec: &RunSpec) -> bool {
    preconditioning::exists(spec) && moves_by_the_gradient(spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::parametrization::Parametrization;

    #[test]
    fn only_plain_gradient_steps_at_one_rate_have_a_line() {
        let mut sgd = RunSpec::default();
        assert_eq!((value(&sgd, 0.1), formula(&sgd)), (None, ""), "AdamW");
        sgd.optimizer.kind = OptimizerKind::Sgd;
        sgd.optimizer.momentum = 0.0;
        assert_eq!((value(&sgd, 0.1), formula(&sgd)), (Some(20.0), "2/lr"));
        let changes: [fn(&mut RunSpec); 6] = [
            |spec| spec.optimizer.sam_rho = 0.05,
            |spec| spec.optimizer.clip_norm = 1.0,
            |spec| spec.optimizer.kind = OptimizerKind::RmsProp,
            |spec| spec.optimizer.kind = OptimizerKind::Muon,
            |spec| spec.model.parametrization.kind = Parametrization::Mup,
            |spec| spec.optimizer.rates.output = 0.5,
        ];
        for change in changes {
            let mut none = sgd.clone();
            change(&mut none);
            assert_eq!((value(&none, 0.1), formula(&none)), (None, ""), "{none:?}");
        }
    }

    #[test]
    fn what_a_diagonal_preconditions_has_a_line_of_its_own() {
        let mut spec = RunSpec::default();
        let line = |spec: &RunSpec| preconditioned_value(spec, 0.1);
        let close = |found: Option<f64>, known: f64| assert!((found.unwrap() / known - 1.0).abs() < 1e-12, "{found:?}");
        close(line(&spec), 380.0);
        assert!(preconditioned_formula(&spec).starts_with("38/lr"));
        spec.optimizer.momentum = 0.5;
        close(line(&spec), 60.0);
        spec.optimizer.kind = OptimizerKind::RmsProp;
        close(line(&spec), 30.0);
        spec.optimizer.kind = OptimizerKind::Sgd;
        assert_eq!((line(&spec), preconditioned_formula(&spec)), (None, ""), "it is the plain one");
        spec.model.parametrization.kind = Parametrization::Mup;
        close(line(&spec), 30.0);
        for kind in [OptimizerKind::Muon, OptimizerKind::Shampoo, OptimizerKind::Soap] {
            let mixed = RunSpec {
                optimizer: crate::optim::spec::OptimizerSpec { kind, ..spec.optimizer.clone() },
                ..spec.clone()
            };
            assert_eq!((line(&mixed), preconditioned_formula(&mixed)), (None, ""), "{kind:?}");
        }
        spec.optimizer.clip_norm = 1.0;
        assert_eq!((line(&spec), preconditioned_formula(&spec)), (None, ""));
    }
}
