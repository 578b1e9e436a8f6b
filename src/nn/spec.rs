//! What network, and what loss.

use serde::{Deserialize, Serialize};

pub use super::block_spec::{
    AttentionScale, AttentionSpec, BlockSpec, BranchGain, DepthScaling, EmbeddingNorm, FinalNorm, Mask,
};
use super::parametrization::ParametrizationSpec;
pub use super::preset::Preset;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// Fully connected: `depth` hidden layers of `width` units.
    Mlp,
    /// `h + residual_scale * W2 act(W1 norm(h))`, `depth` times.
    ResidualMlp,
    /// Patches of the image (or single features) are tokens of a bidirectional transformer, mean-pooled.
    #[default]
    VisionTransformer,
    /// Causal transformer over token sequences.
    Gpt,
    /// 3x3 convolutions of images: a stem and `depth` layers of `width` channels, mean-pooled.
    ConvNet,
    /// `h + residual_scale * conv(act(norm(h)))`, `depth` times.
    ResidualConvNet,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    Relu,
    #[default]
    Gelu,
    Tanh,
    Silu,
    /// No activation: a linear network.
    Identity,
}

impl Activation {
    /// As titles write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Relu => "ReLU",
            Self::Gelu => "GELU",
            Self::Tanh => "tanh",
            Self::Silu => "SiLU",
            Self::Identity => "linear",
        }
    }
}

/// Where a residual block normalises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// `h + f(LN(h))`
    #[default]
    PreLn,
    /// `LN(h + f(h))`
    PostLn,
    /// `h + f(RMSNorm(h))`, with a gain a channel
    PreRmsNorm,
    /// `h + f(SRMSNorm(h))`: RMSNorm without gain
    PreSrmsNorm,
    None,
}

impl Norm {
    /// Whether branches read a normalised stream.
    pub fn is_pre(self) -> bool {
        matches!(self, Self::PreLn | Self::PreRmsNorm | Self::PreSrmsNorm)
    }

    /// As titles write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::PreLn => "Pre-LN",
            Self::PostLn => "Post-LN",
            Self::PreRmsNorm => "Pre-RMSNorm",
            Self::PreSrmsNorm => "Pre-SRMSNorm",
            Self::None => "no normalisation",
        }
    }
}

/// How a convolutional network halves its pictures from one stage to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Downsample {
    /// The mean over 2x2 pixels in front of a stage.
    #[default]
    Pool,
    /// The first convolution of a stage has stride 2.
    Stride,
}

/// Which weights of an MLP's layers there are, and which are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// Every unit sees everything.
    #[default]
    Dense,
    /// Units lie on the pixels of the image and see 3x3 windows, each with its own weights.
    Local,
    /// As `Local`, with the same weights everywhere: a convolution.
    Shared,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSpec {
    pub kind: ModelKind,
    pub width: usize,
    pub depth: usize,
    /// Attention heads; must divide `width` (transformers only).
    pub n_heads: usize,
    pub activation: Activation,
    pub norm: Norm,
    /// Factor on every residual branch.
    pub residual_scale: f64,
    /// Side of the square patches that become tokens (vision transformer on images).
    pub patch: usize,
    /// How starts and learning rates scale with width and depth.
    pub parametrization: ParametrizationSpec,
    /// Switches of the residual blocks.
    pub block: BlockSpec,
    /// Switches of attention.
    pub attention: AttentionSpec,
    /// Stages that the layers of a ConvNet are shared out to, at most one a layer; pictures are halved between them.
    pub stages: usize,
    pub downsample: Downsample,
    /// Masks and ties of all layers of an MLP but the last.
    pub sharing: Sharing,
    /// Batch normalisation of MLPs and ConvNets; of residual ConvNets in place of `norm`.
    pub batch_norm: bool,
}

impl Default for ModelSpec {
    fn default() -> Self {
        Self {
            kind: ModelKind::VisionTransformer,
            width: 32,
            depth: 2,
            n_heads: 4,
            activation: Activation::Gelu,
            norm: Norm::PreLn,
            residual_scale: 1.0,
            patch: 2,
            parametrization: ParametrizationSpec::default(),
            block: BlockSpec::default(),
            attention: AttentionSpec::default(),
            stages: 2,
            downsample: Downsample::Pool,
            sharing: Sharing::Dense,
            batch_norm: false,
        }
    }
}

impl ModelSpec {
    /// The bound of the numbers that layers are looked at by: 1 where these are outputs of a tanh. A residual stream
    /// has none.
    pub fn layer_bound(&self) -> Option<f64> {
        let plain = matches!(self.kind, ModelKind::Mlp | ModelKind::ConvNet);
        (plain && self.activation == Activation::Tanh).then_some(1.0)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Mean over examples (and positions) of `-log softmax(logits / temperature)[label]`.
    #[default]
    CrossEntropy,
    /// Mean over examples and outputs of `(output - target)^2`; labels become one-hot targets.
    Mse,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossSpec {
    pub kind: LossKind,
    /// Divides the logits before the softmax; without effect on the squared error.
    pub temperature: f64,
}

impl Default for LossSpec {
    fn default() -> Self {
        Self { kind: LossKind::CrossEntropy, temperature: 1.0 }
    }
}
