//! What is shown.

use crate::record::chart::{Axis, Chart, ColorBy, Panel, PanelKind, SeriesLine, Stroke, TrackFilter};

use super::knobs::Setting;

const LAYER: &str = "layer";
const SHAPED: [&str; 4] = ["equation", "chain", "correlation", "networks"];
const UNSHAPED: [&str; 2] = ["unshaped", "unshaped-networks"];
const WITHOUT: [&str; 5] = ["equation", "unshaped", "not-centred", "cold", "rectifier"];

fn panel(title: &str, witnesses: &[&str], kind: PanelKind) -> Panel {
    let tracks = TrackFilter::default().and("witness", witnesses);
    Panel { title: title.into(), tracks, color: ColorBy::Track, kind, notes: Vec::new() }
}

fn lines(series: &[(&str, &str, Stroke)], y: Axis) -> PanelKind {
    let lines = series.iter().map(|(series, label, stroke)| SeriesLine::new(series, label, *stroke)).collect();
    PanelKind::Steps { lines, x_label: LAYER.into(), y }
}

fn fan(series: &str, y: Axis) -> PanelKind {
    PanelKind::Fan { series: series.into(), x_label: LAYER.into(), y }
}

fn chart(id: &str, title: &str, stack: u8, guide: &str, panels: Vec<Panel>) -> Chart {
    Chart { id: id.into(), title: title.into(), guide: guide.into(), stack, panels }
}

pub fn all(setting: &Setting) -> Vec<Chart> {
    let rho = || Axis::within("correlation ρ", -1.0, 1.0);
    let mut fans = vec![
        panel("Shaped: the correlation of two tokens", &SHAPED, fan("correlation quantiles", rho())),
        panel("Unshaped", &UNSHAPED, fan("correlation quantiles", rho())),
    ];
    let note = format!("t = layer/{}, quantiles 5, 25, 50, 75 and 95 %", setting.network.width);
    fans.iter_mut().for_each(|panel| panel.notes.push(note.clone()));
    let ellipses = |title: &str, witness: &str| {
        let (x, y) = (Axis::linear("token 1"), Axis::linear("token 2"));
        panel(title, &[witness], PanelKind::Ellipses { series: "covariance".into(), x, y })
    };
    let density =
        |series: &str, title: &str, x: Axis| panel(title, &SHAPED, PanelKind::Densities { series: series.into(), x });
    let exploded = PanelKind::Summary {
        series: "exploded".into(),
        by: "gamma".into(),
        group: None,
        x: Axis::linear("branch weight γ"),
        y: Axis::linear("share exploded"),
        best: None,
    };
    vec![
        chart(
            "correlation",
            "Correlation over depth",
            0,
            "Left: bands hold the middle 50 and 90 % of the stochastic equation's paths; dashed lines are the same quantiles of \
             networks without weights (exact in law) and of networks with all their weights. Where the lines follow the \
             bands, the limit of infinite depth and width describes the networks. Right: the same network with softmax \
             attention and ReLU: its tokens become one.",
            fans,
        ),
        chart(
            "mean-correlation",
            "Mean |ρ|",
            1,
            "Mean absolute correlation of two tokens over depth, shaped against unshaped. At 1 the tokens can't be told apart.",
            vec![panel(
                "",
                &["equation", "chain", "networks", "unshaped", "unshaped-networks"],
                lines(&[("mean |correlation|", "", Stroke::Solid)], Axis::within("mean |ρ|", 0.0, 1.0)),
            )],
        ),
        chart(
            "density",
            "Densities",
            1,
            "Densities at the cursor's layer: of the correlation and of the variance of a token. Solid: the equation.",
            vec![
                density("correlation density", "Correlation at the cursor", rho()),
                density("variance density", "Variance of token 1 at the cursor", Axis::within("log₁₀ V₁₁", -3.0, 3.0)),
            ],
        ),
        chart(
            "ellipses",
            "Two tokens",
            2,
            "Ellipses {z: z'V⁻¹z = 1} of the covariance of two tokens at the cursor, of six networks with weights. A circle: \
             uncorrelated; a stroke along the diagonal: one token. Scrub to go deeper.",
            vec![ellipses("Shaped", "single"), ellipses("Unshaped", "unshaped-single")],
        ),
        chart(
            "single-networks",
            "One by one",
            1,
            "The correlation of two tokens through the layers of six networks with weights, one line each: the paths that the fan is made of. Shaped, they wander as diffusions do; unshaped, all climb to 1.",
            vec![
                panel("Shaped", &["single"], lines(&[("correlation", "", Stroke::Solid)], rho())),
                panel("Unshaped", &["unshaped-single"], lines(&[("correlation", "", Stroke::Solid)], rho())),
            ],
        ),
        chart(
            "variance",
            "Variance",
            2,
            "Quantiles of the variance V₁₁ of the first token, logarithmic. Its mean diverges, as some paths explode in \
             finite time, so quantiles are shown; exploded paths count as infinitely large.",
            vec![
                panel("Variance of the first token", &SHAPED, fan("variance quantiles", Axis::log("V₁₁"))),
                panel(
                    "Median variances of both tokens",
                    &["equation", "chain", "networks"],
                    lines(
                        &[
                            ("median variance", "token 1", Stroke::Solid),
                            ("median second variance", "token 2", Stroke::Dashed),
                        ],
                        Axis::linear("median"),
                    ),
                ),
            ],
        ),
        chart(
            "without",
            "What each thing is for",
            3,
            "One thing taken away at a time, in networks without weights. Left, not centred, or with the ReLU as it is: tokens \
             become alike. Right, without the growing temperature: variances explode. The equation, with everything, for \
             comparison.",
            vec![
                panel(
                    "Median correlation",
                    &WITHOUT,
                    lines(&[("median correlation", "", Stroke::Solid)], Axis::linear("median of ρ")),
                ),
                panel(
                    "Upper variance",
                    &WITHOUT,
                    lines(&[("upper variance", "", Stroke::Solid)], Axis::log("95 % quantile of V₁₁")),
                ),
            ],
        ),
        chart(
            "agreement",
            "Agreement",
            4,
            "How far networks are from the equation: the largest distance of the two distribution functions of the correlation \
             (Kolmogorov and Smirnov). Dashed: what two samples of one law of these sizes exceed once in a thousand times.",
            vec![panel(
                "",
                &["chain", "correlation", "networks"],
                lines(
                    &[("distance", "distance", Stroke::Solid), ("distance bound", "bound", Stroke::Dashed)],
                    Axis::linear("distance"),
                ),
            )],
        ),
        chart(
            "critical-exponent",
            "Why the root of the width",
            3,
            "An MLP with γ² = 1/2, c₋ = −2 and as many layers as channels, its slopes 1 + c/nᵖ: the median correlation at the last layer. At p = ½ all widths agree with the equation; below, tokens become one as the width grows; above, the network becomes linear. It doesn't depend on the knobs.",
            vec![panel(
                "",
                &["exponent"],
                PanelKind::Summary {
                    series: "median correlation".into(),
                    by: "width".into(),
                    group: Some("exponent".into()),
                    x: Axis::log("width n"),
                    y: Axis::linear("median of ρ"),
                    best: None,
                },
            )],
        ),
        chart(
            "explosions",
            "Explosions",
            4,
            "Left: share of paths whose variance has passed 10⁶. Right: the equation's share at the cursor for several branch \
             weights: the equation holds up to an explosion time, and small branches postpone it.",
            vec![
                panel(
                    "Share exploded",
                    &["equation", "chain", "networks", "cold"],
                    lines(&[("exploded", "", Stroke::Solid)], Axis::linear("share exploded")),
                ),
                panel("Share exploded at the cursor", &["gamma"], exploded),
            ],
        ),
    ]
}
