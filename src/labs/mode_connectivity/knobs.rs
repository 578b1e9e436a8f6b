//! The knobs of the lab.

use crate::run::bench::{LabKnob, Values, always};
use crate::run::knobs::{Knob, KnobKind, Liveness, Scale};

fn copies(values: &Values) -> bool {
    matches!(values.choice("protocol"), "all" | "copies")
}

fn starts(values: &Values) -> bool {
    matches!(values.choice("protocol"), "all" | "starts")
}

fn sgd(values: &Values) -> bool {
    values.choice("protocol") == "factors" || copies(values) && values.choice("optimizers") != "adam"
}

fn adam(values: &Values) -> bool {
    copies(values) && values.choice("optimizers") != "sgd"
}

fn not_control(values: &Values) -> bool {
    values.choice("protocol") != "control"
}

fn spawns(values: &Values) -> bool {
    copies(values) || values.choice("protocol") == "factors"
}

const fn cold(
    id: &'static str,
    label: &'static str,
    kind: KnobKind,
    [definition, formula, effect]: [&'static str; 3],
) -> Knob {
    Knob { id, label, liveness: Liveness::Cold, kind, definition, formula, effect }
}

const fn int(min: u64, max: u64) -> KnobKind {
    KnobKind::Int { min, max, scale: Scale::Logarithmic, zero_means: None }
}

pub const KNOBS: &[LabKnob] = &[
    LabKnob {
        knob: cold(
            "protocol",
            "Protocol",
            KnobKind::Choice(&[
                ("all", "All"),
                ("copies", "Copies of one run"),
                ("starts", "Different starts"),
                ("factors", "One factor at a time"),
                ("control", "Convex control alone"),
            ]),
            [
                "How the networks come to differ. The convex control, softmax regression, always runs beside.",
                "copies: w_k from one run, then other batches;  starts: other w_0 and other batches on the same data",
                "Copies show what SGD noise alone does; different starts show what permuted units do.",
            ],
        ),
        group: "Protocol",
        presets: ["starts", "all", "all"],
        relevant: always,
    },
    LabKnob {
        knob: cold(
            "spawn-steps",
            "Spawn steps k",
            KnobKind::Numbers { min: 0.0, max: 1_000_000.0, whole: true, most: 12 },
            [
                "Steps at which copies leave the run; the last may be the number of steps itself.",
                "barrier(k) between two copies that share their first k updates",
                "Copies that leave later end in one basin; at k = T the barrier is exactly 0.",
            ],
        ),
        group: "Protocol",
        presets: ["0, 20, 150, 300", "0, 5, 20, 60, 150, 400", "0, 10, 40, 160, 640, 1280, 2560"],
        relevant: copies,
    },
    LabKnob {
        knob: cold(
            "memory",
            "Optimiser at the spawn",
            KnobKind::Choice(&[("reset", "Reset"), ("kept", "Kept")]),
            [
                "Whether copies take over the momentum and averages of the run that they leave, or begin with none.",
                "kept: m_k and v_k go along;  reset: m = v = 0",
                "Reset copies start more gently: early spawn steps have somewhat lower barriers.",
            ],
        ),
        group: "Protocol",
        presets: ["reset", "reset", "reset"],
        relevant: spawns,
    },
    LabKnob {
        knob: cold(
            "networks",
            "Networks",
            int(2, 5),
            [
                "Networks of each group: two to five copies, or starts. The barrier is the mean over all their pairs.",
                "n (n - 1)/2 lines",
                "More networks give a steadier mean and cost in proportion, the lines with the square.",
            ],
        ),
        group: "Protocol",
        presets: ["2", "2", "3"],
        relevant: not_control,
    },
    LabKnob {
        knob: cold(
            "repetitions",
            "Repetitions",
            int(1, 50),
            [
                "Independent repetitions of every setting, each with a subset of the data, starts and batches of its own.",
                "mean and standard error over them",
                "Five or more before anything is believed: barriers of single pairs spread by half their size.",
            ],
        ),
        group: "Protocol",
        presets: ["3", "5", "10"],
        relevant: always,
    },
    LabKnob {
        knob: cold(
            "align",
            "Align units",
            KnobKind::Choice(&[
                ("both", "Both ways"),
                ("weights", "By weights"),
                ("activations", "By activations"),
                ("none", "Not at all"),
            ]),
            [
                "How the hidden units of the second network are brought next to those of the first, for different starts.",
                "weights: max <a, P b>, layer by layer until nothing improves;  activations: max of the sum over examples of <z_a, P z_b>",
                "Most of the hill between different starts is only that units have no names.",
            ],
        ),
        group: "Protocol",
        presets: ["both", "both", "both"],
        relevant: starts,
    },
    LabKnob {
        knob: cold(
            "optimizers",
            "Optimisers",
            KnobKind::Choice(&[("sgd", "SGD"), ("adam", "Adam"), ("both", "Both")]),
            [
                "What copies are trained with: SGD with momentum 0.9, Adam, or both beside each other.",
                "SGD: m ← 0.9 m + g, w ← w − η m;  Adam: β = (0.9, 0.999)",
                "Both show a barrier at k = 0 that warm-up shrinks.",
            ],
        ),
        group: "Training",
        presets: ["sgd", "both", "both"],
        relevant: copies,
    },
    LabKnob {
        knob: cold(
            "sgd-rates",
            "SGD's learning rates",
            KnobKind::Numbers { min: 1e-5, max: 10.0, whole: false, most: 8 },
            [
                "Peak learning rates of SGD, for copies and for single factors.",
                "η_t = η · warm-up · ½(1 + cos π t/T)",
                "A large one breaks linear connectivity at k = 0.",
            ],
        ),
        group: "Training",
        presets: ["0.2", "0.05, 0.2", "0.02, 0.05, 0.1, 0.2"],
        relevant: sgd,
    },
    LabKnob {
        knob: cold(
            "adam-rates",
            "Adam's learning rates",
            KnobKind::Numbers { min: 1e-6, max: 1.0, whole: false, most: 8 },
            ["Peak learning rates of Adam, for copies.", "as SGD's", "As SGD's, on another scale."],
        ),
        group: "Training",
        presets: ["0.01", "0.01", "0.003, 0.01, 0.03"],
        relevant: adam,
    },
    LabKnob {
        knob: cold(
            "warmups",
            "Warm-up steps",
            KnobKind::Numbers { min: 0.0, max: 1_000_000.0, whole: true, most: 6 },
            [
                "Steps over which the learning rate rises from zero, for copies.",
                "η_t = η (t + 1)/t_w until t_w",
                "Restores connectivity at k = 0 where a large early rate broke it.",
            ],
        ),
        group: "Training",
        presets: ["0, 100", "0, 100", "0, 400"],
        relevant: copies,
    },
    LabKnob {
        knob: cold(
            "start-rate",
            "Learning rate, different starts",
            KnobKind::Float { min: 1e-5, max: 10.0, smallest: 1e-5, scale: Scale::Logarithmic },
            [
                "Peak learning rate of SGD for networks with different starts.",
                "as SGD's",
                "Hills between different starts are there at any rate.",
            ],
        ),
        group: "Training",
        presets: ["0.1", "0.1", "0.1"],
        relevant: starts,
    },
    LabKnob {
        knob: Knob {
            id: "rate-factor",
            label: "Factor on all rates",
            liveness: Liveness::Live,
            kind: KnobKind::Float { min: 0.01, max: 10.0, smallest: 0.01, scale: Scale::Logarithmic },
            definition: "Multiplies every learning rate from the next step on.",
            formula: "η_t ← f η_t",
            effect: "Turned up in mid-run it drives copies apart that were still together.",
        },
        group: "Training",
        presets: ["1", "1", "1"],
        relevant: not_control,
    },
    LabKnob {
        knob: Knob {
            id: "batch-size",
            label: "Batch size",
            liveness: Liveness::Live,
            kind: KnobKind::Int { min: 1, max: 16_384, scale: Scale::Logarithmic, zero_means: Some("full") },
            definition: "Training examples behind each step's gradient.",
            formula: "noise of the gradient ∝ 1/√B",
            effect: "SGD noise is what parts copies: smaller batches raise the barrier, the full batch leaves them equal.",
        },
        group: "Training",
        presets: ["64", "64", "64"],
        relevant: always,
    },
    LabKnob {
        knob: cold(
            "steps",
            "Steps T",
            int(10, 1_000_000),
            ["Updates of every network.", "T in the schedule", "Longer runs have more time to part."],
        ),
        group: "Training",
        presets: ["300", "400", "4000"],
        relevant: always,
    },
    LabKnob {
        knob: cold(
            "width",
            "Width of copies",
            int(1, 4_096),
            [
                "Units of a hidden layer of copies.",
                "parameters ∝ depth · width²",
                "Narrow networks have higher barriers.",
            ],
        ),
        group: "Network",
        presets: ["64", "64", "512"],
        relevant: spawns,
    },
    LabKnob {
        knob: cold(
            "depth",
            "Depth of copies",
            int(1, 32),
            [
                "Hidden layers of copies.",
                "h_L = f_L(… f_1(h_0))",
                "Deep ReLU networks at a large rate part, or diverge.",
            ],
        ),
        group: "Network",
        presets: ["2", "2", "3"],
        relevant: spawns,
    },
    LabKnob {
        knob: cold(
            "sharing",
            "Weights of copies",
            KnobKind::Choice(&[("dense", "Dense"), ("local", "Locally connected"), ("shared", "Shared (convolution)")]),
            [
                "Dense; only weights within 3x3 windows (sparsity alone); or these shared by all pixels (a convolution).",
                "W ∘ M with M_ij = 1 iff input j lies in the window of unit i;  shared: equal kernels at all pixels",
                "Parts the two things that make a convolution: the mask, then the tie. Widths are multiples of the 64 pixels then.",
            ],
        ),
        group: "Network",
        presets: ["dense", "dense", "dense"],
        relevant: spawns,
    },
    LabKnob {
        knob: cold(
            "widths",
            "Widths of different starts",
            KnobKind::Numbers { min: 1.0, max: 4_096.0, whole: true, most: 6 },
            [
                "Widths that are compared for different starts.",
                "each width with each depth",
                "Wider networks match better: what is left of the hill after matching shrinks.",
            ],
        ),
        group: "Network",
        presets: ["64", "16, 128", "16, 32, 128, 512"],
        relevant: starts,
    },
    LabKnob {
        knob: cold(
            "depths",
            "Depths of different starts",
            KnobKind::Numbers { min: 1.0, max: 32.0, whole: true, most: 6 },
            [
                "Depths that are compared for different starts.",
                "each depth with each width",
                "Deeper networks have higher hills before matching: outputs between two starts shrink by a factor a layer.",
            ],
        ),
        group: "Network",
        presets: ["2", "1, 3", "1, 2, 3"],
        relevant: starts,
    },
    LabKnob {
        knob: cold(
            "train-size",
            "Training examples",
            KnobKind::Int { min: 20, max: 1_438, scale: Scale::Logarithmic, zero_means: Some("all") },
            [
                "Handwritten digits that are trained on, another subset in each repetition.",
                "N",
                "Fewer are fitted sooner.",
            ],
        ),
        group: "Data",
        presets: ["600", "1200", "0"],
        relevant: always,
    },
    LabKnob {
        knob: Knob {
            id: "label-noise",
            label: "Label noise",
            liveness: Liveness::Live,
            kind: KnobKind::Float { min: 0.0, max: 1.0, smallest: 0.0, scale: Scale::Linear },
            definition: "Share of training labels that are replaced by a random class.",
            formula: "ỹ = random class with probability p",
            effect: "Harder data part copies at a rate that clean data bear. Lines are judged on the labels of the beginning.",
        },
        group: "Data",
        presets: ["0", "0", "0"],
        relevant: not_control,
    },
    LabKnob {
        knob: cold(
            "points",
            "Points of a line",
            int(21, 401),
            [
                "Evenly spaced places at which the line between two networks is judged.",
                "t_i = i/(n − 1);  barrier = max_i [L(t_i) − (1 − t_i) L(0) − t_i L(1)]",
                "Fewer than 21 would miss narrow hills.",
            ],
        ),
        group: "Measuring",
        presets: ["33", "33", "25"],
        relevant: always,
    },
    LabKnob {
        knob: cold(
            "every",
            "Steps between measurements",
            int(1, 1_000_000),
            [
                "How often the lines of the first repetition are measured while training; all are at the end.",
                "at multiples of it, and at T",
                "Smaller shows the hill grow more smoothly and costs time.",
            ],
        ),
        group: "Measuring",
        presets: ["20", "40", "200"],
        relevant: always,
    },
];
