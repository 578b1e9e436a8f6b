//! The two kinds of residual branch, and how they join the stream.

use candle_core::{Result, Tensor};

use super::attention_branch::AttentionBranch;
use super::block_title::switches;
use super::blueprint::{Blueprint, Reader};
use super::forward;
use super::nonlinearity::Nonlinearity;
use super::norm::NormKind;
use super::ops::attention::Heads;
use super::ops::linear::affine;
use super::ops::residual::join;
use super::ops::scale::scale_columns;
use super::params::Role;
use super::spec::{BranchGain, EmbeddingNorm, ModelSpec, Norm, Preset};

/// What all residual branches of a network have in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Branches {
    width: usize,
    /// Units between the two matrices of an MLP branch.
    hidden: usize,
    norm: Norm,
    embedding_norm: EmbeddingNorm,
    final_norm: Option<NormKind>,
    skip: f64,
    scale: f64,
    gain: BranchGain,
    gain_init: f64,
    nonlinearity: Nonlinearity,
    input_scale: bool,
    attention: AttentionBranch,
}

/// Which branch of the network: the first one may have a normalisation of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Later,
}

impl Place {
    pub fn of(index: usize) -> Self {
        if index == 0 { Self::First } else { Self::Later }
    }
}

impl Branches {
    /// For `per_block` branches in each block.
    pub fn new(spec: &ModelSpec, hidden: usize, per_block: usize) -> Self {
        let block = &spec.block;
        Self {
            width: spec.width,
            hidden,
            norm: spec.norm,
            embedding_norm: block.embedding_norm,
            final_norm: NormKind::at_the_end(spec),
            skip: block.skip_scale,
            scale: spec.residual_scale * block.depth_scaling.factor(spec.depth, per_block * spec.depth),
            gain: block.branch_gain,
            gain_init: block.branch_gain_init,
            nonlinearity: Nonlinearity::new(spec),
            input_scale: block.mlp_input_scale,
            attention: AttentionBranch::new(spec),
        }
    }

    /// The switches, if there are no others than a forward pass by hand knows, and the final normalisation.
    pub fn plain(&self) -> Option<(forward::Branch, Option<NormKind>)> {
        let is_plain = self.embedding_norm == EmbeddingNorm::None && self.gain == BranchGain::None && !self.input_scale;
        let activation = self.nonlinearity.plain().filter(|_| is_plain)?;
        let norm = (self.norm != Norm::None).then(|| NormKind::of(self.norm));
        let is_post = self.norm == Norm::PostLn;
        Some((forward::Branch { norm, is_post, activation, skip: self.skip, scale: self.scale }, self.final_norm))
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// See [`AttentionBranch::plain`].
    pub fn plain_attention(&self) -> Option<f64> {
        self.attention.plain()
    }

    pub fn mlp_blueprint(&self, blueprint: &mut Blueprint, group: &str, prefix: &str, place: Place) {
        self.entrance_blueprint(blueprint, group, prefix, place);
        let (w, h) = (self.width, self.hidden);
        blueprint.linear(group, &format!("{prefix}.expand"), [w, h], Role::Hidden, 1.0);
        if self.input_scale {
            blueprint.gain(group, &format!("{prefix}.input scale.gain"), 1, 1.0);
        }
        blueprint.linear(group, &format!("{prefix}.contract"), [h, w], Role::Hidden, 1.0);
        self.gain_blueprint(blueprint, group, prefix);
    }

    pub fn attention_blueprint(&self, blueprint: &mut Blueprint, group: &str, prefix: &str, place: Place) {
        self.entrance_blueprint(blueprint, group, prefix, place);
        self.attention.blueprint(blueprint, group, prefix);
        self.gain_blueprint(blueprint, group, prefix);
    }

    fn entrance_blueprint(&self, blueprint: &mut Blueprint, group: &str, prefix: &str, place: Place) {
        if self.has_entrance_norm(place) {
            NormKind::of(self.norm).blueprint(blueprint, group, &format!("{prefix}.input norm"), self.width);
        }
        if self.norm != Norm::None {
            NormKind::of(self.norm).blueprint(blueprint, group, &format!("{prefix}.norm"), self.width);
        }
    }

    fn gain_blueprint(&self, blueprint: &mut Blueprint, group: &str, prefix: &str) {
        let len = match self.gain {
            BranchGain::None => return,
            BranchGain::SkipInit => 1,
            BranchGain::LayerScale => self.width,
        };
        blueprint.gain(group, &format!("{prefix}.branch.gain"), len, self.gain_init);
    }

    fn has_entrance_norm(&self, place: Place) -> bool {
        place == Place::First && self.embedding_norm == EmbeddingNorm::FirstBranch
    }

    /// `W2 act(a (W1 h + b1)) + b2` as a branch; h `[R, D]`.
    pub fn mlp(&self, params: &mut Reader, h: &Tensor, place: Place) -> Result<Tensor> {
        self.residual(params, h, place, |params, h| {
            let mut hidden = affine(h, params.affine())?;
            if self.input_scale {
                hidden = scale_columns(&hidden, params.one())?;
            }
            affine(&self.nonlinearity.apply(&hidden)?, params.affine())
        })
    }

    /// Self-attention and its projection as a branch; h `[B T, D]`. With `maps`, pushes its weights `[B, H, T, T]`.
    pub fn attention(
        &self,
        params: &mut Reader,
        h: &Tensor,
        place: Place,
        heads: Heads,
        maps: Option<&mut Vec<Tensor>>,
    ) -> Result<Tensor> {
        self.residual(params, h, place, |params, h| self.attention.apply(params, h, heads, maps))
    }

    /// `skip h + scale gain f(norm h)`, `LN(skip h + scale gain f(h))` or `skip h + scale gain f(h)`.
    fn residual(
        &self,
        params: &mut Reader,
        h: &Tensor,
        place: Place,
        branch: impl FnOnce(&mut Reader, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let kind = NormKind::of(self.norm);
        let mut input = h.clone();
        if self.has_entrance_norm(place) {
            input = kind.apply(params, &input)?;
        }
        // In the layout the normalisation comes first, wherever it is applied.
        let mut after = None;
        if self.norm.is_pre() {
            input = kind.apply(params, &input)?;
        } else if self.norm == Norm::PostLn {
            after = Some(params.affine());
        }
        let mut f = branch(params, &input)?;
        if self.gain != BranchGain::None {
            f = scale_columns(&f, params.one())?;
        }
        let joined = join(h, &f, self.skip, self.scale)?;
        match after {
            Some(own) => NormKind::layer(&joined, own),
            None => Ok(joined),
        }
    }

    /// Normalises embedded inputs, where the stream starts so.
    pub fn embedding_norm_blueprint(&self, blueprint: &mut Blueprint) {
        if self.embedding_norm == EmbeddingNorm::Stream {
            NormKind::of(self.norm).blueprint(blueprint, "embedding", "embedding.norm", self.width);
        }
    }

    pub fn normalise_embedding(&self, params: &mut Reader, h: Tensor) -> Result<Tensor> {
        match self.embedding_norm {
            EmbeddingNorm::Stream => NormKind::of(self.norm).apply(params, &h),
            EmbeddingNorm::None | EmbeddingNorm::FirstBranch => Ok(h),
        }
    }

    pub fn final_norm_blueprint(&self, blueprint: &mut Blueprint) {
        if let Some(kind) = self.final_norm {
            kind.blueprint(blueprint, "output", "output.norm", self.width);
        }
    }

    /// The stream as the outputs are read from it.
    pub fn final_norm(&self, params: &mut Reader, h: Tensor) -> Result<Tensor> {
        match self.final_norm {
            Some(kind) => kind.apply(params, &h),
            None => Ok(h),
        }
    }

    /// Such as `width 32, depth 4, Pre-LN, GELU`, with the switches that aren't at their default.
    pub fn title(&self, spec: &ModelSpec) -> String {
        let (block, switches) = match Preset::of(spec) {
            Some(Preset::OutlierProtected) => ("Outlier-Protected", Vec::new()),
            Some(Preset::Shaped) => ("Shaped", Vec::new()),
            Some(Preset::Standard) | None => (spec.norm.title(), switches(spec)),
        };
        let parts = [format!("width {}, depth {}, {block}, {}", spec.width, spec.depth, spec.activation.title())];
        parts.into_iter().chain(switches).collect::<Vec<_>>().join(", ")
    }
}
