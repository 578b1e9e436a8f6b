//! Several draws of several networks, and what they have in common.

use rayon::prelude::*;

use crate::base::rng::Streams;

use super::super::token_alignment::Moments;
use super::{Draws, Layer, Network};

/// What is kept of one stream, over all draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerMean {
    /// Mean over draws of the tokens' mean cosine.
    pub cosine: f64,
    /// Its standard deviation between draws; 0 for a single one.
    pub cosine_deviation: f64,
    /// Means of C and M.
    pub moments: Moments,
    /// Mean of `D = M - C/n`, without that difference.
    pub rest: f64,
    /// Mean of `ln(|X - 1 mean'|_F / |X|_F)`: distances that differ by orders of magnitude have no other useful mean.
    /// Minus infinity once one is 0.
    pub log_residual: f64,
    /// Roots of the mean squared Frobenius norms of the Jacobians, which is what the closed forms give.
    pub queries: f64,
    pub keys: f64,
    pub values: f64,
}

/// Networks of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    /// The inputs, and the stream after each block.
    pub layers: Vec<LayerMean>,
    /// The first draw in full.
    pub first: Vec<Layer>,
}

/// `draws` draws of each of `networks`, with tokens of its correlation; all share their random numbers. The same for any number
/// of threads. `draws >= 1`.
pub fn ensembles(
    networks: &[(Network, f64)],
    tokens: usize,
    width: usize,
    draws: usize,
    streams: Streams,
) -> Vec<Ensemble> {
    let deepest = networks.iter().map(|(network, _)| network.layers).max().unwrap_or(0);
    let drawn: Vec<Draws> =
        (0..draws as u64).into_par_iter().map(|i| Draws::new(streams, i, tokens, width, deepest)).collect();
    let jobs: Vec<(usize, usize)> = (0..networks.len()).flat_map(|k| (0..draws).map(move |i| (k, i))).collect();
    let mut found: Vec<Vec<Layer>> =
        jobs.into_par_iter().map(|(k, i)| networks[k].0.layers(&drawn[i], networks[k].1)).collect();
    let mut ensembles = Vec::with_capacity(networks.len());
    while !found.is_empty() {
        let rest = found.split_off(draws);
        ensembles.push(Ensemble::of(found));
        found = rest;
    }
    ensembles
}

impl Ensemble {
    fn of(draws: Vec<Vec<Layer>>) -> Self {
        let layers = (0..draws[0].len())
            .map(|l| {
                let mean =
                    |of: &dyn Fn(&Layer) -> f64| draws.iter().map(|d| of(&d[l])).sum::<f64>() / draws.len() as f64;
                let cosine = mean(&|layer| layer.cosine);
                let degrees = (draws.len() - 1).max(1) as f64;
                let squares: f64 = draws.iter().map(|d| (d[l].cosine - cosine).powi(2)).sum();
                LayerMean {
                    cosine,
                    cosine_deviation: (squares / degrees).sqrt(),
                    moments: Moments {
                        sum: mean(&|layer| layer.moments.sum),
                        square: mean(&|layer| layer.moments.square),
                    },
                    rest: mean(&|layer| layer.residual.powi(2) * layer.moments.square),
                    log_residual: mean(&|layer| layer.residual.ln()),
                    queries: mean(&|layer| layer.jacobians.queries).sqrt(),
                    keys: mean(&|layer| layer.jacobians.keys).sqrt(),
                    values: mean(&|layer| layer.jacobians.values).sqrt(),
                }
            })
            .collect();
        Self { layers, first: draws.into_iter().next().unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Mixing, Mlp, Position};
    use super::*;

    #[test]
    fn means_are_those_of_the_draws_one_by_one() {
        let network = Network {
            layers: 3,
            attention_scale: 0.7,
            mlp_scale: 1.0,
            skip: true,
            mixing: Mixing::Softmax,
            mlp: Mlp::Relu,
            norm: Position::Pre,
            inverse_temperature: 1.0,
        };
        let other = Network { norm: Position::Post, layers: 5, ..network };
        let streams = Streams::new(4);
        let found = ensembles(&[(network, 0.3), (other, 0.1)], 4, 8, 3, streams);
        assert_eq!((found[0].layers.len(), found[1].layers.len()), (4, 6));
        let alone: Vec<Vec<Layer>> = (0..3).map(|i| other.layers(&Draws::new(streams, i, 4, 8, 5), 0.1)).collect();
        assert_eq!(found[1].first, alone[0]);
        let cosines: Vec<f64> = alone.iter().map(|layers| layers[2].cosine).collect();
        let mean = cosines.iter().sum::<f64>() / 3.0;
        let deviation = (cosines.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
        let layer = found[1].layers[2];
        assert!((layer.cosine - mean).abs() < 1e-15 && (layer.cosine_deviation - deviation).abs() < 1e-15);
        let square = alone.iter().map(|layers| layers[2].jacobians.queries).sum::<f64>() / 3.0;
        assert!((layer.queries / square.sqrt() - 1.0).abs() < 1e-14);
        assert!((layer.rest / (layer.moments.square - layer.moments.sum / 4.0) - 1.0).abs() < 1e-12);
    }
}
