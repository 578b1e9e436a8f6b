//! The activation of MLP branches, with its shape and gain.

use candle_core::{Result, Tensor};

use super::ops::activation::{Curve, Gelu, Silu, Tanh, activate};
use super::spec::{Activation, ModelSpec};

/// `gain act(x)`, or `gain (s_plus max(x, 0) + s_minus min(x, 0))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Nonlinearity {
    activation: Activation,
    /// `[s_minus, s_plus]` of a shaped ReLU.
    slopes: Option<[f64; 2]>,
    gain: f64,
}

impl Nonlinearity {
    /// Shaped slopes are `1 + c / sqrt(width)` (Li, Nica and Roy 2022; Noci et al. 2023, "The shaped transformer").
    pub fn new(spec: &ModelSpec) -> Self {
        let block = &spec.block;
        let slopes = (block.shaped_relu && spec.activation == Activation::Relu)
            .then(|| [block.slope_minus, block.slope_plus].map(|c| 1.0 + c / (spec.width as f64).sqrt()));
        let gain = if block.unit_gain { unit_gain(spec.activation, slopes) } else { 1.0 };
        Self { activation: spec.activation, slopes, gain }
    }

    /// The activation if it is all there is.
    pub fn plain(&self) -> Option<Activation> {
        (self.slopes.is_none() && self.gain == 1.0).then_some(self.activation)
    }

    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let y = match self.slopes {
            Some([minus, plus]) => (x * minus)? + (activate(x, Activation::Relu)? * (plus - minus))?,
            None => activate(x, self.activation),
        }?;
        if self.gain == 1.0 { Ok(y) } else { y * self.gain }
    }
}

/// `1 / sqrt(E act(z)^2)` for a standard normal z: the branch keeps the second moment of unit signals. `sqrt(2)` for the
/// ReLU, `sqrt(2 / (s_plus^2 + s_minus^2))` for a shaped one, by quadrature (error under 1e-12) for curved ones.
fn unit_gain(activation: Activation, slopes: Option<[f64; 2]>) -> f64 {
    if let Some([minus, plus]) = slopes {
        // Both slopes 0 is a dead branch, whose gain doesn't matter.
        let square = minus * minus + plus * plus;
        return if square > 0.0 { (2.0 / square).sqrt() } else { 1.0 };
    }
    match activation {
        Activation::Relu => std::f64::consts::SQRT_2,
        Activation::Identity => 1.0,
        Activation::Gelu => second_moment::<Gelu>().sqrt().recip(),
        Activation::Tanh => second_moment::<Tanh>().sqrt().recip(),
        Activation::Silu => second_moment::<Silu>().sqrt().recip(),
    }
}

/// `E act(z)^2` by the trapezoidal rule, which converges faster than any power on smooth functions that vanish at both
/// ends.
fn second_moment<C: Curve>() -> f64 {
    let (end, steps) = (14.0, 2_800_i32);
    let h = 2.0 * end / f64::from(steps);
    let density = |z: f64| (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    (0..=steps).map(|i| -end + h * f64::from(i)).map(|z| C::of(z)[0].powi(2) * density(z)).sum::<f64>() * h
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::super::ops::activation::Relu;
    use super::*;

    #[test]
    fn the_unit_gain_keeps_the_second_moment() {
        // E relu^2 = 1/2; the kink costs the trapezoidal rule some digits, hence its closed form above.
        assert!((second_moment::<Relu>() - 0.5).abs() < 1e-4);
        // E tanh(z)^2 = 0.394294... (Gauss-Hermite with 180 nodes).
        assert!((second_moment::<Tanh>() - 0.394_294_490_398).abs() < 1e-9, "{}", second_moment::<Tanh>());
        let [minus, plus] = [0.7, 1.2];
        let gain = unit_gain(Activation::Relu, Some([minus, plus]));
        assert!((gain * gain * 0.5 * (minus * minus + plus * plus) - 1.0).abs() < 1e-15);
        assert_eq!(unit_gain(Activation::Relu, Some([0.0, 1.0])), std::f64::consts::SQRT_2);
    }

    #[test]
    fn a_shaped_relu_has_its_two_slopes() {
        let mut spec = ModelSpec { width: 16, activation: Activation::Relu, ..ModelSpec::default() };
        (spec.block.shaped_relu, spec.block.slope_plus, spec.block.slope_minus) = (true, 2.0, -1.0);
        let x = Tensor::new(&[-2.0, 0.0, 3.0], &Device::Cpu).unwrap();
        assert_eq!(Nonlinearity::new(&spec).apply(&x).unwrap().to_vec1::<f64>().unwrap(), [-1.5, 0.0, 4.5]);
        spec.activation = Activation::Identity;
        assert_eq!(Nonlinearity::new(&spec).apply(&x).unwrap().to_vec1::<f64>().unwrap(), [-2.0, 0.0, 3.0]);
    }
}
