//! Numbers in vector lanes: arithmetic in one rounding where the machine has it.

use crate::nn::ops::activation::{Curve, Gelu, Relu, Silu, Straight, Tanh};
use crate::nn::ops::float::Float;

use super::product::Tiles;

/// What vectors a machine has. Forward kernels are compiled for each; their results differ in the last bits, as those of `gemm` do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nn) enum Machine {
    Any,
    /// AVX2 and fused multiplication and addition.
    Avx2,
    Avx512,
}

impl Machine {
    /// The one this runs on.
    pub fn here() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                if std::arch::is_x86_feature_detected!("avx512f") {
                    return Self::Avx512;
                }
                return Self::Avx2;
            }
        }
        Self::Any
    }

    /// All that this machine can stand in for, for tests.
    #[cfg(test)]
    pub fn all() -> Vec<Self> {
        match Self::here() {
            Self::Any => vec![Self::Any],
            Self::Avx2 => vec![Self::Any, Self::Avx2],
            Self::Avx512 => vec![Self::Any, Self::Avx2, Self::Avx512],
        }
    }
}

/// f32 or f64.
pub(in crate::nn) trait Number: Float + Tiles {
    /// `self times + plus`, in one rounding if `FUSED`. Only code compiled for machines that can do so may ask for it.
    fn madd<const FUSED: bool>(self, times: Self, plus: Self) -> Self;

    /// `exp(x)` to 2 units in the last place of x in `[-87, 88]` (f32) or `[-708, 709]` (f64), and its value at the nearer end
    /// beyond; NaN of NaN. As [`Float::fast_exp`], without the ends and with fused operations.
    fn exp<const FUSED: bool>(self) -> Self;
}

macro_rules! number {
    ($float:ty, $mantissa:literal, $magic:literal, $ln2:expr, $range:expr, $taylor:expr) => {
        impl Number for $float {
            #[inline(always)]
            fn madd<const FUSED: bool>(self, times: Self, plus: Self) -> Self {
                if FUSED { self.mul_add(times, plus) } else { self * times + plus }
            }

            #[inline(always)]
            fn exp<const FUSED: bool>(self) -> Self {
                // Comparisons that are false for NaN, so that it stays.
                let x = if self < $range[0] { $range[0] } else { self };
                let x = if x > $range[1] { $range[1] } else { x };
                // As in `ops::float`: adding the magic number rounds, and leaves n in the low bits.
                let shifted = x.madd::<FUSED>(<$float>::of(std::f64::consts::LOG2_E), $magic);
                let n = shifted - $magic;
                let r = n.madd::<FUSED>(-$ln2[1], n.madd::<FUSED>(-$ln2[0], x));
                let bits = (shifted.to_bits() << $mantissa).wrapping_add((1.0 as $float).to_bits());
                let mut p: $float = $taylor[0];
                for &c in &$taylor[1..] {
                    p = p.madd::<FUSED>(r, c);
                }
                <$float>::from_bits(bits) * p
            }
        }
    };
}

// Coefficients of `exp(r)` on |r| <= ln(2)/2, highest first: the first that is left out is under half a unit.
number!(
    f32,
    23,
    12_582_912.0,
    [0.693_359_4_f32, -2.121_944_4e-4_f32],
    [-87.0_f32, 88.0_f32],
    [1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0_f32]
);
number!(
    f64,
    52,
    6_755_399_441_055_744.0,
    [6.931_471_803_691_238e-1_f64, 1.908_214_929_270_587_7e-10_f64],
    [-708.0_f64, 709.0_f64],
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
        0.5,
        1.0,
        1.0_f64
    ]
);

/// The value of a nonlinearity alone: [`Curve`] without its derivatives.
pub(in crate::nn) trait Bend {
    fn value<T: Number, const FUSED: bool>(x: T) -> T;
}

impl Bend for Gelu {
    #[inline(always)]
    fn value<T: Number, const FUSED: bool>(x: T) -> T {
        // x/2 (1 + tanh u) = x / (1 + exp(-2 u)) with u = sqrt(2/pi) (x + 0.044715 x^3): one exponential, and no
        // cancellation where tanh u is near -1.
        let linear = T::of(-2.0 * GELU_SCALE);
        let cubic = T::of(-2.0 * GELU_SCALE * GELU_CUBIC);
        let rate = (x * x).madd::<FUSED>(cubic, linear);
        x / (T::one() + (x * rate).exp::<FUSED>())
    }
}

impl Bend for Silu {
    #[inline(always)]
    fn value<T: Number, const FUSED: bool>(x: T) -> T {
        x / (T::one() + (-x).exp::<FUSED>())
    }
}

const GELU_CUBIC: f64 = 0.044_715;
/// `sqrt(2 / pi)`
const GELU_SCALE: f64 = 0.797_884_560_802_865_4;

macro_rules! plain {
    ($($curve:ty),*) => {
        $(impl Bend for $curve {
            #[inline(always)]
            fn value<T: Number, const FUSED: bool>(x: T) -> T {
                <$curve as Curve>::of(x)[0]
            }
        })*
    };
}

plain!(Relu, Tanh, Straight);

/// Compiles a kernel for each [`Machine`]: `fn name[T, FUSED; more: Bounds](arguments) { body }`. The first argument of the function is
/// the machine.
macro_rules! fused {
    ($(#[$meta:meta])* $vis:vis fn $name:ident[$t:ident, $fused:ident $(; $g:ident: $bound:path)?]($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $vis fn $name<$t: Number $(, $g: $bound)?>(machine: Machine, $($arg: $ty),*) {
            #[inline(always)]
            fn any<$t: Number $(, $g: $bound)?, const $fused: bool>($($arg: $ty),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2<$t: Number $(, $g: $bound)?>($($arg: $ty),*) {
                    any::<$t $(, $g)?, true>($($arg),*);
                }
                #[target_feature(enable = "avx2,fma,avx512f")]
                fn avx512<$t: Number $(, $g: $bound)?>($($arg: $ty),*) {
                    any::<$t $(, $g)?, true>($($arg),*);
                }
                // SAFETY: `Machine::here` found that there are these instructions.
                #[allow(unsafe_code, reason = "the only way to call code compiled for more than the baseline")]
                match machine {
                    Machine::Avx512 => return unsafe { avx512::<$t $(, $g)?>($($arg),*) },
                    Machine::Avx2 => return unsafe { avx2::<$t $(, $g)?>($($arg),*) },
                    Machine::Any => {}
                }
            }
            let _ = machine;
            any::<$t $(, $g)?, false>($($arg),*);
        }
    };
}

pub(super) use fused;

#[cfg(test)]
mod tests {
    use super::*;

    fused! {
        fn exponentials[T, FUSED](x: &mut [T]) {
            for x in x {
                *x = x.exp::<FUSED>();
            }
        }
    }

    fused! {
        fn bent[T, FUSED; B: Bend](x: &mut [T]) {
            for x in x {
                *x = B::value::<T, FUSED>(*x);
            }
        }
    }

    #[test]
    fn exponentials_are_accurate_and_saturate() {
        for machine in Machine::all() {
            let x: Vec<f32> = (0..300_000).map(|i| -86.9 + 174.8 * (i as f32 / 300_000.0)).collect();
            let mut y = x.clone();
            exponentials(machine, &mut y);
            for (&x, &y) in x.iter().zip(&y) {
                let exact = f64::from(x).exp();
                assert!((f64::from(y) - exact).abs() < 2.0 * f64::from(f32::EPSILON) * exact, "{x} {y} {machine:?}");
            }
            let x: Vec<f64> = (0..300_000).map(|i| -707.9 + 1416.8 * (f64::from(i) / 300_000.0)).collect();
            let mut y = x.clone();
            exponentials(machine, &mut y);
            assert!(x.iter().zip(&y).all(|(x, y)| (y - x.exp()).abs() < 2.0 * f64::EPSILON * x.exp()), "{machine:?}");
            let mut ends = [f32::NAN, f32::INFINITY, 100.0, f32::NEG_INFINITY, -100.0, 0.0];
            exponentials(machine, &mut ends);
            let [nan, most, also_most, least, also_least, one] = ends;
            assert!(
                nan.is_nan() && most > 1e38 && most == also_most && least < 2e-38 && least == also_least && one == 1.0
            );
        }
    }

    #[test]
    fn values_are_those_of_the_curves() {
        fn same<B: Bend + Curve>() {
            for machine in Machine::all() {
                let x: Vec<f64> = (0..2_000).map(|i| -40.0 + 0.04 * f64::from(i)).collect();
                let mut y = x.clone();
                bent::<f64, B>(machine, &mut y);
                for (&x, &y) in x.iter().zip(&y) {
                    assert!((y - B::of(x)[0]).abs() < 1e-15 * (1.0 + x.abs()), "{x} {y}");
                }
                let mut odd = [f64::NAN, f64::INFINITY, -1e200, 1e200];
                bent::<f64, B>(machine, &mut odd);
                let known = [f64::NAN, f64::INFINITY, -1e200, 1e200].map(|x| B::of(x)[0]);
                assert!(
                    odd[0].is_nan() && odd[1..].iter().zip(&known[1..]).all(|(a, b)| a == b || (a - b).abs() < 1e-100),
                    "{odd:?} {known:?}"
                );
            }
        }
        same::<Gelu>();
        same::<Silu>();
        same::<Relu>();
        same::<Tanh>();
        same::<Straight>();
    }
}
