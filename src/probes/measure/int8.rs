//! What rounding to eight bits costs, of activations and of weights.

use candle_core::{DType, Result};

use crate::probes::propagation::{Scope, int8_error};

use super::layers::several_by_layer;
use super::{Found, Measurement, Subject, Value};

/// How many numbers share a scale.
const SCOPES: [(&str, Scope); 2] = [("per tensor", Scope::Tensor), ("per channel", Scope::Channel)];

pub const ACTIVATIONS: Measurement = Measurement {
    id: "int8-activations",
    title: "Int8 error of activations",
    formula: "|Q(X) - X|_F / |X|_F, Q(x) = s round(x/s), ties to even, s = max|x| / 127 over the whole layer (per tensor) or over each neuron (per channel); a layer each",
    cost: "one forward pass",
    source: "symmetric absmax quantisation, as in He et al. 2024",
    measure: |subject| {
        let titles = SCOPES.map(|(title, _)| title);
        several_by_layer(subject, titles, |layer| {
            SCOPES.map(|(_, scope)| int8_error(&layer.values, layer.width, scope))
        })
    },
};

pub const WEIGHTS: Measurement = Measurement {
    id: "int8-weights",
    title: "Int8 error of weights",
    formula: "|Q(W) - W|_F / |W|_F, Q(w) = s round(w/s), ties to even, s = max|w| / 127 over the whole tensor or over each column (per channel); every tensor of two dimensions",
    cost: "nothing but the rounding",
    source: "symmetric absmax quantisation, as in He et al. 2024",
    measure: weights,
};

fn weights(subject: &Subject) -> Result<Found> {
    let mut found = Vec::new();
    for (info, tensor) in subject.model.layout().infos().iter().zip(&subject.params) {
        let &[_, columns] = tensor.dims() else { continue };
        let values = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        for (title, scope) in SCOPES {
            found.push((format!("{}: {title}", info.name), int8_error(&values, columns, scope)));
        }
    }
    Ok(Found::exact(Value::Named(found), "rounding"))
}
