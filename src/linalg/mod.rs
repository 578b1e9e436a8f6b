//! Matrix-free algebra on slices: operators, and estimators that ask for products. No candle.
//!
//! | Question | Estimator |
//! | --- | --- |
//! | the largest eigenvalue | [`lanczos::Lanczos`] |
//! | several at both ends | [`extremes::ExtremeSearch`] |
//! | the density of the spectrum | [`slq::LanczosQuadrature`] |
//! | the trace, the Frobenius norm | [`trace::Hutchinson`], [`hutch_plus_plus::HutchPlusPlus`] |
//! | the curvature along a direction | [`wrappers::RayleighQuotient`] |
//!
//! [`kernel`] compares kernels and features, [`singular`] has singular values.

pub mod estimator;
pub mod extremes;
#[cfg(test)]
mod fixtures;
pub mod hutch_plus_plus;
pub mod kernel;
pub mod lanczos;
pub mod operator;
pub mod singular;
pub mod slq;
pub mod spectrum;
mod subspace;
pub mod trace;
pub mod vectors;
pub mod wrappers;
