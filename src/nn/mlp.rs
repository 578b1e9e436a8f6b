//! The multi-layer perceptron.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::base::rng::Streams;
use crate::record::TokenKind;

use super::batch::InputTensor;
use super::blueprint::{Blueprint, Initializer, Reader, hidden_gain, tap};
use super::model::Model;
use super::ops::activation::activate;
use super::ops::convolution::Windows;
use super::ops::linear::affine;
use super::params::{Layout, Role};
use super::sharing::Gather;
use super::spec::{Activation, ModelSpec, Sharing};
use super::statistics::{Normalised, OF_ALL, Source, fixed};

/// `h_0 = x`, `h_l = act(h_(l-1) W_l + b_l)` for `l` up to the depth, outputs `h_L W + b`. Taps: each `h_l`, `l >= 1`.
///
/// With `batch_norm`, `h_l = act(BN(h_(l-1) W_l))`, BN of each unit, or channel of shared weights (see
/// [`super::statistics`]).
///
/// With [`Sharing`] other than dense, the `W_l` and `b_l` are gathered from fewer free weights (see [`super::sharing`]);
/// the `width` units of a layer are then `width / pixels` channels at each pixel.
#[derive(Clone, Debug)]
pub struct Mlp {
    initializer: Initializer,
    layers: Vec<String>,
    activation: Activation,
    has_biases: bool,
    batch_norm: bool,
    /// Of each layer but the output; none if they are dense.
    gathers: Vec<Arc<Gather>>,
    title: String,
}

impl Mlp {
    /// For `fan_in` flattened inputs and `fan_out` outputs.
    pub fn new(spec: &ModelSpec, fan_in: usize, fan_out: usize) -> Self {
        let mut fan = fan_in;
        let sizes = (0..spec.depth).map(|_| [std::mem::replace(&mut fan, spec.width), spec.width]).collect();
        Self::with_sizes(spec, sizes, Vec::new(), [fan, fan_out])
    }

    /// With the masks and ties of `spec.sharing`, for pictures `[height, width, channels]`, whose pixels divide the
    /// width of the layers.
    ///
    /// # Errors
    /// Whatever candle says.
    pub fn on_pictures(spec: &ModelSpec, shape: [usize; 3], fan_out: usize) -> Result<Self> {
        let [height, width, mut channels] = shape;
        let windows = Windows { height, width, side: 3, stride: 1 };
        let units = spec.width / windows.pixels();
        let mut gathers: Vec<Arc<Gather>> = Vec::with_capacity(spec.depth);
        for layer in 0..spec.depth {
            match gathers.last() {
                // All layers but the first are alike.
                Some(last) if layer >= 2 => gathers.push(last.clone()),
                _ => gathers.extend(Gather::new(spec.sharing, windows, channels, units)?.map(Arc::new)),
            }
            channels = units;
        }
        if gathers.is_empty() {
            return Ok(Self::new(spec, shape.iter().product(), fan_out));
        }
        let sizes = gathers.iter().map(|gather| gather.free()).collect();
        Ok(Self::with_sizes(spec, sizes, gathers, [spec.width, fan_out]))
    }

    fn with_sizes(spec: &ModelSpec, sizes: Vec<[usize; 2]>, gathers: Vec<Arc<Gather>>, readout: [usize; 2]) -> Self {
        let layers: Vec<_> = (1..=spec.depth).map(|l| format!("layer {l}")).collect();
        let mut blueprint = Blueprint::with_biases(spec.block.biases);
        for (l, (layer, fan)) in layers.iter().zip(sizes).enumerate() {
            let role = if l == 0 { Role::Input } else { Role::Hidden };
            if spec.batch_norm {
                blueprint.normalised(layer, layer, fan, role, hidden_gain(spec.activation));
            } else {
                blueprint.linear(layer, layer, fan, role, hidden_gain(spec.activation));
            }
        }
        blueprint.linear("output", "output", readout, Role::Output, 1.0);
        let kind = match spec.sharing {
            Sharing::Dense => "MLP",
            Sharing::Local => "locally connected MLP",
            Sharing::Shared => "MLP with shared weights",
        };
        let has_biases = spec.block.biases;
        let batch_norm = spec.batch_norm;
        let without = if has_biases { "" } else { ", no biases" };
        let norm = if batch_norm { "BatchNorm, " } else { "" };
        let (width, depth, activation) = (spec.width, spec.depth, spec.activation);
        let title = format!("{kind}, width {width}, depth {depth}, {norm}{}{without}", activation.title());
        Self { initializer: blueprint.finish(), layers, activation, has_biases, batch_norm, gathers, title }
    }
}

impl Normalised for Mlp {
    fn pass(
        &self,
        params: &[Tensor],
        inputs: &InputTensor,
        mut taps: Option<&mut Vec<Tensor>>,
        source: &mut Source,
    ) -> Result<Tensor> {
        let mut params = Reader::new(params, &self.initializer.layout);
        let mut h = inputs.features()?.flatten_from(1)?;
        for layer in 0..self.layers.len() {
            let (weight, bias) = if self.batch_norm { (params.one(), None) } else { params.affine() };
            let mut preactivations = match self.gathers.get(layer) {
                None => affine(&h, (weight, bias))?,
                Some(gather) => {
                    let bias = bias.map(|bias| gather.bias(bias)).transpose()?;
                    affine(&h, (&gather.weight(weight)?, bias.as_ref()))?
                }
            };
            if self.batch_norm {
                let affine = params.pair();
                // With shared weights the channels are normalised over all pixels, as in a convolution.
                let channels = preactivations.reshape(((), affine.0.dim(0)?))?;
                preactivations = source.normalise(&channels, affine)?.reshape(preactivations.shape())?;
            }
            h = activate(&preactivations, self.activation)?;
            tap(&mut taps, &h, None)?;
        }
        let readout = params.affine();
        params.finish();
        affine(&h, readout)
    }
}

impl Model for Mlp {
    fn forward(&self, params: &[Tensor], inputs: &InputTensor, taps: Option<&mut Vec<Tensor>>) -> Result<Tensor> {
        self.pass(params, inputs, taps, &mut Source::Batch)
    }

    fn coupled_examples(&self) -> usize {
        if self.batch_norm { usize::MAX } else { 1 }
    }

    fn with_statistics_of(&self, params: &[Tensor], inputs: &InputTensor) -> Result<Option<Arc<dyn Model>>> {
        self.batch_norm.then(|| fixed(self, params, inputs)).transpose()
    }

    fn statistics(&self) -> Option<String> {
        self.batch_norm.then(|| OF_ALL.to_owned())
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
        (self.has_biases && !self.batch_norm && self.gathers.is_empty()).then_some(self.activation)
    }

    fn init(&self, streams: &Streams) -> Vec<f64> {
        self.initializer.draw(streams)
    }
}
