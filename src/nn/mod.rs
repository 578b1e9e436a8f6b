//! Networks on candle: parameters, models, losses, curvature products, slices.

pub mod batch;
pub mod model;
pub mod params;
pub mod spec;
