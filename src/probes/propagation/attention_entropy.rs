//! How far attention spreads.

/// Mean entropy in nats of each head's attention rows, `-sum_k A_qk ln A_qk`, over sequences and queries; `maps` are
/// probabilities `[B, heads, tokens, tokens]`, row-major, with keys last (0 ln 0 = 0).
///
/// 0: every query looks at one key (entropy collapse); `ln tokens`: at all alike, which is what rank collapse theory
/// assumes. [`uniform_entropy`] gives the most there is, also under a causal mask. NaN without maps.
pub fn attention_entropy<T: Copy + Into<f64>>(maps: &[T], heads: usize, tokens: usize) -> Vec<f64> {
    let mut sums = vec![0.0; heads];
    let rows = maps.chunks_exact(tokens.max(1));
    let queries = (rows.len() / heads.max(1)) as f64;
    for (index, row) in rows.enumerate() {
        let entropy: f64 = row.iter().map(|&p| p.into()).filter(|&p| p != 0.0).map(|p: f64| -p * p.ln()).sum();
        sums[index / tokens % heads] += entropy;
    }
    sums.into_iter().map(|sum| sum / queries).collect()
}

/// Mean entropy in nats of attention that looks at all visible keys alike: `ln tokens`, or `ln(tokens!) / tokens` when
/// query q sees the first q keys only (`causal`).
pub fn uniform_entropy(tokens: usize, causal: bool) -> f64 {
    if !causal {
        return (tokens as f64).ln();
    }
    (1..=tokens).map(|seen| (seen as f64).ln()).sum::<f64>() / tokens as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_rows_have_the_most_and_single_keys_nothing() {
        // Two sequences, two heads of three tokens: one head uniform, the other looks at itself.
        let one = [vec![1.0 / 3.0; 9], vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]].concat();
        let maps = [one.clone(), one].concat();
        let found = attention_entropy(&maps, 2, 3);
        assert!((found[0] - 3f64.ln()).abs() < 1e-15 && found[1] == 0.0, "{found:?}");
        assert_eq!(uniform_entropy(3, false), 3f64.ln());
    }

    #[test]
    fn a_causal_mask_leaves_the_first_queries_less() {
        let tokens = 5;
        let maps: Vec<f32> = (0..tokens * tokens)
            .map(|k| if k % tokens <= k / tokens { 1.0 / (k / tokens + 1) as f32 } else { 0.0 })
            .collect();
        let found = attention_entropy(&maps, 1, tokens)[0];
        assert!((found - uniform_entropy(tokens, true)).abs() < 1e-6, "{found}");
        assert!((uniform_entropy(tokens, true) - 120f64.ln() / 5.0).abs() < 1e-14);
    }

    #[test]
    fn sequences_and_queries_are_averaged_and_the_order_of_keys_is_nothing() {
        let entropy = |p: f64| -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
        let maps = [0.1, 0.9, 0.3, 0.7, /* next sequence */ 0.5, 0.5, 0.8, 0.2];
        let known = [0.1, 0.3, 0.5, 0.2].map(entropy).iter().sum::<f64>() / 4.0;
        assert!((attention_entropy(&maps, 1, 2)[0] - known).abs() < 1e-15);
        let swapped: Vec<f64> = maps.chunks(2).flat_map(|row| [row[1], row[0]]).collect();
        assert!((attention_entropy(&swapped, 1, 2)[0] - known).abs() < 1e-15);
        assert!(attention_entropy::<f64>(&[], 1, 2)[0].is_nan());
        assert!(attention_entropy(&[f64::NAN, 0.5], 1, 2)[0].is_nan());
    }
}
