//! The knobs of the lab.

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

const PARAMETRIZATIONS: [(&str, &str); 5] =
    [("mup", "muP"), ("gamma-power", "γ = γ₀Nᵃ"), ("ntk", "NTK"), ("standard", "Standard"), ("depth-mup", "Depth-muP")];

/// What a parametrisation is called.
pub fn title(parametrization: &str) -> &'static str {
    PARAMETRIZATIONS.iter().find(|(id, _)| *id == parametrization).map_or("", |(_, title)| title)
}

const FIRST: &[(&str, &str)] = &PARAMETRIZATIONS;
const SECOND: &[(&str, &str)] = &[
    ("ntk", "NTK"),
    ("mup", "muP"),
    ("gamma-power", "γ = γ₀Nᵃ"),
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

pub static KNOBS: &[LabKnob] = &[
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
                "linear: f(x) = xᵀEV/(√N γ)",
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
                "γ = γ₀Nᵃ",
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
                "Morphs NTK into muP, where the parametrization is γ = γ₀Nᵃ.",
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
                "C = XᵀX/P",
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
                "H = G + R,  G = Σ Jᵀ(∂²l/∂f²)J,  R = Σ (∂l/∂f) ∂²f",
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
