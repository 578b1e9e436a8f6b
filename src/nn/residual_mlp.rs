//! The residual MLP: a transformer's MLP branches without its attention.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::base::rng::Streams;
use crate::record::TokenKind;

use super::batch::InputTensor;
use super::blueprint::{Blueprint, Initializer, Reader, tap};
use super::branch::{Branches, final_norm, final_norm_blueprint};
use super::model::Model;
use super::ops::linear::linear;
use super::params::{Layout, Role};
use super::spec::ModelSpec;

/// `h <- h + residual_scale W2 act(W1 norm(h))` on `h = x W + b`, `depth` times, with hidden layers as wide as the
/// stream. Taps: the embedding and the stream after each block.
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
        let branches = Branches::new(spec, spec.width);
        let mut blueprint = Blueprint::default();
        let mut layers = vec!["embedding".to_owned()];
        blueprint.linear("embedding", "embedding", [fan_in, spec.width], Role::Input, 1.0);
        for block in 1..=spec.depth {
            let name = format!("block {block}");
            branches.mlp_blueprint(&mut blueprint, &name, &name);
            layers.push(name);
        }
        final_norm_blueprint(&mut blueprint, spec);
        blueprint.linear("output", "output", [spec.width, fan_out], Role::Output, 1.0);
        let title = format!("residual MLP, {}", branches.title(spec));
        Self { initializer: blueprint.finish(), layers, branches, title }
    }
}

impl Model for ResidualMlp {
    fn forward(&self, params: &[Tensor], inputs: &InputTensor, mut taps: Option<&mut Vec<Tensor>>) -> Result<Tensor> {
        let mut params = Reader::new(params, &self.initializer.layout);
        let (weight, bias) = params.pair();
        let mut h = linear(&inputs.features()?.flatten_from(1)?, weight, bias)?;
        tap(&mut taps, &h, None)?;
        for _ in 1..self.layers.len() {
            h = self.branches.mlp(&mut params, &h)?;
            tap(&mut taps, &h, None)?;
        }
        let h = final_norm(&mut params, self.branches.norm, &h)?;
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
        TokenKind::Examples
    }

    fn title(&self) -> String {
        self.title.clone()
    }

    fn init(&self, streams: &Streams) -> Vec<f64> {
        self.initializer.draw(streams)
    }
}
