//! How alike tokens are, by layer.

use super::Measurement;
use super::layers::{Activations, by_layer};

pub const MEASUREMENT: Measurement = Measurement {
    id: "token-cosine",
    title: "Mean token cosine",
    formula: "mean over sequences of the mean cosine between different tokens; examples are the tokens of networks without; 1 is rank collapse; a layer each",
    cost: "one forward pass",
    source: "Dong et al. 2021, Noci et al. 2022",
    measure: |subject| by_layer(subject, mean_cosine),
};

/// In f64 throughout, where [`crate::probes::token_cosine`] is quick: with unit vectors u,
/// `sum_(i != j) <u_i, u_j> = |sum_i u_i|^2 - sum_i |u_i|^2`. A token of length zero has the cosine 0 with all others.
fn mean_cosine(layer: &Activations) -> f64 {
    let Activations { values, tokens, width } = layer;
    let sequences = values.chunks_exact((tokens * width).max(1));
    let pairs = (sequences.len() * tokens * tokens.saturating_sub(1)) as f64;
    let mut total = 0.0;
    for sequence in sequences {
        let mut sum = vec![0.0; *width];
        let mut own = 0.0;
        for token in sequence.chunks_exact(*width) {
            let length = token.iter().map(|x| x * x).sum::<f64>().sqrt();
            let factor = if length == 0.0 { 0.0 } else { length.recip() };
            for (sum, x) in sum.iter_mut().zip(token) {
                *sum += x * factor;
                own += (x * factor).powi(2);
            }
        }
        total += sum.iter().map(|s| s * s).sum::<f64>() - own;
    }
    total / pairs
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};
    use crate::probes::token_cosine::similarity;

    use super::*;

    #[test]
    fn agrees_with_the_quick_one() {
        let (tokens, width) = (5, 7);
        let values: Vec<f64> =
            normals(&mut Streams::new(8).stream("x"), 3 * tokens * width).iter().map(|x| x + 0.5).collect();
        let narrow: Vec<f32> = values.iter().map(|&x| x as f32).collect();
        let quick = f64::from(similarity(&narrow, tokens, width).mean_cosine);
        assert!((mean_cosine(&Activations { values, tokens, width }) - quick).abs() < 1e-6);
    }
}
