//! What one measurement yields.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::spectrum::Spectrum;

/// Name of a series within a track, such as `train_loss` or `activations/block 2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesId(Cow<'static, str>);

impl SeriesId {
    pub const fn from_static(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    pub fn owned(name: impl Into<String>) -> Self {
        Self(Cow::Owned(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One run inside a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrackId(pub u32);

/// How an estimate was come by; views print it small, in the corner.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Circumstances {
    /// Number of training examples the measurement used.
    pub examples: usize,
    /// `f32` or `f64`.
    pub dtype: String,
    /// How it was computed, such as `Lanczos on exact Hessian-vector products`.
    pub method: String,
    /// Wall-clock seconds of computing, without waiting for the budget.
    pub seconds: f64,
}

/// What [`Circumstances::method`] begins with if the network has batch normalisation.
const BATCH_NORM: &str = "BN ";

impl Circumstances {
    /// `method`, after whose statistics batch normalisation used, such as `BN frozen, forward passes`: it changes what is measured,
    /// so it stands where a note is cut last.
    pub fn method_with(statistics: Option<&str>, method: &str) -> String {
        match statistics {
            Some(statistics) => format!("{BATCH_NORM}{statistics}, {method}"),
            None => method.to_owned(),
        }
    }

    /// Whose statistics batch normalisation used, such as `BN frozen`; none for networks without.
    pub fn statistics(&self) -> Option<&str> {
        self.method.split(", ").next().filter(|first| first.starts_with(BATCH_NORM))
    }
}

/// A number that an iteration approached, with how far it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub value: f64,
    /// |Hv - value v| with |v| = 1, in the unit of `value`: some eigenvalue lies within it.
    pub residual: f64,
    pub converged: bool,
    /// Number of matrix-vector products spent.
    pub products: usize,
    pub circumstances: Arc<Circumstances>,
}

/// Row-major `[rows, columns]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub values: Vec<f32>,
}

/// A histogram on equal bins, with what fell outside and what wasn't a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Density {
    pub low: f32,
    pub high: f32,
    /// Number of values in each of the equal bins of `[low, high]`.
    pub counts: Vec<u32>,
    pub below: u32,
    pub above: u32,
    pub not_finite: u32,
    pub mean: f32,
    pub std: f32,
    /// Share of values that are exactly zero (dead or gated units).
    pub zero_share: f32,
}

/// A point of the training path, projected onto the plane of a [`Surface`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathPoint {
    pub step: u64,
    /// Coordinates along the two directions, in the units of [`Surface::radius`].
    pub a: f32,
    pub b: f32,
    /// Training loss of that step's minibatch (not of the point in the plane).
    pub loss: f32,
}

/// Loss and accuracy on the square grid `a, b in [-radius, radius]` of `w + a d + b e`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surface {
    /// Points a side: 9, 17, 33, 41 or 65. The centre is a grid point.
    pub n: usize,
    pub radius: f32,
    /// Row-major `[n, n]`; row `j` has `b = radius (2j/(n-1) - 1)`, column `i` likewise `a`.
    pub loss: Vec<f32>,
    /// As `loss`; empty for tasks without classes.
    pub accuracy: Vec<f32>,
    /// Whether a point has been computed (a coarser grid shows before a finer is complete).
    pub valid: Vec<bool>,
    /// Where training came from, oldest first; the last point is the centre. Planes through several networks have a path each, with
    /// a point that isn't finite between them.
    pub path: Vec<PathPoint>,
    /// Share of the squared distance travelled (over `path`) that lies in the plane, in [0, 1].
    pub path_share: f32,
    /// How the directions were made, such as `two random directions, filter-normalised`.
    pub directions: String,
    /// What the axes are, such as `PC 1 (61 %)`; empty in recordings that are older.
    #[serde(default)]
    pub axes: [String; 2],
    pub circumstances: Arc<Circumstances>,
}

impl Surface {
    /// What axis 0 or 1 is called.
    pub fn axis(&self, index: usize) -> String {
        if self.axes[index].is_empty() { format!("direction {}", index + 1) } else { self.axes[index].clone() }
    }

    /// Coordinate of grid line `i` in `[-radius, radius]`.
    pub fn coordinate(&self, i: usize) -> f32 {
        self.radius * (2.0 * i as f32 / (self.n.max(2) - 1) as f32 - 1.0)
    }

    /// Loss at the centre: at the parameters themselves.
    pub fn centre_loss(&self) -> Option<f32> {
        let centre = self.n / 2 * self.n + self.n / 2;
        (*self.valid.get(centre)?).then(|| self.loss[centre])
    }
}

/// What a probe measured at one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reading {
    Scalar(f64),
    Estimate(Estimate),
    Vector(Vec<f32>),
    Matrix(Arc<Matrix>),
    Density(Arc<Density>),
    Surface(Arc<Surface>),
    Spectrum(Arc<Spectrum>),
}

/// The readings of a track at a step. Several snapshots may carry the same step: a later reading of a
/// series at a step replaces the earlier (a slice that was refined).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub track: TrackId,
    pub step: u64,
    pub readings: Vec<(SeriesId, Reading)>,
}

impl Snapshot {
    pub fn scalar(&self, id: &SeriesId) -> Option<f64> {
        self.readings.iter().find(|(name, _)| name == id).and_then(|(_, reading)| match reading {
            Reading::Scalar(value) => Some(*value),
            Reading::Estimate(estimate) => Some(estimate.value),
            _ => None,
        })
    }
}
