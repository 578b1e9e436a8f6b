//! How many directions carry a layer's energy.

use crate::probes::propagation;

use super::Measurement;
use super::layers::by_layer;

pub const MEASUREMENT: Measurement = Measurement {
    id: "stable-rank",
    title: "Stable rank",
    formula: "sum_i s_i^2 / max_i s_i^2 with the singular values s_i of X, all rows (examples or tokens), nothing centred; between 1 and min(n, width); a layer each",
    cost: "one forward pass and n width min(n, width) multiplications",
    source: "Rudelson and Vershynin 2007",
    measure: |subject| by_layer(subject, |layer| propagation::accurate_ranks(&layer.values, layer.width).stable),
};
