//! How far attention spreads, by head.

use candle_core::{DType, Result};

use crate::probes::propagation;

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "attention-entropy",
    title: "Attention entropy",
    formula: "mean over sequences and queries q of -sum_k A_qk ln A_qk in nats, 0 ln 0 = 0; between 0 and ln T; a head each, none in networks without attention; null for shaped attention with negative weights, which are no probabilities",
    cost: "one forward pass",
    source: "Zhai et al. 2023",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let mut found = Vec::new();
    for (block, map) in subject.model.attention_maps(&subject.params, &subject.batch.inputs)?.iter().enumerate() {
        let (_, heads, tokens, _) = map.dims4()?;
        let weights = map.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        let entropies = propagation::attention_entropy(&weights, heads, tokens);
        let name = |head: usize| format!("block {} head {}", block + 1, head + 1);
        found.extend(entropies.into_iter().enumerate().map(|(head, entropy)| (name(head), entropy)));
    }
    Ok(Found::exact(Value::Named(found), "forward pass"))
}
