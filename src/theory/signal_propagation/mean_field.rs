//! Uniform attention in the limit of infinite width: two numbers a layer.
//!
//! With `q = |x_i|^2 / d` and `c = x_i.x_j / d` the same for all tokens, attention adds `alpha_1^2 (q + (n - 1) c) / n` to
//! both; a linear MLP adds `alpha_2^2 (q, c)`, and a rectifier `alpha_2^2 q (1, kappa(c/q))` with the arc-cosine kernel of
//! Cho and Saul 2009, `kappa(rho) = (sqrt(1 - rho^2) + rho (pi - arccos rho)) / pi`. Without normalisation and with a linear
//! MLP these are the recursions of [`super::super::token_alignment`].

use std::f64::consts::PI;

use super::super::token_alignment::{AttentionGradients, Moments};
use super::{Mlp, Network, Position};

/// A stream of tokens that are all alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// q.
    pub square: f64,
    /// c.
    pub product: f64,
}

impl State {
    /// `c / q`.
    pub fn cosine(self) -> f64 {
        self.product / self.square
    }

    pub fn moments(self, n: usize, d: usize) -> Moments {
        let (tokens, width) = (n as f64, d as f64);
        let sum = tokens * (self.square + (tokens - 1.0) * self.product);
        Moments { sum: sum * width, square: tokens * width * self.square }
    }

    fn normalised(self) -> Self {
        Self { square: 1.0, product: self.cosine() }
    }

    fn plus(self, by: f64, branch: Self) -> Self {
        Self { square: self.square + by * branch.square, product: self.product + by * branch.product }
    }
}

/// `kappa`.
pub fn arc_cosine(rho: f64) -> f64 {
    let rho = rho.clamp(-1.0, 1.0);
    ((1.0 - rho * rho).sqrt() + rho * (PI - rho.acos())) / PI
}

/// The state of `n` tokens of square 1 and correlation `cosine`, at the start and after each block of `network`, whose mixing
/// is taken as uniform.
pub fn states(network: &Network, n: usize, cosine: f64) -> Vec<State> {
    let mut at = State { square: 1.0, product: cosine };
    let mut seen = vec![at];
    for _ in 0..network.layers {
        at = block(network, n, at);
        seen.push(at);
    }
    seen
}

fn block(network: &Network, n: usize, at: State) -> State {
    let join = |at: State, scale: f64, branch: State| {
        let joined = if network.skip { at.plus(scale * scale, branch) } else { branch };
        if network.norm == Position::Post || !network.skip { joined.normalised() } else { joined }
    };
    let read = |at: State| if network.norm == Position::Pre { at.normalised() } else { at };
    let seen = read(at);
    let mean = (seen.square + (n as f64 - 1.0) * seen.product) / n as f64;
    let at = join(at, network.attention_scale, State { square: mean, product: mean });
    let seen = read(at);
    match network.mlp {
        Mlp::None => at,
        Mlp::Linear => join(at, network.mlp_scale, seen),
        Mlp::Relu => {
            let product = seen.square * arc_cosine(seen.cosine());
            join(at, network.mlp_scale, State { square: seen.square, product })
        }
    }
}

/// What an attention layer that reads `at` could learn from: the closed forms, with the variance and the correlation of what
/// it reads.
pub fn gradients(network: &Network, n: usize, d: usize, at: State) -> AttentionGradients {
    let read = if network.norm == Position::Pre { at.normalised() } else { at };
    AttentionGradients {
        tokens: n,
        width: d,
        variance: read.square,
        cosine: read.cosine(),
        inverse_temperature: network.inverse_temperature,
    }
}

#[cfg(test)]
mod tests {
    use crate::base::rng::Streams;

    use super::super::super::token_alignment::Alignment;
    use super::super::{Draws, Mixing};
    use super::*;

    const PLAIN: Network = Network {
        layers: 6,
        attention_scale: 0.8,
        mlp_scale: 0.6,
        skip: true,
        mixing: Mixing::Uniform,
        mlp: Mlp::Linear,
        norm: Position::None,
        inverse_temperature: 1.0,
    };

    /// kappa(0) = 1/pi, kappa(1) = 1, kappa(-1) = 0 by hand; Cho and Saul's J_1 at pi/3 is (sqrt(3)/2 + pi/3)/pi.
    #[test]
    fn the_arc_cosine_kernel_by_hand() {
        assert!((arc_cosine(0.0) - PI.recip()).abs() < 1e-15 && arc_cosine(1.0) == 1.0);
        assert!(arc_cosine(-1.0).abs() < 1e-15);
        assert!((arc_cosine(0.5) - (3.0_f64.sqrt() / 2.0 + PI / 3.0) / PI).abs() < 1e-15);
    }

    #[test]
    fn the_linear_network_has_the_exact_recursions() {
        let (n, d) = (7, 10);
        let alignment = Alignment { tokens: n, attention: 0.64, mlp: 0.36 };
        let mut moments = Moments { sum: 70.0 * (1.0 + 6.0 * 0.3), square: 70.0 };
        for state in states(&PLAIN, n, 0.3) {
            let found = state.moments(n, d);
            assert!(
                (found.sum / moments.sum - 1.0).abs() < 1e-13 && (found.square / moments.square - 1.0).abs() < 1e-13
            );
            moments = alignment.block(moments);
        }
        // Trap of the paper: a linear MLP under Post-LN aligns as without, since normalising only rescales.
        let post = states(&Network { norm: Position::Post, ..PLAIN }, n, 0.3);
        for (post, plain) in post.iter().zip(states(&PLAIN, n, 0.3)) {
            assert!((post.cosine() - plain.cosine()).abs() < 1e-14);
        }
    }

    /// Wide networks, every position of the normalisation, with and without rectifier and skips: within four standard
    /// errors, and what is left of the width.
    #[test]
    fn wide_networks_follow_the_limit() {
        let (n, d, cosine, draws) = (4, 1_024, 0.3, 12);
        let drawn: Vec<_> = (0..draws).map(|i| Draws::new(Streams::new(5), i, n, d, PLAIN.layers)).collect();
        for norm in [Position::None, Position::Pre, Position::Post] {
            for mlp in [Mlp::Linear, Mlp::Relu, Mlp::None] {
                let network = Network { norm, mlp, ..PLAIN };
                let all: Vec<_> = drawn.iter().map(|draws| network.layers(draws, cosine)).collect();
                for (l, state) in states(&network, n, cosine).iter().enumerate() {
                    let found: Vec<f64> = all.iter().map(|layers| layers[l].cosine).collect();
                    let mean = found.iter().sum::<f64>() / draws as f64;
                    let spread = found.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (draws - 1) as f64;
                    let error = (spread / draws as f64).sqrt();
                    assert!(
                        (mean - state.cosine()).abs() < 4.0 * error + 0.003,
                        "{norm:?} {mlp:?} {l}: {mean} {state:?}"
                    );
                    assert!(error < 0.02, "{error}");
                }
            }
        }
    }
}
