//! How many directions a layer's signal fills, by entropy.

use crate::probes::propagation;

use super::Measurement;
use super::layers::by_layer;

pub const MEASUREMENT: Measurement = Measurement {
    id: "effective-rank",
    title: "Effective rank",
    formula: "exp(-sum_i p_i ln p_i), p_i = s_i / sum_k s_k with the singular values s_i of X, all rows (examples or tokens), nothing centred; between 1 and min(n, width); a layer each",
    cost: "one forward pass and n width min(n, width) multiplications",
    source: "Roy and Vetterli 2007",
    measure: |subject| by_layer(subject, |layer| propagation::accurate_ranks(&layer.values, layer.width).effective),
};
