//! The curvature along the gradient.

use candle_core::Result;

use crate::linalg::operator::LinearOperator;
use crate::linalg::vectors::dot;

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "directional-sharpness",
    title: "Directional sharpness",
    formula: "g' H g / |g|^2, g = dL/dw, H = d^2 L/dw^2: the curvature that a step of gradient descent meets first",
    cost: "one gradient and one Hessian-vector product",
    source: "Pan and Li 2023; the second-order term of Taylor's expansion",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let gradient = subject.gradient()?;
    let mut product = vec![0.0; gradient.len()];
    subject.hessian()?.apply(&gradient, &mut product)?;
    let curvature = dot(&gradient, &product) / dot(&gradient, &gradient);
    Ok(Found { products: 1, ..Found::exact(Value::Number(curvature), "exact Hessian-vector product") })
}
