//! Knobs of the schedule, the loss and the length of training.

use super::*;
use crate::nn::spec::LossKind;
use crate::optim::spec::ScheduleKind;

pub(super) const KNOBS: &[SpecKnob] = &[
    SpecKnob {
        knob: Knob {
            id: "batch-size",
            label: "Batch size",
            liveness: Liveness::Live,
            kind: KnobKind::Int { min: 1, max: 16_384, scale: Scale::Logarithmic, zero_means: Some("full") },
            definition: "Training examples behind each step's gradient; 0 takes them all.",
            formula: "g = 1/B Σ ∇ℓᵢ;  noise of the gradient ∝ 1/√B",
            effect: "Small batches are noisy and find flatter minima; the full batch shows progressive sharpening up to 2/η.",
        },
        group: Group::Training,
        get: |s| KnobValue::Int(s.batch_size as u64),
        set: |s, v| s.batch_size = int(v) as usize,
        relevant: always,
    },
    SpecKnob {
        knob: Knob {
            id: "schedule",
            label: "Schedule",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[
                ("constant", "Constant"),
                ("warmup", "Warm-up"),
                ("cosine", "Warm-up, cosine"),
                ("linear", "Warm-up, linear"),
            ]),
            definition: "How the learning rate changes over the run.",
            formula: "warm-up: η·t/t_w;  then cosine: η·½(1 + cos πx) or linear: η·(1 − x), x = (t − t_w)/(T − t_w)",
            effect: "Warm-up lets sharpness fall before the full rate arrives; cosine and linear end in a quiet descent.",
        },
        group: Group::Training,
        get: |s| name_of(&s.schedule.kind),
        set: |s, v| s.schedule.kind = named(v),
        relevant: always,
    },
    SpecKnob {
        knob: Knob {
            id: "warmup-steps",
            label: "Warm-up steps",
            liveness: Liveness::Cold,
            kind: KnobKind::Int { min: 0, max: 1_000_000, scale: Scale::Logarithmic, zero_means: Some("no warm-up") },
            definition: "Steps over which the learning rate rises from zero.",
            formula: "η_t = η · min(1, (t + 1)/t_w)",
            effect: "Longer is safer at high learning rates and slower at the start.",
        },
        group: Group::Training,
        get: |s| KnobValue::Int(s.schedule.warmup_steps),
        set: |s, v| s.schedule.warmup_steps = int(v),
        relevant: |s| s.schedule.kind != ScheduleKind::Constant,
    },
    SpecKnob {
        knob: Knob {
            id: "loss",
            label: "Loss",
            liveness: Liveness::Cold,
            kind: KnobKind::Choice(&[("cross-entropy", "Cross-entropy"), ("mse", "Squared error")]),
            definition: "What is minimised. Regression tasks always use the squared error.",
            formula: "CE: −log softmax(z/T)_y;  MSE: mean over outputs of (z − t)², t one-hot",
            effect: "Cross-entropy's curvature vanishes as examples are fitted; the squared error's doesn't, which makes the edge of stability plain.",
        },
        group: Group::Training,
        get: |s| name_of(&s.loss.kind),
        set: |s, v| s.loss.kind = named(v),
        relevant: |s| !s.task.kind.is_regression(),
    },
    SpecKnob {
        knob: Knob {
            id: "temperature",
            label: "Loss temperature",
            liveness: Liveness::Live,
            kind: KnobKind::Float { min: 0.01, max: 100.0, smallest: 0.01, scale: Scale::Logarithmic },
            definition: "Divides the logits before the softmax, in training and in the curves.",
            formula: "p = softmax(z/T);  gradients scale with 1/T, curvature with 1/T²",
            effect: "Higher softens the loss and flattens the landscape without changing which class wins.",
        },
        group: Group::Training,
        get: |s| KnobValue::Float(s.loss.temperature),
        set: |s, v| s.loss.temperature = float(v),
        relevant: |s| s.loss.kind == LossKind::CrossEntropy && !s.task.kind.is_regression(),
    },
    SpecKnob {
        knob: Knob {
            id: "steps",
            label: "Steps",
            liveness: Liveness::Cold,
            kind: KnobKind::Int { min: 1, max: 100_000_000, scale: Scale::Logarithmic, zero_means: None },
            definition: "Planned optimiser updates: where the run pauses and a falling schedule ends.",
            formula: "T in the schedule",
            effect: "The window stops there; play goes on beyond.",
        },
        group: Group::Training,
        get: |s| KnobValue::Int(s.steps),
        set: |s, v| s.steps = int(v),
        relevant: always,
    },
    SpecKnob {
        knob: Knob {
            id: "seed",
            label: "Seed",
            liveness: Liveness::Cold,
            kind: KnobKind::Int { min: 0, max: u64::MAX >> 1, scale: Scale::Linear, zero_means: None },
            definition: "The one number behind everything random: data, initialisation, batches, directions.",
            formula: "stream = ChaCha8(hash(seed, name))",
            effect: "The same specification and seed give bitwise the same run on one machine.",
        },
        group: Group::Training,
        get: |s| KnobValue::Int(s.seed),
        set: |s, v| s.seed = int(v),
        relevant: always,
    },
];
