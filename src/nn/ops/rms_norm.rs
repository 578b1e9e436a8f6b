//! Root-mean-square normalisation (Zhang and Sennrich 2019).

use candle_core::{CpuStorage, CustomOp2, D, DType, Layout, Result, Shape, Tensor};

use super::float::{Float, by_float, lane_sum, output, slice, tracked, wide};

/// Added to the mean square.
pub const EPSILON: f64 = 1e-6;

/// `gain x / sqrt(mean(x^2) + EPSILON)` over the last axis; x `[R, D]`, gain `[D]`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn rms_norm(x: &Tensor, gain: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed(x, gain);
    }
    x.contiguous()?.apply_op2(&gain.contiguous()?, RmsNorm)
}

/// [`rms_norm`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(x: &Tensor, gain: &Tensor) -> Result<Tensor> {
    let square = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(square + EPSILON)?.sqrt()?)?.broadcast_mul(gain)
}

type Operand<'a> = (&'a CpuStorage, &'a Layout);

struct RmsNorm;

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "RMS norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, gain: &CpuStorage, gl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(x: Operand, gain: Operand) -> Result<(CpuStorage, Shape)> {
            let ((_, width), gain) = (x.1.shape().dims2()?, slice::<T>(gain.0, gain.1)?);
            if gain.len() != width {
                candle_core::bail!("an RMS norm of {width} channels needs a gain of {width}, not of {}", gain.len());
            }
            output(normalise(slice::<T>(x.0, x.1)?, gain), x.1.shape().clone())
        }
        by_float!(x, run((x, xl), (gain, gl)))
    }

    fn bwd(&self, x: &Tensor, gain: &Tensor, _: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let rows = x.dim(0)?;
        let packed = x.apply_op3(gain, &g.contiguous()?, Backward)?;
        Ok((tracked(x, || packed.narrow(0, 0, rows))?, tracked(gain, || packed.narrow(0, rows, 1)?.squeeze(0))?))
    }
}

/// The gradients of x and gain, stacked as `[R + 1, D]`, of (x, gain, g).
///
/// With `n = x r`, `r = 1/sqrt(mean(x^2) + EPSILON)`, `a = gain g` and `P(v) = v - n mean(v n)` in each row:
/// `dx = r P(a)`, `dgain = sum_rows g n`.
struct Backward;

impl candle_core::CustomOp3 for Backward {
    fn name(&self) -> &'static str {
        "RMS norm, backward"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        gain: &CpuStorage,
        gl: &Layout,
        g: &CpuStorage,
        ul: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(x: Operand, gain: Operand, g: Operand) -> Result<(CpuStorage, Shape)> {
            let (rows, width) = x.1.shape().dims2()?;
            let packed = pull_back(slice::<T>(x.0, x.1)?, slice(gain.0, gain.1)?, slice(g.0, g.1)?);
            output(packed, (rows + 1, width))
        }
        by_float!(x, run((x, xl), (gain, gl), (g, ul)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gain: &Tensor,
        g: &Tensor,
        _: &Tensor,
        u: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let rows = x.dim(0)?;
        let op = Twice { u: u.detach().contiguous()? };
        // Constants from here on: third derivatives aren't offered.
        let packed = x.detach().apply_op3_no_bwd(&gain.detach(), &g.detach(), &op)?;
        Ok((
            tracked(x, || packed.narrow(0, 0, rows))?,
            tracked(gain, || packed.narrow(0, 2 * rows, 1)?.squeeze(0))?,
            tracked(g, || packed.narrow(0, rows, rows))?,
        ))
    }
}

/// The gradient of `<u, Backward(x, gain, g)>` for x, g and gain, stacked as `[2 R + 1, D]`.
struct Twice {
    /// `[R + 1, D]`
    u: Tensor,
}

impl candle_core::CustomOp3 for Twice {
    fn name(&self) -> &'static str {
        "RMS norm, twice backward"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        gain: &CpuStorage,
        gl: &Layout,
        g: &CpuStorage,
        ul: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(x: Operand, gain: Operand, g: Operand, u: &Tensor) -> Result<(CpuStorage, Shape)> {
            let (rows, width) = x.1.shape().dims2()?;
            let (storage, layout) = u.storage_and_layout();
            let candle_core::Storage::Cpu(storage) = &*storage else { candle_core::bail!("u is on the CPU") };
            let u = slice::<T>(storage, layout)?;
            let (x, gain, g) = (slice::<T>(x.0, x.1)?, slice::<T>(gain.0, gain.1)?, slice::<T>(g.0, g.1)?);
            output(pull_back_twice((x, gain, g), u), (2 * rows + 1, width))
        }
        debug_assert!(matches!(self.u.dtype(), DType::F32 | DType::F64));
        by_float!(x, run((x, xl), (gain, gl), (g, ul), &self.u))
    }
}

/// `1/sqrt(mean(x^2) + EPSILON)` of a row.
#[inline(always)]
fn inverse_rms<T: Float>(x: &[T], share: T) -> T {
    T::one() / (lane_sum(x.len(), |j| x[j] * x[j]) * share + T::of(EPSILON)).square_root()
}

wide! {
    fn normalise[T: Float](x: &[T], gain: &[T]) -> Vec<T> {
        let width = gain.len();
        let share = T::of(1.0 / width as f64);
        let mut y = vec![T::zero(); x.len()];
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let r = inverse_rms(x, share);
            for ((y, &x), &gain) in y.iter_mut().zip(x).zip(gain) {
                *y = x * r * gain;
            }
        }
        y
    }
}

wide! {
    fn pull_back[T: Float](x: &[T], gain: &[T], g: &[T]) -> Vec<T> {
        let width = gain.len();
        let share = T::of(1.0 / width as f64);
        let mut packed = vec![T::zero(); x.len() + width];
        let (dx, dgain) = packed.split_at_mut(x.len());
        let (mut n, mut a) = (vec![T::zero(); width], vec![T::zero(); width]);
        for ((x, g), dx) in x.chunks_exact(width).zip(g.chunks_exact(width)).zip(dx.chunks_exact_mut(width)) {
            let r = inverse_rms(x, share);
            for ((((n, a), &x), &g), &gain) in n.iter_mut().zip(&mut a).zip(x).zip(g).zip(gain) {
                *n = x * r;
                *a = g * gain;
            }
            for ((dgain, &g), &n) in dgain.iter_mut().zip(g).zip(&n) {
                *dgain += g * n;
            }
            let (n, a) = (&n[..width], &a[..width]);
            let mean_an = lane_sum(width, |j| a[j] * n[j]) * share;
            for ((dx, &a), &n) in dx.iter_mut().zip(a).zip(n) {
                *dx = r * (a - n * mean_an);
            }
        }
        packed
    }
}

wide! {
    /// With the words of [`Backward`] and the rows `ux, ugain` of u: of `sum r <ux, P(a)> + sum <ugain, g n>`, the
    /// gradients are `dg = gain r P(ux) + ugain n`, `dgain = sum_rows g r P(ux)`, and, as `dr = -r^2 n dx / D` and
    /// `dn = r P(dx)`, `dx = r P(w) - r^2 K n / D` with `K = <ux, a> - <ux, n> <a, n> / D` and
    /// `w = ugain g - r (<a, n> ux + <ux, n> a) / D`.
    fn pull_back_twice[T: Float](at: (&[T], &[T], &[T]), u: &[T]) -> Vec<T> {
        let (x, gain, g) = at;
        let width = gain.len();
        let share = T::of(1.0 / width as f64);
        let (ux, ugain) = u.split_at(x.len());
        let mut packed = vec![T::zero(); 2 * x.len() + width];
        let (dx, rest) = packed.split_at_mut(x.len());
        let (dg, dgain) = rest.split_at_mut(x.len());
        let (mut n, mut a, mut w) = (vec![T::zero(); width], vec![T::zero(); width], vec![T::zero(); width]);
        for row in 0..x.len() / width {
            let here = row * width..(row + 1) * width;
            let (x, g, ux) = (&x[here.clone()], &g[here.clone()], &ux[here.clone()]);
            let (dx, dg) = (&mut dx[here.clone()], &mut dg[here]);
            let r = inverse_rms(x, share);
            for j in 0..width {
                n[j] = x[j] * r;
                a[j] = g[j] * gain[j];
            }
            let (an, un) = (lane_sum(width, |j| a[j] * n[j]), lane_sum(width, |j| ux[j] * n[j]));
            for j in 0..width {
                let rp = r * (ux[j] - n[j] * un * share);
                dg[j] = gain[j] * rp + ugain[j] * n[j];
                dgain[j] += g[j] * rp;
                w[j] = ugain[j] * g[j] - r * share * (an * ux[j] + un * a[j]);
            }
            let k = lane_sum(width, |j| ux[j] * a[j]) - un * an * share;
            let mean_wn = lane_sum(width, |j| w[j] * n[j]) * share;
            for j in 0..width {
                dx[j] = r * (w[j] - n[j] * mean_wn) - r * r * share * k * n[j];
            }
        }
        packed
    }
}
