//! How far the tokens of a sequence are from being all the same.

/// Distance to the mean token, relative to the whole: `||X - 1 m'||_F / ||X||_F` with the mean token m of a sequence
/// `X = [tokens, width]`; the mean over the sequences of `values = [B, tokens, width]`, row-major (Dong et al. 2021's
/// residual, in the Frobenius norm).
///
/// 0: rank collapse, all tokens are one vector (unlike cosines, lengths count, too); 1: the tokens have no mean in
/// common. Without skips and MLPs it falls doubly exponentially with depth; computed in f64 from differences to the mean,
/// so that small values are right. NaN where a sequence is all zero or not finite, and without sequences.
pub fn mean_token_distance<T: Copy + Into<f64>>(values: &[T], tokens: usize, width: usize) -> f64 {
    let sequences = values.chunks_exact((tokens * width).max(1));
    let count = sequences.len() as f64;
    let mut mean = vec![0.0; width];
    let distances = sequences.map(|sequence| {
        mean.fill(0.0);
        for token in sequence.chunks_exact(width) {
            for (m, &x) in mean.iter_mut().zip(token) {
                *m += x.into() / tokens as f64;
            }
        }
        let (mut apart, mut whole) = (0.0, 0.0);
        for token in sequence.chunks_exact(width) {
            for (m, &x) in mean.iter().zip(token) {
                let x: f64 = x.into();
                apart += (x - m).powi(2);
                whole += x * x;
            }
        }
        (apart / whole).sqrt()
    });
    distances.sum::<f64>() / count
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};

    use super::*;

    #[test]
    fn equal_tokens_are_at_zero_and_opposite_ones_at_one() {
        assert!(mean_token_distance(&[1.0, -2.0, 1.0, -2.0, 1.0, -2.0], 3, 2) < 1e-15);
        assert_eq!(mean_token_distance(&[1.0, -2.0, -1.0, 2.0_f32], 2, 2), 1.0);
        // Parallel, but not equal: 1 and 3 lie 1 from their mean 2; 2 / 10 of the squares.
        assert!((mean_token_distance(&[1.0, 0.0, 3.0, 0.0], 2, 2) - 0.2_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn it_follows_the_sums_of_all_and_of_own_products() {
        // ||X - 1 m'||^2 = M - C/n with M = ||X||^2 and C = sum over all pairs (Noci et al. 2022), a sequence at a time.
        let (sequences, tokens, width) = (3, 5, 4);
        let x: Vec<f64> =
            normals(&mut Streams::new(3).stream("x"), sequences * tokens * width).iter().map(|x| x + 0.6).collect();
        let mut known = 0.0;
        for sequence in x.chunks(tokens * width) {
            let own: f64 = sequence.iter().map(|x| x * x).sum();
            let sum = |j: usize| (0..tokens).map(|t| sequence[t * width + j]).sum::<f64>();
            let all: f64 = (0..width).map(|j| sum(j).powi(2)).sum();
            known += ((own - all / tokens as f64) / own).sqrt() / sequences as f64;
        }
        let found = mean_token_distance(&x, tokens, width);
        assert!((found - known).abs() < 1e-13, "{found} {known}");
        let scaled: Vec<f64> = x.iter().map(|x| -7.0 * x).collect();
        assert!((mean_token_distance(&scaled, tokens, width) - known).abs() < 1e-13);
    }

    #[test]
    fn small_distances_are_not_lost_in_rounding() {
        // Tokens (1, +-e): the squares of e are below the resolution of 1.
        let e = 1e-11;
        let found = mean_token_distance(&[1.0, e, 1.0, -e], 2, 2);
        assert!((found / e - 1.0).abs() < 1e-9, "{found}");
    }

    #[test]
    fn nothing_has_no_distance() {
        assert!(mean_token_distance(&[0.0; 4], 2, 2).is_nan());
        assert!(mean_token_distance(&[f32::NAN, 1.0], 2, 1).is_nan());
        assert!(mean_token_distance::<f64>(&[], 2, 2).is_nan());
    }
}
