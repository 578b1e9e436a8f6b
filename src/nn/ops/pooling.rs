//! Means over tokens.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::float::{Float, by_float, output, slice};
use super::rows::sums;

/// The mean of each group of `tokens` consecutive rows: `[B T, D]` to `[B, D]`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn mean_tokens(x: &Tensor, tokens: usize) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed(x, tokens);
    }
    x.contiguous()?.apply_op1(MeanTokens { tokens })
}

/// [`mean_tokens`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(x: &Tensor, tokens: usize) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    x.reshape((rows / tokens, tokens, width))?.mean(1)
}

struct MeanTokens {
    tokens: usize,
}

/// The adjoint: each row over `tokens`, that many times.
struct SpreadTokens {
    tokens: usize,
}

impl CustomOp1 for MeanTokens {
    fn name(&self) -> &'static str {
        "mean over tokens"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(x: &CpuStorage, xl: &Layout, tokens: usize) -> Result<(CpuStorage, Shape)> {
            let (rows, width) = xl.shape().dims2()?;
            let share = T::of(1.0 / tokens as f64);
            let mut means = Vec::with_capacity(rows / tokens * width);
            for example in slice::<T>(x, xl)?.chunks_exact(tokens * width) {
                means.extend(sums(example, width).into_iter().map(|sum| sum * share));
            }
            output(means, (rows / tokens, width))
        }
        by_float!(x, run(x, xl, self.tokens))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(g.contiguous()?.apply_op1(SpreadTokens { tokens: self.tokens })?))
    }
}

impl CustomOp1 for SpreadTokens {
    fn name(&self) -> &'static str {
        "spread over tokens"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(x: &CpuStorage, xl: &Layout, tokens: usize) -> Result<(CpuStorage, Shape)> {
            let (rows, width) = xl.shape().dims2()?;
            let share = T::of(1.0 / tokens as f64);
            let mut spread = Vec::with_capacity(rows * tokens * width);
            for row in slice::<T>(x, xl)?.chunks_exact(width) {
                for _ in 0..tokens {
                    spread.extend(row.iter().map(|&x| x * share));
                }
            }
            output(spread, (rows * tokens, width))
        }
        by_float!(x, run(x, xl, self.tokens))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(g.contiguous()?.apply_op1(MeanTokens { tokens: self.tokens })?))
    }
}
