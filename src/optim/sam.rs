//! Sharpness-aware minimisation: the gradient is taken uphill.
//!
//! `g' = grad L(w + rho g / |g|)` with `g = grad L(w)` and the norm over all parameters; the base optimiser then moves w
//! along g' (Foret et al. 2021, arXiv:2010.01412, equation 2 with p = 2 and equation 3, same minibatch). Costs two gradients a step.

use candle_core::{Result, Tensor};

use crate::nn::params::Params;

use super::norms::squared;

/// Keeps the norm's reciprocal finite, as in the common implementations.
const SMALLEST: f64 = 1e-12;

/// Parameters have been moved uphill; [`Self::undo`] moves them back.
#[derive(Debug)]
#[must_use = "the parameters stay uphill until they are moved back"]
pub struct Ascent {
    before: Vec<Tensor>,
    /// Norm per group of the gradient at the parameters themselves.
    pub gradient_norm: Vec<f64>,
}

/// Moves `params` by `rho g / |g|`.
pub(super) fn ascend(rho: f64, params: &Params, gradients: &[Tensor]) -> Result<Ascent> {
    let layout = params.layout();
    let mut squares = vec![0.0; layout.groups().len()];
    for (info, gradient) in layout.infos().iter().zip(gradients) {
        squares[info.group] += squared(gradient)?;
    }
    let factor = rho / (squares.iter().sum::<f64>().sqrt() + SMALLEST);
    let before = params.frozen()?;
    for (var, gradient) in params.vars().iter().zip(gradients) {
        var.set(&(var.as_detached_tensor() + (gradient.detach() * factor)?)?)?;
    }
    Ok(Ascent { before, gradient_norm: squares.into_iter().map(f64::sqrt).collect() })
}

impl Ascent {
    /// Puts the very bits back.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn undo(&self, params: &Params) -> Result<()> {
        params.assign(&self.before)
    }
}
