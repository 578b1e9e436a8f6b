//! Signal propagation.

use crate::plots::by_role::{self, RoleLook};
use crate::plots::lines::{LinePlot, LineStyle, XAxis};
use crate::plots::{CurveView, Pane, PaneId, PaneOptions, Plot, SignalStatistic, curves, words};
use crate::record::{Recording, SeriesId, TimeCursor, TokenKind, VectorSeries, names};

pub(crate) const PANE: Pane = Pane {
    id: PaneId::Signal,
    slug: "signal-propagation",
    title: "Signal propagation",
    guide: "What becomes of the signal on its way through the layers, as one number a layer: left over steps, right from the input to the output at the cursor, with the first measurement for comparison. \
        Outlier features: kurtosis of neuron RMS says how unevenly neurons share the signal, from 1 (all alike) to the width (one carries everything), max over median says it within one input, and the int8 errors are what that costs when numbers are rounded to eight bits with one scale or one a channel. \
        Likeness: off the diagonal, the Gram matrices say how alike inputs and features are; kurtosis is exactly the term of the inputs less that of the features, so alike inputs force outliers or correlated features. \
        Ranks count the directions that the signal fills (a common mean is one), and the distance to the mean token goes to 0 when all tokens become one vector; dead units are zero or saturated for every example at hand. \
        Healthy: layers near one another, a kurtosis of a few at most, ranks and distances that don't collapse with depth, few dead units. \
        Trouble: a kurtosis that climbs towards the width (high learning rates make it), ranks that fall to 1, or dead units that grow in number and never come back. \
        Compare with the first measurement rather than with the ideal: correlated inputs alone bring the kurtosis of a random network to 3.",
    plots,
};

/// Solid colours before dashes tell two layers of one colour apart; the last is kept for what is not a layer.
const COLORS: usize = 6;
const REFERENCE: usize = 6;
/// The upper bound is drawn when values come within this factor of it: far away it would flatten them.
const NEAR: f64 = 4.0;

/// What a statistic looks like.
struct Look {
    series: SeriesId,
    title: &'static str,
    /// With the convention.
    y_label: &'static str,
    /// A value to compare with, and what it means.
    reference: Option<(f64, &'static str)>,
    /// The series of the most it can be, and its name.
    most: Option<(SeriesId, &'static str)>,
    /// Beside it in the picture by layer.
    beside: Vec<(SeriesId, &'static str)>,
    note: Option<&'static str>,
    /// The knob that can switch it off.
    knob: Option<&'static str>,
}

impl Look {
    fn of(statistic: SignalStatistic) -> Self {
        let plain = Self {
            series: names::KURTOSIS,
            title: "",
            y_label: "",
            reference: None,
            most: None,
            beside: Vec::new(),
            note: None,
            knob: None,
        };
        match statistic {
            SignalStatistic::Kurtosis => Self {
                title: "Kurtosis of neuron RMS",
                y_label: "kurtosis ⟨s⁴⟩ / ⟨s²⟩²",
                reference: Some((1.0, "1: all neurons equal")),
                most: Some((names::LAYER_WIDTH, "width: one neuron is all")),
                note: Some("second moments, not centred"),
                ..plain
            },
            SignalStatistic::MaxMedian => Self {
                series: names::MMR,
                title: "Max-median ratio",
                y_label: "max |x| / median |x| in an input",
                reference: Some((1.0, "1: all neurons equal")),
                note: Some("infinite, and not drawn, where half of the neurons are zero"),
                ..plain
            },
            SignalStatistic::StableRank => Self {
                series: names::STABLE_RANK,
                title: "Stable rank",
                y_label: "stable rank Σσ² / max σ²",
                reference: Some((1.0, "1: one direction")),
                most: Some((names::MOST_RANK, "the most it can be")),
                note: Some("not centred: a common mean is a direction, too"),
                ..plain
            },
            SignalStatistic::EffectiveRank => Self {
                series: names::EFFECTIVE_RANK,
                title: "Effective rank",
                y_label: "effective rank: exp entropy of σ",
                reference: Some((1.0, "1: one direction")),
                most: Some((names::MOST_RANK, "the most it can be")),
                note: Some("not centred: a common mean is a direction, too"),
                ..plain
            },
            SignalStatistic::MeanTokenDistance => Self {
                series: names::MEAN_TOKEN_DISTANCE,
                title: "Distance to the mean token",
                y_label: "distance ‖X − 1m′‖ / ‖X‖",
                reference: Some((1.0, "1: no mean in common")),
                ..plain
            },
            SignalStatistic::DeadUnits => Self {
                series: names::DEAD_UNITS,
                title: "Dead units",
                y_label: "dead share of units",
                note: Some("zero or saturated on all examples at hand"),
                ..plain
            },
            SignalStatistic::KurtosisTerms => Self {
                series: names::GRAM_INPUT_TERM,
                title: "Kurtosis from Grams",
                y_label: "alike inputs (d/n²) ‖XX′/d‖²",
                reference: Some((1.0, "1: least kurtosis")),
                beside: vec![(names::GRAM_FEATURE_TERM, "correlated features"), (names::KURTOSIS, "kurtosis")],
                note: Some("inputs less features = kurtosis, exactly so on the same rows"),
                ..plain
            },
            SignalStatistic::InputGram => Self {
                series: names::INPUT_GRAM,
                title: "Input Gram",
                y_label: "input Gram XX′/d, rms off diagonal",
                reference: Some((1.0, "1: all inputs alike")),
                beside: vec![(names::INPUT_GRAM_MEAN, "mean instead of rms")],
                note: Some("X scaled to a mean square of 1, not centred"),
                ..plain
            },
            SignalStatistic::FeatureGram => Self {
                series: names::FEATURE_GRAM,
                title: "Feature Gram",
                y_label: "feature Gram X′X/n, rms off diagonal",
                reference: Some((1.0, "1: all features alike")),
                beside: vec![(names::FEATURE_GRAM_MEAN, "mean instead of rms")],
                note: Some("X scaled to a mean square of 1, not centred"),
                ..plain
            },
            SignalStatistic::MeanCosine => Self {
                series: names::TOKEN_COSINE,
                title: "Mean cosine",
                y_label: "cosine of two tokens",
                reference: Some((1.0, "1: all alike")),
                ..plain
            },
            SignalStatistic::Int8Error | SignalStatistic::Int8Weights | SignalStatistic::Int8WeightsByChannel => Self {
                series: names::INT8_ERROR,
                title: "Error of int8 activations",
                y_label: "int8 error ‖Q(X) − X‖ / ‖X‖",
                reference: Some(EVEN),
                beside: vec![(names::INT8_ERROR_CHANNEL, "a scale for each neuron")],
                note: Some("symmetric, one scale a layer: max |x| / 127"),
                knob: Some(INT8_KNOB),
                ..plain
            },
        }
    }
}

/// What values that lie evenly between -max and max would lose.
const EVEN: (f64, &str) = (1.0 / 254.0, "1/254: evenly spread values");
const INT8_KNOB: &str = "Int8 error";

fn plots(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    let log = options.signal_log && !options.signal_statistic.is_linear();
    let view = options.curves();
    let weights = |series, title, y_label| {
        let absent = words::absent(recording, Some(INT8_KNOB));
        let look =
            RoleLook { series, title, y_label, log, reference: Some(EVEN), note: "mean over the layers", absent, view };
        vec![by_role::over_steps(recording, cursor, &look, None), by_role::over_depth(recording, cursor, &look, None)]
    };
    match options.signal_statistic {
        SignalStatistic::Int8Weights => {
            return weights(names::WEIGHT_INT8_ERROR, "Error of int8 weights", "int8 error ‖Q(W) − W‖ / ‖W‖");
        }
        SignalStatistic::Int8WeightsByChannel => {
            let y_label = "int8 error, a scale an output";
            return weights(names::WEIGHT_INT8_ERROR_CHANNEL, "Error of int8 weights, by channel", y_label);
        }
        _ => {}
    }
    let look = Look::of(options.signal_statistic);
    let Some(series) = recording.vector(&look.series).filter(|series| !series.is_empty()) else {
        let reason = words::absent(recording, look.knob);
        let empty = |title: String| Plot::Empty { title, reason: reason.clone() };
        return vec![empty(look.title.into()), empty(format!("{} by layer", look.title))];
    };
    vec![over_steps(recording, cursor, view, &look, series, log), by_layer(recording, cursor, &look, series, log)]
}

fn over_steps(
    recording: &Recording,
    cursor: TimeCursor,
    view: CurveView,
    look: &Look,
    series: &VectorSeries,
    log: bool,
) -> Plot {
    let mut plot = curves::over_steps(recording, cursor, view, look.title, look.y_label);
    plot.y_log = log;
    let step = cursor.step(recording.newest_step());
    let at = series.latest_at(step);
    let mut rows_a_point = 1;
    for layer in 0..series.width() {
        let label = layer_name(recording, layer);
        let style = if (layer / COLORS).is_multiple_of(2) { LineStyle::Solid } else { LineStyle::Dashed };
        rows_a_point = plot.add_rows(series, &[layer], &label, (style, layer % COLORS), step);
    }
    let ends = [0.0, plot.x_max.max(1.0)];
    references(&mut plot, recording, look, step, ends);
    plot.notes.extend(at.map(|(measured, _)| words::age(measured, step)));
    if rows_a_point > 1 {
        plot.notes.push(format!("mean over {rows_a_point} measurements a point"));
    }
    plot.notes.extend(look.note.map(str::to_owned));
    if look.series == names::MEAN_TOKEN_DISTANCE && recording.header.token_kind == TokenKind::Examples {
        plot.notes.push("this model has no tokens: the examples of a batch take their place".into());
    }
    Plot::Lines(plot)
}

fn by_layer(recording: &Recording, cursor: TimeCursor, look: &Look, series: &VectorSeries, log: bool) -> Plot {
    let step = cursor.step(recording.newest_step());
    let Some((measured, row)) = series.latest_at(step) else {
        return Plot::Empty { title: format!("{} by layer", look.title), reason: words::unmeasured(recording) };
    };
    let last = row.len().saturating_sub(1);
    let is_sum = look.series == names::GRAM_INPUT_TERM;
    let mut plot = LinePlot {
        title: format!("{} by layer, step {measured}", look.title),
        x_label: "layer".into(),
        y_label: if is_sum { "inputs − features = kurtosis" } else { look.y_label }.into(),
        y_log: log,
        x_axis: XAxis::Whole([0, last]),
        x_max: last as f64,
        ..LinePlot::default()
    };
    let points = |row: &[f32]| row.iter().enumerate().map(|(layer, &y)| [layer as f64, f64::from(y)]).collect();
    let (first, first_row) = (series.steps()[0], series.row(0));
    if first < measured {
        plot.add(&format!("first measurement, step {first}"), points(first_row), LineStyle::Dashed, 1);
    }
    let label = if is_sum { "alike inputs".to_owned() } else { format!("step {measured}") };
    plot.add(&label, points(row), LineStyle::Marked, 0);
    for (i, (id, name)) in look.beside.iter().enumerate() {
        if let Some((_, beside)) = recording.vector(id).and_then(|series| series.latest_at(step)) {
            plot.add(name, points(beside), LineStyle::Marked, 2 + i);
        }
    }
    references(&mut plot, recording, look, step, [0.0, last.max(1) as f64]);
    plot.notes.push(words::age(measured, step));
    plot.notes.push(format!("0 is {}, {last} is {}", layer_name(recording, 0), layer_name(recording, last)));
    Plot::Lines(plot)
}

fn layer_name(recording: &Recording, layer: usize) -> String {
    recording.header.layers.get(layer).map_or_else(|| format!("layer {layer}"), |layer| layer.name.clone())
}

/// Lines across the picture: what to compare with, and the most there can be (in the notes while it is far away).
fn references(plot: &mut LinePlot, recording: &Recording, look: &Look, step: u64, [left, right]: [f64; 2]) {
    let values = plot.lines.iter().flat_map(|line| &line.points).map(|p| p[1]).filter(|y| y.is_finite());
    let highest = values.fold(f64::NEG_INFINITY, f64::max);
    let mut add = |value: f64, label: &str| {
        plot.lines.push(crate::plots::Line {
            label: label.to_owned(),
            points: vec![[left, value], [right, value]],
            style: LineStyle::Dashed,
            color: REFERENCE.into(),
        });
    };
    if let Some((value, meaning)) = look.reference {
        add(value, meaning);
    }
    let Some((series, meaning)) = &look.most else { return };
    let most = recording.vector(series).and_then(|series| series.latest_at(step)).map(|(_, row)| row);
    let Some(most) = most.and_then(|row| row.iter().copied().reduce(f32::max)).map(f64::from) else { return };
    if highest * NEAR >= most {
        add(most, meaning);
    } else {
        plot.notes.push(format!("at most {}", words::number(most)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Reading, Snapshot, TrackId, example};

    fn of_layers() -> impl Iterator<Item = SignalStatistic> {
        let all = SignalStatistic::FAMILIES.iter().flat_map(|(_, family)| family.iter().copied());
        all.filter(|s| !matches!(s, SignalStatistic::Int8Weights | SignalStatistic::Int8WeightsByChannel))
    }

    fn pair(recording: &Recording, cursor: TimeCursor, statistic: SignalStatistic) -> [LinePlot; 2] {
        let options = PaneOptions { signal_statistic: statistic, ..PaneOptions::default() };
        let lines = plots(recording, cursor, &options).into_iter().map(|plot| match plot {
            Plot::Lines(plot) => plot,
            other => panic!("{other:?}"),
        });
        lines.collect::<Vec<_>>().try_into().unwrap()
    }

    #[test]
    fn left_is_a_line_a_layer_and_right_a_point_a_layer_of_the_same_numbers() {
        let recording = example::recording(900);
        for statistic in of_layers() {
            let [steps, layers] = pair(&recording, TimeCursor::At(450), statistic);
            let series = recording.vector(&Look::of(statistic).series).unwrap();
            let (measured, row) = series.latest_at(450).unwrap();
            for (layer, info) in recording.header.layers.iter().enumerate() {
                let line = &steps.lines[layer];
                assert_eq!(line.label, info.name);
                assert_eq!(steps.at_cursor[layer], (info.name.clone(), f64::from(row[layer])));
                assert!(line.points.len() <= 610 && line.points.last().unwrap()[0] > 880.0);
                let look = |l: &crate::plots::Line| (l.color, l.style);
                assert!(steps.lines[..layer].iter().all(|other| look(other) != look(line)), "{}", line.label);
            }
            let now = layers.lines.iter().find(|line| line.style == LineStyle::Marked).unwrap();
            let known: Vec<_> = row.iter().enumerate().map(|(l, &y)| [l as f64, f64::from(y)]).collect();
            assert_eq!(now.points, known);
            assert!(layers.title.contains(&format!("step {measured}")), "{}", layers.title);
            assert_eq!(layers.lines[0].points[2][1], f64::from(series.row(0)[2]));
            assert_eq!(steps.y_log, !statistic.is_linear());
        }
    }

    #[test]
    fn the_width_is_a_note_until_the_kurtosis_comes_near_it() {
        let mut recording = example::recording(100);
        let has_width = |plot: &LinePlot| plot.lines.iter().any(|line| line.points.iter().all(|p| p[1] == 32.0));
        for plot in pair(&recording, TimeCursor::Following, SignalStatistic::Kurtosis) {
            assert!(plot.lines.iter().any(|line| line.label.starts_with("1:") && line.points[1][1] == 1.0));
            assert!(!has_width(&plot) && plot.notes.iter().any(|note| note == "at most 32"), "{:?}", plot.notes);
        }
        let layers = recording.header.layers.len();
        let readings = vec![
            (names::KURTOSIS, Reading::Vector(vec![20.0; layers])),
            (names::LAYER_WIDTH, Reading::Vector(vec![32.0; layers])),
        ];
        recording.push(&Snapshot { track: TrackId(0), step: 101, readings }).unwrap();
        for plot in pair(&recording, TimeCursor::Following, SignalStatistic::Kurtosis) {
            assert!(has_width(&plot) && plot.notes.iter().all(|note| !note.starts_with("at most")));
        }
    }

    #[test]
    fn infinite_ratios_leave_a_gap() {
        let mut recording = example::recording(10);
        let layers = recording.header.layers.len();
        let readings = vec![(names::MMR, Reading::Vector(vec![f32::INFINITY; layers]))];
        recording.push(&Snapshot { track: TrackId(0), step: 11, readings }).unwrap();
        let [steps, layers] = pair(&recording, TimeCursor::Following, SignalStatistic::MaxMedian);
        assert!(!steps.lines[0].points.last().unwrap()[1].is_finite());
        assert!(steps.notes.iter().any(|note| note.contains("infinite")));
        assert!(layers.lines.iter().any(|line| line.label == "step 11"));
    }

    #[test]
    fn the_terms_of_the_kurtosis_stand_beside_it() {
        let recording = example::recording(400);
        let [_, layers] = pair(&recording, TimeCursor::At(300), SignalStatistic::KurtosisTerms);
        let line = |label: &str| &layers.lines.iter().find(|line| line.label == label).unwrap().points;
        let (inputs, features, kurtosis) = (line("alike inputs"), line("correlated features"), line("kurtosis"));
        for layer in 0..recording.header.layers.len() {
            assert!((inputs[layer][1] - features[layer][1] - kurtosis[layer][1]).abs() < 1e-5);
        }
        let [_, int8] = pair(&recording, TimeCursor::At(300), SignalStatistic::Int8Error);
        let known = recording.vector(&names::INT8_ERROR_CHANNEL).unwrap().latest_at(300).unwrap().1[1];
        let line = int8.lines.iter().find(|line| line.label == "a scale for each neuron").unwrap();
        assert_eq!(line.points[1][1], f64::from(known));
    }

    #[test]
    fn recordings_without_a_statistic_say_why() {
        let mut old = Recording::new(example::recording(1).header);
        let reasons = |recording: &Recording, statistic| {
            let options = PaneOptions { signal_statistic: statistic, ..PaneOptions::default() };
            let reason = |plot| match plot {
                Plot::Empty { reason, .. } => reason,
                other => panic!("{other:?}"),
            };
            plots(recording, TimeCursor::Following, &options).into_iter().map(reason).collect::<Vec<_>>()
        };
        assert!(reasons(&old, SignalStatistic::InputGram).iter().all(|reason| reason.contains("Not measured yet")));
        let readings = vec![(names::KURTOSIS, Reading::Vector(vec![1.0; 9]))];
        old.push(&Snapshot { track: TrackId(0), step: 0, readings }).unwrap();
        assert!(reasons(&old, SignalStatistic::InputGram).iter().all(|reason| reason.contains("older version")));
        for statistic in [SignalStatistic::Int8Error, SignalStatistic::Int8Weights] {
            assert!(reasons(&old, statistic).iter().all(|reason| reason.contains("Int8 error")), "{statistic:?}");
        }
    }
}
