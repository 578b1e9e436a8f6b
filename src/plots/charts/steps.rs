//! Scalars over steps.

use crate::plots::Plot;
use crate::plots::words;
use crate::record::chart::{Axis, SeriesLine, Stroke};

use super::{Shown, style};

/// Whether what is along the axis are updates of a training.
pub fn is_smoothable(x_label: &str) -> bool {
    x_label.starts_with("step")
}

pub fn plot(shown: &Shown<'_>, lines: &[SeriesLine], x_label: &str, y: &Axis) -> Plot {
    let mut plot = shown.lines(x_label, y);
    // What runs over layers is no noise.
    if is_smoothable(x_label) {
        plot.smoothing = shown.smoothing;
    }
    for (track, color) in &shown.tracks {
        for (k, line) in lines.iter().enumerate() {
            let Some(series) = track.scalar(&line.series).filter(|series| !series.is_empty()) else { continue };
            let label = shown.label(track, line);
            let color = shown.color(*color, lines, k);
            match line.stroke {
                Stroke::Solid | Stroke::Marked => plot.add_series(series, &label, style(line.stroke), color, shown.at),
                // A theory's, or noise that the lab has smoothed itself.
                Stroke::Dashed | Stroke::Faint => plot.add_raw(series, &label, style(line.stroke), color, shown.at),
            }
            plot.x_max = plot.x_max.max(series.steps().last().map_or(0.0, |step| *step as f64));
        }
    }
    if plot.lines.is_empty() {
        return shown.empty();
    }
    let inside = shown.at as f64 <= plot.x_max;
    plot.cursor = (!shown.cursor.is_following() && inside).then_some(shown.at as f64);
    plot.marks =
        shown.recording.interventions.iter().map(|mark| (mark.step as f64, words::intervention(mark))).collect();
    Plot::Lines(plot)
}
