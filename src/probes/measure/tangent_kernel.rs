//! The empirical neural tangent kernel.

use candle_core::Result;

use crate::nn::curvature::{Kernels, TangentKernel};

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "tangent-kernel",
    title: "Neural tangent kernel",
    formula: "Theta_nm = sum over outputs o of <df_no/dw, df_mo/dw>, [N, N], for examples n and m; no learning rates in it",
    cost: "a backward pass an example and output, and N^2 O P multiplications; for an MLP of width D, N O D^2 + N^2 O D in a layer",
    source: "Jacot, Gabriel and Hongler 2018",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let kernel = TangentKernel::new(subject.model.clone(), &subject.params, &subject.batch, Kernels::Traced)?;
    let method = kernel.method();
    let values = kernel.finish()?.first().map(|kernel| kernel.values().to_vec()).unwrap_or_default();
    Ok(Found::exact(Value::Matrix { columns: subject.batch.len, values }, method))
}
