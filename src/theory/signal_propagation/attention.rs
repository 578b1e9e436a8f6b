//! Softmax attention on tokens that may be nearly equal, and the Jacobians of its outputs by queries, keys and values.

use faer::MatRef;

use super::tokens::{Gram, Tokens, product};

/// `A = 1 common' + rest`, rows that sum to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// What all tokens attend to, `[n]`.
    pub common: Vec<f64>,
    /// What each differs by, `[n, n]`; its rows sum to 0.
    pub rest: Vec<f64>,
}

impl Weights {
    pub fn uniform(n: usize) -> Self {
        Self { common: vec![1.0 / n as f64; n], rest: vec![0.0; n * n] }
    }

    /// `softmax(scale Q K')`.
    ///
    /// The logits are `scale (q_mean + q_i).(k_mean + k_j)`. What doesn't depend on j drops out; `common` is the softmax of
    /// what doesn't depend on i, and the rest is what `t_ij = scale q_i . k_j` changes in it, which is of second order in
    /// the tokens' differences.
    pub fn softmax(queries: &Tokens, keys: &Tokens, scale: f64) -> Self {
        let (n, d) = (keys.count(), keys.width());
        let (query_mean, query_rest) = queries.split();
        let (_, key_rest) = keys.split();
        let keys = MatRef::from_row_major_slice(key_rest, n, d).transpose();
        let shared = product(MatRef::from_row_major_slice(query_mean, 1, d), keys);
        let common = softmax(shared.iter().map(|z| scale * z));
        let own = product(MatRef::from_row_major_slice(query_rest, n, d), keys);
        let mut rest = Vec::with_capacity(n * n);
        for own in own.chunks_exact(n) {
            if own.iter().all(|t| (scale * t).abs() < 0.5) {
                let growth: Vec<f64> = own.iter().map(|t| (scale * t).exp_m1()).collect();
                let mean: f64 = growth.iter().zip(&common).map(|(g, p)| p * g).sum();
                rest.extend(growth.iter().zip(&common).map(|(g, p)| p * (g - mean) / (1.0 + mean)));
            } else {
                let row = softmax(own.iter().zip(&shared).map(|(t, z)| scale * (t + z)));
                rest.extend(row.iter().zip(&common).map(|(a, p)| a - p));
            }
        }
        Self { common, rest }
    }

    /// A, `[n, n]`.
    pub fn plain(&self) -> Vec<f64> {
        let n = self.common.len();
        (0..n * n).map(|at| self.common[at % n] + self.rest[at]).collect()
    }
}

fn softmax(logits: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let largest = logits.clone().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logits.map(|z| (z - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}

/// Squared Frobenius norms of the Jacobians of `S = softmax(scale X W_Q W_K' X') X W_V` by its three matrices: not the
/// gradients of a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JacobianNorms {
    /// `|dS/dW_Q|_F^2`
    pub queries: f64,
    /// `|dS/dW_K|_F^2`
    pub keys: f64,
    /// `|dS/dW_V|_F^2`
    pub values: f64,
}

/// What the Jacobians are made of: Grams of inputs, keys and values, and the queries' squares.
pub struct Parts<'a> {
    pub inputs: &'a Gram,
    pub queries: &'a [f64],
    pub keys: &'a Gram,
    pub values: &'a Gram,
    /// Columns of `W_V`.
    pub value_width: usize,
    /// `tau / sqrt(d_k)`.
    pub scale: f64,
}

impl JacobianNorms {
    /// For any attention weights, exactly: with `Cov_i` the covariance under row i of A,
    ///
    /// `|dS/dW_Q|^2 = scale^2 sum_i |x_i|^2 |Cov_i(k, v)|^2`, `|dS/dW_K|^2 = scale^2 sum_i |q_i|^2 |Cov_i(x, v)|^2`,
    /// `|dS/dW_V|^2 = d |A X|^2`.
    ///
    /// `|Cov(k, v)|^2 = a'(K o V)a - 2 sum_j a_j (Ka)_j (Va)_j + (a'Ka)(a'Va)` with Grams K, V of the differences from the
    /// mean token.
    pub fn of(weights: &Weights, parts: &Parts) -> Self {
        let n = weights.common.len();
        let a = weights.plain();
        let rows = MatRef::from_row_major_slice(&a, n, n);
        let under = |gram: &[f64]| product(rows, MatRef::from_row_major_slice(gram, n, n));
        let (inputs, keys, values) = (parts.inputs.of_rests(), parts.keys.of_rests(), parts.values.of_rests());
        let (of_inputs, of_keys, of_values) = (under(&inputs), under(&keys), under(&values));
        let covariances = |gram: &[f64], of_gram: &[f64]| -> Vec<f64> {
            let both: Vec<f64> = gram.iter().zip(&values).map(|(k, v)| k * v).collect();
            let of_both = under(&both);
            let mut squares = Vec::with_capacity(n);
            for i in 0..n {
                let row = i * n..(i + 1) * n;
                let (mut square, mut crossed, mut left, mut right) = (0.0, 0.0, 0.0, 0.0);
                for j in row.clone() {
                    square += a[j] * of_both[j];
                    crossed += a[j] * of_gram[j] * of_values[j];
                    left += a[j] * of_gram[j];
                    right += a[j] * of_values[j];
                }
                let found = square - 2.0 * crossed + left * right;
                // Attention to a single token leaves a covariance far below the terms of that sum.
                squares.push(if found > 1e-6 * square {
                    found
                } else {
                    centred_product(&a[row.clone()], [gram, &values], [&of_gram[row.clone()], &of_values[row]])
                });
            }
            squares
        };
        let weighted = |squares: Vec<f64>, by: &[f64]| -> f64 {
            parts.scale.powi(2) * squares.iter().zip(by).map(|(c, x)| c * x).sum::<f64>()
        };
        // |A X|^2 = sum_i |mean + sum_j a_ij rest_j|^2.
        let with_mean = parts.inputs.with_mean();
        let mixed: f64 = (0..n * n).map(|at| a[at] * (2.0 * with_mean[at % n] + of_inputs[at])).sum::<f64>()
            + n as f64 * parts.inputs.mean_square();
        Self {
            queries: weighted(covariances(&keys, &of_keys), &parts.inputs.squares()),
            keys: weighted(covariances(&inputs, &of_inputs), parts.queries),
            values: parts.value_width as f64 * mixed,
        }
    }
}

/// `sum_jl a_j a_l K_jl V_jl` with both Grams centred about their means under the weights a, term by term.
fn centred_product(a: &[f64], grams: [&[f64]; 2], under: [&[f64]; 2]) -> f64 {
    let n = a.len();
    let means = under.map(|under| a.iter().zip(under).map(|(a, g)| a * g).sum::<f64>());
    let mut sum = 0.0;
    for j in 0..n {
        for l in 0..n {
            let centred = |k: usize| grams[k][j * n + l] - under[k][j] - under[k][l] + means[k];
            sum += a[j] * a[l] * centred(0) * centred(1);
        }
    }
    sum.max(0.0)
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Stream, Streams, normals};

    use super::super::super::token_alignment::{query_gradient, value_gradient};
    use super::*;

    struct Layer {
        x: Tokens,
        queries: Vec<f64>,
        keys: Vec<f64>,
        values: Vec<f64>,
        scale: f64,
    }

    const WIDTH: usize = 6;

    impl Layer {
        fn drawn(stream: &mut Stream, cosine: f64, tau: f64) -> Self {
            let x = Tokens::correlated(5, cosine, &normals(stream, 6 * WIDTH));
            let mut weight = || normals(stream, WIDTH * WIDTH).into_iter().map(|w| 0.5 * w).collect();
            Self { x, queries: weight(), keys: weight(), values: weight(), scale: tau / (WIDTH as f64).sqrt() }
        }

        /// S, from the textbook.
        fn outputs(&self) -> Vec<f64> {
            let (q, k) = (self.x.times(&self.queries).plain(), self.x.times(&self.keys).plain());
            let v = self.x.times(&self.values).plain();
            let rows = |of: &[f64], i: usize| of[i * WIDTH..(i + 1) * WIDTH].to_vec();
            let n = self.x.count();
            (0..n)
                .flat_map(|i| {
                    let logit =
                        |j: usize| rows(&q, i).iter().zip(rows(&k, j)).map(|(a, b)| a * b).sum::<f64>() * self.scale;
                    let sum: f64 = (0..n).map(|j| logit(j).exp()).sum();
                    let a: Vec<f64> = (0..n).map(|j| logit(j).exp() / sum).collect();
                    (0..WIDTH).map(|c| (0..n).map(|j| a[j] * v[j * WIDTH + c]).sum()).collect::<Vec<f64>>()
                })
                .collect()
        }

        fn norms(&self) -> JacobianNorms {
            let (q, k, v) = (self.x.times(&self.queries), self.x.times(&self.keys), self.x.times(&self.values));
            let weights = Weights::softmax(&q, &k, self.scale);
            let parts = Parts {
                inputs: &self.x.gram(),
                queries: &q.squares(),
                keys: &k.gram(),
                values: &v.gram(),
                value_width: WIDTH,
                scale: self.scale,
            };
            JacobianNorms::of(&weights, &parts)
        }

        fn differences(&mut self, of: fn(&mut Self) -> &mut Vec<f64>) -> f64 {
            let h = 1e-5;
            (0..WIDTH * WIDTH)
                .map(|at| {
                    of(self)[at] += h;
                    let above = self.outputs();
                    of(self)[at] -= 2.0 * h;
                    let below = self.outputs();
                    of(self)[at] += h;
                    above.iter().zip(below).map(|(a, b)| ((a - b) / (2.0 * h)).powi(2)).sum::<f64>()
                })
                .sum()
        }
    }

    #[test]
    fn attention_of_tokens_and_differences_is_attention() {
        let mut stream = Streams::new(0).stream("attention");
        for tau in [0.1, 1.0, 8.0] {
            let layer = Layer::drawn(&mut stream, 0.4, tau);
            let (q, k) = (layer.x.times(&layer.queries), layer.x.times(&layer.keys));
            let weights = Weights::softmax(&q, &k, layer.scale);
            let found = layer.x.times(&layer.values).mixed(&weights.common, &weights.rest).plain();
            for (a, b) in found.iter().zip(layer.outputs()) {
                assert!((a - b).abs() < 1e-13, "{a} {b}");
            }
        }
    }

    /// Invariant 3, at any weights: central differences of the true softmax.
    #[test]
    fn jacobians_are_central_differences_of_the_true_softmax() {
        let mut stream = Streams::new(1).stream("attention");
        // At 40 most rows attend to one token alone.
        for tau in [0.7, 3.0, 40.0] {
            let mut layer = Layer::drawn(&mut stream, 0.2, tau);
            let found = layer.norms();
            for (found, known) in [
                (found.queries, layer.differences(|l| &mut l.queries)),
                (found.keys, layer.differences(|l| &mut l.keys)),
                (found.values, layer.differences(|l| &mut l.values)),
            ] {
                assert!((found / known - 1.0).abs() < 1e-6, "{tau}: {found} {known}");
            }
        }
    }

    /// Invariants 3 and 5, at `W_Q = 0`, where attention is uniform: central differences, the closed form, linear in tau.
    #[test]
    fn at_zero_queries_the_closed_forms_hold_and_the_gradient_is_linear_in_tau() {
        let mut stream = Streams::new(2).stream("attention");
        let mut layer = Layer::drawn(&mut stream, 0.2, 1.0);
        layer.queries.fill(0.0);
        let found = layer.norms();
        let known = layer.differences(|l| &mut l.queries);
        assert!((found.queries / known - 1.0).abs() < 1e-6, "{found:?} {known}");
        let plain = layer.x.plain();
        let matrix = |of: &[f64]| faer::Mat::from_fn(of.len() / WIDTH, WIDTH, |i, j| of[i * WIDTH + j]);
        let (x, keys, values) = (matrix(&plain), matrix(&layer.keys), matrix(&layer.values));
        let closed = query_gradient(x.as_ref(), keys.as_ref(), values.as_ref(), 1.0);
        assert!((found.queries / closed - 1.0).abs() < 1e-12, "{found:?} {closed}");
        assert!((found.values / value_gradient(x.as_ref()) - 1.0).abs() < 1e-12);
        assert!(found.keys == 0.0, "no queries, nothing to learn for keys");
        layer.scale *= 3.0;
        assert!((layer.norms().queries / found.queries - 9.0).abs() < 1e-12);
    }

    /// Invariant 4: the theorem, with the true softmax.
    #[test]
    fn equal_tokens_give_queries_and_keys_no_gradient_and_stay_equal() {
        let mut stream = Streams::new(3).stream("attention");
        let mut layer = Layer::drawn(&mut stream, 0.5, 2.0);
        layer.x = layer.x.mixed(&[0.2; 5], &[0.0; 25]);
        let found = layer.norms();
        assert!(found.queries.sqrt() < 1e-12 * found.values.sqrt() && found.keys.sqrt() < 1e-12 * found.values.sqrt());
        assert!(found.values > 1.0);
        let plain = layer.outputs();
        assert!(plain.chunks_exact(WIDTH).all(|row| row.iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-13)));
    }
}
