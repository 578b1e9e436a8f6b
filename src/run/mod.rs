//! Specification, knobs, trainer, worker, session and the messages between threads.

pub mod knobs;
pub mod messages;
pub mod spec;
