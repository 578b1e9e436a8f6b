//! What the switches of blocks must do whatever the numbers are: identities, starts and names.

use candle_core::{DType, Device, Tensor};
use landscope::base::rng::{Streams, normals};
use landscope::nn::autodiff::gradients;
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::loss::loss;
use landscope::nn::model::Model;
use landscope::nn::ops::rms_norm::{EPSILON, rms_norm};
use landscope::nn::params::Role;
use landscope::nn::spec::{
    Activation, AttentionScale, BranchGain, DepthScaling, LossSpec, Mask, ModelKind, ModelSpec, Norm, Preset,
};
use landscope::tasks::data::{Inputs, Split, Targets};

const KINDS: [ModelKind; 3] = [ModelKind::VisionTransformer, ModelKind::Gpt, ModelKind::ResidualMlp];

fn split(kind: ModelKind) -> Split {
    if kind == ModelKind::Gpt {
        let ids: Vec<u32> = (0..18).map(|i| (i * i + 1) % 7).collect();
        let targets = Targets::NextTokens { ids: ids.clone(), length: 6, vocabulary: 7 };
        return Split { inputs: Inputs::Tokens { ids, length: 6, vocabulary: 7 }, targets };
    }
    let values = normals(&mut Streams::new(3).stream("pictures"), 3 * 16).iter().map(|&x| x as f32).collect();
    let targets = Targets::Classes { labels: vec![0, 2, 1], classes: 3 };
    Split { inputs: Inputs::Features { values, shape: vec![4, 4, 1] }, targets }
}

fn network(kind: ModelKind, change: impl Fn(&mut ModelSpec)) -> ModelSpec {
    let mut spec = ModelSpec { kind, width: 8, depth: 2, n_heads: 2, ..ModelSpec::default() };
    change(&mut spec);
    spec
}

struct Subject {
    model: std::sync::Arc<dyn Model>,
    params: Vec<Tensor>,
    batch: Batch,
}

impl Subject {
    /// At its initial parameters plus so much noise.
    fn new(spec: &ModelSpec, noise: f64) -> Self {
        let split = split(spec.kind);
        let model = build(spec, &split).unwrap();
        let z = normals(&mut Streams::new(9).stream("noise"), model.layout().total());
        let flat: Vec<f64> = model.init(&Streams::new(1)).iter().zip(z).map(|(w, z)| w + noise * z).collect();
        let params = model.layout().unflatten(&flat, DType::F64, &Device::Cpu).unwrap();
        Self { params, batch: Batch::new(&split, DType::F64, &Device::Cpu).unwrap(), model }
    }

    fn outputs(&self) -> Vec<f64> {
        flat(&self.model.forward(&self.params, &self.batch.inputs, None).unwrap())
    }

    fn taps(&self) -> Vec<Tensor> {
        let mut taps = Vec::new();
        self.model.forward(&self.params, &self.batch.inputs, Some(&mut taps)).unwrap();
        taps
    }

    fn maps(&self) -> Vec<Tensor> {
        self.model.attention_maps(&self.params, &self.batch.inputs).unwrap()
    }
}

fn flat(x: &Tensor) -> Vec<f64> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest difference.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn the_default_network_keeps_its_names() {
    let names = |spec: &ModelSpec| -> Vec<String> {
        Subject::new(spec, 0.0).model.layout().infos().iter().map(|info| info.name.clone()).collect()
    };
    let of_a_block = [
        "attention.norm.gain",
        "attention.norm.bias",
        "attention.query key value.weight",
        "attention.query key value.bias",
        "attention.project.weight",
        "attention.project.bias",
        "mlp.norm.gain",
        "mlp.norm.bias",
        "mlp.expand.weight",
        "mlp.expand.bias",
        "mlp.contract.weight",
        "mlp.contract.bias",
    ];
    let mut known = vec!["embedding.weight".to_owned(), "embedding.bias".into(), "embedding.positions".into()];
    known.extend((1..=2).flat_map(|l| of_a_block.map(|name| format!("block {l}.{name}"))));
    known.extend(["output.norm.gain", "output.norm.bias", "output.weight", "output.bias"].map(str::to_owned));
    assert_eq!(names(&network(ModelKind::VisionTransformer, |_| {})), known);
    assert_eq!(
        Subject::new(&network(ModelKind::VisionTransformer, |_| {}), 0.0).model.title(),
        "vision transformer, width 8, depth 2, Pre-LN, GELU, 2 heads"
    );
}

#[test]
fn titles_say_what_was_turned() {
    let title = |change: fn(&mut ModelSpec)| Subject::new(&network(ModelKind::Gpt, change), 0.0).model.title();
    assert_eq!(title(|s| Preset::OutlierProtected.apply(s)), "GPT, width 8, depth 2, Outlier-Protected, ReLU, 2 heads");
    assert_eq!(title(|s| Preset::Shaped.apply(s)), "GPT, width 8, depth 2, Shaped, ReLU, 2 heads");
    assert_eq!(
        title(|s| {
            Preset::OutlierProtected.apply(s);
            (s.attention.qk_norm, s.attention.softcap, s.block.tied_embeddings) = (false, 30.0, true);
        }),
        "GPT, width 8, depth 2, no normalisation, ReLU, normalised first branch, branches × 1/√branches, soft-cap 30, tied embeddings, no biases, 2 heads"
    );
}

#[test]
fn a_simple_rms_norm_has_unit_mean_square() {
    let x = Tensor::from_vec(normals(&mut Streams::new(2).stream("x"), 5 * 11), (5, 11), &Device::Cpu).unwrap();
    let y = rms_norm(&x, &Tensor::ones(11, DType::F64, &Device::Cpu).unwrap()).unwrap();
    let square = |x: &Tensor| x.sqr().unwrap().mean(1).unwrap().to_vec1::<f64>().unwrap();
    for (x, y) in square(&x).iter().zip(square(&y)) {
        assert!((y - x / (x + EPSILON)).abs() < 1e-14 && (y - 1.0).abs() < 1e-5, "{y}");
    }
    // As it stands before the outputs: the mean over tokens of unit vectors is read without a parameter between.
    let spec = network(ModelKind::ResidualMlp, |s| s.norm = Norm::PreSrmsNorm);
    let names: Vec<_> = Subject::new(&spec, 0.0).model.layout().infos().iter().map(|i| i.name.clone()).collect();
    assert!(names.iter().all(|name| !name.contains("norm")), "{names:?}");
}

#[test]
fn branches_with_a_zero_gain_are_the_identity() {
    for kind in KINDS {
        for gain in [BranchGain::SkipInit, BranchGain::LayerScale] {
            for norm in [Norm::PreLn, Norm::PreSrmsNorm, Norm::None] {
                let spec = network(kind, |s| (s.norm, s.block.branch_gain) = (norm, gain));
                let start = Subject::new(&spec, 0.0);
                let embedded = flat(&start.taps()[0]);
                assert!(start.taps().iter().all(|tap| flat(tap) == embedded), "{}", start.model.title());
                // The gains are trained, and away from zero the branches work.
                let vars: Vec<_> = start.params.iter().map(|p| candle_core::Var::from_tensor(p).unwrap()).collect();
                let tensors: Vec<_> = vars.iter().map(|v| v.as_tensor().clone()).collect();
                let outputs = start.model.forward(&tensors, &start.batch.inputs, None).unwrap();
                let value = loss(&outputs, &start.batch.targets, &LossSpec::default()).unwrap();
                for (info, gradient) in start.model.layout().infos().iter().zip(gradients(&value, &vars).unwrap()) {
                    if info.name.ends_with("branch.gain") {
                        assert!(flat(&gradient).iter().any(|g| g.abs() > 1e-6), "{}", info.name);
                    }
                }
                let mut spec = spec;
                spec.block.branch_gain_init = 0.5;
                let half = Subject::new(&spec, 0.0);
                (spec.block.branch_gain, spec.residual_scale) = (BranchGain::None, 0.5);
                assert!(apart(&half.outputs(), &Subject::new(&spec, 0.0).outputs()) < 1e-12);
            }
        }
    }
}

#[test]
fn depth_scaling_is_a_residual_scale() {
    for (kind, branches) in [(ModelKind::VisionTransformer, 4.0_f64), (ModelKind::ResidualMlp, 2.0)] {
        for (rule, factor) in [
            (DepthScaling::InverseSqrtBranches, branches.sqrt().recip()),
            (DepthScaling::InverseBranches, branches.recip()),
            (DepthScaling::InverseSqrtBlocks, 0.5_f64.sqrt()),
            (DepthScaling::InverseBlocks, 0.5),
        ] {
            let scaled = network(kind, |s| (s.residual_scale, s.block.depth_scaling) = (1.5, rule));
            let plain = network(kind, |s| s.residual_scale = 1.5 * factor);
            assert!(apart(&Subject::new(&scaled, 0.1).outputs(), &Subject::new(&plain, 0.1).outputs()) < 1e-13);
        }
    }
}

#[test]
fn attention_maps_are_what_their_switches_say() {
    let maps = |kind: ModelKind, change: fn(&mut ModelSpec)| Subject::new(&network(kind, change), 0.3).maps();
    for (kind, tokens) in [(ModelKind::VisionTransformer, 4), (ModelKind::Gpt, 6)] {
        for (mask, is_causal) in
            [(Mask::Auto, kind == ModelKind::Gpt), (Mask::Causal, true), (Mask::Bidirectional, false)]
        {
            let maps = Subject::new(&network(kind, |s| s.attention.mask = mask), 0.3).maps();
            assert_eq!(maps.len(), 2);
            for map in maps {
                assert_eq!(map.dims(), [3, 2, tokens, tokens]);
                for (i, row) in flat(&map).chunks(tokens).enumerate() {
                    assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-14);
                    let later = &row[i % tokens + 1..];
                    assert!(if is_causal { later.iter().all(|&p| p == 0.0) } else { row.iter().all(|&p| p > 0.0) });
                }
            }
        }
        // Infinite temperature: everybody attends to everybody alike.
        for row in
            flat(&maps(kind, |s| (s.attention.inverse_temperature, s.attention.mask) = (0.0, Mask::Bidirectional))[1])
                .chunks(tokens)
        {
            assert!(row.iter().all(|p| (p - 1.0 / tokens as f64).abs() < 1e-15));
        }
        let shaped = |temperature: f64| {
            let spec = network(kind, |s| (s.attention.shaped, s.attention.shaped_temperature) = (true, temperature));
            flat(&Subject::new(&spec, 0.0).maps()[0])
        };
        let identity = |i: usize| if i % tokens == i / tokens % tokens { 1.0 } else { 0.0 };
        let off = |temperature: f64| {
            let map = shaped(temperature);
            assert!(map.chunks(tokens).all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-14));
            let squares = map.iter().enumerate().map(|(i, a)| (a - identity(i)).powi(2));
            (squares.sum::<f64>() / map.len() as f64).sqrt()
        };
        // Near the identity to first order: softmax(x / c) - C falls as 1/c, from logits of unit size over sqrt(width).
        assert!(off(1.0) < 8_f64.sqrt().recip(), "{}", off(1.0));
        assert!((off(100.0) / off(10.0) - 0.1).abs() < 0.01, "{} {}", off(100.0), off(10.0));
        assert!(off(1e9) < 1e-9);
    }
    assert!(maps(ModelKind::ResidualMlp, |_| {}).is_empty());
}

#[test]
fn logits_obey_their_switches() {
    for kind in [ModelKind::VisionTransformer, ModelKind::Gpt] {
        let outputs = |change: fn(&mut ModelSpec)| Subject::new(&network(kind, change), 0.3).outputs();
        let plain = outputs(|_| {});
        assert!(apart(&plain, &outputs(|s| s.attention.softcap = 1e7)) < 1e-11);
        assert!(apart(&plain, &outputs(|s| s.attention.softcap = 0.5)) > 1e-4);
        // d_head is 4: 1/4 is 1/sqrt(4) halved.
        let inverse = outputs(|s| s.attention.scale = AttentionScale::Inverse);
        assert!(apart(&inverse, &outputs(|s| s.attention.inverse_temperature = 0.5)) < 1e-13);
        assert!(apart(&inverse, &plain) > 1e-4);

        // Normalised queries forget the size of their weights.
        let spec = network(kind, |s| (s.attention.qk_norm, s.block.biases) = (true, false));
        let mut subject = Subject::new(&spec, 0.3);
        let before = subject.outputs();
        let index =
            subject.model.layout().infos().iter().position(|i| i.name.ends_with("query key value.weight")).unwrap();
        let (_, columns) = subject.model.layout().columns(index)[0].clone();
        let factors: Vec<f64> = (0..24).map(|j| if columns.contains(&j) { 50.0 } else { 1.0 }).collect();
        let factors = Tensor::from_vec(factors, 24, &Device::Cpu).unwrap();
        subject.params[index] = subject.params[index].broadcast_mul(&factors).unwrap();
        assert!(apart(&before, &subject.outputs()) < 1e-4 * before.iter().map(|x| x.abs()).fold(0.0, f64::max));
    }
}

#[test]
fn queries_keys_and_values_share_out_their_matrix() {
    let subject = Subject::new(&network(ModelKind::VisionTransformer, |_| {}), 0.3);
    let layout = subject.model.layout();
    let everything = layout.flatten(&subject.params).unwrap();
    let mut split = 0;
    for (index, info) in layout.infos().iter().enumerate() {
        let columns = layout.columns(index);
        assert_eq!(!columns.is_empty(), info.name.contains("query key value"), "{}", info.name);
        if columns.is_empty() {
            continue;
        }
        split += 1;
        assert_eq!(columns.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["query", "key", "value"]);
        let square = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>();
        let parts: Vec<Vec<f64>> =
            columns.iter().map(|(_, range)| layout.in_columns(&everything, index, range).collect()).collect();
        let whole = square(&everything[layout.range(index)]);
        assert!((parts.iter().map(|p| square(p)).sum::<f64>() - whole).abs() < 1e-12 * whole);
        let of = |part: usize| subject.params[index].narrow(info.shape.len() - 1, part * 8, 8).unwrap();
        assert!((0..3).all(|part| flat(&of(part)) == parts[part]));
    }
    assert_eq!(split, 4, "a weight and a bias a block");
}

#[test]
fn tied_embeddings_have_one_gradient_of_both_uses() {
    let tied = Subject::new(&network(ModelKind::Gpt, |s| s.block.tied_embeddings = true), 0.3);
    let free = Subject::new(&network(ModelKind::Gpt, |_| {}), 0.0);
    let (own, others) = (tied.model.layout(), free.model.layout());
    assert_eq!(own.total() + 7 * 8, others.total());
    let at = |name: &str| own.infos().iter().position(|info| info.name == name);
    let table = at("embedding.tokens").unwrap();
    // The free network with the same numbers.
    let params: Vec<Tensor> = others
        .infos()
        .iter()
        .map(|info| match at(&info.name) {
            Some(index) => tied.params[index].clone(),
            None => tied.params[table].t().unwrap().contiguous().unwrap(),
        })
        .collect();
    let gradients_of = |subject: &Subject, params: &[Tensor]| {
        let vars: Vec<_> = params.iter().map(|p| candle_core::Var::from_tensor(p).unwrap()).collect();
        let tensors: Vec<_> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let outputs = subject.model.forward(&tensors, &subject.batch.inputs, None).unwrap();
        let value = loss(&outputs, &subject.batch.targets, &LossSpec::default()).unwrap();
        (value.to_scalar::<f64>().unwrap(), gradients(&value, &vars).unwrap())
    };
    let ((a, one), (b, two)) = (gradients_of(&tied, &tied.params), gradients_of(&free, &params));
    assert!((a - b).abs() < 1e-13);
    for (info, gradient) in others.infos().iter().zip(&two) {
        let Some(index) = at(&info.name) else { continue };
        let mut known = gradient.clone();
        if index == table {
            let output = others.infos().iter().position(|info| info.name == "output.weight").unwrap();
            known = (known + two[output].t().unwrap()).unwrap();
        }
        assert!(apart(&flat(&one[index]), &flat(&known)) < 1e-13, "{}", info.name);
    }
    let error = build(&network(ModelKind::Gpt, |s| s.block.tied_embeddings = true), &{
        let mut split = split(ModelKind::Gpt);
        split.targets = Targets::NextTokens { ids: vec![0; 18], length: 6, vocabulary: 5 };
        split
    });
    let message = error.err().unwrap().to_string();
    assert!(message.contains("tied-embeddings") && message.contains('5') && message.contains('7'), "{message}");
}

#[test]
fn parameters_start_as_documented() {
    for kind in KINDS {
        let spec = network(kind, |s| {
            (s.width, s.block.branch_gain, s.block.branch_gain_init) = (64, BranchGain::LayerScale, 0.1);
            (s.block.mlp_input_scale, s.attention.qk_norm) = (true, true);
            (s.attention.shaped, s.attention.train_gains, s.attention.softmax_gain) = (true, true, 0.7);
        });
        let subject = Subject::new(&spec, 0.0);
        for (info, tensor) in subject.model.layout().infos().iter().zip(&subject.params) {
            let values = flat(tensor);
            let std = match info.role {
                Role::Bias => 0.0,
                Role::Gain if info.name.ends_with("branch.gain") => {
                    assert_eq!(values, vec![0.1; 64]);
                    continue;
                }
                Role::Gain if info.name.ends_with("shape.gain") => {
                    assert_eq!(values, [1.0, 0.7, 1.0]);
                    continue;
                }
                Role::Gain => {
                    assert!(values.iter().all(|&x| x == 1.0), "{}", info.name);
                    continue;
                }
                Role::Embedding | Role::Position => 0.02,
                _ => (info.shape[0] as f64).sqrt().recip(),
            };
            let n = values.len() as f64;
            let found = (values.iter().map(|x| x * x).sum::<f64>() / n).sqrt();
            // Five standard errors of a standard deviation.
            assert!((found - std).abs() <= 5.0 * std / (2.0 * n).sqrt(), "{}: {found} for {std}", info.name);
        }
    }
}

#[test]
fn branches_over_the_root_of_depth_keep_the_signal() {
    // E |h_L|^2 = (1 + 1/L)^L |h_0|^2 (Bordelon et al. 2024) for sqrt(2) ReLU branches without norms and biases.
    let depth = 8;
    let ratios: Vec<f64> = (0..24)
        .map(|seed| {
            let spec = network(ModelKind::ResidualMlp, |s| {
                (s.width, s.depth, s.norm, s.activation) = (128, depth, Norm::None, Activation::Relu);
                (s.block.unit_gain, s.block.biases) = (true, false);
                s.block.depth_scaling = DepthScaling::InverseSqrtBlocks;
            });
            let mut subject = Subject::new(&spec, 0.0);
            let flat_params = subject.model.init(&Streams::new(seed));
            subject.params = subject.model.layout().unflatten(&flat_params, DType::F64, &Device::Cpu).unwrap();
            let taps = subject.taps();
            let square = |x: &Tensor| flat(x).iter().map(|x| x * x).sum::<f64>();
            square(&taps[depth]) / square(&taps[0])
        })
        .collect();
    let n = ratios.len() as f64;
    let mean = ratios.iter().sum::<f64>() / n;
    let error = (ratios.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
    let known = (1.0 + 1.0 / depth as f64).powi(depth as i32);
    assert!((mean - known).abs() < 4.0 * error && error < 0.05 * known, "{mean} +- {error} for {known}");
}

#[test]
fn numbers_that_make_no_network_are_named() {
    for (change, words) in [
        ((|s| s.attention.softcap = -1.0) as fn(&mut ModelSpec), ["softcap", "-1"]),
        (|s| s.attention.shaped_temperature = 0.0, ["shaped-temperature", "0"]),
        (|s| s.block.skip_scale = f64::NAN, ["skip-scale", "NaN"]),
    ] {
        let kind = ModelKind::VisionTransformer;
        let message = build(&network(kind, change), &split(kind)).err().unwrap().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
}
