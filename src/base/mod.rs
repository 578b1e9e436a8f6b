//! Leaf helpers without a subject of their own: named random streams, statistics, numbers in words.

pub mod digits;
pub mod rng;
pub mod statistics;
