//! Gradients, Hessian-vector products, and the switch without which the latter are silently wrong.
//!
//! Candle detaches every gradient from the graph unless the environment variable `CANDLE_GRAD_DO_NOT_DETACH` is set
//! when a thread calls `backward` for the first time; after that the thread never looks again. Without it a second
//! derivative misses terms, with no error. Hence [`enable_second_derivatives`] before any thread starts, and
//! [`self_test`] on every thread that computes curvature.
//!
//! Candle walks the graph recursively, one stack frame of some hundred bytes a node of a chain, and drops it likewise:
//! threads that differentiate deep networks twice need a stack of [`STACK_BYTES`].

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var};

use super::ops::linear::linear;

/// Stack for a thread that differentiates (the deepest network of the knobs, twice, needs less).
pub const STACK_BYTES: usize = 64 << 20;

const SWITCH: &str = "CANDLE_GRAD_DO_NOT_DETACH";

/// Candle's own threads for elementwise operations: spinning ones, which all callers share and wait for in turn.
const THREADS: &str = "CANDLE_NUM_THREADS";

/// Makes candle keep the graph of gradients, and keeps it to the calling thread (unless the user chose otherwise): our
/// cores share out the batch instead, see [`super::parts`]. Call it first thing in `main`, before any thread is started.
pub fn enable_second_derivatives() {
    let set = |name: &str, value: &str| {
        // SAFETY: callers run this before any other thread exists, so no one reads the environment meanwhile.
        #[allow(unsafe_code, reason = "candle reads these from the environment and nowhere else")]
        unsafe {
            std::env::set_var(name, value);
        }
    };
    if std::env::var_os(SWITCH).is_none_or(|value| value != "1") {
        set(SWITCH, "1");
    }
    if std::env::var_os(THREADS).is_none() {
        set(THREADS, "1");
    }
}

/// Gradients of `loss` for each of `vars`, detached; zeros where `loss` doesn't depend on a variable.
///
/// # Errors
/// Whatever candle says of the device.
pub fn gradients(loss: &Tensor, vars: &[Var]) -> Result<Vec<Tensor>> {
    collect(&loss.backward()?, vars)
}

/// The gradient of a loss with its graph kept, to be differentiated along many directions.
pub struct GradientGraph {
    vars: Vec<Var>,
    gradients: GradStore,
}

impl GradientGraph {
    /// # Errors
    /// Whatever candle says of the device.
    pub fn new(loss: &Tensor, vars: &[Var]) -> Result<Self> {
        Ok(Self { vars: vars.to_vec(), gradients: loss.backward()? })
    }

    /// # Errors
    /// Whatever candle says of the device.
    pub fn gradients(&self) -> Result<Vec<Tensor>> {
        collect(&self.gradients, &self.vars)
    }

    /// The Hessian times a vector, `d/dw <gradient(w), v>`, exact; `direction` in the shapes of the variables.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn hvp(&self, direction: &[Tensor]) -> Result<Vec<Tensor>> {
        let mut product: Option<Tensor> = None;
        for (var, v) in self.vars.iter().zip(direction) {
            if let Some(gradient) = self.gradients.get(var) {
                let term = (gradient * v)?.sum_all()?;
                product = Some(match product {
                    None => term,
                    Some(sum) => (sum + term)?,
                });
            }
        }
        match product {
            Some(product) if product.track_op() => collect(&product.backward()?, &self.vars),
            // The gradient is constant: a linear function.
            _ => self.vars.iter().map(|var| var.zeros_like().map(|zeros| zeros.detach())).collect(),
        }
    }
}

pub(super) fn collect(store: &GradStore, vars: &[Var]) -> Result<Vec<Tensor>> {
    vars.iter()
        .map(|var| match store.get(var) {
            // Row-major, as all that reads gradients in the flattening order expects.
            Some(gradient) => gradient.detach().contiguous(),
            None => Ok(var.as_tensor().detach().zeros_like()?),
        })
        .collect()
}

/// Largest relative error of [`self_test`] that rounding in f64 explains.
const TOLERANCE: f64 = 1e-12;

/// The numbers behind a passed self-test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// `|Hv - computed| / |Hv|` on a two-layer network whose Hessian is known in closed form.
    pub hvp_error: f64,
    /// The same for its gradient.
    pub gradient_error: f64,
    pub tolerance: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    #[error(
        "Hessian-vector products on this thread are wrong (relative error {hvp_error:.1e}, gradient {gradient_error:.1e}, allowed {tolerance:.0e}): set the environment variable {SWITCH}=1 before the program starts"
    )]
    Wrong { hvp_error: f64, gradient_error: f64, tolerance: f64 },
    #[error("the self-test of derivatives could not run: {0}")]
    Candle(#[from] candle_core::Error),
}

/// Compares gradient and Hessian-vector product of `f(W1, W2) = |X W1 W2 - Y|^2 / 2` with their closed forms,
/// on this thread. Two layers, as one is right even without the switch:
///
/// with `E = X W1 W2 - Y` and `E' = X V1 W2 + X W1 V2`, the gradient is `(X' E W2', (X W1)' E)` and the product
/// `(X' (E' W2' + E V2'), (X V1)' E + (X W1)' E')`.
///
/// # Errors
/// [`SelfTestError::Wrong`] if candle detaches gradients here.
pub fn self_test() -> std::result::Result<Report, SelfTestError> {
    let matrix = |rows: usize, columns: usize, phase: f64| -> Result<Tensor> {
        let values: Vec<f64> = (0..rows * columns).map(|i| (1.7 * i as f64 + phase).sin()).collect();
        Tensor::from_vec(values, (rows, columns), &Device::Cpu)
    };
    let (x, y) = (matrix(5, 3, 0.1)?, matrix(5, 2, 0.2)?);
    let (w1, w2) = (Var::from_tensor(&matrix(3, 4, 0.3)?)?, Var::from_tensor(&matrix(4, 2, 0.4)?)?);
    let (v1, v2) = (matrix(3, 4, 0.5)?, matrix(4, 2, 0.6)?);

    let zeros = |n: usize| Tensor::zeros(n, DType::F64, &Device::Cpu);
    let outputs = linear(&linear(&x, &w1, &zeros(4)?)?, &w2, &zeros(2)?)?;
    let loss = ((outputs - &y)?.sqr()?.sum_all()? * 0.5)?;
    let graph = GradientGraph::new(&loss, &[w1.clone(), w2.clone()])?;
    let (gradient, product) = (graph.gradients()?, graph.hvp(&[v1.clone(), v2.clone()])?);

    let (w1, w2) = (w1.as_tensor().detach(), w2.as_tensor().detach());
    let error = (x.matmul(&w1)?.matmul(&w2)? - &y)?;
    let error_rate = (x.matmul(&v1)?.matmul(&w2)? + x.matmul(&w1)?.matmul(&v2)?)?;
    let known_gradient = [x.t()?.matmul(&error.matmul(&w2.t()?)?)?, x.matmul(&w1)?.t()?.matmul(&error)?];
    let known_product = [
        x.t()?.matmul(&(error_rate.matmul(&w2.t()?)? + error.matmul(&v2.t()?)?)?)?,
        (x.matmul(&v1)?.t()?.matmul(&error)? + x.matmul(&w1)?.t()?.matmul(&error_rate)?)?,
    ];
    let hvp_error = relative_error(&product, &known_product)?;
    let gradient_error = relative_error(&gradient, &known_gradient)?;
    if hvp_error <= TOLERANCE && gradient_error <= TOLERANCE {
        Ok(Report { hvp_error, gradient_error, tolerance: TOLERANCE })
    } else {
        Err(SelfTestError::Wrong { hvp_error, gradient_error, tolerance: TOLERANCE })
    }
}

/// `|a - b| / |b|` over all entries.
fn relative_error(a: &[Tensor], b: &[Tensor]) -> Result<f64> {
    let (mut difference, mut size) = (0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        difference += (a - b)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
        size += b.sqr()?.sum_all()?.to_scalar::<f64>()?;
    }
    Ok((difference / size).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_self_test_passes_where_the_switch_is_set() {
        let report = self_test().unwrap();
        assert!(report.hvp_error < 1e-13, "{report:?}");
    }

    #[test]
    fn a_linear_loss_has_a_zero_hessian() {
        let w = Var::from_tensor(&Tensor::new(&[1.0, 2.0], &Device::Cpu).unwrap()).unwrap();
        let graph = GradientGraph::new(&(w.as_tensor() * 3.0).unwrap().sum_all().unwrap(), &[w]).unwrap();
        assert_eq!(graph.gradients().unwrap()[0].to_vec1::<f64>().unwrap(), [3.0, 3.0]);
        let v = Tensor::new(&[1.0, -1.0], &Device::Cpu).unwrap();
        assert_eq!(graph.hvp(&[v]).unwrap()[0].to_vec1::<f64>().unwrap(), [0.0, 0.0]);
    }
}
