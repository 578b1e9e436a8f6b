//! Means over tokens.

use candle_core::{Result, Tensor};

/// The mean of each group of `tokens` rows: `[B T, D]` to `[B, D]`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn mean_tokens(x: &Tensor, tokens: usize) -> Result<Tensor> {
    composed(x, tokens)
}

/// [`mean_tokens`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(x: &Tensor, tokens: usize) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    x.reshape((rows / tokens, tokens, width))?.mean(1)
}
