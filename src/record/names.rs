//! The names of the series that the Playground records.
//!
//! Per-layer densities and matrices have one series a layer, `prefix/layer name`; per-layer numbers are one
//! [`super::Reading::Vector`] whose entries follow [`super::Header::layers`] (activations, cosines, propagation) or
//! [`super::Header::parameter_groups`] (gradients, updates) or [`super::Header::parameter_parts`] (what is told by role).

use super::SeriesId;

/// Loss of the minibatch (with label noise and temperature), before the step's update; of a training that was watched, of all
/// training examples. So with the accuracy and the norms of the gradient.
pub const TRAIN_LOSS: SeriesId = SeriesId::from_static("train_loss");
/// Share of the minibatch that was classified as its (possibly noisy) label.
pub const TRAIN_ACCURACY: SeriesId = SeriesId::from_static("train_accuracy");
/// Loss on the test split.
pub const TEST_LOSS: SeriesId = SeriesId::from_static("test_loss");
/// Share of the test split that is classified correctly.
pub const TEST_ACCURACY: SeriesId = SeriesId::from_static("test_accuracy");
/// Learning rate that the step used, after the schedule.
pub const LR: SeriesId = SeriesId::from_static("lr");
/// Largest eigenvalue of the training-loss Hessian, an [`super::Estimate`].
pub const SHARPNESS: SeriesId = SeriesId::from_static("sharpness");
/// The sharpness at which gradient descent with this optimiser becomes unstable (2/lr, momentum-corrected).
pub const SHARPNESS_THRESHOLD: SeriesId = SeriesId::from_static("sharpness_threshold");
/// Largest eigenvalue of the Hessian as the optimiser sees it, an [`super::Estimate`]; its caption names the matrix.
pub const PRECONDITIONED_SHARPNESS: SeriesId = SeriesId::from_static("preconditioned_sharpness");
/// What the preconditioned sharpness is compared with.
pub const PRECONDITIONED_THRESHOLD: SeriesId = SeriesId::from_static("preconditioned_threshold");
/// Euclidean norm of the gradient, a vector over parameter groups.
pub const GRADIENT_NORM: SeriesId = SeriesId::from_static("gradient_norm");
/// Euclidean norm of the parameters, a vector over parameter groups; of trainings that were watched.
pub const WEIGHT_NORM: SeriesId = SeriesId::from_static("weight_norm");
/// Norm of the update over norm of the parameters, a vector over parameter groups.
pub const UPDATE_RATIO: SeriesId = SeriesId::from_static("update_ratio");
/// Euclidean norm of the minibatch gradient, a vector over parts (layer and role), every so many steps.
pub const ROLE_GRADIENT_NORM: SeriesId = SeriesId::from_static("role_gradient_norm");
/// Norm of the update over norm of the parameters, a vector over parts, at the same steps.
pub const ROLE_UPDATE_RATIO: SeriesId = SeriesId::from_static("role_update_ratio");
/// Mean cosine between the tokens of a sequence, a vector over layers.
pub const TOKEN_COSINE: SeriesId = SeriesId::from_static("token_cosine");
/// Both ends of the spectrum of the training-loss Hessian, its density and trace, a [`super::Spectrum`].
pub const HESSIAN_SPECTRUM: SeriesId = SeriesId::from_static("hessian_spectrum");
/// Kurtosis of neuron RMS in [1, width], a vector over layers.
pub const KURTOSIS: SeriesId = SeriesId::from_static("kurtosis");
/// Max-median ratio within a token, a vector over layers.
pub const MMR: SeriesId = SeriesId::from_static("mmr");
/// Stable rank of the activations, a vector over layers.
pub const STABLE_RANK: SeriesId = SeriesId::from_static("stable_rank");
/// Exponential of the entropy of the activations' singular values, a vector over layers.
pub const EFFECTIVE_RANK: SeriesId = SeriesId::from_static("effective_rank");
/// The most that the two ranks can be: the smaller of the width and the number of rows; a vector over layers.
pub const MOST_RANK: SeriesId = SeriesId::from_static("most_rank");
/// Distance to the mean token relative to the whole, a vector over layers.
pub const MEAN_TOKEN_DISTANCE: SeriesId = SeriesId::from_static("mean_token_distance");
/// Share of units that are zero or saturated on all examples, a vector over layers.
pub const DEAD_UNITS: SeriesId = SeriesId::from_static("dead_units");
/// Relative error of rounding the activations to eight bits with one scale a layer, a vector over layers.
pub const INT8_ERROR: SeriesId = SeriesId::from_static("int8_error");
/// The same with a scale for each neuron.
pub const INT8_ERROR_CHANNEL: SeriesId = SeriesId::from_static("int8_error_channel");
/// Relative error of rounding the weights to eight bits with one scale a matrix, a vector over parts; NaN for those
/// that aren't matrices.
pub const WEIGHT_INT8_ERROR: SeriesId = SeriesId::from_static("weight_int8_error");
/// The same with a scale for each output.
pub const WEIGHT_INT8_ERROR_CHANNEL: SeriesId = SeriesId::from_static("weight_int8_error_channel");
/// Root mean square off the diagonal of the input Gram matrix XX'/d of activations with mean square 1; over layers.
pub const INPUT_GRAM: SeriesId = SeriesId::from_static("input_gram");
/// Mean off the diagonal of the same matrix.
pub const INPUT_GRAM_MEAN: SeriesId = SeriesId::from_static("input_gram_mean");
/// Root mean square off the diagonal of the feature Gram matrix X'X/n of activations with mean square 1; over layers.
pub const FEATURE_GRAM: SeriesId = SeriesId::from_static("feature_gram");
/// Mean off the diagonal of the same matrix.
pub const FEATURE_GRAM_MEAN: SeriesId = SeriesId::from_static("feature_gram_mean");
/// What inputs put into the kurtosis: `(d/n^2) ||XX'/d||_F^2`, a vector over layers.
pub const GRAM_INPUT_TERM: SeriesId = SeriesId::from_static("gram_input_term");
/// What correlated features take from it: `(1/d) sum_(i != j) (X'X/n)_ij^2`, a vector over layers.
pub const GRAM_FEATURE_TERM: SeriesId = SeriesId::from_static("gram_feature_term");
/// Mean entropy in nats of the rows of attention, a vector over attention layers and their heads (the heads of a layer
/// side by side); NaN where weights are negative.
pub const ATTENTION_ENTROPY: SeriesId = SeriesId::from_static("attention_entropy");
/// Mean entropy in nats of attention to all visible tokens alike.
pub const ATTENTION_UNIFORM: SeriesId = SeriesId::from_static("attention_uniform");
/// Tokens of a sequence, as attention sees them.
pub const ATTENTION_TOKENS: SeriesId = SeriesId::from_static("attention_tokens");
/// The training example whose attention is recorded, the first being 1.
pub const ATTENTION_EXAMPLE: SeriesId = SeriesId::from_static("attention_example");
/// Neurons of a layer, a vector over layers: the most that the kurtosis can be.
pub const LAYER_WIDTH: SeriesId = SeriesId::from_static("layer_width");
/// Loss and accuracy on a plane through the parameters, a [`super::Surface`].
pub const LANDSCAPE: SeriesId = SeriesId::from_static("landscape");

/// Histogram of a layer's activations, a [`super::Density`].
pub fn activations(layer: &str) -> SeriesId {
    SeriesId::owned(format!("activations/{layer}"))
}

/// Mean over examples of the token x token cosine matrix of a layer, a [`super::Matrix`].
pub fn token_similarity(layer: &str) -> SeriesId {
    SeriesId::owned(format!("token_similarity/{layer}"))
}

/// Attention of one example in layer 1, 2, ...: a [`super::Matrix`] with the heads' `[T, T]` one below the other, query
/// by key.
pub fn attention(layer: usize) -> SeriesId {
    SeriesId::owned(format!("attention/block {layer}"))
}
