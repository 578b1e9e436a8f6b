//! A made-up recording for tests and benchmarks: smooth formulas and seeded noise in the shape of a small vision
//! transformer's training. No program path uses it; nothing in it was measured.

use std::sync::Arc;

use rand_distr::{Distribution, StandardNormal};

use crate::base::rng::{Stream, Streams};

use super::names;
use super::param_role::{ParamPart, ParamRole};
use super::reading::{
    Circumstances, Density, Estimate, Matrix, PathPoint, Reading, SeriesId, Snapshot, Surface, TrackId,
};
use super::recording::{Header, Intervention, LayerInfo, Recording, TokenKind};
use super::spectrum::{Eigenvalue, Spectrum};

/// Blocks of the pretended network.
const BLOCKS: usize = 4;
const TOKENS: usize = 16;
const HEADS: usize = 4;
const BINS: usize = 64;
/// Heavy readings in the whole recording, spread evenly.
const MEASUREMENTS: u64 = 400;

/// A synthetic recording of `steps` updates: every kind of reading, an intervention at two thirds (the learning rate
/// halves), sharpness that rises to the threshold and hovers there, similarities that grow with depth.
pub fn recording(steps: u64) -> Recording {
    let mut recording = Recording::new(header(steps));
    let mut noise = Streams::new(20).stream("example recording");
    let heavy_every = (steps / MEASUREMENTS).max(1);
    for step in 1..=steps {
        let mut readings = scalars(step, steps, &mut noise);
        if step.is_multiple_of(25) || step == steps {
            let gap = 0.02 * (step as f64 / 500.0).min(4.0);
            readings.push((names::TEST_LOSS, Reading::Scalar(mean_loss(step) + gap)));
            readings.push((names::TEST_ACCURACY, Reading::Scalar(1.0 - 0.9 * (mean_loss(step) / 2.4).powf(0.8))));
        }
        if step % 20 == 1 {
            let size = mean_loss(step).sqrt();
            readings.push((names::ROLE_GRADIENT_NORM, Reading::Vector(by_role(step, 0.1 * size, 1.0, false))));
            readings.push((names::ROLE_UPDATE_RATIO, Reading::Vector(by_role(step, 1e-3 * size, 0.5, false))));
        }
        if step.is_multiple_of(heavy_every) || step == steps {
            heavy(step, steps, &mut readings, &mut noise);
        }
        recording.push(&Snapshot { track: TrackId(0), step, readings }).expect("each series keeps its kind");
        if step == steps * 2 / 3 {
            let [from, to] = ["0.05", "0.025"].map(str::to_owned);
            recording.intervene(Intervention { track: TrackId(0), step, knob: "lr".into(), from, to });
        }
    }
    recording
}

fn header(steps: u64) -> Header {
    let mut layers = vec!["embedding".to_owned()];
    let mut groups = vec!["embedding".to_owned()];
    for block in 1..=BLOCKS {
        layers.extend([format!("block {block} attention"), format!("block {block}")]);
        groups.extend([format!("block {block} attention"), format!("block {block} MLP")]);
    }
    groups.push("output".into());
    Header {
        program_version: env!("CARGO_PKG_VERSION").into(),
        spec: "seed = 20\n".into(),
        task_title: "Synthetic example".into(),
        model_title: "Vision transformer, 4 blocks of width 32".into(),
        loss_title: "Cross-entropy (nats)".into(),
        parameters: 51_978,
        train_examples: 1_437,
        test_examples: 360,
        classes: 10,
        layers: layers.into_iter().map(|name| LayerInfo { name }).collect(),
        parameter_groups: groups,
        parameter_parts: parts(),
        attention_heads: Some(HEADS),
        token_kind: TokenKind::Tokens,
        device: "CPU".into(),
        threshold_formula: "2(1 + momentum)/lr".into(),
        preconditioned_formula: "2(1 + momentum)/lr".into(),
        planned_steps: steps,
        lab: None,
        charts: Vec::new(),
        watched: None,
    }
}

/// Those of a Pre-LN transformer.
fn parts() -> Vec<ParamPart> {
    use ParamRole::*;
    let part = |layer: &str, role| ParamPart { layer: layer.into(), role };
    let mut parts = vec![part("embedding", Embedding), part("embedding", Biases)];
    for block in 1..=BLOCKS {
        let roles = [Norms, Queries, Keys, Values, Biases, Projection, Expand, Contract];
        parts.extend(roles.map(|role| part(&format!("block {block}"), role)));
    }
    parts.extend([Norms, Output, Biases].map(|role| part("output", role)));
    parts
}

/// A number for each part: roles differ, and layers a little.
fn by_role(step: u64, base: f64, spread: f64, matrices_only: bool) -> Vec<f32> {
    let value = |(i, part): (usize, &ParamPart)| {
        let role = ParamRole::ALL.iter().position(|role| *role == part.role).unwrap_or(0) as f64;
        if matrices_only && !part.role.is_matrix() {
            return f32::NAN;
        }
        let wave = 0.1 * (step as f64 / 90.0 + i as f64).sin();
        (base * (spread * (role - 5.0) / 5.0 + 0.01 * i as f64 + wave).exp()) as f32
    };
    parts().iter().enumerate().map(value).collect()
}

fn normal(noise: &mut Stream) -> f64 {
    StandardNormal.sample(noise)
}

/// From log(10) down a power law to a floor.
fn mean_loss(step: u64) -> f64 {
    0.02 + 2.28 / (1.0 + (step as f64 / 120.0).powf(1.3))
}

fn lr(step: u64, steps: u64) -> f64 {
    if step > steps * 2 / 3 { 0.025 } else { 0.05 }
}

fn threshold(step: u64, steps: u64) -> f64 {
    2.0 * 1.9 / lr(step, steps)
}

fn scalars(step: u64, steps: u64, noise: &mut Stream) -> Vec<(SeriesId, Reading)> {
    let loss = mean_loss(step) * (0.18 * normal(noise)).exp();
    let accuracy = (1.0 - 0.9 * (loss / 2.4).powf(0.8) + 0.02 * normal(noise)).clamp(0.0, 1.0);
    let groups = 2 * BLOCKS + 2;
    let by_group = |base: f64, noise: &mut Stream| {
        let value = |g: usize, noise: &mut Stream| base * (0.35 * (g as f64 - 4.0) / 4.0 + 0.2 * normal(noise)).exp();
        (0..groups).map(|g| value(g, noise) as f32).collect::<Vec<_>>()
    };
    let cosines = (0..=2 * BLOCKS).map(|l| cosine(l, step) as f32).collect();
    vec![
        (names::TRAIN_LOSS, Reading::Scalar(loss)),
        (names::TRAIN_ACCURACY, Reading::Scalar(accuracy)),
        (names::LR, Reading::Scalar(lr(step, steps))),
        (names::SHARPNESS_THRESHOLD, Reading::Scalar(threshold(step, steps))),
        (names::GRADIENT_NORM, Reading::Vector(by_group(0.4 * mean_loss(step).sqrt(), noise))),
        (names::UPDATE_RATIO, Reading::Vector(by_group(2e-3 * mean_loss(step).sqrt(), noise))),
        (names::TOKEN_COSINE, Reading::Vector(cosines)),
    ]
}

/// Mean cosine of tokens: grows with depth, and with training in the deeper half.
fn cosine(layer: usize, step: u64) -> f64 {
    let depth = layer as f64 / (2 * BLOCKS) as f64;
    let trained = 1.0 - (-(step as f64) / 400.0).exp();
    (0.08 + 0.35 * depth + 0.45 * depth * depth * trained - 0.06 * trained * (1.0 - depth)).clamp(-1.0, 1.0)
}

fn heavy(step: u64, steps: u64, readings: &mut Vec<(SeriesId, Reading)>, noise: &mut Stream) {
    let about = |examples, method: &str, seconds| {
        Arc::new(Circumstances { examples, dtype: "f32".into(), method: method.into(), seconds })
    };
    let limit = threshold(step, steps);
    let climb = limit.min(8.0 + 110.0 * (step as f64 / (0.35 * steps as f64)).powf(1.4));
    let value = climb * (1.0 + 0.03 * normal(noise));
    let converged = !step.is_multiple_of(7);
    readings.push((
        names::SHARPNESS,
        Reading::Estimate(Estimate {
            value,
            residual: value * if converged { 4e-4 } else { 0.06 },
            converged,
            products: if converged { 6 } else { 20 },
            circumstances: about(128, "Lanczos on exact Hessian-vector products", 0.21),
        }),
    ));
    for layer in 0..=2 * BLOCKS {
        let name = layer_name(layer);
        readings.push((names::activations(&name), Reading::Density(Arc::new(density(layer, step)))));
        let matrix = similarity(cosine(layer, step));
        readings.push((names::token_similarity(&name), Reading::Matrix(Arc::new(matrix))));
    }
    propagation(step, readings);
    attention(step, readings);
    let about = about(128, "forward passes", 0.34);
    readings.push((names::HESSIAN_SPECTRUM, Reading::Spectrum(Arc::new(spectrum(value, about.clone())))));
    readings.push((names::LANDSCAPE, Reading::Surface(Arc::new(surface(step, steps, about)))));
}

/// A bulk around zero and a few outliers on either side.
fn spectrum(largest: f64, circumstances: Arc<Circumstances>) -> Spectrum {
    let end = |share: f64, converged: bool| {
        let value = share * largest;
        Eigenvalue { value, residual: value.abs() * if converged { 1e-3 } else { 0.05 }, converged }
    };
    let node = |i: i32| [0.01 * largest * f64::from(i.pow(3)) / 27.0, (-0.7 * f64::from(i * i)).exp()];
    let mut ritz: Vec<[f64; 2]> = (-3..=3).map(node).collect();
    ritz.extend([0.4, 0.7, 1.0].map(|share| [share * largest, 2e-5]));
    let total: f64 = ritz.iter().map(|[_, weight]| weight).sum();
    ritz.iter_mut().for_each(|[_, weight]| *weight /= total);
    Spectrum {
        matrix: "Hessian".into(),
        dim: 51_978,
        top: [1.0, 0.7, 0.55, 0.4].map(|share| end(share, share > 0.5)).to_vec(),
        bottom: [-0.08, -0.05].map(|share| end(share, true)).to_vec(),
        ritz,
        smoothing: 0.01 * largest,
        trace: 5.0 * largest,
        trace_error: 0.4 * largest,
        test_vectors: 3,
        products: 96,
        circumstances,
    }
}

/// Outlier features that grow with training and most in the middle, ranks that fall with depth.
fn propagation(step: u64, readings: &mut Vec<(SeriesId, Reading)>) {
    const WIDTH: f64 = 32.0;
    let trained = 1.0 - (-(step as f64) / 400.0).exp();
    let mut tell = |id: SeriesId, value: &dyn Fn(f64) -> f64| {
        let depth = |layer: usize| layer as f64 / (2 * BLOCKS) as f64;
        readings.push((id, Reading::Vector((0..=2 * BLOCKS).map(|layer| value(depth(layer)) as f32).collect())));
    };
    let kurtosis = |depth: f64| 1.2 + 4.0 * trained * depth * (1.6 - depth);
    let rank = |depth: f64| 1.0 + 0.6 * WIDTH * (1.0 - 0.6 * depth) * (1.0 - 0.3 * trained);
    tell(names::KURTOSIS, &kurtosis);
    tell(names::MMR, &|depth| 3.5 * kurtosis(depth).sqrt());
    tell(names::STABLE_RANK, &|depth| rank(depth) / 3.0);
    tell(names::EFFECTIVE_RANK, &rank);
    tell(names::MOST_RANK, &|_| WIDTH);
    tell(names::MEAN_TOKEN_DISTANCE, &|depth| 0.95 * (-1.5 * depth * (1.0 + trained)).exp());
    tell(names::DEAD_UNITS, &|depth| (depth * trained * 3.0).floor() / WIDTH);
    tell(names::INT8_ERROR, &|depth| 0.008 * kurtosis(depth).sqrt());
    tell(names::INT8_ERROR_CHANNEL, &|_| 0.007);
    // The terms' difference is the kurtosis.
    let feature_term = |depth: f64| 2.0 + 3.0 * depth;
    tell(names::GRAM_INPUT_TERM, &|depth| kurtosis(depth) + feature_term(depth));
    tell(names::GRAM_FEATURE_TERM, &feature_term);
    tell(names::INPUT_GRAM, &|depth| 0.2 + 0.6 * depth);
    tell(names::INPUT_GRAM_MEAN, &|depth| 0.1 + 0.6 * depth);
    tell(names::FEATURE_GRAM, &|depth| (feature_term(depth) / (WIDTH - 1.0)).sqrt());
    tell(names::FEATURE_GRAM_MEAN, &|depth| 0.02 * depth - 0.01);
    tell(names::LAYER_WIDTH, &|_| WIDTH);
    readings.push((names::WEIGHT_INT8_ERROR, Reading::Vector(by_role(step, 0.009, 0.2, true))));
    readings.push((names::WEIGHT_INT8_ERROR_CHANNEL, Reading::Vector(by_role(step, 0.007, 0.1, true))));
}

/// Heads that look near themselves, the nearer the higher their number and the longer training went on.
fn attention(step: u64, readings: &mut Vec<(SeriesId, Reading)>) {
    let trained = 1.0 - (-(step as f64) / 400.0).exp();
    let mut entropies = Vec::new();
    for layer in 1..=BLOCKS {
        let mut values = Vec::with_capacity(HEADS * TOKENS * TOKENS);
        for head in 0..HEADS {
            let reach = 0.3 * trained * head as f64 / layer as f64;
            let mut entropy = 0.0;
            for query in 0..TOKENS {
                let weight = |key: usize| (-reach * (key as f64 - query as f64).abs()).exp();
                let sum: f64 = (0..TOKENS).map(weight).sum();
                values.extend((0..TOKENS).map(|key| (weight(key) / sum) as f32));
                entropy -= (0..TOKENS).map(|key| weight(key) / sum * (weight(key) / sum).ln()).sum::<f64>();
            }
            entropies.push((entropy / TOKENS as f64) as f32);
        }
        let map = Matrix { rows: HEADS * TOKENS, columns: TOKENS, values };
        readings.push((names::attention(layer), Reading::Matrix(Arc::new(map))));
    }
    readings.push((names::ATTENTION_ENTROPY, Reading::Vector(entropies)));
    readings.push((names::ATTENTION_UNIFORM, Reading::Scalar((TOKENS as f64).ln())));
    readings.push((names::ATTENTION_TOKENS, Reading::Scalar(TOKENS as f64)));
    readings.push((names::ATTENTION_EXAMPLE, Reading::Scalar(1.0)));
}

fn layer_name(layer: usize) -> String {
    match layer {
        0 => "embedding".into(),
        l if l % 2 == 1 => format!("block {} attention", l / 2 + 1),
        l => format!("block {}", l / 2),
    }
}

/// A normal distribution that widens with depth and training, with a second bump in the last layer.
fn density(layer: usize, step: u64) -> Density {
    let spread = 0.5 + 0.22 * layer as f64 * (1.0 + (step as f64 / 600.0).min(2.0));
    let mean = 0.05 * layer as f64;
    let (low, high) = (mean - 5.0 * spread, mean + 5.0 * spread);
    let bell = |x: f64, m: f64, s: f64| (-0.5 * ((x - m) / s).powi(2)).exp() / s;
    let counts = (0..BINS).map(|bin| {
        let x = low + (high - low) * (bin as f64 + 0.5) / BINS as f64;
        let bump = if layer == 2 * BLOCKS { 0.15 * bell(x, mean + 3.0 * spread, 0.4 * spread) } else { 0.0 };
        (40_000.0 * (high - low) / BINS as f64 * 0.4 * (bell(x, mean, spread) + bump)).round() as u32
    });
    Density {
        low: low as f32,
        high: high as f32,
        counts: counts.collect(),
        below: 1,
        above: 2 + layer as u32,
        not_finite: 0,
        mean: mean as f32,
        std: spread as f32,
        zero_share: 0.0,
    }
}

/// Tokens on a 4 x 4 grid resemble their neighbours; all entries are pulled towards `mean`.
fn similarity(mean: f64) -> Matrix {
    let place = |t: usize| ((t % 4) as f64, (t / 4) as f64);
    let entry = |i: usize, j: usize| {
        let ((xi, yi), (xj, yj)) = (place(i), place(j));
        let near = (-((xi - xj).powi(2) + (yi - yj).powi(2)) / 3.0).exp();
        if i == j { 1.0 } else { (mean + (1.0 - mean) * 0.6 * (near - 0.25)) as f32 }
    };
    Matrix {
        rows: TOKENS,
        columns: TOKENS,
        values: (0..TOKENS * TOKENS).map(|k| entry(k / TOKENS, k % TOKENS)).collect(),
    }
}

/// A tilted valley with ripples and one exploding corner; 17 points a side, the last one 65.
fn surface(step: u64, steps: u64, circumstances: Arc<Circumstances>) -> Surface {
    let n = if step == steps { 65 } else { 17 };
    let radius = 1.0_f32;
    let floor = mean_loss(step);
    let height = |a: f64, b: f64| {
        let valley = 2.2 * (a - 0.2 * b).powi(2) + 0.9 * (b + 0.1).powi(2) + 0.25 * (5.0 * a).sin() * (4.0 * b).cos();
        let corner = 0.4 * (6.0 * (a + b - 1.0)).exp();
        floor + (valley + 0.2 + corner - 0.209).max(-0.5 * floor)
    };
    let line = |i: usize| f64::from(radius) * (2.0 * i as f64 / (n - 1) as f64 - 1.0);
    let loss: Vec<f32> = (0..n * n).map(|k| height(line(k % n), line(k / n)) as f32).collect();
    let accuracy = loss.iter().map(|&l| (1.0 - 0.35 * l).clamp(0.1, 1.0)).collect();
    let points = 60.min(step);
    let path = (0..=points).map(|i| {
        let back = (points - i) as f64 / 60.0;
        let (a, b) = (-0.8 * back, 0.7 * back.powf(1.4) * (1.0 + 0.2 * (9.0 * back).sin()));
        PathPoint { step: step - (points - i), a: a as f32, b: b as f32, loss: height(a, b) as f32 }
    });
    Surface {
        n,
        radius,
        loss,
        accuracy,
        valid: vec![true; n * n],
        path: path.collect(),
        path_share: 0.003,
        directions: "two random directions, filter-normalised".into(),
        axes: Default::default(),
        circumstances,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_has_every_series_of_the_playground() {
        let recording = recording(300);
        assert_eq!(recording.newest_step(), 300);
        let scalars = [names::TRAIN_LOSS, names::TEST_ACCURACY, names::SHARPNESS, names::SHARPNESS_THRESHOLD];
        assert!(scalars.iter().all(|id| recording.scalar(id).is_some()));
        let groups = recording.header.parameter_groups.len();
        assert_eq!(recording.vector(&names::GRADIENT_NORM).unwrap().width(), groups);
        assert_eq!(recording.vector(&names::TOKEN_COSINE).unwrap().width(), recording.header.layers.len());
        for layer in &recording.header.layers {
            assert!(recording.heavy(&names::activations(&layer.name)).is_some(), "{}", layer.name);
            assert!(recording.heavy(&names::token_similarity(&layer.name)).is_some(), "{}", layer.name);
        }
        let Some((300, Reading::Surface(surface))) = recording.latest_at(&names::LANDSCAPE, 300) else { panic!() };
        let centre = surface.centre_loss().unwrap();
        assert!((f64::from(centre) - mean_loss(300)).abs() < 0.02, "{centre}");
    }
}
