//! The addition that joins a branch to the residual stream.

use candle_core::{Result, Tensor};

/// `h + scale f`, elementwise.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn add_scaled(h: &Tensor, f: &Tensor, scale: f64) -> Result<Tensor> {
    composed(h, f, scale)
}

/// [`add_scaled`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(h: &Tensor, f: &Tensor, scale: f64) -> Result<Tensor> {
    // An affine map by exactly 0 would cut the branch's parameters off the graph, which is their right gradient: 0.
    if scale == 1.0 { h + f } else { h + (f * scale)? }
}
