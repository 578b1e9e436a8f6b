//! Network and task.

use super::*;

pub(super) const KNOBS: [LabKnob; 8] = [
    lab(
        knob(
            ("steps", "Steps"),
            Liveness::Cold,
            int(1, 1_000_000),
            ["Updates of the curves.", "t", "Sharpening takes some tens of steps, the edge of stability some hundred."],
        ),
        TASK,
        ["120", "300", "19550"],
        always,
    ),
    lab(
        knob(
            ("examples", "Examples P"),
            Liveness::Cold,
            KnobKind::Int { min: 2, max: 100_000, scale: Scale::Logarithmic, zero_means: None },
            [
                "Training examples; sharpness and kernel are those of the loss over all of them.",
                "L = 1/(2P) Σ|f − y|²",
                "More take longer.",
            ],
        ),
        TASK,
        ["64", "256", "1024"],
        always,
    ),
    lab(
        knob(
            ("features", "Features D"),
            Liveness::Cold,
            KnobKind::Int { min: 1, max: 24, scale: Scale::Linear, zero_means: None },
            [
                "Inputs of the linear network, with standard deviations from 1 down to 0.3.",
                "C = X'X/P",
                "More take longer: a step costs D² numbers, the sharpness (3D)³.",
            ],
        ),
        TASK,
        ["8", "8", "8"],
        is_linear,
    ),
    lab(
        knob(
            ("target", "Norm of the target"),
            Liveness::Recomputes,
            float(0.1, 30.0),
            [
                "Length of the linear map that the network has to learn.",
                "y = Xw*, |w*|",
                "A longer target needs more feature learning: muP sharpens more.",
            ],
        ),
        TASK,
        ["3", "3", "3"],
        is_linear,
    ),
    lab(
        knob(
            ("loss", "Loss"),
            Liveness::Cold,
            KnobKind::Choice(&[("mse", "Squared error"), ("cross-entropy", "Cross-entropy")]),
            [
                "What digits are learned with. Sequences always take the cross-entropy.",
                "1/(2P) Σ|f − y|² with one-hot y;  −log softmax",
                "Only the squared error stays at the edge: with the cross-entropy the sharpness falls as the fit gets good.",
            ],
        ),
        TASK,
        ["mse", "mse", "cross-entropy"],
        learns_digits,
    ),
    lab(
        knob(
            ("activation", "Activation"),
            Liveness::Cold,
            KnobKind::Choice(&[("tanh", "tanh"), ("gelu", "GELU"), ("relu", "ReLU")]),
            [
                "The nonlinearity.",
                "h = φ(Wh)",
                "tanh and GELU are smooth and have a clean edge; ReLU's kinks make it noisy.",
            ],
        ),
        TASK,
        ["tanh", "tanh", "relu"],
        is_trained,
    ),
    lab(
        knob(
            ("batch", "Batch size"),
            Liveness::Cold,
            KnobKind::Int { min: 0, max: 4_096, scale: Scale::Logarithmic, zero_means: Some("full batch") },
            [
                "Examples a step. What is measured is always that of all examples.",
                "B",
                "Small batches keep the sharpness below the edge.",
            ],
        ),
        TASK,
        ["0", "0", "128"],
        is_trained,
    ),
    lab(
        knob(
            ("data", "CIFAR-10"),
            Liveness::Cold,
            KnobKind::Path,
            [
                "A folder with CIFAR-10's binary batches, as in the paper; the built-in digits without.",
                "32×32×3 pixels",
                "Larger pictures, slower steps.",
            ],
        ),
        TASK,
        ["", "", ""],
        learns_digits,
    ),
];
