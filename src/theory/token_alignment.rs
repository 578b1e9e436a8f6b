//! How fast the tokens of a transformer align with depth, and what that does to the gradients of queries and keys.
//!
//! Noci et al. 2022 (arXiv:2206.03126). A block is `Z = X + alpha_1 A X W_V`, `X+ = Z + alpha_2 Z W_1 W_2` on `n` tokens
//! of width d, with weights of variance `sigma^2 / d`, *uniform attention* `A = 1 1' / n` and a linear MLP. Real networks
//! differ: softmax attention at the start is nearly uniform, and a rectifier turns correlations further.

use faer::{Mat, MatRef};

/// A residual stream of `tokens` tokens under uniform attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alignment {
    pub tokens: usize,
    /// `a_1 = alpha_1^2 sigma^2` of the attention branches.
    pub attention: f64,
    /// `a_2 = alpha_2^2 sigma^4` of the MLP branches.
    pub mlp: f64,
}

/// Expected second moments of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// `C = sum_kk' <x_k, x_k'>`.
    pub sum: f64,
    /// `M = |X|_F^2`.
    pub square: f64,
}

impl Moments {
    /// Tokens of length 1 with mean correlation `cosine` between different ones.
    pub fn of_unit_tokens(tokens: usize, cosine: f64) -> Self {
        let n = tokens as f64;
        Self { sum: n * (1.0 + (n - 1.0) * cosine), square: n }
    }

    /// `(C - M) / ((n - 1) M)`: the mean cosine of different tokens, as a ratio of expectations; 0 for a single token.
    pub fn cosine(self, tokens: usize) -> f64 {
        if tokens < 2 { 0.0 } else { (self.sum - self.square) / ((tokens - 1) as f64 * self.square) }
    }

    /// `D / M` with `D = M - C/n`: the share of the squared norm that isn't the mean token's.
    pub fn residual_share(self, tokens: usize) -> f64 {
        1.0 - self.sum / (tokens as f64 * self.square)
    }
}

impl Alignment {
    /// `E C+ = (1 + a_1)(1 + a_2) C`, `E M+ = (1 + a_2)(M + a_1 C / n)`, exactly.
    pub fn block(&self, before: Moments) -> Moments {
        let (a, b) = (1.0 + self.attention, 1.0 + self.mlp);
        let square = before.square + self.attention * before.sum / self.tokens as f64;
        Moments { sum: a * b * before.sum, square: b * square }
    }

    /// Mean cosine after `blocks` blocks: with `s = 1 + (n - 1) rho_0`, `G = (1 + a_1)^L`,
    /// `rho_L = (n G s / (n - s + G s) - 1) / (n - 1)`. The MLP drops out.
    pub fn cosine(&self, start: f64, blocks: usize) -> f64 {
        cosine_of_growth(self.tokens, start, (1.0 + self.attention).powf(blocks as f64))
    }
}

/// Limit of [`Alignment::cosine`] for `alpha_1^2 sigma^2 = scaled / L` and `L -> inf`: `G = e^scaled`.
pub fn cosine_at_infinite_depth(tokens: usize, start: f64, scaled: f64) -> f64 {
    cosine_of_growth(tokens, start, scaled.exp())
}

fn cosine_of_growth(tokens: usize, start: f64, growth: f64) -> f64 {
    if tokens < 2 {
        return 0.0;
    }
    let n = tokens as f64;
    let s = 1.0 + (n - 1.0) * start;
    // Divided by G, so that growth beyond all numbers still gives the limit.
    (n * s / ((n - s) / growth + s) - 1.0) / (n - 1.0)
}

/// What the gradients of one attention layer `S = softmax(tau X W_Q W_K' X' / sqrt(d_k)) X W_V` are made of, for Gaussian
/// features with variance `variance` and correlation `cosine` between tokens, entries of the weights of variance `1/d`, at
/// uniform attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionGradients {
    pub tokens: usize,
    pub width: usize,
    pub variance: f64,
    pub cosine: f64,
    pub inverse_temperature: f64,
}

impl AttentionGradients {
    /// `E |dS/dW_V|_F^2 = s_x^2 d^2 (1 + (n - 1) rho)`, the squared Frobenius norm of the Jacobian.
    pub fn values(&self) -> f64 {
        let (n, d) = (self.tokens as f64, self.width as f64);
        self.variance * d * d * (1.0 + (n - 1.0) * self.cosine)
    }

    /// `E |dS/dW_Q|_F^2 = tau^2 s_x^6 ((n - 1)/n) (1 - rho)^2 d (n + d)`, the same of `W_K`: 0 once the tokens are one.
    ///
    /// Leading order in n and d (3 % off at n = 16, d = 64).
    pub fn queries(&self) -> f64 {
        let (n, d) = (self.tokens as f64, self.width as f64);
        let scale = self.inverse_temperature.powi(2) * self.variance.powi(3);
        scale * (n - 1.0) / n * (1.0 - self.cosine).powi(2) * d * (n + d)
    }
}

/// `|dS/dW_Q|_F^2` at `W_Q = 0` for given features `x` `[n, d]`, `keys` `[d, d_k]` and `values` `[d, d]`:
/// `tau^2 |X|_F^2 / (n^2 d_k) |W_K' X' X_c W_V|_F^2` with `X_c = X - 1 mean'`. Exact.
pub fn query_gradient(x: MatRef<f64>, keys: MatRef<f64>, values: MatRef<f64>, inverse_temperature: f64) -> f64 {
    let mean = mean_token(x);
    let centred = Mat::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)] - mean[j]);
    let keyed = (x * keys).transpose() * (centred * values);
    let (n, key_width) = (x.nrows() as f64, keys.ncols() as f64);
    inverse_temperature.powi(2) * x.squared_norm_l2() / (n * n * key_width) * keyed.squared_norm_l2()
}

/// `|dS/dW_V|_F^2` at uniform attention, for given features `[n, d]`: `d n |mean|^2`.
pub fn value_gradient(x: MatRef<f64>) -> f64 {
    (x.nrows() * x.ncols()) as f64 * mean_token(x).iter().map(|m| m * m).sum::<f64>()
}

fn mean_token(x: MatRef<f64>) -> Vec<f64> {
    (0..x.ncols()).map(|j| (0..x.nrows()).map(|i| x[(i, j)]).sum::<f64>() / x.nrows() as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Stream, Streams, normals};

    fn random(stream: &mut Stream, rows: usize, columns: usize, variance: f64) -> Mat<f64> {
        let draws = normals(stream, rows * columns);
        Mat::from_fn(rows, columns, |i, j| variance.sqrt() * draws[i * columns + j])
    }

    /// Gaussian tokens with correlation `cosine` and variance 1 a feature.
    fn features(stream: &mut Stream, n: usize, d: usize, cosine: f64) -> Mat<f64> {
        let (common, own) = (random(stream, 1, d, cosine), random(stream, n, d, 1.0 - cosine));
        Mat::from_fn(n, d, |i, j| common[(0, j)] + own[(i, j)])
    }

    fn moments(x: &Mat<f64>) -> Moments {
        let n = x.nrows() as f64;
        Moments { sum: n * n * mean_token(x.as_ref()).iter().map(|m| m * m).sum::<f64>(), square: x.squared_norm_l2() }
    }

    fn attended(x: &Mat<f64>) -> Mat<f64> {
        let mean = mean_token(x.as_ref());
        Mat::from_fn(x.nrows(), x.ncols(), |_, j| mean[j])
    }

    /// Means and their standard errors over drawn networks, against the recursions: alpha = 1 and alpha = L^-1/2.
    #[test]
    fn recursions_are_the_means_of_drawn_networks() {
        let (n, d, blocks, draws) = (6, 24, 8, 400);
        for scale in [1.0, 1.0 / 8.0_f64.sqrt()] {
            let alignment = Alignment { tokens: n, attention: scale * scale, mlp: scale * scale };
            let mut stream = Streams::new(3).stream("networks");
            let x = features(&mut stream, n, d, 0.2);
            let start = moments(&x);
            let ends: Vec<Moments> = (0..draws)
                .map(|_| {
                    let mut h = x.clone();
                    for _ in 0..blocks {
                        let mut weight = || random(&mut stream, d, d, 1.0 / d as f64);
                        let mixed = attended(&h) * weight();
                        h = &h + scale * mixed;
                        let branch = &h * weight() * weight();
                        h = &h + scale * branch;
                    }
                    moments(&h)
                })
                .collect();
            let known = (0..blocks).fold(start, |at, _| alignment.block(at));
            let check = |of: &dyn Fn(&Moments) -> f64, known: f64| {
                let mean = ends.iter().map(of).sum::<f64>() / draws as f64;
                let spread = ends.iter().map(|m| (of(m) - mean).powi(2)).sum::<f64>() / (draws - 1) as f64;
                let error = (spread / draws as f64).sqrt();
                assert!((mean - known).abs() < 4.0 * error, "{mean} ± {error}, known {known}");
                assert!(error < 0.1 * known);
                mean
            };
            let sum = check(&|m| m.sum, known.sum);
            let square = check(&|m| m.square, known.square);
            check(&|m| m.square - m.sum / n as f64, known.square - known.sum / n as f64);
            // The closed form is the ratio of the expectations.
            let found = Moments { sum, square }.cosine(n);
            let closed = alignment.cosine(start.cosine(n), blocks);
            assert!((known.cosine(n) - closed).abs() < 1e-12);
            assert!((found - closed).abs() < 0.02, "{found} {closed}");
        }
    }

    /// By hand: n = 2, rho = 0, G = 2: s = 1, 2 * 2 / (1 + 2) - 1 = 1/3.
    #[test]
    fn closed_forms_by_hand_and_in_their_limits() {
        let alignment = Alignment { tokens: 2, attention: 1.0, mlp: 0.3 };
        assert!((alignment.cosine(0.0, 1) - 1.0 / 3.0).abs() < 1e-15);
        assert!((alignment.cosine(0.4, 0) - 0.4).abs() < 1e-15);
        assert!((alignment.cosine(0.1, 5_000) - 1.0).abs() < 1e-12, "alpha = 1 collapses");
        // alpha^2 = a/L stays away from 1 at any depth.
        let deep = Alignment { tokens: 16, attention: 1.0 / 1e6, mlp: 0.0 }.cosine(0.2, 1_000_000);
        let limit = cosine_at_infinite_depth(16, 0.2, 1.0);
        assert!((deep - limit).abs() < 1e-6 && limit < 0.5, "{deep} {limit}");
        // D / (C/n) falls as (1 + a_1)^-L.
        let start = Moments::of_unit_tokens(7, 0.3);
        let ratio = |m: Moments| m.residual_share(7) / (1.0 - m.residual_share(7));
        let block = Alignment { tokens: 7, attention: 0.6, mlp: 0.2 };
        let end = (0..5).fold(start, |at, _| block.block(at));
        assert!((ratio(end) / ratio(start) - 1.6_f64.powi(-5)).abs() < 1e-12);
        assert_eq!(Moments::of_unit_tokens(1, 0.0).cosine(1), 0.0);
    }

    fn attention(x: &Mat<f64>, queries: &Mat<f64>, keys: &Mat<f64>, values: &Mat<f64>, tau: f64) -> Mat<f64> {
        let logits = x * queries * (x * keys).transpose();
        let scale = tau / (keys.ncols() as f64).sqrt();
        let n = x.nrows();
        let weight = |i: usize, j: usize| (scale * logits[(i, j)]).exp();
        let a = Mat::from_fn(n, n, |i, j| weight(i, j) / (0..n).map(|k| weight(i, k)).sum::<f64>());
        a * x * values
    }

    /// Central differences of the true softmax, one entry of the matrix at a time.
    fn differences(f: impl Fn(&Mat<f64>) -> Mat<f64>, at: &Mat<f64>) -> f64 {
        let h = 1e-4;
        let mut sum = 0.0;
        for i in 0..at.nrows() {
            for j in 0..at.ncols() {
                let moved = |by: f64| {
                    let mut at = at.clone();
                    at[(i, j)] += by;
                    f(&at)
                };
                sum += ((moved(h) - moved(-h)) * (0.5 / h)).squared_norm_l2();
            }
        }
        sum
    }

    #[test]
    fn gradients_are_central_differences_and_vanish_when_tokens_are_one() {
        let (n, d, d_k) = (5, 7, 3);
        let mut stream = Streams::new(1).stream("weights");
        let x = features(&mut stream, n, d, 0.4);
        let (keys, values) = (random(&mut stream, d, d_k, 0.3), random(&mut stream, d, d, 0.3));
        let zero = Mat::zeros(d, d_k);
        for tau in [1.0, 2.5] {
            let found = query_gradient(x.as_ref(), keys.as_ref(), values.as_ref(), tau);
            let known = differences(|queries| attention(&x, queries, &keys, &values, tau), &zero);
            assert!((found / known - 1.0).abs() < 1e-6, "{found} {known}");
        }
        let known = differences(|values| attention(&x, &zero, &keys, values, 1.0), &values);
        assert!((value_gradient(x.as_ref()) / known - 1.0).abs() < 1e-9);
        // One token n times: rank 1.
        let same = attended(&x);
        let (queries, of_values) =
            (query_gradient(same.as_ref(), keys.as_ref(), values.as_ref(), 1.0), value_gradient(same.as_ref()));
        assert!(queries < 1e-24 * of_values && of_values > 1.0, "{queries} {of_values}");
    }

    #[test]
    fn mean_gradients_are_those_of_drawn_features_and_weights() {
        for (n, d, cosine) in [(16, 64, 0.0), (16, 64, 0.5), (16, 64, 0.9), (48, 32, 0.5)] {
            let mut stream = Streams::new(2).stream("draws");
            let draws = 150;
            let (mut queries, mut values) = (0.0, 0.0);
            for _ in 0..draws {
                let x = features(&mut stream, n, d, cosine);
                let mut weight = || random(&mut stream, d, d, 1.0 / d as f64);
                let (keys, v) = (weight(), weight());
                queries += query_gradient(x.as_ref(), keys.as_ref(), v.as_ref(), 1.3) / draws as f64;
                values += value_gradient(x.as_ref()) / draws as f64;
            }
            let known = AttentionGradients { tokens: n, width: d, variance: 1.0, cosine, inverse_temperature: 1.3 };
            let (q, v) = (queries / known.queries(), values / known.values());
            // Three standard errors of 150 draws and the terms left out: 8 %.
            assert!((q - 1.0).abs() < 0.08 && (v - 1.0).abs() < 0.08, "{n} {d} {cosine}: {q} {v}");
        }
    }
}
