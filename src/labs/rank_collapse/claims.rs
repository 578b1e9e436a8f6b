//! The paper's statements as checks of a recording.

use crate::base::statistics::least_squares;
use crate::labs::{Check, Claim, Number};
use crate::record::{Column, Recording, Track};

use super::training::SETTINGS;

/// The network of the picture called `id`; none if its tokens are one from the start, so that nothing is left to collapse.
fn network<'a>(recording: &'a Recording, id: &str) -> Option<&'a Track> {
    let differ = |track: &&Track| values(track, "cosine").and_then(|cosines| cosines.first()).is_none_or(|c| *c < 0.95);
    any_network(recording, id).filter(differ)
}

fn any_network<'a>(recording: &'a Recording, id: &str) -> Option<&'a Track> {
    let has = |track: &Track, name: &str, value: &str| track.attributes.get(name).is_some_and(|v| v == value);
    recording
        .tracks()
        .map(|(_, track)| track)
        .find(|track| has(track, "stage", "initialisation") && has(track, "network", id))
}

fn stage<'a>(recording: &'a Recording, name: &str) -> impl Iterator<Item = &'a Track> {
    recording
        .tracks()
        .map(|(_, track)| track)
        .filter(move |track| track.attributes.get("stage").is_some_and(|stage| stage == name))
}

fn values<'a>(track: &'a Track, series: &str) -> Option<&'a Column<f64>> {
    track.scalar(series).map(|series| series.values()).filter(|values| !values.is_empty())
}

fn last(track: &Track, series: &str) -> Option<f64> {
    values(track, series)?.last().copied()
}

/// Last over first; none where there was nothing at first.
fn change(track: &Track, series: &str) -> Option<f64> {
    let first = values(track, series)?.first().copied().filter(|first| *first != 0.0)?;
    Some(last(track, series)? / first)
}

/// Largest distance of two series, layer by layer.
fn apart(track: &Track, series: &str, theory: &str) -> Option<f64> {
    let (found, theory) = (values(track, series)?, values(track, theory)?);
    found.iter().zip(theory).map(|(a, b)| (a - b).abs()).reduce(f64::max)
}

fn vector(track: &Track, series: &str) -> Option<Vec<f64>> {
    let (_, row) = track.vector(series)?.latest_at(u64::MAX)?;
    Some(row.iter().map(|v| f64::from(*v)).collect())
}

const NOT_YET: &str = "the picture at initialisation, of tokens that differ at the inputs";

const TRAINED: &str = "the end of training";

pub(super) static CLAIMS: &[Claim] = &[
    Claim {
        id: "collapse",
        statement: "With residual branches of order 1 the correlation of tokens grows to 1 with depth",
        check_text: "Linear networks with uniform attention and α = 1: cosine after the last block, and its largest distance from ρ_L \
                     in any block (six seeds of three draws: 0.013 to 0.10).",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                let track = network(recording, "linear")?;
                Some(vec![
                    Number::at_least("cosine at the end", last(track, "cosine")?, 0.98),
                    Number::at_most("|cosine of means − ρ_L|", apart(track, "cosine_of_means", "cosine_theory")?, 0.2),
                ])
            };
            Check::of_all(numbers(), NOT_YET)
        },
    },
    Claim {
        id: "scaling-keeps-correlation",
        statement: "With α = 1/√L the correlation stays away from 1 at any depth",
        check_text: "Linear networks with uniform attention at 2 to 64 blocks: the largest correlation at the end (six seeds: 0.40 to \
                     0.48), and its distance from the closed form (0.04 to 0.10); the softmax, ReLU, Post-LN network at the end (0.54 to 0.61).",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                let track = stage(recording, "over-depth").next()?;
                let (found, theory) = (vector(track, "scaled")?, vector(track, "scaled_theory")?);
                let largest = found.iter().copied().reduce(f64::max)?;
                let apart = found.iter().zip(&theory).map(|(a, b)| (a - b).abs()).reduce(f64::max)?;
                Some(vec![
                    Number::at_most("largest cosine, linear", largest, 0.7),
                    Number::at_most("|cosine − ρ_L|", apart, 0.2),
                    Number::at_most(
                        "cosine at the end, softmax and ReLU",
                        last(network(recording, "scaled")?, "cosine")?,
                        0.75,
                    ),
                ])
            };
            Check::of_all(numbers(), NOT_YET)
        },
    },
    Claim {
        id: "residual-rate",
        statement: "The distance to the mean token, D/(C/n), falls as (1 + α₁²)^−L",
        check_text: "Slope of ln D/(C/n) over the blocks of the linear network, over that of theory (six seeds: 0.95 to 1.01).",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                let track = network(recording, "linear")?;
                let slope = |series: &str| {
                    let points = values(track, series)?.iter().enumerate().map(|(l, c)| [l as f64, c.ln()]);
                    Some(least_squares(points)?.slope)
                };
                Some(vec![Number::within(
                    "slope over theory",
                    slope("contrast")? / slope("contrast_theory")?,
                    0.8,
                    1.2,
                )])
            };
            Check::of_all(numbers(), NOT_YET)
        },
    },
    Claim {
        id: "post-collapses-pre-slowly",
        statement: "Post-LN collapses exponentially, Pre-LN only slowly, since its skip grows",
        check_text: "1 − cosine after the last block of softmax, ReLU networks (six seeds: 7e-8 to 3e-7, and 0.11 to 0.15).",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                Some(vec![
                    Number::at_most("Post-LN", last(network(recording, "post-ln")?, "distance")?, 1e-3),
                    Number::at_least("Pre-LN", last(network(recording, "pre-ln")?, "distance")?, 0.05),
                ])
            };
            Check::of_all(numbers(), NOT_YET)
        },
    },
    Claim {
        id: "doubly-exponential",
        statement: "Without skips and MLPs the distance to rank one falls doubly exponentially",
        check_text: "Slope of ln(−ln r) over the blocks where −ln r is between 4 and 300; ln 3 = 1.10 if r is cubed (six seeds: 1.10 to \
                     1.13).",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                let collapse = values(network(recording, "no-skip")?, "collapse")?;
                let points = collapse.iter().enumerate().filter(|(_, c)| (4.0..300.0).contains(*c));
                let fit = least_squares(points.map(|(l, c)| [l as f64, c.ln()]))?;
                Some(vec![Number::within("slope", fit.slope, 0.9, 1.3)])
            };
            Check::of_all(numbers(), "fewer than three blocks with a distance between e^-4 and e^-300")
        },
    },
    Claim {
        id: "queries-vanish",
        statement: "As tokens collapse, the gradients of queries and keys vanish and those of values don't",
        check_text: "Jacobians at the last layer over those at the first, Post-LN, softmax and ReLU (six seeds: 2e-7 to 7e-7 for queries \
                     and keys, 1.79 to 1.90 for values).",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                let track = network(recording, "post-ln")?;
                Some(vec![
                    Number::at_most("queries", change(track, "queries")?, 0.01),
                    Number::at_most("keys", change(track, "keys")?, 0.01),
                    Number::at_least("values", change(track, "values")?, 1.0),
                ])
            };
            Check::of_all(numbers(), NOT_YET)
        },
    },
    Claim {
        id: "gradient-formulas",
        statement: "|∂S/∂W_V|² = s² d² (1 + (n − 1)ρ), |∂S/∂W_Q|² = τ² s⁶ ((n − 1)/n)(1 − ρ)² d (n + d)",
        check_text: "Largest deviation of the norms from the closed forms for ρ from 0 to 0.96 at uniform attention (six seeds of four \
                     draws: 0.02 to 0.05, and 0.02 to 0.10); at softmax attention it is told.",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                let track = stage(recording, "over-correlation").next()?;
                let off = |found: &str, theory: &str| {
                    let (found, theory) = (vector(track, found)?, vector(track, theory)?);
                    found.iter().zip(theory).map(|(a, b)| (a / b - 1.0).abs()).reduce(f64::max)
                };
                Some(vec![
                    Number::at_most("queries", off("queries", "queries_theory")?, 0.2),
                    Number::at_most("values", off("values", "values_theory")?, 0.2),
                    Number::told("queries, softmax", off("queries_softmax", "queries_theory")?),
                    Number::told("values, softmax", off("values_softmax", "values_theory")?),
                ])
            };
            Check::of_all(numbers(), NOT_YET)
        },
    },
    Claim {
        id: "scaling-keeps-gradients",
        statement: "With α = 1/√L queries and keys keep their gradients at any depth",
        check_text: "Jacobians by queries and keys at the last layer over those at the first, Post-LN, softmax and ReLU (six seeds: 0.46 \
                     to 0.59).",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                let track = network(recording, "scaled")?;
                Some(vec![
                    Number::at_least("queries", change(track, "queries")?, 0.3),
                    Number::at_least("keys", change(track, "keys")?, 0.3),
                ])
            };
            Check::of_all(numbers(), NOT_YET)
        },
    },
    Claim {
        id: "temperature",
        statement: "A higher inverse temperature delays the collapse and multiplies the gradients of queries and keys",
        check_text: "Without skips, 4τ beside τ: blocks more until r is below 0.01, and the factor of the Jacobian by the \
                     queries at the inputs. At uniform attention that is 4; softmax attention, which 4τ makes choose, gave \
                     3.8 to 4.8 over six seeds.",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                let (plain, hot) = (network(recording, "no-skip")?, network(recording, "no-skip-hot")?);
                let reached = |track| {
                    let residuals = values(track, "residual")?;
                    Some(residuals.iter().position(|r| *r < 0.01).unwrap_or(residuals.len()) as f64)
                };
                let first = |track| values(track, "queries")?.first().copied();
                Some(vec![
                    Number::at_least("blocks later", reached(hot)? - reached(plain)?, 1.0),
                    Number::within("queries' factor", first(hot)? / first(plain)?, 2.8, 5.6),
                ])
            };
            Check::of_all(numbers(), NOT_YET)
        },
    },
    Claim {
        id: "loss-gradients",
        statement: "What SGD sees: without scaling, deep blocks' queries and keys get far smaller gradients of the loss than \
                    values",
        check_text: "Norm of the loss's gradient by the queries over that by the values, at the last block of the deepest network before \
                     training: α = 1 over α = 1/√L (five seeds: up to 0.051 at 12 blocks, 2e-6 at 24).",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                let deepest =
                    stage(recording, "training").filter_map(|track| track.number("depth")).reduce(f64::max)?;
                let ratio = |scaled: &str| {
                    let is_asked = |track: &&Track| {
                        track.number("depth") == Some(deepest)
                            && track.attributes.get("scaled").is_some_and(|s| s == scaled)
                    };
                    let track = stage(recording, "training").find(is_asked)?;
                    let at_start = |series: &str| track.vector(series)?.latest_at(0)?.1.last().copied();
                    Some(f64::from(at_start("queries")? / at_start("values")?))
                };
                let (free, scaled) = (ratio("false")?, ratio("true")?);
                Some(vec![
                    Number::at_most("ratio, α = 1, over that with α = 1/√L", free / scaled, 0.3),
                    Number::told("ratio, α = 1", free),
                    Number::told("ratio, α = 1/√L", scaled),
                ])
            };
            Check::of_all(numbers(), "the networks that are trained")
        },
    },
    Claim {
        id: "scaling-trains",
        statement: "Deep Post-LN networks train with branches over √L, and hardly without",
        check_text: "Test loss at the end at the deepest depth, best rate each: α = 1 less α = 1/√L (at 12 blocks, six seeds: 0.27 to 0.72 \
                     for SGD, 0.18 to 0.81 for Adam; at 24, five seeds: 0.37 to 0.78, and 0.67 to 0.99).",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                let loss = deepest(recording)?;
                Some(vec![
                    Number::at_least("SGD", loss(0)? - loss(1)?, 0.1),
                    Number::at_least("Adam", loss(2)? - loss(3)?, 0.1),
                ])
            };
            Check::of_all(numbers(), TRAINED)
        },
    },
    Claim {
        id: "adam-copes-better",
        statement: "Adam, which divides by gradient sizes, copes with collapsed tokens better than SGD",
        check_text: "Test loss at the end at the deepest depth, α = 1, best rate each: SGD less Adam (at 12 blocks, six seeds: 0.17 to 0.36; \
                     at 24, five seeds: 0.07 to 0.23, since there neither learns much).",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                let loss = deepest(recording)?;
                Some(vec![Number::at_least("SGD less Adam", loss(0)? - loss(2)?, 0.0)])
            };
            Check::of_all(numbers(), TRAINED)
        },
    },
    Claim {
        id: "depth-hurts-unscaled",
        statement: "Depth hurts training without scaling, and far less with it",
        check_text: "Test loss at the end, best rate each, at the deepest depth less that at the shallowest: with α = 1, and how much more \
                     that is than with α = 1/√L (4 and 24 blocks, five seeds: SGD 0.42 to 0.87, and 0.21 to 0.67; Adam 0.46 to 0.79, and \
                     0.40 to 0.79).",
        known_failure: "",
        check: |recording| {
            let numbers = || {
                let depths: Vec<f64> = stage(recording, "best").filter_map(|track| track.number("depth")).collect();
                let shallow = depths.iter().copied().reduce(f64::min)?;
                let deep = depths.iter().copied().reduce(f64::max).filter(|deep| *deep > shallow)?;
                let rise =
                    |setting: usize| Some(loss_of(recording, deep, setting)? - loss_of(recording, shallow, setting)?);
                Some(vec![
                    Number::at_least("SGD, α = 1", rise(0)?, 0.2),
                    Number::at_least("SGD, α = 1 less α = 1/√L", rise(0)? - rise(1)?, 0.1),
                    Number::at_least("Adam, α = 1", rise(2)?, 0.2),
                    Number::at_least("Adam, α = 1 less α = 1/√L", rise(2)? - rise(3)?, 0.1),
                    Number::told("SGD, α = 1/√L", rise(1)?),
                    Number::told("Adam, α = 1/√L", rise(3)?),
                ])
            };
            Check::of_all(numbers(), "the end of training, of networks of two depths: the preset standard trains them")
        },
    },
];

/// The test loss at the end of training.
fn loss_of(recording: &Recording, depth: f64, setting: usize) -> Option<f64> {
    recording.outcome.as_ref()?;
    let is_asked = |track: &&Track| {
        track.number("depth") == Some(depth)
            && track.attributes.get("setting").is_some_and(|s| s == SETTINGS[setting].label)
    };
    last(stage(recording, "best").find(is_asked)?, "best_test_loss")
}

/// The test loss at the end of each setting at the deepest depth that was trained.
fn deepest(recording: &Recording) -> Option<impl Fn(usize) -> Option<f64>> {
    let depth = stage(recording, "best").filter_map(|track| track.number("depth")).reduce(f64::max)?;
    Some(move |setting| loss_of(recording, depth, setting))
}

/// The chosen network after its last block, and the test losses at the end of each depth and setting.
pub(super) fn summary(recording: &Recording) -> Vec<(String, f64)> {
    let mut numbers = Vec::new();
    if let Some(track) = any_network(recording, "chosen") {
        for series in ["cosine", "residual", "queries", "keys", "values"] {
            numbers.extend(last(track, series).map(|value| (series.to_owned(), value)));
        }
    }
    for track in stage(recording, "best") {
        let named = |name: &str| track.attributes.get(name).cloned().unwrap_or_default();
        let loss = last(track, "best_test_loss");
        numbers.extend(loss.map(|loss| (format!("test_loss, {}, L = {}", named("setting"), named("depth")), loss)));
    }
    numbers
}
