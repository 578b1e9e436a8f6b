//! Matrix-free algebra on slices: operators and Lanczos. No candle.

pub mod lanczos;
pub mod operator;
pub mod pca;
pub mod vectors;
