//! The gradient's length, whole and by group of parameters.

use candle_core::Result;

use crate::linalg::vectors::norm;

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "gradient",
    title: "Gradient norm",
    formula: "|g|, g = dL/dw; parts: the same for each group of parameters",
    cost: "one gradient, about three forward passes",
    source: "definition",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let layout = subject.model.layout();
    let gradient = subject.gradient()?;
    let mut squares = vec![0.0; layout.groups().len()];
    for (index, info) in layout.infos().iter().enumerate() {
        squares[info.group] += norm(&gradient[layout.range(index)]).powi(2);
    }
    let parts = layout.groups().iter().cloned().zip(squares.iter().map(|square| square.sqrt())).collect();
    Ok(Found { parts, ..Found::exact(Value::Number(norm(&gradient)), "reverse-mode differentiation") })
}
