use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::plots::Smoothing;
use crate::record::chart::{Best, Heat, TrackFilter};
use crate::record::{Density, Matrix, Reading, SeriesId, Snapshot, TrackId, TrackInfo};

/// Two widths, two seeds, ten steps: loss = width/(step + 1) + seed, quantiles about it, a matrix, a histogram.
fn recording() -> Recording {
    let mut recording = Recording::default();
    let mut id = 0;
    for width in [16, 64] {
        for seed in 0..2 {
            let attributes: BTreeMap<String, String> =
                [("width", width), ("seed", seed)].map(|(k, v)| (k.to_owned(), v.to_string())).into();
            let track = TrackId(id);
            id += 1;
            recording.begin_track(&TrackInfo { id: track, label: format!("width {width}"), attributes, parent: None });
            for step in 0..10 {
                let loss = f64::from(width) / (step as f64 + 1.0) + f64::from(seed);
                let around = [-2.0, -1.0, 0.0, 1.0, 2.0].map(|by| (loss + by) as f32).to_vec();
                let matrix = Matrix { rows: 1, columns: 2, values: vec![step as f32, -1.0] };
                let readings = [
                    ("loss", Reading::Scalar(loss)),
                    ("around", Reading::Vector(around)),
                    ("places", Reading::Vector(vec![1.0, 2.0, 4.0, 8.0, 16.0])),
                    ("covariance", Reading::Vector(vec![4.0, 1.0, 1.0])),
                    ("matrix", Reading::Matrix(Arc::new(matrix))),
                    ("density", Reading::Density(Arc::new(density()))),
                ];
                let readings = readings.map(|(name, reading)| (SeriesId::owned(name), reading)).to_vec();
                recording.push(&Snapshot { track, step, readings }).unwrap();
            }
        }
    }
    recording
}

fn density() -> Density {
    let counts = vec![1, 3, 4];
    Density { low: 0.0, high: 1.5, counts, below: 1, above: 1, not_finite: 0, mean: 0.9, std: 0.3, zero_share: 0.0 }
}

fn drawn(tracks: TrackFilter, color: ColorBy, kind: PanelKind, cursor: TimeCursor) -> Plot {
    let panel = Panel { title: String::new(), tracks, color, kind, notes: vec![] };
    let chart = Chart { id: "c".into(), title: "Chart".into(), guide: "g".into(), stack: 0, panels: vec![panel] };
    plots(&chart, &recording(), cursor, Smoothing::Usual).remove(0)
}

fn lines(plot: Plot) -> LinePlot {
    match plot {
        Plot::Lines(plot) => plot,
        other => panic!("{other:?}"),
    }
}

fn line(series: &str, label: &str) -> SeriesLine {
    SeriesLine::new(series, label, Stroke::Solid)
}

fn steps() -> PanelKind {
    PanelKind::Steps { lines: vec![line("loss", "")], x_label: "step".into(), y: Axis::log("loss") }
}

#[test]
fn tracks_are_lines_in_the_order_of_their_sizes() {
    let color = ColorBy::Attribute("width".into());
    let plot = lines(drawn(TrackFilter::is("seed", "0"), color, steps(), TimeCursor::At(3)));
    assert_eq!(plot.lines.iter().map(|line| line.label.as_str()).collect::<Vec<_>>(), ["width 16", "width 64"]);
    assert_eq!(plot.lines[0].color, LineColor::Scale(0.0));
    assert_eq!(plot.lines[1].color, LineColor::Scale(1.0));
    assert_eq!((plot.x_max, plot.cursor), (9.0, Some(3.0)));
    assert_eq!(plot.at_cursor[1], ("width 64".into(), 16.0));
}

/// Panels of one kind are compared, so they have one range; of two kinds each has its own.
#[test]
fn panels_that_ask_one_question_share_their_heights() {
    let panel = |seed: &str, kind: PanelKind| {
        let tracks = TrackFilter::is("width", seed);
        Panel { title: String::new(), tracks, color: ColorBy::Track, kind, notes: vec![] }
    };
    let other = PanelKind::Steps { lines: vec![line("loss", "")], x_label: "step".into(), y: Axis::linear("loss") };
    let drawn = |second: PanelKind| {
        let panels = vec![panel("16", steps()), panel("64", second)];
        let chart = Chart { id: "c".into(), title: "Chart".into(), guide: "g".into(), stack: 0, panels };
        plots(&chart, &recording(), TimeCursor::Following, Smoothing::Usual).into_iter().map(lines).collect::<Vec<_>>()
    };
    let shared = drawn(steps());
    let [low, high] = shared[0].y_range.unwrap();
    // 16/10 to 64 + 1, with a little air.
    assert!(
        shared[1].y_range == Some([low, high]) && low < 1.6 && low > 1.2 && high > 65.0 && high < 80.0,
        "{low} {high}"
    );
    assert!(drawn(other).iter().all(|plot| plot.y_range.is_none()));
}

#[test]
fn what_no_track_has_is_said_to_be_missing() {
    let kind = PanelKind::Steps { lines: vec![line("nothing", "")], x_label: "step".into(), y: Axis::default() };
    let plot = drawn(TrackFilter::default(), ColorBy::Track, kind, TimeCursor::Following);
    assert!(matches!(&plot, Plot::Empty { reason, .. } if reason.contains("Not measured yet")), "{plot:?}");
}

#[test]
fn a_fan_is_bands_about_the_median() {
    let kind = PanelKind::Fan { series: "around".into(), x_label: "step".into(), y: Axis::linear("loss") };
    let filter = TrackFilter::is("seed", "1").and("width", &["64"]);
    let plot = lines(drawn(filter, ColorBy::Track, kind, TimeCursor::Following));
    assert_eq!((plot.bands.len(), plot.lines.len()), (2, 1));
    assert_eq!(plot.bands[0].points[0], [0.0, 63.0, 67.0]);
    assert_eq!(plot.bands[1].points[9], [9.0, 6.4_f32.into(), 8.4_f32.into()]);
    assert_eq!(plot.lines[0].points[0], [0.0, 65.0]);
}

#[test]
fn a_profile_lies_at_its_places() {
    let kind = |x_series: Option<&str>| PanelKind::Profile {
        lines: vec![line("around", "")],
        x_series: x_series.map(Into::into),
        x: Axis::log("place"),
        y: Axis::linear("loss"),
    };
    let filter = || TrackFilter::is("seed", "0").and("width", &["16"]);
    let plot = lines(drawn(filter(), ColorBy::Track, kind(Some("places")), TimeCursor::At(1)));
    assert_eq!(plot.lines[0].points[4], [16.0, 10.0]);
    assert!(matches!(plot.x_axis, XAxis::Logarithmic(_)));
    let missing = drawn(filter(), ColorBy::Track, kind(Some("nowhere")), TimeCursor::At(1));
    assert!(matches!(missing, Plot::Empty { .. }));
}

#[test]
fn a_summary_is_the_mean_over_seeds_with_its_error_and_its_optimum() {
    let kind = PanelKind::Summary {
        series: "loss".into(),
        by: "width".into(),
        group: None,
        x: Axis::log("width"),
        y: Axis::linear("loss"),
        best: Some(Best::Lowest),
    };
    let plot = lines(drawn(TrackFilter::default(), ColorBy::Track, kind, TimeCursor::At(0)));
    assert_eq!(plot.lines[0].points, [[16.0, 16.5], [64.0, 64.5]]);
    assert_eq!(plot.bands[0].points[0], [16.0, 16.0, 17.0]);
    assert_eq!(plot.spots[0].0, [16.0, 16.5]);
    assert!(plot.lines[0].label.contains("best at 16"), "{}", plot.lines[0].label);
}

#[test]
fn a_grid_has_a_cell_for_each_pair() {
    let heat = Heat { x_label: "width".into(), y_label: "seed".into(), ..Heat::default() };
    let kind = PanelKind::Grid { series: "loss".into(), by: ["width".into(), "seed".into()], heat };
    let plot = drawn(TrackFilter::default(), ColorBy::Track, kind, TimeCursor::At(0));
    let Plot::Field(plot) = plot else { panic!("{plot:?}") };
    assert_eq!(plot.values, [16.0, 64.0, 17.0, 65.0]);
    assert_eq!((plot.column_labels, plot.row_labels), (vec!["16".into(), "64".into()], vec!["0".into(), "1".into()]));
}

#[test]
fn matrices_densities_and_ellipses_are_those_at_the_cursor() {
    let all = TrackFilter::default;
    let kind = PanelKind::Matrix { series: "matrix".into(), heat: Heat::default(), square: false };
    let plot = drawn(all(), ColorBy::Track, kind, TimeCursor::At(7));
    assert!(matches!(&plot, Plot::Field(field) if field.values == [7.0, -1.0]), "{plot:?}");

    let kind = PanelKind::Densities { series: "density".into(), x: Axis::linear("x") };
    let plot = lines(drawn(TrackFilter::is("width", "16"), ColorBy::Track, kind, TimeCursor::At(7)));
    let area: f64 = plot.lines[0].points.windows(2).map(|p| (p[1][0] - p[0][0]) * p[0][1]).sum();
    assert!((area - 0.8).abs() < 1e-12, "eight of ten values lie inside: {area}");
    assert_eq!(plot.lines[1].style, LineStyle::Dashed);

    let kind = PanelKind::Ellipses { series: "covariance".into(), x: Axis::default(), y: Axis::default() };
    let plot = lines(drawn(TrackFilter::is("width", "16"), ColorBy::Track, kind, TimeCursor::At(7)));
    // z'C^-1 z = 1 with C = [[4, 1], [1, 1]].
    for [x, y] in plot.lines.iter().flat_map(|line| &line.points) {
        let form = (x * x - 2.0 * x * y + 4.0 * y * y) / 3.0;
        assert!((form - 1.0).abs() < 1e-9, "{form}");
    }
}

fn summary(series: &str, y: Axis) -> PanelKind {
    PanelKind::Summary { series: series.into(), by: "width".into(), group: None, x: Axis::log("width"), y, best: None }
}

#[test]
fn all_points_of_a_summary_are_in_sight() {
    let far = |low: f64| {
        let mut recording = recording();
        for (track, value) in [(0, low), (1, low), (2, 5.0), (3, 5.0)] {
            let readings = vec![(SeriesId::from_static("barrier"), Reading::Scalar(value))];
            recording.push(&Snapshot { track: TrackId(track), step: 20, readings }).unwrap();
        }
        let panel = Panel {
            title: String::new(),
            tracks: TrackFilter::default(),
            color: ColorBy::Track,
            kind: summary("barrier", Axis::linear("barrier")),
            notes: vec![],
        };
        let chart = Chart { id: "c".into(), title: "C".into(), guide: "g".into(), stack: 0, panels: vec![panel] };
        lines(plots(&chart, &recording, TimeCursor::Following, Smoothing::Usual).remove(0))
    };
    for (low, log) in [(0.01, true), (0.2, false), (0.0, false), (-1e-3, false)] {
        let plot = far(low);
        assert_eq!((plot.y_log, plot.y_range), (log, None), "{low}");
        assert!(plot.notes.iter().all(|note| !note.contains("above")), "{:?}", plot.notes);
    }
}

#[test]
fn before_its_first_reading_a_panel_says_where_it_is() {
    let mut recording = recording();
    let readings = vec![(SeriesId::from_static("late"), Reading::Scalar(1.0))];
    recording.push(&Snapshot { track: TrackId(0), step: 30, readings }).unwrap();
    recording.outcome = Some(crate::record::Outcome::Finished);
    let panel = Panel {
        title: String::new(),
        tracks: TrackFilter::default(),
        color: ColorBy::Track,
        kind: summary("late", Axis::log("loss")),
        notes: vec![],
    };
    let chart = Chart { id: "c".into(), title: "C".into(), guide: "g".into(), stack: 0, panels: vec![panel] };
    let at = |cursor| plots(&chart, &recording, cursor, Smoothing::Usual).remove(0);
    assert!(matches!(at(TimeCursor::At(29)), Plot::Empty { reason, .. } if reason == "Measured from step 30 on"));
    assert!(matches!(at(TimeCursor::At(30)), Plot::Lines(_)));
}

#[test]
fn a_theory_has_the_colour_of_what_it_is_about_and_what_has_no_number_its_own() {
    let recording = recording();
    let named = ["scale", "scale/weights", "scale_theory", "scale_theory/weights"].map(|name| line(name, ""));
    let panel = Panel {
        title: String::new(),
        tracks: TrackFilter::is("width", "16").and("seed", &["0"]),
        color: ColorBy::Track,
        kind: PanelKind::Steps { lines: named.to_vec(), x_label: "step".into(), y: Axis::default() },
        notes: vec![],
    };
    let chart = Chart { id: "c".into(), title: "C".into(), guide: "g".into(), stack: 0, panels: vec![panel] };
    let shown = Shown::new(&chart, &chart.panels[0], &recording, TimeCursor::Following, Smoothing::Usual);
    let color = |k| shown.color(LineColor::Palette(9), &named, k);
    assert_eq!([0, 1, 2, 3].map(color), [0, 1, 0, 1].map(LineColor::Palette));

    let [mut edge, mut limit] = [0, 1].map(|id| recording.track(TrackId(id)).unwrap().clone()).map(|mut track| {
        track.attributes.clear();
        track
    });
    (edge.label, limit.label) = ("edge".into(), "limit".into());
    let found = colors(&ColorBy::Attribute("width".into()), &[&edge, &limit, &edge]);
    assert_eq!(found[0], found[2]);
    assert_ne!(found[0], found[1]);
}
