//! The share of targets that are hit.

use candle_core::Result;

use crate::nn::training::evaluate;

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "accuracy",
    title: "Accuracy",
    formula: "share of graded examples or positions whose largest output is at the label; null for regression",
    cost: "one forward pass",
    source: "definition",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let found = evaluate(&*subject.model, &subject.params, &subject.batch, &subject.loss)?;
    // 0/0 where nothing is graded: not a number, as it should be.
    let share = found.correct as f64 / found.graded as f64;
    Ok(Found::exact(Value::Number(share), "forward pass"))
}
