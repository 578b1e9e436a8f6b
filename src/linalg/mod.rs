//! Algebra on slices: operators, Lanczos, singular values. No candle.

pub mod lanczos;
pub mod operator;
pub mod singular;
pub mod vectors;
