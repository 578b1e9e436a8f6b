//! Convolutions of pictures, as products with the matrix of their windows.
//!
//! Pictures are rows: a picture of `height x width` pixels is that many consecutive rows of its channels, in reading
//! order. A window is the square of `side x side` pixels around a pixel, zeros beyond the border, flattened as (row,
//! column, channel); `cols(x)` has the windows of x as rows. Then, with `W` `[side^2 C, K]`,
//!
//! ```text
//! y = cols(x) W + b,    dx = cols'(dy W'),    dW = cols(x)' dy,    db = sum_rows dy
//! ```
//!
//! where `cols'` is the adjoint of `cols`, which adds windows back to their pixels. All three are linear in each of
//! their factors, and each other's derivatives, so that they can be differentiated as often as one likes.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::float::{Float, by_float, output, slice};
use super::product::{Transposed, multiply};
use super::rows::sum_rows;

/// Numbers of the block of windows that is multiplied at a time: it stays in a core's cache.
const BLOCK: usize = 1 << 16;

/// Where the windows of a convolution lie: around the pixels `(i stride, j stride)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Pixels of the pictures.
    pub height: usize,
    pub width: usize,
    /// Side of a window, odd.
    pub side: usize,
    pub stride: usize,
}

impl Windows {
    /// Height of the pictures that come out.
    pub fn rows(self) -> usize {
        self.height.div_ceil(self.stride)
    }

    /// Width of the pictures that come out.
    pub fn columns(self) -> usize {
        self.width.div_ceil(self.stride)
    }

    /// Windows of a picture.
    pub fn positions(self) -> usize {
        self.rows() * self.columns()
    }

    /// Pixels of a picture.
    pub fn pixels(self) -> usize {
        self.height * self.width
    }

    /// For each place of each window of one picture, in reading order, the pixel it looks at; `None` beyond the border.
    pub fn looks_at(self) -> Vec<Option<usize>> {
        let reach = self.side / 2;
        let mut table = Vec::with_capacity(self.positions() * self.side * self.side);
        for (i, j) in (0..self.rows()).flat_map(|i| (0..self.columns()).map(move |j| (i, j))) {
            for (di, dj) in (0..self.side).flat_map(|di| (0..self.side).map(move |dj| (di, dj))) {
                let row = (i * self.stride + di).checked_sub(reach).filter(|&row| row < self.height);
                let column = (j * self.stride + dj).checked_sub(reach).filter(|&column| column < self.width);
                table.push(row.zip(column).map(|(row, column)| row * self.width + column));
            }
        }
        table
    }
}

/// `cols(x) W + b`; x `[B pixels, C]`, W `[side^2 C, K]`, b `[K]`; gives `[B positions, K]`.
///
/// # Errors
/// Shapes that don't fit; whatever candle says of the device.
pub fn convolution(x: &Tensor, weight: &Tensor, bias: &Tensor, windows: Windows) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed(x, weight, bias, windows);
    }
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Convolve(windows))
}

/// [`convolution`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(x: &Tensor, weight: &Tensor, bias: &Tensor, windows: Windows) -> Result<Tensor> {
    let (rows, channels) = x.dims2()?;
    let pixels = windows.pixels();
    let examples = rows / pixels;
    // A pixel of zeros behind the last stands for all beyond the border.
    let table: Vec<u32> = windows.looks_at().into_iter().map(|at| at.unwrap_or(pixels) as u32).collect();
    let table = Tensor::from_vec(table, windows.positions() * windows.side.pow(2), x.device())?;
    let zeros = Tensor::zeros((examples, 1, channels), x.dtype(), x.device())?;
    let padded = Tensor::cat(&[&x.reshape((examples, pixels, channels))?, &zeros], 1)?;
    let columns = padded.index_select(&table, 1)?.reshape((examples * windows.positions(), weight.dim(0)?))?;
    columns.matmul(weight)?.broadcast_add(bias)
}

type Operand<'a> = (&'a CpuStorage, &'a Layout);

/// `cols(x) W + b` of (x, W, b).
struct Convolve(Windows);

impl CustomOp3 for Convolve {
    fn name(&self) -> &'static str {
        "convolution"
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
        fn run<T: Float>(x: Operand, w: Operand, b: Operand, windows: Windows) -> Result<(CpuStorage, Shape)> {
            let sizes = Sizes::of(x.1, Side::In, w.1, windows)?;
            let b = slice::<T>(b.0, b.1)?;
            if b.len() != sizes.outputs {
                candle_core::bail!(
                    "a convolution onto {} channels needs as many biases, not {}",
                    sizes.outputs,
                    b.len()
                );
            }
            let mut y = b.repeat(sizes.examples * windows.positions());
            convolve(&mut y, slice(x.0, x.1)?, slice(w.0, w.1)?, sizes, windows);
            output(y, (sizes.examples * windows.positions(), sizes.outputs))
        }
        by_float!(x, run((x, xl), (w, wl), (b, bl), self.0))
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
        Ok((
            if_tracked(x, || g.apply_op2(w, ToInputs(self.0)))?,
            if_tracked(w, || x.apply_op2(&g, ToWeight(self.0)))?,
            if_tracked(b, || sum_rows(&g, 1)?.reshape(b.shape()))?,
        ))
    }
}

/// `cols'(g W')` of (g, W).
struct ToInputs(Windows);

impl CustomOp2 for ToInputs {
    fn name(&self) -> &'static str {
        "convolution, to its inputs"
    }

    fn cpu_fwd(&self, g: &CpuStorage, gl: &Layout, w: &CpuStorage, wl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(g: Operand, w: Operand, windows: Windows) -> Result<(CpuStorage, Shape)> {
            let sizes = Sizes::of(g.1, Side::Out, w.1, windows)?;
            let (g, w) = (slice::<T>(g.0, g.1)?, slice::<T>(w.0, w.1)?);
            let mut dx = vec![T::zero(); sizes.examples * windows.pixels() * sizes.channels];
            if windows.stride == 1 {
                // The windows of g with the weight turned round: a product whose result is as small as dx.
                let turned = Sizes { channels: sizes.outputs, outputs: sizes.channels, ..sizes };
                convolve(&mut dx, g, &turn(w, sizes, windows), turned, windows);
            } else {
                spread(&mut dx, g, w, sizes, windows);
            }
            output(dx, (sizes.examples * windows.pixels(), sizes.channels))
        }
        by_float!(g, run((g, gl), (w, wl), self.0))
    }

    fn bwd(&self, g: &Tensor, w: &Tensor, _: &Tensor, u: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let u = u.contiguous()?;
        Ok((
            if_tracked(g, || without_bias(&u, w, self.0))?,
            if_tracked(w, || u.apply_op2(&g.contiguous()?, ToWeight(self.0)))?,
        ))
    }
}

/// `cols(x)' g` of (x, g).
struct ToWeight(Windows);

impl CustomOp2 for ToWeight {
    fn name(&self) -> &'static str {
        "convolution, to its weight"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, g: &CpuStorage, gl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(x: Operand, g: Operand, windows: Windows) -> Result<(CpuStorage, Shape)> {
            let ((rows, channels), (results, outputs)) = (x.1.shape().dims2()?, g.1.shape().dims2()?);
            let sizes = Sizes { examples: rows / windows.pixels(), channels, outputs };
            if rows != sizes.examples * windows.pixels() || results != sizes.examples * windows.positions() {
                candle_core::bail!("a convolution with {windows:?} can't make {results} rows of {rows}");
            }
            let fan_in = sizes.fan_in(windows);
            // Transposed, as the kernels of the product prefer long rows.
            let mut dw = vec![T::zero(); outputs * fan_in];
            let g = slice::<T>(g.0, g.1)?;
            in_blocks(slice::<T>(x.0, x.1)?, sizes, windows, |columns, from, rows| {
                let g = &g[from * outputs..(from + rows) * outputs];
                multiply(&mut dw, g, columns, [outputs, rows, fan_in], Transposed::Left, true);
            });
            let dw = (0..fan_in * outputs).map(|at| dw[at % outputs * fan_in + at / outputs]).collect();
            output(dw, (fan_in, outputs))
        }
        by_float!(x, run((x, xl), (g, gl), self.0))
    }

    fn bwd(&self, x: &Tensor, g: &Tensor, _: &Tensor, u: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let u = u.contiguous()?;
        Ok((
            if_tracked(x, || g.contiguous()?.apply_op2(&u, ToInputs(self.0)))?,
            if_tracked(g, || without_bias(x, &u, self.0))?,
        ))
    }
}

/// A constant, such as the pictures themselves, needs no gradient.
fn if_tracked(x: &Tensor, gradient: impl FnOnce() -> Result<Tensor>) -> Result<Option<Tensor>> {
    if x.track_op() { gradient().map(Some) } else { Ok(None) }
}

/// `cols(x) W`
///
/// # Errors
/// As [`convolution`].
pub fn without_bias(x: &Tensor, weight: &Tensor, windows: Windows) -> Result<Tensor> {
    let bias = Tensor::zeros(weight.dim(1)?, x.dtype(), x.device())?;
    convolution(x, weight, &bias, windows)
}

#[derive(Clone, Copy)]
enum Side {
    In,
    Out,
}

#[derive(Clone, Copy)]
struct Sizes {
    examples: usize,
    channels: usize,
    outputs: usize,
}

impl Sizes {
    /// Of a weight and the pictures that go in, or those that come out.
    fn of(rows: &Layout, side: Side, weight: &Layout, windows: Windows) -> Result<Self> {
        let ((rows, width), (fan_in, outputs)) = (rows.shape().dims2()?, weight.shape().dims2()?);
        let channels = fan_in / windows.side.pow(2);
        let (pixels, expected) = match side {
            Side::In => (windows.pixels(), channels),
            Side::Out => (windows.positions(), outputs),
        };
        if fan_in != channels * windows.side.pow(2) || !rows.is_multiple_of(pixels) || width != expected {
            candle_core::bail!(
                "a convolution with {windows:?} and a weight [{fan_in}, {outputs}] can't read [{rows}, {width}]"
            );
        }
        Ok(Self { examples: rows / pixels, channels, outputs })
    }

    fn fan_in(self, windows: Windows) -> usize {
        windows.side.pow(2) * self.channels
    }
}

/// `y <- y + cols(x) W`
fn convolve<T: Float>(y: &mut [T], x: &[T], w: &[T], sizes: Sizes, windows: Windows) {
    let (fan_in, outputs) = (sizes.fan_in(windows), sizes.outputs);
    in_blocks(x, sizes, windows, |columns, from, rows| {
        let y = &mut y[from * outputs..(from + rows) * outputs];
        multiply(y, columns, w, [rows, fan_in, outputs], Transposed::Neither, true);
    });
}

/// `dx <- dx + cols'(g W')`
fn spread<T: Float>(dx: &mut [T], g: &[T], w: &[T], sizes: Sizes, windows: Windows) {
    let (fan_in, outputs) = (sizes.fan_in(windows), sizes.outputs);
    let mut columns = Vec::new();
    blocks(sizes, windows, |lines| {
        let (from, rows) = (lines.start * windows.columns(), lines.len() * windows.columns());
        columns.resize(rows * fan_in, T::zero());
        let g = &g[from * outputs..(from + rows) * outputs];
        multiply(&mut columns, g, w, [rows, outputs, fan_in], Transposed::Right, false);
        runs(lines, sizes.channels, windows, |at, pixels| {
            for (sum, &term) in dx[pixels].iter_mut().zip(&columns[at..]) {
                *sum += term;
            }
        });
    });
}

/// Hands out `cols(x)` in blocks of rows: (the block, its first row, its number of rows).
fn in_blocks<T: Float>(x: &[T], sizes: Sizes, windows: Windows, mut work: impl FnMut(&[T], usize, usize)) {
    let mut columns = Vec::new();
    blocks(sizes, windows, |lines| {
        let (from, rows) = (lines.start * windows.columns(), lines.len() * windows.columns());
        columns.clear();
        columns.resize(rows * sizes.fan_in(windows), T::zero());
        runs(lines, sizes.channels, windows, |at, pixels| columns[at..at + pixels.len()].copy_from_slice(&x[pixels]));
        work(&columns, from, rows);
    });
}

/// Calls `work` with ranges of lines of output pixels, the lines of all pictures counted through. The ranges depend on
/// the sizes alone, so that sums over them have the same bits everywhere.
fn blocks(sizes: Sizes, windows: Windows, mut work: impl FnMut(std::ops::Range<usize>)) {
    let line = windows.columns() * sizes.fan_in(windows);
    let (lines, step) = (sizes.examples * windows.rows(), (BLOCK / line.max(1)).max(1));
    for from in (0..lines).step_by(step) {
        work(from..(from + step).min(lines));
    }
}

/// Calls `work` with every run of numbers that lie together both in the windows and in the pictures: where it begins in
/// the windows of these lines, and where it is in the pictures.
fn runs(
    lines: std::ops::Range<usize>,
    channels: usize,
    windows: Windows,
    mut work: impl FnMut(usize, std::ops::Range<usize>),
) {
    let Windows { height, width, side, stride } = windows;
    let reach = side / 2;
    let mut at = 0;
    for line in lines {
        let (example, i) = (line / windows.rows(), line % windows.rows());
        for j in 0..windows.columns() {
            // Columns of the window that are in the picture.
            let (from, to) = (reach.saturating_sub(j * stride), side.min(width + reach - j * stride));
            let left = j * stride + from - reach;
            for di in 0..side {
                if let Some(row) = (i * stride + di).checked_sub(reach).filter(|&row| row < height) {
                    let pixel = (example * height + row) * width + left;
                    work(at + from * channels, pixel * channels..(pixel + to - from) * channels);
                }
                at += side * channels;
            }
        }
    }
}

/// The weight `[side^2 C, K]` turned by half a circle and transposed within each place: `[side^2 K, C]`.
fn turn<T: Float>(w: &[T], sizes: Sizes, windows: Windows) -> Vec<T> {
    let (c, k, places) = (sizes.channels, sizes.outputs, windows.side.pow(2));
    let mut turned = vec![T::zero(); w.len()];
    for (place, turned) in turned.chunks_exact_mut(k * c).enumerate() {
        let w = &w[(places - 1 - place) * c * k..][..c * k];
        for (output, row) in turned.chunks_exact_mut(c).enumerate() {
            for (input, entry) in row.iter_mut().enumerate() {
                *entry = w[input * k + output];
            }
        }
    }
    turned
}
