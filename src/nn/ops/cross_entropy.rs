//! Softmax cross-entropy.

use candle_core::{D, Result, Tensor};

/// `sum_r w_r (logsumexp_c(z_rc) - z_r,label)`, a scalar, with `z = inverse_temperature logits`; logits `[R, C]`,
/// labels `[R]` u32, weights `[R]` floating.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, weights: &Tensor, inverse_temperature: f64) -> Result<Tensor> {
    composed(logits, labels, weights, inverse_temperature)
}

/// [`cross_entropy`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(logits: &Tensor, labels: &Tensor, weights: &Tensor, inverse_temperature: f64) -> Result<Tensor> {
    let z = (logits * inverse_temperature)?;
    let largest = z.detach().max_keepdim(D::Minus1)?;
    let shifted = z.broadcast_sub(&largest)?;
    let normalizer = shifted.exp()?.sum(D::Minus1)?.log()?;
    // A product with the one-hot rows, as candle's gather has no second derivative under nonlinear functions.
    let chosen = (shifted * one_hot(labels, logits.dim(1)?, logits)?)?.sum(D::Minus1)?;
    ((normalizer - chosen)? * weights)?.sum_all()
}

/// `[R, C]`: 1 at each row's label, else 0, in the type and on the device of `like`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn one_hot(labels: &Tensor, classes: usize, like: &Tensor) -> Result<Tensor> {
    let columns = Tensor::arange(0u32, classes as u32, labels.device())?;
    labels.unsqueeze(1)?.broadcast_eq(&columns.unsqueeze(0)?)?.to_dtype(like.dtype())
}
