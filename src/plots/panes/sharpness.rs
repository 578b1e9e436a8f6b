//! Sharpness.

use crate::plots::lines::{LinePlot, LineStyle};
use crate::plots::{Pane, PaneId, PaneOptions, Plot, curves, words};
use crate::record::{Estimate, Recording, ScalarSeries, TimeCursor, names};

pub(crate) const PANE: Pane = Pane {
    id: PaneId::Sharpness,
    slug: "sharpness",
    title: "Sharpness",
    guide: "Sharpness is the largest eigenvalue of the Hessian of the training loss: how steeply the loss curves along its steepest direction. \
        The dashed line is where plain gradient descent with this learning rate starts to oscillate along that direction instead of settling. \
        Typical: sharpness rises until it meets the dashed line and then hovers there, the edge of stability; with small batches it stays below. \
        Raising the learning rate lowers the line, and sharpness is pushed down with it; far above the line the loss jumps or diverges. \
        Pale bars are the residual: some eigenvalue certainly lies within them. \
        Points marked as not converged are lower bounds from an iteration that ran out of its budget. \
        It is measured on the first few training examples only: fewer examples overestimate it.",
    plots,
};

const VALUE: &str = "largest eigenvalue";
/// Estimates that are drawn one by one.
const MARKED: usize = 80;
/// Error bars that a picture has room for.
const BARS: usize = 150;

fn plots(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    let title = "Sharpness";
    let Some(series) = recording.scalar(&names::SHARPNESS).filter(|series| !series.is_empty()) else {
        return vec![Plot::Empty { title: title.into(), reason: words::unmeasured(recording) }];
    };
    let at = cursor.step(recording.newest_step());
    let about = series.estimate_at(at).map(|(_, estimate)| &*estimate.circumstances);
    let label = words::with_statistics("largest Hessian eigenvalue", about);
    let mut plot = curves::over_steps(recording, cursor, title, &label);
    plot.y_log = options.sharpness_log;
    add_bars(&mut plot, series);
    let style = if series.len() <= MARKED { LineStyle::Marked } else { LineStyle::Solid };
    plot.add_raw(series, VALUE, style, 0, at);
    add_unconverged(&mut plot, series);
    add_threshold(&mut plot, recording, series, at);
    plot.notes.extend(match series.estimate_at(at) {
        Some((step, estimate)) => estimate_notes(step, estimate, at),
        None => vec!["not measured yet at the cursor".into()],
    });
    vec![Plot::Lines(plot)]
}

fn estimate_notes(step: u64, estimate: &Estimate, at: u64) -> Vec<String> {
    let state = if estimate.converged { "converged" } else { "not converged" };
    let mut notes = vec![format!(
        "± {} (residual), {state} after {} Hessian-vector products; {}",
        words::number(estimate.residual),
        estimate.products,
        words::age(step, at)
    )];
    notes.push(words::circumstances(&estimate.circumstances));
    if estimate.value <= 0.0 {
        notes.push("the largest eigenvalue isn't positive here: a logarithmic axis can't show it".into());
    }
    notes
}

/// Vertical bars from value - residual to value + residual: pieces of one line, parted by gaps.
fn add_bars(plot: &mut LinePlot, series: &ScalarSeries) {
    let mut points = Vec::new();
    for (step, estimate) in thinned(series, |_| true) {
        let x = step as f64;
        let low = estimate.value - estimate.residual;
        // On a logarithmic axis a bar that reaches down to zero has no lower end: a tenth of the value stands for it.
        let low = if plot.y_log { low.max(0.1 * estimate.value) } else { low };
        points.extend([[x, low], [x, estimate.value + estimate.residual], [x, f64::NAN]]);
    }
    if !points.is_empty() {
        plot.add("± residual", points, LineStyle::Faint, 0);
    }
}

/// Single points: values of which the iteration hasn't made sure.
fn add_unconverged(plot: &mut LinePlot, series: &ScalarSeries) {
    let unconverged = thinned(series, |estimate| !estimate.converged);
    if !unconverged.is_empty() {
        let dots = unconverged.iter().flat_map(|(step, e)| [[*step as f64, e.value], [*step as f64, f64::NAN]]);
        plot.add("not converged", dots.collect(), LineStyle::Solid, 3);
    }
}

/// Evenly chosen estimates of those that `keep` keeps.
fn thinned(series: &ScalarSeries, keep: impl Fn(&Estimate) -> bool) -> Vec<(u64, &Estimate)> {
    // First choose, then look: the cost doesn't grow with the run by more than this one pass over the flags.
    let kept: Vec<usize> = (0..series.estimates().len()).filter(|&i| keep(&series.estimates()[i])).collect();
    let stride = kept.len().div_ceil(BARS).max(1);
    kept.iter().step_by(stride).map(|&i| (series.steps()[i], &series.estimates()[i])).collect()
}

fn add_threshold(plot: &mut LinePlot, recording: &Recording, sharpness: &ScalarSeries, at: u64) {
    let formula = &recording.header.threshold_formula;
    if formula.is_empty() {
        plot.notes.push(
            "no stability line: this optimiser rescales the gradient, so the plain Hessian doesn't say where it becomes unstable"
                .into(),
        );
        return;
    }
    let Some(threshold) = recording.scalar(&names::SHARPNESS_THRESHOLD).filter(|series| !series.is_empty()) else {
        return;
    };
    plot.add_raw(threshold, formula, LineStyle::Dashed, 1, at);
    // A warm-up from almost nothing begins with an endless threshold, which would flatten all the rest.
    let [low, highest] = sharpness.extremes(0, sharpness.len());
    let last = threshold.values().last().copied().filter(|v| v.is_finite()).unwrap_or(highest);
    let [_, endless] = threshold.extremes(0, threshold.len());
    let top = 4.0 * highest.max(last);
    if endless > top && top.is_finite() {
        let positive = if low > 0.0 { 0.5 * low.min(last) } else { 1e-3 * highest.abs() };
        plot.y_range = Some([if plot.y_log { positive } else { low.min(0.0) }, top]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Reading, Snapshot, TrackId, example};

    fn plot(recording: &Recording, cursor: TimeCursor) -> LinePlot {
        match plots(recording, cursor, &PaneOptions::default()).remove(0) {
            Plot::Lines(plot) => plot,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn estimates_come_with_their_residual_convergence_and_line() {
        let recording = example::recording(900);
        let shown = plot(&recording, TimeCursor::At(450));
        let labels: Vec<_> = shown.lines.iter().map(|line| line.label.as_str()).collect();
        assert_eq!(labels, ["± residual", VALUE, "not converged", "2(1 + momentum)/lr"]);
        let dots = &shown.lines[2].points;
        let series = recording.scalar(&names::SHARPNESS).unwrap();
        for pair in dots.chunks(2) {
            let (step, estimate) = series.estimate_at(pair[0][0] as u64).unwrap();
            assert!(step as f64 == pair[0][0] && !estimate.converged && pair[1][1].is_nan());
        }
        assert!(shown.notes[0].contains("Hessian-vector products"), "{:?}", shown.notes);
        assert!(shown.at_cursor.iter().any(|(label, v)| label == VALUE && *v == series.latest_at(450).unwrap().1));
    }

    #[test]
    fn without_a_formula_there_is_no_line_and_the_notes_say_why() {
        let mut recording = example::recording(100);
        recording.header.threshold_formula.clear();
        let shown = plot(&recording, TimeCursor::Following);
        assert!(shown.lines.iter().all(|line| line.style != LineStyle::Dashed));
        assert!(shown.notes.iter().any(|note| note.contains("no stability line")));
    }

    #[test]
    fn a_warm_up_does_not_flatten_the_curve() {
        let mut recording = example::recording(100);
        recording.rewind(0);
        for step in 1..50_u64 {
            let estimate = recording_estimate(step);
            let readings = vec![
                (names::SHARPNESS, Reading::Estimate(estimate)),
                (names::SHARPNESS_THRESHOLD, Reading::Scalar(2.0 / (1e-6 * step as f64).min(2e-5))),
            ];
            recording.push(&Snapshot { track: TrackId(0), step, readings }).unwrap();
        }
        let [_, top] = plot(&recording, TimeCursor::Following).y_range.unwrap();
        assert!((top - 4e5).abs() < 1.0, "{top}");
    }

    fn recording_estimate(step: u64) -> Estimate {
        let circumstances = Default::default();
        Estimate { value: 10.0 + step as f64, residual: 0.1, converged: true, products: 3, circumstances }
    }
}
