//! Which parametrisation, relative to which base.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parametrization {
    /// Starts with variance `gain^2/fan_in`, one learning rate for all tensors; as PyTorch networks are mostly trained.
    #[default]
    Standard,
    /// Neural tangent: in the limit of width the features stay and a linear model in them learns.
    Ntk,
    /// Maximal update (mean-field): in the limit of width every layer learns features, at a rate that doesn't depend on it.
    Mup,
    /// muP with residual branches scaled by `1/sqrt(depth)`.
    DepthMup,
    /// muP with residual branches scaled by `1/depth`: a neural ODE in the limit of depth.
    DepthInverse,
    /// Outputs divided by `gamma = gamma0 m^a`, rates multiplied by its square: NTK for `a = 0`, muP for `a = 1/2`.
    GammaPower,
}

impl Parametrization {
    pub const ALL: [Self; 6] =
        [Self::Standard, Self::Ntk, Self::Mup, Self::DepthMup, Self::DepthInverse, Self::GammaPower];

    /// As titles write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Ntk => "NTK",
            Self::Mup => "muP",
            Self::DepthMup => "Depth-muP",
            Self::DepthInverse => "muP with 1/L branches",
            Self::GammaPower => "gamma = m^a",
        }
    }
}

/// Where the scaling is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// In the starts and the learning rates.
    #[default]
    Absorbed,
    /// In multipliers of the forward pass, on parameters whose start doesn't depend on the width.
    Explicit,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ParametrizationSpec {
    pub kind: Parametrization,
    pub form: Form,
    /// Width at which this is the Standard parametrisation.
    pub base_width: usize,
    /// Depth at which this is the Standard parametrisation.
    pub base_depth: usize,
    /// Divides the outputs and multiplies SGD's learning rates by its square: small is lazy, large is rich.
    pub gamma0: f64,
    /// The exponent a of [`Parametrization::GammaPower`], in [0, 1/2]; the others take no notice of it.
    pub gamma_exponent: f64,
}

impl Default for ParametrizationSpec {
    fn default() -> Self {
        Self {
            kind: Parametrization::Standard,
            form: Form::Absorbed,
            base_width: 32,
            base_depth: 2,
            gamma0: 1.0,
            gamma_exponent: 0.5,
        }
    }
}
