//! Vectors at the cursor, against another vector or their index.

use crate::plots::Plot;
use crate::plots::lines::XAxis;
use crate::record::chart::{Axis, SeriesLine};

use super::{Shown, numeric_axis, style};

pub fn plot(shown: &Shown<'_>, lines: &[SeriesLine], x_series: Option<&str>, x: &Axis, y: &Axis) -> Plot {
    let mut plot = shown.lines(&x.label, y);
    let mut oldest = shown.at;
    for (track, color) in &shown.tracks {
        let places = x_series.map(|name| track.vector(name).and_then(|series| series.latest_at(shown.at)));
        // Its places aren't known (yet).
        if places == Some(None) {
            continue;
        }
        for (k, line) in lines.iter().enumerate() {
            let Some((step, row)) = track.vector(&line.series).and_then(|series| series.latest_at(shown.at)) else {
                continue;
            };
            oldest = oldest.min(step);
            let place = |i: usize| match places {
                Some(Some((_, places))) => places.get(i).map_or(f64::NAN, |x| f64::from(*x)),
                _ => i as f64,
            };
            let points = row.iter().enumerate().map(|(i, y)| [place(i), f64::from(*y)]);
            let points = points.filter(|point| point[0].is_finite()).collect();
            plot.add(&shown.label(track, line), points, style(line.stroke), shown.color(*color, lines, k));
        }
    }
    if plot.lines.is_empty() {
        return shown.empty();
    }
    let xs = plot.lines.iter().flat_map(|line| &line.points).map(|point| point[0]);
    plot.x_axis = match x_series {
        None if !x.log && x.range.is_none() => XAxis::Whole([0, xs.fold(1.0, f64::max) as usize]),
        _ => numeric_axis(x, xs),
    };
    plot.notes.extend(shown.at_note(oldest));
    Plot::Lines(plot)
}
