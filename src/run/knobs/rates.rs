//! Knobs of the learning rates by role.

use super::*;
use crate::nn::spec::ModelKind;
use crate::optim::rates::RateSpec;

const fn rate(
    id: &'static str,
    label: &'static str,
    definition: &'static str,
    effect: &'static str,
    get: fn(&RunSpec) -> KnobValue,
    set: fn(&mut RunSpec, &KnobValue),
    relevant: fn(&RunSpec) -> bool,
) -> SpecKnob {
    SpecKnob {
        knob: Knob {
            id,
            label,
            liveness: Liveness::Live,
            kind: KnobKind::Float { min: 0.0, max: 1e3, smallest: 1e-3, scale: Scale::Logarithmic },
            definition,
            formula: "η of a tensor = η · factor of its role · factor of the parametrization",
            effect,
        },
        group: Group::Rates,
        get,
        set,
        relevant,
    }
}

fn rates(spec: &mut RunSpec) -> &mut RateSpec {
    &mut spec.optimizer.rates
}

pub(super) const KNOBS: &[SpecKnob] = &[
    rate(
        "rate-input",
        "Input matrix",
        "Factor on the learning rate of the first matrix, which sees the inputs.",
        "0 freezes the first layer: the network learns on fixed random features of the inputs.",
        |s| KnobValue::Float(s.optimizer.rates.input),
        |s, v| rates(s).input = float(v),
        |s| s.model.kind != ModelKind::Gpt,
    ),
    rate(
        "rate-hidden",
        "Hidden matrices",
        "Factor on the learning rate of all matrices between hidden layers, attention's included.",
        "0 leaves them as they started; muP divides Adam's rate by the width here.",
        |s| KnobValue::Float(s.optimizer.rates.hidden),
        |s, v| rates(s).hidden = float(v),
        always,
    ),
    rate(
        "rate-output",
        "Output matrix",
        "Factor on the learning rate of the matrix onto the outputs.",
        "0 freezes the read-out: only features learn; all others at 0 train it alone, on random features, a convex problem.",
        |s| KnobValue::Float(s.optimizer.rates.output),
        |s, v| rates(s).output = float(v),
        always,
    ),
    rate(
        "rate-embedding",
        "Embeddings",
        "Factor on the learning rate of the tables of tokens and positions.",
        "Rows of rare tokens see few gradients: under SGD they want more, under Adam they don't.",
        |s| KnobValue::Float(s.optimizer.rates.embedding),
        |s, v| rates(s).embedding = float(v),
        |s| matches!(s.model.kind, ModelKind::Gpt | ModelKind::VisionTransformer),
    ),
    rate(
        "rate-vectors",
        "Biases and gains",
        "Factor on the learning rate of biases and of the gains of normalisations and branches.",
        "0 leaves them at 0 and 1.",
        |s| KnobValue::Float(s.optimizer.rates.vectors),
        |s, v| rates(s).vectors = float(v),
        always,
    ),
];
