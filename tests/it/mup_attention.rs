//! Attention under muP divides by `d_head` instead of `sqrt(d_head)`, with the factor that makes both the same at the base
//! width (docs/PARAMETRIZATIONS.md, "Attention"): beside a plain computation from the stream that the branch reads.

use candle_core::{DType, Device, Tensor};
use landscope::base::rng::{Streams, normals};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::model::Model;
use landscope::nn::parametrization::{Form, Parametrization, ParametrizationSpec};
use landscope::nn::spec::{AttentionScale, AttentionSpec, ModelKind, ModelSpec};
use landscope::tasks::data::{Inputs, Split, Targets};

const TOKENS: usize = 5;
const HEADS: usize = 2;

fn sequences() -> Split {
    let ids: Vec<u32> = (0..3 * TOKENS as u32).map(|i| (i * i + 3 * i) % 7).collect();
    Split {
        inputs: Inputs::Tokens { ids: ids.clone(), length: TOKENS, vocabulary: 7 },
        targets: Targets::NextTokens { ids, length: TOKENS, vocabulary: 7 },
    }
}

fn spec(kind: Parametrization, width: usize, base_width: usize) -> ModelSpec {
    let parametrization = ParametrizationSpec { kind, base_width, base_depth: 1, ..ParametrizationSpec::default() };
    ModelSpec { kind: ModelKind::Gpt, width, depth: 1, n_heads: HEADS, parametrization, ..ModelSpec::default() }
}

/// A network with numbers that make attention uneven: matrices three times as large as at the start.
struct Drawn {
    model: std::sync::Arc<dyn Model>,
    params: Vec<Tensor>,
}

impl Drawn {
    fn new(spec: &ModelSpec) -> Self {
        let model = build(spec, &sequences()).unwrap();
        let flat: Vec<f64> = model.init(&Streams::new(6)).iter().map(|w| 3.0 * w).collect();
        let params = model.layout().unflatten(&flat, DType::F64, &Device::Cpu).unwrap();
        Self { model, params }
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        let index = self.model.layout().infos().iter().position(|info| info.name == name).unwrap();
        self.params[index].flatten_all().unwrap().to_vec1().unwrap()
    }

    fn batch() -> Batch {
        Batch::new(&sequences(), DType::F64, &Device::Cpu).unwrap()
    }

    /// `[B, H, T, T]`
    fn attention(&self) -> Vec<f64> {
        let maps = self.model.attention_maps(&self.params, &Self::batch().inputs).unwrap();
        maps[0].flatten_all().unwrap().to_vec1().unwrap()
    }

    /// The embedded tokens, row by row.
    fn stream(&self) -> Vec<Vec<f64>> {
        let mut taps = Vec::new();
        self.model.forward(&self.params, &Self::batch().inputs, Some(&mut taps)).unwrap();
        taps[0].flatten(0, 1).unwrap().to_vec2().unwrap()
    }
}

/// Causal attention with logits `factor q.k`, from the stream on, in loops.
fn plain_attention(drawn: &Drawn, width: usize, factor: f64, multiplier: f64) -> Vec<f64> {
    let gain = drawn.numbers("block 1.attention.norm.gain");
    let weight = drawn.numbers("block 1.attention.query key value.weight");
    let rows: Vec<Vec<f64>> = drawn.stream();
    let d = width / HEADS;
    // Biases are zero at the start, those of the normalisation, too.
    let projected: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| {
            let mean = row.iter().sum::<f64>() / width as f64;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            let x: Vec<f64> = (0..width).map(|j| gain[j] * (row[j] - mean) / (variance + 1e-5).sqrt()).collect();
            let column = |j: usize| (0..width).map(|i| x[i] * multiplier * weight[i * 3 * width + j]).sum();
            (0..2 * width).map(column).collect()
        })
        .collect();
    let mut found = Vec::new();
    for sequence in projected.chunks(TOKENS) {
        for head in 0..HEADS {
            for q in 0..TOKENS {
                let product = |k: usize| -> f64 {
                    (0..d).map(|c| sequence[q][head * d + c] * sequence[k][width + head * d + c]).sum::<f64>()
                };
                let weights: Vec<f64> = (0..=q).map(|k| (factor * product(k)).exp()).collect();
                let sum: f64 = weights.iter().sum();
                found.extend((0..TOKENS).map(|k| weights.get(k).map_or(0.0, |w| w / sum)));
            }
        }
    }
    found
}

#[track_caller]
fn near(found: &[f64], known: &[f64], tolerance: f64) {
    assert_eq!(found.len(), known.len());
    for (a, b) in found.iter().zip(known) {
        assert!((a - b).abs() < tolerance, "{a} {b}");
    }
}

#[test]
fn logits_are_divided_by_the_size_of_a_head() {
    for kind in [Parametrization::Mup, Parametrization::DepthMup, Parametrization::DepthInverse] {
        for (width, base) in [(32, 8), (8, 32)] {
            let d = (width / HEADS) as f64;
            let at_base = (base as f64 / HEADS as f64).sqrt();
            let drawn = Drawn::new(&spec(kind, width, base));
            let found = drawn.attention();
            near(&found, &plain_attention(&drawn, width, at_base / d, 1.0), 1e-12);
            // The other rule would be seen.
            let other = plain_attention(&drawn, width, d.sqrt().recip(), 1.0);
            assert!(found.iter().zip(&other).any(|(a, b)| (a - b).abs() > 1e-2), "{kind:?} {width}");

            // In the explicit form queries and keys are those of c theta.
            let mut explicit = spec(kind, width, base);
            explicit.parametrization.form = Form::Explicit;
            let drawn = Drawn::new(&explicit);
            let multiplier = (width as f64 / base as f64).sqrt().recip();
            near(&drawn.attention(), &plain_attention(&drawn, width, at_base / d, multiplier), 1e-12);
        }
    }
}

#[test]
fn at_the_base_width_both_rules_agree() {
    let outputs = |kind| {
        let drawn = Drawn::new(&spec(kind, 16, 16));
        let outputs = drawn.model.forward(&drawn.params, &Drawn::batch().inputs, None).unwrap();
        outputs.flatten_all().unwrap().to_vec1::<f64>().unwrap()
    };
    let known = outputs(Parametrization::Standard);
    assert!(known.iter().any(|x| x.abs() > 0.1));
    near(&outputs(Parametrization::Mup), &known, 1e-12);
}

#[test]
fn attention_with_a_scale_of_its_own_is_left_alone() {
    let (width, base) = (32, 8);
    let d = (width / HEADS) as f64;
    // NTK keeps the root; a user's 1/d stays 1/d, without a factor.
    let drawn = Drawn::new(&spec(Parametrization::Ntk, width, base));
    near(&drawn.attention(), &plain_attention(&drawn, width, d.sqrt().recip(), 1.0), 1e-12);
    let attention = AttentionSpec { scale: AttentionScale::Inverse, ..AttentionSpec::default() };
    let drawn = Drawn::new(&ModelSpec { attention, ..spec(Parametrization::Mup, width, base) });
    near(&drawn.attention(), &plain_attention(&drawn, width, d.recip(), 1.0), 1e-12);
    // With QK-norm the logits have no width in them: maps of muP are those of Standard at the same numbers.
    let with_norm = |kind| {
        let attention = AttentionSpec { qk_norm: true, ..AttentionSpec::default() };
        ModelSpec { attention, ..spec(kind, width, base) }
    };
    let standard = Drawn::new(&with_norm(Parametrization::Standard));
    let mup = Drawn {
        model: build(&with_norm(Parametrization::Mup), &sequences()).unwrap(),
        params: standard.params.clone(),
    };
    near(&mup.attention(), &standard.attention(), 1e-12);
}

/// Why: where queries and keys have become alike, `q.k / d` stays of order one at any width, and `q.k / sqrt(d)` grows.
#[test]
fn aligned_queries_and_keys_keep_the_size_of_their_logits_at_every_width() {
    // Of the widths' logits between a token and itself, by the log-odds of a two-token attention.
    let contrast = |width: usize, kind: Parametrization| {
        let mut drawn = Drawn::new(&spec(kind, width, 16));
        let layout = drawn.model.layout().clone();
        let index = layout.infos().iter().position(|i| i.name == "block 1.attention.query key value.weight").unwrap();
        let z = normals(&mut Streams::new(9).stream(&format!("aligned {width}")), width * width);
        let scale = (width as f64).sqrt().recip();
        // Queries and keys by the same matrix; values don't matter.
        let entry = |i: usize, j: usize| if j < 2 * width { scale * z[i * width + j % width] } else { 0.0 };
        let values: Vec<f64> =
            (0..width).flat_map(|i| (0..3 * width).map(move |j| (i, j))).map(|(i, j)| entry(i, j)).collect();
        drawn.params[index] = Tensor::from_vec(values, (width, 3 * width), &Device::Cpu).unwrap();
        let maps = drawn.attention();
        // Row 1 of each map: ln(A_11 / A_10) is the difference of its two logits.
        let rows = maps.chunks(TOKENS * TOKENS).map(|map| (map[TOKENS + 1] / map[TOKENS]).ln());
        rows.clone().sum::<f64>() / rows.count() as f64
    };
    let mup = [32, 512].map(|width| contrast(width, Parametrization::Mup));
    let standard = [32, 512].map(|width| contrast(width, Parametrization::Standard));
    assert!((mup[1] / mup[0] - 1.0).abs() < 0.35, "{mup:?}");
    let growth = standard[1] / standard[0];
    assert!((growth / 4.0 - 1.0).abs() < 0.35, "16 times the width, 4 times the logits: {standard:?}");
}
