//! The largest eigenvalues of the neural tangent kernel.

use candle_core::Result;

use super::tangent_kernel::traced;
use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "kernel-eigenvalues",
    title: "Largest eigenvalues of the neural tangent kernel",
    formula: "the k largest eigenvalues (--top-k) of Theta, [N, N], summed over outputs as tangent-kernel has it; parts: its trace",
    cost: "the kernel, and a dense eigendecomposition of N x N",
    source: "Jacot, Gabriel and Hongler 2018",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let (kernel, method) = traced(subject, &subject.params)?;
    let trace = (0..kernel.side()).map(|n| kernel.get(n, n)).sum();
    let mut values = kernel.symmetric_eigenvalues().unwrap_or_else(|| vec![f64::NAN; kernel.side()]);
    values.reverse();
    values.truncate(subject.options.top_k);
    Ok(Found {
        parts: vec![("trace".into(), trace)],
        ..Found::exact(Value::List(values), &format!("dense eigendecomposition of the kernel, made of {method}"))
    })
}
