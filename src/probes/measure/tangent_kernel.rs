//! The empirical neural tangent kernel.

use candle_core::{Result, Tensor};

use crate::linalg::operator::Dense;
use crate::nn::curvature::{Kernels, TangentKernel};

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "tangent-kernel",
    title: "Neural tangent kernel",
    formula: "Theta_nm = sum over outputs o of <df_no/dw, df_mo/dw>, [N, N], for examples n and m; no learning rates in it; --kernel per-output: one [N, N] an output, below each other; --kernel full: [N O, N O], an example's outputs as neighbours",
    cost: "a backward pass an example and output, and N^2 O P multiplications; for an MLP of width D, N O D^2 + N^2 O D in a layer",
    source: "Jacot, Gabriel and Hongler 2018",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let (kernels, method) = of(subject, &subject.params, subject.options.kernels)?;
    let columns = kernels.first().map_or(0, Dense::side);
    let values = kernels.iter().flat_map(|kernel| kernel.values().iter().copied()).collect();
    Ok(Found::exact(Value::Matrix { columns, values }, method))
}

/// The kernel summed over outputs, `[N, N]`, and how it was made.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn traced(subject: &Subject, params: &[Tensor]) -> Result<(Dense, &'static str)> {
    let (kernels, method) = of(subject, params, Kernels::Traced)?;
    match kernels.into_iter().next() {
        Some(kernel) => Ok((kernel, method)),
        None => candle_core::bail!("a network without outputs has no tangent kernel"),
    }
}

fn of(subject: &Subject, params: &[Tensor], kernels: Kernels) -> Result<(Vec<Dense>, &'static str)> {
    let kernel = TangentKernel::new(subject.model.clone(), params, &subject.batch, kernels)?;
    let method = kernel.method();
    Ok((kernel.finish()?, method))
}
