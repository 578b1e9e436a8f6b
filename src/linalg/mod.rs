//! Matrix-free algebra on slices: operators and Lanczos. No candle.
