//! What batch normalisation's statistics are taken of.
//!
//! In training they are those of the minibatch: the loss is no mean over examples any more, but one over minibatches, and
//! a gradient flows through the statistics as well. Away from the path of training that has to be said: a slice or a
//! Hessian of "the loss" is one of three functions of the parameters w, where X are the measurement's examples:
//!
//! | Policy | Loss | |
//! | --- | --- | --- |
//! | batch | mean over the minibatches X_b that X is cut into of `L(w, statistics(w, X_b); X_b)` | what training descends |
//! | recomputed | `L(w, statistics(w, X); X)` | full batches; each point of a slice is evaluated as a network of its own would be |
//! | frozen | `L(w, statistics(w_0, X); X)`, w_0 the centre | what an evaluation after training differentiates: statistics are constants |
//!
//! Derivatives are those of these functions of w: through the statistics in the first two, not in the third. At w_0 the last
//! two have the same value, and all three if X is one minibatch.
//!
//! A trained network is *evaluated* with the statistics of a fixed set of training examples at the parameters it has
//! ([`evaluated`]), "precise" ones (Wu and Johnson 2021, section 3), so that there are no running averages that would lag behind and
//! belong to a checkpoint.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use crate::base::rng::Streams;
use crate::record::{Circumstances, TokenKind};

use super::batch::InputTensor;
use super::model::Model;
use super::ops::batch_norm::{Moments, batch_norm, with_moments};
use super::params::Layout;

/// Training examples behind the statistics that a network is evaluated with, at most.
pub const POPULATION: usize = 1_024;

/// Which statistics a measurement uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistics {
    /// Those of each minibatch that the measurement's examples are cut into (the last may be smaller).
    #[default]
    Batch,
    /// Those of all examples of the measurement, anew at every point.
    Recomputed,
    /// Those of all examples at the parameters that are measured, as constants.
    Frozen,
}

/// `model` as measurements with these statistics see it; itself if it has no batch normalisation. `batch`: examples of a
/// minibatch, 0 for all.
pub fn under(model: Arc<dyn Model>, statistics: Statistics, batch: usize) -> Arc<dyn Model> {
    if model.coupled_examples() == 1 {
        return model;
    }
    match statistics {
        Statistics::Batch if batch > 0 => Arc::new(Policy { inner: model, minibatch: Some(batch) }),
        Statistics::Batch | Statistics::Recomputed => model,
        Statistics::Frozen => Arc::new(Policy { inner: model, minibatch: None }),
    }
}

/// The network that is evaluated on single examples: `model` with the statistics of `population` at `params`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn evaluated(model: &Arc<dyn Model>, params: &[Tensor], population: &InputTensor) -> Result<Arc<dyn Model>> {
    Ok(model.with_statistics_of(params, population)?.unwrap_or_else(|| model.clone()))
}

/// `method`, after the statistics if there are any.
pub fn in_words(method: &str, model: &dyn Model) -> String {
    Circumstances::method_with(model.statistics().as_deref(), method)
}

/// Where a forward pass takes statistics from.
pub(super) enum Source<'a> {
    /// The batch itself.
    Batch,
    /// The batch itself, which are noted, the input side first.
    Noted(&'a mut Vec<Moments>),
    /// These, in turn.
    Given(std::slice::Iter<'a, Moments>),
}

impl Source<'_> {
    /// Normalises h `[R, C]`.
    pub fn normalise(&mut self, h: &Tensor, (gain, bias): (&Tensor, &Tensor)) -> Result<Tensor> {
        match self {
            Self::Batch => batch_norm(h, gain, bias),
            Self::Noted(moments) => {
                moments.push(Moments::of(h)?);
                batch_norm(h, gain, bias)
            }
            Self::Given(moments) => match moments.next() {
                Some(moments) => with_moments(h, gain, bias, moments),
                None => candle_core::bail!("a batch normalisation has no statistics"),
            },
        }
    }
}

/// Networks that may have batch normalisation.
pub(super) trait Normalised: Model + Clone + 'static {
    /// [`Model::forward`] with statistics from `source`.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    fn pass(
        &self,
        params: &[Tensor],
        inputs: &InputTensor,
        taps: Option<&mut Vec<Tensor>>,
        source: &mut Source,
    ) -> Result<Tensor>;
}

/// [`Model::with_statistics_of`] of a network with batch normalisation.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub(super) fn fixed<M: Normalised>(net: &M, params: &[Tensor], inputs: &InputTensor) -> Result<Arc<dyn Model>> {
    let params: Vec<Tensor> = params.iter().map(Tensor::detach).collect();
    let mut moments = Vec::new();
    net.pass(&params, inputs, None, &mut Source::Noted(&mut moments))?;
    Ok(Arc::new(Fixed { net: net.clone(), moments }))
}

/// Words for [`Model::statistics`] of a network with batch normalisation as it is.
pub(super) const OF_ALL: &str = "recomputed";

/// With constant ones.
const FROZEN: &str = "frozen";

/// A network with constant statistics.
struct Fixed<M> {
    net: M,
    moments: Vec<Moments>,
}

impl<M: Normalised> Model for Fixed<M> {
    fn forward(&self, params: &[Tensor], inputs: &InputTensor, taps: Option<&mut Vec<Tensor>>) -> Result<Tensor> {
        self.net.pass(params, inputs, taps, &mut Source::Given(self.moments.iter()))
    }

    fn statistics(&self) -> Option<String> {
        Some(FROZEN.into())
    }

    fn layout(&self) -> &Arc<Layout> {
        self.net.layout()
    }

    fn layers(&self) -> &[String] {
        self.net.layers()
    }

    fn token_kind(&self) -> TokenKind {
        self.net.token_kind()
    }

    fn title(&self) -> String {
        self.net.title()
    }

    fn init(&self, streams: &Streams) -> Vec<f64> {
        self.net.init(streams)
    }
}

/// A network whose batches are cut into minibatches, or whose statistics are frozen by whoever measures.
struct Policy {
    inner: Arc<dyn Model>,
    /// None: frozen.
    minibatch: Option<usize>,
}

impl Model for Policy {
    fn forward(&self, params: &[Tensor], inputs: &InputTensor, taps: Option<&mut Vec<Tensor>>) -> Result<Tensor> {
        let (InputTensor::Features(tensor) | InputTensor::Tokens(tensor)) = inputs;
        let examples = tensor.dim(0)?;
        let size = self.minibatch.unwrap_or(usize::MAX);
        if examples <= size {
            return self.inner.forward(params, inputs, taps);
        }
        let (mut outputs, mut seen) = (Vec::new(), Vec::new());
        for from in (0..examples).step_by(size) {
            let part = tensor.narrow(0, from, size.min(examples - from))?;
            let part = match inputs {
                InputTensor::Features(_) => InputTensor::Features(part),
                InputTensor::Tokens(_) => InputTensor::Tokens(part),
            };
            let mut here = Vec::new();
            outputs.push(self.inner.forward(params, &part, taps.is_some().then_some(&mut here))?);
            seen.push(here);
        }
        if let Some(taps) = taps {
            for layer in 0..self.layers().len() {
                let parts: Vec<&Tensor> = seen.iter().map(|here| &here[layer]).collect();
                taps.push(Tensor::cat(&parts, 0)?);
            }
        }
        Tensor::cat(&outputs, 0)
    }

    fn coupled_examples(&self) -> usize {
        self.minibatch.unwrap_or(usize::MAX)
    }

    fn with_statistics_of(&self, params: &[Tensor], inputs: &InputTensor) -> Result<Option<Arc<dyn Model>>> {
        self.inner.with_statistics_of(params, inputs)
    }

    fn measured_at(&self, params: &[Tensor], inputs: &InputTensor) -> Result<Option<Arc<dyn Model>>> {
        match self.minibatch {
            Some(_) => Ok(None),
            None => self.inner.with_statistics_of(params, inputs),
        }
    }

    fn statistics(&self) -> Option<String> {
        Some(match self.minibatch {
            Some(size) => format!("batch of {size}"),
            None => FROZEN.into(),
        })
    }

    fn attention_maps(&self, params: &[Tensor], inputs: &InputTensor) -> Result<Vec<Tensor>> {
        self.inner.attention_maps(params, inputs)
    }

    fn layout(&self) -> &Arc<Layout> {
        self.inner.layout()
    }

    fn layers(&self) -> &[String] {
        self.inner.layers()
    }

    fn token_kind(&self) -> TokenKind {
        self.inner.token_kind()
    }

    fn title(&self) -> String {
        self.inner.title()
    }

    fn init(&self, streams: &Streams) -> Vec<f64> {
        self.inner.init(streams)
    }
}
