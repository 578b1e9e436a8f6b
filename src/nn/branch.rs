//! The two kinds of residual branch, and where they normalise.

use candle_core::{Result, Tensor};

use super::blueprint::{Blueprint, Reader};
use super::ops::activation::activate;
use super::ops::attention::{Heads, attention};
use super::ops::layer_norm::layer_norm;
use super::ops::linear::linear;
use super::ops::residual::add_scaled;
use super::params::Role;
use super::spec::{Activation, ModelSpec, Norm};

/// What all residual branches of a network have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Branches {
    width: usize,
    /// Units between the two matrices of an MLP branch.
    hidden: usize,
    activation: Activation,
    pub norm: Norm,
    scale: f64,
}

impl Branches {
    pub fn new(spec: &ModelSpec, hidden: usize) -> Self {
        Self { width: spec.width, hidden, activation: spec.activation, norm: spec.norm, scale: spec.residual_scale }
    }

    pub fn mlp_blueprint(&self, blueprint: &mut Blueprint, group: &str, prefix: &str) {
        self.norm_blueprint(blueprint, group, prefix);
        let (w, h) = (self.width, self.hidden);
        blueprint.linear(group, &format!("{prefix}.expand"), [w, h], Role::Hidden, 1.0);
        blueprint.linear(group, &format!("{prefix}.contract"), [h, w], Role::Hidden, 1.0);
    }

    pub fn attention_blueprint(&self, blueprint: &mut Blueprint, group: &str, prefix: &str) {
        self.norm_blueprint(blueprint, group, prefix);
        let w = self.width;
        blueprint.linear(group, &format!("{prefix}.query key value"), [w, 3 * w], Role::Hidden, 1.0);
        blueprint.linear(group, &format!("{prefix}.project"), [w, w], Role::Hidden, 1.0);
    }

    fn norm_blueprint(&self, blueprint: &mut Blueprint, group: &str, prefix: &str) {
        if self.norm != Norm::None {
            blueprint.layer_norm(group, &format!("{prefix}.norm"), self.width);
        }
    }

    /// `W2 act(W1 h + b1) + b2` as a branch; h `[R, D]`.
    pub fn mlp(&self, params: &mut Reader, h: &Tensor) -> Result<Tensor> {
        self.residual(params, h, |params, h| {
            let (weight, bias) = params.pair();
            let hidden = activate(&linear(h, weight, bias)?, self.activation)?;
            let (weight, bias) = params.pair();
            linear(&hidden, weight, bias)
        })
    }

    /// Self-attention and its projection as a branch; h `[B T, D]`.
    pub fn attention(&self, params: &mut Reader, h: &Tensor, heads: Heads) -> Result<Tensor> {
        self.residual(params, h, |params, h| {
            let (weight, bias) = params.pair();
            let mixed = attention(&linear(h, weight, bias)?, heads)?;
            let (weight, bias) = params.pair();
            linear(&mixed, weight, bias)
        })
    }

    /// `h + scale f(LN h)`, `LN(h + scale f(h))` or `h + scale f(h)`.
    fn residual(
        &self,
        params: &mut Reader,
        h: &Tensor,
        branch: impl Fn(&mut Reader, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        match self.norm {
            Norm::PreLn => {
                let (gain, bias) = params.pair();
                let f = branch(params, &layer_norm(h, gain, bias)?)?;
                add_scaled(h, &f, self.scale)
            }
            Norm::PostLn => {
                let (gain, bias) = params.pair();
                let f = branch(params, h)?;
                layer_norm(&add_scaled(h, &f, self.scale)?, gain, bias)
            }
            Norm::None => add_scaled(h, &branch(params, h)?, self.scale),
        }
    }

    /// Such as `width 32, depth 4, Pre-LN, GELU`.
    pub fn title(&self, spec: &ModelSpec) -> String {
        let norm = norm_title(self.norm);
        format!("width {}, depth {}, {norm}, {}", self.width, spec.depth, self.activation.title())
    }
}

pub(super) fn norm_title(norm: Norm) -> &'static str {
    match norm {
        Norm::PreLn => "Pre-LN",
        Norm::PostLn => "Post-LN",
        Norm::None => "no normalisation",
    }
}

/// A Pre-LN stream is normalised once more before the outputs are read from it.
pub(super) fn final_norm_blueprint(blueprint: &mut Blueprint, spec: &ModelSpec) {
    if spec.norm == Norm::PreLn {
        blueprint.layer_norm("output", "output.norm", spec.width);
    }
}

pub(super) fn final_norm(params: &mut Reader, norm: Norm, h: &Tensor) -> Result<Tensor> {
    if norm != Norm::PreLn {
        return Ok(h.clone());
    }
    let (gain, bias) = params.pair();
    layer_norm(h, gain, bias)
}
