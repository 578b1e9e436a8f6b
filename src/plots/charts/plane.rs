//! A loss surface and a path over it.

use crate::plots::{Colormap, FieldPlot, Plot, contour, ranges, words};
use crate::record::{Reading, Surface};

use super::Shown;

/// Iso-lines drawn.
const LEVELS: usize = 12;

pub fn plot(shown: &Shown<'_>, series: &str) -> Plot {
    let found = shown.tracks.iter().find_map(|(track, _)| match track.heavy(series)?.latest_at(shown.at)? {
        (step, Reading::Surface(surface)) => Some((*track, step, surface)),
        _ => None,
    });
    let Some((track, step, surface)) = found else { return shown.empty() };
    let mut plot = field(surface);
    plot.title.clone_from(&shown.title);
    if !track.label.is_empty() {
        plot.title = format!("{}: {}", plot.title, track.label);
    }
    plot.notes.extend(shown.panel.notes.iter().cloned());
    plot.notes.extend(shown.at_note(step));
    Plot::Field(plot)
}

fn field(surface: &Surface) -> FieldPlot {
    let shown = surface.loss.iter().zip(&surface.valid).map(|(&loss, &valid)| if valid { loss } else { f32::NAN });
    let values: Vec<f32> = shown.collect();
    let log = values.iter().all(|v| !v.is_finite() || *v > 0.0);
    let fitted = ranges::without_high_outliers(&values, log);
    let range = fitted.map_or([0.0, 1.0], |fitted| fitted.range);
    let radius = f64::from(surface.radius);
    let spacing = 2.0 * radius / (surface.n.max(2) - 1) as f64;
    let place = |[i, j]: [f64; 2]| [spacing * i - radius, spacing * j - radius];
    let mut contours = Vec::new();
    for level in ranges::levels(range, log, LEVELS) {
        for line in contour::contour(&values, surface.n, surface.n, level) {
            contours.push((level, line.into_iter().map(place).collect()));
        }
    }
    // Cells are centred on the grid's points.
    let edges = [-radius - spacing / 2.0, radius + spacing / 2.0];
    FieldPlot {
        x_label: surface.axis(0),
        y_label: surface.axis(1),
        value_label: "training loss".into(),
        columns: surface.n,
        rows: surface.n,
        values,
        value_range: range,
        log,
        colormap: Colormap::Viridis,
        x_range: edges,
        y_range: edges,
        contours,
        path: surface.path.iter().map(|point| [f64::from(point.a), f64::from(point.b)]).collect(),
        square: true,
        notes: vec![surface.directions.clone(), words::circumstances(&surface.circumstances)],
        ..FieldPlot::default()
    }
}
