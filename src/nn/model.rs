//! What every network can do.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::base::rng::Streams;
use crate::record::TokenKind;

use super::batch::InputTensor;
use super::forward::Plan;
use super::params::Layout;
use super::spec::Activation;

/// A network as a function of its parameters: it holds shapes, never values, so that slices and curvature
/// products evaluate it anywhere.
pub trait Model: Send + Sync {
    fn layout(&self) -> &Arc<Layout>;

    /// Names of the places where activations are looked at, input side first; [`Self::forward`] fills one tap each.
    fn layers(&self) -> &[String];

    /// What the second-to-last axis of a tap holds.
    fn token_kind(&self) -> TokenKind;

    /// Such as `vision transformer, width 32, depth 4, 4 heads, Pre-LN, GELU`.
    fn title(&self) -> String;

    /// The activation, if the network is a plain chain `h <- act(h W + b)` over flattened features, without activation
    /// after the last layer, and its layout is the W and b of these layers in turn: slices then know a shorter way.
    fn chain(&self) -> Option<Activation> {
        None
    }

    /// What a forward pass by hand needs to know, if the network is residual branches without unusual switches: many outputs at many
    /// parameters then come faster. A model that changes the parameters answers `None`.
    fn plan(&self) -> Option<Plan> {
        None
    }

    /// How many consecutive examples the outputs of one depend on: 1 where each is for itself; `usize::MAX` where it is
    /// the whole batch, as with batch normalisation. Batches may be cut at multiples of this only (see [`super::parts`]).
    fn coupled_examples(&self) -> usize {
        1
    }

    /// The network with the statistics that batch normalisation takes of `inputs` at `params` as constants, so that examples
    /// are for themselves; `None` for networks without.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    fn with_statistics_of(&self, _params: &[Tensor], _inputs: &InputTensor) -> Result<Option<Arc<dyn Model>>> {
        Ok(None)
    }

    /// The network that a measurement about `params` on `inputs` differentiates and moves; `None` for itself. Every
    /// measurement that does so asks this first (see [`super::statistics`]).
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    fn measured_at(&self, _params: &[Tensor], _inputs: &InputTensor) -> Result<Option<Arc<dyn Model>>> {
        Ok(None)
    }

    /// Whose statistics batch normalisation uses, in words: `batch of 64`, `recomputed` or `frozen`; none without it.
    fn statistics(&self) -> Option<String> {
        None
    }

    /// Initial parameters in the flattening order, drawn from the streams `init/<tensor name>`.
    fn init(&self, streams: &Streams) -> Vec<f64>;

    /// Outputs: logits or values `[B, C]`, for token models `[B T, C]`. `params` in the order of the layout.
    /// With `taps`, pushes a detached copy of each layer's activations: `[B, T, D]` with tokens, else `[B, D]`.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    fn forward(&self, params: &[Tensor], inputs: &InputTensor, taps: Option<&mut Vec<Tensor>>) -> Result<Tensor>;

    /// Heads of an attention branch; 0 for networks without attention.
    fn attention_heads(&self) -> usize {
        0
    }

    /// The attention of every head, input side first: `[B, H, T, T]` an attention branch, detached; row i holds what
    /// token i takes from each token. Costs a forward pass of its own. Empty for networks without attention; a model
    /// that wraps another one passes this on.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    fn attention_maps(&self, _params: &[Tensor], _inputs: &InputTensor) -> Result<Vec<Tensor>> {
        Ok(Vec::new())
    }
}
