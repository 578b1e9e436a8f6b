//! The picture at initialisation: networks drawn, averaged and laid beside theory, layer by layer.

use std::sync::Arc;

use crate::record::{Matrix, Reading, SeriesId, TrackId};
use crate::run::bench::{Bench, Halt, Values};
use crate::theory::signal_propagation::ensemble::{Ensemble, LayerMean, ensembles};
use crate::theory::signal_propagation::{Layer, Mixing, Mlp, Network, Position, mean_field};
use crate::theory::token_alignment::{AttentionGradients, cosine_at_infinite_depth};

/// Distances below this come out of differences of numbers whose sum no longer holds them; the cubing is exact there.
const CUBED_FROM: f64 = 4.0;
/// Depths at which the correlation at the end is compared.
const DEPTHS: [usize; 6] = [2, 4, 8, 16, 32, 64];

/// The network that the knobs choose.
pub(super) fn chosen(values: &Values) -> Network {
    let layers = values.int("layers");
    Network {
        layers,
        attention_scale: values.float("alpha-1") * depth_factor(values, layers),
        mlp_scale: values.float("alpha-2") * depth_factor(values, layers),
        skip: values.toggle("skip"),
        mixing: if values.choice("mixing") == "uniform" { Mixing::Uniform } else { Mixing::Softmax },
        mlp: match values.choice("mlp") {
            "linear" => Mlp::Linear,
            "none" => Mlp::None,
            _ => Mlp::Relu,
        },
        norm: match values.choice("norm") {
            "pre" => Position::Pre,
            "post" => Position::Post,
            _ => Position::None,
        },
        inverse_temperature: values.float("tau"),
    }
}

fn depth_factor(values: &Values, layers: usize) -> f64 {
    if values.choice("scaling") == "inverse-sqrt" { (layers as f64).sqrt().recip() } else { 1.0 }
}

/// A network of the picture.
pub(super) struct Shown {
    /// The track's attribute `network`.
    pub id: &'static str,
    label: &'static str,
    pub network: Network,
}

/// The chosen network, and those that differ from it by what the paper varies.
pub(super) fn shown(values: &Values) -> Vec<Shown> {
    let chosen = chosen(values);
    let with_skip = Network { skip: true, ..chosen };
    let layers = chosen.layers as f64;
    let (alpha_1, alpha_2) = (values.float("alpha-1"), values.float("alpha-2"));
    let free = Network { attention_scale: alpha_1, mlp_scale: alpha_2, ..with_skip };
    let scaled = |network| {
        let by = layers.sqrt().recip();
        Network { attention_scale: alpha_1 * by, mlp_scale: alpha_2 * by, ..network }
    };
    let linear = Network { mixing: Mixing::Uniform, mlp: Mlp::Linear, norm: Position::None, ..free };
    let bare = Network { skip: false, mixing: Mixing::Softmax, mlp: Mlp::None, norm: Position::None, ..chosen };
    let hot = Network { inverse_temperature: 4.0 * bare.inverse_temperature, ..bare };
    [
        ("chosen", "chosen", chosen),
        ("no-ln", "no LN", Network { norm: Position::None, ..with_skip }),
        ("pre-ln", "Pre-LN", Network { norm: Position::Pre, ..with_skip }),
        ("post-ln", "Post-LN", Network { norm: Position::Post, ..with_skip }),
        ("scaled", "α/√L", scaled(Network { norm: Position::Post, ..free })),
        ("linear", "linear, uniform", linear),
        ("linear-scaled", "linear, uniform, α/√L", scaled(linear)),
        ("no-skip", "no skips", bare),
        ("no-skip-hot", "no skips, 4τ", hot),
    ]
    .into_iter()
    .map(|(id, label, network)| Shown { id, label, network })
    .collect()
}

/// What theory says of a network's layers; nothing where it says nothing.
pub(super) struct Predicted {
    pub cosine: Vec<f64>,
    /// C over that of the inputs.
    pub growth: Vec<f64>,
    /// `D/(C/n)`.
    pub contrast: Vec<f64>,
    pub gradients: Vec<AttentionGradients>,
}

/// The wide limit at uniform attention: exact for the means of linear networks with uniform attention and no normalisation.
/// Without skips, uniform attention is a single token after one block, so nothing is predicted.
pub(super) fn predicted(network: &Network, n: usize, d: usize, cosine: f64) -> Option<Predicted> {
    if !network.skip {
        return None;
    }
    let states = mean_field::states(network, n, cosine);
    let moments: Vec<_> = states.iter().map(|state| state.moments(n, d)).collect();
    Some(Predicted {
        cosine: states.iter().map(|state| state.cosine()).collect(),
        growth: moments.iter().map(|m| m.sum / moments[0].sum).collect(),
        contrast: states
            .iter()
            .map(|state| {
                let (n, q, c) = (n as f64, state.square, state.product);
                (n - 1.0) * (q - c) / (q + (n - 1.0) * c)
            })
            .collect(),
        gradients: states.iter().map(|state| mean_field::gradients(network, n, d, *state)).collect(),
    })
}

/// Of the bench, that drawing takes.
pub(super) const ROUNDS: u64 = 4;

/// Draws and records it.
pub(super) fn record(bench: &mut Bench<'_>) -> Result<(), Halt> {
    let values = bench.values().clone();
    let (n, d, cosine) = (values.int("tokens"), values.int("width"), values.float("rho-0"));
    let shown = shown(&values);
    // The chosen network may be one of the others.
    let mut networks: Vec<(Network, f64)> = Vec::new();
    for shown in &shown {
        if !networks.contains(&(shown.network, cosine)) {
            networks.push((shown.network, cosine));
        }
    }
    let found = ensembles(&networks, n, d, values.int("draws"), bench.streams());
    for shown in &shown {
        let of = networks.iter().position(|(network, _)| *network == shown.network);
        let Some(ensemble) = of.map(|k| &found[k]) else { continue };
        let track = bench.track(shown.label, &[("stage", "initialisation"), ("network", shown.id)])?;
        record_network(bench, track, shown, ensemble, predicted(&shown.network, n, d, cosine))?;
    }
    record_over_cosines(bench, &values)?;
    bench.round()?;
    record_over_depths(bench, &values)?;
    bench.round()
}

fn record_network(
    bench: &mut Bench<'_>,
    track: TrackId,
    shown: &Shown,
    ensemble: &Ensemble,
    predicted: Option<Predicted>,
) -> Result<(), Halt> {
    let n = bench.values().int("tokens");
    let first = ensemble.layers[0];
    let cubed = (!shown.network.skip).then(|| cubed(&ensemble.layers));
    for (l, layer) in ensemble.layers.iter().enumerate() {
        let mut readings = vec![
            ("cosine", layer.cosine),
            ("cosine_low", layer.cosine - layer.cosine_deviation),
            ("cosine_high", layer.cosine + layer.cosine_deviation),
            ("cosine_of_means", layer.moments.cosine(n)),
            ("distance", 1.0 - layer.cosine),
            ("growth", layer.moments.sum / first.moments.sum),
            ("square", layer.moments.square),
            ("residual_share", layer.rest / layer.moments.square),
            ("contrast", layer.rest / (layer.moments.sum / n as f64)),
            ("residual", layer.log_residual.exp()),
            ("collapse", -layer.log_residual),
            ("queries", layer.queries),
            ("keys", layer.keys),
            ("values", layer.values),
            ("queries_over_values", layer.queries / layer.values),
        ];
        if let Some(predicted) = &predicted {
            let gradients = predicted.gradients[l];
            let (queries, values) = (gradients.queries().sqrt(), gradients.values().sqrt());
            readings.extend([
                ("cosine_theory", predicted.cosine[l]),
                ("distance_theory", 1.0 - predicted.cosine[l]),
                ("growth_theory", predicted.growth[l]),
                ("contrast_theory", predicted.contrast[l]),
                ("queries_theory", queries),
                ("values_theory", values),
                ("queries_over_values_theory", queries / values),
            ]);
        }
        if let Some(cubed) = cubed.as_ref().and_then(|cubed| cubed[l]) {
            readings.push(("collapse_theory", cubed));
        }
        // What underflowed or was never defined has no place in a picture.
        let mut readings: Vec<_> = readings
            .into_iter()
            .filter(|(_, value)| value.is_finite())
            .map(|(name, value)| (SeriesId::from_static(name), Reading::Scalar(value)))
            .collect();
        if matches!(shown.id, "chosen" | "scaled" | "pre-ln") {
            readings.extend(of_tokens(n, &ensemble.first[l]));
        }
        bench.record(track, l as u64, readings)?;
    }
    Ok(())
}

/// Cosines of one draw: all pairs, and those with the first token.
fn of_tokens(n: usize, layer: &Layer) -> [(SeriesId, Reading); 2] {
    let values: Vec<f32> = layer.cosines.iter().map(|c| *c as f32).collect();
    let with_first = values[1..n].to_vec();
    let matrix = Matrix { rows: n, columns: n, values };
    [
        (SeriesId::from_static("cosines"), Reading::Matrix(Arc::new(matrix))),
        (SeriesId::from_static("with_first"), Reading::Vector(with_first)),
    ]
}

/// `-ln r` where each block cubes r, from the first layer on at which that law holds; as long as r is a number.
fn cubed(layers: &[LayerMean]) -> Vec<Option<f64>> {
    let from = layers.iter().position(|layer| -layer.log_residual >= CUBED_FROM);
    (0..layers.len())
        .map(|l| {
            let from = from.filter(|from| *from <= l)?;
            let predicted = -layers[from].log_residual * 3.0_f64.powi((l - from) as i32);
            (predicted < 1e3).then_some(predicted)
        })
        .collect()
}

/// Jacobians of one layer against the tokens' correlation.
fn record_over_cosines(bench: &mut Bench<'_>, values: &Values) -> Result<(), Halt> {
    let (n, d) = (values.int("tokens"), values.int("width"));
    let cosines: Vec<f64> = (0..=24).map(|k| f64::from(k) / 25.0).collect();
    let layer = Network { layers: 0, norm: Position::None, skip: true, ..chosen(values) };
    let track = bench.track("one layer", &[("stage", "over-correlation")])?;
    let mut readings = vec![vector("rho", &cosines)];
    for (mixing, names) in [
        (Mixing::Uniform, ["queries", "values", "ratio"]),
        (Mixing::Softmax, ["queries_softmax", "values_softmax", "ratio_softmax"]),
    ] {
        let networks: Vec<_> = cosines.iter().map(|cosine| (Network { mixing, ..layer }, *cosine)).collect();
        let found = ensembles(&networks, n, d, values.int("draws").max(4), bench.streams());
        let of = |f: &dyn Fn(&LayerMean) -> f64| found.iter().map(|e| f(&e.layers[0])).collect::<Vec<_>>();
        readings.push(vector(names[0], &of(&|l| l.queries)));
        readings.push(vector(names[1], &of(&|l| l.values)));
        readings.push(vector(names[2], &of(&|l| l.queries / l.values)));
    }
    let closed: Vec<_> = cosines.iter().map(|cosine| gradients_at(n, d, *cosine, layer.inverse_temperature)).collect();
    readings.push(vector("queries_theory", &closed.iter().map(|g| g.queries().sqrt()).collect::<Vec<_>>()));
    readings.push(vector("values_theory", &closed.iter().map(|g| g.values().sqrt()).collect::<Vec<_>>()));
    let ratio = |g: &AttentionGradients| (g.queries() / g.values()).sqrt();
    readings.push(vector("ratio_theory", &closed.iter().map(ratio).collect::<Vec<_>>()));
    bench.record(track, 0, readings)
}

pub(super) fn gradients_at(tokens: usize, width: usize, cosine: f64, inverse_temperature: f64) -> AttentionGradients {
    AttentionGradients { tokens, width, variance: 1.0, cosine, inverse_temperature }
}

/// The correlation at the end against the depth, with fixed branches and with branches over the root of the depth.
fn record_over_depths(bench: &mut Bench<'_>, values: &Values) -> Result<(), Halt> {
    let (n, d, cosine) = (values.int("tokens"), values.int("width"), values.float("rho-0"));
    let (alpha_1, alpha_2) = (values.float("alpha-1"), values.float("alpha-2"));
    let linear =
        Network { skip: true, mixing: Mixing::Uniform, mlp: Mlp::Linear, norm: Position::None, ..chosen(values) };
    let track = bench.track("at the end", &[("stage", "over-depth")])?;
    let depths: Vec<f64> = DEPTHS.iter().map(|l| *l as f64).collect();
    let limit = cosine_at_infinite_depth(n, cosine, alpha_1 * alpha_1);
    let mut readings = vec![vector("depth", &depths), vector("scaled_limit", &vec![limit; DEPTHS.len()])];
    for (is_scaled, names) in [(false, ["fixed", "fixed_theory"]), (true, ["scaled", "scaled_theory"])] {
        let at = |layers: usize| {
            let by = if is_scaled { (layers as f64).sqrt().recip() } else { 1.0 };
            Network { layers, attention_scale: alpha_1 * by, mlp_scale: alpha_2 * by, ..linear }
        };
        let networks: Vec<_> = DEPTHS.iter().map(|layers| (at(*layers), cosine)).collect();
        let found = ensembles(&networks, n, d, values.int("draws"), bench.streams());
        let ends = found.iter().filter_map(|ensemble| ensemble.layers.last());
        readings.push(vector(names[0], &ends.map(|layer| layer.cosine).collect::<Vec<_>>()));
        let theory = networks.iter().filter_map(|(network, _)| mean_field::states(network, n, cosine).pop());
        readings.push(vector(names[1], &theory.map(|state| state.cosine()).collect::<Vec<_>>()));
        bench.round()?;
    }
    bench.record(track, 0, readings)
}

fn vector(name: &'static str, values: &[f64]) -> (SeriesId, Reading) {
    (SeriesId::from_static(name), Reading::Vector(values.iter().map(|v| *v as f32).collect()))
}
