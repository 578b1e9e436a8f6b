//! Properties that hold for arbitrary small networks and matrices, on drawn cases. What fails is shrunk and printed; the
//! draws are the same every time, so that a failure is found again.

use candle_core::{DType, Device, Tensor};
use landscope::base::rng::{Streams, normals};
use landscope::linalg::estimator::estimate;
use landscope::linalg::extremes::{ExtremeSearch, Options};
use landscope::linalg::operator::{Dense, LinearOperator};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::curvature::Hessian;
use landscope::nn::loss::loss;
use landscope::nn::matching::{Permutations, Symmetry};
use landscope::nn::parametrization::{Form, Parametrization, ParametrizationSpec};
use landscope::nn::params::Params;
use landscope::nn::spec::{
    Activation, AttentionScale, AttentionSpec, BlockSpec, BranchGain, DepthScaling, EmbeddingNorm, LossKind, LossSpec,
    ModelKind, ModelSpec, Norm,
};
use landscope::nn::training::gradient;
use landscope::optim::spec::{OptimizerKind, OptimizerSpec};
use landscope::probes::propagation::{kurtosis, max_median_ratio, ranks};
use landscope::run::parametrization::optimizer;
use landscope::run::spec::RunSpec;
use landscope::tasks::data::{Inputs, Split, Targets};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed};

use super::differences::{agrees_with_differences, unit_direction};

fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(17), max_shrink_iters: 64, ..Config::default() }
}

fn real(name: &str, n: usize) -> Vec<f32> {
    normals(&mut Streams::new(5).stream(name), n).iter().map(|&x| x as f32).collect()
}

/// Pictures of 4x4 pixels with two channels, in three classes.
fn pictures(n: usize) -> Split {
    Split {
        inputs: Inputs::Features { values: real("pictures", n * 32), shape: vec![4, 4, 2] },
        targets: Targets::Classes { labels: (0..n as u32).map(|i| (i * i + i) % 3).collect(), classes: 3 },
    }
}

fn sequences(n: usize) -> Split {
    let ids: Vec<u32> = (0..5 * n as u32).map(|i| (i * i + 3 * i) % 7).collect();
    let next = ids.iter().map(|id| (id * 3 + 1) % 7).collect();
    Split {
        inputs: Inputs::Tokens { ids, length: 5, vocabulary: 7 },
        targets: Targets::NextTokens { ids: next, length: 5, vocabulary: 7 },
    }
}

fn examples(kind: ModelKind, n: usize) -> Split {
    if kind == ModelKind::Gpt { sequences(n) } else { pictures(n) }
}

const KINDS: [ModelKind; 6] = [
    ModelKind::Mlp,
    ModelKind::ResidualMlp,
    ModelKind::VisionTransformer,
    ModelKind::Gpt,
    ModelKind::ConvNet,
    ModelKind::ResidualConvNet,
];

prop_compose! {
    fn blocks()(
        embedding_norm in select(vec![EmbeddingNorm::None, EmbeddingNorm::Stream, EmbeddingNorm::FirstBranch]),
        skip_scale in 0.5..1.2,
        depth_scaling in select(vec![DepthScaling::None, DepthScaling::InverseSqrtBranches, DepthScaling::InverseBlocks]),
        branch_gain in select(vec![BranchGain::None, BranchGain::SkipInit, BranchGain::LayerScale]),
        switches in any::<[bool; 4]>(),
    ) -> BlockSpec {
        let [mlp_input_scale, unit_gain, positions, biases] = switches;
        BlockSpec {
            embedding_norm, skip_scale, depth_scaling, branch_gain, branch_gain_init: 0.6, mlp_input_scale, unit_gain,
            positions, biases, ..BlockSpec::default()
        }
    }
}

prop_compose! {
    fn attentions()(
        scale in select(vec![AttentionScale::InverseSqrt, AttentionScale::Inverse]),
        inverse_temperature in 0.5..2.0,
        softcap in select(vec![0.0, 1.5]),
        switches in any::<[bool; 3]>(),
    ) -> AttentionSpec {
        let [qk_norm, shaped, train_gains] = switches;
        AttentionSpec { scale, inverse_temperature, softcap, qk_norm, shaped, train_gains, ..AttentionSpec::default() }
    }
}

prop_compose! {
    /// Any network that fits the examples above. Smooth activations only: differences don't work across kinks.
    fn networks()(
        kind in select(KINDS.to_vec()),
        half_width in 1_usize..4,
        depth in 1_usize..4,
        n_heads in 1_usize..3,
        activation in select(vec![Activation::Gelu, Activation::Tanh, Activation::Silu, Activation::Identity]),
        norm in select(vec![Norm::PreLn, Norm::PostLn, Norm::PreRmsNorm, Norm::PreSrmsNorm, Norm::None]),
        residual_scale in 0.2..1.2,
        patch in select(vec![1_usize, 2, 4]),
        stages in 1_usize..3,
        block in blocks(),
        attention in attentions(),
    ) -> ModelSpec {
        // Layer norm of two channels is a step function: four at least, and a multiple of the heads.
        let width = 2 * half_width * n_heads + 2 * n_heads;
        ModelSpec {
            kind, width, depth, n_heads, activation, norm, residual_scale, patch, stages, block, attention,
            ..ModelSpec::default()
        }
    }
}

/// Initial parameters with everything moved off zero and one, so that no term vanishes by symmetry.
fn start(spec: &ModelSpec, split: &Split, seed: u64) -> Vec<f64> {
    let model = build(spec, split).unwrap();
    let noise = normals(&mut Streams::new(seed).stream("noise"), model.layout().total());
    model.init(&Streams::new(seed)).iter().zip(noise).map(|(w, z)| w + 0.15 * z).collect()
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn derivatives_of_any_network_are_central_differences(
        spec in networks(), squared in any::<bool>(), seed in 0_u64..1000
    ) {
        let split = examples(spec.kind, 4);
        let loss_spec = LossSpec { kind: if squared { LossKind::Mse } else { LossKind::CrossEntropy }, temperature: 1.3 };
        let model = build(&spec, &split).unwrap();
        let flat = start(&spec, &split, seed);
        let params = Params::from_flat(model.layout().clone(), &flat, DType::F64, &Device::Cpu).unwrap();
        let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
        let f = |at: &[Tensor]| loss(&model.forward(at, &batch.inputs, None)?, &batch.targets, &loss_spec);
        let point = params.frozen().unwrap();
        agrees_with_differences(&f, &point, &unit_direction(&point), 3e-4, 1e-6, &format!("{}, {spec:?}", model.title()));
    }

    #[test]
    fn products_with_the_hessian_are_those_of_a_symmetric_matrix(spec in networks(), seed in 0_u64..1000) {
        let split = examples(spec.kind, 3);
        let model = build(&spec, &split).unwrap();
        let n = model.layout().total();
        let params = model.layout().unflatten(&start(&spec, &split, seed), DType::F64, &Device::Cpu).unwrap();
        let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
        let mut hessian = Hessian::new(model, &params, &batch, &LossSpec::default()).unwrap();
        let [u, v] = ["u", "v"].map(|name| normals(&mut Streams::new(seed).stream(name), n));
        let (mut hu, mut hv) = (vec![0.0; n], vec![0.0; n]);
        hessian.apply(&u, &mut hu).unwrap();
        hessian.apply(&v, &mut hv).unwrap();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let size = dot(&hu, &hu).sqrt() * dot(&v, &v).sqrt();
        prop_assert!((dot(&u, &hv) - dot(&v, &hu)).abs() <= 1e-11 * size.max(1e-9), "{} {}", dot(&u, &hv), dot(&v, &hu));
    }

    #[test]
    fn both_forms_of_any_parametrisation_learn_alike(
        network in networks(),
        kind in select(Parametrization::ALL.to_vec()),
        (base_width, base_depth, gamma0) in (1_usize..20, 1_usize..6, 0.3..3.0),
        gamma_exponent in 0.0..0.7,
        sgd in any::<bool>(),
    ) {
        let split = examples(network.kind, 6);
        let mut specs = [Form::Absorbed, Form::Explicit].map(|form| {
            let parametrization = ParametrizationSpec { kind, form, base_width, base_depth, gamma0, gamma_exponent };
            ModelSpec { parametrization, ..network.clone() }
        });
        specs.iter_mut().for_each(|spec| spec.block.branch_gain_init = 0.6);
        // Epsilon above the rounding of gradients that are zero in theory, which Adam would blow up to whole steps.
        let kind = if sgd { OptimizerKind::Sgd } else { OptimizerKind::AdamW };
        let training = OptimizerSpec { kind, lr: 0.003, epsilon: 1e-3, ..OptimizerSpec::default() };
        let [absorbed, explicit] = specs.map(|spec| losses(&spec, &split, &training));
        for (a, b) in absorbed.iter().zip(&explicit) {
            prop_assert!((a - b).abs() <= 1e-9 * a.abs().max(1.0), "{absorbed:?} {explicit:?}");
        }
        prop_assert!(absorbed[0] != absorbed[3], "it moves");
    }

    #[test]
    fn permuted_units_change_nothing(
        (width, depth) in (2_usize..9, 1_usize..4),
        residual in any::<bool>(),
        norm in select(vec![Norm::PreLn, Norm::PostLn, Norm::PreRmsNorm, Norm::PreSrmsNorm, Norm::None]),
        activation in select(vec![Activation::Relu, Activation::Gelu, Activation::Tanh]),
        seed in 0_u64..1000,
    ) {
        let kind = if residual { ModelKind::ResidualMlp } else { ModelKind::Mlp };
        let spec = ModelSpec { kind, width, depth, activation, norm, ..ModelSpec::default() };
        let split = pictures(5);
        let model = build(&spec, &split).unwrap();
        let layout = model.layout().clone();
        let symmetry = Symmetry::of(&spec, &layout).unwrap();
        let flat = start(&spec, &split, seed);
        let order = |n: usize, name: &str| {
            let keys = normals(&mut Streams::new(seed).stream(name), n);
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
            order
        };
        let permutations = symmetry.sizes().iter().enumerate().map(|(i, &n)| order(n, &format!("{i}"))).collect();
        let permutations = Permutations(permutations);
        let moved = symmetry.apply(&permutations, &layout, &flat);
        let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
        let at = |flat: &[f64]| {
            let params = Params::from_flat(layout.clone(), flat, DType::F64, &Device::Cpu).unwrap();
            let found = gradient(&*model, &params, &batch, &LossSpec::default()).unwrap();
            (found.loss, layout.flatten(&found.tensors).unwrap())
        };
        let ((a, slope), (b, moved_slope)) = (at(&flat), at(&moved));
        prop_assert!((a - b).abs() < 1e-12, "{a} {b}");
        // The gradient moves with the units.
        for (x, y) in symmetry.apply(&permutations, &layout, &slope).iter().zip(&moved_slope) {
            prop_assert!((x - y).abs() < 1e-11, "{x} {y}");
        }
    }

    /// Layers of a rectified network made c times as large, and the next c times smaller, compute the same outputs.
    #[test]
    fn rectified_layers_can_be_rescaled(
        (width, depth) in (1_usize..9, 1_usize..4), (c, at) in (0.1_f64..10.0, 0_usize..3), seed in 0_u64..1000
    ) {
        let spec = ModelSpec { kind: ModelKind::Mlp, width, depth, activation: Activation::Relu, ..ModelSpec::default() };
        let split = pictures(5);
        let model = build(&spec, &split).unwrap();
        let layout = model.layout().clone();
        let mut flat = start(&spec, &split, seed);
        let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
        let outputs = |flat: &[f64]| {
            let params = layout.unflatten(flat, DType::F64, &Device::Cpu).unwrap();
            model.forward(&params, &batch.inputs, None).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap()
        };
        let before = outputs(&flat);
        let layer = at % depth;
        flat[layout.range(2 * layer).start..layout.range(2 * layer + 1).end].iter_mut().for_each(|w| *w *= c);
        flat[layout.range(2 * layer + 2)].iter_mut().for_each(|w| *w /= c);
        for (a, b) in before.iter().zip(outputs(&flat)) {
            prop_assert!((a - b).abs() < 1e-12 * a.abs().max(1.0), "{a} {b}");
        }
    }

    #[test]
    fn statistics_of_activations_ignore_their_scale_and_the_order_of_examples(
        (rows, width) in (2_usize..20, 2_usize..12), factor in 1e-3_f64..1e3, seed in 0_u64..1000
    ) {
        let h = normals(&mut Streams::new(seed).stream("h"), rows * width);
        let scaled: Vec<f64> = h.iter().map(|x| x * factor).collect();
        let reversed: Vec<f64> = h.chunks(width).rev().flatten().copied().collect();
        let statistics = |h: &[f64]| {
            let ranks = ranks(h, width);
            [kurtosis(h, width), max_median_ratio(h, width), ranks.stable, ranks.effective]
        };
        let known = statistics(&h);
        for other in [statistics(&scaled), statistics(&reversed)] {
            for (a, b) in known.iter().zip(other) {
                prop_assert!((a - b).abs() <= 1e-9 * a.abs(), "{known:?} {other:?}");
            }
        }
        prop_assert!((1.0 - 1e-12..=width as f64 + 1e-9).contains(&known[0]));
    }

    /// Spectra with repeated and clustered eigenvalues, of either sign.
    #[test]
    fn the_ends_of_any_spectrum_are_those_of_the_dense_matrix(
        values in proptest::collection::vec(select(vec![-2.0, -1.0, -1.0 + 1e-7, 0.0, 0.5, 3.0, 3.0 + 1e-5]), 3..16),
        seed in 0_u64..1000
    ) {
        let n = values.len();
        // A reflection of the diagonal matrix: (I - 2 q q') D (I - 2 q q').
        let mut q = normals(&mut Streams::new(seed).stream("q"), n);
        let length = q.iter().map(|x| x * x).sum::<f64>().sqrt();
        q.iter_mut().for_each(|x| *x /= length);
        let reflect = |i: usize, k: usize| f64::from(u8::from(i == k)) - 2.0 * q[i] * q[k];
        let entry = |i: usize, j: usize| (0..n).map(|k| reflect(i, k) * values[k] * reflect(k, j)).sum();
        let mut matrix = Dense::new(n, (0..n * n).map(|at| entry(at / n, at % n)).collect()).unwrap();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let options = Options { top: 2, bottom: 1, tolerance: 1e-8, ..Options::default() };
        let mut search = ExtremeSearch::new(n, &[], Streams::new(seed).stream("start"), options);
        let found = estimate(&mut matrix, &mut search).unwrap();
        prop_assert!((found.top[0].value - sorted[n - 1]).abs() < 1e-6, "{found:?} {sorted:?}");
        prop_assert!((found.top[1].value - sorted[n - 2]).abs() < 1e-6, "{found:?} {sorted:?}");
        prop_assert!((found.bottom[0].value - sorted[0]).abs() < 1e-6, "{found:?} {sorted:?}");
    }
}

fn losses(spec: &ModelSpec, split: &Split, training: &OptimizerSpec) -> Vec<f64> {
    let model = build(spec, split).unwrap();
    let params =
        Params::from_flat(model.layout().clone(), &model.init(&Streams::new(2)), DType::F64, &Device::Cpu).unwrap();
    let batch = Batch::new(split, DType::F64, &Device::Cpu).unwrap();
    let run = RunSpec { model: spec.clone(), optimizer: training.clone(), ..RunSpec::default() };
    let mut optimizer = optimizer(&run, model.layout());
    (0..4)
        .map(|_| {
            let found = gradient(&*model, &params, &batch, &LossSpec::default()).unwrap();
            optimizer.step(&params, &found.tensors, training.lr).unwrap();
            found.loss
        })
        .collect()
}
