//! What parameters do in a network, for numbers that are told by role.

use serde::{Deserialize, Serialize};

/// What the parameters of a part do; the order is that of the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParamRole {
    Queries,
    Keys,
    Values,
    /// From the heads back onto the residual stream.
    Projection,
    /// Into the hidden units of an MLP branch.
    Expand,
    /// Out of them.
    Contract,
    /// A matrix or kernel of a network without branches of these kinds.
    Weights,
    /// Of tokens or patches, and positions.
    Embedding,
    Output,
    /// Gains and shifts of normalisations, gains of branches.
    Norms,
    /// Of all matrices.
    Biases,
}

impl ParamRole {
    pub const ALL: [Self; 11] = [
        Self::Queries,
        Self::Keys,
        Self::Values,
        Self::Projection,
        Self::Expand,
        Self::Contract,
        Self::Weights,
        Self::Embedding,
        Self::Output,
        Self::Norms,
        Self::Biases,
    ];

    /// In legends and lists.
    pub fn label(self) -> &'static str {
        match self {
            Self::Queries => "queries",
            Self::Keys => "keys",
            Self::Values => "values",
            Self::Projection => "projection",
            Self::Expand => "expand",
            Self::Contract => "contract",
            Self::Weights => "weights",
            Self::Embedding => "embedding",
            Self::Output => "output",
            Self::Norms => "norms, gains",
            Self::Biases => "biases",
        }
    }

    /// Whether its parameters are matrices that post-training rounding would round.
    pub fn is_matrix(self) -> bool {
        !matches!(self, Self::Norms | Self::Biases)
    }
}

/// All parameters of a layer with one role. Every parameter belongs to exactly one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParamPart {
    /// Such as `embedding`, `block 2`, `output`.
    pub layer: String,
    pub role: ParamRole,
}
