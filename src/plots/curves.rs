//! Series of a recording as lines of a [`LinePlot`].

use crate::record::{Column, Recording, ScalarSeries, StepWindow, TimeCursor};

use super::lines::{Line, LineColor, LinePlot, LineStyle};
use super::words;

/// Parts that a curve is thinned to: more than a picture's columns show nothing more.
pub const COLUMNS: usize = 300;

/// A plot over the steps of the recording that are shown, with its cursor and marks, without lines yet.
pub fn over_steps(
    recording: &Recording,
    cursor: TimeCursor,
    window: StepWindow,
    title: &str,
    y_label: &str,
) -> LinePlot {
    let newest = recording.newest_step();
    let shown = window.range(cursor.step(newest), newest);
    LinePlot {
        title: title.into(),
        x_label: "step".into(),
        y_label: y_label.into(),
        x_max: newest as f64,
        x_window: shown.map(|range| range.map(|step| step as f64)),
        cursor: (!cursor.is_following()).then(|| cursor.step(newest) as f64),
        marks: recording
            .interventions_of(recording.focus())
            .map(|mark| (mark.step as f64, words::intervention(mark)))
            .collect(),
        ..LinePlot::default()
    }
}

/// Which steps of a series are drawn, in how many parts.
pub(super) struct Detail {
    pub first: u64,
    pub last: u64,
    pub columns: usize,
}

impl Detail {
    /// First and last step, with the nearest that were measured before and after: a line comes from there.
    pub fn reach(&self, steps: &Column<u64>) -> (u64, u64) {
        let from = steps.partition_point(|step| *step < self.first).checked_sub(1);
        let to = steps.partition_point(|step| *step <= self.last);
        (from.map_or(self.first, |i| steps[i]), steps.get(to).map_or(self.last, |step| *step))
    }
}

impl LinePlot {
    /// All steps; of a window, its own and as many before and after, from where curves come and go.
    pub(super) fn detail(&self) -> Detail {
        match self.x_window {
            None => Detail { first: 0, last: u64::MAX, columns: COLUMNS },
            Some([from, to]) => {
                let around = to - from;
                let (first, last) = ((from - around).max(0.0) as u64, (to + around) as u64);
                Detail { first, last, columns: 3 * COLUMNS }
            }
        }
    }

    /// Adds the values of a series as they are: the extremes of each part where there are many.
    pub(super) fn add_raw(&mut self, series: &ScalarSeries, label: &str, style: LineStyle, color: usize, at: u64) {
        let (detail, columns) = (self.detail(), self.detail().columns);
        let (first, last) = detail.reach(series.steps());
        self.add(label, series.decimated(first, last, columns), style, color);
        self.add_value(label, series.latest_at(at).map(|(_, value)| value));
    }

    /// Adds the moving average of a series.
    pub(super) fn add_smoothed(&mut self, series: &ScalarSeries, label: &str, color: usize, at: u64) {
        let (detail, columns) = (self.detail(), self.detail().columns);
        let (first, last) = detail.reach(series.steps());
        self.add(label, series.decimated_smoothed(first, last, 2 * columns), LineStyle::Solid, color);
        self.add_value(label, series.index_at(at).map(|i| series.smoothed()[i]));
    }

    pub(super) fn add(&mut self, label: &str, points: Vec<[f64; 2]>, style: LineStyle, color: impl Into<LineColor>) {
        self.lines.push(Line { label: label.into(), points, style, color: color.into() });
    }

    pub(super) fn add_value(&mut self, label: &str, value: Option<f64>) {
        self.at_cursor.extend(value.map(|value| (label.to_owned(), value)));
    }
}
