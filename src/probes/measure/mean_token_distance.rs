//! How far tokens are from their mean, by layer.

use crate::probes::propagation;

use super::Measurement;
use super::layers::by_layer;

pub const MEASUREMENT: Measurement = Measurement {
    id: "mean-token-distance",
    title: "Distance to the mean token",
    formula: "mean over sequences of |X - 1 m'|_F / |X|_F, m the mean token of the sequence X; examples are the tokens of networks without; 0 is rank collapse; a layer each",
    cost: "one forward pass",
    source: "Dong et al. 2021, in the Frobenius norm",
    measure: |subject| {
        by_layer(subject, |layer| propagation::mean_token_distance(&layer.values, layer.tokens, layer.width))
    },
};
