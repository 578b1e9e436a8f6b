//! What is compared.

use super::*;

pub(super) const KNOBS: [LabKnob; 6] = [
    lab(
        knob(
            ("model", "Model"),
            Liveness::Cold,
            KnobKind::Choice(&[
                (LINEAR, "Linear network, solved exactly"),
                ("mlp", "MLP on digits"),
                ("conv-net", "ConvNet"),
                ("residual-conv-net", "Residual ConvNet, 1 layer a block"),
                ("residual-mlp", "Residual MLP, 2 layers a block"),
                ("vision-transformer", "Vision transformer"),
                ("gpt", "Language model on characters"),
            ]),
            [
                "What is trained: two linear layers whose gradient descent closes on a handful of numbers, or one of this program's networks.",
                "linear: f(x) = x'EV/(√N γ)",
                "The linear network recomputes with every slider; the others train.",
            ],
        ),
        EXPERIMENT,
        [LINEAR, "mlp", "conv-net"],
        always,
    ),
    lab(
        knob(
            ("first", "Parametrization"),
            Liveness::Cold,
            KnobKind::Choice(FIRST),
            [
                "How starts and learning rates scale with width, base width 1.",
                "γ = γ₀√N: muP;  γ = γ₀: NTK;  SGD's rate of θ: η₀γ²",
                "With muP features are learned at every width; with NTK ever less.",
            ],
        ),
        EXPERIMENT,
        ["mup", "mup", "mup"],
        always,
    ),
    lab(
        knob(
            ("second", "Beside it"),
            Liveness::Cold,
            KnobKind::Choice(SECOND),
            [
                "A second parametrization, shown beside the first.",
                "as above",
                "The contrast: what doesn't depend on width in one may in the other.",
            ],
        ),
        EXPERIMENT,
        ["ntk", "ntk", "ntk"],
        always,
    ),
    lab(
        knob(
            ("sizes", "Sizes"),
            Liveness::Cold,
            KnobKind::Numbers { min: 1.0, max: 8_192.0, whole: true, most: 8 },
            [
                "The widths N that are compared (or the depths, see the next knob). Nobody should call something consistent that was seen at two.",
                "N, L",
                "Wider networks come nearer to the limit and take longer.",
            ],
        ),
        EXPERIMENT,
        ["16, 64, 256, 1024, 4096", "32, 64, 128, 256, 512", "64, 256, 1024"],
        always,
    ),
    lab(
        knob(
            ("axis", "Sizes are"),
            Liveness::Cold,
            KnobKind::Choice(&[("width", "Widths"), ("depth", "Depths")]),
            [
                "What the sizes say: the width, at a fixed depth, or the depth, at a fixed width.",
                "N or L",
                "Depth-muP is about depth: compare it with muP on residual networks.",
            ],
        ),
        EXPERIMENT,
        ["width", "width", "width"],
        is_trained,
    ),
    lab(
        knob(
            ("fixed-size", "The other size"),
            Liveness::Cold,
            int(1, 1_024),
            [
                "The depth where widths are compared, the width where depths are.",
                "L or N",
                "Deeper networks sharpen more.",
            ],
        ),
        EXPERIMENT,
        ["2", "2", "3"],
        is_trained,
    ),
];
