//! Affine maps of rows.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::float::{Float, by_float, output, slice};
use super::product::{Transposed, multiply, product};
use super::rows::sum_rows;

/// `x W + b`; x `[R, fan_in]`, W `[fan_in, fan_out]`, b `[fan_out]`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed(x, weight, bias);
    }
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Linear)
}

/// `x W + b`, or `x W` without a bias.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn affine(x: &Tensor, (weight, bias): (&Tensor, Option<&Tensor>)) -> Result<Tensor> {
    match bias {
        Some(bias) => linear(x, weight, bias),
        None => product(x, weight, Transposed::Neither),
    }
}

/// [`linear`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.matmul(weight)?.broadcast_add(bias)
}

struct Linear;

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        by_float!(x, run((x, xl), (w, wl), (b, bl)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let g = g.contiguous()?;
        let to_x = if x.track_op() { Some(product(&g, w, Transposed::Right)?) } else { None };
        let to_w = if w.track_op() { Some(product(x, &g, Transposed::Left)?) } else { None };
        let to_b = if b.track_op() { Some(sum_rows(&g, 1)?.reshape(b.shape())?) } else { None };
        Ok((to_x, to_w, to_b))
    }
}

fn run<T: Float>(
    (x, xl): (&CpuStorage, &Layout),
    (w, wl): (&CpuStorage, &Layout),
    (b, bl): (&CpuStorage, &Layout),
) -> Result<(CpuStorage, Shape)> {
    let ((rows, fan_in), (inner, fan_out)) = (xl.shape().dims2()?, wl.shape().dims2()?);
    let (x, w, b) = (slice::<T>(x, xl)?, slice::<T>(w, wl)?, slice::<T>(b, bl)?);
    if fan_in != inner || b.len() != fan_out {
        candle_core::bail!(
            "an affine map of [{rows}, {fan_in}] needs a weight [{fan_in}, out] and a bias [out], not [{inner}, {fan_out}] and [{}]",
            b.len()
        );
    }
    // The product adds to the bias: no pass of its own.
    let mut y = b.repeat(rows);
    multiply(&mut y, x, w, [rows, fan_in, fan_out], Transposed::Neither, true);
    output(y, (rows, fan_out))
}
