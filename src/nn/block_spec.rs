//! The switches of residual blocks and of their attention. The defaults are the plain Pre-LN transformer.

use serde::{Deserialize, Serialize};

/// Whether the stream is normalised once more before the outputs are read from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinalNorm {
    /// With Pre-LN, Pre-RMSNorm and Pre-SRMSNorm only.
    #[default]
    Auto,
    On,
    Off,
}

/// Whether embedded inputs are normalised, and for whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmbeddingNorm {
    #[default]
    None,
    /// The stream itself starts normalised.
    Stream,
    /// Only the first branch reads it normalised; the stream keeps the embedding as it is.
    FirstBranch,
}

/// A factor on every branch that depends on the depth: L is 2 depth branches in a transformer, depth in a
/// residual MLP, whose blocks have one branch each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DepthScaling {
    #[default]
    None,
    InverseSqrtBranches,
    InverseBranches,
    InverseSqrtBlocks,
    InverseBlocks,
}

impl DepthScaling {
    /// The factor for so many blocks and branches.
    pub fn factor(self, blocks: usize, branches: usize) -> f64 {
        match self {
            Self::None => 1.0,
            Self::InverseSqrtBranches => (branches as f64).sqrt().recip(),
            Self::InverseBranches => (branches as f64).recip(),
            Self::InverseSqrtBlocks => (blocks as f64).sqrt().recip(),
            Self::InverseBlocks => (blocks as f64).recip(),
        }
    }
}

/// A trained factor at the end of every branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BranchGain {
    #[default]
    None,
    /// One number a branch (De and Smith 2020).
    SkipInit,
    /// One number a channel and branch (Touvron et al. 2021).
    LayerScale,
}

/// What a residual block does beyond its matrices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlockSpec {
    pub final_norm: FinalNorm,
    pub embedding_norm: EmbeddingNorm,
    /// Factor on the skip connection.
    pub skip_scale: f64,
    pub depth_scaling: DepthScaling,
    pub branch_gain: BranchGain,
    /// Where the numbers of `branch_gain` start.
    pub branch_gain_init: f64,
    /// A trained number, 1 at the start, multiplies the nonlinearity's inputs of every MLP branch.
    pub mlp_input_scale: bool,
    /// The activation is multiplied by `1 / sqrt(E act(z)^2)`, z standard normal: `sqrt(2)` for the ReLU.
    pub unit_gain: bool,
    /// ReLU with slopes `1 + slope_plus / sqrt(width)` and `1 + slope_minus / sqrt(width)`. Without effect on other
    /// activations.
    pub shaped_relu: bool,
    pub slope_plus: f64,
    pub slope_minus: f64,
    /// The outputs are read with the transposed token embeddings (GPT only).
    pub tied_embeddings: bool,
    /// Learned positions (transformers only).
    pub positions: bool,
    /// Biases of affine maps and layer normalisations.
    pub biases: bool,
}

impl Default for BlockSpec {
    fn default() -> Self {
        Self {
            final_norm: FinalNorm::Auto,
            embedding_norm: EmbeddingNorm::None,
            skip_scale: 1.0,
            depth_scaling: DepthScaling::None,
            branch_gain: BranchGain::None,
            branch_gain_init: 0.0,
            mlp_input_scale: false,
            unit_gain: false,
            shaped_relu: false,
            slope_plus: 0.0,
            slope_minus: -1.0,
            tied_embeddings: false,
            positions: true,
            biases: true,
        }
    }
}

/// Who sees whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mask {
    /// Causal for the GPT, bidirectional for the vision transformer.
    #[default]
    Auto,
    Causal,
    Bidirectional,
}

/// What the products of queries and keys are multiplied by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttentionScale {
    /// `1/sqrt(d_head)`
    #[default]
    InverseSqrt,
    /// `1/d_head`
    Inverse,
}

/// How attention mixes tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttentionSpec {
    pub mask: Mask,
    pub scale: AttentionScale,
    /// Multiplies the logits.
    pub inverse_temperature: f64,
    /// Logits become `c tanh(logits / c)`; 0 leaves them.
    pub softcap: f64,
    /// Queries and keys are RMS-normalised in each head, with trained gains.
    pub qk_norm: bool,
    /// Shaped attention: `A = identity_gain I + softmax_gain softmax(logits / (shaped_temperature sqrt(width)))
    /// - centre_gain C`, C uniform attention.
    pub shaped: bool,
    pub shaped_temperature: f64,
    pub identity_gain: f64,
    pub softmax_gain: f64,
    pub centre_gain: f64,
    /// The three gains are trained, in every branch for itself.
    pub train_gains: bool,
}

impl Default for AttentionSpec {
    fn default() -> Self {
        Self {
            mask: Mask::Auto,
            scale: AttentionScale::InverseSqrt,
            inverse_temperature: 1.0,
            softcap: 0.0,
            qk_norm: false,
            shaped: false,
            shaped_temperature: 1.0,
            identity_gain: 1.0,
            softmax_gain: 1.0,
            centre_gain: 1.0,
            train_gains: false,
        }
    }
}
