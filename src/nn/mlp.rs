//! The multi-layer perceptron.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::base::rng::Streams;
use crate::record::TokenKind;

use super::batch::InputTensor;
use super::blueprint::{Blueprint, Initializer, Reader, hidden_gain, tap};
use super::model::Model;
use super::ops::activation::activate;
use super::ops::linear::affine;
use super::params::{Layout, Role};
use super::spec::{Activation, ModelSpec};

/// `h_0 = x`, `h_l = act(h_(l-1) W_l + b_l)` for `l` up to the depth, outputs `h_L W + b`. Taps: each `h_l`, `l >= 1`.
#[derive(Debug)]
pub struct Mlp {
    initializer: Initializer,
    layers: Vec<String>,
    activation: Activation,
    has_biases: bool,
    title: String,
}

impl Mlp {
    /// For `fan_in` flattened inputs and `fan_out` outputs.
    pub fn new(spec: &ModelSpec, fan_in: usize, fan_out: usize) -> Self {
        let layers: Vec<_> = (1..=spec.depth).map(|l| format!("layer {l}")).collect();
        let mut blueprint = Blueprint::with_biases(spec.block.biases);
        let mut fan = fan_in;
        for (l, layer) in layers.iter().enumerate() {
            let role = if l == 0 { Role::Input } else { Role::Hidden };
            blueprint.linear(layer, layer, [fan, spec.width], role, hidden_gain(spec.activation));
            fan = spec.width;
        }
        blueprint.linear("output", "output", [fan, fan_out], Role::Output, 1.0);
        let has_biases = spec.block.biases;
        let without = if has_biases { "" } else { ", no biases" };
        let title = format!("MLP, width {}, depth {}, {}{without}", spec.width, spec.depth, spec.activation.title());
        Self { initializer: blueprint.finish(), layers, activation: spec.activation, has_biases, title }
    }
}

impl Model for Mlp {
    fn forward(&self, params: &[Tensor], inputs: &InputTensor, mut taps: Option<&mut Vec<Tensor>>) -> Result<Tensor> {
        let mut params = Reader::new(params, &self.initializer.layout);
        let mut h = inputs.features()?.flatten_from(1)?;
        for _ in &self.layers {
            h = activate(&affine(&h, params.affine())?, self.activation)?;
            tap(&mut taps, &h, None)?;
        }
        let readout = params.affine();
        params.finish();
        affine(&h, readout)
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

    fn chain(&self) -> Option<Activation> {
        self.has_biases.then_some(self.activation)
    }

    fn init(&self, streams: &Streams) -> Vec<f64> {
        self.initializer.draw(streams)
    }
}
