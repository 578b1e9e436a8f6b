//! Knobs of the network.

use super::*;
use crate::nn::parametrization::Parametrization;
use crate::nn::spec::ModelKind;

pub(super) fn is_transformer(spec: &RunSpec) -> bool {
    matches!(spec.model.kind, ModelKind::VisionTransformer | ModelKind::Gpt)
}

fn is_parametrized(spec: &RunSpec) -> bool {
    spec.model.parametrization.kind != Parametrization::Standard
}

fn is_convolutional(spec: &RunSpec) -> bool {
    matches!(spec.model.kind, ModelKind::ConvNet | ModelKind::ResidualConvNet)
}

fn may_have_batch_norm(spec: &RunSpec) -> bool {
    spec.model.kind == ModelKind::Mlp || is_convolutional(spec)
}

pub(super) fn has_batch_norm(spec: &RunSpec) -> bool {
    spec.model.batch_norm && may_have_batch_norm(spec)
}

fn is_residual(spec: &RunSpec) -> bool {
    !matches!(spec.model.kind, ModelKind::Mlp | ModelKind::ConvNet)
}

pub(super) const KNOBS: &[SpecKnob] = &[
    SpecKnob {
        knob: Knob {
            id: "model",
            label: "Model",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[
                ("mlp", "MLP"),
                ("residual-mlp", "Residual MLP"),
                ("vision-transformer", "Vision transformer"),
                ("gpt", "GPT"),
                ("conv-net", "ConvNet"),
                ("residual-conv-net", "Residual ConvNet"),
            ]),
            definition: "The architecture. GPT learns sequences of tokens, the others images and features.",
            formula: "MLP: h ← φ(Wh + b);  residual: h ← h + α f(h);  transformer: attention and MLP branches in turn;  ConvNet: h ← φ(conv h), 3×3 windows",
            effect: "Restarts the run with a new network.",
        },
        group: Group::Model,
        get: |s| name_of(&s.model.kind),
        set: |s, v| s.model.kind = named(v),
        relevant: always,
    },
    SpecKnob {
        knob: Knob {
            id: "width",
            label: "Width",
            liveness: Liveness::Cold,
            kind: KnobKind::Int { min: 1, max: 4_096, scale: Scale::Logarithmic, zero_means: None },
            definition: "Units of a hidden layer, channels of the residual stream or of a convolution.",
            formula: "parameters ∝ depth · width²",
            effect: "Wider networks train more smoothly; the time of a step grows with the square.",
        },
        group: Group::Model,
        get: |s| KnobValue::Int(s.model.width as u64),
        set: |s, v| s.model.width = int(v) as usize,
        relevant: always,
    },
    SpecKnob {
        knob: Knob {
            id: "depth",
            label: "Depth",
            liveness: Liveness::Cold,
            kind: KnobKind::Int { min: 1, max: 128, scale: Scale::Logarithmic, zero_means: Some("linear model") },
            definition: "Hidden layers (MLP; with 0, softmax regression), convolutions after the stem (ConvNet) or blocks (the others).",
            formula: "h_L = f_L(… f_1(h_0))",
            effect: "Deeper networks without skips or normalisation collapse the rank of their tokens and lose gradients.",
        },
        group: Group::Model,
        get: |s| KnobValue::Int(s.model.depth as u64),
        set: |s, v| s.model.depth = int(v) as usize,
        relevant: always,
    },
    SpecKnob {
        knob: Knob {
            id: "heads",
            label: "Heads",
            liveness: Liveness::Cold,
            kind: KnobKind::Int { min: 1, max: 64, scale: Scale::Logarithmic, zero_means: None },
            definition: "Attention heads of a block; must divide the width.",
            formula: "d_head = width/heads;  A = softmax(QK'/√d_head)",
            effect: "More heads look at more places at once, each with fewer channels.",
        },
        group: Group::Model,
        get: |s| KnobValue::Int(s.model.n_heads as u64),
        set: |s, v| s.model.n_heads = int(v) as usize,
        relevant: is_transformer,
    },
    SpecKnob {
        knob: Knob {
            id: "activation",
            label: "Activation",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[
                ("relu", "ReLU"),
                ("gelu", "GELU"),
                ("tanh", "tanh"),
                ("silu", "SiLU"),
                ("identity", "None (linear)"),
            ]),
            definition: "The nonlinearity between the matrices.",
            formula: "ReLU: max(0, x);  GELU: x Φ(x) by its tanh form;  SiLU: x σ(x)",
            effect: "ReLU leaves units exactly at zero (see the histograms); tanh saturates at ±1.",
        },
        group: Group::Model,
        get: |s| name_of(&s.model.activation),
        set: |s, v| s.model.activation = named(v),
        relevant: always,
    },
    SpecKnob {
        knob: Knob {
            id: "norm",
            label: "Normalisation",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[
                ("pre-ln", "Pre-LN"),
                ("post-ln", "Post-LN"),
                ("pre-rms-norm", "Pre-RMSNorm"),
                ("pre-srms-norm", "Pre-SRMSNorm (no gain)"),
                ("none", "None"),
            ]),
            definition: "How the stream is normalised, and where relative to the skip connection.",
            formula: "Pre: h + f(LN h);  Post: LN(h + f(h));  LN x = γ(x − mean)/√(var + ε) + β;  RMSNorm x = γ x/√(mean x² + ε)",
            effect: "Pre-LN trains at any depth; Post-LN needs warm-up and collapses tokens sooner.",
        },
        group: Group::Model,
        get: |s| name_of(&s.model.norm),
        set: |s, v| s.model.norm = named(v),
        relevant: |s| is_residual(s) && !has_batch_norm(s),
    },
    SpecKnob {
        knob: Knob {
            id: "batch-norm",
            label: "BatchNorm",
            liveness: Liveness::Cold,
            kind: KnobKind::Toggle,
            definition: "Whether each channel is normalised over the minibatch (and all positions), in front of the activation; in a residual ConvNet in place of the other normalisation.",
            formula: "BN x = γ(x − mean)/√(var + ε) + β,  mean and var over examples and positions;  h ← φ(BN(conv h));  residual: h + α conv(φ(BN h))",
            effect: "Allows larger rates, as the scale of the weights before it no longer matters; the examples of a minibatch no longer stand alone. Tests use the statistics of 1,024 training examples.",
        },
        group: Group::Model,
        get: |s| KnobValue::Toggle(s.model.batch_norm),
        set: |s, v| s.model.batch_norm = matches!(v, KnobValue::Toggle(true)),
        relevant: may_have_batch_norm,
    },
    SpecKnob {
        knob: Knob {
            id: "residual-scale",
            label: "Residual scale",
            liveness: Liveness::Cold,
            kind: KnobKind::Float { min: 0.0, max: 4.0, smallest: 0.0, scale: Scale::Linear },
            definition: "Factor α on every residual branch.",
            formula: "h ← h + α f(h);  α = 1/√depth keeps the signal's size at any depth",
            effect: "Smaller keeps tokens apart and gradients even over depth; 0 removes the branches.",
        },
        group: Group::Model,
        get: |s| KnobValue::Float(s.model.residual_scale),
        set: |s, v| s.model.residual_scale = float(v),
        relevant: is_residual,
    },
    SpecKnob {
        knob: Knob {
            id: "patch",
            label: "Patch side",
            liveness: Liveness::Cold,
            kind: KnobKind::Int { min: 1, max: 32, scale: Scale::Linear, zero_means: None },
            definition: "Side of the square patches that become tokens; must divide the image's sides.",
            formula: "tokens = (height/patch) · (width/patch)",
            effect: "Smaller patches make more tokens and slower steps.",
        },
        group: Group::Model,
        get: |s| KnobValue::Int(s.model.patch as u64),
        set: |s, v| s.model.patch = int(v) as usize,
        relevant: |s| s.model.kind == ModelKind::VisionTransformer,
    },
    SpecKnob {
        knob: Knob {
            id: "sharing",
            label: "Sharing",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[("dense", "Dense"), ("local", "Locally connected"), ("shared", "Shared weights")]),
            definition: "Whether units see the whole image, only 3×3 windows, or windows with the same weights everywhere. For the last two the width must be a multiple of the pixels.",
            formula: "h = φ((W ∘ M)' x + b);  M = 1 inside the windows;  shared: W the same at all pixels",
            effect: "Takes an MLP to a convolution in two steps: first sparse, then tied.",
        },
        group: Group::Model,
        get: |s| name_of(&s.model.sharing),
        set: |s, v| s.model.sharing = named(v),
        relevant: |s| s.model.kind == ModelKind::Mlp,
    },
    SpecKnob {
        knob: Knob {
            id: "stages",
            label: "Stages",
            liveness: Liveness::Cold,
            kind: KnobKind::Int { min: 1, max: 6, scale: Scale::Linear, zero_means: None },
            definition: "Stages that the convolutions are shared out to, at most one a convolution; images are halved between them.",
            formula: "sides of stage s: side/2^(s − 1)",
            effect: "More stages see more of the image at once and take less time; the sides must divide by 2 once for each halving.",
        },
        group: Group::Model,
        get: |s| KnobValue::Int(s.model.stages as u64),
        set: |s, v| s.model.stages = int(v) as usize,
        relevant: is_convolutional,
    },
    SpecKnob {
        knob: Knob {
            id: "downsample",
            label: "Halving",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[("pool", "Average pooling"), ("stride", "Stride 2")]),
            definition: "How images are halved from one stage to the next.",
            formula: "pool: mean over 2×2 pixels;  stride: every other window of the stage's first convolution",
            effect: "A stride saves the time of the windows it leaves out; pooling looks at all pixels.",
        },
        group: Group::Model,
        get: |s| name_of(&s.model.downsample),
        set: |s, v| s.model.downsample = named(v),
        relevant: |s| is_convolutional(s) && s.model.stages > 1,
    },
    SpecKnob {
        knob: Knob {
            id: "parametrization",
            label: "Parametrization",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[
                ("standard", "Standard"),
                ("ntk", "NTK"),
                ("mup", "muP"),
                ("depth-mup", "Depth-muP"),
                ("depth-inverse", "muP, 1/L branches"),
                ("gamma-power", "γ = m^a, NTK to muP"),
            ]),
            definition: "How starts and learning rates scale with width and depth, relative to the base sizes.",
            formula: "m = width/base;  muP: output starts · m^−½;  Adam: η/m for matrices but the first;  SGD: ηm for the first, biases and gains, η/m for the output",
            effect: "With muP the best learning rate stays where it was at the base width; Standard needs a new one at each width; NTK stops learning features.",
        },
        group: Group::Model,
        get: |s| name_of(&s.model.parametrization.kind),
        set: |s, v| s.model.parametrization.kind = named(v),
        relevant: always,
    },
    SpecKnob {
        knob: Knob {
            id: "base-width",
            label: "Base width",
            liveness: Liveness::Cold,
            kind: KnobKind::Int { min: 1, max: 4_096, scale: Scale::Logarithmic, zero_means: None },
            definition: "The width at which the parametrization is Standard: where the learning rate was tuned.",
            formula: "m = width/base width",
            effect: "At this width nothing changes; the further away, the more rates and starts are rescaled.",
        },
        group: Group::Model,
        get: |s| KnobValue::Int(s.model.parametrization.base_width as u64),
        set: |s, v| s.model.parametrization.base_width = int(v) as usize,
        relevant: is_parametrized,
    },
    SpecKnob {
        knob: Knob {
            id: "base-depth",
            label: "Base depth",
            liveness: Liveness::Cold,
            kind: KnobKind::Int { min: 1, max: 128, scale: Scale::Logarithmic, zero_means: None },
            definition: "The depth at which Depth-muP and 1/L branches are plain muP.",
            formula: "l = depth/base depth;  Depth-muP: branch · l^−½, Adam ηl^−½;  1/L: branch/l, SGD ηl",
            effect: "At this depth nothing changes; deeper networks get weaker branches.",
        },
        group: Group::Model,
        get: |s| KnobValue::Int(s.model.parametrization.base_depth as u64),
        set: |s, v| s.model.parametrization.base_depth = int(v) as usize,
        relevant: |s| {
            let kind = s.model.parametrization.kind;
            s.model.kind != ModelKind::Mlp && matches!(kind, Parametrization::DepthMup | Parametrization::DepthInverse)
        },
    },
    SpecKnob {
        knob: Knob {
            id: "gamma0",
            label: "gamma0",
            liveness: Liveness::Cold,
            kind: KnobKind::Float { min: 1e-3, max: 1e3, smallest: 1e-3, scale: Scale::Logarithmic },
            definition: "Richness γ₀: divides the outputs and multiplies SGD's rates by its square.",
            formula: "f = w·h/(γ₀ …);  SGD: ηγ₀² for all but the output;  Adam: η/γ₀ for the output",
            effect: "Small is lazy (features stay, as in NTK), large is rich (features move a lot for the same change of the output).",
        },
        group: Group::Model,
        get: |s| KnobValue::Float(s.model.parametrization.gamma0),
        set: |s, v| s.model.parametrization.gamma0 = float(v),
        relevant: is_parametrized,
    },
    SpecKnob {
        knob: Knob {
            id: "gamma-exponent",
            label: "Exponent of gamma",
            liveness: Liveness::Cold,
            kind: KnobKind::Float { min: 0.0, max: 0.5, smallest: 0.0, scale: Scale::Linear },
            definition: "The exponent a of γ = γ₀m^a, which divides the outputs and whose square multiplies SGD's rates.",
            formula: "m = width/base width;  a = 0: NTK;  a = 1/2: muP",
            effect: "Morphs the kernel regime into feature learning: below 1/2 features move ever less in wider networks.",
        },
        group: Group::Model,
        get: |s| KnobValue::Float(s.model.parametrization.gamma_exponent),
        set: |s, v| s.model.parametrization.gamma_exponent = float(v),
        relevant: |s| s.model.parametrization.kind == Parametrization::GammaPower,
    },
    SpecKnob {
        knob: Knob {
            id: "multipliers",
            label: "Multipliers",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[("absorbed", "Absorbed"), ("explicit", "Explicit")]),
            definition: "Where the scaling is kept: in starts and learning rates, or in factors of the forward pass.",
            formula: "explicit: W = cθ;  SGD: η_θ = η_W/c²;  Adam: η_θ = η_W/c",
            effect: "The same function and training; raw sharpness and norms are those of θ instead of W, and steps are slower.",
        },
        group: Group::Model,
        get: |s| name_of(&s.model.parametrization.form),
        set: |s, v| s.model.parametrization.form = named(v),
        relevant: is_parametrized,
    },
];
