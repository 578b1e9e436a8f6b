//! Many paths of a shaped transformer's token covariance: of the stochastic differential equation, and of networks of
//! finite width, drawn exactly in law without their weights.

use rand_distr::{ChiSquared, Distribution, StandardNormal};
use rayon::prelude::*;

use crate::base::rng::{Stream, Streams, normals};

use super::shaped_transformer::{Shaped, correlation, root, sandwich, times, times_transposed};

/// A variance beyond which a path counts as exploded.
const EXPLODED: f64 = 1e6;

/// Networks of finite width: what is shaped can be taken away one by one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    pub shaped: Shaped,
    /// n, at least the number of tokens.
    pub width: usize,
    /// `n_k`.
    pub key_width: usize,
    /// Attention is `I + softmax - 1 1'/m`; else it is the softmax alone.
    pub centred: bool,
    /// Logits are divided by `tau_0 sqrt(n)`; else by `tau_0`.
    pub temperature_grows: bool,
    /// Slopes are `1 + c/sqrt(n)`; else those of the rectifier.
    pub slopes_shrink: bool,
}

/// What was kept of many paths.
#[derive(Clone, Debug, PartialEq)]
pub struct Paths {
    /// `t = layer / n`.
    pub times: Vec<f64>,
    /// Correlation of the first two tokens, `[time][path]`; NaN from a path's explosion on.
    pub correlations: Vec<Vec<f64>>,
    /// Variance `V_11` of the first token, `[time][path]`; infinite from a path's explosion on.
    pub variances: Vec<Vec<f64>>,
}

impl Paths {
    /// Paths that had exploded by each time.
    pub fn exploded(&self) -> Vec<usize> {
        self.variances.iter().map(|v| v.iter().filter(|v| v.is_infinite()).count()).collect()
    }

    fn gather(times: Vec<f64>, paths: &[Vec<[f64; 2]>]) -> Self {
        let column = |of: usize| (0..times.len()).map(|t| paths.iter().map(|path| path[t][of]).collect()).collect();
        let (correlations, variances) = (column(0), column(1));
        Self { times, correlations, variances }
    }
}

/// Euler-Maruyama paths from `start` `[m, m]` up to time `end`, in steps of about `dt`, kept at `kept + 1` equally spaced
/// times. The same for any number of threads.
pub fn diffusion(
    shaped: &Shaped,
    start: &[f64],
    end: f64,
    dt: f64,
    kept: usize,
    paths: usize,
    streams: Streams,
) -> Paths {
    let each = (end / dt / kept as f64).ceil().max(1.0) as usize;
    let dt = end / (each * kept) as f64;
    let draw = |path: usize| {
        let mut stream = streams.indexed("diffusion", path as u64);
        follow(shaped.tokens, start, kept, |v| {
            for _ in 0..each {
                let draws: Vec<f64> = normals(&mut stream, shaped.draws()).into_iter().map(|z| z * dt.sqrt()).collect();
                let (drift, noise) = (shaped.drift(v), shaped.noise(&root(shaped.tokens, v), &draws));
                v.iter_mut().zip(drift).zip(noise).for_each(|((v, b), w)| *v += b * dt + w);
                // A large step may leave the semidefinite cone; a variance stays positive.
                (0..shaped.tokens).for_each(|a| v[a * shaped.tokens + a] = v[a * shaped.tokens + a].max(1e-12));
            }
        })
    };
    let found: Vec<_> = (0..paths).into_par_iter().map(draw).collect();
    Paths::gather((0..=kept).map(|k| end * k as f64 / kept as f64).collect(), &found)
}

/// Networks with `layers` blocks, drawn layer by layer on the covariance alone; kept after `kept + 1` equally spaced blocks
/// (`layers` is rounded up to a multiple of `kept`).
pub fn networks(network: &Network, start: &[f64], layers: usize, kept: usize, count: usize, streams: Streams) -> Paths {
    let each = layers.div_ceil(kept);
    let draw = |path: usize| {
        let mut stream = streams.indexed("networks", path as u64);
        follow(network.shaped.tokens, start, kept, |v| {
            for _ in 0..each {
                network.block(v, &mut stream);
            }
        })
    };
    let found: Vec<_> = (0..count).into_par_iter().map(draw).collect();
    Paths::gather((0..=kept).map(|k| (each * k) as f64 / network.width as f64).collect(), &found)
}

fn follow(m: usize, start: &[f64], kept: usize, mut advance: impl FnMut(&mut Vec<f64>)) -> Vec<[f64; 2]> {
    let mut v = start.to_vec();
    let see = |v: &[f64]| [if m > 1 { correlation(m, v, 0, 1) } else { 1.0 }, v[0]];
    let mut seen = vec![see(&v)];
    let mut alive = true;
    for _ in 0..kept {
        if alive {
            advance(&mut v);
            alive = v.iter().all(|x| x.abs() < EXPLODED);
        }
        seen.push(if alive { see(&v) } else { [f64::NAN, f64::INFINITY] });
    }
    seen
}

/// What one attention branch draws, each in the basis of a root of V.
#[derive(Clone, Debug)]
pub struct AttentionDraws {
    /// `G_q G_k' / sqrt(n_k)`, `[m, m]`.
    pub logits: Vec<f64>,
    /// The part of the values along the tokens, `[m, m]` standard normal.
    pub along: Vec<f64>,
    /// `G G'` of the part across them, `[m, n - m]` standard normal.
    pub across: Vec<f64>,
}

impl Network {
    /// `lambda`, `gamma` and so on are those of the limit.
    fn block(&self, v: &mut Vec<f64>, stream: &mut Stream) {
        if self.shaped.attention {
            let draws = self.draw(stream);
            *v = self.attend(v, &draws);
        }
        if self.shaped.mlp {
            *v = self.feed(v, stream);
        }
    }

    pub fn draw(&self, stream: &mut Stream) -> AttentionDraws {
        let m = self.shaped.tokens;
        // G_q = R Q with orthonormal rows Q: G_q G_k' is R times a standard normal matrix, in law.
        let queries = factor(m, self.key_width, stream);
        let scale = (self.key_width as f64).sqrt().recip();
        let keys: Vec<f64> = normals(stream, m * m).into_iter().map(|z| z * scale).collect();
        let rest = factor(m, self.width - m, stream);
        AttentionDraws {
            logits: times(m, &queries, &keys),
            along: normals(stream, m * m),
            across: times_transposed(m, &rest, &rest),
        }
    }

    /// The covariance after an attention branch.
    ///
    /// In the basis of the tokens the values are `L (H, G)` with H along them and G across:
    /// `V+ = lambda^2 V + gamma lambda (x A' + A x') + gamma^2 A z A'`, `x = L H L'/sqrt(n)`, `z = L (H'H + G G') L'/n`.
    pub fn attend(&self, v: &[f64], draws: &AttentionDraws) -> Vec<f64> {
        let (m, n) = (self.shaped.tokens, self.width as f64);
        let l = root(m, v);
        let a = self.attention(&sandwich(m, &l, &draws.logits));
        let (x, z) = mixed(m, n, &l, &l, &draws.along, &draws.across);
        let (ax, az) = (times(m, &a, &transposed(m, &x)), times_transposed(m, &times(m, &a, &z), &a));
        self.sum(v, &ax, &az)
    }

    /// The covariance after an MLP branch of hidden width n.
    fn feed(&self, v: &[f64], stream: &mut Stream) -> Vec<f64> {
        let (m, n) = (self.shaped.tokens, self.width as f64);
        let [plus, minus] =
            if self.slopes_shrink { self.shaped.slopes.map(|c| 1.0 + c / n.sqrt()) } else { [1.0, 0.0] };
        let l = root(m, v);
        let mut hidden = vec![0.0; m * m];
        let (mut draws, mut unit) = (vec![0.0; m], vec![0.0; m]);
        for _ in 0..self.width {
            draws.fill_with(|| StandardNormal.sample(stream));
            for (a, s) in unit.iter_mut().enumerate() {
                let z: f64 = (0..=a).map(|k| l[a * m + k] * draws[k]).sum();
                *s = if z > 0.0 { plus * z } else { minus * z };
            }
            for a in 0..m {
                (0..m).for_each(|b| hidden[a * m + b] += unit[a] * unit[b]);
            }
        }
        let c = 2.0 / (plus * plus + minus * minus);
        hidden.iter_mut().for_each(|h| *h *= c / n);
        let rest = factor(m, self.width - m, stream);
        let (along, across) = (normals(stream, m * m), times_transposed(m, &rest, &rest));
        let (x, z) = mixed(m, n, &l, &root(m, &hidden), &along, &across);
        self.sum(v, &transposed(m, &x), &z)
    }

    /// `lambda^2 V + gamma lambda (x + x') + gamma^2 z`.
    fn sum(&self, v: &[f64], x: &[f64], z: &[f64]) -> Vec<f64> {
        let (m, gamma, lambda) = (self.shaped.tokens, self.shaped.gamma, self.shaped.skip());
        let cross = |at: usize| x[at] + x[at % m * m + at / m];
        (0..m * m).map(|at| lambda * lambda * v[at] + gamma * lambda * cross(at) + gamma * gamma * z[at]).collect()
    }

    /// Attention from the logits `L (G_q G_k'/sqrt(n_k)) L'`.
    fn attention(&self, logits: &[f64]) -> Vec<f64> {
        let m = self.shaped.tokens;
        let grown = if self.temperature_grows { (self.width as f64).sqrt() } else { 1.0 };
        let scale = (self.shaped.temperature * grown).recip();
        let mut a = Vec::with_capacity(m * m);
        for row in logits.chunks_exact(m) {
            let top = row.iter().fold(f64::NEG_INFINITY, |top, x| top.max(x * scale));
            let weights: Vec<f64> = row.iter().map(|x| (x * scale - top).exp()).collect();
            let sum: f64 = weights.iter().sum();
            a.extend(weights.iter().map(|w| w / sum));
        }
        if self.centred {
            let uniform = (m as f64).recip();
            (0..m * m).for_each(|at| a[at] += f64::from(u8::from(at / m == at % m)) - uniform);
        }
        a
    }
}

/// `x = X Z'/n` transposed to `L_z .. L'` and `z = Z Z'/n` for tokens with root `l` and branch outputs with root `of`.
fn mixed(m: usize, n: f64, l: &[f64], of: &[f64], along: &[f64], across: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let h = transposed(m, along);
    let mut square = times_transposed(m, &h, &h);
    square.iter_mut().zip(across).for_each(|(s, g)| *s = (*s + g) / n);
    let x = times_transposed(m, &times(m, l, along), of).into_iter().map(|x| x / n.sqrt()).collect();
    (x, sandwich(m, of, &square))
}

/// A with `A A'` distributed as `G G'`, G `[m, degrees]` standard normal: Bartlett's triangular factor, or G itself (filled
/// up with zeros) if it is narrower than high.
fn factor(m: usize, degrees: usize, stream: &mut Stream) -> Vec<f64> {
    let mut factor = vec![0.0; m * m];
    for i in 0..m {
        for j in 0..m.min(degrees) {
            factor[i * m + j] = match i.cmp(&j) {
                std::cmp::Ordering::Greater => StandardNormal.sample(stream),
                _ if degrees < m => StandardNormal.sample(stream),
                std::cmp::Ordering::Equal => chi(degrees - i, stream),
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    factor
}

/// The length of a standard normal vector with `degrees >= 1` entries.
fn chi(degrees: usize, stream: &mut Stream) -> f64 {
    ChiSquared::new(degrees as f64).map_or(0.0, |law| law.sample(stream)).sqrt()
}

fn transposed(m: usize, a: &[f64]) -> Vec<f64> {
    (0..m * m).map(|at| a[at % m * m + at / m]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::shaped_transformer::equal_tokens;
    use super::super::shaped_transformer::tests::{V, close, shaped};
    use super::*;
    use crate::base::statistics::quantile;

    fn network(shaped: Shaped, width: usize) -> Network {
        Network { shaped, width, key_width: 8, centred: true, temperature_grows: true, slopes_shrink: true }
    }

    fn mean_and_error(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, (variance / n).sqrt())
    }

    /// n times the mean change and the covariance of one layer, against b and Sigma. Signs of logits and values are drawn in
    /// pairs, and the mean change of plain values, which is 0, is taken off: else noise would hide the drift.
    #[test]
    fn one_layer_moves_as_the_limit_says() {
        let n = 2_000;
        let (shaped, draws) = (shaped(3), 20_000);
        let network = network(shaped, n);
        let mut stream = Streams::new(4).stream("layers");
        let (mut drifts, mut changes) = (vec![Vec::new(); 9], vec![Vec::new(); 9]);
        for _ in 0..draws {
            let drawn = network.draw(&mut stream);
            let flip = |m: &[f64]| m.iter().map(|x| -x).collect::<Vec<_>>();
            let mut mean = [0.0; 9];
            for (logits, along) in [(false, false), (false, true), (true, false), (true, true)] {
                let mut drawn = drawn.clone();
                if logits {
                    drawn.logits = flip(&drawn.logits);
                }
                if along {
                    drawn.along = flip(&drawn.along);
                }
                let after = network.attend(&V, &drawn);
                (0..9).for_each(|at| mean[at] += (after[at] - V[at]) / 4.0);
                if !logits && !along {
                    (0..9).for_each(|at| changes[at].push(after[at] - V[at]));
                }
            }
            let (_, z) = mixed(3, n as f64, &root(3, &V), &root(3, &V), &drawn.along, &drawn.across);
            (0..9).for_each(|at| drifts[at].push(n as f64 * (mean[at] - shaped.gamma.powi(2) * (z[at] - V[at]))));
        }
        let b = shaped.drift(&V);
        for at in 0..9 {
            let (mean, error) = mean_and_error(&drifts[at]);
            assert!((mean - b[at]).abs() < 4.0 * error + 0.03 * b[0], "{at}: {mean} ± {error}, {}", b[at]);
            assert!(error < 0.05 * b[0], "{error} {}", b[0]);
        }
        let sigma = shaped.covariance(&V);
        for at in 0..81 {
            let products: Vec<f64> = (0..draws).map(|i| n as f64 * changes[at / 9][i] * changes[at % 9][i]).collect();
            let (mean, error) = mean_and_error(&products);
            assert!((mean - sigma[at]).abs() < 4.5 * error + 0.01, "{at}: {mean} ± {error}, {}", sigma[at]);
        }
    }

    /// The chain on the covariance against networks with weights, in law: quantiles of two samples.
    #[test]
    fn the_chain_is_that_of_weights() {
        let (n, m, n_k, layers, count) = (16, 2, 3, 8, 1_500);
        let both = Shaped { mlp: true, gamma: 0.7, ..shaped(m) };
        let network = Network { key_width: n_k, ..network(both, n) };
        let chain = networks(&network, &equal_tokens(m, 0.2), layers, 1, count, Streams::new(1));
        let weighed: Vec<[f64; 2]> =
            (0..count).map(|i| weights(&network, layers, Streams::new(2).indexed("w", i as u64))).collect();
        let exploded = |v: f64| if v < EXPLODED { v } else { f64::NAN };
        for (of, chain) in [(0, &chain.correlations[1]), (1, &chain.variances[1])] {
            let weighed: Vec<f64> = weighed.iter().map(|w| exploded(w[of])).collect();
            for q in [0.1, 0.25, 0.5, 0.75, 0.9] {
                // The share of the other sample below this quantile, within four standard errors of both.
                let at = quantile(chain, q).unwrap();
                let below = weighed.iter().filter(|w| **w < at).count() as f64 / count as f64;
                assert!((below - q).abs() < 4.0 * (2.0 * q * (1.0 - q) / count as f64).sqrt(), "{of} {q}: {below}");
            }
        }
    }

    /// Correlation and variance of two tokens after the layers of a network with all its weights.
    fn weights(network: &Network, layers: usize, mut stream: Stream) -> [f64; 2] {
        let (n, n_k, shaped) = (network.width, network.key_width, network.shaped);
        let size = n as f64;
        let product = |a: &[f64], b: &[f64], inner: usize| -> Vec<f64> {
            let columns = b.len() / inner;
            let entry = |i: usize, j: usize| (0..inner).map(|k| a[i * inner + k] * b[k * columns + j]).sum::<f64>();
            (0..a.len() / inner * columns).map(|at| entry(at / columns, at % columns)).collect()
        };
        // Two tokens with V = [[1, 0.2], [0.2, 1]] exactly.
        let mut x = vec![0.0; 2 * n];
        x[0] = size.sqrt();
        (x[n], x[n + 1]) = (0.2 * size.sqrt(), (1.0 - 0.04_f64).sqrt() * size.sqrt());
        for _ in 0..layers {
            let (q, k) = (normals(&mut stream, n * n_k), normals(&mut stream, n * n_k));
            let (xq, xk) = (product(&x, &q, n), product(&x, &k, n));
            let logits: Vec<f64> = (0..4)
                .map(|at| (0..n_k).map(|j| xq[at / 2 * n_k + j] * xk[at % 2 * n_k + j]).sum::<f64>())
                .map(|y| y / size / (n_k as f64).sqrt())
                .collect();
            let a = network.attention(&logits);
            let mixed = product(&a, &product(&x, &normals(&mut stream, n * n), n), 2);
            (0..2 * n).for_each(|at| x[at] = shaped.skip() * x[at] + shaped.gamma * mixed[at] / size.sqrt());
            let [plus, minus] = shaped.slopes.map(|c| 1.0 + c / size.sqrt());
            let hidden: Vec<f64> = product(&x, &normals(&mut stream, n * n), n)
                .into_iter()
                .map(|z| if z > 0.0 { plus * z } else { minus * z } / size.sqrt())
                .collect();
            let out = product(&hidden, &normals(&mut stream, n * n), n);
            let c = (2.0 / (plus * plus + minus * minus) / size).sqrt();
            (0..2 * n).for_each(|at| x[at] = shaped.skip() * x[at] + shaped.gamma * c * out[at]);
        }
        let v: Vec<f64> =
            (0..4).map(|at| (0..n).map(|j| x[at / 2 * n + j] * x[at % 2 * n + j]).sum::<f64>() / size).collect();
        [correlation(2, &v, 0, 1), v[0]]
    }

    #[test]
    fn paths_of_the_limit_and_of_networks_agree() {
        let shaped = Shaped { gamma: 0.125_f64.sqrt(), temperature: 1.0, ..shaped(2) };
        let start = equal_tokens(2, 0.2);
        let paths = 1_500;
        let limit = diffusion(&shaped, &start, 0.75, 0.01, 5, paths, Streams::new(1));
        let chain =
            networks(&Network { key_width: 200, ..network(shaped, 200) }, &start, 150, 5, paths, Streams::new(1));
        close(&limit.times, &chain.times, 1e-12);
        for (a, b) in limit.correlations.iter().zip(&chain.correlations).skip(1) {
            let ((a, da), (b, db)) = (mean_and_error(a), mean_and_error(b));
            assert!((a - b).abs() < 4.0 * da.hypot(db), "{a} ± {da}, {b} ± {db}");
        }
        assert_eq!(limit.exploded().last(), Some(&0));
        // Seen elsewhere with 4,096 paths: mean 0.186, spread 0.370.
        let (mean, error) = mean_and_error(&limit.correlations[5]);
        assert!((mean - 0.186).abs() < 4.0 * error && (error * (paths as f64).sqrt() - 0.37).abs() < 0.03);
        assert_eq!(limit, diffusion(&shaped, &start, 0.75, 0.01, 5, paths, Streams::new(1)));
    }

    #[test]
    fn without_shaping_tokens_become_one_and_wild_paths_are_counted() {
        let shaped = Shaped { mlp: true, gamma: 0.5_f64.sqrt(), temperature: 1.0, ..shaped(2) };
        let plain = Network { centred: false, temperature_grows: false, slopes_shrink: false, ..network(shaped, 64) };
        let collapsed = networks(&plain, &equal_tokens(2, 0.2), 24, 3, 60, Streams::new(1));
        assert!(quantile(&collapsed.correlations[3], 0.1).unwrap() > 0.99);
        let shaped_paths = networks(&network(shaped, 64), &equal_tokens(2, 0.2), 24, 3, 60, Streams::new(1));
        assert!(quantile(&shaped_paths.correlations[3], 0.5).unwrap() < 0.9);
        let wild = diffusion(
            &Shaped { temperature: 0.05, ..shaped },
            &equal_tokens(2, -0.9),
            2.0,
            0.02,
            4,
            40,
            Streams::new(1),
        );
        assert!(*wild.exploded().last().unwrap() > 20, "{:?}", wild.exploded());
        assert!(wild.correlations.iter().flatten().all(|r| r.is_nan() || r.abs() <= 1.0 + 1e-9));
    }
}
