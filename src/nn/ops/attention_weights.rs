//! Attention otherwise than `softmax(Q K^T / sqrt(d_head)) V`: other logits, QK-norm, shaped attention; and its weights
//! for who wants to look at them.
//!
//! Wherever the weights remain a softmax of products of queries and keys, the fused kernel computes them; only a
//! soft-cap is composed of candle's operations.

use candle_core::{Result, Tensor};

use super::attention::{self, Heads, attention, causal_mask, parts, softmax};
use super::rms_norm::rms_norm;
use super::scale::scale_columns;

/// From products of queries and keys to logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logits {
    /// Multiplies `q k / sqrt(d_head)`.
    pub factor: f64,
    /// Logits become `c tanh(logits / c)`; 0 leaves them.
    pub softcap: f64,
}

impl Default for Logits {
    fn default() -> Self {
        Self { factor: 1.0, softcap: 0.0 }
    }
}

/// The gains of `A = identity I + softmax P - centre C`, with C the uniform attention that the mask allows.
#[derive(Clone, Copy, Debug)]
pub enum Gains<'a> {
    Fixed([f64; 3]),
    /// `[3]`
    Trained(&'a Tensor),
}

/// `P V` in each head, with the logits of `logits`; shapes as for [`attention`].
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn mix(qkv: &Tensor, heads: Heads, logits: Logits) -> Result<Tensor> {
    if logits.softcap > 0.0 {
        return composed(qkv, heads, logits);
    }
    if logits.factor == 1.0 {
        return attention(qkv, heads);
    }
    let width = qkv.dim(1)? / 3;
    let factors: Vec<f64> = (0..3 * width).map(|j| if j < width { logits.factor } else { 1.0 }).collect();
    let factors = Tensor::from_vec(factors, 3 * width, qkv.device())?.to_dtype(qkv.dtype())?;
    attention(&scale_columns(qkv, &factors)?, heads)
}

/// [`mix`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(qkv: &Tensor, heads: Heads, logits: Logits) -> Result<Tensor> {
    let [_, _, value] = parts(qkv, heads)?;
    attention::join(&weights(qkv, heads, logits)?.matmul(&value)?, heads)
}

/// `P = softmax(logits)`, `[B, H, T, T]`: row i holds what token i takes from each token.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn weights(qkv: &Tensor, heads: Heads, logits: Logits) -> Result<Tensor> {
    let [query, key, _] = parts(qkv, heads)?;
    let scale = logits.factor * (query.dim(3)? as f64).sqrt().recip();
    let mut scores = (query.matmul(&key.transpose(2, 3)?.contiguous()?)? * scale)?;
    if logits.softcap > 0.0 {
        scores = ((scores * logits.softcap.recip())?.tanh()? * logits.softcap)?;
    }
    if heads.causal {
        scores = scores.broadcast_add(&causal_mask(heads.tokens, qkv)?)?;
    }
    softmax(&scores)
}

/// Queries and keys normalised by [`rms_norm`] in each head, values as they are; the gains `[d_head]` are the same for
/// all heads.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn normalise_queries_and_keys(qkv: &Tensor, [query, key]: [&Tensor; 2], heads: Heads) -> Result<Tensor> {
    let (rows, columns) = qkv.dims2()?;
    let (width, d_head) = (columns / 3, columns / 3 / heads.count);
    let normalised = |part: usize, gain: &Tensor| -> Result<Tensor> {
        let rows_of_heads = qkv.narrow(1, part * width, width)?.contiguous()?.reshape((rows * heads.count, d_head))?;
        rms_norm(&rows_of_heads, gain)?.reshape((rows, width))
    };
    Tensor::cat(&[normalised(0, query)?, normalised(1, key)?, qkv.narrow(1, 2 * width, width)?], 1)
}

/// Shaped attention `identity V + softmax P V - centre C V` in each head (Noci et al. 2023, "The shaped transformer");
/// C is `1/T` everywhere, causal: `1/i` in the first i entries of row i.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn shaped(qkv: &Tensor, heads: Heads, logits: Logits, gains: Gains) -> Result<Tensor> {
    let (rows, columns) = qkv.dims2()?;
    let width = columns / 3;
    let value = qkv.narrow(1, 2 * width, width)?.contiguous()?;
    let uniform = uniform(heads, qkv)?.broadcast_as((heads.sequences, heads.tokens, heads.tokens))?.contiguous()?;
    let mean = uniform.matmul(&value.reshape((heads.sequences, heads.tokens, width))?)?.reshape((rows, width))?;
    gained([&value, &mix(qkv, heads, logits)?, &mean], gains)
}

/// The weights of [`shaped`], `[B, H, T, T]`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn shaped_weights(qkv: &Tensor, heads: Heads, logits: Logits, gains: Gains) -> Result<Tensor> {
    let softmax = weights(qkv, heads, logits)?;
    let identity = Tensor::eye(heads.tokens, qkv.dtype(), qkv.device())?.broadcast_as(softmax.shape())?;
    let uniform = uniform(heads, qkv)?.broadcast_as(softmax.shape())?;
    gained([&identity.contiguous()?, &softmax, &uniform.contiguous()?], gains)
}

/// `identity a + softmax b - centre c`
fn gained([a, b, c]: [&Tensor; 3], gains: Gains) -> Result<Tensor> {
    match gains {
        Gains::Fixed([identity, softmax, centre]) => ((a * identity)? + (b * softmax)?)? - (c * centre)?,
        Gains::Trained(gains) => {
            let gain = |i: usize| gains.narrow(0, i, 1);
            (a.broadcast_mul(&gain(0)?)? + b.broadcast_mul(&gain(1)?)?)? - c.broadcast_mul(&gain(2)?)?
        }
    }
}

/// `[T, T]`: every token attends alike to all it may see.
fn uniform(heads: Heads, like: &Tensor) -> Result<Tensor> {
    let n = heads.tokens;
    let weight = |row: usize, column: usize| match heads.causal {
        false => 1.0 / n as f64,
        true if column <= row => 1.0 / (row + 1) as f64,
        true => 0.0,
    };
    let weights: Vec<f64> = (0..n * n).map(|i| weight(i / n, i % n)).collect();
    Tensor::from_vec(weights, (n, n), like.device())?.to_dtype(like.dtype())
}
