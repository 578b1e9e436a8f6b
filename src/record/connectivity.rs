//! How networks with the same shape are connected: paths between their parameters, with the loss on the way.

use serde::Serialize;

use super::Circumstances;

/// How the units of the second network were brought next to those of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// Not at all: as they are.
    None,
    /// By their weights (Ainsworth et al. 2023, algorithm 1).
    Weights,
    /// By what they do on the examples (Ainsworth et al. 2023, section 3.1).
    Activations,
}

impl Matching {
    /// Such as `as they are`.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "as they are",
            Self::Weights => "weights matched",
            Self::Activations => "activations matched",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CurveKind {
    Line,
    Bezier,
    Polychain,
}

impl CurveKind {
    pub fn words(self) -> &'static str {
        match self {
            Self::Line => "straight line",
            Self::Bezier => "Bezier curve",
            Self::Polychain => "polygonal chain",
        }
    }
}

/// Loss and error at the place t in [0, 1] of a path.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct WalkPoint {
    pub t: f64,
    pub loss: f64,
    /// 1 - accuracy; none for regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
}

/// The highest place of a path above what a convention measures from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Height {
    pub height: f64,
    pub t: f64,
    /// The place is known to so much of t.
    pub t_error: f64,
}

/// Barriers f of one quantity in the conventions of the literature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Heights {
    /// `max_t [f(t) - ((1 - t) f(0) + t f(1))]` (Entezari et al. 2022).
    pub above_chord: Height,
    /// `max_t f(t) - (f(0) + f(1)) / 2` (Frankle et al. 2020).
    pub above_mean: Height,
    /// `max_t f(t) - max(f(0), f(1))`.
    pub above_higher_end: Height,
}

/// One path, walked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Walk {
    pub curve: CurveKind,
    pub matching: Matching,
    pub loss: Heights,
    /// None for regression. Errors come in steps: these places are as good as the even grid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Heights>,
    /// By rising t: the even grid, and what the search for the peaks added.
    pub points: Vec<WalkPoint>,
}

/// What a matching did to the second network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Matched {
    pub matching: Matching,
    /// |a - b| after it.
    pub distance: f64,
    /// Units that changed places, of `units`.
    pub moved: usize,
    pub units: usize,
    /// Largest change of an output on the examples: rounding, if all is right.
    pub output_change: f64,
    /// Largest output, for comparison.
    pub largest_output: f64,
    /// Sweeps over all layers that weight matching took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweeps: Option<usize>,
    /// Whether the last sweep improved nothing; none where nothing is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub converged: Option<bool>,
}

/// What classifiers are judged by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Grades {
    pub accuracy: f64,
    /// Negative log-likelihood in nats.
    pub nll: f64,
    /// Expected calibration error, 15 bins.
    pub calibration_error: f64,
}

/// Several networks whose probabilities are averaged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Together {
    pub members: usize,
    pub ensemble: Grades,
    /// Mean over the members.
    pub mean: Grades,
    /// The best of the members in each of the three.
    pub best: Grades,
    /// Share of the examples that two members classify differently, averaged over pairs.
    pub disagreement: f64,
}

/// One of the networks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct End {
    /// A file, or a step.
    pub name: String,
    /// |w|
    pub norm: f64,
    pub loss: f64,
    /// None for regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grades: Option<Grades>,
}

/// Two of the networks and the paths between them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Indices of the ends.
    pub a: usize,
    pub b: usize,
    /// |a - b|
    pub distance: f64,
    /// <a, b> / (|a| |b|)
    pub cosine: f64,
    pub matched: Vec<Matched>,
    /// The straight line as they are, then after each matching, then the curve, if there is one.
    pub walks: Vec<Walk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
}

/// What was found of some networks and all their pairs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Connectivity {
    pub model: String,
    pub parameters: usize,
    /// Such as `cross-entropy`.
    pub loss: String,
    /// The examples, such as `test.safetensors`.
    pub data: String,
    /// Points of the even grid.
    pub points: usize,
    pub ends: Vec<End>,
    pub pairs: Vec<Pair>,
    /// All networks together; none for regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
    /// Why units weren't matched, if they weren't though it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmatched: Option<String>,
    pub circumstances: Circumstances,
}
