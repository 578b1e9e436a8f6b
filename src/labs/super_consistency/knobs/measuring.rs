//! What is measured.

use super::*;

pub(super) const KNOBS: [LabKnob; 3] = [
    lab(
        knob(
            ("every", "Steps between measurements"),
            Liveness::Cold,
            int(1, 10_000),
            ["How often the sharpness is measured.", "γ²λ_max(H)", "Rarer is quicker."],
        ),
        MEASURING,
        ["2", "5", "200"],
        always,
    ),
    lab(
        knob(
            ("parts", "Parts and kernel"),
            Liveness::Cold,
            KnobKind::Toggle,
            [
                "Whether the Gauss-Newton and the residual part of the Hessian and the largest eigenvalues of the tangent kernel are measured, too, every fourth time.",
                "H = G + R,  G = Σ J'(∂²l/∂f²)J,  R = Σ (∂l/∂f) ∂²f",
                "Twice the time.",
            ],
        ),
        MEASURING,
        ["true", "true", "true"],
        is_trained,
    ),
    lab(
        knob(
            ("networks", "Widest network beside it"),
            Liveness::Cold,
            KnobKind::Int { min: 0, max: 4_096, scale: Scale::Logarithmic, zero_means: Some("none") },
            [
                "Linear networks of this program, up to this width, are trained beside the exact model, in double precision.",
                "the same E, V, X, y",
                "They lie on the exact curves to rounding, and take longer.",
            ],
        ),
        MEASURING,
        ["256", "256", "256"],
        is_linear,
    ),
];
