//! Loss landscape.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

use crate::plots::ranges::{self, Fitted};
use crate::plots::{
    Colormap, FieldPlot, LandscapeMetric, LandscapeView, Line, LinePlot, LineStyle, Pane, PaneId, PaneOptions, Plot,
    SurfacePlot, XAxis, contour, words,
};
use crate::record::{Reading, Recording, Surface, TimeCursor, names};

pub(crate) const PANE: Pane = Pane {
    id: PaneId::Landscape,
    slug: "landscape",
    title: "Loss landscape",
    guide: "The current weights are in the centre; the two axes move all of them along two directions at once. \
        Random directions move each filter by at most its own length times the number on the axis; \
        the knob Slice directions offers others, and the note says how far one unit of theirs is. \
        Height (or colour) is the loss on a few training examples with the weights moved so, or what the list says instead: \
        accuracy, sharpness and others, the dear ones at fewer points and along the two axes first; lines join points of equal height. \
        Healthy: a smooth bowl with the centre near its bottom; a wide flat bottom means that small changes of the weights hardly matter. \
        Unhealthy: cliffs, ripples or a centre on a slope that stays there. \
        It is a slice of a space with thousands of dimensions: two random directions miss the few steep ones, and walls elsewhere don't show. \
        The line is the way that training came, flattened onto the slice; the note says how much of the way the slice sees at all.",
    plots,
};

const LEVELS: usize = 10;

fn plots(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    vec![plot(recording, cursor, options)]
}

fn plot(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Plot {
    let at = cursor.step(recording.newest_step());
    let metric = options.landscape_metric;
    let is_share = matches!(metric, LandscapeMetric::Accuracy | LandscapeMetric::Error);
    let title = title(metric);
    let empty = |reason: &str| Plot::Empty { title: title.clone(), reason: reason.into() };
    let series = match metric {
        LandscapeMetric::Measured(metric) => metric.series(),
        _ => names::LANDSCAPE,
    };
    let Some((step, Reading::Surface(surface))) = recording.latest_at(&series, at) else {
        return empty(&unmeasured(recording, metric));
    };
    if is_share && surface.accuracy.is_empty() {
        return empty("This task has no classes, so there is no accuracy: show the loss instead");
    }
    let values = values(surface, metric);
    // A share has no orders of magnitude, nor has what may be negative.
    let log = options.landscape_log && !is_share && !values.iter().any(|v| *v <= 0.0);
    let fitted = if is_share {
        values.iter().any(|v| v.is_finite()).then_some(Fitted { range: [0.0, 1.0], clipped: 0.0 })
    } else {
        ranges::without_high_outliers(&values, log)
    };
    let Some(Fitted { range, clipped }) = fitted else {
        return empty("No point of the slice is finite: the run has diverged");
    };
    let known = values.iter().filter(|v| v.is_finite()).count();
    let picture = Picture {
        title,
        value_label: match metric {
            LandscapeMetric::Loss => value_label(recording),
            LandscapeMetric::Accuracy => "accuracy".into(),
            LandscapeMetric::Error => "error (1 - accuracy)".into(),
            LandscapeMetric::Measured(metric) => metric.label().into(),
        },
        range,
        log,
        notes: match metric {
            LandscapeMetric::Measured(metric) => {
                let about = vec![metric.definition().to_owned()];
                [about, notes(surface, step, at, range, clipped)].concat()
            }
            _ => notes(surface, step, at, range, clipped),
        },
        values,
        surface,
    };
    // The axes alone make no surface.
    let axes_alone = matches!(metric, LandscapeMetric::Measured(_)) && 2 * known < surface.n * surface.n;
    match options.landscape_view {
        _ if axes_alone => picture.profile(),
        LandscapeView::Surface => picture.surface(),
        LandscapeView::HeatMap => picture.heat_map(),
        LandscapeView::Profile => picture.profile(),
    }
}

fn title(metric: LandscapeMetric) -> String {
    match metric {
        LandscapeMetric::Loss => "Loss landscape".into(),
        LandscapeMetric::Accuracy => "Accuracy landscape".into(),
        LandscapeMetric::Error => "Error landscape".into(),
        LandscapeMetric::Measured(metric) => format!("{} on the slice", metric.title()),
    }
}

fn unmeasured(recording: &Recording, metric: LandscapeMetric) -> String {
    let LandscapeMetric::Measured(metric) = metric else { return words::unmeasured(recording) };
    let what = metric.title();
    if recording.outcome.is_some() {
        format!("{what} wasn't measured on the slice up to here; the knob Slice metric chooses it")
    } else {
        format!(
            "{what} isn't measured on the slice yet; the knob Slice metric chooses it, and it waits for its share of the probe budget"
        )
    }
}

fn value_label(recording: &Recording) -> String {
    let title = &recording.header.loss_title;
    if title.is_empty() { "loss".into() } else { title.clone() }
}

/// The metric on the grid, NaN where there is none.
fn values(surface: &Surface, metric: LandscapeMetric) -> Vec<f32> {
    let numbers = match metric {
        LandscapeMetric::Loss | LandscapeMetric::Measured(_) => &surface.loss,
        LandscapeMetric::Accuracy | LandscapeMetric::Error => &surface.accuracy,
    };
    let shown = |value: f32| if metric == LandscapeMetric::Error { 1.0 - value } else { value };
    let known = numbers.iter().zip(&surface.valid);
    known.map(|(&value, &valid)| if valid && value.is_finite() { shown(value) } else { f32::NAN }).collect()
}

fn notes(surface: &Surface, step: u64, at: u64, [_, high]: [f32; 2], clipped: f64) -> Vec<String> {
    let points = surface.n * surface.n;
    let known = surface.valid.iter().filter(|valid| **valid).count();
    let mut notes = vec![words::age(step, at)];
    notes.push(if known < points && on_the_axes(surface) {
        format!("{known} points along the axes")
    } else if known < points {
        format!("{known} of {} x {} points so far", surface.n, surface.n)
    } else {
        format!("{} x {} points", surface.n, surface.n)
    });
    notes.push(words::circumstances(&surface.circumstances));
    if !surface.directions.is_empty() {
        notes.push(surface.directions.clone());
    }
    if surface.path.len() > 1 {
        notes.push(format!("the plane sees {} of the path", words::percent(f64::from(surface.path_share))));
    }
    if clipped > 0.0 {
        let high = words::number(f64::from(high));
        notes.push(format!("heights above {high} are cut ({} of the points)", words::percent(clipped)));
    }
    let not_finite = surface.loss.iter().zip(&surface.valid).filter(|(loss, valid)| **valid && !loss.is_finite());
    match not_finite.count() {
        0 => {}
        1 => notes.push("1 point isn't finite: left out".into()),
        count => notes.push(format!("{count} points aren't finite: left out")),
    }
    notes
}

/// Whether all points that are known lie on the two axes.
fn on_the_axes(surface: &Surface) -> bool {
    let (n, middle) = (surface.n, surface.n / 2);
    let known = surface.valid.iter().enumerate().filter(|(_, valid)| **valid);
    known.map(|(at, _)| [at / n, at % n]).all(|site| site.contains(&middle))
}

struct Picture<'a> {
    title: String,
    value_label: String,
    range: [f32; 2],
    log: bool,
    notes: Vec<String>,
    values: Vec<f32>,
    surface: &'a Surface,
}

impl Picture<'_> {
    fn surface(self) -> Plot {
        let path = visible_path(self.surface);
        let on_surface = |&[a, b]: &[f32; 2]| height(self.surface, &self.values, a, b).map(|h| [a, b, h]);
        Plot::Surface(SurfacePlot {
            title: self.title,
            x_label: self.surface.axis(0),
            y_label: self.surface.axis(1),
            value_label: self.value_label,
            n: self.surface.n,
            radius: self.surface.radius,
            value_range: self.range,
            log: self.log,
            colormap: Colormap::Viridis,
            path: path.iter().filter_map(on_surface).collect(),
            levels: ranges::levels(self.range, self.log, LEVELS),
            notes: self.notes,
            version: fingerprint(&self.values),
            values: self.values,
        })
    }

    fn heat_map(self) -> Plot {
        let n = self.surface.n;
        let radius = f64::from(self.surface.radius);
        let spacing = 2.0 * radius / (n.max(2) - 1) as f64;
        let place = |[i, j]: [f64; 2]| [spacing * i - radius, spacing * j - radius];
        let mut contours = Vec::new();
        for level in ranges::levels(self.range, self.log, LEVELS) {
            for line in contour::contour(&self.values, n, n, level) {
                contours.push((level, line.into_iter().map(place).collect()));
            }
        }
        // Points are the centres of cells, so the cells reach half a spacing beyond the outermost points.
        let edges = [-radius - spacing / 2.0, radius + spacing / 2.0];
        let path = visible_path(self.surface).into_iter().map(|[a, b]| [f64::from(a), f64::from(b)]);
        Plot::Field(FieldPlot {
            title: self.title,
            x_label: self.surface.axis(0),
            y_label: self.surface.axis(1),
            value_label: self.value_label,
            columns: n,
            rows: n,
            values: self.values,
            value_range: self.range,
            log: self.log,
            colormap: Colormap::Viridis,
            x_range: edges,
            y_range: edges,
            contours,
            path: path.collect(),
            square: true,
            notes: self.notes,
            ..FieldPlot::default()
        })
    }
}

impl Picture<'_> {
    /// The middle row and the middle column of the grid: n points along each axis through the centre.
    fn profile(self) -> Plot {
        let (n, surface) = (self.surface.n, self.surface);
        let middle = n / 2;
        let line = |axis: usize, at: &dyn Fn(usize) -> usize| {
            let point = |i: usize| [f64::from(surface.coordinate(i)), f64::from(self.values[at(i)])];
            let points: Vec<_> = (0..n).map(point).filter(|p| p[1].is_finite()).collect();
            let style = if n > 17 { LineStyle::Solid } else { LineStyle::Marked };
            Line { label: surface.axis(axis), points, style, color: axis.into() }
        };
        let lines = vec![line(0, &|i| middle * n + i), line(1, &|i| i * n + middle)];
        let radius = f64::from(surface.radius);
        Plot::Lines(LinePlot {
            title: self.title,
            x_label: "position along the axis".into(),
            y_label: self.value_label,
            y_log: self.log,
            lines,
            x_axis: XAxis::Linear([-radius, radius]),
            x_max: radius,
            notes: self.notes,
            ..LinePlot::default()
        })
    }
}

/// The end of the path, from where it last came into the window.
fn visible_path(surface: &Surface) -> Vec<[f32; 2]> {
    let inside = |v: f32| v.abs() <= surface.radius;
    let from_the_end = surface.path.iter().rev().take_while(|point| inside(point.a) && inside(point.b));
    let mut path: Vec<_> = from_the_end.map(|point| [point.a, point.b]).collect();
    path.reverse();
    path
}

/// Height of the surface over (a, b), bilinear between the grid's points: a path drawn at the loss of its minibatches
/// would float above or dive below the surface it was flattened onto.
fn height(surface: &Surface, values: &[f32], a: f32, b: f32) -> Option<f32> {
    let n = surface.n;
    if n < 2 {
        return None;
    }
    let place = |v: f32| {
        let at = (v / surface.radius + 1.0) / 2.0 * (n - 1) as f32;
        let cell = (at.max(0.0) as usize).min(n - 2);
        (cell, (at - cell as f32).clamp(0.0, 1.0))
    };
    let ((i, s), (j, t)) = (place(a), place(b));
    let value = |i: usize, j: usize| values.get(j * n + i).copied().unwrap_or(f32::NAN);
    let along = |j: usize| value(i, j) * (1.0 - s) + value(i + 1, j) * s;
    let height = along(j) * (1.0 - t) + along(j + 1) * t;
    height.is_finite().then_some(height)
}

/// Changes with every bit of the values.
fn fingerprint(values: &[f32]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for value in values {
        hasher.write_u32(value.to_bits());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{SliceMetric, Snapshot, TrackId, example};

    fn options(view: LandscapeView, metric: LandscapeMetric) -> PaneOptions {
        PaneOptions { landscape_view: view, landscape_metric: metric, ..PaneOptions::default() }
    }

    fn surface_plot(recording: &Recording, cursor: TimeCursor) -> SurfacePlot {
        let options = options(LandscapeView::Surface, LandscapeMetric::Loss);
        let Plot::Surface(plot) = plot(recording, cursor, &options) else { panic!() };
        plot
    }

    fn recorded(change: impl FnOnce(&mut Surface)) -> Recording {
        let mut recording = example::recording(200);
        let Some((_, Reading::Surface(surface))) = recording.latest_at(&names::LANDSCAPE, 200) else { panic!() };
        let mut surface = Surface::clone(surface);
        change(&mut surface);
        let readings = vec![(names::LANDSCAPE, Reading::Surface(surface.into()))];
        recording.push(&Snapshot { track: TrackId(0), step: 200, readings }).unwrap();
        recording
    }

    #[test]
    fn the_path_ends_in_the_centre_on_the_surface() {
        let plot = surface_plot(&recorded(|_| {}), TimeCursor::Following);
        let [a, b, height] = *plot.path.last().unwrap();
        assert_eq!([a, b], [0.0, 0.0]);
        assert!((height - plot.values[32 * 65 + 32]).abs() < 1e-5);
        assert!(plot.path.iter().all(|p| p[0].abs() <= plot.radius && p[1].abs() <= plot.radius));
    }

    #[test]
    fn exploding_corners_are_cut_and_said() {
        let plot = surface_plot(&recorded(|surface| surface.loss[0] = 1e20), TimeCursor::Following);
        assert!(plot.value_range[1] < 1e6, "{:?}", plot.value_range);
        assert!(plot.notes.iter().any(|note| note.contains("are cut")), "{:?}", plot.notes);
    }

    #[test]
    fn missing_and_infinite_points_are_nan_and_counted() {
        let plot = surface_plot(
            &recorded(|surface| {
                surface.valid[5] = false;
                surface.loss[7] = f32::INFINITY;
            }),
            TimeCursor::Following,
        );
        assert!(plot.values[5].is_nan() && plot.values[7].is_nan() && plot.values[6].is_finite());
        assert!(plot.notes.iter().any(|note| note.contains("4224 of 65 x 65 points so far")), "{:?}", plot.notes);
        assert!(plot.notes.iter().any(|note| note.contains("1 point isn't finite")), "{:?}", plot.notes);
    }

    #[test]
    fn contours_lie_on_their_level_in_axis_units() {
        let recording = recorded(|surface| {
            let (n, line) = (surface.n, |i: usize| 2.0 * i as f32 / 64.0 - 1.0);
            surface.loss = (0..n * n).map(|k| line(k % n).powi(2) + line(k / n).powi(2)).collect();
        });
        let options = options(LandscapeView::HeatMap, LandscapeMetric::Loss);
        let Plot::Field(plot) = plot(&recording, TimeCursor::Following, &options) else { panic!() };
        assert!(plot.contours.len() >= LEVELS);
        for (level, line) in &plot.contours {
            assert!(line.iter().all(|[a, b]| (a * a + b * b - f64::from(*level)).abs() < 2e-3), "{level}");
        }
        assert!((plot.x_range[1] - (1.0 + 1.0 / 64.0)).abs() < 1e-12);
        assert_eq!(plot.value_at(0.0, 0.0), Some(0.0));
    }

    #[test]
    fn profiles_are_the_lines_through_the_centre() {
        let recording = recorded(|surface| {
            let (n, line) = (surface.n, |i: usize| 2.0 * i as f32 / 64.0 - 1.0);
            surface.loss = (0..n * n).map(|k| line(k % n).powi(2) + 3.0 * line(k / n).powi(2)).collect();
            surface.axes[0] = "PC 1 (61 %)".into();
        });
        let options = options(LandscapeView::Profile, LandscapeMetric::Loss);
        let Plot::Lines(plot) = plot(&recording, TimeCursor::Following, &options) else { panic!() };
        assert_eq!((plot.lines[0].label.as_str(), plot.lines[1].label.as_str()), ("PC 1 (61 %)", "direction 2"));
        for (line, factor) in plot.lines.iter().zip([1.0, 3.0]) {
            assert_eq!(line.points.len(), 65);
            assert!(line.points.iter().all(|[x, y]| (factor * x * x - y).abs() < 1e-6));
        }
        assert_eq!(plot.x_axis, XAxis::Linear([-1.0, 1.0]));
    }

    #[test]
    fn a_metric_on_the_axes_alone_is_a_profile_and_a_whole_grid_a_map() {
        let metric = SliceMetric::Sharpness;
        let options = options(LandscapeView::HeatMap, LandscapeMetric::Measured(metric));
        let with = |axes_alone: bool| {
            let mut recording = recorded(|_| {});
            let Some((_, Reading::Surface(known))) = recording.latest_at(&names::LANDSCAPE, 200) else { panic!() };
            let (n, mut surface) = (9, Surface::clone(known));
            surface.n = n;
            surface.accuracy = Vec::new();
            surface.loss = (0..n * n).map(|k| k as f32 - 3.0).collect();
            surface.valid = (0..n * n).map(|k| !axes_alone || k % n == 4 || k / n == 4).collect();
            let readings = vec![(metric.series(), Reading::Surface(surface.into()))];
            recording.push(&Snapshot { track: TrackId(0), step: 200, readings }).unwrap();
            plot(&recording, TimeCursor::Following, &options)
        };
        let Plot::Lines(lines) = with(true) else { panic!("lines") };
        assert_eq!(lines.lines.iter().map(|line| line.points.len()).collect::<Vec<_>>(), [9, 9]);
        assert_eq!(lines.lines[0].points[0], [-1.0, 33.0]);
        assert_eq!((lines.title.as_str(), lines.y_label.as_str()), ("Sharpness on the slice", metric.label()));
        assert!(lines.notes.iter().any(|note| note.contains("17 points along the axes")), "{:?}", lines.notes);
        let Plot::Field(map) = with(false) else { panic!("a map") };
        assert_eq!(map.values[5], 2.0);
        // What wasn't measured is said, with what measures it.
        let Plot::Empty { reason, .. } = plot(&recorded(|_| {}), TimeCursor::Following, &options) else { panic!() };
        assert!(reason.contains("Slice metric"), "{reason}");
    }

    #[test]
    fn error_is_what_accuracy_leaves() {
        let recording = recorded(|surface| surface.accuracy = vec![0.75; surface.n * surface.n]);
        let options = options(LandscapeView::HeatMap, LandscapeMetric::Error);
        let Plot::Field(plot) = plot(&recording, TimeCursor::Following, &options) else { panic!() };
        assert!(plot.values.iter().all(|&v| v == 0.25) && plot.value_label.starts_with("error"));
    }

    #[test]
    fn regression_has_no_accuracy_and_an_unmeasured_slice_is_explained() {
        let options = options(LandscapeView::HeatMap, LandscapeMetric::Accuracy);
        let recording = recorded(|surface| surface.accuracy.clear());
        let Plot::Empty { reason, .. } = plot(&recording, TimeCursor::Following, &options) else { panic!() };
        assert!(reason.contains("no classes"), "{reason}");
        assert!(matches!(plot(&Recording::default(), TimeCursor::Following, &options), Plot::Empty { .. }));
    }

    #[test]
    fn a_scrubbed_slice_is_the_one_of_that_time() {
        let recording = example::recording(200);
        let (early, late) =
            (surface_plot(&recording, TimeCursor::At(60)), surface_plot(&recording, TimeCursor::Following));
        assert_eq!((early.n, late.n), (17, 65));
        assert_ne!(early.version, late.version);
        assert!(early.notes[0].contains("step 60"), "{:?}", early.notes);
    }
}
