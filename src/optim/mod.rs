//! Optimisers and learning-rate schedules.

mod composed;
mod fused;
pub mod optimizer;
mod rule;
pub mod schedule;
pub mod spec;
mod state;

pub use optimizer::{Optimizer, StepNorms};
pub use state::{OptimizerState, Values};
