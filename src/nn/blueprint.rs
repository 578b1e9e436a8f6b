//! Where parameters start: a layout with a rule of initialisation a tensor.
//!
//! Matrices start normal with standard deviation `gain / sqrt(fan_in)` (LeCun et al. 1998), `gain` 1, or `sqrt(2)`
//! in front of activations that drop half their input (ReLU, GELU, SiLU in plain MLPs; He et al. 2015). Token and
//! position embeddings start normal with standard deviation 0.02 (Radford et al. 2019). Biases start at 0, gains
//! of normalisations at 1. The residual branches aren't shrunk with depth: that is what `residual_scale` is for.

use std::sync::Arc;

use candle_core::Tensor;

use crate::base::rng::{Streams, normals};

use super::params::{Layout, Role};
use super::spec::Activation;

/// Standard deviation of embeddings.
const EMBEDDING_STD: f64 = 0.02;

#[derive(Clone, Debug, PartialEq)]
enum Start {
    Constant(f64),
    Values(Vec<f64>),
    Normal { std: f64 },
}

/// A layout in the making.
#[derive(Debug, Default)]
pub(super) struct Blueprint {
    layout: Layout,
    starts: Vec<Start>,
    without_biases: bool,
}

impl Blueprint {
    /// One whose affine maps and layer normalisations have biases or not.
    pub fn with_biases(biases: bool) -> Self {
        Self { without_biases: !biases, ..Self::default() }
    }

    /// `[fan_in, fan_out]` and its bias `[fan_out]`, as `prefix.weight` and `prefix.bias`.
    pub fn linear(&mut self, group: &str, prefix: &str, fan: [usize; 2], role: Role, gain: f64) {
        self.matrix(group, prefix, fan, role, gain);
        self.bias(group, prefix, fan[1]);
    }

    /// `[fan_in, fan_out]` as `prefix.weight`.
    pub fn matrix(&mut self, group: &str, prefix: &str, fan: [usize; 2], role: Role, gain: f64) {
        let std = gain / (fan[0] as f64).sqrt();
        self.push(group, format!("{prefix}.weight"), &fan, role, Start::Normal { std });
    }

    /// A matrix and the batch normalisation after it, whose bias is the only one: what is added before it cancels.
    pub fn normalised(&mut self, group: &str, prefix: &str, fan: [usize; 2], role: Role, gain: f64) {
        self.matrix(group, prefix, fan, role, gain);
        self.batch_norm(group, &format!("{prefix}.norm"), fan[1]);
    }

    /// Gain and bias of a batch normalisation, which has both in networks without biases, too: as `prefix.gain` and `prefix.bias`.
    pub fn batch_norm(&mut self, group: &str, prefix: &str, width: usize) {
        self.gain(group, &format!("{prefix}.gain"), width, 1.0);
        self.push(group, format!("{prefix}.bias"), &[width], Role::Bias, Start::Constant(0.0));
    }

    /// Zeros, as `prefix.bias`.
    pub fn bias(&mut self, group: &str, prefix: &str, len: usize) {
        if !self.without_biases {
            self.push(group, format!("{prefix}.bias"), &[len], Role::Bias, Start::Constant(0.0));
        }
    }

    /// Gain and bias of a layer normalisation, as `prefix.gain` and `prefix.bias`.
    pub fn layer_norm(&mut self, group: &str, prefix: &str, width: usize) {
        self.gain(group, &format!("{prefix}.gain"), width, 1.0);
        self.bias(group, prefix, width);
    }

    /// Factors that all start at `start`.
    pub fn gain(&mut self, group: &str, name: &str, len: usize, start: f64) {
        self.gains(group, name, &vec![start; len]);
    }

    /// Factors with a start each.
    pub fn gains(&mut self, group: &str, name: &str, starts: &[f64]) {
        self.push(group, name.to_owned(), &[starts.len()], Role::Gain, Start::Values(starts.to_vec()));
    }

    /// Hidden matrices `[fan_in, fan_out]` with these names, side by side as one, and likewise their biases.
    pub fn stacked(&mut self, group: &str, prefix: &str, [fan_in, fan_out]: [usize; 2], names: &[&str]) {
        let fan_out = names.len() * fan_out;
        let std = (fan_in as f64).sqrt().recip();
        self.push(group, format!("{prefix}.weight"), &[fan_in, fan_out], Role::Hidden, Start::Normal { std });
        self.layout.name_columns(names);
        if !self.without_biases {
            self.bias(group, prefix, fan_out);
            self.layout.name_columns(names);
        }
    }

    /// A table of `rows` vectors.
    pub fn table(&mut self, group: &str, name: &str, rows: usize, width: usize, role: Role) {
        self.push(group, name.to_owned(), &[rows, width], role, Start::Normal { std: EMBEDDING_STD });
    }

    fn push(&mut self, group: &str, name: String, shape: &[usize], role: Role, start: Start) {
        self.layout.push(group, name, shape, role);
        self.starts.push(start);
    }

    pub fn finish(self) -> Initializer {
        Initializer { layout: Arc::new(self.layout), starts: self.starts }
    }
}

/// A finished layout that knows how its parameters start.
#[derive(Clone, Debug)]
pub(super) struct Initializer {
    pub layout: Arc<Layout>,
    starts: Vec<Start>,
}

impl Initializer {
    /// Initial values in the flattening order; tensor `name` is drawn from the stream `init/<name>`.
    pub fn draw(&self, streams: &Streams) -> Vec<f64> {
        let mut flat = Vec::with_capacity(self.layout.total());
        for (info, start) in self.layout.infos().iter().zip(&self.starts) {
            match start {
                Start::Constant(value) => flat.extend(std::iter::repeat_n(*value, info.len())),
                Start::Values(values) => flat.extend(values),
                Start::Normal { std } => {
                    let mut stream = streams.stream(&format!("init/{}", info.name));
                    flat.extend(normals(&mut stream, info.len()).into_iter().map(|z| z * std));
                }
            }
        }
        flat
    }
}

/// Gain of a matrix in front of `activation` that keeps the second moment of a plain MLP's signal about constant.
pub(super) fn hidden_gain(activation: Activation) -> f64 {
    match activation {
        Activation::Relu | Activation::Gelu | Activation::Silu => std::f64::consts::SQRT_2,
        Activation::Tanh | Activation::Identity => 1.0,
    }
}

/// Hands out parameters in the order of the layout, so that a forward pass reads as the blueprint does.
pub(super) struct Reader<'a> {
    params: &'a [Tensor],
    layout: &'a Layout,
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(params: &'a [Tensor], layout: &'a Layout) -> Self {
        assert_eq!(params.len(), layout.infos().len(), "one tensor for each entry of the layout");
        Self { params, layout, at: 0 }
    }

    pub fn one(&mut self) -> &'a Tensor {
        self.at += 1;
        &self.params[self.at - 1]
    }

    /// Two parameters that always come together.
    pub fn pair(&mut self) -> (&'a Tensor, &'a Tensor) {
        (self.one(), self.one())
    }

    /// A weight or gain, and its bias if the network has biases.
    pub fn affine(&mut self) -> (&'a Tensor, Option<&'a Tensor>) {
        (self.one(), self.bias())
    }

    /// The next parameter if it is a bias.
    pub fn bias(&mut self) -> Option<&'a Tensor> {
        self.layout.infos().get(self.at).is_some_and(|info| info.role == Role::Bias).then(|| self.one())
    }

    /// Every parameter has its place in the forward pass.
    pub fn finish(self) {
        assert_eq!(self.at, self.params.len(), "the forward pass uses each parameter once");
    }
}

/// Keeps a detached copy of a layer's activations `[R, D]`, as `[B, tokens, D]` if there are tokens.
pub(super) fn tap(taps: &mut Option<&mut Vec<Tensor>>, h: &Tensor, tokens: Option<usize>) -> candle_core::Result<()> {
    if let Some(taps) = taps {
        let h = h.detach();
        let (rows, width) = h.dims2()?;
        taps.push(match tokens {
            Some(tokens) => h.reshape((rows / tokens, tokens, width))?,
            None => h,
        });
    }
    Ok(())
}
