//! Trained factors of channels.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::float::{Float, by_float, output, slice, tracked, wide};
use super::rows::sum_rows;

/// `gain x`, channel by channel; x `[R, D]`, gain `[D]`, or `[1]` for all channels alike.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn scale_columns(x: &Tensor, gain: &Tensor) -> Result<Tensor> {
    let width = x.dim(1)?;
    if !x.device().is_cpu() {
        return x.broadcast_mul(gain);
    }
    match gain.dims1()? {
        1 => x.contiguous()?.apply_op2(&gain.broadcast_as(width)?.contiguous()?, ScaleColumns),
        n if n == width => x.contiguous()?.apply_op2(&gain.contiguous()?, ScaleColumns),
        n => candle_core::bail!("{n} factors don't fit {width} channels"),
    }
}

struct ScaleColumns;

impl CustomOp2 for ScaleColumns {
    fn name(&self) -> &'static str {
        "scale columns"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, gain: &CpuStorage, gl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(
            (x, xl): (&CpuStorage, &Layout),
            (gain, gl): (&CpuStorage, &Layout),
        ) -> Result<(CpuStorage, Shape)> {
            output(scaled(slice::<T>(x, xl)?, slice::<T>(gain, gl)?), xl.shape().clone())
        }
        by_float!(x, run((x, xl), (gain, gl)))
    }

    fn bwd(&self, x: &Tensor, gain: &Tensor, _: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = g.contiguous()?;
        // Bilinear: both gradients are operations of this file and of `rows`, differentiable again.
        Ok((tracked(x, || g.apply_op2(gain, Self))?, tracked(gain, || sum_rows(&(&g * x)?, 1)?.reshape(gain.shape()))?))
    }
}

wide! {
    fn scaled[T: Float](x: &[T], gain: &[T]) -> Vec<T> {
        let mut y = vec![T::zero(); x.len()];
        for (x, y) in x.chunks_exact(gain.len()).zip(y.chunks_exact_mut(gain.len())) {
            for ((y, &x), &gain) in y.iter_mut().zip(x).zip(gain) {
                *y = x * gain;
            }
        }
        y
    }
}
