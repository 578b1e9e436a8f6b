//! The knobs of the lab.

mod experiment;
mod measuring;
mod rates;
mod task;

use std::sync::LazyLock;

use crate::run::bench::{LabKnob, Values, always};
use crate::run::knobs::{Knob, KnobKind, KnobValue, Liveness, Scale};

/// The closed model and its networks, in place of a trained network.
pub const LINEAR: &str = "linear";

pub fn is_linear(values: &Values) -> bool {
    values.choice("model") == LINEAR
}

fn is_trained(values: &Values) -> bool {
    !is_linear(values)
}

fn learns_digits(values: &Values) -> bool {
    is_trained(values) && values.choice("model") != "gpt"
}

/// The folder with CIFAR-10's batches, or nothing.
pub fn data(values: &Values) -> &str {
    match values.get("data") {
        Some(KnobValue::Path(path)) => path,
        _ => "",
    }
}

fn has_second(values: &Values) -> bool {
    values.choice("second") != "none"
}

fn has_sweep(values: &Values) -> bool {
    values.int("sweep-steps") > 0
}

fn morphs(values: &Values) -> bool {
    [values.choice("first"), values.choice("second")].contains(&"gamma-power")
}

const PARAMETRIZATIONS: [(&str, &str); 5] = [
    ("mup", "muP"),
    ("gamma-power", "γ = γ₀N^a"),
    ("ntk", "NTK"),
    ("standard", "Standard"),
    ("depth-mup", "Depth-muP"),
];

/// What a parametrisation is called.
pub fn title(parametrization: &str) -> &'static str {
    PARAMETRIZATIONS.iter().find(|(id, _)| *id == parametrization).map_or("", |(_, title)| title)
}

const FIRST: &[(&str, &str)] = &PARAMETRIZATIONS;
const SECOND: &[(&str, &str)] = &[
    ("ntk", "NTK"),
    ("mup", "muP"),
    ("gamma-power", "γ = γ₀N^a"),
    ("standard", "Standard"),
    ("depth-mup", "Depth-muP"),
    ("none", "None"),
];

const fn knob(
    (id, label): (&'static str, &'static str),
    liveness: Liveness,
    kind: KnobKind,
    [definition, formula, effect]: [&'static str; 3],
) -> Knob {
    Knob { id, label, liveness, kind, definition, formula, effect }
}

const fn lab(knob: Knob, group: &'static str, presets: [&'static str; 3], relevant: fn(&Values) -> bool) -> LabKnob {
    LabKnob { knob, group, presets, relevant }
}

const EXPERIMENT: &str = "Experiment";
const RATES: &str = "Learning rates";
const TASK: &str = "Network and task";
const MEASURING: &str = "Measuring";

const fn float(min: f64, max: f64) -> KnobKind {
    KnobKind::Float { min, max, smallest: min, scale: Scale::Logarithmic }
}

const fn int(min: u64, max: u64) -> KnobKind {
    KnobKind::Int { min, max, scale: Scale::Logarithmic, zero_means: None }
}

static KNOBS: LazyLock<Vec<LabKnob>> = LazyLock::new(|| {
    let (experiment, rates) = (experiment::KNOBS.into_iter(), rates::KNOBS);
    experiment.chain(rates).chain(task::KNOBS).chain(measuring::KNOBS).collect()
});

/// In the order of the panel.
pub fn all() -> &'static [LabKnob] {
    &KNOBS
}

/// Rules between knobs.
///
/// # Errors
/// One sentence that names the knob, the value and what to do.
pub fn check(values: &Values) -> Result<(), String> {
    let sizes = values.numbers("sizes");
    let (smallest, largest) = (sizes.first().copied().unwrap_or(0.0), sizes.last().copied().unwrap_or(0.0));
    if is_linear(values) {
        if smallest <= values.int("features") as f64 {
            return Err(format!(
                "sizes can't begin with {smallest} with features {}: the exact sharpness needs widths over the number of features; give larger widths",
                values.int("features")
            ));
        }
        let known = |id: &str| ["mup", "ntk", "gamma-power", "none"].contains(&values.choice(id));
        if !(known("first") && known("second")) {
            return Err("first and second can't be standard or depth-mup with model linear: its recursion is that of mup, ntk and gamma-power; give one of those".into());
        }
        return Ok(());
    }
    if values.choice("axis") == "depth" && largest > 128.0 {
        return Err(format!("sizes can't go up to {largest} with axis depth; give depths of at most 128"));
    }
    if values.choice("first") == values.choice("second") {
        return Err(format!("second can't be {0} like first; give another one, or none", values.choice("second")));
    }
    let transformer = ["vision-transformer", "gpt"].contains(&values.choice("model"));
    let odd = |n: f64| n % 4.0 != 0.0;
    let widths = if values.choice("axis") == "depth" { vec![values.int("fixed-size") as f64] } else { sizes.to_vec() };
    if let Some(width) = widths.iter().find(|n| transformer && odd(**n)) {
        return Err(format!(
            "width {width} can't be shared out to 4 heads; give multiples of 4 with model {}",
            values.choice("model")
        ));
    }
    Ok(())
}
