//! Learning rates.

use super::*;

pub(super) const KNOBS: [LabKnob; 9] = [
    lab(
        knob(
            ("eta0", "Learning rate η₀"),
            Liveness::Recomputes,
            float(1e-4, 1e3),
            [
                "The width-independent learning rate, of the loss 1/(2P) Σ|f − y|² or the mean cross-entropy.",
                "θ ← θ − η₀γ²∇L;  stable while γ²λ < 2/η₀",
                "Above 2/γ²λ the sharpness settles near the dashed line (the edge of stability); at the start above it the loss is catapulted.",
            ],
        ),
        RATES,
        ["0.25", "2", "0.5"],
        always,
    ),
    lab(
        knob(
            ("eta0-second", "η₀ of the second"),
            Liveness::Recomputes,
            float(1e-4, 1e3),
            [
                "The learning rate of the second parametrization: one number isn't right for both.",
                "η₀",
                "As for the first.",
            ],
        ),
        RATES,
        ["0.25", "4", "7"],
        has_second,
    ),
    lab(
        knob(
            ("lr-factor", "Faster, now"),
            Liveness::Live,
            float(0.05, 20.0),
            [
                "Multiplies the learning rate of all curves from now on.",
                "η = η₀ · factor",
                "Turn it up in the middle of a run: the dashed line falls, the loss jumps, and the network moves where it is flatter.",
            ],
        ),
        RATES,
        ["1", "1", "1"],
        is_trained,
    ),
    lab(
        knob(
            ("gamma0", "Richness γ₀"),
            Liveness::Recomputes,
            float(0.05, 20.0),
            [
                "Divides the outputs and multiplies SGD's rates by its square.",
                "γ = γ₀N^a",
                "Small is lazy, large is rich: more sharpening.",
            ],
        ),
        RATES,
        ["1", "1", "1"],
        always,
    ),
    lab(
        knob(
            ("gamma-exponent", "Exponent a of γ"),
            Liveness::Recomputes,
            KnobKind::Float { min: 0.0, max: 0.5, smallest: 0.0, scale: Scale::Linear },
            [
                "Morphs NTK into muP, where the parametrization is γ = γ₀N^a.",
                "a = 0: NTK;  a = 1/2: muP",
                "Below 1/2 sharpening fades as the width grows.",
            ],
        ),
        RATES,
        ["0.25", "0.25", "0.25"],
        morphs,
    ),
    lab(
        knob(
            ("rates", "Rates of the sweep"),
            Liveness::Cold,
            KnobKind::Numbers { min: 1e-4, max: 1e3, whole: false, most: 24 },
            [
                "The learning rates η₀ that are tried at every width.",
                "argmin over η₀ of the loss after so many steps",
                "A wider grid shows both sides of the optimum, a finer one where it is.",
            ],
        ),
        RATES,
        [
            "0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.15, 1.3",
            "0.25, 0.5, 1, 2, 2.8, 4, 5.7, 8, 11.3, 16",
            "0.1, 0.2, 0.5, 1, 2",
        ],
        has_sweep,
    ),
    lab(
        knob(
            ("sweep-steps", "Steps of the sweep"),
            Liveness::Cold,
            KnobKind::Int { min: 0, max: 100_000, scale: Scale::Logarithmic, zero_means: Some("no sweep") },
            [
                "Steps after which learning rates are compared.",
                "loss after s steps",
                "More steps favour smaller rates.",
            ],
        ),
        RATES,
        ["30", "60", "2000"],
        always,
    ),
    lab(
        knob(
            ("sweep-standard", "Sweep Standard, too"),
            Liveness::Cold,
            KnobKind::Toggle,
            [
                "Whether the sweep also tries the Standard parametrization, whose rates don't know the width.",
                "η for all tensors",
                "Its optimum moves: with the width the stable rates fall.",
            ],
        ),
        RATES,
        ["false", "true", "true"],
        |values| is_trained(values) && has_sweep(values),
    ),
    lab(
        knob(
            ("rates-standard", "Rates for Standard"),
            Liveness::Cold,
            KnobKind::Numbers { min: 1e-6, max: 1e3, whole: false, most: 24 },
            [
                "The learning rates that are tried under the Standard parametrization.",
                "η for all tensors",
                "They are of another size: the first matrix isn't divided by its inputs.",
            ],
        ),
        RATES,
        ["0.01, 0.1", "0.0078, 0.0156, 0.031, 0.0625, 0.125, 0.25, 0.5", "0.001, 0.01, 0.1"],
        |values| is_trained(values) && has_sweep(values) && values.toggle("sweep-standard"),
    ),
];
