//! Leaf helpers without a subject of their own: named random streams and statistics.

pub mod rng;
pub mod statistics;
