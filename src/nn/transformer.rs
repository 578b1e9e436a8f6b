//! Transformers: the vision transformer on patches or features, and the GPT on tokens.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::base::rng::Streams;
use crate::record::TokenKind;

use super::batch::InputTensor;
use super::blueprint::{Blueprint, Initializer, Reader, tap};
use super::branch::{Branches, final_norm, final_norm_blueprint};
use super::model::Model;
use super::ops::attention::Heads;
use super::ops::embedding::{add_positions, embed};
use super::ops::linear::linear;
use super::ops::pooling::mean_tokens;
use super::params::{Layout, Role};
use super::spec::ModelSpec;

/// How inputs become tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// Square patches, each a token of `side^2 channels` numbers, in reading order.
    Patches { height: usize, width: usize, channels: usize, side: usize },
    /// Every feature is a token of one number.
    Scalars { count: usize },
    /// Token ids; outputs at every position, from it and the ones before.
    Ids { vocabulary: usize, length: usize },
}

/// `depth` blocks, each an attention branch and an MLP branch with `4 width` hidden units, on embedded tokens with
/// learned positions. Vision: the mean over tokens is read out, `[B, C]`. GPT: every token is, `[B T, C]`.
/// Taps: the embedding, and the residual stream after each branch (`block 1 attention`, `block 1`).
#[derive(Debug)]
pub struct Transformer {
    initializer: Initializer,
    layers: Vec<String>,
    branches: Branches,
    front: Front,
    depth: usize,
    n_heads: usize,
    title: String,
}

impl Transformer {
    pub fn new(spec: &ModelSpec, front: Front, fan_out: usize) -> Self {
        let branches = Branches::new(spec, 4 * spec.width);
        let mut blueprint = Blueprint::default();
        let mut layers = vec!["embedding".to_owned()];
        let group = "embedding";
        match front.fan_in() {
            Some(fan_in) => blueprint.linear(group, "embedding", [fan_in, spec.width], Role::Input, 1.0),
            None => blueprint.table(group, "embedding.tokens", front.vocabulary(), spec.width, Role::Embedding),
        }
        blueprint.table(group, "embedding.positions", front.tokens(), spec.width, Role::Position);
        for block in 1..=spec.depth {
            let name = format!("block {block}");
            let attention = format!("{name} attention");
            branches.attention_blueprint(&mut blueprint, &attention, &format!("{name}.attention"));
            branches.mlp_blueprint(&mut blueprint, &format!("{name} MLP"), &format!("{name}.mlp"));
            layers.extend([attention, name]);
        }
        final_norm_blueprint(&mut blueprint, spec);
        blueprint.linear("output", "output", [spec.width, fan_out], Role::Output, 1.0);
        let kind = if matches!(front, Front::Ids { .. }) { "GPT" } else { "vision transformer" };
        let plural = if spec.n_heads == 1 { "" } else { "s" };
        let title = format!("{kind}, {}, {} head{plural}", branches.title(spec), spec.n_heads);
        Self {
            initializer: blueprint.finish(),
            layers,
            branches,
            front,
            depth: spec.depth,
            n_heads: spec.n_heads,
            title,
        }
    }

    /// Tokens `[B T, D]` and T.
    fn embedding(&self, params: &mut Reader, inputs: &InputTensor) -> Result<(Tensor, usize)> {
        let (h, tokens) = if let Front::Ids { .. } = self.front {
            let ids = inputs.tokens()?;
            (embed(params.one(), ids)?, ids.dim(1)?)
        } else {
            let (weight, bias) = params.pair();
            (linear(&self.front.cut(inputs.features()?)?, weight, bias)?, self.front.tokens())
        };
        Ok((add_positions(&h, params.one(), tokens)?, tokens))
    }
}

impl Model for Transformer {
    fn forward(&self, params: &[Tensor], inputs: &InputTensor, mut taps: Option<&mut Vec<Tensor>>) -> Result<Tensor> {
        let mut params = Reader::new(params, &self.initializer.layout);
        let (mut h, tokens) = self.embedding(&mut params, inputs)?;
        tap(&mut taps, &h, Some(tokens))?;
        let causal = matches!(self.front, Front::Ids { .. });
        let heads = Heads { sequences: h.dim(0)? / tokens, tokens, count: self.n_heads, causal };
        for _ in 0..self.depth {
            h = self.branches.attention(&mut params, &h, heads)?;
            tap(&mut taps, &h, Some(tokens))?;
            h = self.branches.mlp(&mut params, &h)?;
            tap(&mut taps, &h, Some(tokens))?;
        }
        h = final_norm(&mut params, self.branches.norm, &h)?;
        if !causal {
            h = mean_tokens(&h, tokens)?;
        }
        let (weight, bias) = params.pair();
        params.finish();
        linear(&h, weight, bias)
    }

    fn layout(&self) -> &Arc<Layout> {
        &self.initializer.layout
    }

    fn layers(&self) -> &[String] {
        &self.layers
    }

    fn token_kind(&self) -> TokenKind {
        TokenKind::Tokens
    }

    fn title(&self) -> String {
        self.title.clone()
    }

    fn init(&self, streams: &Streams) -> Vec<f64> {
        self.initializer.draw(streams)
    }
}

impl Front {
    /// Most tokens T of an example.
    fn tokens(self) -> usize {
        match self {
            Self::Patches { height, width, side, .. } => (height / side) * (width / side),
            Self::Scalars { count } => count,
            Self::Ids { length, .. } => length,
        }
    }

    /// Numbers in a token.
    fn fan_in(self) -> Option<usize> {
        match self {
            Self::Patches { channels, side, .. } => Some(side * side * channels),
            Self::Scalars { .. } => Some(1),
            Self::Ids { .. } => None,
        }
    }

    fn vocabulary(self) -> usize {
        match self {
            Self::Ids { vocabulary, .. } => vocabulary,
            Self::Patches { .. } | Self::Scalars { .. } => 0,
        }
    }

    /// Features `[B, ...]` as tokens `[B T, fan_in]`; a patch is flattened as (row, column, channel).
    pub(super) fn cut(self, features: &Tensor) -> Result<Tensor> {
        match self {
            Self::Patches { height, width, channels, side } => {
                let (rows, columns) = (height / side, width / side);
                let examples = features.dim(0)?;
                features
                    .reshape(vec![examples, rows, side, columns, side, channels])?
                    .permute([0, 1, 3, 2, 4, 5].as_slice())?
                    .contiguous()?
                    .reshape((examples * rows * columns, side * side * channels))
            }
            Self::Scalars { count } => features.reshape((features.dim(0)? * count, 1)),
            Self::Ids { .. } => Ok(features.clone()),
        }
    }
}
