//! Data sets, generators and loaders. Plain numbers: no candle.
//!
//! A task is one file and one line in the registry of [`load`]. What it makes is a [`data::Task`]: numbers for
//! training and for testing. Generators draw from streams of the run's seed; what divides given data into
//! training and test examples doesn't depend on it ([`splits`]).

pub mod arrays;
pub mod batches;
pub mod budget;
pub mod data;
pub mod error;
pub mod examples;
pub mod load;
pub mod noise;
pub mod shapes;
pub mod spec;
pub mod splits;
pub mod standardise;

mod digits;
mod files;
mod plane;
mod regression;
mod sequence;
