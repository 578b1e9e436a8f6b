//! From exponents to numbers, one for each tensor of a network.

use crate::nn::params::Layout;
use crate::nn::spec::ModelSpec;

use super::place::{Place, Row, place};
use super::spec::{Form, Parametrization};
use super::table::{Exponents, depth_exponents, exponents};

/// How an update depends on its gradient's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateKind {
    /// In proportion (SGD, with or without momentum); weight decay is added to the gradient.
    Sgd,
    /// Not at all (Adam and its kin); weight decay is added to the gradient.
    Adam,
    /// As [`Self::Adam`], with decoupled weight decay `w <- w (1 - lr weight_decay)`.
    AdamW,
}

/// Factors of one tensor on the optimiser's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    pub lr: f64,
    pub weight_decay: f64,
    /// On Adam's epsilon.
    pub epsilon: f64,
}

impl Factors {
    pub const ONE: Self = Self { lr: 1.0, weight_decay: 1.0, epsilon: 1.0 };
}

/// `(m, l)`: width and depth over those of the base.
fn ratios(spec: &ModelSpec) -> (f64, f64) {
    let base = &spec.parametrization;
    (spec.width as f64 / base.base_width as f64, spec.depth as f64 / base.base_depth as f64)
}

fn cells_of(spec: &ModelSpec, row: Row) -> Exponents {
    exponents(spec.parametrization.kind, spec.parametrization.gamma_exponent, row)
}

/// The factors on the learning rate, weight decay and epsilon of each tensor, in the order of the layout.
///
/// **Weight decay.** SGD and AdamW shrink a tensor by `lr weight_decay` a step. As in `microsoft/mup`, the product is
/// kept from one width to the next (its factor is 1 over that of the rate), else wide networks would decay ever less.
/// Adam's coupled decay enters the moments with the gradient; there the factor is 1 (`mup` treats it like AdamW's; the
/// gradients of matrices fall as 1/m, so a decay that grows with m would take over).
///
/// **Epsilon** is left alone in the absorbed form, as in `mup`: it must stay below the gradients, which fall as 1/m.
///
/// **Momentum** has no factor: the buffer scales as the gradient does.
pub fn factors(spec: &ModelSpec, layout: &Layout, update: UpdateKind) -> Vec<Factors> {
    let kind = spec.parametrization.kind;
    if kind == Parametrization::Standard {
        return vec![Factors::ONE; layout.infos().len()];
    }
    let ((m, l), gamma0) = (ratios(spec), spec.parametrization.gamma0);
    let depth = depth_exponents(kind);
    let one = |index| {
        let Place { row, in_branch } = place(layout, index);
        let cells = cells_of(spec, row);
        let c = forward_multiplier(spec, cells, m);
        let l = if in_branch { l } else { 1.0 };
        let (lr, coupled) = match update {
            UpdateKind::Sgd => (cells.sgd.at(m, gamma0) * l.powf(depth.sgd) / (c * c), false),
            UpdateKind::Adam => (cells.adam.at(m, gamma0) * l.powf(depth.adam) / c, true),
            UpdateKind::AdamW => (cells.adam.at(m, gamma0) * l.powf(depth.adam) / c, false),
        };
        Factors { lr, weight_decay: if coupled { c * c } else { lr.recip() }, epsilon: c }
    };
    (0..layout.infos().len()).map(one).collect()
}

/// The learning rates of [`factors`] alone: the diagonal R, a number a tensor, of the preconditioned Hessian
/// `R^1/2 H R^1/2`. It is the same operator in both forms, and its largest eigenvalue times the learning rate is what the
/// edge of stability is about (Noci et al. 2024: the Hessian times gamma^2, against 2/eta0).
pub fn learning_rate_factors(spec: &ModelSpec, layout: &Layout, update: UpdateKind) -> Vec<f64> {
    factors(spec, layout, update).iter().map(|f| f.lr).collect()
}

/// Factors on the starts of the tensors as they are stored, in the order of the layout.
pub(super) fn starts(spec: &ModelSpec, layout: &Layout) -> Vec<f64> {
    let ((m, _), gamma0) = (ratios(spec), spec.parametrization.gamma0);
    let one = |index| {
        let row = place(layout, index).row;
        let cells = cells_of(spec, row);
        match row {
            // Constants: 0 and 1.
            Row::Bias | Row::Gain | Row::OutputBias => 1.0,
            _ => cells.start.at(m, gamma0) / forward_multiplier(spec, cells, m),
        }
    };
    (0..layout.infos().len()).map(one).collect()
}

/// Forward multipliers c, in the order of the layout; all 1 in the absorbed form.
pub(super) fn multipliers(spec: &ModelSpec, layout: &Layout) -> Vec<f64> {
    let (m, _) = ratios(spec);
    let cells = |index| cells_of(spec, place(layout, index).row);
    (0..layout.infos().len()).map(|index| forward_multiplier(spec, cells(index), m)).collect()
}

/// Factor on outputs that are read with the token embeddings, in both forms: the embedding is trained as one, so what an
/// output matrix has in its start and its rate has nowhere else to go (`MuSharedReadout` of `microsoft/mup`).
pub(in crate::nn) fn tied_output_factor(spec: &ModelSpec) -> f64 {
    let (m, _) = ratios(spec);
    cells_of(spec, Row::Output).multiplier.at(m, spec.parametrization.gamma0)
}

fn forward_multiplier(spec: &ModelSpec, cells: Exponents, m: f64) -> f64 {
    match spec.parametrization.form {
        Form::Absorbed => 1.0,
        Form::Explicit => cells.multiplier.at(m, spec.parametrization.gamma0),
    }
}

/// The specification with the depth rule's factor in `residual_scale`.
pub(super) fn with_branch_factor(spec: &ModelSpec) -> ModelSpec {
    let (_, l) = ratios(spec);
    let branch = l.powf(depth_exponents(spec.parametrization.kind).branch);
    ModelSpec { residual_scale: spec.residual_scale * branch, ..spec.clone() }
}
