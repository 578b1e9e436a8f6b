//! Parse, dispatch, print the error chain.

fn main() {}
