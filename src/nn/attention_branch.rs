//! What an attention branch computes between its normalisation and the residual stream.

use candle_core::{Result, Tensor};

use super::blueprint::{Blueprint, Reader};
use super::ops::attention::Heads;
use super::ops::attention_weights::{Gains, Logits, mix, normalise_queries_and_keys, shaped, shaped_weights, weights};
use super::ops::linear::affine;
use super::params::Role;
use super::spec::{AttentionScale, AttentionSpec, ModelSpec};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct AttentionBranch {
    width: usize,
    d_head: usize,
    logits: Logits,
    qk_norm: bool,
    shaped: bool,
    /// Of the identity, the softmax and its centre.
    gains: [f64; 3],
    train_gains: bool,
}

impl AttentionBranch {
    pub fn new(spec: &ModelSpec) -> Self {
        let AttentionSpec { scale, inverse_temperature, softcap, qk_norm, shaped, train_gains, .. } = spec.attention;
        let d_head = spec.width / spec.n_heads.max(1);
        let mut factor = inverse_temperature;
        if scale == AttentionScale::Inverse {
            factor *= (d_head as f64).sqrt().recip();
        }
        if shaped {
            factor /= spec.attention.shaped_temperature * (spec.width as f64).sqrt();
        }
        let AttentionSpec { identity_gain, softmax_gain, centre_gain, .. } = spec.attention;
        Self {
            width: spec.width,
            d_head,
            logits: Logits { factor, softcap },
            qk_norm,
            shaped,
            gains: [identity_gain, softmax_gain, centre_gain],
            train_gains: shaped && train_gains,
        }
    }

    /// What a softmax's products of queries and keys are multiplied by, if it is all there is.
    pub fn plain(&self) -> Option<f64> {
        let is_plain = !self.qk_norm && !self.shaped && self.logits.softcap == 0.0;
        is_plain.then(|| self.logits.factor / (self.d_head as f64).sqrt())
    }

    pub fn blueprint(&self, blueprint: &mut Blueprint, group: &str, prefix: &str) {
        let w = self.width;
        blueprint.stacked(group, &format!("{prefix}.query key value"), [w, w], &["query", "key", "value"]);
        if self.qk_norm {
            blueprint.gain(group, &format!("{prefix}.query norm.gain"), self.d_head, 1.0);
            blueprint.gain(group, &format!("{prefix}.key norm.gain"), self.d_head, 1.0);
        }
        if self.train_gains {
            blueprint.gains(group, &format!("{prefix}.shape.gain"), &self.gains);
        }
        blueprint.linear(group, &format!("{prefix}.project"), [w, w], Role::Hidden, 1.0);
    }

    /// `A(h) V(h) W + b`; h `[B T, D]`. With `maps`, pushes A, detached, `[B, H, T, T]`.
    pub fn apply(
        &self,
        params: &mut Reader,
        h: &Tensor,
        heads: Heads,
        maps: Option<&mut Vec<Tensor>>,
    ) -> Result<Tensor> {
        let mut qkv = affine(h, params.affine())?;
        if self.qk_norm {
            let (query, key) = params.pair();
            qkv = normalise_queries_and_keys(&qkv, [query, key], heads)?;
        }
        let gains = if self.train_gains { Gains::Trained(params.one()) } else { Gains::Fixed(self.gains) };
        if let Some(maps) = maps {
            let qkv = qkv.detach();
            let map = match self.shaped {
                true => shaped_weights(&qkv, heads, self.logits, gains)?,
                false => weights(&qkv, heads, self.logits)?,
            };
            maps.push(map.detach());
        }
        let mixed = match self.shaped {
            true => shaped(&qkv, heads, self.logits, gains)?,
            false => mix(&qkv, heads, self.logits)?,
        };
        affine(&mixed, params.affine())
    }
}
