//! Curvature of losses and Jacobians of networks as operators, exact, a few examples at a time.
//!
//! | Operator | Matrix |
//! | --- | --- |
//! | [`Hessian`] | `d^2 L / dw^2` |
//! | [`GaussNewton`] | `sum_r J_r' M_r J_r`: the GGN, the Fisher and the empirical Fisher, by the [`Metric`] of the outputs |
//! | [`Jacobian`] | `J = df/dw`, its products on both sides |
//! | [`TangentKernel`] | `J J'`: the empirical neural tangent kernel, as a matrix |
//!
//! Blocks, scalings and all estimators are in [`crate::linalg`].

mod fisher;
#[cfg(test)]
mod fixtures;
mod gauss_newton;
mod hessian;
mod jacobian;
mod output_graph;
mod sum;
mod tangent_kernel;

pub use gauss_newton::{GaussNewton, Metric};
pub use hessian::Hessian;
pub use jacobian::Jacobian;
pub use tangent_kernel::{Kernels, TangentKernel};
