//! Layer normalisation (Ba, Kiros and Hinton 2016).

use candle_core::{D, Result, Tensor};

/// Added to the variance.
pub const EPSILON: f64 = 1e-5;

/// `gain (x - mean(x)) / sqrt(var(x) + EPSILON) + bias` over the last axis; x `[R, D]`, gain and bias `[D]`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn layer_norm(x: &Tensor, gain: &Tensor, bias: &Tensor) -> Result<Tensor> {
    composed(x, gain, bias)
}

/// [`layer_norm`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(x: &Tensor, gain: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + EPSILON)?.sqrt()?)?.broadcast_mul(gain)?.broadcast_add(bias)
}
