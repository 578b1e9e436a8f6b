//! Pictures of half the side.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::float::{Float, by_float, output, slice, wide};

/// The mean of each square of 2x2 pixels; x `[B height width, C]`, both sides even; gives `[B height/2 width/2, C]`.
///
/// # Errors
/// Odd sides; whatever candle says of shapes and the device.
pub fn average_pool(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    if !(height.is_multiple_of(2) && width.is_multiple_of(2)) {
        candle_core::bail!("pictures of {height}x{width} pixels can't be halved");
    }
    if !x.device().is_cpu() {
        return composed(x, height, width);
    }
    x.contiguous()?.apply_op1(Halve { width })
}

/// [`average_pool`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (rows, channels) = x.dims2()?;
    x.reshape(vec![rows / 2 / width, 2, width / 2, 2, channels])?
        .mean(3)?
        .mean(1)?
        .reshape((rows / (height * width) * (height / 2) * (width / 2), channels))
}

struct Halve {
    /// Before.
    width: usize,
}

/// The adjoint: a quarter of each pixel to the four it is the mean of.
struct Double {
    /// After.
    width: usize,
}

impl CustomOp1 for Halve {
    fn name(&self) -> &'static str {
        "average pooling"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(x: &CpuStorage, xl: &Layout, width: usize) -> Result<(CpuStorage, Shape)> {
            let (rows, channels) = xl.shape().dims2()?;
            let mut y = vec![T::zero(); rows / 4 * channels];
            let pairs = slice::<T>(x, xl)?.chunks_exact(2 * width * channels);
            for (pair, line) in pairs.zip(y.chunks_exact_mut((width / 2 * channels).max(1))) {
                let (upper, lower) = pair.split_at(width * channels);
                for ((y, upper), lower) in line
                    .chunks_exact_mut(channels)
                    .zip(upper.chunks_exact(2 * channels))
                    .zip(lower.chunks_exact(2 * channels))
                {
                    mean_of_four(y, upper, lower);
                }
            }
            output(y, (rows / 4, channels))
        }
        by_float!(x, run(x, xl, self.width))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(g.contiguous()?.apply_op1(Double { width: self.width })?))
    }
}

impl CustomOp1 for Double {
    fn name(&self) -> &'static str {
        "average pooling, backward"
    }

    fn cpu_fwd(&self, g: &CpuStorage, gl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(g: &CpuStorage, gl: &Layout, width: usize) -> Result<(CpuStorage, Shape)> {
            let (rows, channels) = gl.shape().dims2()?;
            let quarter = T::of(0.25);
            let mut x = Vec::with_capacity(4 * rows * channels);
            for line in slice::<T>(g, gl)?.chunks_exact((width / 2 * channels).max(1)) {
                for _ in 0..2 {
                    for pixel in line.chunks_exact(channels) {
                        for _ in 0..2 {
                            x.extend(pixel.iter().map(|&g| g * quarter));
                        }
                    }
                }
            }
            output(x, (4 * rows, channels))
        }
        by_float!(g, run(g, gl, self.width))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, u: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(u.contiguous()?.apply_op1(Halve { width: self.width })?))
    }
}

wide! {
    /// The mean of the two pixels of each line, y `[C]`, the lines `[2 C]`.
    fn mean_of_four[T: Float](y: &mut [T], upper: &[T], lower: &[T]) {
        let quarter = T::of(0.25);
        let ((a, b), (c, d)) = (upper.split_at(y.len()), lower.split_at(y.len()));
        for ((((y, &a), &b), &c), &d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *y = ((a + b) + (c + d)) * quarter;
        }
    }
}
