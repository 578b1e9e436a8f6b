//! Networks on candle: parameters, models, losses, curvature products, slices.

mod attention_branch;
pub mod autodiff;
pub mod batch;
pub mod block_spec;
mod block_title;
mod blueprint;
mod branch;
pub mod build;
mod chain;
mod cost;
pub mod curvature;
pub mod loss;
pub mod mlp;
pub mod model;
mod nonlinearity;
mod norm;
pub mod ops;
pub mod parametrization;
pub mod params;
pub mod parts;
pub mod pieces;
pub mod preset;
pub mod residual_mlp;
pub mod slice;
pub mod spec;
pub mod training;
pub mod transformer;
