//! What becomes of a signal on its way through the layers, as numbers: outliers, ranks, collapse, dead units, rounding.
//!
//! Every statistic takes row-major activations `[n, width]` (or `[B, tokens, width]`) of f32 or f64 and computes in f64.

pub mod attention_entropy;
pub mod dead_units;
pub mod grams;
pub mod kurtosis;
pub mod max_median;
pub mod mean_token;
pub mod quantisation;
pub mod rank;
pub mod roles;
pub mod rows;

pub use attention_entropy::{attention_entropy, uniform_entropy};
pub use dead_units::dead_share;
pub use grams::Grams;
pub use kurtosis::kurtosis;
pub use max_median::max_median_ratio;
pub use mean_token::mean_token_distance;
pub use quantisation::{Scope, int8_error, rounded, rounding_error};
pub use rank::{Ranks, ranks};
pub use roles::{RoleNorms, role_norms};

/// Everything that is told of one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Propagation {
    pub kurtosis: f64,
    /// Of the rows that [`rows::chosen`] takes.
    pub max_median_ratio: f64,
    /// Likewise.
    pub ranks: Ranks,
    pub mean_token_distance: f64,
    pub dead_share: f64,
    /// Per tensor.
    pub int8_error: f64,
}

/// Measures activations `[B, tokens, width]`, row-major; `bound` is that of the activation, see [`dead_share`].
pub fn measure(values: &[f32], tokens: usize, width: usize, bound: Option<f64>) -> Propagation {
    let rows = rows::chosen(values, width);
    Propagation {
        kurtosis: kurtosis(values, width),
        max_median_ratio: max_median_ratio(&rows, width),
        ranks: ranks(&rows, width),
        mean_token_distance: mean_token_distance(values, tokens, width),
        dead_share: dead_share(values, width, bound),
        int8_error: int8_error(values, width, Scope::Tensor),
    }
}
