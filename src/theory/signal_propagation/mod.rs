//! Drawn transformers at initialisation, layer by layer, in f64: how their tokens align and what queries, keys and values
//! would learn from.
//!
//! Noci et al. 2022 (arXiv:2206.03126): `Z = X + alpha_1 A X W_V`, `X+ = Z + alpha_2 sigma(Z W_1) W_2` with
//! `A = softmax(tau X W_Q W_K' X' / sqrt(d))` and entries of variance `1/d`. [`super::token_alignment`] has the closed forms at
//! uniform attention with a linear MLP, [`mean_field`] the wide limit with a rectifier and normalisation.

pub mod attention;
pub mod ensemble;
pub mod mean_field;
pub mod tokens;

use crate::base::rng::{Streams, normals};

use super::token_alignment::Moments;
use attention::{JacobianNorms, Parts, Weights};
use tokens::Tokens;

/// Who attends to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mixing {
    Softmax,
    /// `A = 1 1' / n`, the theory's assumption.
    Uniform,
}

/// The second branch of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mlp {
    None,
    /// `Z W_1 W_2`
    Linear,
    /// `sqrt(2) max(0, Z W_1) W_2`, as long as the linear one (He et al. 2015).
    Relu,
}

/// Where tokens are normalised, without gain and bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    None,
    /// `X + alpha f(LN(X))`
    Pre,
    /// `LN(X + alpha f(X))`
    Post,
}

/// What a network is drawn by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    pub layers: usize,
    /// `alpha_1`.
    pub attention_scale: f64,
    /// `alpha_2`.
    pub mlp_scale: f64,
    /// Without it, `X+ = f(X)`, brought back to `|X|_F^2 = n d`.
    pub skip: bool,
    pub mixing: Mixing,
    pub mlp: Mlp,
    pub norm: Position,
    pub inverse_temperature: f64,
}

/// Normal draws behind the inputs and weights of one network; networks that share them differ by their settings alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    tokens: usize,
    width: usize,
    /// `[n + 1, d]`: what the inputs have in common, and each token's own.
    inputs: Vec<f64>,
    /// For queries, keys, values and both matrices of the MLP, `[5, n + 1, d]` a layer.
    layers: Vec<Vec<f64>>,
}

impl Draws {
    /// The `index`-th of a seed. More layers leave the first ones as they are. `width >= 1`, `tokens >= 1`.
    pub fn new(streams: Streams, index: u64, tokens: usize, width: usize, layers: usize) -> Self {
        let size = (tokens + 1) * width;
        let mut stream = streams.indexed("signal-propagation", index);
        // One layer more than the blocks: whoever reads the last stream has gradients, too.
        let inputs = normals(&mut stream, size);
        Self { tokens, width, inputs, layers: (0..=layers).map(|_| normals(&mut stream, 5 * size)).collect() }
    }
}

/// One stream, and what an attention layer that reads it could learn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    pub moments: Moments,
    /// Mean cosine of different tokens; 0 for a single one.
    pub cosine: f64,
    /// Cosines, `[n, n]`.
    pub cosines: Vec<f64>,
    /// `|X - 1 mean'|_F / |X|_F`.
    pub residual: f64,
    pub jacobians: JacobianNorms,
}

impl Network {
    /// Tokens with correlation `cosine` through the network of `draws`: the inputs, and the stream after each block.
    pub fn layers(&self, draws: &Draws, cosine: f64) -> Vec<Layer> {
        let mut x = self.fed(draws, cosine);
        let mut seen = Vec::with_capacity(self.layers + 1);
        for drawn in draws.layers.iter().take(self.layers + 1) {
            let (layer, next) = self.block(x, drawn, draws.width);
            seen.push(layer);
            x = next;
        }
        seen
    }

    /// The inputs; Post-LN normalises them, as what a block passes on.
    fn fed(&self, draws: &Draws, cosine: f64) -> Tokens {
        let x = Tokens::correlated(draws.tokens, cosine, &draws.inputs);
        if self.norm == Position::Post { x.normalised() } else { x }
    }

    fn block(&self, x: Tokens, drawn: &[f64], d: usize) -> (Layer, Tokens) {
        let size = (x.count() + 1) * d;
        let drawn = |role: usize| &drawn[role * size..(role + 1) * size];
        let variance = (d as f64).recip();
        let gram = x.gram();
        let read = if self.norm == Position::Pre { x.clone().normalised() } else { x.clone() };
        let read_gram = if self.norm == Position::Pre { read.gram() } else { gram.clone() };

        let [queries, keys, values] = read.times_random(&read_gram, [drawn(0), drawn(1), drawn(2)], variance);
        let scale = self.inverse_temperature / (d as f64).sqrt();
        let weights = match self.mixing {
            Mixing::Softmax => Weights::softmax(&queries, &keys, scale),
            Mixing::Uniform => Weights::uniform(x.count()),
        };
        let parts = Parts {
            inputs: &read_gram,
            queries: &queries.squares(),
            keys: &keys.gram(),
            values: &values.gram(),
            value_width: d,
            scale,
        };
        let jacobians = JacobianNorms::of(&weights, &parts);
        let cosines = gram.cosines();
        let layer = Layer {
            moments: gram.moments(),
            cosine: mean_of_pairs(x.count(), &cosines),
            cosines,
            residual: gram.relative_residual(),
            jacobians,
        };

        let x = self.joined(x, self.attention_scale, &values.mixed(&weights.common, &weights.rest));
        let x = match self.mlp {
            Mlp::None => x,
            Mlp::Linear | Mlp::Relu => {
                let read = if self.norm == Position::Pre { x.clone().normalised() } else { x.clone() };
                let [hidden] = read.times_random(&read.gram(), [drawn(3)], variance);
                let hidden = if self.mlp == Mlp::Relu { hidden.rectified() } else { hidden };
                let [out] = hidden.times_random(&hidden.gram(), [drawn(4)], variance);
                self.joined(x, self.mlp_scale, &out)
            }
        };
        (layer, if self.skip { x } else { x.of_mean_square_one() })
    }

    fn joined(&self, x: Tokens, scale: f64, branch: &Tokens) -> Tokens {
        let x = if self.skip { x.plus(scale, branch) } else { branch.clone() };
        if self.norm == Position::Post { x.normalised() } else { x }
    }
}

/// Mean over different tokens of their cosines `[n, n]`.
fn mean_of_pairs(n: usize, cosines: &[f64]) -> f64 {
    if n < 2 { 0.0 } else { (cosines.iter().sum::<f64>() - n as f64) / (n * (n - 1)) as f64 }
}

#[cfg(test)]
mod tests;
