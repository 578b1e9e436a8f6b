//! Loss and accuracy.

use crate::plots::lines::{Line, LinePlot, LineStyle};
use crate::plots::{CurveView, Pane, PaneId, PaneOptions, Plot, Smoothing, curves, words};
use crate::record::{Recording, SMOOTHING, SeriesId, TimeCursor, names};

pub(crate) const PANE: Pane = Pane {
    id: PaneId::Loss,
    slug: "loss",
    title: "Loss and accuracy",
    guide: "Steps run to the right; one step is one update of the weights. \
        The pale line is the loss of each minibatch, as training sees it (with label noise and temperature); \
        the strong line of the same colour is its moving average, and the other one is measured on examples that are never trained on. \
        Healthy: both fall, quickly at first and then slowly, and stay close together. \
        Unhealthy: the test loss turns upwards while the training loss goes on falling (the network memorises), or both jump up (the learning rate is too high). \
        A flat line at the beginning means that nothing is learnt: chance level is log(number of classes) for the cross-entropy. \
        The average lags some 20 steps behind, so trust the pale line for when something happened; how strong it is, the list below the panes says.",
    plots,
};

struct Quantity<'a> {
    title: &'a str,
    y_label: &'a str,
    train: SeriesId,
    test: SeriesId,
    view: CurveView,
}

/// A loss so many times the usual, and that of the beginning, is off the picture's scale.
const EXPLOSION: f64 = 20.0;

fn plots(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    let header = &recording.header;
    let y_label = if header.loss_title.is_empty() { "loss" } else { &header.loss_title };
    let loss =
        Quantity { title: "Loss", y_label, train: names::TRAIN_LOSS, test: names::TEST_LOSS, view: options.curves() };
    let mut plots = vec![curves_of(recording, cursor, &loss, |plot| {
        plot.y_log = options.loss_log;
        cut_explosion(plot);
    })];
    let accuracy = Quantity {
        title: "Accuracy",
        y_label: "share classified correctly",
        train: names::TRAIN_ACCURACY,
        test: names::TEST_ACCURACY,
        view: options.curves(),
    };
    let measured = [&accuracy.train, &accuracy.test].into_iter().any(|id| recording.scalar(id).is_some());
    if header.classes > 0 || measured {
        plots.push(curves_of(recording, cursor, &accuracy, |plot| plot.y_range = Some([0.0, 1.0])));
    }
    plots
}

/// A loss that explodes would flatten all that was before: on a linear axis the range then ends a little above the rest.
fn cut_explosion(plot: &mut LinePlot) {
    let finite = |line: &Line| line.points.iter().map(|p| p[1]).filter(|v| v.is_finite()).collect::<Vec<f64>>();
    let lines: Vec<Vec<f64>> = plot.lines.iter().map(finite).collect();
    let first = lines.iter().filter_map(|line| line.first().copied()).fold(0.0, f64::max);
    let mut values = lines.concat();
    values.sort_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (values.first(), values.last()) else { return };
    let usual = values[(values.len() - 1) * 19 / 20].max(first);
    if plot.y_log || usual <= 0.0 || high <= EXPLOSION * usual {
        return;
    }
    let shown = values.partition_point(|v| *v <= 2.0 * usual);
    let top = values[shown.saturating_sub(1)];
    plot.y_range = Some([low.min(0.0), top]);
    plot.notes.push(format!("losses above {} are cut (up to {})", words::number(top), words::number(high)));
}

fn curves_of(
    recording: &Recording,
    cursor: TimeCursor,
    quantity: &Quantity<'_>,
    finish: impl FnOnce(&mut LinePlot),
) -> Plot {
    let at = cursor.step(recording.newest_step());
    let (train, test) = (recording.scalar(&quantity.train), recording.scalar(&quantity.test));
    if train.is_none_or(|s| s.is_empty()) && test.is_none_or(|s| s.is_empty()) {
        return Plot::Empty { title: quantity.title.into(), reason: "No step has been taken yet".into() };
    }
    let mut plot = curves::over_steps(recording, cursor, quantity.view, quantity.title, quantity.y_label);
    if recording.header.watched.is_some() {
        if let Some(train) = train.filter(|s| !s.is_empty()) {
            plot.add_series(train, "train", LineStyle::Solid, 0, at);
            plot.notes.push(format!("train: all {} examples", recording.header.train_examples));
        }
    } else if let Some(train) = train.filter(|s| !s.is_empty()) {
        if quantity.view.smoothing == Smoothing::Usual {
            plot.add_raw(train, "minibatch", LineStyle::Faint, 0, at);
            plot.add_smoothed(train, "train", 0, at);
            let memory = 1.0 / (1.0 - SMOOTHING);
            plot.notes.push(format!("train: moving average over about {memory:.0} steps (factor {SMOOTHING} a step)"));
        } else {
            plot.add_series(train, "train", LineStyle::Solid, 0, at);
        }
    }
    if let Some(test) = test.filter(|s| !s.is_empty()) {
        plot.add_series(test, "test", LineStyle::Solid, 1, at);
    }
    if recording.header.test_examples > 0 {
        plot.notes.push(format!("test: {} examples", recording.header.test_examples));
    }
    plot.notes.extend(words::divergence(recording, cursor));
    finish(&mut plot);
    Plot::Lines(plot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Reading, Snapshot, TrackId, example};

    fn lines(recording: &Recording, cursor: TimeCursor) -> Vec<LinePlot> {
        let plots = plots(recording, cursor, &PaneOptions::default());
        plots.into_iter().map(|plot| if let Plot::Lines(plot) = plot { plot } else { panic!("{plot:?}") }).collect()
    }

    #[test]
    fn a_scrubbed_cursor_shows_the_values_of_its_step_and_the_whole_curve() {
        let recording = example::recording(2_000);
        let plots = lines(&recording, TimeCursor::At(700));
        assert_eq!(plots.len(), 2);
        let (plot, raw) = (&plots[0], recording.scalar(&names::TRAIN_LOSS).unwrap());
        assert_eq!(plot.cursor, Some(700.0));
        assert_eq!(plot.x_max, 2_000.0);
        let value = |label: &str| plot.at_cursor.iter().find(|(l, _)| l == label).unwrap().1;
        assert_eq!(value("minibatch"), raw.values()[699]);
        assert_eq!(value("train"), raw.smoothed()[699]);
        assert_eq!(value("test"), recording.scalar(&names::TEST_LOSS).unwrap().latest_at(700).unwrap().1);
        assert!(plot.lines.iter().all(|line| line.points.last().unwrap()[0] == 2_000.0 && line.points.len() <= 602));
        assert_eq!(plot.marks.len(), 1);
        assert_eq!(plots[1].y_range, Some([0.0, 1.0]));
        assert_eq!(lines(&recording, TimeCursor::Following)[0].cursor, None);
    }

    #[test]
    fn smoothing_has_a_strength_and_can_be_off() {
        let recording = example::recording(2_000);
        let shown = |smoothing| {
            let options = PaneOptions { smoothing, ..PaneOptions::default() };
            match plots(&recording, TimeCursor::At(700), &options).remove(0) {
                Plot::Lines(plot) => plot,
                other => panic!("{other:?}"),
            }
        };
        let styles =
            |plot: &LinePlot| plot.lines.iter().map(|line| (line.label.clone(), line.style)).collect::<Vec<_>>();
        let line = |label: &str, style| (label.to_owned(), style);
        let off = shown(Smoothing::Off);
        assert_eq!(styles(&off), [line("train", LineStyle::Solid), line("test", LineStyle::Solid)]);
        assert!(off.raw_at_cursor.is_empty() && !off.notes.iter().any(|note| note.contains("average")));
        let smooth = shown(Smoothing::HalfLife(30.0));
        let both = ["train", "test"].map(|name| [line(name, LineStyle::Solid), line(name, LineStyle::Faint)]);
        assert_eq!(styles(&smooth), both.concat());
        let series = recording.scalar(&names::TRAIN_LOSS).unwrap();
        let mut slow = crate::record::Average::new(30.0);
        let averages: Vec<_> =
            (0..700).map(|i| slow.after(series.steps()[i] as f64, series.values()[i], 1.0)).collect();
        let [value, raw] = [&smooth.at_cursor, &smooth.raw_at_cursor].map(|of| of[0].1);
        assert!((value - averages[699]).abs() < 1e-12);
        assert_eq!((raw, smooth.raw_at_cursor.len()), (series.values()[699], 2));
        assert!(smooth.notes.iter().any(|note| note.contains("half-life 30 steps (factor 0.977 a step)")));
        // Zoomed in, the average is the same one.
        let zoomed = PaneOptions {
            smoothing: Smoothing::HalfLife(30.0),
            window: crate::record::StepWindow::Between { from: 600, to: 700 },
            ..PaneOptions::default()
        };
        let Plot::Lines(zoomed) = plots(&recording, TimeCursor::At(700), &zoomed).remove(0) else { panic!() };
        let at_650 = zoomed.lines[0].points.iter().find(|point| point[0] == 650.0).unwrap();
        assert!((at_650[1] - averages[649]).abs() < 1e-12);
    }

    #[test]
    fn an_explosion_is_cut_and_said_and_the_beginning_is_not() {
        let shown = |last: f64| {
            let mut recording = Recording::default();
            for step in 1..=400_u64 {
                let loss = if step == 400 { last } else { 2.5 * (-0.05 * step as f64).exp() };
                let readings = vec![(names::TRAIN_LOSS, Reading::Scalar(loss))];
                recording.push(&Snapshot { track: TrackId(0), step, readings }).unwrap();
            }
            lines(&recording, TimeCursor::Following).remove(0)
        };
        assert_eq!(shown(2.0).y_range, None);
        let cut = shown(1e20);
        let [low, high] = cut.y_range.unwrap();
        assert!(low == 0.0 && (2.0..=5.0).contains(&high), "{low} {high}");
        assert!(cut.notes.iter().any(|note| note.contains("are cut")), "{:?}", cut.notes);
    }

    #[test]
    fn regression_has_no_accuracy_and_an_empty_run_says_so() {
        let mut recording = Recording::default();
        assert!(matches!(&plots(&recording, TimeCursor::Following, &PaneOptions::default())[..], [Plot::Empty { .. }]));
        let readings = vec![(names::TRAIN_LOSS, Reading::Scalar(1.0))];
        recording.push(&Snapshot { track: TrackId(0), step: 1, readings }).unwrap();
        assert_eq!(lines(&recording, TimeCursor::Following).len(), 1);
    }
}
