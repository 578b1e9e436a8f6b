//! Transformers: the vision transformer on patches or features, and the GPT on tokens.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::base::rng::Streams;
use crate::record::TokenKind;

use super::batch::InputTensor;
use super::blueprint::{Blueprint, Initializer, Reader, tap};
use super::branch::{Branches, Place};
use super::forward::{self, Plan};
use super::model::Model;
use super::ops::attention::Heads;
use super::ops::embedding::{add_positions, embed};
use super::ops::linear::affine;
use super::ops::pooling::mean_tokens;
use super::ops::product::{Transposed, product};
use super::ops::rows::add_rows;
use super::parametrization::scaling::tied_output_factor;
use super::params::{Layout, Role};
use super::spec::{Mask, ModelSpec};

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
/// See [`super::spec::BlockSpec`] and [`super::spec::AttentionSpec`] for the switches. Taps: the embedding, and the residual stream after each branch (`block 1 attention`, `block 1`).
#[derive(Debug)]
pub struct Transformer {
    initializer: Initializer,
    layers: Vec<String>,
    branches: Branches,
    front: Front,
    depth: usize,
    n_heads: usize,
    is_causal: bool,
    has_positions: bool,
    /// The outputs are read with the token embeddings, transposed.
    is_tied: bool,
    /// What such outputs are multiplied by.
    tied_factor: f64,
    title: String,
}

impl Transformer {
    pub fn new(spec: &ModelSpec, front: Front, fan_out: usize) -> Self {
        let branches = Branches::new(spec, 4 * spec.width, 2);
        let mut blueprint = Blueprint::with_biases(spec.block.biases);
        let mut layers = vec!["embedding".to_owned()];
        let group = "embedding";
        match front.fan_in() {
            Some(fan_in) => blueprint.linear(group, "embedding", [fan_in, spec.width], Role::Input, 1.0),
            None => blueprint.table(group, "embedding.tokens", front.vocabulary(), spec.width, Role::Embedding),
        }
        if spec.block.positions {
            blueprint.table(group, "embedding.positions", front.tokens(), spec.width, Role::Position);
        }
        branches.embedding_norm_blueprint(&mut blueprint);
        for block in 0..spec.depth {
            let name = format!("block {}", block + 1);
            let attention = format!("{name} attention");
            let prefix = format!("{name}.attention");
            branches.attention_blueprint(&mut blueprint, &attention, &prefix, Place::of(block));
            branches.mlp_blueprint(&mut blueprint, &format!("{name} MLP"), &format!("{name}.mlp"), Place::Later);
            layers.extend([attention, name]);
        }
        branches.final_norm_blueprint(&mut blueprint);
        let is_tied = spec.block.tied_embeddings && front.is_ids();
        if is_tied {
            assert_eq!(front.vocabulary(), fan_out, "tied embeddings have an output a token");
            blueprint.bias("output", "output", fan_out);
        } else {
            blueprint.linear("output", "output", [spec.width, fan_out], Role::Output, 1.0);
        }
        let kind = if front.is_ids() { "GPT" } else { "vision transformer" };
        let plural = if spec.n_heads == 1 { "" } else { "s" };
        let title = format!("{kind}, {}, {} head{plural}", branches.title(spec), spec.n_heads);
        Self {
            initializer: blueprint.finish(),
            layers,
            branches,
            front,
            depth: spec.depth,
            n_heads: spec.n_heads,
            is_causal: match spec.attention.mask {
                Mask::Auto => front.is_ids(),
                Mask::Causal => true,
                Mask::Bidirectional => false,
            },
            has_positions: spec.block.positions,
            is_tied,
            tied_factor: tied_output_factor(spec),
            title,
        }
    }

    /// Tokens `[B T, D]` and T; and the table they were read from, if they were.
    fn embedding<'a>(
        &self,
        params: &mut Reader<'a>,
        inputs: &InputTensor,
    ) -> Result<(Tensor, usize, Option<&'a Tensor>)> {
        let (mut h, tokens, table) = if self.front.is_ids() {
            let (ids, table) = (inputs.tokens()?, params.one());
            (embed(table, ids)?, ids.dim(1)?, Some(table))
        } else {
            (affine(&self.front.cut(inputs.features()?)?, params.affine())?, self.front.tokens(), None)
        };
        if self.has_positions {
            h = add_positions(&h, params.one(), tokens)?;
        }
        Ok((self.branches.normalise_embedding(params, h)?, tokens, table))
    }

    fn run(
        &self,
        params: &[Tensor],
        inputs: &InputTensor,
        mut taps: Option<&mut Vec<Tensor>>,
        mut maps: Option<&mut Vec<Tensor>>,
    ) -> Result<Tensor> {
        let mut params = Reader::new(params, &self.initializer.layout);
        let (mut h, tokens, table) = self.embedding(&mut params, inputs)?;
        tap(&mut taps, &h, Some(tokens))?;
        let heads = Heads { sequences: h.dim(0)? / tokens, tokens, count: self.n_heads, causal: self.is_causal };
        for block in 0..self.depth {
            h = self.branches.attention(&mut params, &h, Place::of(block), heads, maps.as_deref_mut())?;
            tap(&mut taps, &h, Some(tokens))?;
            h = self.branches.mlp(&mut params, &h, Place::Later)?;
            tap(&mut taps, &h, Some(tokens))?;
        }
        h = self.branches.final_norm(&mut params, h)?;
        if !self.front.is_ids() {
            h = mean_tokens(&h, tokens)?;
        }
        let outputs = match table {
            Some(table) if self.is_tied => {
                let outputs = product(&h, table, Transposed::Right)?;
                let outputs = if self.tied_factor == 1.0 { outputs } else { (outputs * self.tied_factor)? };
                match params.bias() {
                    Some(bias) => add_rows(&outputs, bias)?,
                    None => outputs,
                }
            }
            _ => affine(&h, params.affine())?,
        };
        params.finish();
        Ok(outputs)
    }
}

impl Model for Transformer {
    fn forward(&self, params: &[Tensor], inputs: &InputTensor, taps: Option<&mut Vec<Tensor>>) -> Result<Tensor> {
        self.run(params, inputs, taps, None)
    }

    fn attention_heads(&self) -> usize {
        self.n_heads
    }

    fn attention_maps(&self, params: &[Tensor], inputs: &InputTensor) -> Result<Vec<Tensor>> {
        let params: Vec<_> = params.iter().map(Tensor::detach).collect();
        let mut maps = Vec::with_capacity(self.depth);
        self.run(&params, inputs, None, Some(&mut maps))?;
        Ok(maps)
    }

    fn plan(&self) -> Option<Plan> {
        if self.is_tied && self.tied_factor != 1.0 {
            return None;
        }
        let (branch, final_norm) = self.branches.plain()?;
        let width = self.branches.width();
        let (heads, is_causal) = (self.n_heads, self.is_causal);
        Some(Plan {
            front: Some(self.front),
            width,
            hidden: 4 * width,
            depth: self.depth,
            attention: Some(forward::Attention { heads, is_causal, factor: self.branches.plain_attention()? }),
            branch,
            final_norm,
            has_positions: self.has_positions,
            is_tied: self.is_tied,
        })
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
    pub(super) fn tokens(self) -> usize {
        match self {
            Self::Patches { height, width, side, .. } => (height / side) * (width / side),
            Self::Scalars { count } => count,
            Self::Ids { length, .. } => length,
        }
    }

    fn is_ids(self) -> bool {
        matches!(self, Self::Ids { .. })
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
