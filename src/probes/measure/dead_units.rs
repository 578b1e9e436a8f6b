//! Units that say the same whatever the input, by layer.

use crate::probes::propagation;

use super::Measurement;
use super::layers::by_layer;

pub const MEASUREMENT: Measurement = Measurement {
    id: "dead-units",
    title: "Dead units",
    formula: "share of the units j with max_a |X_aj| <= 1e-6 sqrt(mean X^2) over all rows, or (tanh in networks without a residual stream) with X_aj all >= 0.99 or all <= -0.99; a layer each",
    cost: "one forward pass",
    source: "definition; thresholds are ours",
    measure: |subject| {
        by_layer(subject, |layer| propagation::dead_share(&layer.values, layer.width, subject.spec.layer_bound()))
    },
};
