//! Elementwise nonlinearities.

use candle_core::{Result, Tensor};

use crate::nn::spec::Activation;

/// `act(x)`, elementwise; GELU is the tanh form, `relu'(0) = 0`.
///
/// # Errors
/// Whatever candle says of the device.
pub fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    composed(x, activation)
}

/// [`activate`] in candle's operations.
///
/// # Errors
/// Whatever candle says of the device.
pub fn composed(x: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        Activation::Relu => x.gt(0.0)?.to_dtype(x.dtype())? * x,
        Activation::Gelu => {
            // Hendrycks and Gimpel 2016: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Candle's own has rounded
            // constants in its gradient.
            let inner = ((x.sqr()? * 0.044_715)? + 1.0)?.mul(x)?.affine((2.0 / std::f64::consts::PI).sqrt(), 0.0)?;
            (x * 0.5)?.mul(&(inner.tanh()? + 1.0)?)
        }
        Activation::Tanh => x.tanh(),
        // x sigmoid(x) with sigmoid(x) = (1 + tanh(x/2)) / 2: no overflow at either end.
        Activation::Silu => (x * 0.5)?.mul(&((x * 0.5)?.tanh()? + 1.0)?),
        Activation::Identity => Ok(x.clone()),
    }
}
