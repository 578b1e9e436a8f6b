//! One measurement per file. A probe looks at frozen parameters and never changes training.

pub mod activations;
pub mod attention;
pub mod job;
pub mod landscape;
pub mod measure;
pub mod plane;
pub mod projection;
pub mod propagation;
pub mod registry;
pub mod sharpness;
pub mod signal;
pub mod slice_metric;
pub mod spectrum;
pub mod token_cosine;
