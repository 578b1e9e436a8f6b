//! Outputs with a graph that is differentiated along parameters and along outputs.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

use crate::nn::autodiff::collect;

/// The Jacobian `J = df/dw` of some outputs f, `[R, C]`, by its products on both sides, exact.
///
/// `J' u` is the gradient of `<f, u>`. It is linear in u, so `<J' u, v>` has the gradient `J v` with respect to u, wherever u is:
/// a forward derivative by two backward ones.
pub(super) struct OutputGraph {
    vars: Vec<Var>,
    pub outputs: Tensor,
    /// u, at zero.
    cotangent: Var,
    /// `J' u` with its graph.
    pulled: GradStore,
}

impl OutputGraph {
    /// # Errors
    /// Whatever candle says of the device.
    pub fn new(outputs: Tensor, vars: &[Var]) -> Result<Self> {
        let cotangent = Var::from_tensor(&outputs.detach().zeros_like()?)?;
        let pulled = (&outputs * cotangent.as_tensor())?.sum_all()?.backward()?;
        Ok(Self { vars: vars.to_vec(), outputs, cotangent, pulled })
    }

    /// `J v`, `[R, C]`; `direction` in the shapes of the variables.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn jvp(&self, direction: &[Tensor]) -> Result<Tensor> {
        let mut product: Option<Tensor> = None;
        for (var, v) in self.vars.iter().zip(direction) {
            if let Some(gradient) = self.pulled.get(var) {
                let term = (gradient * v)?.sum_all()?;
                product = Some(match product {
                    None => term,
                    Some(sum) => (sum + term)?,
                });
            }
        }
        let found = match product {
            Some(product) => product.backward()?.get(&self.cotangent).cloned(),
            None => None,
        };
        match found {
            Some(found) => found.detach().contiguous(),
            // The outputs don't depend on the parameters.
            None => self.outputs.detach().zeros_like(),
        }
    }

    /// `J' u`, in the shapes of the variables; `cotangent` is u, `[R, C]`.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn vjp(&self, cotangent: &Tensor) -> Result<Vec<Tensor>> {
        vjp(&self.outputs, cotangent, &self.vars)
    }
}

/// `J' u`, the gradient of `<outputs, u>` in the shapes of the variables, detached.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub(super) fn vjp(outputs: &Tensor, cotangent: &Tensor, vars: &[Var]) -> Result<Vec<Tensor>> {
    collect(&(outputs * cotangent.detach())?.sum_all()?.backward()?, vars)
}
