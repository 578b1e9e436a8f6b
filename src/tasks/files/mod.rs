//! Readers of the user's files.

pub mod reading;
