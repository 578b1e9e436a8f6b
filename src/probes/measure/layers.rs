//! Activations of every layer on the whole batch.

use candle_core::{DType, Result, Tensor};

use crate::record::TokenKind;

use super::{Found, Subject, Value};

/// Activations of a layer, `[sequences, tokens, width]` row-major.
pub struct Activations {
    pub values: Vec<f64>,
    /// Of a sequence; in networks without tokens the examples are those of one sequence.
    pub tokens: usize,
    pub width: usize,
}

/// A number for each layer, input side first, from one forward pass.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn by_layer(subject: &Subject, statistic: impl Fn(&Activations) -> f64) -> Result<Found> {
    let layers = activations(subject, &subject.params)?;
    let found = subject.model.layers().iter().cloned().zip(layers.iter().map(statistic)).collect();
    Ok(Found::exact(Value::Named(found), "forward pass"))
}

/// As many numbers for each layer as there are `titles`, under the names `layer: title`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn several_by_layer<const N: usize>(
    subject: &Subject,
    titles: [&str; N],
    statistics: impl Fn(&Activations) -> [f64; N],
) -> Result<Found> {
    let mut found = Vec::new();
    for (name, layer) in subject.model.layers().iter().zip(&activations(subject, &subject.params)?) {
        let numbers = statistics(layer);
        found.extend(titles.iter().zip(numbers).map(|(title, number)| (format!("{name}: {title}"), number)));
    }
    Ok(Found::exact(Value::Named(found), "forward pass"))
}

/// The activations of all layers at some parameters, input side first.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn activations(subject: &Subject, params: &[Tensor]) -> Result<Vec<Activations>> {
    let mut taps = Vec::new();
    subject.model.forward(params, &subject.batch.inputs, Some(&mut taps))?;
    let mut found = Vec::with_capacity(taps.len());
    for tap in &taps {
        let (tokens, width) = match *tap.dims() {
            [_, tokens, width] if subject.model.token_kind() == TokenKind::Tokens => (tokens, width),
            ref dims => {
                let width = dims.last().copied().unwrap_or(1);
                (tap.elem_count() / width.max(1), width)
            }
        };
        let values = tap.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        found.push(Activations { values, tokens, width });
    }
    Ok(found)
}
