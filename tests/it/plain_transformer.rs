//! Transformers once more, one example at a time in plain loops over f64, written from `docs/MODELS.md` alone: the slow
//! twin of the networks.

use std::collections::BTreeMap;

use candle_core::{DType, Device};
use landscope::base::rng::{Streams, normals};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::spec::{
    Activation, AttentionScale, BranchGain, DepthScaling, EmbeddingNorm, FinalNorm, Mask, ModelKind, ModelSpec, Norm,
    Preset,
};
use landscope::tasks::data::{Inputs, Split, Targets};

type Rows = Vec<Vec<f64>>;

struct Plain<'a> {
    spec: &'a ModelSpec,
    params: BTreeMap<String, Vec<f64>>,
}

impl Plain<'_> {
    fn of(&self, name: &str) -> &[f64] {
        self.params.get(name).unwrap_or_else(|| panic!("there is {name}"))
    }

    /// `x W + b`
    fn affine(&self, x: &Rows, name: &str) -> Rows {
        let weight = self.of(&format!("{name}.weight"));
        let fan_out = weight.len() / x[0].len();
        let bias = self.params.get(&format!("{name}.bias"));
        let entry = |row: &[f64], j: usize| {
            let sum: f64 = row.iter().enumerate().map(|(i, x)| x * weight[i * fan_out + j]).sum();
            sum + bias.map_or(0.0, |bias| bias[j])
        };
        x.iter().map(|row| (0..fan_out).map(|j| entry(row, j)).collect()).collect()
    }

    fn norm(&self, x: &Rows, name: &str) -> Rows {
        x.iter().map(|row| self.normalised(row, name)).collect()
    }

    fn normalised(&self, row: &[f64], name: &str) -> Vec<f64> {
        let n = row.len() as f64;
        match self.spec.norm {
            Norm::PreRmsNorm => rms(row, Some(self.of(&format!("{name}.gain")))),
            Norm::PreSrmsNorm => rms(row, None),
            Norm::PreLn | Norm::PostLn | Norm::None => {
                let mean = row.iter().sum::<f64>() / n;
                let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
                let gain = self.of(&format!("{name}.gain"));
                let bias = self.params.get(&format!("{name}.bias"));
                let entry = |j: usize| (row[j] - mean) / (variance + 1e-5).sqrt() * gain[j];
                (0..row.len()).map(|j| entry(j) + bias.map_or(0.0, |bias| bias[j])).collect()
            }
        }
    }

    fn act(&self, x: f64) -> f64 {
        let block = &self.spec.block;
        let slope = |c: f64| 1.0 + c / (self.spec.width as f64).sqrt();
        match self.spec.activation {
            Activation::Relu if block.shaped_relu => {
                let (plus, minus) = (slope(block.slope_plus), slope(block.slope_minus));
                let gain = if block.unit_gain { (2.0 / (plus * plus + minus * minus)).sqrt() } else { 1.0 };
                gain * (plus * x.max(0.0) + minus * x.min(0.0))
            }
            Activation::Relu => x.max(0.0) * if block.unit_gain { 2_f64.sqrt() } else { 1.0 },
            Activation::Gelu => {
                0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
            }
            Activation::Tanh => x.tanh(),
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::Identity => x,
        }
    }

    fn mlp(&self, x: &Rows, name: &str) -> Rows {
        let scale = if self.spec.block.mlp_input_scale { self.of(&format!("{name}.input scale.gain"))[0] } else { 1.0 };
        let hidden = self.affine(x, &format!("{name}.expand"));
        let hidden = hidden.iter().map(|row| row.iter().map(|x| self.act(scale * x)).collect()).collect();
        self.affine(&hidden, &format!("{name}.contract"))
    }

    fn attention(&self, x: &Rows, name: &str, is_causal: bool) -> Rows {
        let (spec, attention) = (self.spec, &self.spec.attention);
        let (width, d_head, tokens) = (spec.width, spec.width / spec.n_heads, x.len());
        let qkv = self.affine(x, &format!("{name}.query key value"));
        let mut scale = attention.inverse_temperature
            / match attention.scale {
                AttentionScale::InverseSqrt => (d_head as f64).sqrt(),
                AttentionScale::Inverse => d_head as f64,
            };
        if attention.shaped {
            scale /= attention.shaped_temperature * (width as f64).sqrt();
        }
        let mut mixed = vec![vec![0.0; width]; tokens];
        for head in 0..spec.n_heads {
            let part = |t: usize, part: usize| {
                let from = part * width + head * d_head;
                let columns = &qkv[t][from..from + d_head];
                match part {
                    0 if attention.qk_norm => rms(columns, Some(self.of(&format!("{name}.query norm.gain")))),
                    1 if attention.qk_norm => rms(columns, Some(self.of(&format!("{name}.key norm.gain")))),
                    _ => columns.to_vec(),
                }
            };
            for (t, mixed) in mixed.iter_mut().enumerate() {
                let seen = if is_causal { t + 1 } else { tokens };
                let logit = |s: usize| {
                    let logit: f64 = part(t, 0).iter().zip(part(s, 1)).map(|(q, k)| q * k).sum::<f64>() * scale;
                    let cap = attention.softcap;
                    if cap > 0.0 { cap * (logit / cap).tanh() } else { logit }
                };
                let exps: Vec<f64> = (0..seen).map(|s| logit(s).exp()).collect();
                let sum: f64 = exps.iter().sum();
                for (s, exp) in exps.iter().enumerate() {
                    let mut weight = exp / sum;
                    if attention.shaped {
                        let trained = [attention.identity_gain, attention.softmax_gain, attention.centre_gain];
                        let gains =
                            if attention.train_gains { self.of(&format!("{name}.shape.gain")) } else { &trained };
                        let identity = if s == t { gains[0] } else { 0.0 };
                        weight = identity + gains[1] * weight - gains[2] / seen as f64;
                    }
                    for (j, v) in part(s, 2).iter().enumerate() {
                        mixed[head * d_head + j] += weight * v;
                    }
                }
            }
        }
        self.affine(&mixed, &format!("{name}.project"))
    }

    fn branch(&self, h: Rows, name: &str, is_first: bool, f: impl Fn(&Rows) -> Rows) -> Rows {
        let (spec, block) = (self.spec, &self.spec.block);
        let mut x = h.clone();
        if is_first && block.embedding_norm == EmbeddingNorm::FirstBranch {
            x = self.norm(&x, &format!("{name}.input norm"));
        }
        if matches!(spec.norm, Norm::PreLn | Norm::PreRmsNorm | Norm::PreSrmsNorm) {
            x = self.norm(&x, &format!("{name}.norm"));
        }
        let depth = spec.depth as f64;
        let scale = spec.residual_scale
            * match block.depth_scaling {
                DepthScaling::None => 1.0,
                DepthScaling::InverseSqrtBranches => 1.0 / (2.0 * depth).sqrt(),
                DepthScaling::InverseBranches => 1.0 / (2.0 * depth),
                DepthScaling::InverseSqrtBlocks => 1.0 / depth.sqrt(),
                DepthScaling::InverseBlocks => 1.0 / depth,
            };
        let gain = |j: usize| match block.branch_gain {
            BranchGain::None => 1.0,
            BranchGain::SkipInit => self.of(&format!("{name}.branch.gain"))[0],
            BranchGain::LayerScale => self.of(&format!("{name}.branch.gain"))[j],
        };
        let joined: Rows = h
            .iter()
            .zip(f(&x))
            .map(|(h, f)| (0..h.len()).map(|j| block.skip_scale * h[j] + scale * gain(j) * f[j]).collect())
            .collect();
        if spec.norm == Norm::PostLn { self.norm(&joined, &format!("{name}.norm")) } else { joined }
    }

    /// Outputs from embedded tokens without positions.
    fn outputs(&self, mut h: Rows) -> Rows {
        let (spec, block) = (self.spec, &self.spec.block);
        let is_gpt = spec.kind == ModelKind::Gpt;
        if block.positions {
            let positions = self.of("embedding.positions");
            for (row, position) in h.iter_mut().zip(positions.chunks(spec.width)) {
                row.iter_mut().zip(position).for_each(|(h, p)| *h += p);
            }
        }
        if block.embedding_norm == EmbeddingNorm::Stream {
            h = self.norm(&h, "embedding.norm");
        }
        let is_causal = match spec.attention.mask {
            Mask::Auto => is_gpt,
            Mask::Causal => true,
            Mask::Bidirectional => false,
        };
        for l in 1..=spec.depth {
            let name = format!("block {l}.attention");
            h = self.branch(h, &name, l == 1, |x| self.attention(x, &name, is_causal));
            let name = format!("block {l}.mlp");
            h = self.branch(h, &name, false, |x| self.mlp(x, &name));
        }
        let is_pre = matches!(spec.norm, Norm::PreLn | Norm::PreRmsNorm | Norm::PreSrmsNorm);
        if block.final_norm == FinalNorm::On || block.final_norm == FinalNorm::Auto && is_pre {
            h = self.norm(&h, "output.norm");
        }
        if !is_gpt {
            let tokens = h.len() as f64;
            h = vec![(0..spec.width).map(|j| h.iter().map(|row| row[j]).sum::<f64>() / tokens).collect()];
        }
        if !(is_gpt && block.tied_embeddings) {
            return self.affine(&h, "output");
        }
        let bias = self.params.get("output.bias");
        let table: Vec<_> = self.of("embedding.tokens").chunks(spec.width).collect();
        let read = |row: &[f64], token: usize| {
            let product: f64 = row.iter().zip(table[token]).map(|(h, e)| h * e).sum();
            product + bias.map_or(0.0, |bias| bias[token])
        };
        h.iter().map(|row| (0..table.len()).map(|token| read(row, token)).collect()).collect()
    }
}

/// `gain x / sqrt(mean(x^2) + 1e-6)`
fn rms(x: &[f64], gain: Option<&[f64]>) -> Vec<f64> {
    let root = (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64 + 1e-6).sqrt();
    x.iter().enumerate().map(|(j, x)| x / root * gain.map_or(1.0, |gain| gain[j])).collect()
}

/// Two pictures of 4 x 6 pixels and two channels, so that no two axes have the same length; sequences of five tokens.
fn split(kind: ModelKind) -> Split {
    if kind == ModelKind::Gpt {
        let ids: Vec<u32> = (0..10).map(|i| (i * i + 1) % 7).collect();
        let targets = Targets::NextTokens { ids: ids.clone(), length: 5, vocabulary: 7 };
        return Split { inputs: Inputs::Tokens { ids, length: 5, vocabulary: 7 }, targets };
    }
    let values = normals(&mut Streams::new(3).stream("pictures"), 2 * 48).iter().map(|&x| x as f32).collect();
    let targets = Targets::Classes { labels: vec![0, 2], classes: 3 };
    Split { inputs: Inputs::Features { values, shape: vec![4, 6, 2] }, targets }
}

#[track_caller]
fn agrees(spec: &ModelSpec) {
    let split = split(spec.kind);
    let model = build(spec, &split).unwrap();
    let layout = model.layout();
    // Away from the start, where biases are zero and gains one.
    let noise = normals(&mut Streams::new(9).stream("noise"), layout.total());
    let flat: Vec<f64> = model.init(&Streams::new(1)).iter().zip(noise).map(|(w, z)| w + 0.2 * z).collect();
    let params = layout.unflatten(&flat, DType::F64, &Device::Cpu).unwrap();
    let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
    let found = model.forward(&params, &batch.inputs, None).unwrap().to_vec2::<f64>().unwrap();

    let names = layout.infos().iter().enumerate().map(|(i, info)| (info.name.clone(), flat[layout.range(i)].to_vec()));
    let plain = Plain { spec, params: names.collect() };
    let embedded: Vec<Rows> = match &split.inputs {
        Inputs::Tokens { ids, length, .. } => {
            let row = |id: u32| {
                let from = id as usize * spec.width;
                plain.of("embedding.tokens")[from..from + spec.width].to_vec()
            };
            ids.chunks(*length).map(|ids| ids.iter().map(|&id| row(id)).collect()).collect()
        }
        Inputs::Features { values, .. } => {
            let pixel = |example: usize, row: usize, column: usize, channel: usize| {
                f64::from(values[((example * 4 + row) * 6 + column) * 2 + channel])
            };
            let patch = |example: usize, token: usize| {
                let (row, column) = (token / 3 * 2, token % 3 * 2);
                let places = (0..8).map(|i| (i / 4, i / 2 % 2, i % 2));
                places.map(|(r, c, channel)| pixel(example, row + r, column + c, channel)).collect::<Vec<f64>>()
            };
            let example = |e: usize| plain.affine(&(0..6).map(|t| patch(e, t)).collect(), "embedding");
            (0..2).map(example).collect()
        }
    };
    let known: Rows = embedded.into_iter().flat_map(|h| plain.outputs(h)).collect();
    assert_eq!((found.len(), found[0].len()), (known.len(), known[0].len()));
    let size = known.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
    let error = found.iter().flatten().zip(known.iter().flatten()).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    assert!(error < 1e-12 * size, "{}: {:.1e}", model.title(), error / size);
}

#[test]
fn networks_agree_with_plain_loops() {
    for kind in [ModelKind::VisionTransformer, ModelKind::Gpt] {
        let plain = ModelSpec { kind, width: 8, depth: 3, n_heads: 2, residual_scale: 0.8, ..ModelSpec::default() };
        let with = |change: &dyn Fn(&mut ModelSpec)| {
            let mut spec = plain.clone();
            change(&mut spec);
            agrees(&spec);
        };
        for norm in [Norm::PreLn, Norm::PostLn, Norm::PreRmsNorm, Norm::PreSrmsNorm, Norm::None] {
            for embedding_norm in [EmbeddingNorm::None, EmbeddingNorm::Stream, EmbeddingNorm::FirstBranch] {
                for final_norm in [FinalNorm::Auto, FinalNorm::On, FinalNorm::Off] {
                    with(&|s| {
                        (s.norm, s.block.embedding_norm, s.block.final_norm) = (norm, embedding_norm, final_norm)
                    });
                }
            }
        }
        for preset in Preset::ALL {
            with(&|s| preset.apply(s));
            with(&|s| {
                preset.apply(s);
                (s.block.biases, s.block.mlp_input_scale, s.block.branch_gain) = (false, true, BranchGain::LayerScale);
                (s.block.tied_embeddings, s.block.positions, s.block.skip_scale) = (true, false, 0.9);
                (s.attention.softcap, s.attention.inverse_temperature) = (0.7, 3.0);
                (s.attention.train_gains, s.attention.scale) = (true, AttentionScale::Inverse);
            });
        }
        for mask in [Mask::Causal, Mask::Bidirectional] {
            with(&|s| s.attention.mask = mask);
            with(&|s| {
                (s.attention.mask, s.attention.shaped) = (mask, true);
                (s.attention.identity_gain, s.attention.softmax_gain, s.attention.centre_gain) = (0.9, 1.3, 0.6);
                s.attention.shaped_temperature = 0.3;
            });
        }
        for depth_scaling in [
            DepthScaling::InverseSqrtBranches,
            DepthScaling::InverseBranches,
            DepthScaling::InverseSqrtBlocks,
            DepthScaling::InverseBlocks,
        ] {
            with(&|s| (s.block.depth_scaling, s.block.branch_gain) = (depth_scaling, BranchGain::SkipInit));
        }
        for activation in [Activation::Relu, Activation::Gelu, Activation::Tanh, Activation::Silu, Activation::Identity]
        {
            with(&|s| s.activation = activation);
        }
        with(&|s| (s.activation, s.block.unit_gain, s.attention.qk_norm) = (Activation::Relu, true, true));
    }
}
