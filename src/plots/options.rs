//! How the reader wants to see the panes: state of the view, never of the run.

use serde::{Deserialize, Serialize};

use crate::record::SliceMetric;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LandscapeMetric {
    #[default]
    Loss,
    Accuracy,
    /// 1 - accuracy.
    Error,
    /// What the run's probes measured at some of the points.
    Measured(SliceMetric),
}

impl LandscapeMetric {
    /// In the order of the list.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Loss, Self::Accuracy, Self::Error].into_iter().chain(SliceMetric::ALL.map(Self::Measured))
    }

    /// In the list.
    pub fn label(self) -> &'static str {
        match self {
            Self::Loss => "Loss",
            Self::Accuracy => "Accuracy",
            Self::Error => "Error",
            Self::Measured(metric) => metric.title(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LandscapeView {
    #[default]
    Surface,
    HeatMap,
    /// Curves along the two axes through the centre.
    Profile,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActivationView {
    /// One ridge a layer, at the cursor.
    #[default]
    Ridges,
    /// Histogram over time of one layer.
    Waterfall,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CurvatureView {
    /// Both ends of the spectrum over steps.
    #[default]
    Eigenvalues,
    /// The sum of all eigenvalues over steps.
    Trace,
}

/// What the pane of signal propagation shows of each layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignalStatistic {
    #[default]
    Kurtosis,
    MaxMedian,
    StableRank,
    EffectiveRank,
    MeanTokenDistance,
    DeadUnits,
    Int8Error,
}

impl SignalStatistic {
    /// In the order of the list.
    pub const ALL: [Self; 7] = [
        Self::Kurtosis,
        Self::MaxMedian,
        Self::StableRank,
        Self::EffectiveRank,
        Self::MeanTokenDistance,
        Self::DeadUnits,
        Self::Int8Error,
    ];

    /// In the list.
    pub fn label(self) -> &'static str {
        match self {
            Self::Kurtosis => "Kurtosis",
            Self::MaxMedian => "Max / median",
            Self::StableRank => "Stable rank",
            Self::EffectiveRank => "Effective rank",
            Self::MeanTokenDistance => "Distance to mean token",
            Self::DeadUnits => "Dead units",
            Self::Int8Error => "Int8 error",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PaneOptions {
    pub loss_log: bool,
    pub landscape_view: LandscapeView,
    pub landscape_metric: LandscapeMetric,
    pub landscape_log: bool,
    pub sharpness_log: bool,
    pub activation_view: ActivationView,
    /// Layer of the waterfall: index into the header's layers, clamped.
    pub activation_layer: usize,
    /// Layer of the token x token matrix, likewise; `usize::MAX` is the last.
    pub similarity_layer: usize,
    pub gradients_log: bool,
    pub curvature_view: CurvatureView,
    pub signal_statistic: SignalStatistic,
    /// Where the statistic allows it.
    pub signal_log: bool,
}

impl Default for PaneOptions {
    fn default() -> Self {
        Self {
            loss_log: false,
            landscape_view: LandscapeView::Surface,
            landscape_metric: LandscapeMetric::Loss,
            landscape_log: false,
            sharpness_log: true,
            activation_view: ActivationView::Ridges,
            activation_layer: 0,
            similarity_layer: usize::MAX,
            gradients_log: true,
            curvature_view: CurvatureView::Eigenvalues,
            signal_statistic: SignalStatistic::Kurtosis,
            signal_log: true,
        }
    }
}
