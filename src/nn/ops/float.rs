//! What our own kernels need of a number: f32 and f64, with functions that vectorise.

use candle_core::{CpuStorage, Layout, Result, Shape, Tensor, WithDType, bail};

/// f32 or f64.
///
/// [`Self::fast_exp`] and [`Self::fast_tanh`] have no branch, table or call, so that loops over them vectorise.
/// With `n = round(x / ln 2)` and `r = x - n ln 2`, `exp(x) = 2^n (1 + p)` with p the Taylor polynomial of
/// `exp(r) - 1` on `|r| <= ln(2)/2`; its first omitted term is under half a unit in the last place.
pub trait Float:
    WithDType
    + std::ops::Neg<Output = Self>
    + std::ops::AddAssign
    + std::ops::SubAssign
    + std::ops::MulAssign
    + std::iter::Sum
{
    /// Rounds.
    fn of(x: f64) -> Self;
    fn wide(self) -> f64;
    fn square_root(self) -> Self;
    /// `exp(x)` to 2 units in the last place; 0 below the normal range, infinity above it, NaN of NaN.
    fn fast_exp(self) -> Self;
    /// `tanh(x)` to 4 units in the last place, also near 0; NaN of NaN.
    fn fast_tanh(self) -> Self;
}

/// `(2^n, p)` of the documentation above. Adding the magic number 1.5 2^mantissa rounds to a whole number and leaves
/// it in the low bits, from where a shift moves it into the exponent: no cast that NaN could make undefined.
macro_rules! scaled_exp_m1 {
    ($x:expr, $float:ty, $bits:ty, $mantissa:literal, $magic:literal, $ln2:expr, $taylor:expr) => {{
        let x: $float = $x;
        let shifted = x * <$float>::of(std::f64::consts::LOG2_E) + $magic;
        let n = shifted - $magic;
        let r = (x - n * $ln2[0]) - n * $ln2[1];
        let scale = <$float>::from_bits((shifted.to_bits() << $mantissa).wrapping_add((1.0 as $float).to_bits()));
        let mut p: $float = $taylor[0];
        for &c in &$taylor[1..] {
            p = p * r + c;
        }
        (scale, p * r * r + r)
    }};
}

macro_rules! float {
    ($float:ty, $bits:ty, $mantissa:literal, $magic:literal, $ln2:expr, $range:expr, $flat:literal, $taylor:expr) => {
        impl Float for $float {
            #[inline(always)]
            fn of(x: f64) -> Self {
                x as Self
            }

            #[inline(always)]
            fn wide(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn square_root(self) -> Self {
                self.sqrt()
            }

            #[inline(always)]
            fn fast_exp(self) -> Self {
                // Comparisons that are false for NaN, so that it stays.
                let x = if self < $range[0] { $range[0] } else { self };
                let x = if x > $range[1] { $range[1] } else { x };
                let (scale, p) = scaled_exp_m1!(x, $float, $bits, $mantissa, $magic, $ln2, $taylor);
                let y = scale * p + scale;
                let y = if self < $range[0] { 0.0 } else { y };
                if self > $range[1] { <$float>::INFINITY } else { y }
            }

            #[inline(always)]
            fn fast_tanh(self) -> Self {
                // tanh(x) = e / (e + 2) with e = exp(2x) - 1, which is exact near 0 where 1 - 2/(exp(2x) + 1) cancels.
                let x = if self < -$flat { -$flat } else { self };
                let x = if x > $flat { $flat } else { x };
                let (scale, p) = scaled_exp_m1!(2.0 * x, $float, $bits, $mantissa, $magic, $ln2, $taylor);
                let e = scale * p + (scale - 1.0);
                e / (e + 2.0)
            }
        }
    };
}

// ln 2 in two pieces, the first with trailing zeros so that n times it is exact.
float!(
    f32,
    u32,
    23,
    12_582_912.0,
    [0.693_359_4_f32, -2.121_944_4e-4_f32],
    // Above 88.37 the power of two alone is infinite.
    [-87.0_f32, 88.3_f32],
    9.5,
    [1.0 / 40_320.0, 1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5_f32]
);
float!(
    f64,
    u64,
    52,
    6_755_399_441_055_744.0,
    [6.931_471_803_691_238e-1_f64, 1.908_214_929_270_587_7e-10_f64],
    [-708.0_f64, 709.0_f64],
    20.0,
    [
        1.0 / 87_178_291_200.0,
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5_f64
    ]
);

/// The numbers of a row-major tensor.
///
/// # Errors
/// If it isn't row-major or of another type.
pub fn slice<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&T::cpu_storage_as_slice(storage)?[from..to]),
        None => bail!("a kernel was given a tensor that isn't row-major"),
    }
}

/// What a custom operation answers.
pub fn output<T: Float>(values: Vec<T>, shape: impl Into<Shape>) -> Result<(CpuStorage, Shape)> {
    Ok((T::to_cpu_storage_owned(values), shape.into()))
}

/// `sum_j f(j)` in eight lanes, so that it vectorises; the same order on every machine.
#[inline(always)]
pub fn lane_sum<T: Float>(n: usize, f: impl Fn(usize) -> T) -> T {
    let mut lanes = [T::zero(); 8];
    let whole = n - n % 8;
    for from in (0..whole).step_by(8) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += f(from + lane);
        }
    }
    for j in whole..n {
        lanes[0] += f(j);
    }
    ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]))
}

/// A gradient where one is wanted: constants need none.
///
/// # Errors
/// Those of `gradient`.
pub fn tracked(x: &Tensor, gradient: impl FnOnce() -> Result<Tensor>) -> Result<Option<Tensor>> {
    if x.track_op() { gradient().map(Some) } else { Ok(None) }
}

/// Calls `$f::<T>($args)` with the type of a storage.
macro_rules! by_float {
    ($storage:expr, $f:ident ( $($arg:expr),* $(,)? )) => {
        match $storage {
            candle_core::CpuStorage::F32(_) => $f::<f32>($($arg),*),
            candle_core::CpuStorage::F64(_) => $f::<f64>($($arg),*),
            _ => candle_core::bail!("kernels take f32 and f64 only"),
        }
    };
}

/// Compiles a kernel twice, for any machine and for AVX2, and picks at run time:
/// `fn name[T: Float](arguments) { body }`.
///
/// The body is inlined into both, so that its loops are vectorised with what the machine has. Results don't depend
/// on the choice: nothing is contracted or reordered.
macro_rules! wide {
    ($(#[$meta:meta])* $vis:vis fn $name:ident[$($g:ident: $bound:path),*]($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name<$($g: $bound),*>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn any<$($g: $bound),*>($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2<$($g: $bound),*>($($arg: $ty),*) $(-> $ret)? {
                    any::<$($g),*>($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the machine has just said that it has these instructions.
                    #[allow(unsafe_code, reason = "the only way to call code compiled for more than the baseline")]
                    return unsafe { avx2::<$($g),*>($($arg),*) };
                }
            }
            any::<$($g),*>($($arg),*)
        }
    };
}

pub(crate) use {by_float, wide};

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance in units in the last place of the true value.
    fn ulps_f32(found: f32, exact: f64) -> f64 {
        (f64::from(found) - exact).abs() / f64::from((exact as f32).abs().max(f32::MIN_POSITIVE) * f32::EPSILON) * 2.0
    }

    fn ulps_f64(found: f64, exact: f64) -> f64 {
        (found - exact).abs() / (exact.abs().max(f64::MIN_POSITIVE) * f64::EPSILON) * 2.0
    }

    #[test]
    fn f32_is_accurate_over_its_whole_range() {
        let (mut exp, mut tanh) = (0.0_f64, 0.0_f64);
        for i in 0..400_000 {
            let x = -86.9 + 175.19 * (i as f32 / 400_000.0);
            assert!(x.fast_exp().is_finite(), "{x}");
            exp = exp.max(ulps_f32(x.fast_exp(), f64::from(x).exp()));
            // Small and large arguments alike.
            let x = (i as f32 / 20_000.0 - 14.0).exp2() * if i % 2 == 0 { 1.0 } else { -1.0 };
            tanh = tanh.max(ulps_f32(x.fast_tanh(), f64::from(x).tanh()));
        }
        assert!(exp < 4.0 && tanh < 8.0, "half units in the last place: exp {exp}, tanh {tanh}");
    }

    #[test]
    fn f64_agrees_with_the_library() {
        let (mut exp, mut tanh) = (0.0_f64, 0.0_f64);
        for i in 0..400_000 {
            let x = -707.9 + 1416.8 * (f64::from(i) / 400_000.0);
            assert!(x.fast_exp().is_finite(), "{x}");
            exp = exp.max(ulps_f64(x.fast_exp(), x.exp()));
            let x = (f64::from(i) / 20_000.0 - 14.0).exp2() * if i % 2 == 0 { 1.0 } else { -1.0 };
            tanh = tanh.max(ulps_f64(x.fast_tanh(), x.tanh()));
        }
        assert!(exp < 4.0 && tanh < 8.0, "half units in the last place: exp {exp}, tanh {tanh}");
    }

    #[test]
    fn what_is_not_finite_survives() {
        assert!(f32::NAN.fast_exp().is_nan() && f64::NAN.fast_exp().is_nan());
        assert!(f32::NAN.fast_tanh().is_nan() && f64::NAN.fast_tanh().is_nan());
        assert_eq!([f32::INFINITY.fast_exp(), f32::NEG_INFINITY.fast_exp()], [f32::INFINITY, 0.0]);
        assert_eq!([f64::INFINITY.fast_exp(), f64::NEG_INFINITY.fast_exp()], [f64::INFINITY, 0.0]);
        assert_eq!([f32::INFINITY.fast_tanh(), f32::NEG_INFINITY.fast_tanh()], [1.0, -1.0]);
        assert_eq!([f64::INFINITY.fast_tanh(), f64::NEG_INFINITY.fast_tanh()], [1.0, -1.0]);
        assert_eq!([0.0_f32.fast_exp(), 0.0_f32.fast_tanh()], [1.0, 0.0]);
        assert_eq!([88.4_f32.fast_exp(), 709.5_f64.fast_exp() as f32], [f32::INFINITY, f32::INFINITY]);
        assert_eq!([3e38_f32.fast_exp(), (-3e38_f32).fast_exp()], [f32::INFINITY, 0.0]);
    }
}
