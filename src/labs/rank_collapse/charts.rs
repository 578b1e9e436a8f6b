//! What is shown.

use crate::record::chart::{
    Axis, Best, Chart, ColorBy, Heat, HeatColors, Panel, PanelKind, SeriesLine, Stroke, TrackFilter,
};
use crate::run::bench::Values;

pub(super) fn charts(values: &Values) -> Vec<Chart> {
    let mut charts = vec![correlation(), matrices(), gradients(), rank_one(), distance(), with_first(), exact()];
    charts.extend([over_correlation(), over_depth()]);
    if values.toggle("training") {
        charts.extend([training(values), best(values), of_the_loss(values)]);
    }
    charts
}

fn chart(id: &str, title: &str, stack: u8, guide: &str, panels: Vec<Panel>) -> Chart {
    Chart { id: id.into(), title: title.into(), guide: guide.into(), stack, panels }
}

fn panel(title: &str, tracks: TrackFilter, color: ColorBy, kind: PanelKind) -> Panel {
    Panel { title: title.into(), tracks, color, kind, notes: Vec::new() }
}

fn of(networks: &[&str]) -> TrackFilter {
    TrackFilter::is("stage", "initialisation").and("network", networks)
}

fn stage(name: &str) -> TrackFilter {
    TrackFilter::is("stage", name)
}

fn layers(lines: Vec<SeriesLine>, y: Axis) -> PanelKind {
    PanelKind::Steps { lines, x_label: "layer".into(), y }
}

fn solid(series: &str, label: &str) -> SeriesLine {
    SeriesLine::new(series, label, Stroke::Solid)
}

fn dashed(series: &str, label: &str) -> SeriesLine {
    SeriesLine::new(series, label, Stroke::Dashed)
}

fn faint(series: &str, label: &str) -> SeriesLine {
    SeriesLine::new(series, label, Stroke::Faint)
}

fn marked(series: &str, label: &str) -> SeriesLine {
    SeriesLine::new(series, label, Stroke::Marked)
}

fn cosine_axis() -> Axis {
    Axis::within("mean cosine of tokens", 0.0, 1.0)
}

fn correlation() -> Chart {
    let both = || vec![solid("cosine", ""), dashed("cosine_theory", "theory")];
    let chosen = vec![
        solid("cosine", "drawn"),
        faint("cosine_low", "− deviation"),
        faint("cosine_high", "+ deviation"),
        dashed("cosine_theory", "theory"),
    ];
    chart(
        "correlation",
        "Tokens align with depth",
        0,
        "Mean cosine between different tokens after each block, averaged over draws; pale lines are one standard deviation \
         between networks. Dashed: uniform attention at infinite width. A line that reaches 1 has lost its sequence: all \
         tokens point the same way. Post-LN and no normalisation get there exponentially, Pre-LN slowly, and branches over \
         the root of the depth not at all.",
        vec![
            panel("Chosen network", of(&["chosen"]), ColorBy::Series, layers(chosen, cosine_axis())),
            panel(
                "What the paper varies",
                of(&["no-ln", "pre-ln", "post-ln", "scaled"]),
                ColorBy::Track,
                layers(both(), cosine_axis()),
            ),
        ],
    )
}

fn cosine_heat(x: &str, y: &str) -> Heat {
    Heat {
        value: Axis::within("cosine", -1.0, 1.0),
        x_label: x.into(),
        y_label: y.into(),
        colors: HeatColors::Diverging,
    }
}

fn matrices() -> Chart {
    let matrix = || PanelKind::Matrix { series: "cosines".into(), heat: cosine_heat("token", "token"), square: true };
    chart(
        "tokens",
        "Cosines between tokens",
        1,
        "Every pair of tokens of one drawn network at the layer of the cursor: red is the same direction, white unrelated, \
         blue opposite. Drag the cursor from 0: at α of order 1 the whole square turns red.",
        vec![
            panel("Layer of the cursor", of(&["chosen"]), ColorBy::Track, matrix()),
            panel("Layer of the cursor", of(&["scaled"]), ColorBy::Track, matrix()),
        ],
    )
}

fn with_first() -> Chart {
    let map = || PanelKind::StepMap { series: "with_first".into(), heat: cosine_heat("layer", "other token") };
    chart(
        "first-token",
        "Cosines with the first token",
        1,
        "A row for each other token, a column for each layer. Where the colours of a column are all one red, the tokens \
         are one.",
        vec![
            panel("Chosen network", of(&["chosen"]), ColorBy::Track, map()),
            panel("Post-LN with α/√L", of(&["scaled"]), ColorBy::Track, map()),
        ],
    )
}

fn gradients() -> Chart {
    let lines = vec![
        solid("queries", "queries"),
        solid("keys", "keys"),
        solid("values", "values"),
        dashed("queries_theory", "queries, closed form"),
        dashed("values_theory", "values, closed form"),
    ];
    chart(
        "gradients",
        "What queries, keys and values can learn from",
        2,
        "Frobenius norms of the Jacobians of an attention layer's output by its three matrices, for a layer that reads the \
         stream at this depth. Dashed: the closed forms at uniform attention. Once tokens are one, queries and keys have \
         exactly no gradient, whatever the loss; values keep theirs. With α/√L all stay within a small factor.",
        vec![
            panel("Chosen network", of(&["chosen"]), ColorBy::Series, layers(lines, Axis::log("|∂S/∂W|"))),
            panel(
                "Queries over values",
                of(&["pre-ln", "post-ln", "scaled"]),
                ColorBy::Track,
                layers(
                    vec![solid("queries_over_values", ""), dashed("queries_over_values_theory", "theory")],
                    Axis::log("queries over values"),
                ),
            ),
        ],
    )
}

fn over_correlation() -> Chart {
    let profile = |lines, y| PanelKind::Profile {
        lines,
        x_series: Some("rho".into()),
        x: Axis::linear("correlation ρ of the inputs"),
        y,
    };
    let norms = vec![
        solid("queries", "queries"),
        solid("values", "values"),
        marked("queries_softmax", "queries, softmax"),
        marked("values_softmax", "values, softmax"),
        dashed("queries_theory", "queries, closed form"),
        dashed("values_theory", "values, closed form"),
    ];
    let ratios =
        vec![solid("ratio", "uniform"), marked("ratio_softmax", "softmax"), dashed("ratio_theory", "closed form")];
    chart(
        "gradients-over-correlation",
        "Gradients against correlation",
        2,
        "One attention layer on Gaussian tokens of correlation ρ. Queries fall as 1 − ρ, values rise as √(1 + (n − 1)ρ): \
         the imbalance grows without bound on the way to collapse, and Adam's division by gradient sizes evens it out.",
        vec![
            panel("One layer", stage("over-correlation"), ColorBy::Series, profile(norms, Axis::log("|∂S/∂W|"))),
            panel(
                "Queries over values",
                stage("over-correlation"),
                ColorBy::Series,
                profile(ratios, Axis::log("queries over values")),
            ),
        ],
    )
}

fn rank_one() -> Chart {
    let networks = ["chosen", "linear", "no-skip", "no-skip-hot"];
    chart(
        "rank-one",
        "Distance to rank one",
        3,
        "r = |X − 1x̄'|/|X|: how far the tokens are from being one. Left: r itself. Right: −ln r on a logarithmic axis, where \
         a doubly exponential fall is a straight line; dashed, r is cubed in every block, as without skips. With skips −ln r \
         grows only linearly. A higher temperature of the logits (4τ) delays the fall by some blocks. Numbers are followed \
         down to 1e-150: tokens are stored as their mean and what they differ from it by.",
        vec![
            panel("r", of(&networks), ColorBy::Track, layers(vec![solid("residual", "")], Axis::log("r"))),
            panel(
                "−ln r",
                of(&networks),
                ColorBy::Track,
                layers(vec![solid("collapse", ""), dashed("collapse_theory", "cubed")], Axis::log("−ln r")),
            ),
        ],
    )
}

fn distance() -> Chart {
    chart(
        "distance",
        "The exponential regime",
        0,
        "1 − ρ on a logarithmic axis: a straight line is exponential collapse. Pre-LN bends, because the skip grows and \
         every branch weighs less. Dashed: theory.",
        vec![panel(
            "",
            of(&["no-ln", "pre-ln", "post-ln", "scaled", "linear"]),
            ColorBy::Track,
            layers(vec![solid("distance", ""), dashed("distance_theory", "theory")], Axis::log("1 − mean cosine")),
        )],
    )
}

fn exact() -> Chart {
    let networks = ["linear", "linear-scaled"];
    chart(
        "closed-form",
        "The closed form",
        0,
        "Uniform attention, linear MLP, no normalisation: here theory is exact for the averages of C, M and D. Left: the \
         correlation as the ratio of averages. Right: D/(C/n), which falls by 1 + α₁² in every block.",
        vec![
            panel(
                "Ratio of averages",
                of(&networks),
                ColorBy::Track,
                layers(vec![solid("cosine_of_means", ""), dashed("cosine_theory", "ρ_L")], cosine_axis()),
            ),
            panel(
                "D/(C/n)",
                of(&networks),
                ColorBy::Track,
                layers(vec![solid("contrast", ""), dashed("contrast_theory", "(1 + α₁²)^−L")], Axis::log("D/(C/n)")),
            ),
        ],
    )
}

fn over_depth() -> Chart {
    let lines = vec![
        marked("fixed", "α as it is"),
        marked("scaled", "α/√L"),
        dashed("fixed_theory", "closed form"),
        dashed("scaled_theory", "closed form, α/√L"),
        dashed("scaled_limit", "its limit, L → ∞"),
    ];
    chart(
        "depth",
        "The end against the depth",
        3,
        "Correlation after the last block of linear networks of several depths. With α of order 1 it goes to 1; with α/√L \
         it goes to a number below 1 that depends on α₁ alone.",
        vec![panel(
            "",
            stage("over-depth"),
            ColorBy::Series,
            PanelKind::Profile { lines, x_series: Some("depth".into()), x: Axis::log("blocks L"), y: cosine_axis() },
        )],
    )
}

fn training(values: &Values) -> Chart {
    let panels = values
        .numbers("depths")
        .iter()
        .map(|depth| {
            let depth = depth.to_string();
            let tracks = TrackFilter::default().and("stage", &["best", "training"]).and("depth", &[&depth]);
            let kind = PanelKind::Steps {
                lines: vec![solid("best", ""), faint("loss", "")],
                x_label: "step".into(),
                y: Axis::linear("training loss"),
            };
            panel(&format!("{depth} blocks"), tracks, ColorBy::Attribute("color".into()), kind)
        })
        .collect();
    chart(
        "training",
        "Training: SGD and Adam",
        4,
        "Post-LN vision transformers on the digits. Pale: a line for each learning rate that was tried; strong: the lowest \
         of them at each step. The loss is a running mean over some ten batches; ln 10 = 2.3 is guessing. Without scaling \
         deep networks hardly train, SGD least of all, since it doesn't make up for the vanishing gradients of queries and \
         keys.",
        panels,
    )
}

fn best(values: &Values) -> Chart {
    let depths = values.numbers("depths");
    let deepest = depths.last().map_or_else(String::new, ToString::to_string);
    let summary = |series: &str, by: &str, x: Axis, best| PanelKind::Summary {
        series: series.into(),
        by: by.into(),
        group: Some("setting".into()),
        x,
        y: Axis::linear("test loss at the end"),
        best,
    };
    let tracks = stage("training").and("depth", &[&deepest]);
    let rates = summary("test_loss", "rate", Axis::log("learning rate"), Some(Best::Lowest));
    let mut panels = vec![panel(&format!("{deepest} blocks"), tracks, ColorBy::Track, rates)];
    if depths.len() > 1 {
        let over = summary("best_test_loss", "depth", Axis::log("blocks"), None);
        panels.push(panel("Best rates", stage("best"), ColorBy::Track, over));
    }
    chart(
        "best",
        "What is trainable where",
        4,
        "Test loss at the end, for each optimiser and scale, against the learning rate at the deepest depth, and with the best \
         rate against the depth. With α = 1/√L depth costs Adam next to nothing and SGD some, and the best rates are higher.",
        panels,
    )
}

fn of_the_loss(values: &Values) -> Chart {
    let deepest = values.numbers("depths").last().map_or_else(String::new, ToString::to_string);
    // Collapse halves the distance in every block: both panels reach as far.
    let deep = values.numbers("depths").last().copied().unwrap_or(1.0);
    let y = Axis { label: "|∂loss/∂W|".into(), log: true, range: Some([0.3 * 2.0_f64.powf(-deep), 3.0]) };
    let rate = values.numbers("sgd-rates").first().map_or_else(String::new, ToString::to_string);
    let profile = |title: &str, scaled: &str| {
        let tracks = stage("training")
            .and("depth", &[&deepest])
            .and("optimizer", &["sgd"])
            .and("scaled", &[scaled])
            .and("rate", &[&rate]);
        let kind = PanelKind::Profile {
            lines: vec![solid("queries", "queries"), solid("keys", "keys"), solid("values", "values")],
            x_series: None,
            x: Axis::linear("block, from 0"),
            y: y.clone(),
        };
        panel(title, tracks, ColorBy::Series, kind)
    };
    chart(
        "loss-gradients",
        "What SGD sees",
        4,
        "Norms of the gradient of the loss by the matrices of each block of the deepest trained network, on the batch of the \
         cursor's step; go to step 0 for the network as it was drawn. Without scaling the gradients of queries and keys fall \
         away from block to block, because the tokens that these blocks read are all alike.",
        vec![profile("SGD, α = 1", "false"), profile("SGD, α = 1/√L", "true")],
    )
}
