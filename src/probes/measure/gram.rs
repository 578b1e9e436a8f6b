//! How alike inputs and how alike features are, by layer.

use crate::probes::propagation::Grams;

use super::Measurement;
use super::layers::several_by_layer;

pub const MEASUREMENT: Measurement = Measurement {
    id: "gram",
    title: "Gram matrices of inputs and features",
    formula: "of X [n, d] scaled to a mean square of 1: mean and root mean square of the entries off the diagonal of I = X X'/d and F = X' X/n; and the kurtosis that they leave, (d/n^2) |I|_F^2 - (1/d) sum_(i != j) F_ij^2, which is that of neuron RMS for every X; a layer each",
    cost: "one forward pass and n width min(n, width) multiplications",
    source: "He et al. 2024, section 3 and their code",
    measure: |subject| {
        let titles = ["input mean", "input rms", "feature mean", "feature rms", "kurtosis by the identity"];
        several_by_layer(subject, titles, |layer| {
            let grams = Grams::of(&layer.values, layer.width);
            [grams.input_mean, grams.input_rms, grams.feature_mean, grams.feature_rms, grams.kurtosis()]
        })
    },
};
