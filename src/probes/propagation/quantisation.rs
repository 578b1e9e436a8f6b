//! What rounding to few bits costs.

/// Numbers that share one scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Tensor,
    /// A column of the row-major matrix: a neuron of activations `[n, d]`, an output of weights `[fan_in, fan_out]`.
    Channel,
}

/// Bits of a code that are worth rounding to.
pub const BITS: std::ops::RangeInclusive<u32> = 2..=16;

/// Post-training rounding of `values = [n, width]`, row-major: symmetric absmax, `scale = max|x| / (2^(bits-1) - 1)`
/// (`max|x| / 127` for int8), `x <- scale round(x / scale)`, ties away from zero. Zeros stay zero. With a value that
/// isn't finite its whole scope is NaN.
///
/// `bits` is clamped to [`BITS`].
pub fn rounded<T: Copy + Into<f64>>(values: &[T], width: usize, bits: u32, scope: Scope) -> Vec<f64> {
    let most = f64::from((1_u32 << (bits.clamp(*BITS.start(), *BITS.end()) - 1)) - 1);
    let width = width.max(1);
    let mut largest = vec![0.0_f64; width];
    for row in values.chunks(width) {
        for (largest, &x) in largest.iter_mut().zip(row) {
            let size = x.into().abs();
            // NaN stays.
            *largest = if size <= *largest || largest.is_nan() { *largest } else { size };
        }
    }
    if scope == Scope::Tensor {
        let all = largest.iter().fold(0.0_f64, |m, &x| if x <= m || m.is_nan() { m } else { x });
        largest.fill(all);
    }
    let scales: Vec<f64> = largest.iter().map(|m| m / most).collect();
    let round = |(&x, &scale): (&T, &f64)| if scale == 0.0 { 0.0 } else { scale * (x.into() / scale).round() };
    values.chunks(width).flat_map(|row| row.iter().zip(&scales).map(round)).collect()
}

/// Relative error `||Q(X) - X||_F / ||X||_F` of [`rounded`]. A uniform error of one step has `scale / sqrt(12)` a
/// number, so that outlier features, which stretch the scale, blur all others (He et al. 2024).
///
/// NaN where all values are zero, where one isn't finite, and without values.
pub fn rounding_error<T: Copy + Into<f64>>(values: &[T], width: usize, bits: u32, scope: Scope) -> f64 {
    let (mut lost, mut whole) = (0.0, 0.0);
    for (q, &x) in rounded(values, width, bits, scope).into_iter().zip(values) {
        let x: f64 = x.into();
        lost += (q - x).powi(2);
        whole += x * x;
    }
    (lost / whole).sqrt()
}

/// [`rounding_error`] at eight bits.
pub fn int8_error<T: Copy + Into<f64>>(values: &[T], width: usize, scope: Scope) -> f64 {
    rounding_error(values, width, 8, scope)
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};

    use super::*;

    #[test]
    fn whole_multiples_of_the_scale_are_kept_and_others_go_to_the_nearest() {
        let x = [127.0, -127.0, 3.0, 0.0, -64.0, 0.4, 0.6, -2.5];
        let found = rounded(&x, 8, 8, Scope::Tensor);
        assert_eq!(found, [127.0, -127.0, 3.0, 0.0, -64.0, 0.0, 1.0, -3.0]);
        // Three bits have -3..3; the scale is 127 / 3.
        let step = 127.0 / 3.0;
        let found = rounded(&x, 8, 3, Scope::Tensor);
        assert!(
            found.iter().zip([3.0, -3.0, 0.0, 0.0, -2.0, 0.0, 0.0, 0.0]).all(|(q, k)| (q - k * step).abs() < 1e-12)
        );
    }

    #[test]
    fn uniform_numbers_lose_their_closed_form() {
        // Steps of max / 127: (max / 127 / sqrt 12) / (max / sqrt 3) = 1 / 254.
        let x: Vec<f64> = (0..100_000).map(|i| f64::from(i) / 50_000.0 - 1.0).collect();
        let found = int8_error(&x, 1, Scope::Tensor);
        assert!((found * 254.0 - 1.0).abs() < 1e-3, "{found}");
    }

    #[test]
    fn an_outlier_neuron_blurs_all_others_unless_channels_have_their_own_scale() {
        let (n, d) = (512, 256);
        let base = normals(&mut Streams::new(9).stream("x"), n * d);
        let with = |c: f64| -> Vec<f64> {
            base.iter().enumerate().map(|(k, x)| if k % d == 0 { c * x } else { *x }).collect()
        };
        let others = |x: &[f64], scope| {
            let (mut lost, mut whole) = (0.0, 0.0);
            for (k, (q, x)) in rounded(x, d, 8, scope).iter().zip(x).enumerate().filter(|(k, _)| k % d != 0) {
                lost += (q - x).powi(2);
                whole += x * x;
                assert!(k < n * d);
            }
            (lost / whole).sqrt()
        };
        let largest = base.iter().step_by(d).fold(0.0_f64, |m, x| m.max(x.abs()));
        // While a step is shorter than the others are wide, the error is uniform within a step.
        for c in [8.0, 32.0] {
            let known = c * largest / 127.0 / 12f64.sqrt();
            let found = others(&with(c), Scope::Tensor);
            assert!((found / known - 1.0).abs() < 0.02, "{c}: {found} {known}");
        }
        let own = others(&with(64.0), Scope::Channel);
        assert!((own - others(&base, Scope::Channel)).abs() < 1e-12 && own < 0.01, "{own}");
        assert!(others(&with(64.0), Scope::Tensor) > 50.0 * own);
    }

    #[test]
    fn scales_change_nothing_and_what_is_not_finite_breaks_its_scope_only() {
        let x = normals(&mut Streams::new(2).stream("x"), 60);
        let scaled: Vec<f64> = x.iter().map(|x| 1024.0 * x).collect();
        assert_eq!(int8_error(&x, 6, Scope::Channel), int8_error(&scaled, 6, Scope::Channel));
        let broken = rounded(&[1.0, f64::NAN, 2.0, 3.0], 2, 8, Scope::Channel);
        assert!(broken[0].is_finite() && broken[2].is_finite() && broken[1].is_nan() && broken[3].is_nan());
        assert!(rounded(&[1.0, f64::NAN], 2, 8, Scope::Tensor)[0].is_nan());
        assert!(rounded(&[1.0, f64::INFINITY], 2, 8, Scope::Tensor)[1].is_nan());
        assert_eq!(rounded(&[0.0, 1.0_f32], 2, 8, Scope::Channel), [0.0, 1.0]);
        assert!(int8_error(&[0.0; 4], 2, Scope::Tensor).is_nan());
    }
}
