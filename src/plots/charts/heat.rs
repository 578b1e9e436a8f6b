//! Matrices at the cursor, and vectors over steps, as heat maps.

use crate::base::statistics::finite_range;
use crate::plots::{Colormap, FieldPlot, Plot, words};
use crate::record::Reading;
use crate::record::chart::{Heat, HeatColors};

use super::Shown;

const COLUMNS: usize = 300;

/// Title, labels, colours and range of a heat map of `values`.
pub fn field(shown: &Shown<'_>, heat: &Heat, columns: usize, rows: usize, values: Vec<f32>) -> FieldPlot {
    let usable = values.iter().copied().filter(|v| !heat.value.log || *v > 0.0);
    let found = finite_range(usable).unwrap_or([0.0, 1.0]);
    FieldPlot {
        title: shown.title.clone(),
        x_label: heat.x_label.clone(),
        y_label: heat.y_label.clone(),
        value_label: heat.value.label.clone(),
        columns,
        rows,
        values,
        value_range: heat.value.range.map_or(found, |range| range.map(|v| v as f32)),
        log: heat.value.log,
        colormap: colormap(heat.colors),
        notes: shown.panel.notes.clone(),
        ..FieldPlot::default()
    }
}

fn colormap(colors: HeatColors) -> Colormap {
    match colors {
        HeatColors::Viridis => Colormap::Viridis,
        HeatColors::Cividis => Colormap::Cividis,
        HeatColors::Magma => Colormap::Magma,
        HeatColors::Diverging => Colormap::Diverging,
    }
}

pub fn matrix(shown: &Shown<'_>, series: &str, heat: &Heat, square: bool) -> Plot {
    let found = shown.tracks.iter().find_map(|(track, _)| match track.heavy(series)?.latest_at(shown.at)? {
        (step, Reading::Matrix(matrix)) => Some((*track, step, matrix)),
        _ => None,
    });
    let Some((track, step, matrix)) = found else { return shown.empty() };
    let mut plot = field(shown, heat, matrix.columns, matrix.rows, matrix.values.clone());
    // Cells are centred on their numbers.
    let edges = |n: usize| [-0.5, n as f64 - 0.5];
    (plot.x_range, plot.y_range, plot.square) = (edges(matrix.columns), edges(matrix.rows), square);
    if !track.label.is_empty() {
        plot.title = format!("{}: {}", plot.title, track.label);
    }
    plot.notes.extend(shown.at_note(step));
    Plot::Field(plot)
}

pub fn over_steps(shown: &Shown<'_>, series: &str, heat: &Heat) -> Plot {
    let found = shown.tracks.iter().find_map(|(track, _)| Some((*track, track.vector(series)?)));
    let Some((track, series)) = found.filter(|(_, series)| !series.is_empty()) else { return shown.empty() };
    let last = series.steps().last().copied().unwrap_or(0);
    let (columns, rows) = ((last as usize + 1).clamp(1, COLUMNS), series.width());
    let mut values = vec![f32::NAN; columns * rows];
    for column in 0..columns {
        let end = (u128::from(last + 1) * (column as u128 + 1) / columns as u128).saturating_sub(1) as u64;
        for (entry, &value) in series.latest_at(end).map_or(&[][..], |(_, row)| row).iter().enumerate() {
            // The first entry on top.
            values[(rows - 1 - entry) * columns + column] = value;
        }
    }
    let mut plot = field(shown, heat, columns, rows, values);
    plot.x_range = [-0.5, last as f64 + 0.5];
    plot.y_range = [0.0, rows as f64];
    plot.row_labels = (0..rows).rev().map(|row| row.to_string()).collect();
    plot.cursor = (!shown.cursor.is_following() && shown.at <= last).then_some(shown.at as f64);
    if !track.label.is_empty() && shown.tracks.len() > 1 {
        plot.notes.push(words::number(shown.tracks.len() as f64) + " tracks; the first is shown");
    }
    Plot::Field(plot)
}
