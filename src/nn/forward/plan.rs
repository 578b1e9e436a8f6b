//! What a forward pass by hand needs to know of a network.

use std::ops::Range;

use candle_core::{Result, Tensor};

use crate::nn::batch::{Batch, InputTensor};
use crate::nn::norm::NormKind;
use crate::nn::ops::embedding::{add_positions, embed};
use crate::nn::ops::linear::affine;
use crate::nn::params::{Layout, Role};
use crate::nn::spec::Activation;
use crate::nn::transformer::Front;

use super::product::pack;

/// A residual network that [`super::Forward`] can evaluate: branches of attention and an MLP, or of MLPs alone, without other
/// switches than these.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// `None`: all features of an example are one token, and it has no positions.
    pub(in crate::nn) front: Option<Front>,
    pub(in crate::nn) width: usize,
    pub(in crate::nn) hidden: usize,
    pub(in crate::nn) depth: usize,
    pub(in crate::nn) attention: Option<Attention>,
    pub(in crate::nn) branch: Branch,
    pub(in crate::nn) final_norm: Option<NormKind>,
    pub(in crate::nn) has_positions: bool,
    /// The outputs are read with the embedding table, transposed.
    pub(in crate::nn) is_tied: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    pub(in crate::nn) heads: usize,
    pub(in crate::nn) is_causal: bool,
    /// Of the products of queries and keys.
    pub(in crate::nn) factor: f64,
}

/// What all branches have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Branch {
    pub(in crate::nn) norm: Option<NormKind>,
    /// Whether the norm is of the joined stream instead of the branch's inputs.
    pub(in crate::nn) is_post: bool,
    pub(in crate::nn) activation: Activation,
    pub(in crate::nn) skip: f64,
    pub(in crate::nn) scale: f64,
}

impl Plan {
    /// The embedded inputs `[B T, D]` and T; linear in the parameters, which may also be a direction.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub(in crate::nn) fn embedding(
        &self,
        params: &[Tensor],
        layout: &Layout,
        inputs: &InputTensor,
    ) -> Result<(Tensor, usize)> {
        let has_bias = layout.infos().get(1).is_some_and(|info| info.role == Role::Bias);
        let pair = (&params[0], has_bias.then(|| &params[1]));
        let (h, tokens) = match self.front {
            None => (affine(&inputs.features()?.flatten_from(1)?, pair)?, 1),
            Some(Front::Ids { .. }) => {
                let ids = inputs.tokens()?;
                (embed(&params[0], ids)?, ids.dim(1)?)
            }
            Some(front) => (affine(&front.cut(inputs.features()?)?, pair)?, front.tokens()),
        };
        if !self.has_positions {
            return Ok((h, tokens));
        }
        Ok((add_positions(&h, &params[1 + usize::from(has_bias)], tokens)?, tokens))
    }

    /// Numbers of embedded inputs.
    pub(in crate::nn) fn embedded(&self, batch: &Batch) -> usize {
        let tokens = match &batch.inputs {
            InputTensor::Tokens(ids) => ids.elem_count(),
            InputTensor::Features(_) => batch.len * self.front.map_or(1, Front::tokens),
        };
        tokens * self.width
    }

    /// Whether every token has outputs.
    pub(in crate::nn) fn has_tokens_out(&self) -> bool {
        self.front.is_none_or(|front| matches!(front, Front::Ids { .. }))
    }
}

/// Where the numbers of a map are in [`Arrangement::sources`].
#[derive(Clone, Debug)]
pub(super) struct Affine {
    pub fan: [usize; 2],
    /// In panels, but for the outputs'.
    pub weight: Range<usize>,
    /// Whole panels; zeros where there is none.
    pub bias: Range<usize>,
}

/// Where a normalisation's are; empty where it has none.
#[derive(Clone, Debug, Default)]
pub(super) struct Norm {
    pub gain: Range<usize>,
    pub bias: Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Norm, queries keys values, projection.
    pub attention: Option<(Norm, Affine, Affine)>,
    pub norm: Norm,
    pub expand: Affine,
    pub contract: Affine,
}

/// All parameters behind the embedding, in the order in which the forward pass reads them.
#[derive(Clone, Debug)]
pub(super) struct Arrangement {
    pub blocks: Vec<Block>,
    pub final_norm: Norm,
    /// Row-major; `[C, D]` if tied.
    pub readout: Affine,
    /// For every number, one more than its place in the flattening order; 0 where it is zero.
    sources: Vec<usize>,
}

impl Arrangement {
    pub fn new(plan: &Plan, layout: &Layout) -> Self {
        let mut reader = Reader { layout, at: 0, sources: Vec::new() };
        // Behind the embedding.
        reader.at = 1;
        reader.skip_bias();
        reader.at += usize::from(plan.has_positions);
        let (width, hidden) = (plan.width, plan.hidden);
        let mut blocks = Vec::with_capacity(plan.depth);
        for _ in 0..plan.depth {
            let attention = plan.attention.map(|_| {
                let norm = reader.norm(plan.branch.norm, width);
                (norm, reader.affine([width, 3 * width]), reader.affine([width, width]))
            });
            let norm = reader.norm(plan.branch.norm, width);
            let (expand, contract) = (reader.affine([width, hidden]), reader.affine([hidden, width]));
            blocks.push(Block { attention, norm, expand, contract });
        }
        let final_norm = reader.norm(plan.final_norm, width);
        let readout = reader.readout(plan);
        assert_eq!(reader.at, layout.infos().len(), "the forward pass uses each parameter once");
        Self { blocks, final_norm, readout, sources: reader.sources }
    }

    /// A flat vector of all parameters in this arrangement.
    pub fn gather<A: Copy, T: Copy>(&self, flat: &[A], cast: impl Fn(A) -> T, zero: T) -> Vec<T> {
        self.sources.iter().map(|&source| if source == 0 { zero } else { cast(flat[source - 1]) }).collect()
    }
}

struct Reader<'a> {
    layout: &'a Layout,
    at: usize,
    sources: Vec<usize>,
}

impl Reader<'_> {
    fn push(&mut self, sources: impl IntoIterator<Item = usize>) -> Range<usize> {
        let from = self.sources.len();
        self.sources.extend(sources);
        from..self.sources.len()
    }

    fn next(&mut self) -> Vec<usize> {
        self.at += 1;
        self.layout.range(self.at - 1).map(|at| at + 1).collect()
    }

    fn is_bias(&self) -> bool {
        self.layout.infos().get(self.at).is_some_and(|info| info.role == Role::Bias)
    }

    fn skip_bias(&mut self) {
        self.at += usize::from(self.is_bias());
    }

    /// A bias in whole panels, or zeros.
    fn bias(&mut self, len: usize) -> Range<usize> {
        let values = if self.is_bias() { self.next() } else { vec![0; len] };
        let packed = pack(&values, [1, len]);
        self.push(packed)
    }

    fn affine(&mut self, fan: [usize; 2]) -> Affine {
        let packed = pack(&self.next(), fan);
        let weight = self.push(packed);
        Affine { fan, weight, bias: self.bias(fan[1]) }
    }

    fn norm(&mut self, kind: Option<NormKind>, width: usize) -> Norm {
        match kind {
            None | Some(NormKind::SimpleRms) => Norm::default(),
            Some(NormKind::Rms) => {
                let gain = self.next();
                Norm { gain: self.push(gain), bias: 0..0 }
            }
            Some(NormKind::Layer) => {
                let gain = self.next();
                let gain = self.push(gain);
                let values = if self.is_bias() { self.next() } else { vec![0; width] };
                Norm { gain, bias: self.push(values) }
            }
        }
    }

    fn readout(&mut self, plan: &Plan) -> Affine {
        let (weight, outputs) = if plan.is_tied {
            (self.layout.range(0).map(|at| at + 1).collect(), self.layout.infos()[0].shape[0])
        } else {
            let shape = &self.layout.infos()[self.at].shape;
            (self.next(), shape[1])
        };
        let weight = self.push(weight);
        let bias = if self.is_bias() { self.next() } else { vec![0; outputs] };
        Affine { fan: [plan.width, outputs], weight, bias: self.push(bias) }
    }
}
