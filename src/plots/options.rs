//! How the reader wants to see the panes: state of the view, never of the run.

use serde::{Deserialize, Serialize};

use crate::record::{ParamRole, SliceMetric, StepWindow};

use super::Smoothing;
use super::compare::Comparing;

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
    /// What alike inputs and correlated features make of the kurtosis.
    KurtosisTerms,
    InputGram,
    FeatureGram,
    MeanCosine,
    StableRank,
    EffectiveRank,
    MeanTokenDistance,
    DeadUnits,
    /// Of activations.
    Int8Error,
    Int8Weights,
    Int8WeightsByChannel,
}

impl SignalStatistic {
    /// In the order of the list, by what they are about.
    pub const FAMILIES: [(&'static str, &'static [Self]); 5] = [
        ("Outlier features", &[Self::Kurtosis, Self::MaxMedian, Self::KurtosisTerms]),
        ("Likeness", &[Self::MeanCosine, Self::InputGram, Self::FeatureGram]),
        ("Rank", &[Self::StableRank, Self::EffectiveRank, Self::MeanTokenDistance]),
        ("Units", &[Self::DeadUnits]),
        ("Rounding to int8", &[Self::Int8Error, Self::Int8Weights, Self::Int8WeightsByChannel]),
    ];

    /// In the list.
    pub fn label(self) -> &'static str {
        match self {
            Self::Kurtosis => "Kurtosis",
            Self::MaxMedian => "Max / median",
            Self::KurtosisTerms => "Kurtosis from Grams",
            Self::InputGram => "Input Gram",
            Self::FeatureGram => "Feature Gram",
            Self::MeanCosine => "Mean cosine",
            Self::StableRank => "Stable rank",
            Self::EffectiveRank => "Effective rank",
            Self::MeanTokenDistance => "Distance to mean token",
            Self::DeadUnits => "Dead units",
            Self::Int8Error => "Int8 activations",
            Self::Int8Weights => "Int8 weights",
            Self::Int8WeightsByChannel => "Int8 weights, by channel",
        }
    }

    /// Whether it may be zero or negative all over: no logarithms.
    pub fn is_linear(self) -> bool {
        matches!(self, Self::DeadUnits | Self::MeanCosine)
    }
}

/// How the pane of gradients sorts parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GradientView {
    /// A curve a layer, over steps.
    #[default]
    Groups,
    /// A curve a role, over steps; of one role, a curve a layer.
    Roles,
    /// A curve a role, over the layers at the cursor.
    Depth,
}

/// What the pane of attention shows of entropies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntropyView {
    /// A curve a layer, the mean of its heads, over steps.
    #[default]
    Layers,
    /// A curve a head of the chosen layer, over steps.
    Heads,
    /// All heads over the layers at the cursor.
    Depth,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
    pub gradient_view: GradientView,
    /// One role alone.
    pub gradient_role: Option<ParamRole>,
    pub curvature_view: CurvatureView,
    pub signal_statistic: SignalStatistic,
    /// Where the statistic allows it.
    pub signal_log: bool,
    /// Layer of the attention map, the first being 0; clamped.
    pub attention_layer: usize,
    /// Its head, the first being 1; 0 is the mean of all.
    pub attention_head: usize,
    pub entropy_view: EntropyView,
    /// The steps that all curves show.
    pub window: StepWindow,
    /// How all curves over steps are smoothed.
    pub smoothing: Smoothing,
    /// Of recordings with several tracks.
    pub comparing: Comparing,
}

/// How curves over steps are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CurveView {
    pub window: StepWindow,
    pub smoothing: Smoothing,
}

impl PaneOptions {
    pub fn curves(&self) -> CurveView {
        CurveView { window: self.window, smoothing: self.smoothing }
    }
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
            gradient_view: GradientView::Groups,
            gradient_role: None,
            curvature_view: CurvatureView::Eigenvalues,
            signal_statistic: SignalStatistic::Kurtosis,
            signal_log: true,
            attention_layer: 0,
            attention_head: 1,
            entropy_view: EntropyView::Layers,
            window: StepWindow::All,
            smoothing: Smoothing::Usual,
            comparing: Comparing::default(),
        }
    }
}
