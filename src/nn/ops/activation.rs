//! Elementwise nonlinearities.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Device, Layout, Result, Shape, Tensor};

use crate::nn::spec::Activation;

use super::float::{Float, by_float, output, slice, wide};

/// `act(x)`, elementwise; GELU is the tanh form, `relu'(0) = 0`.
///
/// # Errors
/// Whatever candle says of the device.
pub fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    if !x.device().is_cpu() || activation == Activation::Identity {
        return composed(x, activation);
    }
    let slope = x.track_op().then(Slope::default);
    x.contiguous()?.apply_op1(Activate { activation, slope })
}

/// [`activate`] in candle's operations.
///
/// # Errors
/// Whatever candle says of the device.
pub fn composed(x: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        Activation::Relu => x.gt(0.0)?.to_dtype(x.dtype())? * x,
        Activation::Gelu => {
            // Hendrycks and Gimpel 2016: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Candle's own has rounded
            // constants in its gradient.
            let inner = ((x.sqr()? * GELU_CUBIC)? + 1.0)?.mul(x)?.affine(GELU_SCALE, 0.0)?;
            (x * 0.5)?.mul(&(inner.tanh()? + 1.0)?)
        }
        Activation::Tanh => x.tanh(),
        // x sigmoid(x) with sigmoid(x) = (1 + tanh(x/2)) / 2: no overflow at either end.
        Activation::Silu => (x * 0.5)?.mul(&((x * 0.5)?.tanh()? + 1.0)?),
        Activation::Identity => Ok(x.clone()),
    }
}

const GELU_CUBIC: f64 = 0.044_715;
/// `sqrt(2 / pi)`
const GELU_SCALE: f64 = 0.797_884_560_802_865_4;

/// A nonlinearity on one number: its value, slope and curvature.
pub(in crate::nn) trait Curve {
    fn of<T: Float>(x: T) -> [T; 3];
}

pub(in crate::nn) struct Relu;
pub(in crate::nn) struct Gelu;
pub(in crate::nn) struct Tanh;
pub(in crate::nn) struct Silu;
/// No activation.
pub(in crate::nn) struct Straight;

impl Curve for Relu {
    #[inline(always)]
    fn of<T: Float>(x: T) -> [T; 3] {
        // Comparisons that are false for zero; NaN takes the second branch and stays.
        let slope = if x > T::zero() { T::one() } else { T::zero() };
        [if x <= T::zero() { T::zero() } else { x }, slope, T::zero()]
    }
}

impl Curve for Gelu {
    #[inline(always)]
    fn of<T: Float>(x: T) -> [T; 3] {
        let (c, a, half, one) = (T::of(GELU_SCALE), T::of(GELU_CUBIC), T::of(0.5), T::one());
        let square = x * x;
        let t = (c * x * (one + a * square)).fast_tanh();
        // u = c (x + a x^3), t = tanh u, t' = (1 - t^2) u'
        let rate = c * (one + T::of(3.0) * a * square);
        let t1 = (one - t * t) * rate;
        let t2 = (one - t * t) * T::of(6.0) * a * c * x - T::of(2.0) * t * t1 * rate;
        [half * x * (one + t), half * (one + t) + half * x * t1, t1 + half * x * t2]
    }
}

impl Curve for Tanh {
    #[inline(always)]
    fn of<T: Float>(x: T) -> [T; 3] {
        let t = x.fast_tanh();
        let slope = T::one() - t * t;
        [t, slope, T::of(-2.0) * t * slope]
    }
}

impl Curve for Silu {
    #[inline(always)]
    fn of<T: Float>(x: T) -> [T; 3] {
        let (half, one) = (T::of(0.5), T::one());
        let s = half * ((half * x).fast_tanh() + one);
        let s1 = s * (one - s);
        let s2 = s1 * (one - s - s);
        [x * s, s + x * s1, s1 + s1 + x * s2]
    }
}

impl Curve for Straight {
    #[inline(always)]
    fn of<T: Float>(x: T) -> [T; 3] {
        [x, T::one(), T::zero()]
    }
}

wide! {
    fn values[T: Float, C: Curve](x: &[T]) -> Vec<T> {
        x.iter().map(|&x| C::of(x)[0]).collect()
    }
}

wide! {
    fn values_and_slopes[T: Float, C: Curve](x: &[T]) -> (Vec<T>, Vec<T>) {
        let (mut values, mut slopes) = (vec![T::zero(); x.len()], vec![T::zero(); x.len()]);
        for ((&x, value), slope) in x.iter().zip(&mut values).zip(&mut slopes) {
            let [y, dy, _] = C::of(x);
            *value = y;
            *slope = dy;
        }
        (values, slopes)
    }
}

wide! {
    fn slopes[T: Float, C: Curve](x: &[T]) -> Vec<T> {
        x.iter().map(|&x| C::of(x)[1]).collect()
    }
}

wide! {
    fn curvatures[T: Float, C: Curve](x: &[T]) -> Vec<T> {
        x.iter().map(|&x| C::of(x)[2]).collect()
    }
}

/// Calls `$f::<T, C>($args)` with the curve of an activation.
macro_rules! by_curve {
    ($activation:expr, $f:ident::<$t:ident>($($arg:expr),*)) => {
        match $activation {
            Activation::Relu => $f::<$t, Relu>($($arg),*),
            Activation::Gelu => $f::<$t, Gelu>($($arg),*),
            Activation::Tanh => $f::<$t, Tanh>($($arg),*),
            Activation::Silu => $f::<$t, Silu>($($arg),*),
            Activation::Identity => candle_core::bail!("the identity isn't computed"),
        }
    };
}

/// The slopes that the forward pass found on its way, for the backward pass.
type Slope = Arc<OnceLock<Tensor>>;

struct Activate {
    activation: Activation,
    /// Filled by the forward pass if a backward pass may come.
    slope: Option<Slope>,
}

impl CustomOp1 for Activate {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(op: &Activate, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
            let x = slice::<T>(x, xl)?;
            match &op.slope {
                Some(slope) => {
                    let (values, slopes) = by_curve!(op.activation, values_and_slopes::<T>(x));
                    // Run twice on one graph, an operation finds the same slopes twice.
                    let _ = slope.set(Tensor::from_vec(slopes, xl.shape(), &Device::Cpu)?);
                    output(values, xl.shape().clone())
                }
                None => output(by_curve!(op.activation, values::<T>(x)), xl.shape().clone()),
            }
        }
        by_float!(x, run(self, x, xl))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let op = TimesSlope { activation: self.activation, slope: self.slope.clone().unwrap_or_default() };
        Ok(Some(x.apply_op2(&g.contiguous()?, op)?))
    }
}

/// `g act'(x)`
struct TimesSlope {
    activation: Activation,
    slope: Slope,
}

impl CustomOp2 for TimesSlope {
    fn name(&self) -> &'static str {
        "activation, backward"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, g: &CpuStorage, gl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(
            op: &TimesSlope,
            (x, xl): (&CpuStorage, &Layout),
            (g, gl): (&CpuStorage, &Layout),
        ) -> Result<(CpuStorage, Shape)> {
            let g = slice::<T>(g, gl)?;
            let found = match op.slope.get() {
                Some(slope) => {
                    let (storage, layout) = slope.storage_and_layout();
                    match &*storage {
                        candle_core::Storage::Cpu(storage) => times(g, slice::<T>(storage, layout)?),
                        _ => candle_core::bail!("slopes stay on the CPU"),
                    }
                }
                None => times(g, &by_curve!(op.activation, slopes::<T>(slice::<T>(x, xl)?))),
            };
            output(found, xl.shape().clone())
        }
        by_float!(x, run(self, (x, xl), (g, gl)))
    }

    fn bwd(&self, x: &Tensor, g: &Tensor, _: &Tensor, u: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let u = u.contiguous()?;
        let to_x = if x.track_op() {
            // A constant from here on: third derivatives aren't offered.
            let curvature = x.detach().apply_op1_no_bwd(&Curvature { activation: self.activation })?;
            Some((&u * g)?.mul(&curvature)?)
        } else {
            None
        };
        let to_g = if g.track_op() {
            Some(x.detach().apply_op2(&u, Self { activation: self.activation, slope: self.slope.clone() })?)
        } else {
            None
        };
        Ok((to_x, to_g))
    }
}

/// `act''(x)`
struct Curvature {
    activation: Activation,
}

impl CustomOp1 for Curvature {
    fn name(&self) -> &'static str {
        "activation, curvature"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(activation: Activation, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
            output(by_curve!(activation, curvatures::<T>(slice::<T>(x, xl)?)), xl.shape().clone())
        }
        by_float!(x, run(self.activation, x, xl))
    }
}

wide! {
    fn times[T: Float](a: &[T], b: &[T]) -> Vec<T> {
        a.iter().zip(b).map(|(&a, &b)| a * b).collect()
    }
}
