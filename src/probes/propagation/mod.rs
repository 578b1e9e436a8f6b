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
pub use rank::{Ranks, accurate_ranks, ranks};
pub use roles::{RoleNorms, role_norms};

use crate::record::{SeriesId, names};

/// Activations of a layer, `[B, tokens, width]` row-major.
#[derive(Clone, Copy, Debug)]
pub struct Activations<'a> {
    pub values: &'a [f32],
    pub tokens: usize,
    pub width: usize,
    /// The bound of the activation, if it has one: see [`dead_share`].
    pub bound: Option<f64>,
}

/// What the live probe tells of every layer, a number a series; each statistic is a piece of work.
pub struct Statistic {
    pub series: &'static [SeriesId],
    /// As many numbers as series.
    pub measure: fn(&Activations) -> Vec<f64>,
}

/// What rounding the activations costs.
pub const INT8: &[SeriesId] = &[names::INT8_ERROR, names::INT8_ERROR_CHANNEL];

pub const STATISTICS: &[Statistic] = &[
    Statistic { series: &[names::KURTOSIS], measure: |x| vec![kurtosis(x.values, x.width)] },
    Statistic { series: &[names::MMR], measure: |x| vec![max_median_ratio(&rows::chosen(x.values, x.width), x.width)] },
    Statistic {
        series: &[names::STABLE_RANK, names::EFFECTIVE_RANK, names::MOST_RANK],
        measure: |x| {
            let rows = rows::chosen(x.values, x.width);
            let Ranks { stable, effective } = ranks(&rows, x.width);
            vec![stable, effective, x.width.min(rows.len() / x.width.max(1)) as f64]
        },
    },
    Statistic {
        series: &[names::MEAN_TOKEN_DISTANCE],
        measure: |x| vec![mean_token_distance(x.values, x.tokens, x.width)],
    },
    Statistic { series: &[names::DEAD_UNITS], measure: |x| vec![dead_share(x.values, x.width, x.bound)] },
    Statistic {
        series: INT8,
        measure: |x| [Scope::Tensor, Scope::Channel].map(|scope| int8_error(x.values, x.width, scope)).to_vec(),
    },
    Statistic {
        series: &[
            names::INPUT_GRAM,
            names::INPUT_GRAM_MEAN,
            names::FEATURE_GRAM,
            names::FEATURE_GRAM_MEAN,
            names::GRAM_INPUT_TERM,
            names::GRAM_FEATURE_TERM,
        ],
        measure: |x| {
            let grams = Grams::of(&rows::chosen(x.values, x.width), x.width);
            let [input, feature] = grams.kurtosis_terms();
            vec![grams.input_rms, grams.input_mean, grams.feature_rms, grams.feature_mean, input, feature]
        },
    },
    Statistic { series: &[names::LAYER_WIDTH], measure: |x| vec![x.width as f64] },
];
