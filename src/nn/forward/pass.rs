//! Examples through a network: see [`super`].

use crate::nn::norm::NormKind;
use crate::nn::ops::activation::{Gelu, Relu, Silu, Straight, Tanh};
use crate::nn::ops::product::{Transposed, multiply};
use crate::nn::params::Layout;
use crate::nn::spec::Activation;

use super::number::{Machine, Number};
use super::plan::{Affine, Arrangement, Attention, Norm, Plan};
use super::product::{GROUP, ROWS, Then, Weights, product};
use super::rows::{bend, layer_norm, rms_norm, scale, softmax};

/// Rows that go through the layers together, about: their hidden units fill the first-level cache, or twice that.
const MOST_ROWS: usize = 96;

/// A network's forward pass on examples of `tokens` tokens.
pub(in crate::nn) struct Forward {
    plan: Plan,
    arrangement: Arrangement,
    machine: Machine,
    tokens: usize,
    /// Examples that go through the layers together.
    pub examples: usize,
    /// From a channel to the next.
    pub pitch: usize,
}

/// What a thread writes to.
#[derive(Default)]
pub(in crate::nn) struct Scratch<T> {
    /// The stream, `[D, pitch]`: the embedded inputs before, used up after.
    pub h: Vec<T>,
    normed: Vec<T>,
    /// Queries, keys and values, `[3 D, pitch]`, or hidden units.
    wide: Vec<T>,
    mixed: Vec<T>,
    /// `[T, 16]`
    scores: Vec<T>,
    /// What outputs are read from, row-major where tokens are averaged.
    pooled: Vec<T>,
    ones: Vec<T>,
    /// Outputs `[rows, C]` without their bias.
    pub outputs: Vec<T>,
}

impl Forward {
    pub fn new(plan: Plan, layout: &Layout, tokens: usize, machine: Machine) -> Self {
        let arrangement = Arrangement::new(&plan, layout);
        let padding = |examples: &usize| {
            let rows = examples * tokens;
            (rows.next_multiple_of(ROWS) - rows) as f64 / rows as f64
        };
        let choices = 1..=(MOST_ROWS / tokens).max(1);
        let examples = choices.rev().min_by(|a, b| padding(a).total_cmp(&padding(b))).unwrap_or(1);
        // A group of queries may end behind the last row.
        let slack = if tokens.is_multiple_of(GROUP) { 0 } else { GROUP };
        let pitch = (examples * tokens).next_multiple_of(GROUP) + slack;
        Self { plan, arrangement, machine, tokens, examples, pitch }
    }

    /// Rows of outputs that an example has.
    pub fn rows_out(&self) -> usize {
        if self.plan.has_tokens_out() { self.tokens } else { 1 }
    }

    pub fn outputs(&self) -> usize {
        self.arrangement.readout.fan[1]
    }

    /// Multiplications for an example.
    pub fn products(&self) -> usize {
        let Plan { width, hidden, depth, attention, .. } = self.plan;
        let mixing = if attention.is_some() { 4 * width * width + 2 * width * self.tokens } else { 0 };
        self.tokens * depth * (mixing + 2 * width * hidden)
    }

    /// A flat vector of all parameters as [`Self::run`] reads it.
    pub fn arrange<A: Copy, T: Copy>(&self, flat: &[A], cast: impl Fn(A) -> T, zero: T) -> Vec<T> {
        self.arrangement.gather(flat, cast, zero)
    }

    /// The outputs' bias of arranged parameters.
    pub fn readout_bias<'a, T>(&self, params: &'a [T]) -> &'a [T] {
        &params[self.arrangement.readout.bias.clone()]
    }

    /// Puts rows of embedded inputs `[examples T, D]`, row-major, a channel after another, as [`Scratch::h`] takes them.
    pub fn in_channels<T: Number>(&self, rows: &[T]) -> Vec<T> {
        let width = self.plan.width;
        let mut channels = vec![T::zero(); width * self.pitch];
        for (r, row) in rows.chunks_exact(width).enumerate() {
            for (c, &x) in row.iter().enumerate() {
                channels[c * self.pitch + r] = x;
            }
        }
        channels
    }

    /// The outputs of `examples` embedded examples in `scratch.h`, without their bias, to `scratch.outputs`.
    pub fn run<T: Number>(&self, params: &[T], scratch: &mut Scratch<T>, examples: usize) {
        let Self { plan, arrangement, machine, pitch, .. } = self;
        let (machine, pitch, width) = (*machine, *pitch, plan.width);
        let rows = (examples * self.tokens).next_multiple_of(GROUP);
        scratch.normed.resize(width * pitch, T::zero());
        scratch.wide.resize((3 * width).max(plan.hidden) * pitch, T::zero());
        scratch.mixed.resize(width * pitch, T::zero());
        scratch.scores.resize(self.tokens * GROUP, T::zero());
        scratch.ones.resize(width, T::one());
        let then = Then::Join { skip: T::of(plan.branch.skip), scale: T::of(plan.branch.scale) };
        let map = |y: &mut [T], x: &[T], affine: &Affine, then| {
            let weights = Weights::packed(&params[affine.weight.clone()], affine.fan[0]);
            let bias = &params[affine.bias.clone()];
            product(machine, (y, pitch), (x, pitch), weights, Some(bias), [affine.fan[0], affine.fan[1], rows], then);
        };
        for block in &arrangement.blocks {
            if let (Some(attention), Some((norm, qkv, project))) = (plan.attention, &block.attention) {
                let Scratch { h, normed, wide, mixed, scores, ones, .. } = scratch;
                let input = self.enter(params, norm, h, normed, ones, rows);
                map(wide, input, qkv, Then::Store);
                self.mix(attention, wide, mixed, scores, examples);
                map(h, mixed, project, then);
                self.leave(params, norm, h, normed, ones, rows);
            }
            let Scratch { h, normed, wide, ones, .. } = scratch;
            let input = self.enter(params, &block.norm, h, normed, ones, rows);
            map(wide, input, &block.expand, Then::Store);
            let hidden = &mut wide[..plan.hidden * pitch];
            match plan.branch.activation {
                Activation::Relu => bend::<T, Relu>(machine, hidden, pitch, rows),
                Activation::Gelu => bend::<T, Gelu>(machine, hidden, pitch, rows),
                Activation::Tanh => bend::<T, Tanh>(machine, hidden, pitch, rows),
                Activation::Silu => bend::<T, Silu>(machine, hidden, pitch, rows),
                Activation::Identity => bend::<T, Straight>(machine, hidden, pitch, rows),
            }
            map(h, wide, &block.contract, then);
            self.leave(params, &block.norm, h, normed, ones, rows);
        }
        self.read_out(params, scratch, examples, rows);
    }

    /// What a branch reads.
    fn enter<'a, T: Number>(
        &self,
        params: &[T],
        norm: &Norm,
        h: &'a [T],
        normed: &'a mut [T],
        ones: &[T],
        rows: usize,
    ) -> &'a [T] {
        match self.plan.branch.norm {
            Some(kind) if !self.plan.branch.is_post => {
                self.normalise(params, kind, norm, normed, h, ones, rows);
                normed
            }
            _ => h,
        }
    }

    /// The stream behind a branch that was joined to it.
    fn leave<T: Number>(
        &self,
        params: &[T],
        norm: &Norm,
        h: &mut Vec<T>,
        normed: &mut Vec<T>,
        ones: &[T],
        rows: usize,
    ) {
        if let (Some(kind), true) = (self.plan.branch.norm, self.plan.branch.is_post) {
            self.normalise(params, kind, norm, normed, h, ones, rows);
            std::mem::swap(h, normed);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "buffers are borrowed one by one")]
    fn normalise<T: Number>(
        &self,
        params: &[T],
        kind: NormKind,
        at: &Norm,
        y: &mut [T],
        x: &[T],
        ones: &[T],
        rows: usize,
    ) {
        let gain = &params[at.gain.clone()];
        match kind {
            NormKind::Layer => layer_norm(self.machine, y, x, gain, &params[at.bias.clone()], self.pitch, rows),
            NormKind::Rms => rms_norm(self.machine, y, x, gain, self.pitch, rows),
            NormKind::SimpleRms => rms_norm(self.machine, y, x, ones, self.pitch, rows),
        }
    }

    /// Attention of all heads. 16 queries at a time in the lanes; a group may reach into the next sequence, whose own queries overwrite
    /// what it leaves there.
    fn mix<T: Number>(&self, attention: Attention, qkv: &[T], mixed: &mut [T], scores: &mut [T], examples: usize) {
        let Self { machine, tokens, pitch, .. } = *self;
        let width = self.plan.width;
        let d_head = width / attention.heads;
        let (factor, mut shares) = (T::of(attention.factor), [T::zero(); GROUP]);
        for first in (0..examples).map(|example| example * tokens) {
            for head in 0..attention.heads {
                let part = |part: usize| &qkv[(part * width + head * d_head) * pitch + first..];
                for query in (0..tokens).step_by(GROUP) {
                    let keys = if attention.is_causal { tokens.min(query + GROUP) } else { tokens };
                    let scores = &mut scores[..keys * GROUP];
                    let weights = Weights::strided(part(1), pitch, 1);
                    product(
                        machine,
                        (scores, GROUP),
                        (&part(0)[query..], pitch),
                        weights,
                        None,
                        [d_head, keys, GROUP],
                        Then::Store,
                    );
                    softmax(machine, scores, &mut shares, factor, attention.is_causal.then_some(query));
                    let weights = Weights::strided(part(2), 1, pitch);
                    let mixed = &mut mixed[head * d_head * pitch + first + query..];
                    product(
                        machine,
                        (mixed, pitch),
                        (scores, GROUP),
                        weights,
                        None,
                        [keys, d_head, GROUP],
                        Then::Store,
                    );
                    scale(machine, mixed, &shares, pitch, d_head);
                }
            }
        }
    }

    fn read_out<T: Number>(&self, params: &[T], scratch: &mut Scratch<T>, examples: usize, rows: usize) {
        let Self { plan, arrangement, tokens, pitch, .. } = self;
        let (pitch, width) = (*pitch, plan.width);
        let Scratch { h, normed, pooled, ones, outputs, .. } = scratch;
        if let Some(kind) = plan.final_norm {
            self.normalise(params, kind, &arrangement.final_norm, normed, h, ones, rows);
            std::mem::swap(h, normed);
        }
        let classes = self.outputs();
        let side = if plan.is_tied { Transposed::Right } else { Transposed::Neither };
        let count = examples * self.rows_out();
        pooled.resize(count * width, T::zero());
        if plan.has_tokens_out() {
            for (c, channel) in h.chunks_exact(pitch).enumerate() {
                for (r, &x) in channel[..count].iter().enumerate() {
                    pooled[r * width + c] = x;
                }
            }
        } else {
            let share = T::of(1.0 / *tokens as f64);
            for (c, channel) in h.chunks_exact(pitch).enumerate() {
                for (e, tokens) in channel.chunks_exact(*tokens).take(examples).enumerate() {
                    pooled[e * width + c] = tokens.iter().copied().sum::<T>() * share;
                }
            }
        }
        outputs.resize(count * classes, T::zero());
        let weight = &params[arrangement.readout.weight.clone()];
        multiply(outputs, pooled, weight, [count, width, classes], side, false);
    }
}
