//! Series of a recording as lines of a [`LinePlot`].

use crate::record::{Average, Column, Recording, ScalarSeries, TimeCursor, VectorSeries};

use super::lines::{Line, LineColor, LinePlot, LineStyle};
use super::{CurveView, Smoothing, words};

/// Parts that a curve is thinned to: more than a picture's columns show nothing more.
pub const COLUMNS: usize = 300;

/// A plot over the steps of the recording that are shown, with its cursor and marks, without lines yet.
pub fn over_steps(recording: &Recording, cursor: TimeCursor, view: CurveView, title: &str, y_label: &str) -> LinePlot {
    let newest = recording.newest_step();
    let shown = view.window.range(cursor.step(newest), newest);
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
        smoothing: view.smoothing,
        ..LinePlot::default()
    }
}

/// Parts that rows are averaged over: finer than any picture.
const FINE: usize = 4_096;

/// A smoothed curve has no measurements to mark.
fn smooth(style: LineStyle) -> LineStyle {
    if style == LineStyle::Marked { LineStyle::Solid } else { style }
}

/// Of the finite values; NaN where there is none.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) =
        values.filter(|value| value.is_finite()).fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}

/// The mean of some columns in equal parts of the rows, and the most rows behind one.
fn means(series: &VectorSeries, columns: &[usize], (first, last): (u64, u64), parts: usize) -> (Vec<[f64; 2]>, usize) {
    let curves: Vec<_> = columns.iter().map(|column| series.decimated(*column, first, last, parts)).collect();
    let Some((points, rows)) = curves.first() else { return (Vec::new(), 1) };
    let value = |i: usize| mean(curves.iter().filter_map(|(points, _)| points.get(i)).map(|point| point[1]));
    (points.iter().enumerate().map(|(i, point)| [point[0], value(i)]).collect(), *rows)
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

    /// Adds a series: smoothed as the reader wants it, with what was measured behind it.
    pub(super) fn add_series(
        &mut self,
        series: &ScalarSeries,
        label: &str,
        style: LineStyle,
        color: impl Into<LineColor> + Copy,
        at: u64,
    ) {
        let Some(half_life) = self.smoothing.half_life() else {
            self.add_raw(series, label, style, color, at);
            return;
        };
        let detail = self.detail();
        let (points, value) = series.averaged(half_life, detail.reach(series.steps()), 2 * detail.columns, at);
        self.add(label, points, smooth(style), color);
        self.add_value(label, value);
        self.add_behind(label, series, color, at);
        self.note_smoothing();
    }

    /// The values of a series behind its average.
    fn add_behind(&mut self, label: &str, series: &ScalarSeries, color: impl Into<LineColor>, at: u64) {
        let detail = self.detail();
        let (first, last) = detail.reach(series.steps());
        self.add(label, series.decimated(first, last, detail.columns), LineStyle::Faint, color);
        self.raw_at_cursor.extend(series.latest_at(at).map(|(_, value)| (label.to_owned(), value)));
    }

    /// Adds the mean of some columns of a series of rows: where there are many rows the mean of each part, smoothed as the reader
    /// wants it. The most measurements behind a point.
    pub(super) fn add_rows(
        &mut self,
        series: &VectorSeries,
        columns: &[usize],
        label: &str,
        (style, color): (LineStyle, usize),
        at: u64,
    ) -> usize {
        let detail = self.detail();
        let (first, last) = detail.reach(series.steps());
        let (points, rows) = means(series, columns, (first, last), detail.columns);
        let row = series.latest_at(at).map(|(_, row)| row);
        let value = row.map(|row| mean(columns.iter().filter_map(|c| row.get(*c)).map(|v| f64::from(*v))));
        let Some(half_life) = self.smoothing.half_life() else {
            self.add(label, points, style, color);
            self.add_value(label, value);
            return rows;
        };
        // From the beginning, so that the average at a step is the same whatever is shown; finer than a picture, so that
        // it is the same as of all rows.
        let (fine, _) = means(series, columns, (0, last.max(at)), FINE);
        let mut average = Average::new(half_life);
        let smoothed: Vec<_> = fine.iter().map(|[step, value]| [*step, average.after(*step, *value, 1.0)]).collect();
        let here = smoothed.partition_point(|[step, _]| *step <= at as f64).checked_sub(1);
        self.add_value(label, here.map(|i| smoothed[i][1]));
        let shown = || smoothed.iter().filter(|[step, _]| (first as f64..=last as f64).contains(step));
        let (count, stride) = (shown().count(), shown().count().div_ceil(2 * detail.columns).max(1));
        let thinned = shown().enumerate().filter(|(i, _)| i.is_multiple_of(stride) || i + 1 == count);
        self.add(label, thinned.map(|(_, point)| *point).collect(), smooth(style), color);
        self.add(label, points, LineStyle::Faint, color);
        self.raw_at_cursor.extend(value.map(|value| (label.to_owned(), value)));
        self.note_smoothing();
        rows
    }

    fn note_smoothing(&mut self) {
        if let Some(note) = self.smoothing.half_life().map(Smoothing::note)
            && !self.notes.contains(&note)
        {
            self.notes.push(note);
        }
    }

    /// Adds the values of a series as they are: the extremes of each part where there are many.
    pub(super) fn add_raw(
        &mut self,
        series: &ScalarSeries,
        label: &str,
        style: LineStyle,
        color: impl Into<LineColor>,
        at: u64,
    ) {
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
