//! What is shown.

use crate::record::chart::{Axis, Chart, ColorBy, Heat, HeatColors, Panel, PanelKind, SeriesLine, Stroke, TrackFilter};
use crate::run::bench::Values;

use super::cells::{Cell, cells};

const T: &str = "place t on the line";

fn panel(title: &str, tracks: TrackFilter, color: ColorBy, kind: PanelKind) -> Panel {
    Panel { title: title.into(), tracks, color, kind, notes: Vec::new() }
}

fn chart(id: &str, title: &str, stack: u8, guide: &str, panels: Vec<Panel>) -> Chart {
    Chart { id: id.into(), title: title.into(), guide: guide.into(), stack, panels }
}

/// The lines of a series for each matching that is done.
fn matched(values: &Values, series: &str) -> Vec<SeriesLine> {
    let align = values.choice("align");
    let mut lines = vec![SeriesLine::new(series, "as they are", Stroke::Solid)];
    if align == "weights" || align == "both" {
        lines.push(SeriesLine::new(&format!("{series}/weights"), "matched by weights", Stroke::Solid));
    }
    if align == "activations" || align == "both" {
        lines.push(SeriesLine::new(&format!("{series}/activations"), "matched by activations", Stroke::Solid));
    }
    lines
}

fn profile(lines: Vec<SeriesLine>, y: &str) -> PanelKind {
    PanelKind::Profile { lines, x_series: Some("t".into()), x: Axis::within(T, 0.0, 1.0), y: Axis::linear(y) }
}

pub fn charts(values: &Values) -> Vec<Chart> {
    let cells = cells(values);
    let of = |protocol: &str| cells.iter().filter(|cell| cell.protocol == protocol).collect::<Vec<_>>();
    let (starts, copies, factors) = (of("starts"), of("copies"), of("factors"));
    let mut charts = Vec::new();
    if !starts.is_empty() {
        charts.extend(start_charts(values, &starts));
    }
    if !copies.is_empty() {
        charts.extend(copy_charts(values, &copies));
    }
    if !starts.is_empty() || !copies.is_empty() {
        charts.push(plane(starts.last().copied(), copies.first().copied()));
    }
    if !factors.is_empty() {
        charts.push(factor_chart());
    }
    charts.push(control());
    charts
}

fn start_charts(values: &Values, starts: &[&Cell]) -> Vec<Chart> {
    let seen = || TrackFilter::is("protocol", "starts").and("plane", &["yes"]);
    let mut charts = vec![
        chart(
            "starts-path",
            "The line between two starts",
            0,
            "Loss on the straight line from network a (t = 0) to network b (t = 1), which were trained from different starts on the same data, at the cursor. \
             The hill is the barrier. Then b's hidden units are put in the order that brings them next to a's: the same function, elsewhere in the space of the weights. \
             Most of the hill is gone: it was there because units have no names.",
            vec![panel(
                "Training loss on the way",
                seen(),
                ColorBy::Track,
                profile(matched(values, "train_path"), "training loss"),
            )],
        ),
        chart(
            "starts-test",
            "The same line on the test examples",
            0,
            "Loss and error on the test examples along the same line. Where the ends are sure of their mistakes, the matched middle may have a lower test loss than either.",
            vec![
                panel(
                    "Test loss on the way",
                    seen(),
                    ColorBy::Track,
                    profile(matched(values, "test_path"), "test loss"),
                ),
                panel(
                    "Test error on the way",
                    seen(),
                    ColorBy::Track,
                    profile(matched(values, "test_error_path"), "test error"),
                ),
            ],
        ),
        chart(
            "starts-growth",
            "The hill while training",
            0,
            "Barrier of the training loss between two networks with different starts against training steps: highest point of the line above the chord between its ends. \
             At the start both ends are bad and nothing lies between; as both learn, a hill grows, and matching takes most of it away at every step.",
            vec![panel(
                "",
                seen(),
                ColorBy::Track,
                PanelKind::Steps {
                    lines: matched(values, "train_loss_barrier"),
                    x_label: "step".into(),
                    y: Axis::linear("training-loss barrier"),
                },
            )],
        ),
        chart(
            "starts-collapse",
            "How far outputs reach on the way",
            0,
            "Root mean square of the logits at t, over what the ends have, after the last step. Dashed: the matrices' average of two networks is shorter than they are, \
             by √((1−t)² + t² + 2t(1−t)c) for weights of correlation c, and a ReLU network with L hidden layers passes that on L + 1 times: outputs collapse, the more the deeper. \
             Matching raises c and with it the middle. Exact at a Gaussian start; trained matrices aren't random, so points may lie off the line.",
            vec![panel(
                "",
                seen(),
                ColorBy::Track,
                profile(
                    vec![
                        SeriesLine::new("output_scale", "as they are", Stroke::Marked),
                        SeriesLine::new("output_scale/weights", "matched by weights", Stroke::Marked),
                        SeriesLine::new("output_scale_theory", "theory, as they are", Stroke::Dashed),
                        SeriesLine::new("output_scale_theory/weights", "theory, matched", Stroke::Dashed),
                    ],
                    "logits over the ends'",
                ),
            )],
        ),
    ];
    if starts.len() > 1 {
        let all = || TrackFilter::is("protocol", "starts");
        let summary = |title: &str, series: &str| {
            let kind = PanelKind::Summary {
                series: series.into(),
                by: "width".into(),
                group: Some("depth".into()),
                x: Axis::log("width"),
                y: Axis::linear("test-loss barrier"),
                best: None,
            };
            panel(title, all(), ColorBy::Track, kind)
        };
        let grids = matched(values, "test_loss_barrier");
        charts.push(chart(
            "starts-sizes",
            "Width and depth of different starts",
            2,
            "Barrier of the test loss between different starts against width, a line a depth: mean and standard error over the repetitions. As they are, deep networks have the higher hills. \
             Mind the other scale after matching: what is left mostly shrinks with width.",
            grids.iter().map(|line| summary(&line.label, &line.series)).collect(),
        ));
        let grid = |line: &SeriesLine| {
            let heat = Heat {
                value: Axis { label: "test-loss barrier".into(), log: true, range: Some([0.003, 3.0]) },
                x_label: "width".into(),
                y_label: "depth".into(),
                colors: HeatColors::Cividis,
            };
            let kind = PanelKind::Grid { series: line.series.clone(), by: ["width".into(), "depth".into()], heat };
            panel(&line.label, all(), ColorBy::Track, kind)
        };
        charts.push(chart(
            "starts-grid",
            "Width by depth",
            2,
            "The same barriers as heat maps on one logarithmic scale, before and after matching.",
            grids.iter().map(grid).collect(),
        ));
    }
    charts
}

fn copy_charts(values: &Values, copies: &[&Cell]) -> Vec<Chart> {
    let all = || TrackFilter::is("protocol", "copies");
    let against_k = |title: &str, series: &str, y: &str| {
        let kind = PanelKind::Summary {
            series: series.into(),
            by: "k_plus_1".into(),
            group: Some("setting".into()),
            x: Axis::log("spawn step k + 1"),
            y: Axis::linear(y),
            best: None,
        };
        panel(title, all(), ColorBy::Track, kind)
    };
    let earliest = values.numbers("spawn-steps").first().copied().unwrap_or(0.0).to_string();
    // The largest rate comes first; with it, every warm-up.
    let first = copies[0];
    let warmups: Vec<_> =
        copies.iter().filter(|cell| cell.optimizer == first.optimizer && cell.lr == first.lr).take(2).collect();
    let of = |cell: &Cell| all().and("setting", &[cell.setting.as_str()]).and("repetition", &["1"]);
    let by_k = || ColorBy::Attribute("k_plus_1".into());
    let mut charts = vec![
        chart(
            "barrier-k",
            "Barrier against the spawn step",
            1,
            "Two copies leave one run at step k and differ from there on in the order of their batches alone. Across: k + 1, logarithmic, so that k = 0 has a place. Up: the highest point of the line \
             between the two above the chord, of the training loss on the left, of the test error on the right; mean and standard error over repetitions. Below an error of 0.02 they count as \
             linearly connected. A large early rate breaks that at k = 0; warm-up, or leaving later, restores it; at k = T the barrier is exactly 0.",
            vec![
                against_k("Training loss", "train_loss_barrier", "training-loss barrier"),
                against_k("Test error", "test_error_barrier", "test-error barrier"),
            ],
        ),
        chart(
            "copies-path",
            "The line between two copies",
            1,
            "Training loss on the line between two copies of the first repetition at the cursor, a line a spawn step, without warm-up and with it. \
             Mind the scales: they differ. Copies that left late lie in one basin, and their line is flat.",
            warmups
                .iter()
                .map(|cell| {
                    let lines = vec![SeriesLine::new("train_path", "", Stroke::Solid)];
                    panel(&cell.setting, of(cell), by_k(), profile(lines, "training loss"))
                })
                .collect(),
        ),
        chart(
            "copies-wells",
            "The hill and the two wells",
            1,
            "Training loss on the line between the copies that left first, after the last step. Dashed: what both ends see by slope and curvature (an exact Hessian-vector product), the lower of two \
             parabolas. Between equal ends at rest it has the barrier curvature/8. Where the hill is far above it, the ends' curvature doesn't know of the hill: at fitted minima \
             cross-entropy has hardly any curvature left.",
            warmups
                .iter()
                .map(|cell| {
                    let lines = vec![
                        SeriesLine::new("train_path", "loss", Stroke::Solid),
                        SeriesLine::new("quadratic_path", "two wells", Stroke::Dashed),
                    ];
                    let first = of(cell).and("k", &[earliest.as_str()]);
                    panel(&cell.setting, first, ColorBy::Track, profile(lines, "training loss"))
                })
                .collect(),
        ),
        chart(
            "copies-growth",
            "The hill between copies while training",
            1,
            "Barrier of the training loss between two copies of the first repetition against training steps, a line a spawn step. While the rate is large the line lies below its chord: the mean of two noisy copies is better than either, and the barrier is 0 though they drift apart. \
             As the rate falls along its cosine the copies settle, and whether they settled in one basin shows.",
            warmups
                .iter()
                .map(|cell| {
                    let kind = PanelKind::Steps {
                        lines: vec![SeriesLine::new("train_loss_barrier", "", Stroke::Solid)],
                        x_label: "step".into(),
                        y: Axis::linear("training-loss barrier"),
                    };
                    panel(&cell.setting, of(cell), by_k(), kind)
                })
                .collect(),
        ),
    ];
    let optimizers: std::collections::BTreeSet<_> = copies.iter().map(|cell| cell.optimizer).collect();
    charts.push(chart(
        "rates",
        "Learning rate by warm-up",
        2,
        "Barrier of the training loss between copies that left at the first spawn step, over peak learning rate and warm-up, on one logarithmic scale; mean over repetitions.",
        optimizers
            .into_iter()
            .rev()
            .map(|optimizer| {
                let heat = Heat {
                    value: Axis { label: "training-loss barrier".into(), log: true, range: Some([0.0003, 0.3]) },
                    x_label: "peak learning rate".into(),
                    y_label: "warm-up steps".into(),
                    colors: HeatColors::Cividis,
                };
                let by = ["lr".into(), "warmup".into()];
                let kind = PanelKind::Grid { series: "train_loss_barrier".into(), by, heat };
                let tracks = all().and("k", &[earliest.as_str()]).and("optimizer", &[optimizer]);
                panel(if optimizer == "sgd" { "SGD" } else { "Adam" }, tracks, ColorBy::Track, kind)
            })
            .collect(),
    ));
    charts
}

fn plane(starts: Option<&Cell>, copies: Option<&Cell>) -> Chart {
    let one = |title: String, protocol: &str| {
        let kind = PanelKind::Plane { series: "plane".into() };
        panel(&title, TrackFilter::is("protocol", protocol).and("plane", &["yes"]), ColorBy::Track, kind)
    };
    let mut panels = Vec::new();
    panels.extend(copies.map(|cell| one(format!("Copies, {}: the start, a and b", cell.setting), "copies")));
    panels.extend(starts.map(|_| one("Different starts: a, b and matched b".into(), "starts")));
    chart(
        "plane",
        "Both ways on one plane",
        3,
        "Training loss on the plane through three networks, true to scale. For copies: the start, a and b; the lines are the ways of both networks, from the start to the dots. \
         For different starts: a, b and b with its units matched to a's, which is the same function as b: a's basin holds the matched b and not b. Ways are projected; the note says how far they leave the plane.",
        panels,
    )
}

fn factor_chart() -> Chart {
    let heat = Heat {
        value: Axis { label: "training-loss barrier".into(), log: true, range: Some([0.0003, 0.6]) },
        x_label: "learning rate of SGD".into(),
        y_label: "what is changed".into(),
        colors: HeatColors::Cividis,
    };
    let kind = PanelKind::Grid { series: "train_loss_barrier".into(), by: ["lr".into(), "factor".into()], heat };
    let tracks = TrackFilter::is("optimizer", "sgd").and("warmup", &["0"]).and("k", &["0"]);
    chart(
        "factors",
        "One factor at a time",
        2,
        "Barrier of the training loss between two copies that left at the start (k = 0), without warm-up, with one thing changed in each row, for each learning rate; logarithmic. \
         Smaller batches, narrow networks and noisy labels raise it; in empty cells a repetition diverged, and near the top end points may have learned little: see the test accuracy. local and shared are the two steps from a dense layer to a convolution.",
        vec![panel("", tracks, ColorBy::Track, kind)],
    )
}

fn control() -> Chart {
    let tracks = || TrackFilter::is("protocol", "control").and("repetition", &["1"]);
    let steps = PanelKind::Steps {
        lines: vec![
            SeriesLine::new("train_loss_barrier", "training", Stroke::Solid),
            SeriesLine::new("test_loss_barrier", "test", Stroke::Solid),
        ],
        x_label: "step".into(),
        y: Axis::linear("loss barrier"),
    };
    let path = vec![
        SeriesLine::new("train_path", "training", Stroke::Solid),
        SeriesLine::new("test_path", "test", Stroke::Solid),
    ];
    chart(
        "control",
        "The convex control",
        4,
        "Softmax regression has a convex loss: between any two of its networks the loss lies on or below the chord, so the barrier is 0 up to rounding at every step, whatever was trained how. \
         A barrier here would be a bug of the measurement.",
        vec![
            panel("Loss on the way", tracks(), ColorBy::Track, profile(path, "loss")),
            panel("Barrier", tracks(), ColorBy::Track, steps),
        ],
    )
}
