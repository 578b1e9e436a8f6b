//! The mean loss.

use candle_core::Result;

use crate::nn::training::evaluate;

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "loss",
    title: "Loss",
    formula: "L = mean over graded examples or positions of -log softmax(f(x) / temperature)[y], or of (f(x) - y)^2",
    cost: "one forward pass",
    source: "definition",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let found = evaluate(&*subject.model, &subject.params, &subject.batch, &subject.loss)?;
    Ok(Found::exact(Value::Number(found.loss), "forward pass"))
}
