//! Outlier features by layer.

use crate::probes::propagation;

use super::Measurement;
use super::layers::by_layer;

pub const MEASUREMENT: Measurement = Measurement {
    id: "kurtosis",
    title: "Kurtosis of neuron RMS",
    formula: "mean_j(s_j^4) / mean_j(s_j^2)^2 with s_j^2 the mean over all rows (examples or tokens) of X_aj^2; between 1 and the width; a layer each",
    cost: "one forward pass",
    source: "He et al. 2024, equation 1",
    measure: |subject| by_layer(subject, |layer| propagation::kurtosis(&layer.values, layer.width)),
};
