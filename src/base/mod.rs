//! Leaf helpers without a subject of their own: named random streams, statistics, numbers in words, memory.

pub mod digits;
pub mod memory;
pub mod nesting;
pub mod pipes;
pub mod rng;
pub mod statistics;
pub mod two_samples;
