//! Knobs of residual blocks.

use super::*;
use crate::nn::spec::{Activation, BranchGain, ModelKind, Preset};

pub(super) fn is_residual(spec: &RunSpec) -> bool {
    matches!(spec.model.kind, ModelKind::ResidualMlp | ModelKind::VisionTransformer | ModelKind::Gpt)
}

pub(super) fn is_transformer(spec: &RunSpec) -> bool {
    matches!(spec.model.kind, ModelKind::VisionTransformer | ModelKind::Gpt)
}

fn is_shaped_relu(spec: &RunSpec) -> bool {
    is_residual(spec) && spec.model.activation == Activation::Relu && spec.model.block.shaped_relu
}

fn has_bias_switch(spec: &RunSpec) -> bool {
    is_residual(spec) || spec.model.kind == ModelKind::Mlp
}

/// Sets other knobs, so that it comes before them wherever knobs are set in turn.
pub(super) const PRESET: &[SpecKnob] = &[SpecKnob {
    knob: Knob {
        id: "block",
        label: "Block",
        liveness: Liveness::Cold,
        kind: KnobKind::Choice(&[
            ("standard", "Pre-LN"),
            ("outlier-protected", "Outlier-Protected"),
            ("shaped", "Shaped"),
            (CUSTOM, "Custom"),
        ]),
        definition: "Residual blocks of papers: a choice sets the knobs of the block, which can then be turned one by one (Custom).",
        formula: "Pre-LN: h + f(LN h);  Outlier-Protected (He et al. 2024): h + f(h)/√(2 depth), QK-norm, ReLU;  Shaped (Noci et al. 2023): √(7/8) h + √(1/8) f(h), shaped attention and ReLU",
        effect: "Outlier-Protected blocks train without normalisation and grow fewer outlier neurons; Shaped ones keep tokens apart at any depth.",
    },
    group: Group::Block,
    get: |s| KnobValue::Choice(Preset::of(&s.model).map_or(CUSTOM, id).to_owned()),
    set: |s, v| {
        let KnobValue::Choice(name) = v else { unreachable!("checked") };
        // Custom is what one gets by turning the other knobs; chosen, it leaves them alone.
        if let Some(preset) = Preset::ALL.into_iter().find(|preset| id(*preset) == name) {
            preset.apply(&mut s.model);
        }
    },
    relevant: is_residual,
}];

/// The choice of [`PRESET`] that says that no preset fits.
pub(super) const CUSTOM: &str = "custom";

fn id(preset: Preset) -> &'static str {
    match preset {
        Preset::Standard => "standard",
        Preset::OutlierProtected => "outlier-protected",
        Preset::Shaped => "shaped",
    }
}

pub(super) const KNOBS: &[SpecKnob] = &[
    SpecKnob {
        knob: Knob {
            id: "final-norm",
            label: "Final normalisation",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[("auto", "With Pre-norms"), ("on", "On"), ("off", "Off")]),
            definition: "Whether the stream is normalised before the outputs are read from it.",
            formula: "outputs = W norm(h_L) + b, or W h_L + b",
            effect: "Without it the logits grow with the stream. In an Outlier-Protected network a final normalisation raises the last layer's kurtosis.",
        },
        group: Group::Block,
        get: |s| name_of(&s.model.block.final_norm),
        set: |s, v| s.model.block.final_norm = named(v),
        relevant: is_residual,
    },
    SpecKnob {
        knob: Knob {
            id: "embedding-norm",
            label: "Embedding normalisation",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[
                ("none", "None"),
                ("stream", "Of the stream"),
                ("first-branch", "Of the first branch"),
            ]),
            definition: "Normalises the embedded inputs: the stream itself, or only what the first branch reads of it.",
            formula: "h_0 = norm(embedding), or h_1 = h_0 + f(norm(h_0))",
            effect: "Small embeddings then don't starve a network without normalisation.",
        },
        group: Group::Block,
        get: |s| name_of(&s.model.block.embedding_norm),
        set: |s, v| s.model.block.embedding_norm = named(v),
        relevant: is_residual,
    },
    SpecKnob {
        knob: Knob {
            id: "skip-scale",
            label: "Skip scale",
            liveness: Liveness::Cold,
            kind: KnobKind::Float { min: 0.0, max: 2.0, smallest: 0.0, scale: Scale::Linear },
            definition: "Factor λ on the skip connection.",
            formula: "h ← λ h + α f(h);  λ² + α² = 1 keeps the signal's size",
            effect: "0 removes the skips: tokens collapse to rank one within a few layers.",
        },
        group: Group::Block,
        get: |s| KnobValue::Float(s.model.block.skip_scale),
        set: |s, v| s.model.block.skip_scale = float(v),
        relevant: is_residual,
    },
    SpecKnob {
        knob: Knob {
            id: "depth-scaling",
            label: "Depth scaling",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[
                ("none", "None"),
                ("inverse-sqrt-branches", "1/√branches"),
                ("inverse-branches", "1/branches"),
                ("inverse-sqrt-blocks", "1/√depth"),
                ("inverse-blocks", "1/depth"),
            ]),
            definition: "A factor on every branch on top of the residual scale. A transformer has 2 · depth branches, a residual MLP depth.",
            formula: "h ← h + α L^(-a) f(h),  a = 1/2 or 1",
            effect: "1/√L keeps the signal's size and, with the right learning rates, the optimal ones over depth (Bordelon et al. 2024).",
        },
        group: Group::Block,
        get: |s| name_of(&s.model.block.depth_scaling),
        set: |s, v| s.model.block.depth_scaling = named(v),
        relevant: is_residual,
    },
    SpecKnob {
        knob: Knob {
            id: "branch-gain",
            label: "Branch gain",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[("none", "None"), ("skip-init", "SkipInit"), ("layer-scale", "LayerScale")]),
            definition: "A trained factor at the end of every branch: one number (SkipInit), or one a channel (LayerScale).",
            formula: "h ← h + α g f(h), g trained",
            effect: "From 0 the network starts as the identity and lets its branches in one by one.",
        },
        group: Group::Block,
        get: |s| name_of(&s.model.block.branch_gain),
        set: |s, v| s.model.block.branch_gain = named(v),
        relevant: is_residual,
    },
    SpecKnob {
        knob: Knob {
            id: "branch-gain-init",
            label: "Branch gain at start",
            liveness: Liveness::Cold,
            kind: KnobKind::Float { min: 0.0, max: 2.0, smallest: 0.0, scale: Scale::Linear },
            definition: "Where the trained factors of the branches start.",
            formula: "g = g_0 at step 0",
            effect: "SkipInit starts at 0, LayerScale at 0.1 for networks of some ten blocks and at 1e-6 for the deepest.",
        },
        group: Group::Block,
        get: |s| KnobValue::Float(s.model.block.branch_gain_init),
        set: |s, v| s.model.block.branch_gain_init = float(v),
        relevant: |s| is_residual(s) && s.model.block.branch_gain != BranchGain::None,
    },
    SpecKnob {
        knob: Knob {
            id: "mlp-input-scale",
            label: "MLP input scale",
            liveness: Liveness::Cold,
            kind: KnobKind::Toggle,
            definition: "A trained number in front of the nonlinearity of every MLP branch; it starts at 1.",
            formula: "f(h) = W₂ φ(a (W₁ h + b₁)) + b₂",
            effect: "Lets a network without normalisation choose how nonlinear its branches are.",
        },
        group: Group::Block,
        get: |s| KnobValue::Toggle(s.model.block.mlp_input_scale),
        set: |s, v| s.model.block.mlp_input_scale = toggle(v),
        relevant: is_residual,
    },
    SpecKnob {
        knob: Knob {
            id: "unit-gain",
            label: "Unit gain",
            liveness: Liveness::Cold,
            kind: KnobKind::Toggle,
            definition: "Multiplies the activation so that it keeps the second moment of a unit Gaussian signal.",
            formula: "φ ← φ / √E φ(z)²,  z ~ N(0, 1);  ReLU: √2",
            effect: "Branches keep the size of their signal; E|h_L|² = (1 + 1/L)^L with branches scaled by 1/√L.",
        },
        group: Group::Block,
        get: |s| KnobValue::Toggle(s.model.block.unit_gain),
        set: |s, v| s.model.block.unit_gain = toggle(v),
        relevant: is_residual,
    },
    SpecKnob {
        knob: Knob {
            id: "shaped-relu",
            label: "Shaped ReLU",
            liveness: Liveness::Cold,
            kind: KnobKind::Toggle,
            definition: "A ReLU whose slopes approach 1 as the width grows.",
            formula: "φ(x) = s₊ max(x, 0) + s₋ min(x, 0),  s± = 1 + c±/√width",
            effect: "Keeps the correlations of tokens from collapsing at depths proportional to the width.",
        },
        group: Group::Block,
        get: |s| KnobValue::Toggle(s.model.block.shaped_relu),
        set: |s, v| s.model.block.shaped_relu = toggle(v),
        relevant: |s| is_residual(s) && s.model.activation == Activation::Relu,
    },
    SpecKnob {
        knob: Knob {
            id: "slope-plus",
            label: "Slope c₊",
            liveness: Liveness::Cold,
            kind: KnobKind::Float { min: -16.0, max: 16.0, smallest: 0.0, scale: Scale::Linear },
            definition: "How far the shaped ReLU's right slope is from 1.",
            formula: "s₊ = 1 + c₊/√width",
            effect: "The correlation's drift grows with (c₊ − c₋)².",
        },
        group: Group::Block,
        get: |s| KnobValue::Float(s.model.block.slope_plus),
        set: |s, v| s.model.block.slope_plus = float(v),
        relevant: is_shaped_relu,
    },
    SpecKnob {
        knob: Knob {
            id: "slope-minus",
            label: "Slope c₋",
            liveness: Liveness::Cold,
            kind: KnobKind::Float { min: -16.0, max: 16.0, smallest: 0.0, scale: Scale::Linear },
            definition: "How far the shaped ReLU's left slope is from 1.",
            formula: "s₋ = 1 + c₋/√width",
            effect: "c₋ = −√width with c₊ = 0 is the plain ReLU, equal slopes make a linear network.",
        },
        group: Group::Block,
        get: |s| KnobValue::Float(s.model.block.slope_minus),
        set: |s, v| s.model.block.slope_minus = float(v),
        relevant: is_shaped_relu,
    },
];

/// What comes after the knobs of attention.
pub(super) const REST: &[SpecKnob] = &[
    SpecKnob {
        knob: Knob {
            id: "tied-embeddings",
            label: "Tied embeddings",
            liveness: Liveness::Cold,
            kind: KnobKind::Toggle,
            definition: "The outputs are read with the transposed table of token embeddings, not with a matrix of their own.",
            formula: "logits = E norm(h_L) + b",
            effect: "Fewer parameters; the table gets the gradients of both uses. Its small start (0.02) makes the first predictions nearly uniform.",
        },
        group: Group::Block,
        get: |s| KnobValue::Toggle(s.model.block.tied_embeddings),
        set: |s, v| s.model.block.tied_embeddings = toggle(v),
        relevant: |s| s.model.kind == ModelKind::Gpt,
    },
    SpecKnob {
        knob: Knob {
            id: "positions",
            label: "Learned positions",
            liveness: Liveness::Cold,
            kind: KnobKind::Toggle,
            definition: "A learned vector for every position is added to the embeddings.",
            formula: "h_0[t] = embedding + p[t]",
            effect: "Without them a bidirectional transformer sees a bag of tokens; a causal one can still tell positions apart by what it sees.",
        },
        group: Group::Block,
        get: |s| KnobValue::Toggle(s.model.block.positions),
        set: |s, v| s.model.block.positions = toggle(v),
        relevant: is_transformer,
    },
    SpecKnob {
        knob: Knob {
            id: "biases",
            label: "Biases",
            liveness: Liveness::Cold,
            kind: KnobKind::Toggle,
            definition: "Biases of affine maps and layer normalisations.",
            formula: "x W + b, or x W",
            effect: "Theory is mostly written without them; a plain MLP without them gives up the faster way of computing slices.",
        },
        group: Group::Block,
        get: |s| KnobValue::Toggle(s.model.block.biases),
        set: |s, v| s.model.block.biases = toggle(v),
        relevant: has_bias_switch,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[(&str, &str)]) -> RunSpec {
        let mut spec = RunSpec::default();
        for (id, text) in settings {
            let knob = find(id).unwrap();
            knob.set(&mut spec, &knob.parse(text).unwrap()).unwrap();
        }
        spec
    }

    #[test]
    fn the_preset_sets_the_others_and_any_of_them_makes_it_custom() {
        let block = find("block").unwrap();
        let spec = with(&[("block", "outlier-protected")]);
        for (id, value) in [
            ("norm", "none"),
            ("activation", "relu"),
            ("qk-norm", "true"),
            ("depth-scaling", "inverse-sqrt-branches"),
            ("biases", "false"),
            ("embedding-norm", "first-branch"),
        ] {
            assert_eq!(find(id).unwrap().get(&spec).to_string(), value, "{id}");
        }
        assert_eq!(block.get(&spec).to_string(), "outlier-protected");
        let spec = with(&[("block", "outlier-protected"), ("qk-norm", "false")]);
        assert_eq!(block.get(&spec).to_string(), "custom");
        assert_eq!(with(&[("block", "shaped"), ("block", "custom")]), with(&[("block", "shaped")]));
        assert_eq!(with(&[("block", "shaped"), ("block", "standard"), ("activation", "gelu")]), RunSpec::default());
    }

    #[test]
    fn the_preset_comes_before_all_that_it_sets() {
        let at = |id: &str| all().position(|knob| knob.id == id).unwrap();
        for preset in Preset::ALL {
            let spec = with(&[("block", id(preset))]);
            for knob in all().filter(|knob| knob.id != "block" && knob.get(&spec) != knob.default_value()) {
                assert!(at("block") < at(knob.id), "{} would be overwritten by block", knob.id);
            }
        }
    }

    #[test]
    fn knobs_that_nothing_reads_are_hidden() {
        let shown = |id: &str, settings: &[(&str, &str)]| find(id).unwrap().is_relevant(&with(settings));
        assert!(!shown("qk-norm", &[("model", "residual-mlp")]) && shown("skip-scale", &[("model", "residual-mlp")]));
        assert!(!shown("skip-scale", &[("model", "mlp")]) && shown("biases", &[("model", "mlp")]));
        assert!(!shown("tied-embeddings", &[]) && shown("tied-embeddings", &[("model", "gpt")]));
        assert!(!shown("softmax-gain", &[]) && shown("softmax-gain", &[("shaped-attention", "true")]));
        assert!(!shown("slope-minus", &[("shaped-relu", "true")]));
        assert!(shown("slope-minus", &[("shaped-relu", "true"), ("activation", "relu")]));
        assert!(!shown("branch-gain-init", &[]) && shown("branch-gain-init", &[("branch-gain", "layer-scale")]));
    }
}
