//! Multi-head self-attention (Vaswani et al. 2017).

use candle_core::{D, Result, Tensor};

/// How the rows and columns of queries, keys and values are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Sequences B.
    pub sequences: usize,
    /// Tokens T of each.
    pub tokens: usize,
    /// Heads H; each is `D / H` wide.
    pub count: usize,
    /// A token attends to itself and to earlier ones only.
    pub causal: bool,
}

/// `softmax(Q K^T / sqrt(d_head)) V` in each head; `qkv` is `[B T, 3 D]` with the columns queries, keys, values, and
/// within each the heads side by side. Answers `[B T, D]`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn attention(qkv: &Tensor, heads: Heads) -> Result<Tensor> {
    composed(qkv, heads)
}

/// [`attention`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(qkv: &Tensor, heads: Heads) -> Result<Tensor> {
    let Heads { sequences, tokens, count, causal } = heads;
    let width = qkv.dim(1)? / 3;
    let d_head = width / count;
    // [3, B, H, T, d_head]
    let parts = qkv.reshape((sequences, tokens, 3, count, d_head))?.permute((2, 0, 3, 1, 4))?;
    let part = |i| -> Result<Tensor> { parts.narrow(0, i, 1)?.squeeze(0)?.contiguous() };
    let (query, key, value) = (part(0)?, part(1)?, part(2)?);
    let mut scores = (query.matmul(&key.transpose(2, 3)?.contiguous()?)? * (d_head as f64).sqrt().recip())?;
    if causal {
        scores = scores.broadcast_add(&causal_mask(tokens, qkv)?)?;
    }
    let mixed = softmax(&scores)?.matmul(&value)?;
    mixed.transpose(1, 2)?.contiguous()?.reshape((sequences * tokens, width))
}

/// `exp(x - max) / sum exp(x - max)` over the last axis.
fn softmax(x: &Tensor) -> Result<Tensor> {
    // Constant as far as derivatives go: the softmax doesn't depend on it.
    let largest = x.detach().max_keepdim(D::Minus1)?;
    let exp = x.broadcast_sub(&largest)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}

/// `[T, T]`: 0 up to the diagonal, a large negative number above (not minus infinity: inf - inf is NaN).
fn causal_mask(tokens: usize, like: &Tensor) -> Result<Tensor> {
    let mask: Vec<f64> = (0..tokens * tokens).map(|i| if i % tokens > i / tokens { -1e30 } else { 0.0 }).collect();
    Tensor::from_vec(mask, (tokens, tokens), like.device())?.to_dtype(like.dtype())
}
