//! Affine maps of rows.

use candle_core::{Result, Tensor};

/// `x W + b`; x `[R, fan_in]`, W `[fan_in, fan_out]`, b `[fan_out]`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    composed(x, weight, bias)
}

/// [`linear`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.matmul(weight)?.broadcast_add(bias)
}
