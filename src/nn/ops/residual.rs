//! The addition that joins a branch to the residual stream.

use candle_core::{Result, Tensor};

/// `skip h + scale f`, elementwise.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn join(h: &Tensor, f: &Tensor, skip: f64, scale: f64) -> Result<Tensor> {
    if skip == 1.0 { add_scaled(h, f, scale) } else { add_scaled(&(h * skip)?, f, scale) }
}

/// `h + scale f`, elementwise.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn add_scaled(h: &Tensor, f: &Tensor, scale: f64) -> Result<Tensor> {
    // An affine map by exactly 0 cuts the branch's parameters off the graph; their gradient is then the right one, 0.
    if scale == 1.0 { h + f } else { h + (f * scale)? }
}
