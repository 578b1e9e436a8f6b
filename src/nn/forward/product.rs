//! Products of packed weights with rows in vector lanes.
//!
//! Activations are stored a channel after another, `[K, R]`: rows (tokens) lie in the lanes of vectors, so that sums over channels,
//! softmaxes over keys and broadcasts of weights need no shuffles. A tile of 8 channels by 48 rows (32 vector registers) or a part of it
//! that fits 16 stays in registers over the whole sum.

use crate::nn::ops::float::Float;

use super::number::Machine;

/// Channels of a panel of packed weights.
pub(in crate::nn) const PANEL: usize = 8;
/// Rows that are a whole number of tiles on all machines.
pub(in crate::nn) const ROWS: usize = 48;
/// Rows of a narrow tile: the least that a product works on.
pub(in crate::nn) const GROUP: usize = 16;

/// The left factor: entry (k, n) is in panel `n / 8`, at `k k_step + (n % 8) n_step`.
#[derive(Clone, Copy)]
pub(in crate::nn) struct Weights<'a, T> {
    values: &'a [T],
    k_step: usize,
    n_step: usize,
    panel_step: usize,
    is_packed: bool,
}

impl<'a, T> Weights<'a, T> {
    /// As [`pack`] lays them out, of `k` inputs.
    pub fn packed(values: &'a [T], k: usize) -> Self {
        Self { values, k_step: PANEL, n_step: 1, panel_step: k * PANEL, is_packed: true }
    }

    pub fn strided(values: &'a [T], k_step: usize, n_step: usize) -> Self {
        Self { values, k_step, n_step, panel_step: PANEL * n_step, is_packed: false }
    }

    /// Entries that n channels of k inputs take.
    fn extent(&self, k: usize, n: usize) -> usize {
        if self.is_packed { n.div_ceil(PANEL) * k * PANEL } else { (k - 1) * self.k_step + (n - 1) * self.n_step + 1 }
    }
}

/// `[K, N]` row-major in panels of 8 columns, `[N / 8, K, 8]`, filled up with zeros.
pub(in crate::nn) fn pack<T: Copy + Default>(weight: &[T], [k, n]: [usize; 2]) -> Vec<T> {
    let mut packed = vec![T::default(); n.div_ceil(PANEL) * k * PANEL];
    for (at, row) in weight.chunks_exact(n).enumerate() {
        for (column, &w) in row.iter().enumerate() {
            packed[(column / PANEL) * k * PANEL + at * PANEL + column % PANEL] = w;
        }
    }
    packed
}

/// What becomes of a tile.
#[derive(Clone, Copy)]
pub(in crate::nn) enum Then<T> {
    /// `y <- z`
    Store,
    /// `y <- skip y + scale z`
    Join { skip: T, scale: T },
}

/// `z(n, r) = bias(n) + sum_k w(k, n) x(k, r)`, stored or joined to y; sizes are `[k, n, rows]`, rows a multiple of 16. Rows of
/// x and y are `step` apart; a bias has zeros up to a whole panel.
pub(in crate::nn) fn product<T: Tiles>(
    machine: Machine,
    (y, y_step): (&mut [T], usize),
    (x, x_step): (&[T], usize),
    w: Weights<T>,
    bias: Option<&[T]>,
    [k, n, rows]: [usize; 3],
    then: Then<T>,
) {
    assert!(rows.is_multiple_of(GROUP) && k > 0 && n > 0, "whole vectors");
    assert!(x.len() >= (k - 1) * x_step + rows && y.len() >= (n - 1) * y_step + rows, "rows are within their buffers");
    assert!(w.values.len() >= w.extent(k, n), "there are all weights");
    assert!(bias.is_none_or(|bias| bias.len() >= n.next_multiple_of(PANEL)), "a bias has whole panels");
    for panel in 0..n.div_ceil(PANEL) {
        let from = panel * PANEL;
        let count = (n - from).min(PANEL);
        let bias = bias.map(|bias| &bias[from..from + PANEL]);
        let mut r = 0;
        while r < rows {
            let width = if rows - r >= ROWS { ROWS } else { GROUP };
            let tile = Tile {
                x: &x[r..],
                x_step,
                w: &w.values[panel * w.panel_step..],
                k_step: w.k_step,
                // Channels that don't exist repeat the last one, and aren't stored.
                offsets: std::array::from_fn(|n| if w.is_packed { n } else { n.min(count - 1) * w.n_step }),
                k,
                count,
                bias,
                then,
            };
            let y = &mut y[from * y_step + r..];
            // SAFETY: the assertions above keep every access within the slices.
            #[allow(unsafe_code, reason = "kernels of the instruction set take pointers")]
            unsafe {
                T::tile(machine, width == ROWS, w.is_packed, &tile, y.as_mut_ptr(), y_step);
            }
            r += width;
        }
    }
}

pub(super) struct Tile<'a, T> {
    x: &'a [T],
    x_step: usize,
    w: &'a [T],
    k_step: usize,
    offsets: [usize; PANEL],
    k: usize,
    /// Channels that are stored.
    count: usize,
    bias: Option<&'a [T]>,
    then: Then<T>,
}

/// Numbers that have kernels.
pub(in crate::nn) trait Tiles: Copy + Default + Sized {
    /// Computes a tile of 48 rows if `wide`, else of 16.
    ///
    /// # Safety
    /// The tile's rows and channels are within x, w and y, and the machine has its instructions.
    #[allow(unsafe_code, private_interfaces, reason = "kernels of the instruction set take pointers")]
    unsafe fn tile(machine: Machine, wide: bool, packed: bool, tile: &Tile<Self>, y: *mut Self, y_step: usize);
}

/// A kernel of explicit vectors: `HEIGHT` channels by `V` vectors of `$lanes` rows.
macro_rules! kernel {
    ($name:ident, $float:ty, $features:literal, $lanes:literal, $height:literal, $vector:ident, $zero:ident, $load:ident, $splat:ident, $madd:ident, $mul:ident, $store:ident) => {
        /// # Safety
        /// As [`Tiles::tile`]; `columns` is a multiple of `V` vectors.
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code, reason = "kernels of the instruction set take pointers")]
        unsafe fn $name<const V: usize, const PACKED: bool>(
            tile: &Tile<$float>,
            y: *mut $float,
            y_step: usize,
            columns: usize,
        ) {
            use std::arch::x86_64::*;
            const HEIGHT: usize = $height;
            let mut column = 0;
            while column < columns {
                let mut channel = 0;
                while channel < tile.count {
                    // SAFETY: within the tile, whose owner checked its bounds.
                    unsafe {
                        let mut sums: [[$vector; V]; HEIGHT] = [[$zero(); V]; HEIGHT];
                        if let Some(bias) = tile.bias {
                            for (n, sums) in sums.iter_mut().enumerate() {
                                *sums = [$splat(*bias.as_ptr().add(channel + n)); V];
                            }
                        }
                        let offsets: [usize; HEIGHT] =
                            std::array::from_fn(|n| if PACKED { channel + n } else { tile.offsets[channel + n] });
                        let (mut x, mut w) = (tile.x.as_ptr().add(column), tile.w.as_ptr());
                        for _ in 0..tile.k {
                            let rows: [$vector; V] = std::array::from_fn(|v| $load(x.add(v * $lanes)));
                            for n in 0..HEIGHT {
                                let weight = $splat(*w.add(offsets[n]));
                                for v in 0..V {
                                    sums[n][v] = $madd(weight, rows[v], sums[n][v]);
                                }
                            }
                            x = x.wrapping_add(tile.x_step);
                            w = w.wrapping_add(if PACKED { PANEL } else { tile.k_step });
                        }
                        let here = HEIGHT.min(tile.count - channel);
                        for (n, sums) in sums.iter().enumerate() {
                            if n < here {
                                let y = y.add((channel + n) * y_step + column);
                                for (v, &sum) in sums.iter().enumerate() {
                                    let at = y.add(v * $lanes);
                                    let value = match tile.then {
                                        Then::Store => sum,
                                        Then::Join { skip, scale } => {
                                            $madd($splat(skip), $load(at), $mul($splat(scale), sum))
                                        }
                                    };
                                    $store(at, value);
                                }
                            }
                        }
                    }
                    channel += HEIGHT;
                }
                column += V * $lanes;
            }
        }
    };
}

kernel!(
    avx512_f32,
    f32,
    "avx512f",
    16,
    8,
    __m512,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_mul_ps,
    _mm512_storeu_ps
);
kernel!(
    avx512_f64,
    f64,
    "avx512f",
    8,
    8,
    __m512d,
    _mm512_setzero_pd,
    _mm512_loadu_pd,
    _mm512_set1_pd,
    _mm512_fmadd_pd,
    _mm512_mul_pd,
    _mm512_storeu_pd
);
kernel!(
    avx2_f32,
    f32,
    "avx2,fma",
    8,
    4,
    __m256,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_mul_ps,
    _mm256_storeu_ps
);
kernel!(
    avx2_f64,
    f64,
    "avx2,fma",
    4,
    4,
    __m256d,
    _mm256_setzero_pd,
    _mm256_loadu_pd,
    _mm256_set1_pd,
    _mm256_fmadd_pd,
    _mm256_mul_pd,
    _mm256_storeu_pd
);

macro_rules! tiles {
    ($float:ty, $avx512:ident, $avx2:ident, $narrow512:literal, $narrow2:literal) => {
        impl Tiles for $float {
            #[allow(unsafe_code, private_interfaces, reason = "kernels of the instruction set take pointers")]
            unsafe fn tile(machine: Machine, wide: bool, packed: bool, tile: &Tile<Self>, y: *mut Self, y_step: usize) {
                let columns = if wide { ROWS } else { GROUP };
                // SAFETY: what this function's caller promises.
                unsafe {
                    #[cfg(target_arch = "x86_64")]
                    match (machine, wide, packed) {
                        (Machine::Avx512, true, true) => return $avx512::<3, true>(tile, y, y_step, columns),
                        (Machine::Avx512, true, false) => return $avx512::<3, false>(tile, y, y_step, columns),
                        (Machine::Avx512, false, true) => return $avx512::<$narrow512, true>(tile, y, y_step, columns),
                        (Machine::Avx512, false, false) => {
                            return $avx512::<$narrow512, false>(tile, y, y_step, columns);
                        }
                        (Machine::Avx2, true, true) => return $avx2::<3, true>(tile, y, y_step, columns),
                        (Machine::Avx2, true, false) => return $avx2::<3, false>(tile, y, y_step, columns),
                        (Machine::Avx2, false, true) => return $avx2::<$narrow2, true>(tile, y, y_step, columns),
                        (Machine::Avx2, false, false) => return $avx2::<$narrow2, false>(tile, y, y_step, columns),
                        (Machine::Any, ..) => {}
                    }
                    let _ = (machine, packed);
                    plain(tile, y, y_step, columns);
                }
            }
        }
    };
}

tiles!(f32, avx512_f32, avx2_f32, 1, 2);
tiles!(f64, avx512_f64, avx2_f64, 2, 2);

/// A tile on any machine.
///
/// # Safety
/// As [`Tiles::tile`].
#[allow(unsafe_code, reason = "as its faster twins")]
unsafe fn plain<T: Float>(tile: &Tile<T>, y: *mut T, y_step: usize, columns: usize) {
    for column in (0..columns).step_by(GROUP) {
        for n in 0..tile.count {
            let mut sums = [tile.bias.map_or(T::zero(), |bias| bias[n]); GROUP];
            for k in 0..tile.k {
                let weight = tile.w[k * tile.k_step + tile.offsets[n]];
                let rows = &tile.x[k * tile.x_step + column..][..GROUP];
                for (sum, &x) in sums.iter_mut().zip(rows) {
                    *sum += weight * x;
                }
            }
            // SAFETY: within the tile, whose owner checked its bounds.
            let y = unsafe { std::slice::from_raw_parts_mut(y.add(n * y_step + column), GROUP) };
            for (y, sum) in y.iter_mut().zip(sums) {
                *y = match tile.then {
                    Then::Store => sum,
                    Then::Join { skip, scale } => skip * *y + scale * sum,
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(n: usize, rate: f64) -> Vec<f64> {
        (0..n).map(|i| (1.0 + rate * i as f64).sin()).collect()
    }

    /// All remainders of channels and of wide and narrow tiles; rows further apart than they are long.
    #[track_caller]
    fn agrees<T: Float + Tiles>(tolerance: f64) {
        let cast = |x: Vec<f64>| x.into_iter().map(T::of).collect::<Vec<T>>();
        for machine in Machine::all() {
            for (k, n, rows) in [(1, 1, 16), (3, 8, 48), (5, 13, 64), (17, 4, 96), (8, 21, 80)] {
                let (x_step, y_step) = (rows + 16, rows + 3);
                let (x, w, bias) = (wave(k * x_step, 0.7), wave(k * n, 1.3), wave(n.next_multiple_of(PANEL), 2.1));
                let before = wave(n * y_step, 0.2);
                let z = |c: usize, r: usize| (0..k).map(|l| w[l * n + c] * x[l * x_step + r]).sum::<f64>();
                for (is_packed, has_bias, joins) in
                    [(true, true, true), (true, false, false), (false, false, false), (false, true, true)]
                {
                    let then = if joins { Then::Join { skip: T::of(0.5), scale: T::of(-2.0) } } else { Then::Store };
                    let (x, w, bias) = (cast(x.clone()), cast(w.clone()), cast(bias.clone()));
                    let mut y = cast(before.clone());
                    let packed = pack(&w, [k, n]);
                    let weights = if is_packed { Weights::packed(&packed, k) } else { Weights::strided(&w, n, 1) };
                    product(
                        machine,
                        (&mut y, y_step),
                        (&x, x_step),
                        weights,
                        has_bias.then_some(&bias[..]),
                        [k, n, rows],
                        then,
                    );
                    for (c, bias) in bias.iter().enumerate().take(n) {
                        for r in 0..y_step.min(y.len() - c * y_step) {
                            let at = c * y_step + r;
                            let sum = if r < rows { z(c, r) + if has_bias { bias.wide() } else { 0.0 } } else { 0.0 };
                            let known = match (r < rows, joins) {
                                (false, _) => before[at],
                                (true, true) => 0.5 * before[at] - 2.0 * sum,
                                (true, false) => sum,
                            };
                            assert!(
                                (y[at].wide() - known).abs() < tolerance,
                                "{machine:?} [{k}, {n}, {rows}] {c} {r}: {known}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_product_is_the_sum_over_k_on_every_machine() {
        agrees::<f64>(1e-13);
        agrees::<f32>(2e-5);
    }
}
