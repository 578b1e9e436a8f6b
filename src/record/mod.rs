//! The waist of the program: what was measured, as plain data.
//!
//! Below this room numbers are produced; above it they are shown. Neither side knows the other.
//! There is no tensor, no widget and no thread in here.

mod branches;
pub mod chart;
mod checkpoint;
pub mod comparison;
pub mod connectivity;
pub mod coord_check;
pub mod cursor;
pub mod example;
pub mod file;
pub mod memory;
pub mod names;
mod param_role;
pub mod playback;
pub mod reading;
pub mod recording;
pub mod series;
pub mod slice_metric;
pub mod spectrum;
pub mod step_window;
pub mod tables;

pub use branches::{Fingerprint, Fork};
pub use checkpoint::{Checkpoint, CheckpointInfo};
pub use connectivity::Connectivity;
pub use coord_check::{CoordCheck, Finding, Statistic, Verdict};
pub use cursor::{TimeCommand, TimeCursor};
pub use memory::MemoryUse;
pub use param_role::{ParamPart, ParamRole};
pub use playback::Playback;
pub use reading::{Circumstances, Density, Estimate, Matrix, PathPoint, Reading, SeriesId, Snapshot, Surface, TrackId};
pub use recording::{
    Divergence, Header, Intervention, LabHeader, LayerInfo, Note, Outcome, Recording, TokenKind, Track, TrackInfo,
};
pub use series::{Average, Column, HeavySeries, SMOOTHING, ScalarSeries, Series, VectorSeries};
pub use slice_metric::{SliceExtent, SliceMetric};
pub use spectrum::{Eigenvalue, Spectrum};
pub use step_window::{StepWindow, WindowCommand};
