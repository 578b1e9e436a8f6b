//! Data sets, generators and loaders. Plain numbers: no candle.

pub mod data;
pub mod spec;
