//! Products of matrices too small for `gemm` to pay, such as those within one attention head.

use super::float::{Float, wide};

/// Columns are padded to a multiple of this.
pub(super) const LANES: usize = 8;

/// Where the entries of a left factor are: entry (i, k) at `i * row + k * column`.
#[derive(Clone, Copy)]
pub(super) struct Strides {
    pub row: usize,
    pub column: usize,
}

impl Strides {
    pub fn rows(width: usize) -> Self {
        Self { row: width, column: 1 }
    }

    pub fn transposed(width: usize) -> Self {
        Self { row: 1, column: width }
    }
}

/// A length rounded up to whole lanes.
pub(super) fn padded(n: usize) -> usize {
    n.div_ceil(LANES) * LANES
}

wide! {
    /// `c <- factor A B` or, with `add`, `c <- c + factor A B`. A is `[m, k]` in any strides, B `[k, n]` and c `[m, n]`
    /// row-major with n a multiple of [`LANES`]; `sizes` are k and n.
    pub(super) fn multiply[T: Float](c: &mut [T], a: &[T], strides: Strides, b: &[T], sizes: [usize; 2], factor: T, add: bool) {
        let (Strides { row, column }, [k, n]) = (strides, sizes);
        let m = c.len() / n;
        let mut i = 0;
        // Four rows by eight columns stay in registers over the whole sum.
        while i < m {
            let height = (m - i).min(4);
            for j in (0..n).step_by(LANES) {
                let mut tile = [[T::zero(); LANES]; 4];
                if height == 4 {
                    let rows = [i * row, (i + 1) * row, (i + 2) * row, (i + 3) * row];
                    for l in 0..k {
                        let b: &[T; LANES] = b[l * n + j..l * n + j + LANES].try_into().expect("eight lanes");
                        for (tile, from) in tile.iter_mut().zip(rows) {
                            let a = a[from + l * column];
                            for (t, &b) in tile.iter_mut().zip(b) {
                                *t += a * b;
                            }
                        }
                    }
                } else {
                    for l in 0..k {
                        let b: &[T; LANES] = b[l * n + j..l * n + j + LANES].try_into().expect("eight lanes");
                        for (r, tile) in tile.iter_mut().take(height).enumerate() {
                            let a = a[(i + r) * row + l * column];
                            for (t, &b) in tile.iter_mut().zip(b) {
                                *t += a * b;
                            }
                        }
                    }
                }
                for (r, tile) in tile.iter().take(height).enumerate() {
                    let from = (i + r) * n + j;
                    for (c, &t) in c[from..from + LANES].iter_mut().zip(tile) {
                        *c = if add { *c + factor * t } else { factor * t };
                    }
                }
            }
            i += height;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_sum_over_k_at_every_remainder() {
        for (m, k, n) in [(1, 3, 8), (4, 1, 16), (5, 7, 8), (7, 16, 24), (16, 8, 16)] {
            let a: Vec<f64> = (0..m * k).map(|i| (i as f64).sin()).collect();
            let b: Vec<f64> = (0..k * n).map(|i| (0.3 * i as f64).cos()).collect();
            for (strides, at) in [
                (Strides::rows(k), (|i, l, _, k| i * k + l) as fn(usize, usize, usize, usize) -> usize),
                (Strides::transposed(m), |i, l, m, _| l * m + i),
            ] {
                let mut c = vec![1.0; m * n];
                multiply(&mut c, &a, strides, &b, [k, n], 2.0, true);
                for i in 0..m {
                    for j in 0..n {
                        let sum: f64 = (0..k).map(|l| a[at(i, l, m, k)] * b[l * n + j]).sum();
                        assert!((c[i * n + j] - 1.0 - 2.0 * sum).abs() < 1e-13);
                    }
                }
            }
        }
    }
}
