//! Shaped transformers of finite width, drawn exactly in law without their weights: a Markov chain on the token covariance
//! that costs `m^2 n` a layer.

use std::ops::Range;

use rand_distr::{ChiSquared, Distribution, StandardNormal};

use crate::base::rng::{Stream, Streams, normals};

use super::shaped_paths::{Paths, sample};
use super::shaped_transformer::{Shaped, gain, root, sandwich, slopes_at, times, times_transposed};

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

/// The networks `which` with `layers` blocks, drawn layer by layer on the covariance alone; kept after `kept + 1` equally
/// spaced blocks (`layers` is rounded up to a multiple of `kept`). Network i is the same in any range and for any number of
/// threads.
pub fn networks(
    network: &Network,
    start: &[f64],
    layers: usize,
    kept: usize,
    which: Range<usize>,
    streams: Streams,
) -> Paths {
    let each = layers.div_ceil(kept.max(1));
    let times = (0..=kept).map(|k| (each * k) as f64 / network.width as f64).collect();
    sample(network.shaped.tokens, start, times, which, |path| {
        let mut stream = streams.indexed("networks", path as u64);
        move |v: &mut Vec<f64>| (0..each).for_each(|_| network.block(v, &mut stream))
    })
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

    /// `s_+` and `s_-` of the activation.
    pub fn slopes(&self) -> [f64; 2] {
        if self.slopes_shrink { slopes_at(self.shaped.slopes, self.width) } else { [1.0, 0.0] }
    }

    /// Softmax attention and the rectifier: nothing is shaped.
    pub fn unshaped(self) -> Self {
        let shaped = Shaped { temperature: 1.0, ..self.shaped };
        Self { shaped, centred: false, temperature_grows: false, slopes_shrink: false, ..self }
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
        let [plus, minus] = self.slopes();
        let l = root(m, v);
        let mut hidden = vec![0.0; m * m];
        let (mut draws, mut unit) = (vec![0.0; m], vec![0.0; m]);
        for _ in 0..self.width {
            draws.fill_with(|| StandardNormal.sample(stream));
            for ((s, row), a) in unit.iter_mut().zip(l.chunks_exact(m)).zip(1..) {
                let z: f64 = row[..a].iter().zip(&draws).map(|(l, z)| l * z).sum();
                *s = if z > 0.0 { plus * z } else { minus * z };
            }
            for (row, a) in hidden.chunks_exact_mut(m).zip(&unit) {
                row.iter_mut().zip(&unit).for_each(|(h, b)| *h += a * b);
            }
        }
        let c = gain([plus, minus]);
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

    /// A from the logits `Y / sqrt(n_k)`, `[m, m]`.
    pub fn attention(&self, logits: &[f64]) -> Vec<f64> {
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
pub(super) mod tests;
