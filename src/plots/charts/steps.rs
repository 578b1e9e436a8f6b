//! Scalars over steps.

use crate::plots::Plot;
use crate::plots::curves::COLUMNS;
use crate::plots::words;
use crate::record::chart::{Axis, SeriesLine};

use super::{Shown, style};

pub fn plot(shown: &Shown<'_>, lines: &[SeriesLine], x_label: &str, y: &Axis) -> Plot {
    let mut plot = shown.lines(x_label, y);
    for (track, color) in &shown.tracks {
        for (k, line) in lines.iter().enumerate() {
            let Some(series) = track.scalar(&line.series).filter(|series| !series.is_empty()) else { continue };
            let label = shown.label(track, line);
            plot.add(&label, series.decimated(0, u64::MAX, COLUMNS), style(line.stroke), shown.color(*color, lines, k));
            plot.add_value(&label, series.latest_at(shown.at).map(|(_, value)| value));
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
