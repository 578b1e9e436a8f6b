//! What papers predict, as plain numbers. No candle.

pub mod edge_of_stability;
pub mod interpolation;
pub mod linear_network;
pub mod power_law;
pub mod random_walk;
pub mod shaped_chain;
pub mod shaped_correlation;
pub mod shaped_paths;
pub mod shaped_transformer;
pub mod signal_propagation;
pub mod token_alignment;
