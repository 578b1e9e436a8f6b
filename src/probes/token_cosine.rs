//! How alike the tokens of a sequence are: the measure of rank collapse.

use crate::record::Matrix;

/// Rows and columns of a similarity matrix, at most; of more tokens an even choice is shown.
pub const MOST_TOKENS: usize = 64;

/// What is known of the cosines between the tokens of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Similarity {
    /// Mean over sequences of the mean cosine between different tokens; NaN if there is one token only.
    pub mean_cosine: f32,
    /// Mean over sequences of the `[T, T]` matrix of cosines, of at most 64 evenly chosen tokens.
    pub matrix: Matrix,
}

/// Cosines between the tokens of activations `[B, T, D]`, row-major. A token of length zero has the cosine 0 with all
/// others, as it has no direction; of tokens that aren't finite it is NaN.
///
/// The mean needs no matrix: with unit vectors u, `sum_(i != j) <u_i, u_j> = |sum_i u_i|^2 - sum_i |u_i|^2`.
pub fn similarity(values: &[f32], tokens: usize, width: usize) -> Similarity {
    let chosen = evenly(tokens, MOST_TOKENS);
    let side = chosen.len();
    let mut units = vec![0.0f32; tokens * width];
    let mut sums = vec![0.0f64; side * side];
    let mut mean = 0.0;
    let sequences = values.chunks_exact((tokens * width).max(1));
    let count = sequences.len().max(1) as f64;
    for sequence in sequences {
        for (unit, token) in units.chunks_exact_mut(width).zip(sequence.chunks_exact(width)) {
            let norm = token.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let factor = if norm == 0.0 { 0.0 } else { norm.recip() };
            for (u, &x) in unit.iter_mut().zip(token) {
                *u = (f64::from(x) * factor) as f32;
            }
        }
        mean += mean_between(&units, tokens, width) / count;
        for (row, &i) in chosen.iter().enumerate() {
            let a = &units[i * width..(i + 1) * width];
            for (column, &j) in chosen.iter().enumerate().skip(row) {
                let cosine = f64::from(dot(a, &units[j * width..(j + 1) * width])) / count;
                sums[row * side + column] += cosine;
                if row != column {
                    sums[column * side + row] += cosine;
                }
            }
        }
    }
    let matrix = Matrix { rows: side, columns: side, values: sums.into_iter().map(|x| x as f32).collect() };
    Similarity { mean_cosine: mean as f32, matrix }
}

fn mean_between(units: &[f32], tokens: usize, width: usize) -> f64 {
    let mut sum = vec![0.0f64; width];
    let mut own = 0.0;
    for unit in units.chunks_exact(width) {
        for (sum, &u) in sum.iter_mut().zip(unit) {
            *sum += f64::from(u);
            own += f64::from(u) * f64::from(u);
        }
    }
    let pairs = (tokens * tokens.saturating_sub(1)) as f64;
    (sum.iter().map(|s| s * s).sum::<f64>() - own) / pairs
}

fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for (x, y) in x.chunks(8).zip(y.chunks(8)) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    sums.iter().sum()
}

/// At most `most` of `0..n`, evenly spaced from the first on.
pub fn evenly(n: usize, most: usize) -> Vec<usize> {
    let kept = n.min(most);
    (0..kept).map(|i| i * n / kept).collect()
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};

    use super::*;

    fn values(n: usize) -> Vec<f32> {
        normals(&mut Streams::new(8).stream("x"), n).iter().map(|&x| (x + 0.5) as f32).collect()
    }

    fn cosine(x: &[f32], y: &[f32]) -> f64 {
        let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
        dot(x, y) / (dot(x, x) * dot(y, y)).sqrt()
    }

    #[test]
    fn agrees_with_the_slow_twin() {
        let (sequences, tokens, width) = (3, 5, 7);
        let values = values(sequences * tokens * width);
        let at = |s: usize, t: usize| &values[(s * tokens + t) * width..(s * tokens + t + 1) * width];
        let found = similarity(&values, tokens, width);
        let mut off = 0.0;
        for i in 0..tokens {
            for j in 0..tokens {
                let mean = (0..sequences).map(|s| cosine(at(s, i), at(s, j))).sum::<f64>() / sequences as f64;
                assert!((f64::from(found.matrix.values[i * tokens + j]) - mean).abs() < 1e-6);
                off += if i == j { 0.0 } else { mean / (tokens * (tokens - 1)) as f64 };
            }
        }
        assert!((f64::from(found.mean_cosine) - off).abs() < 1e-6);
    }

    #[test]
    fn collapsed_tokens_have_cosine_one_and_opposite_ones_less() {
        let collapsed: Vec<f32> = (1..=4).flat_map(|scale| [1.0, -2.0, 0.5].map(|x| x * scale as f32)).collect();
        assert!((similarity(&collapsed, 4, 3).mean_cosine - 1.0).abs() < 1e-6);
        assert!((similarity(&[1.0, 0.0, -1.0, 0.0], 2, 2).mean_cosine + 1.0).abs() < 1e-6);
        assert!(similarity(&[1.0, 0.0, 0.0, 1.0], 2, 2).mean_cosine.abs() < 1e-6);
    }

    #[test]
    fn tokens_without_direction_are_like_nothing_and_broken_ones_break_the_mean() {
        let found = similarity(&[0.0, 0.0, 1.0, 1.0], 2, 2);
        assert_eq!(found.mean_cosine, 0.0);
        assert_eq!(found.matrix.values[..3], [0.0; 3]);
        assert!(similarity(&[f32::NAN, 0.0, 1.0, 1.0], 2, 2).mean_cosine.is_nan());
        assert!(similarity(&[1.0, 2.0], 1, 2).mean_cosine.is_nan());
    }

    #[test]
    fn of_many_tokens_an_even_choice_is_shown() {
        let (tokens, width) = (130, 3);
        let values = values(2 * tokens * width);
        let found = similarity(&values, tokens, width);
        assert_eq!((found.matrix.rows, found.matrix.columns, found.matrix.values.len()), (64, 64, 4096));
        let chosen = evenly(tokens, MOST_TOKENS);
        assert!(chosen.windows(2).all(|w| w[1] - w[0] == 2 || w[1] - w[0] == 3));
        let (i, j) = (chosen[3], chosen[60]);
        let token = |s: usize, t: usize| &values[(s * tokens + t) * width..][..width];
        let mean = (cosine(token(0, i), token(0, j)) + cosine(token(1, i), token(1, j))) / 2.0;
        assert!((f64::from(found.matrix.values[3 * 64 + 60]) - mean).abs() < 1e-6);
    }
}
