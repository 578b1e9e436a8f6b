//! The numbers of one update, after schedules, live knobs and bias corrections.

use super::spec::{OptimizerKind, OptimizerSpec};

/// What one update does to each parameter w with gradient g, first moment m and second moment v.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rule {
    /// `m <- momentum m + g`, `w <- w - lr m` or, with Nesterov's look-ahead, `w <- w - lr (g + momentum m)`.
    Sgd { lr: f64, momentum: f64, nesterov: bool },
    /// `m <- beta1 m + (1 - beta1) g`, `v <- beta2 v + (1 - beta2) g^2`,
    /// `w <- w - step m / (sqrt(v) root + epsilon)` with `step = lr / (1 - prod beta1)`,
    /// `root = 1 / sqrt(1 - prod beta2)` (Kingma and Ba 2015, as PyTorch arranges it).
    Adam { step: f64, beta1: f64, beta2: f64, root: f64, epsilon: f64 },
}

/// Weight decay of one tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decay {
    /// `g <- g + coupled w`, before the moments see it.
    pub coupled: f64,
    /// `w <- shrink w`, before the update (Loshchilov and Hutter 2019).
    pub shrink: f64,
}

impl Decay {
    pub fn new(spec: &OptimizerSpec, decays: bool, lr: f64) -> Self {
        match spec.kind {
            _ if !decays => Self { coupled: 0.0, shrink: 1.0 },
            OptimizerKind::Sgd | OptimizerKind::Adam => Self { coupled: spec.weight_decay, shrink: 1.0 },
            OptimizerKind::AdamW => Self { coupled: 0.0, shrink: 1.0 - lr * spec.weight_decay },
        }
    }
}

/// Products of the decays over all updates so far. Kept as products, so that a bias correction stays right when
/// a decay is changed during training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Products {
    pub beta1: f64,
    pub beta2: f64,
}

impl Products {
    /// Counts one more update.
    pub fn advance(&mut self, spec: &OptimizerSpec) {
        self.beta1 *= spec.momentum;
        self.beta2 *= spec.beta2;
    }
}

impl Rule {
    /// The rule of the update that `products` counts last, for a tensor that moves at rate `lr`.
    pub fn new(spec: &OptimizerSpec, lr: f64, products: Products) -> Self {
        match spec.kind {
            OptimizerKind::Sgd => Self::Sgd { lr, momentum: spec.momentum, nesterov: spec.nesterov },
            OptimizerKind::Adam | OptimizerKind::AdamW => Self::Adam {
                step: lr / (1.0 - products.beta1),
                beta1: spec.momentum,
                beta2: spec.beta2,
                root: (1.0 - products.beta2).sqrt().recip(),
                epsilon: spec.epsilon,
            },
        }
    }
}
