//! The curvature that a run's updates meet: the Hessian between the square roots of what a gradient is multiplied with.

use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::nn::params::Layout;
use crate::optim::Optimizer;
use crate::optim::spec::OptimizerKind;

use super::parametrization;
use super::spec::RunSpec;

/// Which matrix the live sharpness is the largest eigenvalue of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharpnessOf {
    /// The Hessian H.
    #[default]
    Hessian,
    /// `S H S` with the S of [`factors`]; H where there is none.
    Preconditioned,
    Both,
}

/// Whether updates multiply the (average) gradient by a diagonal that isn't a constant: under Adam, AdamW and RMSprop, and
/// under SGD with learning rates by role or of a parametrisation. Muon, Shampoo and SOAP mix the entries of a matrix.
pub fn exists(spec: &RunSpec) -> bool {
    let kind = spec.optimizer.kind;
    kind.divides_by_a_diagonal() || (kind == OptimizerKind::Sgd && !parametrization::has_one_rate(spec))
}

impl SharpnessOf {
    /// Whether the largest eigenvalue of H itself is measured.
    pub fn wants_raw(self, spec: &RunSpec) -> bool {
        self != Self::Preconditioned || !exists(spec)
    }

    pub fn wants_preconditioned(self, spec: &RunSpec) -> bool {
        self != Self::Hessian && exists(spec)
    }
}

/// The diagonal S of the preconditioned Hessian `S H S`, in the flattening order: with the learning-rate
/// factors R of roles and parametrisation ([`parametrization::preconditioner`]) and, where the optimiser has one, its P ([`Optimizer::preconditioner`]),
/// `S = (R / P)^(1/2)`, so that an update is `w <- w - lr S^2 m`. The same operator in both forms of a parametrisation, up to a
/// change of basis. `None` where [`exists`] is false, before the first update, and where an entry isn't finite.
///
/// # Errors
/// Whatever candle says of the device.
pub fn factors(
    spec: &RunSpec,
    layout: &Layout,
    optimizer: &Optimizer,
    device: &Device,
) -> candle_core::Result<Option<Vec<f64>>> {
    if !exists(spec) {
        return Ok(None);
    }
    let mut factors = vec![0.0; layout.total()];
    for (index, rate) in parametrization::preconditioner(spec, layout).into_iter().enumerate() {
        factors[layout.range(index)].fill(rate);
    }
    if spec.optimizer.kind.divides_by_a_diagonal() {
        let Some(divisors) = optimizer.preconditioner(device)? else { return Ok(None) };
        for (factor, divisor) in factors.iter_mut().zip(layout.flatten(&divisors)?) {
            *factor /= divisor;
        }
    }
    factors.iter_mut().for_each(|factor| *factor = factor.sqrt());
    Ok(factors.iter().all(|factor| factor.is_finite()).then_some(factors))
}

/// The matrix, for captions.
pub fn title(spec: &RunSpec) -> &'static str {
    match (spec.optimizer.kind.divides_by_a_diagonal(), !parametrization::has_one_rate(spec)) {
        (true, true) => "(R/P)^1/2 H (R/P)^1/2",
        (true, false) => "P^-1/2 H P^-1/2",
        (false, _) => "R^1/2 H R^1/2",
    }
}
