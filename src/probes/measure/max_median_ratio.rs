//! Outlier features of single inputs by layer.

use crate::probes::propagation;

use super::Measurement;
use super::layers::by_layer;

pub const MEASUREMENT: Measurement = Measurement {
    id: "max-median-ratio",
    title: "Max-median ratio",
    formula: "mean over all rows (examples or tokens) of max_j |X_aj| / median_j |X_aj|; a layer each",
    cost: "one forward pass",
    source: "He et al. 2024, equation 2",
    measure: |subject| by_layer(subject, |layer| propagation::max_median_ratio(&layer.values, layer.width)),
};
