//! Optimisers and learning-rate schedules.

pub mod spec;
