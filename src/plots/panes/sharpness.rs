//! Sharpness.

use crate::plots::lines::{LinePlot, LineStyle};
use crate::plots::{Pane, PaneId, PaneOptions, Plot, curves, words};
use crate::record::{Estimate, Recording, ScalarSeries, SeriesId, TimeCursor, names};

pub(crate) const PANE: Pane = Pane {
    id: PaneId::Sharpness,
    slug: "sharpness",
    title: "Sharpness",
    guide: "Sharpness is the largest eigenvalue of the Hessian of the training loss: how steeply the loss curves along its steepest direction. \
        The dashed line is where plain gradient descent with this learning rate starts to oscillate along that direction instead of settling. \
        Typical: sharpness rises until it meets the dashed line and then hovers there, the edge of stability; with small batches it stays below. \
        Raising the learning rate lowers the line, and sharpness is pushed down with it; far above the line the loss jumps or diverges. \
        Pale bars are the residual, within which some eigenvalue certainly lies; points marked as not converged are lower bounds from an iteration that ran out of its budget. \
        It is measured on the first few training examples only: fewer examples overestimate it. \
        Under Adam, or with learning rates of a parametrisation, the line belongs to the preconditioned Hessian: choose it with Sharpness of, and it has a picture of its own.",
    plots,
};

/// One of the two curves that there may be.
struct Kind {
    title: &'static str,
    y_label: &'static str,
    value: &'static str,
    series: SeriesId,
    threshold: SeriesId,
}

const PLAIN: Kind = Kind {
    title: "Sharpness",
    y_label: "largest Hessian eigenvalue",
    value: "largest eigenvalue",
    series: names::SHARPNESS,
    threshold: names::SHARPNESS_THRESHOLD,
};
const PRECONDITIONED: Kind = Kind {
    title: "Preconditioned sharpness",
    y_label: "largest preconditioned eigenvalue",
    value: "largest eigenvalue, preconditioned",
    series: names::PRECONDITIONED_SHARPNESS,
    threshold: names::PRECONDITIONED_THRESHOLD,
};

/// Estimates that are drawn one by one.
const MARKED: usize = 80;
/// Error bars that a picture has room for.
const BARS: usize = 150;

fn plots(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    let plots: Vec<_> =
        [PLAIN, PRECONDITIONED].iter().filter_map(|kind| one(kind, recording, cursor, options)).collect();
    if plots.is_empty() {
        return vec![Plot::Empty { title: PLAIN.title.into(), reason: words::unmeasured(recording) }];
    }
    plots
}

fn one(kind: &Kind, recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Option<Plot> {
    let series = recording.scalar(&kind.series).filter(|series| !series.is_empty())?;
    let at = cursor.step(recording.newest_step());
    let mut plot = curves::over_steps(recording, cursor, options.curves(), kind.title, kind.y_label);
    let about = series.estimate_at(at).map(|(_, estimate)| &*estimate.circumstances);
    // Which matrix it is, the caption of the measurement knows.
    if let Some((_, matrix)) = about.and_then(|about| about.method.split_once(" products with ")) {
        plot.y_label = format!("largest eigenvalue of {matrix}");
    }
    plot.y_label = words::with_statistics(&plot.y_label, about);
    plot.y_log = options.sharpness_log;
    add_bars(&mut plot, series);
    let style = if series.len() <= MARKED { LineStyle::Marked } else { LineStyle::Solid };
    plot.add_series(series, kind.value, style, 0, at);
    add_unconverged(&mut plot, series);
    add_threshold(&mut plot, kind, recording, series, at);
    plot.notes.extend(match series.estimate_at(at) {
        Some((step, estimate)) => estimate_notes(step, estimate, at),
        None => vec!["not measured yet at the cursor".into()],
    });
    Some(Plot::Lines(plot))
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

fn add_threshold(plot: &mut LinePlot, kind: &Kind, recording: &Recording, sharpness: &ScalarSeries, at: u64) {
    let header = &recording.header;
    let plain = kind.series == names::SHARPNESS;
    let formula = if plain { &header.threshold_formula } else { &header.preconditioned_formula };
    if formula.is_empty() {
        plot.notes.push(match plain {
            true if !header.preconditioned_formula.is_empty() => {
                "no stability line here: the preconditioned sharpness has one (Measuring, Sharpness of)"
                    .into()
            }
            true => {
                "no stability line: this run's steps don't follow the gradient, so the plain Hessian doesn't say where they become unstable"
                    .into()
            }
            false => "no stability line: with clipping or sharpness-aware minimisation it depends on the gradient".into(),
        });
        return;
    }
    let Some(threshold) = recording.scalar(&kind.threshold).filter(|series| !series.is_empty()) else {
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
        assert_eq!(labels, ["± residual", PLAIN.value, "not converged", "2(1 + momentum)/lr"]);
        let dots = &shown.lines[2].points;
        let series = recording.scalar(&names::SHARPNESS).unwrap();
        for pair in dots.chunks(2) {
            let (step, estimate) = series.estimate_at(pair[0][0] as u64).unwrap();
            assert!(step as f64 == pair[0][0] && !estimate.converged && pair[1][1].is_nan());
        }
        assert!(shown.notes[0].contains("Hessian-vector products"), "{:?}", shown.notes);
        assert!(
            shown.at_cursor.iter().any(|(label, v)| label == PLAIN.value && *v == series.latest_at(450).unwrap().1)
        );
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
    fn each_kind_has_a_picture_with_its_own_line() {
        let mut recording = example::recording(100);
        let before = plots(&recording, TimeCursor::Following, &PaneOptions::default()).len();
        recording.header.threshold_formula.clear();
        recording.header.preconditioned_formula = "38/lr".into();
        for step in 101..140 {
            let readings = vec![
                (names::PRECONDITIONED_SHARPNESS, Reading::Estimate(recording_estimate(step))),
                (names::PRECONDITIONED_THRESHOLD, Reading::Scalar(380.0)),
            ];
            recording.push(&Snapshot { track: TrackId(0), step, readings }).unwrap();
        }
        let both = plots(&recording, TimeCursor::Following, &PaneOptions::default());
        assert_eq!((before, both.len()), (1, 2));
        let [Plot::Lines(plain), Plot::Lines(preconditioned)] = &both[..] else { panic!("{both:?}") };
        assert!(plain.notes[0].contains("preconditioned sharpness has one"), "{:?}", plain.notes);
        assert!(plain.lines.iter().all(|line| line.style != LineStyle::Dashed));
        assert_eq!(preconditioned.y_label, "largest eigenvalue of P^-1/2 H P^-1/2");
        let dashed = preconditioned.lines.iter().find(|line| line.style == LineStyle::Dashed).unwrap();
        assert!(dashed.label == "38/lr" && dashed.points.iter().all(|p| p[1] == 380.0));
        assert!(
            preconditioned.at_cursor.contains(&(PRECONDITIONED.value.into(), 149.0)),
            "{:?}",
            preconditioned.at_cursor
        );
    }

    #[test]
    fn a_warm_up_does_not_flatten_the_curve() {
        let mut recording = Recording::new(example::recording(1).header);
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
        let method = "Lanczos on exact products with P^-1/2 H P^-1/2".into();
        let circumstances = std::sync::Arc::new(crate::record::Circumstances { method, ..Default::default() });
        Estimate { value: 10.0 + step as f64, residual: 0.1, converged: true, products: 3, circumstances }
    }
}
