//! Networks on candle: parameters, models, losses, curvature products, slices.

pub mod autodiff;
pub mod batch;
mod blueprint;
mod branch;
pub mod build;
mod cost;
pub mod curvature;
pub mod loss;
pub mod mlp;
pub mod model;
pub mod ops;
pub mod params;
pub mod parts;
pub mod pieces;
pub mod residual_mlp;
pub mod slice;
pub mod spec;
pub mod training;
pub mod transformer;
pub mod weights;
