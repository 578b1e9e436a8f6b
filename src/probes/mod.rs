//! One measurement per file. A probe looks at frozen parameters and never changes training.

pub mod job;
