//! What papers predict, as plain numbers. No candle.

pub mod edge_of_stability;
pub mod random_walk;
