//! What optimiser, and what schedule.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// `m <- momentum m + g; w <- w - lr m` (PyTorch's convention); weight decay is added to the gradient.
    Sgd,
    /// Adam; weight decay is added to the gradient.
    Adam,
    /// Adam with decoupled decay `w <- w (1 - lr weight_decay)`.
    #[default]
    AdamW,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSpec {
    pub kind: OptimizerKind,
    /// Peak learning rate.
    pub lr: f64,
    /// SGD's momentum, Adam's first-moment decay (beta1).
    pub momentum: f64,
    /// Adam's second-moment decay.
    pub beta2: f64,
    pub epsilon: f64,
    /// SGD only: `w <- w - lr (g + momentum m)`.
    pub nesterov: bool,
    pub weight_decay: f64,
}

impl Default for OptimizerSpec {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::AdamW,
            lr: 4e-3,
            momentum: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            nesterov: false,
            weight_decay: 0.1,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    #[default]
    Constant,
    /// Rises linearly over `warmup_steps`, then stays.
    Warmup,
    /// Rises linearly over `warmup_steps`, then falls along a half cosine to zero at the run's last step.
    Cosine,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleSpec {
    pub kind: ScheduleKind,
    pub warmup_steps: u64,
}

impl Default for ScheduleSpec {
    fn default() -> Self {
        Self { kind: ScheduleKind::Constant, warmup_steps: 100 }
    }
}
