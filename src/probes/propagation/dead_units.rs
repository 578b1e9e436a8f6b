//! Units that say the same whatever the input.

/// A unit counts as zero when no input moves it further than this from zero, relative to the layer's root mean square:
/// exactly zero for ReLU, up to the far tail of GELU and SiLU.
pub const ZERO: f64 = 1e-6;
/// A unit counts as saturated when all inputs bring it this close to the bound of its activation, relative to the
/// bound: for tanh the derivative is then under 0.02.
pub const SATURATED: f64 = 0.01;

/// Share in [0, 1] of the units of activations `[n, width]`, row-major, that are zero for all rows (up to [`ZERO`]), or
/// all within [`SATURATED`] of the `bound` (1 for tanh; `None` for activations without bounds) on the same side.
///
/// Only for the rows at hand: a unit may wake up for others. NaN without rows, and where a value isn't finite.
pub fn dead_share<T: Copy + Into<f64>>(values: &[T], width: usize, bound: Option<f64>) -> f64 {
    let mut lows = vec![f64::INFINITY; width];
    let mut highs = vec![f64::NEG_INFINITY; width];
    let mut squares = 0.0;
    let rows = values.chunks_exact(width.max(1));
    let n = rows.len();
    for row in rows {
        for ((low, high), &x) in lows.iter_mut().zip(&mut highs).zip(row) {
            let x: f64 = x.into();
            (*low, *high) = (low.min(x), high.max(x));
            squares += x * x;
        }
    }
    if n == 0 || width == 0 || !squares.is_finite() {
        return f64::NAN;
    }
    let rms = (squares / (n * width) as f64).sqrt();
    let is_dead = |low: f64, high: f64| {
        let saturated = bound.is_some_and(|b| low >= (1.0 - SATURATED) * b || high <= -(1.0 - SATURATED) * b);
        saturated || low.abs().max(high.abs()) <= ZERO * rms
    };
    let dead = lows.iter().zip(&highs).filter(|(low, high)| is_dead(**low, **high)).count();
    dead as f64 / width as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns: never active, once active, always negative, tiny.
    const X: [f32; 12] = [0.0, 0.0, -1.0, 1e-9, 0.0, 2.0, -1.0, -1e-9, 0.0, 0.0, -2.0, 0.0];

    #[test]
    fn units_that_never_move_from_zero_are_dead_and_others_are_not() {
        assert_eq!(dead_share(&X, 4, None), 0.5);
        for factor in [1e-20, 1e20] {
            assert_eq!(dead_share(&X.map(|x| x * factor), 4, None), 0.5);
        }
        assert_eq!(dead_share(&[0.0; 6], 3, None), 1.0);
    }

    #[test]
    fn units_that_always_saturate_on_one_side_are_dead() {
        // Always high, always low, both by turns, not always, never.
        let x = [0.995, -0.999, 0.999, 0.999, 0.1, 0.991, -1.0, -0.999, 0.98, 0.2];
        assert_eq!(dead_share(&x, 5, Some(1.0)), 0.4);
        assert_eq!(dead_share(&x, 5, None), 0.0);
    }

    #[test]
    fn nothing_is_neither_dead_nor_alive() {
        assert!(dead_share::<f32>(&[], 3, None).is_nan());
        assert!(dead_share(&[0.0, f32::NAN], 2, None).is_nan());
        assert!(dead_share(&[0.0, f32::INFINITY], 2, None).is_nan());
    }
}
