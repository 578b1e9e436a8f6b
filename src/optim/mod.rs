//! Optimisers and learning-rate schedules.
//!
//! Rules that treat every number alike (`rule.rs`) run in one fused pass on the CPU; those that treat a matrix as a
//! matrix (`matrix.rs`) have a file each: Muon, Shampoo, SOAP. Sharpness-aware minimisation goes around any of them.

mod composed;
mod fused;
mod kronecker;
mod matrix;
mod muon;
mod norms;
pub mod optimizer;
pub mod rates;
mod rule;
mod sam;
pub mod schedule;
mod shampoo;
mod slot;
mod soap;
pub mod spec;
mod state;

pub use optimizer::{Optimizer, StepNorms};
pub use sam::Ascent;
pub use state::{OptimizerState, Values};
