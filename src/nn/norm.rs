//! The normalisations of rows that networks have, with their parameters.

use candle_core::{Result, Tensor};

use super::block_spec::FinalNorm;
use super::blueprint::{Blueprint, Reader};
use super::ops::layer_norm::layer_norm;
use super::ops::rms_norm::rms_norm;
use super::spec::{ModelSpec, Norm};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NormKind {
    Layer,
    /// With a gain a channel.
    Rms,
    /// Without any parameter.
    SimpleRms,
}

impl NormKind {
    /// What the blocks of a network use, and its embedding and outputs; the latter two are layer-normalised, if at
    /// all, where the blocks have no normalisation.
    pub fn of(norm: Norm) -> Self {
        match norm {
            Norm::PreLn | Norm::PostLn | Norm::None => Self::Layer,
            Norm::PreRmsNorm => Self::Rms,
            Norm::PreSrmsNorm => Self::SimpleRms,
        }
    }

    /// What comes before the outputs.
    pub fn at_the_end(spec: &ModelSpec) -> Option<Self> {
        let on = match spec.block.final_norm {
            FinalNorm::Auto => spec.norm.is_pre(),
            FinalNorm::On => true,
            FinalNorm::Off => false,
        };
        on.then(|| Self::of(spec.norm))
    }

    pub fn blueprint(self, blueprint: &mut Blueprint, group: &str, prefix: &str, width: usize) {
        match self {
            Self::Layer => blueprint.layer_norm(group, prefix, width),
            Self::Rms => blueprint.gain(group, &format!("{prefix}.gain"), width, 1.0),
            Self::SimpleRms => {}
        }
    }

    /// Normalises the rows of h `[R, D]`.
    pub fn apply(self, params: &mut Reader, h: &Tensor) -> Result<Tensor> {
        match self {
            Self::Layer => Self::layer(h, params.affine()),
            Self::Rms => rms_norm(h, params.one()),
            Self::SimpleRms => rms_norm(h, &Tensor::ones(h.dim(1)?, h.dtype(), h.device())?),
        }
    }

    /// Layer normalisation with or without a bias.
    pub fn layer(h: &Tensor, (gain, bias): (&Tensor, Option<&Tensor>)) -> Result<Tensor> {
        match bias {
            Some(bias) => layer_norm(h, gain, bias),
            None => layer_norm(h, gain, &gain.detach().zeros_like()?),
        }
    }
}
