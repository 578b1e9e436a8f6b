//! Quantiles over steps as bands about the median.

use crate::plots::Plot;
use crate::plots::lines::{Band, LineColor, LineStyle};
use crate::record::chart::Axis;
use crate::record::{Track, VectorSeries};

use super::Shown;

/// The attribute that turns a track's bands into lines, so that two tracks can be compared, and its value.
const AS_LINES: (&str, &str) = ("fan", "lines");
/// Columns that a fan is thinned to.
const COLUMNS: usize = 400;

pub fn plot(shown: &Shown<'_>, series: &str, x_label: &str, y: &Axis) -> Plot {
    let mut plot = shown.lines(x_label, y);
    for (track, color) in &shown.tracks {
        let Some(rows) = track.vector(series).filter(|rows| !rows.is_empty()) else { continue };
        plot.x_max = plot.x_max.max(rows.steps().last().map_or(0.0, |step| *step as f64));
        let middle = rows.width() / 2;
        if draws_lines(track) {
            // One name for all: they are one thing, and the median speaks for it.
            for k in std::iter::once(middle).chain((0..rows.width()).filter(|&k| k != middle)) {
                plot.add(&track.label, line(rows, k), LineStyle::Dashed, *color);
            }
        } else {
            for k in 0..middle {
                plot.bands.push(band(track, rows, k, *color));
            }
            plot.add(&track.label, line(rows, middle), LineStyle::Solid, *color);
        }
        plot.add_value(&track.label, rows.latest_at(shown.at).map(|(_, row)| f64::from(row[middle])));
    }
    if plot.lines.is_empty() {
        return shown.empty();
    }
    let inside = shown.at as f64 <= plot.x_max;
    plot.cursor = (!shown.cursor.is_following() && inside).then_some(shown.at as f64);
    Plot::Lines(plot)
}

fn draws_lines(track: &Track) -> bool {
    track.attributes.get(AS_LINES.0).is_some_and(|value| value == AS_LINES.1)
}

fn chosen(rows: &VectorSeries) -> impl Iterator<Item = usize> {
    let (count, stride) = (rows.len(), rows.len().div_ceil(COLUMNS).max(1));
    // The last is always there.
    (0..count).filter(move |i| i.is_multiple_of(stride) || i + 1 == count)
}

fn line(rows: &VectorSeries, k: usize) -> Vec<[f64; 2]> {
    chosen(rows).map(|i| [rows.steps()[i] as f64, f64::from(rows.row(i)[k])]).collect()
}

/// Between the `k`th quantile from below and from above.
fn band(track: &Track, rows: &VectorSeries, k: usize, color: LineColor) -> Band {
    let last = rows.width() - 1;
    let point = |i: usize| [rows.steps()[i] as f64, f64::from(rows.row(i)[k]), f64::from(rows.row(i)[last - k])];
    Band {
        label: format!("{}, quantiles {} and {} of {}", track.label, k + 1, last - k + 1, last + 1),
        points: chosen(rows).map(point).collect(),
        color,
        strength: 0.16,
    }
}
