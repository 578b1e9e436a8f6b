//! What is shown: as in figure 1 of the paper, the first parametrisation beside the second.

use crate::record::chart::{Axis, Best, Chart, ColorBy, Panel, PanelKind, SeriesLine, Stroke, TrackFilter};
use crate::run::bench::Values;

use super::knobs::{self, is_linear};
use super::row::Row;

pub fn all(values: &Values) -> Vec<Chart> {
    let rows = Row::all(values);
    let (linear, axis) = (is_linear(values), values.choice("axis"));
    let axis = if linear { "width" } else { axis };
    let with_parts = linear || values.toggle("parts");
    let mut charts = vec![sharpness(&rows, axis), loss(&rows, axis)];
    if values.int("sweep-steps") > 0 {
        charts.push(sweep(values, &rows, axis));
    }
    if with_parts {
        charts.push(parts(&rows, axis));
    }
    charts.push(distance(&rows, axis, linear));
    charts.push(consistency(&rows));
    charts.push(exponents(&rows));
    if with_parts && !linear {
        charts.push(kernel(&rows, axis));
        charts.push(eigenvalues(&rows, axis));
    }
    charts
}

fn chart(id: &str, title: &str, guide: &str, stack: u8, panels: Vec<Panel>) -> Chart {
    Chart { id: id.into(), title: title.into(), guide: guide.into(), stack, panels }
}

/// A panel for each row, `title` behind its name.
fn panels(rows: &[Row], title: &str, kinds: &[&str], color: &ColorBy, kind: &PanelKind) -> Vec<Panel> {
    let panel = |row: &Row| Panel {
        title: format!("{}: {title}", row.title()),
        tracks: TrackFilter::is("place", row.place).and("kind", kinds),
        color: color.clone(),
        kind: kind.clone(),
        notes: Vec::new(),
    };
    rows.iter().map(panel).collect()
}

fn by(axis: &str) -> ColorBy {
    ColorBy::Attribute(axis.into())
}

fn sharpness(rows: &[Row], axis: &str) -> Chart {
    let lines = vec![
        SeriesLine::new("sharpness", "", Stroke::Solid),
        SeriesLine::new("limit-sharpness", "", Stroke::Dashed),
        SeriesLine::new("edge", "", Stroke::Dashed),
        SeriesLine::new("network-sharpness", "network", Stroke::Marked),
    ];
    let kind = PanelKind::Steps { lines, x_label: "step".into(), y: Axis::log("γ²λ_max(H)") };
    let guide = "The largest eigenvalue of the Hessian as the updates meet it, times γ², against the step: one line a width, from dark (narrow) to bright (wide). \
                 Gradient descent is unstable above the dashed line 2/η₀. Under muP all widths climb together and stop at the line; under NTK they stay \
                 where they began, the more so the wider they are.";
    chart("sharpness", "Sharpness", guide, 0, panels(rows, "sharpness", &["curve", "limit", "edge"], &by(axis), &kind))
}

fn loss(rows: &[Row], axis: &str) -> Chart {
    let lines = vec![
        SeriesLine::new("loss", "", Stroke::Solid),
        SeriesLine::new("limit-loss", "", Stroke::Dashed),
        SeriesLine::new("network-loss", "network", Stroke::Marked),
    ];
    let kind = PanelKind::Steps { lines, x_label: "step".into(), y: Axis::log("training loss") };
    let guide = "The training loss against the step. Under muP wider networks reach a lower loss: the curves part late, while their sharpness doesn't. \
                 Where the sharpness crosses the edge the loss jumps and falls again.";
    chart("loss", "Loss", guide, 1, panels(rows, "loss", &["curve", "limit"], &by(axis), &kind))
}

fn sweep(values: &Values, rows: &[Row], axis: &str) -> Chart {
    let kind = PanelKind::Summary {
        series: "sweep-loss".into(),
        by: "eta0".into(),
        group: Some(axis.into()),
        x: Axis::log("η₀"),
        y: Axis::log("loss at the cursor"),
        best: Some(Best::Lowest),
    };
    let mut panels = panels(rows, "loss by learning rate", &["sweep"], &by(axis), &kind);
    if !is_linear(values) && values.toggle("sweep-standard") {
        panels.push(Panel {
            title: format!("{}: loss by learning rate", knobs::title("standard")),
            tracks: TrackFilter::is("place", "third").and("kind", &["sweep"]),
            color: by(axis),
            kind,
            notes: Vec::new(),
        });
    }
    for panel in &mut panels {
        panel.notes.push(format!("after {} steps; runs that diverged have no point", values.int("sweep-steps")));
    }
    let guide = "The loss after a fixed number of steps against the learning rate, a line a width, its lowest point marked. Where the marks stand above each \
                 other a rate that was found on a narrow network is good for a wide one.";
    chart("sweep", "Learning rates", guide, 2, panels)
}

fn parts(rows: &[Row], axis: &str) -> Chart {
    let lines = vec![
        SeriesLine::new("gauss-newton", "G", Stroke::Solid),
        SeriesLine::new("residual", "|R|", Stroke::Dashed),
        SeriesLine::new("limit-gauss-newton", "G", Stroke::Faint),
    ];
    let kind = PanelKind::Steps { lines, x_label: "step".into(), y: Axis::log("largest eigenvalue, times γ²") };
    let guide = "The Hessian is G + R. G is built of the outputs' gradients and, for the squared error, has the eigenvalues of the tangent kernel; R is what the outputs' own \
                 curvature adds, and shrinks with the residuals. Solid: the largest eigenvalue of G; dashed: the largest of R in magnitude.";
    chart("parts", "Parts of the Hessian", guide, 3, panels(rows, "G and R", &["curve", "limit"], &by(axis), &kind))
}

fn distance(rows: &[Row], axis: &str, linear: bool) -> Chart {
    let lines = vec![SeriesLine::new("distance", "", Stroke::Marked), SeriesLine::new("fit", "fit", Stroke::Dashed)];
    let kind = PanelKind::Profile {
        lines,
        x_series: Some("sizes".into()),
        x: Axis::log(axis),
        y: Axis::log(if linear { "relative distance to width ∞" } else { "relative distance to the largest" }),
    };
    let guide = "How far each width is from the widest, |y_N/y_max − 1|, at the cursor: sharpness, loss and the largest eigenvalue of the kernel. Dashed: the power law a N^b through the \
                 points. Scrub the cursor: under muP the loss's points rise with time and the sharpness's don't.";
    chart(
        "distance",
        "Distance to the widest",
        guide,
        4,
        panels(rows, "distance", &["comparison"], &ColorBy::Track, &kind),
    )
}

fn consistency(rows: &[Row]) -> Chart {
    let lines = vec![SeriesLine::new("spread", "", Stroke::Solid)];
    let kind =
        PanelKind::Steps { lines, x_label: "step".into(), y: Axis::log("distance, root mean square over sizes") };
    let guide = "The distances to the widest network, root mean square over the others, against the step: what is super consistent stays low all along, what accumulates \
                 the error of a finite width rises.";
    let panels = panels(rows, "distance over time", &["comparison"], &ColorBy::Track, &kind);
    chart("consistency", "Consistency over time", guide, 4, panels)
}

fn exponents(rows: &[Row]) -> Chart {
    let lines = vec![SeriesLine::new("exponent", "", Stroke::Solid)];
    let kind = PanelKind::Steps { lines, x_label: "step".into(), y: Axis::linear("exponent b of a N^b") };
    let guide = "The exponent of the power law of the distance in the width, against the step: −1/2 is the scatter of independent starts, −1 a mean over units. It comes from few widths and one start \
                 each, so look at its trend, not at its digits.";
    let panels = panels(rows, "exponent", &["comparison"], &ColorBy::Track, &kind);
    chart("exponents", "Exponents of the distance", guide, 4, panels)
}

fn kernel(rows: &[Row], axis: &str) -> Chart {
    let lines = vec![SeriesLine::new("kernel-drift", "", Stroke::Solid)];
    let kind =
        PanelKind::Steps { lines, x_label: "step".into(), y: Axis::linear("λ₁(t)/λ₁(0) − 1 of γ²Θ/P") };
    let guide = "How far the largest eigenvalue of the tangent kernel has moved from its start. Under NTK it moves less the wider the network is; under muP as much at \
                 every width: features are learned.";
    chart("kernel", "Drift of the kernel", guide, 3, panels(rows, "kernel", &["curve"], &by(axis), &kind))
}

fn eigenvalues(rows: &[Row], axis: &str) -> Chart {
    let lines = vec![SeriesLine::new("kernel-eigenvalues", "", Stroke::Marked)];
    let kind = PanelKind::Profile {
        lines,
        x_series: None,
        x: Axis::linear("eigenvalue, from the largest"),
        y: Axis::log("of γ²Θ/P"),
    };
    let guide = "The largest eigenvalues of the tangent kernel over the examples, learning rates included, divided by the number of examples, at the cursor.";
    chart(
        "kernel-eigenvalues",
        "Eigenvalues of the kernel",
        guide,
        3,
        panels(rows, "kernel's eigenvalues", &["curve"], &by(axis), &kind),
    )
}
