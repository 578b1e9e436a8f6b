//! The knobs of the lab.

use crate::run::bench::{LabKnob, Values, always};
use crate::run::knobs::{Knob, KnobKind, Liveness, Scale};

const NETWORK: &str = "Chosen network";
const TRAINING: &str = "Training";

fn has_skips(values: &Values) -> bool {
    values.toggle("skip")
}

fn has_mlp(values: &Values) -> bool {
    values.toggle("skip") && values.choice("mlp") != "none"
}

fn attends(values: &Values) -> bool {
    values.choice("mixing") == "softmax"
}

fn trains(values: &Values) -> bool {
    values.toggle("training")
}

pub(super) static KNOBS: &[LabKnob] = &[
    LabKnob {
        knob: Knob {
            id: "alpha-1",
            label: "Attention scale α₁",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Float { min: 0.0, max: 2.0, smallest: 0.0, scale: Scale::Linear },
            definition: "What the attention branch is multiplied by before it joins the skip.",
            formula: "Z = X + α₁ A X W_V;  every block multiplies C by 1 + α₁²",
            effect: "Larger aligns tokens sooner: the distance to one token falls as (1 + α₁²)^(−L).",
        },
        group: NETWORK,
        presets: ["1", "1", "1"],
        relevant: has_skips,
    },
    LabKnob {
        knob: Knob {
            id: "alpha-2",
            label: "MLP scale α₂",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Float { min: 0.0, max: 2.0, smallest: 0.0, scale: Scale::Linear },
            definition: "What the MLP branch is multiplied by before it joins the skip.",
            formula: "X⁺ = Z + α₂ σ(Z W₁) W₂",
            effect: "A linear MLP leaves the correlation alone; a ReLU aligns tokens a little more.",
        },
        group: NETWORK,
        presets: ["1", "1", "1"],
        relevant: has_mlp,
    },
    LabKnob {
        knob: Knob {
            id: "scaling",
            label: "Depth scaling",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Choice(&[("none", "α as it is"), ("inverse-sqrt", "α/√L")]),
            definition: "Whether both scales are divided by the root of the depth L.",
            formula: "α² L = const: then ρ_L → n eᵃs/((n − 1)[(eᵃ − 1)s + n]) − 1/(n − 1), a = α₁²",
            effect: "With it the correlation at the end hardly depends on the depth.",
        },
        group: NETWORK,
        presets: ["none", "none", "none"],
        relevant: has_skips,
    },
    LabKnob {
        knob: Knob {
            id: "layers",
            label: "Blocks L",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Int { min: 1, max: 128, scale: Scale::Logarithmic, zero_means: None },
            definition: "Blocks of attention and MLP.",
            formula: "X₀ → X₁ → … → X_L",
            effect: "More blocks, more alignment, unless the branches shrink with 1/√L.",
        },
        group: NETWORK,
        presets: ["24", "24", "128"],
        relevant: always,
    },
    LabKnob {
        knob: Knob {
            id: "tokens",
            label: "Tokens n",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Int { min: 2, max: 64, scale: Scale::Logarithmic, zero_means: None },
            definition: "Length of the sequence.",
            formula: "A is n × n;  s = 1 + (n − 1)ρ₀",
            effect: "With more tokens the mean is a stronger signal, if they are correlated at all.",
        },
        group: NETWORK,
        presets: ["16", "16", "64"],
        relevant: always,
    },
    LabKnob {
        knob: Knob {
            id: "width",
            label: "Width d",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Int { min: 8, max: 1_024, scale: Scale::Logarithmic, zero_means: None },
            definition: "Features of a token, and of queries and keys.",
            formula: "entries of weights have variance 1/d",
            effect: "Wider networks scatter less about theory.",
        },
        group: NETWORK,
        presets: ["128", "128", "512"],
        relevant: always,
    },
    LabKnob {
        knob: Knob {
            id: "rho-0",
            label: "Initial correlation ρ₀",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Float { min: 0.0, max: 1.0, smallest: 0.0, scale: Scale::Linear },
            definition: "Correlation between the features of two input tokens.",
            formula: "x_i = √ρ₀ g₀ + √(1 − ρ₀) g_i",
            effect: "Correlated inputs collapse sooner; at 1 they are one token and queries and keys never get a gradient.",
        },
        group: NETWORK,
        presets: ["0.2", "0.2", "0.2"],
        relevant: always,
    },
    LabKnob {
        knob: Knob {
            id: "tau",
            label: "Inverse temperature τ",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Float { min: 0.0, max: 32.0, smallest: 0.01, scale: Scale::Logarithmic },
            definition: "Multiplies the logits of attention.",
            formula: "A = softmax(τ X W_Q W_K' X'/√d)",
            effect: "Higher looks at fewer tokens: collapse is delayed, and gradients of queries and keys grow with τ.",
        },
        group: NETWORK,
        presets: ["1", "1", "1"],
        relevant: attends,
    },
    LabKnob {
        knob: Knob {
            id: "norm",
            label: "Normalisation",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Choice(&[("none", "None"), ("pre", "Pre-LN"), ("post", "Post-LN")]),
            definition: "Where tokens are layer-normalised.",
            formula: "Pre: X + α f(LN(X));  Post: LN(X + α f(X))",
            effect: "Post-LN collapses exponentially; under Pre-LN the skip outgrows its branches and collapse is slow.",
        },
        group: NETWORK,
        presets: ["post", "post", "post"],
        relevant: always,
    },
    LabKnob {
        knob: Knob {
            id: "mlp",
            label: "MLP",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Choice(&[("relu", "ReLU"), ("linear", "Linear"), ("none", "None")]),
            definition: "The nonlinearity of the MLP, or no MLP.",
            formula: "σ(z) = √2 max(0, z), z, or no branch",
            effect: "The closed forms are for linear ones; ReLU adds the arc-cosine map of the correlation.",
        },
        group: NETWORK,
        presets: ["relu", "relu", "relu"],
        relevant: always,
    },
    LabKnob {
        knob: Knob {
            id: "mixing",
            label: "Attention",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Choice(&[("softmax", "Softmax"), ("uniform", "Uniform")]),
            definition: "Softmax attention of random queries and keys, or the mean over all tokens, which the theory supposes.",
            formula: "uniform: A = 11'/n",
            effect: "At initialisation the two are close, which is why the theory describes real networks.",
        },
        group: NETWORK,
        presets: ["softmax", "softmax", "softmax"],
        relevant: always,
    },
    LabKnob {
        knob: Knob {
            id: "skip",
            label: "Skip connections",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Toggle,
            definition: "Whether a block's input is added to its branches; without, X is brought back to length √(nd) in every block.",
            formula: "X⁺ = X + α f(X), or f(X)",
            effect: "Without them the distance to one token is cubed in every block: doubly exponential.",
        },
        group: NETWORK,
        presets: ["true", "true", "true"],
        relevant: always,
    },
    LabKnob {
        knob: Knob {
            id: "draws",
            label: "Draws",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Int { min: 1, max: 256, scale: Scale::Logarithmic, zero_means: None },
            definition: "Networks that are drawn and averaged over; all kinds of network share their random numbers.",
            formula: "mean ± standard deviation over draws",
            effect: "More are smoother and slower. The matrices are the first draw's.",
        },
        group: NETWORK,
        presets: ["3", "24", "64"],
        relevant: always,
    },
    LabKnob {
        knob: Knob {
            id: "training",
            label: "Train, too",
            liveness: Liveness::Cold,
            kind: KnobKind::Toggle,
            definition: "Whether vision transformers with Post-LN are trained on the digits after the picture at initialisation.",
            formula: "SGD with momentum 0.9 and Adam, with α = 1 and α = 1/√L",
            effect: "Off leaves the sliders above all of the processor.",
        },
        group: TRAINING,
        presets: ["true", "true", "true"],
        relevant: always,
    },
    LabKnob {
        knob: Knob {
            id: "depths",
            label: "Depths trained",
            liveness: Liveness::Cold,
            kind: KnobKind::Numbers { min: 1.0, max: 64.0, whole: true, most: 5 },
            definition: "Blocks of the networks that are trained.",
            formula: "L",
            effect: "Deeper is slower to compute, and harder to train without scaling.",
        },
        group: TRAINING,
        presets: ["12", "4, 12, 24", "6, 12, 24, 48"],
        relevant: trains,
    },
    LabKnob {
        knob: Knob {
            id: "sgd-rates",
            label: "Rates of SGD",
            liveness: Liveness::Cold,
            kind: KnobKind::Numbers { min: 1e-6, max: 10.0, whole: false, most: 8 },
            definition: "Learning rates tried with SGD; the best counts.",
            formula: "m ← 0.9 m + g;  w ← w − η m",
            effect: "More rates are fairer and slower.",
        },
        group: TRAINING,
        presets: ["0.003, 0.01", "0.001, 0.003, 0.01, 0.03", "0.001, 0.003, 0.01, 0.03, 0.1"],
        relevant: trains,
    },
    LabKnob {
        knob: Knob {
            id: "adam-rates",
            label: "Rates of Adam",
            liveness: Liveness::Cold,
            kind: KnobKind::Numbers { min: 1e-6, max: 1.0, whole: false, most: 8 },
            definition: "Learning rates tried with Adam; the best counts.",
            formula: "w ← w − η m̂/(√v̂ + ε)",
            effect: "More rates are fairer and slower.",
        },
        group: TRAINING,
        presets: ["3e-4, 0.001", "1e-4, 3e-4, 0.001, 0.003", "1e-4, 3e-4, 0.001, 0.003, 0.01"],
        relevant: trains,
    },
    LabKnob {
        knob: Knob {
            id: "steps",
            label: "Steps",
            liveness: Liveness::Cold,
            kind: KnobKind::Int { min: 1, max: 100_000, scale: Scale::Logarithmic, zero_means: None },
            definition: "Updates of every trained network.",
            formula: "batches of 32 digits",
            effect: "Longer shows who is slow and who is stuck.",
        },
        group: TRAINING,
        presets: ["80", "100", "2000"],
        relevant: trains,
    },
];
