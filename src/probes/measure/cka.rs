//! How alike the features of each layer are at two sets of parameters.

use candle_core::Result;

use crate::linalg::kernel::{Features, linear_cka};

use super::layers::{Activations, activations};
use super::{Found, Measurement, NO_REFERENCE, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "cka",
    title: "Linear CKA by layer",
    formula: "|Y' X|_F^2 / (|X' X|_F |Y' Y|_F), X a layer's activations here and Y those at --reference-weights, a row an example or token, the mean of each column taken off",
    cost: "two forward passes, and a product of the features a layer",
    source: "Kornblith et al. 2019",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let Some(reference) = &subject.reference else { return Ok(Found::exact(Value::Named(Vec::new()), NO_REFERENCE)) };
    let (here, there) = (activations(subject, &subject.params)?, activations(subject, reference)?);
    let pairs = subject.model.layers().iter().zip(here.iter().zip(&there));
    let values = pairs.map(|(name, (x, y))| (name.clone(), alike(x, y).unwrap_or(f64::NAN))).collect();
    Ok(Found::exact(Value::Named(values), "two forward passes"))
}

fn alike(x: &Activations, y: &Activations) -> Option<f64> {
    let rows = |layer: &Activations| layer.values.len() / layer.width.max(1);
    linear_cka(Features::new(&x.values, rows(x))?, Features::new(&y.values, rows(y))?)
}
