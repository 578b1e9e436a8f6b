//! Learning rates by role.

use serde::{Deserialize, Serialize};

use crate::nn::params::Role;

/// Factors on the learning rate, by what a tensor does in the network. They stand wherever the rule has `lr`, on top of
/// those of a parametrisation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateSpec {
    /// The first matrix that sees the inputs.
    pub input: f64,
    /// Matrices between hidden layers.
    pub hidden: f64,
    /// The matrix onto the outputs.
    pub output: f64,
    /// Tables of tokens and positions.
    pub embedding: f64,
    /// Biases and gains.
    pub vectors: f64,
}

impl Default for RateSpec {
    fn default() -> Self {
        Self { input: 1.0, hidden: 1.0, output: 1.0, embedding: 1.0, vectors: 1.0 }
    }
}

impl RateSpec {
    pub fn of(&self, role: Role) -> f64 {
        match role {
            Role::Input => self.input,
            Role::Hidden => self.hidden,
            Role::Output => self.output,
            Role::Embedding | Role::Position => self.embedding,
            Role::Bias | Role::Gain => self.vectors,
        }
    }

    /// Whether all roles move at the same rate.
    pub fn is_one(&self) -> bool {
        *self == Self::default()
    }
}
