//! Rows added to all rows, and their adjoint: sums over rows.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use super::float::{Float, by_float, output, slice, wide};

/// `x + rows`, the T rows repeating down x; x `[R, D]`, rows `[T, D]` or, for T = 1, `[D]`; T divides R.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn add_rows(x: &Tensor, rows: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed(x, rows);
    }
    x.contiguous()?.apply_op2(&rows.contiguous()?, AddRows)
}

/// [`add_rows`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(x: &Tensor, rows: &Tensor) -> Result<Tensor> {
    let (r, width) = x.dims2()?;
    let period = rows.elem_count() / width;
    x.reshape((r / period, period, width))?.broadcast_add(&rows.reshape((period, width))?)?.reshape((r, width))
}

/// Sums of the rows that are `period` apart: `[R, D]` to `[period, D]`, the adjoint of repeating. On the CPU.
pub(super) fn sum_rows(x: &Tensor, period: usize) -> Result<Tensor> {
    x.contiguous()?.apply_op1(SumRows { period })
}

struct AddRows;
struct SumRows {
    period: usize,
}
struct RepeatRows {
    times: usize,
}

impl CustomOp2 for AddRows {
    fn name(&self) -> &'static str {
        "add rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, r: &CpuStorage, rl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(x: &CpuStorage, xl: &Layout, r: &CpuStorage, rl: &Layout) -> Result<(CpuStorage, Shape)> {
            let (x, rows) = (slice::<T>(x, xl)?, slice::<T>(r, rl)?);
            let mut y = x.to_vec();
            for block in y.chunks_exact_mut(rows.len()) {
                accumulate(block, rows);
            }
            output(y, xl.shape().clone())
        }
        by_float!(x, run(x, xl, r, rl))
    }

    fn bwd(&self, x: &Tensor, rows: &Tensor, _: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let period = rows.elem_count() / x.dim(1)?;
        let to_rows = if rows.track_op() { Some(sum_rows(g, period)?.reshape(rows.shape())?) } else { None };
        Ok((x.track_op().then(|| g.clone()), to_rows))
    }
}

impl CustomOp1 for SumRows {
    fn name(&self) -> &'static str {
        "sum rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(x: &CpuStorage, xl: &Layout, period: usize) -> Result<(CpuStorage, Shape)> {
            let width = xl.dims()[1];
            output(sums(slice::<T>(x, xl)?, period * width), (period, width))
        }
        by_float!(x, run(x, xl, self.period))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(g.contiguous()?.apply_op1(RepeatRows { times: x.dim(0)? / self.period })?))
    }
}

impl CustomOp1 for RepeatRows {
    fn name(&self) -> &'static str {
        "repeat rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(x: &CpuStorage, xl: &Layout, times: usize) -> Result<(CpuStorage, Shape)> {
            let (rows, width) = xl.shape().dims2()?;
            output(slice::<T>(x, xl)?.repeat(times), (rows * times, width))
        }
        by_float!(x, run(x, xl, self.times))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(sum_rows(g, x.dim(0)?)?))
    }
}

/// Sums of entries that are `period` apart.
pub(super) fn sums<T: Float>(x: &[T], period: usize) -> Vec<T> {
    let mut sums = vec![T::zero(); period];
    // Four rows a pass: the sums are loaded and stored once for four.
    let mut blocks = x.chunks_exact(4 * period);
    for block in &mut blocks {
        accumulate_four(&mut sums, block);
    }
    for row in blocks.remainder().chunks_exact(period) {
        accumulate(&mut sums, row);
    }
    sums
}

wide! {
    /// `sums += row`
    pub(super) fn accumulate[T: Float](sums: &mut [T], row: &[T]) {
        for (s, &x) in sums.iter_mut().zip(row) {
            *s += x;
        }
    }
}

wide! {
    fn accumulate_four[T: Float](sums: &mut [T], rows: &[T]) {
        let n = sums.len();
        let (a, rest) = rows.split_at(n);
        let (b, rest) = rest.split_at(n);
        let (c, d) = rest.split_at(n);
        for ((((s, &a), &b), &c), &d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *s += (a + b) + (c + d);
        }
    }
}
