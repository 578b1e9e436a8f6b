//! Batch normalisation (Ioffe and Szegedy 2015).
//!
//! Statistics are of all rows: examples and positions alike. With `m` and `v` the mean and the mean square deviation
//! (divided by R, not R - 1) of a channel, `r = 1/sqrt(v + EPSILON)` and `n = (x - m) r`:
//!
//! ```text
//! y = gain n + bias
//! ```

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor};

use super::float::{Float, by_float, output, slice, tracked, wide};
use super::rows::add_rows;
use super::scale::scale_columns;

/// Added to the variance.
pub const EPSILON: f64 = 1e-5;
/// Rows that are added up in the type of the tensor before f64 takes over.
const ROWS: usize = 64;

/// Mean and variance of each channel, `[C]` both, without graph.
#[derive(Clone, Debug)]
pub struct Moments {
    pub mean: Tensor,
    pub variance: Tensor,
}

impl Moments {
    /// Of the rows of x, `[R, C]`.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn of(x: &Tensor) -> Result<Self> {
        let x = x.detach();
        if !x.device().is_cpu() {
            let mean = x.mean_keepdim(0)?;
            let variance = x.broadcast_sub(&mean)?.sqr()?.mean(0)?;
            return Ok(Self { mean: mean.squeeze(0)?, variance });
        }
        let packed = x.contiguous()?.apply_op1_no_bwd(&OfRows)?;
        Ok(Self { mean: packed.get(0)?, variance: packed.get(1)? })
    }
}

/// `gain (x - mean(x)) / sqrt(var(x) + EPSILON) + bias`, statistics over the rows; x `[R, C]`, gain and bias `[C]`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn batch_norm(x: &Tensor, gain: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed(x, gain, bias);
    }
    x.contiguous()?.apply_op3(&gain.contiguous()?, &bias.contiguous()?, BatchNorm)
}

/// [`batch_norm`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(x: &Tensor, gain: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(0)?)?;
    let variance = centred.sqr()?.mean_keepdim(0)?;
    centred.broadcast_div(&(variance + EPSILON)?.sqrt()?)?.broadcast_mul(gain)?.broadcast_add(bias)
}

/// [`batch_norm`] with constants in place of the batch's statistics: an affine map of each channel.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn with_moments(x: &Tensor, gain: &Tensor, bias: &Tensor, moments: &Moments) -> Result<Tensor> {
    let factor = (gain / (&moments.variance + EPSILON)?.sqrt()?)?;
    let shift = (bias - (&factor * &moments.mean)?)?;
    add_rows(&scale_columns(x, &factor)?, &shift)
}

type Operand<'a> = (&'a CpuStorage, &'a Layout);

struct OfRows;

impl CustomOp1 for OfRows {
    fn name(&self) -> &'static str {
        "moments of rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
            let width = xl.shape().dims2()?.1;
            let (mean, variance) = moments(slice::<T>(x, xl)?, width);
            output(mean.into_iter().chain(variance.into_iter().map(T::of)).collect(), (2, width))
        }
        by_float!(x, run(x, xl))
    }
}

struct BatchNorm;

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        "batch norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        gain: &CpuStorage,
        gl: &Layout,
        bias: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(x: Operand, gain: Operand, bias: Operand) -> Result<(CpuStorage, Shape)> {
            let (_, width) = x.1.shape().dims2()?;
            let (values, gain, bias) = (slice::<T>(x.0, x.1)?, slice(gain.0, gain.1)?, slice(bias.0, bias.1)?);
            if gain.len() != width || bias.len() != width {
                candle_core::bail!(
                    "{width} channels need as many gains and biases, not {} and {}",
                    gain.len(),
                    bias.len()
                );
            }
            output(normalise(values, gain, bias), x.1.shape().clone())
        }
        by_float!(x, run((x, xl), (gain, gl), (bias, bl)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gain: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let rows = x.dim(0)?;
        let packed = x.apply_op3(gain, &g.contiguous()?, Backward)?;
        Ok((
            tracked(x, || packed.narrow(0, 0, rows))?,
            tracked(gain, || packed.narrow(0, rows, 1)?.squeeze(0))?,
            tracked(bias, || packed.narrow(0, rows + 1, 1)?.squeeze(0))?,
        ))
    }
}

/// The gradients of x, gain and bias, stacked as `[R + 2, C]`, of (x, gain, g).
///
/// With `P(a) = a - mean(a) - n mean(a n)` down each channel: `dx = gain r P(g)`, `dgain = sum g n`, `dbias = sum g`.
struct Backward;

impl CustomOp3 for Backward {
    fn name(&self) -> &'static str {
        "batch norm, backward"
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
            output(packed, (rows + 2, width))
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

/// The gradient of `<u, Backward(x, gain, g)>` for x, g and gain, stacked as `[2 R + 1, C]`.
struct Twice {
    /// `[R + 2, C]`
    u: Tensor,
}

impl CustomOp3 for Twice {
    fn name(&self) -> &'static str {
        "batch norm, twice backward"
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
            output(pull_back_twice(x, gain, g, u), (2 * rows + 1, width))
        }
        by_float!(x, run((x, xl), (gain, gl), (g, ul), &self.u))
    }
}

/// `sum_rows f(x, y)` a channel, x and y `[R, C]`: in f64 from sums of [`ROWS`] rows, so that long batches lose nothing.
#[inline(always)]
fn sums<T: Float>(x: &[T], y: &[T], width: usize, f: impl Fn(usize, T, T) -> T) -> Vec<f64> {
    let mut total = vec![0.0; width];
    let mut part = vec![T::zero(); width];
    for (x, y) in x.chunks(ROWS * width).zip(y.chunks(ROWS * width)) {
        part.fill(T::zero());
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact(width)) {
            let (part, x, y) = (&mut part[..width], &x[..width], &y[..width]);
            for c in 0..width {
                part[c] += f(c, x[c], y[c]);
            }
        }
        for (total, part) in total.iter_mut().zip(&part) {
            *total += part.wide();
        }
    }
    total
}

/// Those over the number of rows.
#[inline(always)]
fn means<T: Float>(x: &[T], y: &[T], width: usize, f: impl Fn(usize, T, T) -> T) -> Vec<T> {
    let share = (x.len() as f64 / width as f64).recip();
    sums(x, y, width, f).into_iter().map(|sum| T::of(sum * share)).collect()
}

wide! {
    /// Mean, and variance in f64.
    fn moments[T: Float](x: &[T], width: usize) -> (Vec<T>, Vec<f64>) {
        let mean = means(x, x, width, |_, x, _| x);
        let share = (x.len() as f64 / width as f64).recip();
        let at = &mean[..width];
        let squares = sums(x, x, width, |c, x, _| (x - at[c]) * (x - at[c]));
        (mean, squares.into_iter().map(|sum| sum * share).collect())
    }
}

fn inverse_deviation<T: Float>(variance: &[f64]) -> Vec<T> {
    variance.iter().map(|v| T::of((v + EPSILON).sqrt().recip())).collect()
}

wide! {
    fn normalise[T: Float](x: &[T], gain: &[T], bias: &[T]) -> Vec<T> {
        let width = gain.len();
        let (mean, variance) = moments(x, width);
        let factor: Vec<T> = inverse_deviation::<T>(&variance).iter().zip(gain).map(|(&r, &gain)| r * gain).collect();
        let mut y = vec![T::zero(); x.len()];
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            for ((((y, &x), &mean), &factor), &bias) in y.iter_mut().zip(x).zip(&mean).zip(&factor).zip(bias) {
                *y = (x - mean) * factor + bias;
            }
        }
        y
    }
}

/// `n = (x - mean) r`, written to `n`; returns r.
#[inline(always)]
fn standardise<T: Float>(x: &[T], width: usize, n: &mut [T]) -> Vec<T> {
    let (mean, variance) = moments(x, width);
    let r = inverse_deviation::<T>(&variance);
    for (x, n) in x.chunks_exact(width).zip(n.chunks_exact_mut(width)) {
        for (((n, &x), &mean), &r) in n.iter_mut().zip(x).zip(&mean).zip(&r) {
            *n = (x - mean) * r;
        }
    }
    r
}

wide! {
    fn pull_back[T: Float](x: &[T], gain: &[T], g: &[T]) -> Vec<T> {
        let width = gain.len();
        let share = T::of((x.len() as f64 / width as f64).recip());
        let mut packed = vec![T::zero(); x.len() + 2 * width];
        let (dx, rest) = packed.split_at_mut(x.len());
        let (dgain, dbias) = rest.split_at_mut(width);
        // n first, and dx in its place.
        let r = standardise(x, width, dx);
        let narrow = |sums: Vec<f64>, to: &mut [T]| to.iter_mut().zip(sums).for_each(|(to, sum)| *to = T::of(sum));
        narrow(sums(g, dx, width, |_, g, n| g * n), dgain);
        narrow(sums(g, g, width, |_, g, _| g), dbias);
        let factor: Vec<T> = r.iter().zip(gain).map(|(&r, &gain)| r * gain).collect();
        let (mean_gn, mean_g): (Vec<T>, Vec<T>) = dgain.iter().zip(&*dbias).map(|(&a, &b)| (a * share, b * share)).unzip();
        for (g, dx) in g.chunks_exact(width).zip(dx.chunks_exact_mut(width)) {
            let (g, dx) = (&g[..width], &mut dx[..width]);
            for c in 0..width {
                dx[c] = factor[c] * (g[c] - mean_g[c] - dx[c] * mean_gn[c]);
            }
        }
        packed
    }
}

wide! {
    /// With the words of [`Backward`] and the rows `u, ugain, ubias` of u: of
    /// `gain r <u, P(g)> + ugain <g, n> + ubias sum g` in each channel the gradients are
    /// `dg = gain r P(u) + ugain n + ubias`, `dgain = r K` with `K = <u, P(g)>`, and, as `dr = -r^2 n dx / R`,
    /// `dn = r P(dx)` and `dK/dn = -(mean(g n) u + mean(u n) g)`,
    /// `dx = r (ugain P(g) - gain r (mean(g n) P(u) + mean(u n) P(g)) - gain r n K / R)`.
    fn pull_back_twice[T: Float](x: &[T], gain: &[T], g: &[T], u: &[T]) -> Vec<T> {
        let width = gain.len();
        let count = x.len() as f64 / width as f64;
        let (u, rest) = u.split_at(x.len());
        let (ugain, ubias) = rest.split_at(width);
        let mut packed = vec![T::zero(); 2 * x.len() + width];
        let (dx, rest) = packed.split_at_mut(x.len());
        let (dg, dgain) = rest.split_at_mut(x.len());
        // n first, and dx in its place.
        let r = standardise(x, width, dx);
        let (mean_g, mean_u) = (means(g, g, width, |_, g, _| g), means(u, u, width, |_, u, _| u));
        let (mean_gn, mean_un) = (means(g, dx, width, |_, g, n| g * n), means(u, dx, width, |_, u, n| u * n));
        let mut k = sums(u, g, width, |_, u, g| u * g);
        for c in 0..width {
            k[c] -= count * (mean_u[c].wide() * mean_g[c].wide() + mean_un[c].wide() * mean_gn[c].wide());
            dgain[c] = r[c] * T::of(k[c]);
        }
        let scaled: Vec<T> = (0..width).map(|c| gain[c] * r[c]).collect();
        let k: Vec<T> = (0..width).map(|c| scaled[c] * T::of(k[c] / count)).collect();
        for row in 0..x.len() / width {
            let here = row * width..(row + 1) * width;
            let (g, u, dx, dg) = (&g[here.clone()], &u[here.clone()], &mut dx[here.clone()], &mut dg[here]);
            for c in 0..width {
                let n = dx[c];
                let pu = u[c] - mean_u[c] - n * mean_un[c];
                let pg = g[c] - mean_g[c] - n * mean_gn[c];
                dg[c] = scaled[c] * pu + ugain[c] * n + ubias[c];
                dx[c] = r[c] * (ugain[c] * pg - scaled[c] * (mean_gn[c] * pu + mean_un[c] * pg) - k[c] * n);
            }
        }
        packed
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    /// Two channels far from zero with far different spreads.
    fn rows(dtype: DType) -> Tensor {
        let values: Vec<f64> =
            (0..2 * 300)
                .map(|i| {
                    if i % 2 == 0 {
                        50.0 + (0.7 * f64::from(i)).sin()
                    } else {
                        -3.0 + 1e-2 * (0.3 * f64::from(i)).cos()
                    }
                })
                .collect();
        Tensor::from_vec(values, (300, 2), &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
    }

    fn vector(values: [f64; 2], dtype: DType) -> Tensor {
        Tensor::new(&values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
    }

    #[test]
    fn moments_are_their_definitions() {
        let x = rows(DType::F64).to_vec2::<f64>().unwrap();
        let found = Moments::of(&rows(DType::F64)).unwrap();
        let single = Moments::of(&rows(DType::F32)).unwrap();
        for c in 0..2 {
            let mean = x.iter().map(|row| row[c]).sum::<f64>() / 300.0;
            let variance = x.iter().map(|row| (row[c] - mean).powi(2)).sum::<f64>() / 300.0;
            let at = |t: &Tensor| t.to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap()[c];
            assert!((at(&found.mean) / mean - 1.0).abs() < 1e-14);
            assert!((at(&found.variance) / variance - 1.0).abs() < 1e-12);
            // f32 has lost digits of x itself: of 50 with a deviation of 0.7, five remain.
            assert!((at(&single.variance) / variance - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn each_channel_has_the_mean_and_deviation_of_its_bias_and_gain() {
        let x = rows(DType::F64);
        let (gain, bias) = (vector([2.0, -0.5], DType::F64), vector([0.3, -7.0], DType::F64));
        let y = Moments::of(&batch_norm(&x, &gain, &bias).unwrap()).unwrap();
        let variance = Moments::of(&x).unwrap().variance.to_vec1::<f64>().unwrap();
        for (c, (gain, bias)) in [(2.0_f64, 0.3), (-0.5, -7.0)].into_iter().enumerate() {
            assert!((y.mean.to_vec1::<f64>().unwrap()[c] - bias).abs() < 1e-12);
            let known = gain.powi(2) * variance[c] / (variance[c] + EPSILON);
            assert!((y.variance.to_vec1::<f64>().unwrap()[c] - known).abs() < 1e-12);
        }
    }

    #[test]
    fn with_the_moments_of_the_batch_it_is_the_same_map() {
        let x = rows(DType::F64);
        let (gain, bias) = (vector([2.0, -0.5], DType::F64), vector([0.3, -7.0], DType::F64));
        let known = batch_norm(&x, &gain, &bias).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let found = with_moments(&x, &gain, &bias, &Moments::of(&x).unwrap()).unwrap();
        for (a, b) in found.flatten_all().unwrap().to_vec1::<f64>().unwrap().iter().zip(&known) {
            assert!((a - b).abs() < 1e-11, "{a} {b}");
        }
    }

    #[test]
    fn a_batch_of_one_row_gives_the_bias() {
        let x = rows(DType::F64).narrow(0, 0, 1).unwrap();
        let (gain, bias) = (vector([2.0, -0.5], DType::F64), vector([0.3, -7.0], DType::F64));
        assert_eq!(batch_norm(&x, &gain, &bias).unwrap().to_vec2::<f64>().unwrap(), [[0.3, -7.0]]);
    }
}
