//! Series of a recording as lines of a [`LinePlot`].

use crate::record::{Recording, ScalarSeries, TimeCursor};

use super::lines::{Line, LineColor, LinePlot, LineStyle};
use super::words;

/// Parts that a curve is thinned to: more than a picture's columns show nothing more.
pub const COLUMNS: usize = 300;

/// A plot over all steps of the recording with its cursor and marks, without lines yet.
pub fn over_steps(recording: &Recording, cursor: TimeCursor, title: &str, y_label: &str) -> LinePlot {
    let newest = recording.newest_step();
    LinePlot {
        title: title.into(),
        x_label: "step".into(),
        y_label: y_label.into(),
        x_max: newest as f64,
        cursor: (!cursor.is_following()).then(|| cursor.step(newest) as f64),
        marks: recording
            .interventions_of(recording.focus())
            .map(|mark| (mark.step as f64, words::intervention(mark)))
            .collect(),
        ..LinePlot::default()
    }
}

impl LinePlot {
    /// Adds the values of a series as they are: the extremes of each part where there are many.
    pub(super) fn add_raw(&mut self, series: &ScalarSeries, label: &str, style: LineStyle, color: usize, at: u64) {
        self.add(label, series.decimated(0, u64::MAX, COLUMNS), style, color);
        self.add_value(label, series.latest_at(at).map(|(_, value)| value));
    }

    /// Adds the moving average of a series.
    pub(super) fn add_smoothed(&mut self, series: &ScalarSeries, label: &str, color: usize, at: u64) {
        self.add(label, series.decimated_smoothed(0, u64::MAX, 2 * COLUMNS), LineStyle::Solid, color);
        self.add_value(label, series.index_at(at).map(|i| series.smoothed()[i]));
    }

    pub(super) fn add(&mut self, label: &str, points: Vec<[f64; 2]>, style: LineStyle, color: impl Into<LineColor>) {
        self.lines.push(Line { label: label.into(), points, style, color: color.into() });
    }

    pub(super) fn add_value(&mut self, label: &str, value: Option<f64>) {
        self.at_cursor.extend(value.map(|value| (label.to_owned(), value)));
    }
}
