//! Curvature: both ends of the Hessian's spectrum, its density and its trace.

use crate::plots::lines::{LineStyle, XAxis};
use crate::plots::{CurvatureView, CurveView, LinePlot, Pane, PaneId, PaneOptions, Plot, curves, words};
use crate::record::{Eigenvalue, HeavySeries, Reading, Recording, Spectrum, TimeCursor, names};

pub(crate) const PANE: Pane = Pane {
    id: PaneId::Curvature,
    slug: "curvature",
    title: "Curvature",
    guide: "The Hessian of the training loss has one eigenvalue for each parameter: how strongly the loss curves along a direction of its own. \
        One picture shows the largest and the most negative ones over steps; pale bars are residuals, within which some eigenvalue certainly lies. \
        The other shows how many eigenvalues lie where, at the cursor: dots were found one by one, each as high as a single eigenvalue is. \
        Healthy: nearly all crowd around zero and a few stand far out on the right, about one for each class; \
        unhealthy: the largest climbs without end, or many negative ones stay, since the weights then rest on a saddle. \
        The density is a random estimate (stochastic Lanczos quadrature) smoothed by a Gaussian whose width the notes give: narrower details aren't there. \
        The trace is the sum of all eigenvalues, with its standard error; not converged means that the search ran out of products.",
    plots,
};

/// Places at which the density is drawn.
const GRID: usize = 400;
/// Spectra that a picture has room for.
const MOST: usize = 300;
/// Error bars that it has room for, three points each.
const BARS: usize = 180;
/// Spectra that are drawn point by point.
const MARKED: usize = 80;

fn plots(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    let found = recording.heavy(&names::HESSIAN_SPECTRUM).filter(|series| !series.is_empty());
    let Some(series) = found else {
        return vec![Plot::Empty { title: "Curvature".into(), reason: words::unmeasured(recording) }];
    };
    let at = cursor.step(recording.newest_step());
    let density = match series.latest_at(at) {
        Some((step, Reading::Spectrum(spectrum))) => density(spectrum, step, at),
        _ => Plot::Empty { title: "Spectral density".into(), reason: "Not measured yet at the cursor".into() },
    };
    let history = match options.curvature_view {
        CurvatureView::Eigenvalues => eigenvalues(recording, cursor, options.curves(), series, at),
        CurvatureView::Trace => trace(recording, cursor, options.curves(), series, at),
    };
    vec![history, density]
}

/// Evenly chosen spectra, the newest among them, oldest first.
fn thinned(series: &HeavySeries) -> Vec<(f64, &Spectrum)> {
    let entries = series.entries();
    let stride = entries.len().div_ceil(MOST).max(1);
    let chosen = entries.iter().rev().step_by(stride).filter_map(|(step, reading)| match reading {
        Reading::Spectrum(spectrum) => Some((*step as f64, &**spectrum)),
        _ => None,
    });
    let mut chosen: Vec<_> = chosen.collect();
    chosen.reverse();
    chosen
}

fn style(count: usize) -> LineStyle {
    if count <= MARKED { LineStyle::Marked } else { LineStyle::Solid }
}

fn eigenvalues(recording: &Recording, cursor: TimeCursor, view: CurveView, series: &HeavySeries, at: u64) -> Plot {
    let about = spectrum_at(series, at).map(|(_, spectrum)| &*spectrum.circumstances);
    let label = words::with_statistics("eigenvalue", about);
    let mut plot = curves::over_steps(recording, cursor, view, "Ends of the spectrum", &label);
    let spectra = thinned(series);
    let most = |end: fn(&Spectrum) -> &Vec<Eigenvalue>| spectra.iter().map(|(_, s)| end(s).len()).max().unwrap_or(0);
    let (top, bottom) = (most(|s| &s.top), most(|s| &s.bottom));
    let here = spectrum_at(series, at);
    let mut bars = Vec::new();
    let bar_stride = (spectra.len() * (top + bottom)).div_ceil(BARS).max(1);
    // The first of each end has a colour of its own; the rest of it shares the next.
    for (end, count, colors, word) in
        [(Spectrum::largest as End, top, [0, 2], "largest"), (Spectrum::smallest, bottom, [1, 3], "smallest")]
    {
        for k in 0..count {
            let points = spectra.iter().enumerate().map(|(i, (step, spectrum))| {
                let found = end(spectrum).get(k);
                let barred = i.is_multiple_of(bar_stride);
                if let Some(found) = found.filter(|found| barred && found.residual > 0.0) {
                    bars.extend([
                        [*step, found.value - found.residual],
                        [*step, found.value + found.residual],
                        [*step, f64::NAN],
                    ]);
                }
                [*step, found.map_or(f64::NAN, |found| found.value)]
            });
            let label = if k == 0 { word.to_owned() } else { format!("{word} {}", k + 1) };
            let points = points.collect();
            plot.add(&label, points, style(spectra.len()), colors[k.min(1)]);
            plot.add_value(&label, here.and_then(|(_, spectrum)| Some(end(spectrum).get(k)?.value)));
        }
    }
    plot.add("± residual", bars, LineStyle::Faint, 0);
    let unsure = spectra.iter().flat_map(|(step, spectrum)| {
        let found = spectrum.top.iter().chain(&spectrum.bottom).filter(|found| !found.converged);
        found.flat_map(|found| [[*step, found.value], [*step, f64::NAN]])
    });
    let unsure: Vec<_> = unsure.collect();
    if !unsure.is_empty() {
        // Newest first to stay: a picture has room for so many.
        plot.add("not converged", unsure[unsure.len().saturating_sub(2 * BARS)..].to_vec(), LineStyle::Solid, 4);
    }
    notes(&mut plot, here, at);
    Plot::Lines(plot)
}

type End = fn(&Spectrum) -> &[Eigenvalue];

fn notes(plot: &mut LinePlot, here: Option<(u64, &Spectrum)>, at: u64) {
    let Some((step, spectrum)) = here else {
        plot.notes.push("not measured yet at the cursor".into());
        return;
    };
    let all = spectrum.top.iter().chain(&spectrum.bottom);
    let unsure = all.clone().filter(|found| !found.converged).count();
    plot.notes.push(match unsure {
        0 => format!("all converged; {} products", spectrum.products),
        n => format!("{n} of {} not converged; {} products", all.count(), spectrum.products),
    });
    plot.notes.push(words::age(step, at));
    plot.notes.push(words::circumstances(&spectrum.circumstances));
}

fn spectrum_at(series: &HeavySeries, at: u64) -> Option<(u64, &Spectrum)> {
    match series.latest_at(at)? {
        (step, Reading::Spectrum(spectrum)) => Some((step, spectrum)),
        _ => None,
    }
}

fn trace(recording: &Recording, cursor: TimeCursor, view: CurveView, series: &HeavySeries, at: u64) -> Plot {
    let mut plot = curves::over_steps(recording, cursor, view, "Trace", "sum of the eigenvalues");
    let spectra = thinned(series);
    let points = spectra.iter().map(|(step, spectrum)| [*step, spectrum.trace]).collect();
    let bars = spectra
        .iter()
        .flat_map(|(step, s)| [[*step, s.trace - s.trace_error], [*step, s.trace + s.trace_error], [*step, f64::NAN]]);
    let here = spectrum_at(series, at);
    plot.add("trace", points, style(spectra.len()), 0);
    plot.add_value("trace", here.map(|(_, spectrum)| spectrum.trace));
    plot.add("± standard error", bars.collect(), LineStyle::Faint, 0);
    if let Some((_, s)) = here.filter(|(_, spectrum)| spectrum.test_vectors > 0) {
        let mean = words::number(s.trace / s.dim.max(1) as f64);
        plot.notes.push(format!("Hutchinson, {} test vectors; mean eigenvalue {mean}", s.test_vectors));
    }
    notes(&mut plot, here, at);
    Plot::Lines(plot)
}

/// Eigenvalues per unit of the axis, smoothed.
fn density(spectrum: &Spectrum, step: u64, at: u64) -> Plot {
    let title = "Spectral density";
    if spectrum.test_vectors == 0 {
        return Plot::Empty { title: title.into(), reason: "The ends are known, the density is being measured".into() };
    }
    let singles: Vec<f64> = spectrum.top.iter().chain(&spectrum.bottom).map(|found| found.value).collect();
    let places = spectrum.ritz.iter().map(|[node, _]| *node).chain(singles.iter().copied()).filter(|x| x.is_finite());
    let (low, high) = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let width = spectrum.smoothing;
    if !(low.is_finite() && high.is_finite() && width > 0.0) || spectrum.ritz.is_empty() {
        return Plot::Empty { title: title.into(), reason: "No eigenvalue is finite: the run has diverged".into() };
    }
    let range = [low - 4.0 * width, high + 4.0 * width];
    // The height of a single eigenvalue, the least that there can be.
    let single = 1.0 / (spectrum.dim.max(1) as f64 * width * std::f64::consts::TAU.sqrt());
    let step_of_grid = (range[1] - range[0]) / (GRID - 1) as f64;
    // Narrow peaks fall between the places of the grid, so each node is a place, too.
    let mut grid: Vec<f64> = (0..GRID).map(|i| range[0] + i as f64 * step_of_grid).collect();
    grid.extend(spectrum.ritz.iter().map(|[node, _]| *node));
    grid.sort_by(f64::total_cmp);
    let points: Vec<[f64; 2]> = grid.into_iter().map(|x| [x, spectrum.density(x).max(0.1 * single)]).collect();
    let top = points.iter().map(|p| p[1]).fold(single, f64::max);
    let mut plot = LinePlot {
        title: title.into(),
        x_label: "eigenvalue".into(),
        x_axis: XAxis::Linear(range),
        y_label: "density".into(),
        y_log: true,
        y_range: Some([0.3 * single, 2.0 * top]),
        ..LinePlot::default()
    };
    plot.add("density", points, LineStyle::Solid, 0);
    let mut singles: Vec<_> = singles.into_iter().filter(|x| x.is_finite()).collect();
    singles.sort_by(f64::total_cmp);
    let dots = singles.into_iter().flat_map(|x| [[x, single], [x, f64::NAN]]).collect();
    plot.add("found one by one", dots, LineStyle::Solid, 1);
    plot.notes = vec![
        format!("trace {} ± {}", words::number(spectrum.trace), words::number(spectrum.trace_error)),
        format!("quadrature with {} test vectors, smoothed by {}", spectrum.test_vectors, words::number(width)),
        words::age(step, at),
    ];
    Plot::Lines(plot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    fn shown(view: CurvatureView, cursor: TimeCursor) -> Vec<LinePlot> {
        let options = PaneOptions { curvature_view: view, ..PaneOptions::default() };
        let plots = plots(&example::recording(400), cursor, &options);
        plots.into_iter().map(|plot| if let Plot::Lines(plot) = plot { plot } else { panic!("{plot:?}") }).collect()
    }

    #[test]
    fn eigenvalues_have_names_bars_and_the_values_of_the_cursor() {
        let [ends, _] = &shown(CurvatureView::Eigenvalues, TimeCursor::At(200))[..] else { panic!() };
        let labels: Vec<_> = ends.lines.iter().map(|line| line.label.as_str()).collect();
        assert_eq!(labels[0], "largest");
        assert!(labels.contains(&"smallest") && labels.contains(&"largest 2") && labels.contains(&"± residual"));
        let recording = example::recording(400);
        let Some((_, Reading::Spectrum(known))) = recording.latest_at(&names::HESSIAN_SPECTRUM, 200) else { panic!() };
        assert!(ends.at_cursor.contains(&("largest".into(), known.top[0].value)));
        assert!(ends.notes.iter().any(|note| note.contains("products")), "{:?}", ends.notes);
    }

    #[test]
    fn what_has_not_converged_is_marked_and_counted_and_ends_come_before_their_density() {
        let mut recording = example::recording(400);
        let Some((_, Reading::Spectrum(known))) = recording.latest_at(&names::HESSIAN_SPECTRUM, 400) else { panic!() };
        let mut spectrum = Spectrum::clone(known);
        spectrum.top[1].converged = false;
        (spectrum.test_vectors, spectrum.trace) = (0, f64::NAN);
        spectrum.ritz.clear();
        let (value, step) = (spectrum.top[1].value, recording.newest_step() + 1);
        let readings = vec![(names::HESSIAN_SPECTRUM, Reading::Spectrum(std::sync::Arc::new(spectrum)))];
        recording.push(&crate::record::Snapshot { track: crate::record::TrackId(0), step, readings }).unwrap();
        let shown = plots(&recording, TimeCursor::Following, &PaneOptions::default());
        let [Plot::Lines(ends), Plot::Empty { reason, .. }] = &shown[..] else { panic!("{shown:?}") };
        let dots = ends.lines.iter().find(|line| line.label == "not converged").unwrap();
        assert!(dots.points.contains(&[step as f64, value]), "{:?}", dots.points);
        assert!(ends.notes[0].starts_with("2 of 6 not converged"), "{:?}", ends.notes);
        assert!(reason.contains("being measured"));
    }

    #[test]
    fn the_density_shows_every_node_and_is_never_below_a_tenth_of_one_eigenvalue() {
        let [_, density] = &shown(CurvatureView::Eigenvalues, TimeCursor::Following)[..] else { panic!() };
        let XAxis::Linear([low, high]) = density.x_axis else { panic!() };
        let line = &density.lines[0].points;
        assert!(line.windows(2).all(|pair| pair[0][0] <= pair[1][0]));
        assert!(line[0][0] == low && (line[line.len() - 1][0] - high).abs() < 1e-9 * high.abs());
        let recording = example::recording(400);
        let Some((_, Reading::Spectrum(known))) = recording.latest_at(&names::HESSIAN_SPECTRUM, 400) else { panic!() };
        assert!(known.ritz.iter().all(|[node, _]| line.iter().any(|p| p[0] == *node)));
        assert!(line.iter().all(|p| p[1] > 0.0));
    }

    #[test]
    fn the_trace_comes_with_its_error() {
        let [trace, _] = &shown(CurvatureView::Trace, TimeCursor::Following)[..] else { panic!() };
        assert!(trace.notes[0].contains("test vectors"), "{:?}", trace.notes);
        assert_eq!(trace.lines[1].label, "± standard error");
    }
}
