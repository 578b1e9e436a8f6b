//! WHAT to draw, as plain data: a recording and a cursor become lines, fields, surfaces and ridges.
//!
//! The window and the figures draw the same [`Plot`], so screen and paper can't disagree.

mod by_role;
pub mod charts;
pub mod colormap;
pub mod compare;
pub mod contour;
mod csv_text;
pub mod curves;
pub mod field;
pub mod growing;
mod json_text;
pub mod lines;
pub mod options;
pub mod pane;
pub mod panes;
pub mod ranges;
pub mod rebin;
pub mod ridges;
pub mod shared_switches;
pub mod smoothing;
pub mod steady;
pub mod surface;
pub mod switches;
pub mod ticks;
pub mod words;

pub use compare::Comparing;
pub use field::{Colormap, FieldPlot};
pub use lines::{Band, Bundle, Line, LineColor, LineKey, LinePlot, LineStyle, XAxis};
pub use options::{
    ActivationView, CurvatureView, CurveView, EntropyView, GradientView, LandscapeMetric, LandscapeView, PaneOptions,
    SignalStatistic,
};
pub use pane::{Pane, PaneId};
pub use ridges::{OverRidge, Ridge, RidgePlot};
pub use smoothing::Smoothing;
pub use surface::SurfacePlot;

/// One picture.
#[derive(Clone, Debug, PartialEq)]
pub enum Plot {
    Lines(LinePlot),
    Field(FieldPlot),
    Surface(SurfacePlot),
    Ridges(RidgePlot),
    /// Nothing to draw yet, and why, in words for the user.
    Empty {
        title: String,
        reason: String,
    },
}

impl Plot {
    pub fn title(&self) -> &str {
        match self {
            Self::Lines(plot) => &plot.title,
            Self::Field(plot) => &plot.title,
            Self::Surface(plot) => &plot.title,
            Self::Ridges(plot) => &plot.title,
            Self::Empty { title, .. } => title,
        }
    }

    /// The plotted numbers as CSV with a header line; comments start with `#`.
    pub fn to_csv(&self) -> String {
        match self {
            Self::Lines(plot) => plot.to_csv(),
            Self::Field(plot) => plot.to_csv(),
            Self::Surface(plot) => plot.to_csv(),
            Self::Ridges(plot) => plot.to_csv(),
            Self::Empty { title, reason } => csv_text::head(title, std::slice::from_ref(reason), &[]),
        }
    }

    /// The plotted numbers of plots that stand side by side, as a JSON array with an object a plot: see `docs/FIGURES.md`.
    pub fn to_json(plots: &[Self]) -> String {
        json_text::of(plots)
    }
}
