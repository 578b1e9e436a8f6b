//! Histograms at the cursor, as densities.

use crate::plots::Plot;
use crate::plots::lines::LineStyle;
use crate::record::chart::Axis;
use crate::record::{Density, Reading};

use super::{Shown, numeric_axis};

pub fn plot(shown: &Shown<'_>, series: &str, x: &Axis) -> Plot {
    let y = Axis::linear("density");
    let mut plot = shown.lines(&x.label, &y);
    let mut outside = 0.0_f64;
    for (k, (track, color)) in shown.tracks.iter().enumerate() {
        let Some((_, Reading::Density(density))) = track.heavy(series).and_then(|heavy| heavy.latest_at(shown.at))
        else {
            continue;
        };
        // The first is drawn through, what it is compared with dashed.
        let style = if k == 0 { LineStyle::Solid } else { LineStyle::Dashed };
        plot.add(&track.label, outline(density), style, *color);
        plot.add_value(&track.label, Some(f64::from(density.mean)));
        outside = outside.max(share_outside(density));
    }
    if plot.lines.is_empty() {
        return shown.empty();
    }
    plot.x_axis = numeric_axis(x, plot.lines.iter().flat_map(|line| &line.points).map(|point| point[0]));
    if !plot.at_cursor.is_empty() {
        plot.notes.push("beside the names: means".into());
    }
    if outside > 0.0 {
        plot.notes.push(format!("up to {} of the values lie outside", crate::plots::words::percent(outside)));
    }
    Plot::Lines(plot)
}

/// Corners of the histogram's steps, its area the share of values inside.
fn outline(density: &Density) -> Vec<[f64; 2]> {
    let (low, high) = (f64::from(density.low), f64::from(density.high));
    let width = (high - low) / density.counts.len().max(1) as f64;
    let all = total(density).max(1) as f64;
    let corners = density.counts.iter().enumerate().flat_map(|(i, &count)| {
        let height = f64::from(count) / (all * width);
        [[low + width * i as f64, height], [low + width * (i + 1) as f64, height]]
    });
    std::iter::once([low, 0.0]).chain(corners).chain([[high, 0.0]]).collect()
}

fn total(density: &Density) -> u64 {
    let inside: u64 = density.counts.iter().map(|&count| u64::from(count)).sum();
    inside + u64::from(density.below) + u64::from(density.above) + u64::from(density.not_finite)
}

fn share_outside(density: &Density) -> f64 {
    let outside = u64::from(density.below) + u64::from(density.above) + u64::from(density.not_finite);
    outside as f64 / total(density).max(1) as f64
}
