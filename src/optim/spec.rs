//! What optimiser, and what schedule.

use serde::{Deserialize, Serialize};

pub use super::rates::RateSpec;

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
    /// `v <- beta2 v + (1 - beta2) g^2; b <- momentum b + g / (sqrt(v) + epsilon); w <- w - lr b` (PyTorch's convention, its
    /// alpha is our beta2); weight decay is added to the gradient.
    RmsProp,
    /// Orthogonalised momentum for hidden matrices, AdamW for the rest; see `optim/muon.rs`.
    Muon,
    /// Kronecker-factored preconditioning of every matrix, AdamW for the rest; see `optim/shampoo.rs`.
    Shampoo,
    /// Adam in the eigenbasis of Shampoo's factors for every matrix, AdamW for the rest; see `optim/soap.rs`.
    Soap,
}

impl OptimizerKind {
    /// Whether updates keep their size when all gradients are multiplied by a constant (but for `epsilon`, and
    /// Shampoo without grafting).
    pub fn is_adaptive(self) -> bool {
        self != Self::Sgd
    }

    /// Whether every parameter's average of gradients is divided by a number of its own: a preconditioner that is a diagonal.
    pub fn divides_by_a_diagonal(self) -> bool {
        matches!(self, Self::Adam | Self::AdamW | Self::RmsProp)
    }

    /// Whether memory made by one kind means the same to the other.
    pub(super) fn shares_memory_with(self, other: Self) -> bool {
        let alike = |kind| matches!(kind, Self::Adam | Self::AdamW);
        self == other || (alike(self) && alike(other))
    }
}

/// How long a Muon update is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MuonScale {
    /// `0.2 sqrt(max(fan_in, fan_out))`: entries of about AdamW's size, so that AdamW's rate and decay fit (Liu et al. 2025,
    /// arXiv:2502.16982, equation 4).
    #[default]
    MatchAdam,
    /// `sqrt(max(1, fan_out / fan_in))`: the spectral norm follows the shape (Jordan et al. 2024). Wants rates some
    /// ten times AdamW's.
    Spectral,
}

/// What sets the length of Shampoo's step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grafting {
    /// Each matrix moves as far as Adam would move it (Anil et al. 2020, arXiv:2002.09018).
    #[default]
    Adam,
    /// Shampoo's own length.
    None,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSpec {
    pub kind: OptimizerKind,
    /// Peak learning rate.
    pub lr: f64,
    /// SGD's, RMSprop's and Muon's momentum; the first-moment decay (beta1) of the others.
    pub momentum: f64,
    /// Second-moment decay, also of Shampoo's and SOAP's factors.
    pub beta2: f64,
    pub epsilon: f64,
    /// SGD: `w <- w - lr (g + momentum m)`; Muon likewise, before the orthogonalisation.
    pub nesterov: bool,
    pub weight_decay: f64,
    /// Largest norm of the gradient of all parameters together; 0 for no limit.
    pub clip_norm: f64,
    /// Radius of sharpness-aware minimisation, around any kind; 0 for none.
    pub sam_rho: f64,
    pub muon_scale: MuonScale,
    pub grafting: Grafting,
    /// Updates between refreshes of Shampoo's roots or SOAP's bases.
    pub precondition_every: u64,
    /// Shampoo and SOAP leave dimensions longer than this alone.
    pub precondition_longest: usize,
    /// Factors on the learning rate by role.
    pub rates: RateSpec,
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
            clip_norm: 0.0,
            sam_rho: 0.0,
            muon_scale: MuonScale::MatchAdam,
            grafting: Grafting::Adam,
            precondition_every: 10,
            precondition_longest: 512,
            rates: RateSpec::default(),
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
    /// Rises linearly over `warmup_steps`, then falls linearly to zero at the run's last step.
    Linear,
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
