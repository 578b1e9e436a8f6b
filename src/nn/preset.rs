//! Blocks of papers, as settings of the switches.

use super::block_spec::{AttentionSpec, BlockSpec, DepthScaling, EmbeddingNorm};
use super::spec::{Activation, ModelSpec, Norm};

/// A named setting of everything that makes a block: normalisation, residual scale, [`BlockSpec`] and
/// [`AttentionSpec`], but for the embeddings (tied, positions) and the mask. It is no field of the specification: the
/// fields decide, and a preset is recognised by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Pre-LN, everything else at its default; any activation.
    Standard,
    /// He et al. 2024, "Understanding and minimising outlier features", as in the authors' code: no normalisation in
    /// blocks, branches times `1/sqrt(2 depth)`, QK-norm, one layer normalisation in front of the first branch, ReLU,
    /// no biases.
    OutlierProtected,
    /// Noci et al. 2023, "The shaped transformer": shaped attention and ReLU without normalisation and biases,
    /// `skip^2 + branch^2 = 1` with branch `1/sqrt(8)`, ReLU's second moment kept.
    Shaped,
}

impl Preset {
    pub const ALL: [Self; 3] = [Self::Standard, Self::OutlierProtected, Self::Shaped];

    /// Sets all that the preset decides.
    pub fn apply(self, spec: &mut ModelSpec) {
        let BlockSpec { tied_embeddings, positions, .. } = spec.block;
        let kept = BlockSpec { tied_embeddings, positions, ..BlockSpec::default() };
        let attention = AttentionSpec { mask: spec.attention.mask, ..AttentionSpec::default() };
        match self {
            Self::Standard => {
                (spec.norm, spec.residual_scale) = (Norm::PreLn, 1.0);
                (spec.block, spec.attention) = (kept, attention);
            }
            Self::OutlierProtected => {
                (spec.norm, spec.residual_scale, spec.activation) = (Norm::None, 1.0, Activation::Relu);
                spec.block = BlockSpec {
                    embedding_norm: EmbeddingNorm::FirstBranch,
                    depth_scaling: DepthScaling::InverseSqrtBranches,
                    biases: false,
                    ..kept
                };
                spec.attention = AttentionSpec { qk_norm: true, ..attention };
            }
            Self::Shaped => {
                let branch = 0.125_f64;
                (spec.norm, spec.residual_scale, spec.activation) = (Norm::None, branch.sqrt(), Activation::Relu);
                spec.block = BlockSpec {
                    skip_scale: (1.0 - branch).sqrt(),
                    unit_gain: true,
                    shaped_relu: true,
                    biases: false,
                    ..kept
                };
                spec.attention = AttentionSpec { shaped: true, ..attention };
            }
        }
    }

    /// The preset that wouldn't change `spec`, if there is one.
    pub fn of(spec: &ModelSpec) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| {
            let mut set = spec.clone();
            preset.apply(&mut set);
            set == *spec
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_recognised_until_a_switch_is_turned() {
        assert_eq!(Preset::of(&ModelSpec::default()), Some(Preset::Standard));
        for preset in Preset::ALL {
            let mut spec = ModelSpec::default();
            spec.block.tied_embeddings = true;
            preset.apply(&mut spec);
            assert!(spec.block.tied_embeddings);
            assert_eq!(Preset::of(&spec), Some(preset));
            spec.attention.softcap = 30.0;
            assert_eq!(Preset::of(&spec), None);
        }
        // One after another, nothing of the first remains.
        let mut spec = ModelSpec::default();
        Preset::Shaped.apply(&mut spec);
        Preset::OutlierProtected.apply(&mut spec);
        assert_eq!(Preset::of(&spec), Some(Preset::OutlierProtected));
    }
}
