//! Convolutional networks of constant width, plain and residual.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::base::rng::Streams;
use crate::record::TokenKind;

use super::batch::InputTensor;
use super::blueprint::{Blueprint, Initializer, Reader, hidden_gain, tap};
use super::model::Model;
use super::norm::NormKind;
use super::ops::activation::activate;
use super::ops::average_pool::average_pool;
use super::ops::convolution::{Windows, convolution, without_bias};
use super::ops::linear::linear;
use super::ops::pooling::mean_tokens;
use super::ops::residual::add_scaled;
use super::params::{Layout, Role};
use super::spec::{Activation, Downsample, FinalNorm, ModelSpec, Norm};
use super::statistics::{Normalised, OF_ALL, Source, fixed};

/// Side of the windows.
pub const SIDE: usize = 3;

/// A stem and `depth` layers, all of 3x3 windows and `width` channels, the mean over positions, and a linear readout:
/// ```text
/// plain:     h_0 = act(conv(x)),  h_l = act(conv(h_(l-1))),                          outputs = mean(h_L) W + b
/// residual:  h_0 = conv(x),       h_l = h_(l-1) + residual_scale conv(act(N h_(l-1))),  outputs = mean(act(N h_L)) W + b
/// ```
/// N is layer normalisation over the channels of a position (Pre-LN), or nothing; with Post-LN
/// `h_l = N(h_(l-1) + residual_scale conv(act(h_(l-1))))` and N is missing in the readout. With more than one stage the
/// layers are shared out evenly among them, and at the start of each but the first the picture's sides are halved: by
/// the mean over 2x2 pixels, or by a stride of 2 of the stage's first convolution (whose skip is that mean).
///
/// With `batch_norm`, BN normalises each channel over all positions of all examples (see [`super::statistics`]):
/// ```text
/// plain:     h_0 = act(BN conv(x)),  h_l = act(BN conv(h_(l-1))),                     outputs = mean(h_L) W + b
/// residual:  N is BN, as with Pre-LN
/// ```
///
/// Taps: `stem`, `layer 1` ... or `block 1` ..., each h as `[B, positions, D]`.
#[derive(Clone, Debug)]
pub struct ConvNet {
    initializer: Initializer,
    layers: Vec<String>,
    /// What each layer after the stem does.
    steps: Vec<Step>,
    stem: Windows,
    residual: bool,
    activation: Activation,
    /// Of the branches.
    norm: Norm,
    /// Before the readout.
    final_norm: Option<Normalisation>,
    batch_norm: bool,
    scale: f64,
    title: String,
}

/// What comes before the readout.
#[derive(Clone, Copy, Debug)]
enum Normalisation {
    OfRows(NormKind),
    OfBatches,
}

/// Of one layer after the stem.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// The picture is halved by its mean first.
    halve: bool,
    /// After that.
    windows: Windows,
}

impl ConvNet {
    /// For pictures `[height, width, channels]` and `fan_out` outputs. The sides must be multiples of
    /// [`Self::least_side`].
    pub fn new(spec: &ModelSpec, residual: bool, [height, width, channels]: [usize; 3], fan_out: usize) -> Self {
        let batch_norm = spec.batch_norm;
        let norm = if residual && !batch_norm { spec.norm } else { Norm::None };
        let gain = hidden_gain(spec.activation);
        let fan = |channels: usize| [SIDE * SIDE * channels, spec.width];
        let mut blueprint = Blueprint::default();
        let mut layers = vec!["stem".to_owned()];
        let convolution = |blueprint: &mut Blueprint, group: &str, prefix: &str, fan, role, gain| {
            if batch_norm && !residual {
                blueprint.normalised(group, prefix, fan, role, gain);
            } else {
                blueprint.linear(group, prefix, fan, role, gain);
            }
        };
        convolution(&mut blueprint, "stem", "stem", fan(channels), Role::Input, if residual { 1.0 } else { gain });
        let stem = Windows { height, width, side: SIDE, stride: 1 };
        let mut steps = Vec::with_capacity(spec.depth);
        let (mut height, mut width) = (height, width);
        for layer in 0..spec.depth {
            let name = format!("{} {}", if residual { "block" } else { "layer" }, layer + 1);
            if norm != Norm::None {
                NormKind::of(norm).blueprint(&mut blueprint, &name, &format!("{name}.norm"), spec.width);
            }
            if residual && batch_norm {
                blueprint.batch_norm(&name, &format!("{name}.norm"), spec.width);
            }
            let prefix = if residual { format!("{name}.convolution") } else { name.clone() };
            convolution(&mut blueprint, &name, &prefix, fan(spec.width), Role::Hidden, gain);
            layers.push(name);
            let begins = layer > 0 && stage_of(spec, layer) != stage_of(spec, layer - 1);
            let halve = begins && spec.downsample == Downsample::Pool;
            if halve {
                (height, width) = (height / 2, width / 2);
            }
            let windows = Windows { height, width, side: SIDE, stride: if begins && !halve { 2 } else { 1 } };
            steps.push(Step { halve, windows });
            (height, width) = (windows.rows(), windows.columns());
        }
        let final_norm = match (residual, batch_norm) {
            (false, _) => None,
            (true, false) => NormKind::at_the_end(spec).map(Normalisation::OfRows),
            (true, true) => (spec.block.final_norm != FinalNorm::Off).then_some(Normalisation::OfBatches),
        };
        match final_norm {
            Some(Normalisation::OfRows(kind)) => kind.blueprint(&mut blueprint, "output", "output.norm", spec.width),
            Some(Normalisation::OfBatches) => blueprint.batch_norm("output", "output.norm", spec.width),
            None => {}
        }
        blueprint.linear("output", "output", [spec.width, fan_out], Role::Output, 1.0);
        let title = title(spec, residual);
        let (activation, scale) = (spec.activation, spec.residual_scale);
        Self {
            initializer: blueprint.finish(),
            layers,
            steps,
            stem,
            residual,
            activation,
            norm,
            final_norm,
            batch_norm,
            scale,
            title,
        }
    }

    /// What the sides of pictures must be multiples of: 2 for each halving.
    pub fn least_side(spec: &ModelSpec) -> usize {
        1 << (stages(spec) - 1)
    }

    /// A plain layer; h `[B pixels, C]`.
    fn layer(&self, params: &mut Reader, h: &Tensor, windows: Windows, source: &mut Source) -> Result<Tensor> {
        let preactivations = if self.batch_norm {
            source.normalise(&without_bias(h, params.one(), windows)?, params.pair())?
        } else {
            let (weight, bias) = params.pair();
            convolution(h, weight, bias, windows)?
        };
        activate(&preactivations, self.activation)
    }

    /// A residual layer; h `[B positions, D]`.
    fn block(&self, params: &mut Reader, h: &Tensor, step: Step, source: &mut Source) -> Result<Tensor> {
        let Windows { height, width, stride, .. } = step.windows;
        // In the layout the normalisation comes first, wherever it is applied.
        let mut input = h.clone();
        let mut after = None;
        if self.batch_norm {
            input = source.normalise(&input, params.pair())?;
        } else if self.norm.is_pre() {
            input = NormKind::of(self.norm).apply(params, &input)?;
        } else if self.norm == Norm::PostLn {
            after = Some(params.affine());
        }
        let (weight, bias) = params.pair();
        let branch = convolution(&activate(&input, self.activation)?, weight, bias, step.windows)?;
        let skip = if stride == 1 { h.clone() } else { average_pool(h, height, width)? };
        let sum = add_scaled(&skip, &branch, self.scale)?;
        match after {
            Some(own) => NormKind::layer(&sum, own),
            None => Ok(sum),
        }
    }
}

/// Stages, at most one a layer.
fn stages(spec: &ModelSpec) -> usize {
    spec.stages.clamp(1, spec.depth.max(1))
}

fn stage_of(spec: &ModelSpec, layer: usize) -> usize {
    layer * stages(spec) / spec.depth
}

fn title(spec: &ModelSpec, residual: bool) -> String {
    let mut words = vec![
        format!("{}, width {}", if residual { "residual ConvNet" } else { "ConvNet" }, spec.width),
        format!("depth {}", spec.depth),
    ];
    match (stages(spec), spec.downsample) {
        (1, _) => {}
        (stages, Downsample::Pool) => words.push(format!("{stages} stages by pooling")),
        (stages, Downsample::Stride) => words.push(format!("{stages} stages by strides")),
    }
    if spec.batch_norm {
        words.push("BatchNorm".to_owned());
    } else if residual {
        words.push(spec.norm.title().to_owned());
    }
    words.push(spec.activation.title().to_owned());
    words.join(", ")
}

impl Normalised for ConvNet {
    fn pass(
        &self,
        params: &[Tensor],
        inputs: &InputTensor,
        mut taps: Option<&mut Vec<Tensor>>,
        source: &mut Source,
    ) -> Result<Tensor> {
        let mut params = Reader::new(params, &self.initializer.layout);
        let pictures = inputs.features()?;
        let rows = pictures.elem_count() / pictures.dim(candle_core::D::Minus1)?;
        let pictures = pictures.reshape((rows, ()))?;
        let mut h = if self.residual {
            let (weight, bias) = params.pair();
            convolution(&pictures, weight, bias, self.stem)?
        } else {
            self.layer(&mut params, &pictures, self.stem, source)?
        };
        let mut positions = self.stem.positions();
        tap(&mut taps, &h, Some(positions))?;
        for &step in &self.steps {
            let Windows { height, width, .. } = step.windows;
            if step.halve {
                h = average_pool(&h, 2 * height, 2 * width)?;
            }
            h = if self.residual {
                self.block(&mut params, &h, step, source)?
            } else {
                self.layer(&mut params, &h, step.windows, source)?
            };
            positions = step.windows.positions();
            tap(&mut taps, &h, Some(positions))?;
        }
        if self.residual {
            h = match self.final_norm {
                Some(Normalisation::OfRows(kind)) => kind.apply(&mut params, &h)?,
                Some(Normalisation::OfBatches) => source.normalise(&h, params.pair())?,
                None => h,
            };
            h = activate(&h, self.activation)?;
        }
        let (weight, bias) = params.pair();
        params.finish();
        linear(&mean_tokens(&h, positions)?, weight, bias)
    }
}

impl Model for ConvNet {
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
        TokenKind::Tokens
    }

    fn title(&self) -> String {
        self.title.clone()
    }

    fn init(&self, streams: &Streams) -> Vec<f64> {
        self.initializer.draw(streams)
    }
}
