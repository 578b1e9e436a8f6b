//! The residual MLP: a transformer's MLP branches without its attention.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::base::rng::Streams;
use crate::record::TokenKind;

use super::batch::InputTensor;
use super::blueprint::{Blueprint, Initializer, Reader, tap};
use super::branch::{Branches, Place};
use super::forward::Plan;
use super::model::Model;
use super::ops::linear::affine;
use super::params::{Layout, Role};
use super::spec::ModelSpec;

/// `h <- h + residual_scale W2 act(W1 norm(h))` on `h = x W + b`, `depth` times, with hidden layers as wide as the
/// stream; see [`super::spec::BlockSpec`] for the switches. Taps: the embedding and the stream after each block.
#[derive(Debug)]
pub struct ResidualMlp {
    initializer: Initializer,
    layers: Vec<String>,
    branches: Branches,
    title: String,
}

impl ResidualMlp {
    /// For `fan_in` flattened inputs and `fan_out` outputs.
    pub fn new(spec: &ModelSpec, fan_in: usize, fan_out: usize) -> Self {
        let branches = Branches::new(spec, spec.width, 1);
        let mut blueprint = Blueprint::with_biases(spec.block.biases);
        let mut layers = vec!["embedding".to_owned()];
        blueprint.linear("embedding", "embedding", [fan_in, spec.width], Role::Input, 1.0);
        branches.embedding_norm_blueprint(&mut blueprint);
        for block in 0..spec.depth {
            let name = format!("block {}", block + 1);
            branches.mlp_blueprint(&mut blueprint, &name, &name, Place::of(block));
            layers.push(name);
        }
        branches.final_norm_blueprint(&mut blueprint);
        blueprint.linear("output", "output", [spec.width, fan_out], Role::Output, 1.0);
        let title = format!("residual MLP, {}", branches.title(spec));
        Self { initializer: blueprint.finish(), layers, branches, title }
    }
}

impl Model for ResidualMlp {
    fn forward(&self, params: &[Tensor], inputs: &InputTensor, mut taps: Option<&mut Vec<Tensor>>) -> Result<Tensor> {
        let mut params = Reader::new(params, &self.initializer.layout);
        let mut h = affine(&inputs.features()?.flatten_from(1)?, params.affine())?;
        h = self.branches.normalise_embedding(&mut params, h)?;
        tap(&mut taps, &h, None)?;
        for block in 0..self.layers.len() - 1 {
            h = self.branches.mlp(&mut params, &h, Place::of(block))?;
            tap(&mut taps, &h, None)?;
        }
        let h = self.branches.final_norm(&mut params, h)?;
        let readout = params.affine();
        params.finish();
        affine(&h, readout)
    }

    fn plan(&self) -> Option<Plan> {
        let (branch, final_norm) = self.branches.plain()?;
        let width = self.branches.width();
        Some(Plan {
            front: None,
            width,
            hidden: width,
            depth: self.layers.len() - 1,
            attention: None,
            branch,
            final_norm,
            has_positions: false,
            is_tied: false,
        })
    }

    fn layout(&self) -> &Arc<Layout> {
        &self.initializer.layout
    }

    fn layers(&self) -> &[String] {
        &self.layers
    }

    fn token_kind(&self) -> TokenKind {
        TokenKind::Examples
    }

    fn title(&self) -> String {
        self.title.clone()
    }

    fn init(&self, streams: &Streams) -> Vec<f64> {
        self.initializer.draw(streams)
    }
}
