//! Forward passes of residual networks by hand: transformers and residual MLPs without a graph and without allocating.
//!
//! For probes that need outputs at many parameters and no derivatives. Activations of some examples, few enough to stay in the
//! cache, go through all layers a channel after another, `[D, R]`, with rows (tokens) in the lanes of vectors; so products, norms,
//! softmaxes and activations are loops without shuffles. Weights are packed when parameters are combined.
//!
//! [`Model::plan`](super::model::Model::plan) says which networks can be evaluated so; the graph of operations in
//! [`super::transformer`] and [`super::residual_mlp`] is the twin that tests hold it to.

mod number;
mod pass;
mod plan;
mod product;
mod rows;

pub(super) use number::{Machine, Number};
pub(super) use pass::{Forward, Scratch};
pub use plan::{Attention, Branch, Plan};
pub(super) use product::{GROUP, ROWS, Then, Weights, pack, product};
pub(super) use rows::{bend, combine, enter};
