//! Heat maps and surfaces of several tracks: beside one another, with one scale of values, and their difference.

use crate::plots::{Colormap, FieldPlot, Plot, SurfacePlot};

use super::curves::left_out;
use super::looks::Look;

/// The pictures with one scale, and after them the first less the second, where both are on one grid.
pub fn side_by_side(pictures: Vec<(&Look, &Plot)>) -> Vec<Plot> {
    let (known, empty): (Vec<_>, Vec<_>) =
        pictures.into_iter().partition(|(_, plot)| matches!(plot, Plot::Field(_) | Plot::Surface(_)));
    let mut plots: Vec<Plot> = known.iter().map(|(look, plot)| titled((*plot).clone(), &look.name)).collect();
    share_scale(&mut plots);
    let missing: Vec<&Look> = empty.into_iter().map(|(look, _)| look).collect();
    if let (Some(note), Some(notes)) = (left_out(&missing), plots.first_mut().and_then(notes_of)) {
        notes.push(note);
    }
    if let [(a, _), (b, _), ..] = known[..] {
        plots.extend(difference(&plots[0], &plots[1], &a.name, &b.name));
    }
    plots
}

fn titled(mut plot: Plot, name: &str) -> Plot {
    match &mut plot {
        Plot::Field(plot) => plot.title = format!("{name}: {}", plot.title),
        Plot::Surface(plot) => plot.title = format!("{name}: {}", plot.title),
        _ => {}
    }
    plot
}

fn notes_of(plot: &mut Plot) -> Option<&mut Vec<String>> {
    match plot {
        Plot::Field(plot) => Some(&mut plot.notes),
        Plot::Surface(plot) => Some(&mut plot.notes),
        _ => None,
    }
}

/// Colours mean the same in all of them: from the least to the largest value that any of them shows. Where one map is signed,
/// all are, and zero stays in the middle.
fn share_scale(plots: &mut [Plot]) {
    let scale = |plot: &Plot| match plot {
        Plot::Field(plot) => Some((plot.value_range, plot.log, plot.colormap)),
        Plot::Surface(plot) => Some((plot.value_range, plot.log, plot.colormap)),
        _ => None,
    };
    let scales: Vec<_> = plots.iter().filter_map(scale).collect();
    let log = scales.iter().all(|(_, log, _)| *log);
    let ranges = scales.iter().map(|(range, ..)| *range);
    let Some(mut shared) = ranges.reduce(|[a, b], [c, d]| [a.min(c), b.max(d)]) else { return };
    let signed = scales.iter().any(|(.., colormap)| *colormap == Colormap::Diverging);
    if signed {
        let far = shared[1].max(-shared[0]);
        shared = [-far, far];
    }
    for plot in plots {
        match plot {
            Plot::Field(plot) => {
                (plot.value_range, plot.log) = (shared, log);
                if signed {
                    plot.colormap = Colormap::Diverging;
                }
            }
            Plot::Surface(plot) => {
                (plot.value_range, plot.log) = (shared, log);
                if signed {
                    plot.colormap = Colormap::Diverging;
                }
            }
            _ => {}
        }
    }
}

/// `a - b`, cell by cell, as a heat map whose colours are centred on zero; none if the grids differ.
fn difference(a: &Plot, b: &Plot, name_a: &str, name_b: &str) -> Option<Plot> {
    let (a, b) = (flat(a)?, flat(b)?);
    let alike = (a.columns, a.rows) == (b.columns, b.rows)
        && close(a.x_range, b.x_range)
        && close(a.y_range, b.y_range)
        && a.row_labels == b.row_labels
        && a.column_labels == b.column_labels;
    if !alike {
        return None;
    }
    let values: Vec<f32> = a.values.iter().zip(&b.values).map(|(a, b)| a - b).collect();
    let far = values.iter().copied().filter(|v| v.is_finite()).fold(0.0, |far: f32, v| far.max(v.abs()));
    let far = if far > 0.0 { far } else { 1.0 };
    let notes = if values.iter().any(|v| v.is_finite() && *v != 0.0) {
        vec![format!("{name_a} less {name_b}: red where {name_a} is larger")]
    } else {
        vec![format!("{name_a} and {name_b} are equal everywhere")]
    };
    Some(Plot::Field(FieldPlot {
        title: format!("Difference: {name_a} \u{2212} {name_b}"),
        value_label: format!("difference of {}", a.value_label),
        values,
        value_range: [-far, far],
        log: false,
        colormap: Colormap::Diverging,
        contours: Vec::new(),
        path: Vec::new(),
        crossed: Vec::new(),
        notes,
        ..a
    }))
}

/// A picture as a heat map.
fn flat(plot: &Plot) -> Option<FieldPlot> {
    match plot {
        Plot::Field(plot) => Some(plot.clone()),
        Plot::Surface(plot) => Some(of_surface(plot)),
        _ => None,
    }
}

fn of_surface(plot: &SurfacePlot) -> FieldPlot {
    // Cells about the grid's points.
    let half = f64::from(plot.radius) / (plot.n.max(2) - 1) as f64;
    let edge = f64::from(plot.radius) + half;
    FieldPlot {
        title: plot.title.clone(),
        x_label: plot.x_label.clone(),
        y_label: plot.y_label.clone(),
        value_label: plot.value_label.clone(),
        columns: plot.n,
        rows: plot.n,
        values: plot.values.clone(),
        x_range: [-edge, edge],
        y_range: [-edge, edge],
        square: true,
        ..FieldPlot::default()
    }
}

fn close(a: [f64; 2], b: [f64; 2]) -> bool {
    let span = (a[1] - a[0]).abs().max(f64::MIN_POSITIVE);
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-6 * span)
}
