use std::collections::BTreeMap;

use super::*;
use crate::plots::lines::{LineColor, LinePlot, LineStyle};
use crate::plots::pane::{self, PANES};
use crate::plots::{ActivationView, Colormap, LandscapeView, Smoothing};
use crate::record::{Fork, Reading, Snapshot, TrackInfo, example, names};

/// The example under several names, with a learning rate each.
fn several(count: u32, steps: u64) -> Recording {
    let part = |k: u32| {
        let mut part = example::recording(steps);
        part.header.spec = format!("seed = {k}\n[optimizer]\nlr = {}\n", 0.001 * f64::from(1 + k / 2));
        (format!("run {k}"), part)
    };
    Recording::combined((0..count).map(part).collect())
}

/// Many tracks with a loss alone, of which the first attribute is a number.
fn many(count: u32) -> Recording {
    let mut recording = example::recording(50);
    for k in 0..count {
        let attributes = BTreeMap::from([
            ("width".to_owned(), (8_u64 << (k % 40)).to_string()),
            ("kind".to_owned(), format!("kind {}", k % 3)),
        ]);
        let info = TrackInfo { id: TrackId(k), label: format!("t{k}"), attributes, parent: None };
        recording.begin_track(&info);
        for step in 51..100 {
            let readings = vec![(names::TRAIN_LOSS, Reading::Scalar(1.0 + f64::from(k) / step as f64))];
            recording.push(&Snapshot { track: TrackId(k), step, readings }).unwrap();
        }
    }
    recording
}

fn options(comparing: Comparing) -> PaneOptions {
    PaneOptions { comparing, ..PaneOptions::default() }
}

fn of(recording: &Recording, id: PaneId, options: &PaneOptions) -> Vec<Plot> {
    pane::plots(recording, id, TimeCursor::At(100), options)
}

fn lines(plot: &Plot) -> &LinePlot {
    match plot {
        Plot::Lines(plot) => plot,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_track_or_one_alone_is_drawn_as_ever() {
    let mut recording = several(2, 200);
    let both = options(Comparing::default());
    assert!(is_comparing(&recording, &both));
    assert!(!is_comparing(&example::recording(50), &both));
    let solo = options(Comparing { solo: true, ..Comparing::default() });
    let hidden = options(Comparing { hidden: [TrackId(0)].into(), ..Comparing::default() });
    recording.set_focus(TrackId(1));
    let alone = recording.only(TrackId(1));
    for pane in PANES {
        // In words: gaps are NaN, which equals nothing.
        let known = format!("{:?}", pane::plots(&alone, pane.id, TimeCursor::At(100), &solo));
        assert!(format!("{:?}", of(&recording, pane.id, &solo)) == known, "{}", pane.slug);
        assert!(format!("{:?}", of(&recording, pane.id, &hidden)) == known, "{}", pane.slug);
    }
}

#[test]
fn curves_of_two_tracks_have_a_colour_a_track_and_a_stroke_a_quantity() {
    let recording = several(2, 200);
    let plots = of(&recording, PaneId::Loss, &options(Comparing::default()));
    let loss = lines(&plots[0]);
    let look = |name: &str| -> Vec<_> {
        loss.lines.iter().filter(|line| line.label == name).map(|line| (line.color, line.style)).collect()
    };
    let expected =
        |color| vec![(LineColor::Palette(color), LineStyle::Solid), (LineColor::Palette(color), LineStyle::Dashed)];
    assert_eq!((look("run 0"), look("run 1")), (expected(0), expected(1)));
    assert_eq!(loss.notes[0], "solid: train, dashed: test");
    let train = recording.track(TrackId(1)).unwrap().scalar("train_loss").unwrap();
    let value = train.smoothed()[train.index_at(100).unwrap()];
    assert!(loss.at_cursor.contains(&("run 1".into(), value)), "{:?}", loss.at_cursor);
}

#[test]
fn smoothed_tracks_have_what_was_measured_behind_them_in_their_colour() {
    let recording = several(2, 200);
    let smoothed = PaneOptions { smoothing: Smoothing::HalfLife(12.0), ..PaneOptions::default() };
    let plots = of(&recording, PaneId::Loss, &smoothed);
    let loss = lines(&plots[0]);
    let styles: Vec<_> = loss.lines.iter().filter(|line| line.label == "run 1").map(|line| line.style).collect();
    assert_eq!(styles, [LineStyle::Solid, LineStyle::Faint, LineStyle::Dashed, LineStyle::Faint]);
    assert!(loss.lines.iter().filter(|line| line.label == "run 1").all(|line| line.color == LineColor::Palette(1)));
    let train = recording.track(TrackId(1)).unwrap().scalar("train_loss").unwrap();
    let (_, average) = train.averaged(12.0, (0, u64::MAX), 100, 100);
    assert!(loss.at_cursor.contains(&("run 1".into(), average.unwrap())));
    assert!(loss.raw_at_cursor.contains(&("run 1".into(), train.latest_at(100).unwrap().1)));
    let named: Vec<_> = (0..loss.lines.len()).map(|i| loss.distinct_name(i)).collect();
    assert_eq!(named[1..4], ["run 0, solid, as measured", "run 0, dashed", "run 0, dashed, as measured"]);
    assert_eq!(named.iter().collect::<BTreeSet<_>>().len(), named.len(), "a table tells them apart: {named:?}");
    // Of very many tracks only the averages are a bundle.
    let crowd = many(20);
    let bundle = lines(&of(&crowd, PaneId::Loss, &smoothed)[0]).bundle.clone().unwrap();
    assert!(bundle.lines.iter().all(|line| line.style != LineStyle::Faint));
}

#[test]
fn many_curves_a_track_are_compared_by_their_mean_or_one_of_them() {
    let recording = several(2, 200);
    let first = recording.header.parameter_groups[0].clone();
    let plots = of(&recording, PaneId::Gradients, &options(Comparing::default()));
    let mean = lines(&plots[0]);
    assert_eq!(
        (mean.lines.len(), mean.choice.as_deref(), mean.choices.len()),
        (2, Some("mean"), recording.header.parameter_groups.len() + 1)
    );
    let line = BTreeMap::from([(PaneId::Gradients, first.clone())]);
    let plots = of(&recording, PaneId::Gradients, &options(Comparing { line, ..Comparing::default() }));
    let alone =
        pane::plots(&recording.only(TrackId(0)), PaneId::Gradients, TimeCursor::At(100), &PaneOptions::default());
    let known = lines(&alone[0]).lines.iter().find(|line| line.label == first).unwrap();
    let shown = lines(&plots[0]).lines.iter().find(|line| line.label == "run 0").unwrap();
    assert_eq!(shown.points, known.points);
    // The mean of curves on a logarithmic axis is geometric.
    let at = |k: usize| lines(&alone[0]).lines.iter().map(|line| line.points[k][1].ln()).sum::<f64>() / 10.0;
    let found = mean.lines.iter().find(|line| line.label == "run 0").unwrap();
    assert!((found.points[7][1].ln() - at(7)).abs() < 1e-9, "{} groups", lines(&alone[0]).lines.len());
}

#[test]
fn a_branch_begins_where_it_forked() {
    let mut recording = example::recording(200);
    let parent = Some(Fork { track: TrackId(0), step: 120 });
    recording.begin_track(&TrackInfo { id: TrackId(1), parent, ..TrackInfo::default() });
    let readings = vec![(names::TRAIN_LOSS, Reading::Scalar(9.0))];
    recording.push(&Snapshot { track: TrackId(1), step: 121, readings }).unwrap();
    let plots = of(&recording, PaneId::Loss, &options(Comparing::default()));
    let branch = lines(&plots[0]).lines.iter().filter(|line| line.label == "branch 1 at 120");
    assert!(branch.flat_map(|line| &line.points).all(|point| point[0] >= 120.0));
    // Pictures are those of the branch until the reader asks for both.
    assert_eq!(of(&recording, PaneId::Landscape, &options(Comparing::default())).len(), 1);
    let both = options(Comparing { pictures: Some(true), ..Comparing::default() });
    assert_eq!(of(&recording, PaneId::Landscape, &both).len(), 3);
    let parent = lines(&plots[0]).lines.iter().find(|line| line.label == "first run").unwrap();
    assert_eq!((parent.points[0][0], parent.points.last().unwrap()[0]), (1.0, 200.0));
}

#[test]
fn many_tracks_are_a_bundle_with_a_scale_and_the_one_in_focus_stands_out() {
    let mut recording = many(60);
    recording.set_focus(TrackId(7));
    let by = |name: &str| options(Comparing { color_by: Some(name.into()), ..Comparing::default() });
    let plots = of(&recording, PaneId::Loss, &by("width"));
    let plot = lines(&plots[0]);
    let bundle = plot.bundle.as_ref().unwrap();
    assert_eq!((bundle.lines.len(), bundle.tracks.len(), plot.key.as_ref().unwrap().log), (59, 59, true));
    assert!(plot.lines.iter().all(|line| line.label == "t7"));
    let color = |k: u32| bundle.lines[bundle.tracks.iter().position(|id| id.0 == k).unwrap()].color;
    assert_eq!((color(0), color(39), color(40)), (LineColor::Scale(0.0), LineColor::Scale(1.0), LineColor::Scale(0.0)));
    assert!(plot.to_csv().contains("width"));
    let kinds = of(&recording, PaneId::Loss, &by("kind"));
    assert!(lines(&kinds[0]).key.is_none(), "three colours are named");
}

#[test]
fn groups_are_shown_by_mean_and_spread() {
    let recording = many(60);
    let grouped = options(Comparing { group_by: Some("kind".into()), ..Comparing::default() });
    let plots = of(&recording, PaneId::Loss, &grouped);
    let plot = lines(&plots[0]);
    let labels: Vec<_> = plot.lines.iter().map(|line| line.label.as_str()).collect();
    assert_eq!(labels, ["kind kind 0 (20)", "kind kind 1 (20)", "kind kind 2 (20)"]);
    // At step 99 the smoothed losses of kind 1 are those of tracks 1, 4, ..., 58.
    let smoothed =
        |k: u32| *recording.track(TrackId(k)).unwrap().scalar("train_loss").unwrap().smoothed().last().unwrap();
    let values: Vec<f64> = (0..20).map(|i| smoothed(3 * i + 1)).collect();
    let mean = values.iter().sum::<f64>() / 20.0;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 19.0).sqrt();
    assert!((plot.lines[1].points.last().unwrap()[1] - mean).abs() < 1e-9);
    let edge = plot.bands[1].points.last().unwrap();
    assert!((edge[1] - (mean - deviation)).abs() < 1e-9 && (edge[2] - (mean + deviation)).abs() < 1e-9);
}

#[test]
fn pictures_share_a_scale_and_their_difference_is_centred_on_zero() {
    let recording = several(2, 200);
    for view in [LandscapeView::Surface, LandscapeView::HeatMap] {
        let plots = of(&recording, PaneId::Landscape, &PaneOptions { landscape_view: view, ..PaneOptions::default() });
        assert_eq!(plots.len(), 3, "{view:?}");
        let range = |plot: &Plot| match plot {
            Plot::Surface(plot) => plot.value_range,
            Plot::Field(plot) => plot.value_range,
            other => panic!("{other:?}"),
        };
        assert_eq!(range(&plots[0]), range(&plots[1]));
        let Plot::Field(difference) = &plots[2] else { panic!("{:?}", plots[2]) };
        assert_eq!(difference.colormap, Colormap::Diverging);
        assert_eq!(difference.value_range[0], -difference.value_range[1]);
        assert!(difference.values.iter().all(|v| *v == 0.0), "twins differ nowhere");
    }
    let similarity = of(&recording, PaneId::RankCollapse, &PaneOptions::default());
    assert!(similarity.iter().any(|plot| plot.title().starts_with("Difference")), "{}", similarity.len());
}

#[test]
fn histograms_lie_over_one_another_or_apart_on_one_axis() {
    let recording = several(3, 200);
    let over = of(&recording, PaneId::Activations, &PaneOptions::default());
    let [Plot::Ridges(plot)] = &over[..] else { panic!("{over:?}") };
    assert!(plot.names.len() == 3 && plot.ridges.iter().all(|ridge| ridge.over.len() == 2));
    let comparing = Comparing { ridges_apart: true, ..Comparing::default() };
    let apart = of(&recording, PaneId::Activations, &options(comparing));
    let [Plot::Ridges(a), Plot::Ridges(b), Plot::Ridges(_)] = &apart[..] else { panic!("{apart:?}") };
    assert_eq!((a.x_range, a.ridges.len()), (b.x_range, b.ridges.len()));
    let waterfalls = PaneOptions { activation_view: ActivationView::Waterfall, ..PaneOptions::default() };
    assert_eq!(of(&recording, PaneId::Activations, &waterfalls).len(), 4);
}

#[test]
fn attributes_that_differ_can_be_coloured_by() {
    assert_eq!(attributes(&several(4, 50)), ["file", "lr", "seed"]);
    assert!(attributes(&example::recording(50)).is_empty());
}
