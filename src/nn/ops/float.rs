//! What our own kernels need of a number: f32 and f64.

use candle_core::{CpuStorage, Layout, Result, WithDType, bail};

/// f32 or f64, with the functions that kernels vectorise.
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
    fn magnitude(self) -> Self;
}

impl Float for f32 {
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
    fn magnitude(self) -> Self {
        self.abs()
    }
}

impl Float for f64 {
    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }

    #[inline(always)]
    fn square_root(self) -> Self {
        self.sqrt()
    }

    #[inline(always)]
    fn magnitude(self) -> Self {
        self.abs()
    }
}

/// The numbers of a row-major tensor.
///
/// # Errors
/// If it isn't row-major or of another type.
pub fn slice<'a, T: Float>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&T::cpu_storage_as_slice(storage)?[from..to]),
        None => bail!("a kernel was given a tensor that isn't row-major"),
    }
}

/// Compiles a kernel twice, for any machine and for AVX2, and picks at run time.
///
/// The body is inlined into both, so that its loops are vectorised with what the machine has. Results don't depend
/// on the choice: nothing is contracted or reordered.
macro_rules! wide {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<T: Float $(, const $c:ident: $ct:ty)*>($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name<T: $crate::nn::ops::float::Float $(, const $c: $ct)*>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn any<T: $crate::nn::ops::float::Float $(, const $c: $ct)*>($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2<T: $crate::nn::ops::float::Float $(, const $c: $ct)*>($($arg: $ty),*) $(-> $ret)? {
                    any::<T $(, $c)*>($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the machine has just said that it has these instructions.
                    #[allow(unsafe_code, reason = "the only way to call code compiled for more than the baseline")]
                    return unsafe { avx2::<T $(, $c)*>($($arg),*) };
                }
            }
            any::<T $(, $c)*>($($arg),*)
        }
    };
}

pub(crate) use wide;
