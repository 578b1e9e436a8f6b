//! First and second derivatives of every operation and every network, in f64, against central differences and
//! against the composed twins.

use candle_core::{DType, Device, Result, Tensor};
use landscope::base::rng::{Streams, normals};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::loss::loss;
use landscope::nn::ops::attention::{self, Heads, attention};
use landscope::nn::ops::attention_weights::{self, Gains, Logits};
use landscope::nn::ops::convolution::{self, Windows, convolution};
use landscope::nn::ops::product::{self, Transposed, product};
use landscope::nn::ops::{activation, average_pool, cross_entropy, layer_norm, linear, pooling, rms_norm, rows, scale};
use landscope::nn::params::Params;
use landscope::nn::spec::{
    Activation, AttentionScale, BranchGain, DepthScaling, Downsample, EmbeddingNorm, FinalNorm, LossKind, LossSpec,
    Mask, ModelKind, ModelSpec, Norm, Preset, Sharing,
};
use landscope::tasks::data::{Inputs, Split, Targets, UNGRADED};

use super::differences::*;

const SMOOTH: [Activation; 4] = [Activation::Gelu, Activation::Tanh, Activation::Silu, Activation::Identity];

#[test]
fn activations() {
    // Twice as wide as usual, so that the flat ends are met, too.
    let x = (draw("x", &[5, 9]) * 2.0).unwrap();
    for act in SMOOTH {
        check(act.title(), std::slice::from_ref(&x), &|at| activation::activate(&at[0], act), &|at| {
            activation::composed(&at[0], act)
        });
    }
    // The rectifier away from its kink by more than the differences move: |x| >= 0.1.
    let x = (&x + (x.sign().unwrap() * 0.1).unwrap()).unwrap();
    let relu = |at: &[Tensor]| activation::activate(&at[0], Activation::Relu);
    check("ReLU", &[x], &relu, &|at| activation::composed(&at[0], Activation::Relu));
}

#[test]
fn products_and_affine_maps() {
    for transposed in [Transposed::Neither, Transposed::Left, Transposed::Right] {
        let (a, b) = match transposed {
            Transposed::Neither => (draw("a", &[5, 7]), draw("b", &[7, 3])),
            Transposed::Left => (draw("a", &[7, 5]), draw("b", &[7, 3])),
            Transposed::Right => (draw("a", &[5, 7]), draw("b", &[3, 7])),
        };
        check(&format!("product, {transposed:?}"), &[a, b], &|at| product(&at[0], &at[1], transposed), &|at| {
            product::composed(&at[0], &at[1], transposed)
        });
    }
    check(
        "linear",
        &[draw("x", &[6, 5]), draw("w", &[5, 4]), draw("bias", &[4])],
        &|at| linear::linear(&at[0], &at[1], &at[2]),
        &|at| linear::composed(&at[0], &at[1], &at[2]),
    );
}

#[test]
fn rows_and_means() {
    // Nine rows of three: the sums' passes of four rows and their remainder.
    for (shape, rows) in [([9, 5], vec![5]), ([27, 5], vec![3, 5])] {
        check("rows", &[draw("x", &shape), draw("rows", &rows)], &|at| rows::add_rows(&at[0], &at[1]), &|at| {
            rows::composed(&at[0], &at[1])
        });
    }
    let x = draw("x", &[18, 5]);
    check("mean over tokens", &[x], &|at| pooling::mean_tokens(&at[0], 6), &|at| pooling::composed(&at[0], 6));
}

/// Pictures that aren't square, with sides odd and even, so that both borders and both strides meet every case.
const WINDOWS: [Windows; 5] = [
    Windows { height: 4, width: 5, side: 3, stride: 1 },
    Windows { height: 5, width: 4, side: 3, stride: 2 },
    Windows { height: 1, width: 2, side: 3, stride: 1 },
    Windows { height: 4, width: 6, side: 5, stride: 3 },
    Windows { height: 3, width: 3, side: 1, stride: 1 },
];

#[test]
fn convolutions() {
    for windows in WINDOWS {
        let fan_in = windows.side.pow(2) * 2;
        let point = [draw("x", &[2 * windows.pixels(), 2]), draw("w", &[fan_in, 3]), draw("bias", &[3])];
        check(&format!("{windows:?}"), &point, &|at| convolution(&at[0], &at[1], &at[2], windows), &|at| {
            convolution::composed(&at[0], &at[1], &at[2], windows)
        });
        // One on the other, from three channels to three, so that the inner one's derivatives aren't constant.
        let inner = Windows { stride: 1, ..windows };
        let point = [&point[..], &[draw("v", &[windows.side.pow(2) * 3, 3]), draw("second bias", &[3])]].concat();
        let twice = |at: &[Tensor], f: &dyn Fn(&Tensor, &Tensor, &Tensor, Windows) -> Result<Tensor>| {
            f(&f(&at[0], &at[1], &at[2], inner)?.tanh()?, &at[3], &at[4], windows)
        };
        check(&format!("twice {windows:?}"), &point, &|at| twice(at, &convolution), &|at| {
            twice(at, &convolution::composed)
        });
    }
}

/// The library's own convolution reads channels first and knows nothing of our windows.
#[test]
fn convolutions_are_those_of_the_library() {
    for windows in WINDOWS {
        let Windows { height, width, side, stride } = windows;
        let (x, w) = (draw("x", &[2, height, width, 2]), draw("w", &[side, side, 2, 3]));
        let channels_first = |t: &Tensor, order: [usize; 4]| t.permute(order).unwrap().contiguous().unwrap();
        let (pictures, kernel) = (channels_first(&x, [0, 3, 1, 2]), channels_first(&w, [3, 2, 0, 1]));
        let known = pictures.conv2d(&kernel, side / 2, stride, 1, 1).unwrap();
        assert_eq!(known.dims(), [2, 3, windows.rows(), windows.columns()]);
        let zeros = Tensor::zeros(3, DType::F64, &Device::Cpu).unwrap();
        let (x, w) = (x.reshape(((), 2)).unwrap(), w.reshape(((), 3)).unwrap());
        let found = convolution(&x, &w, &zeros, windows).unwrap();
        close(&flat(&[found]), &flat(&[channels_first(&known, [0, 2, 3, 1])]), 1e-14, &format!("{windows:?}"));
    }
}

/// Longer than a block of windows, whose sums must join without a seam.
#[test]
fn convolutions_in_several_blocks_agree_with_their_twins() {
    for stride in [1, 2] {
        let windows = Windows { height: 12, width: 12, side: 3, stride };
        let point = [draw("x", &[8 * 144, 16]), draw("w", &[144, 16]), draw("bias", &[16])];
        let direction = unit_direction(&point);
        let f = |at: &[Tensor], f: &dyn Fn(&Tensor, &Tensor, &Tensor, Windows) -> Result<Tensor>| {
            f(&at[0], &at[1], &at[2], windows)?.tanh()?.sqr()?.sum_all()
        };
        let found = derivatives(&|at| f(at, &convolution), &point, &direction);
        let known = derivatives(&|at| f(at, &convolution::composed), &point, &direction);
        close(&[found.0], &[known.0], 1e-13, "value");
        close(&found.1, &known.1, 1e-12, "gradient");
        close(&found.2, &known.2, 1e-12, "Hessian product");
    }
}

#[test]
fn pictures_of_half_the_side() {
    let x = draw("x", &[2 * 4 * 6, 3]);
    check("average pooling", std::slice::from_ref(&x), &|at| average_pool::average_pool(&at[0], 4, 6), &|at| {
        average_pool::composed(&at[0], 4, 6)
    });
    let value = |row: usize, column: usize| (x.get(24 + row * 6 + column).unwrap()).to_vec1::<f64>().unwrap()[1];
    let found = average_pool::average_pool(&x, 4, 6).unwrap().to_vec2::<f64>().unwrap();
    // Example 1, pixel (1, 2).
    let mean = (value(2, 4) + value(2, 5) + value(3, 4) + value(3, 5)) / 4.0;
    assert!((found[6 + 3 + 2][1] - mean).abs() < 1e-15);
    assert!(average_pool::average_pool(&x, 3, 8).unwrap_err().to_string().contains("3x8"));
}

#[test]
fn layer_norms() {
    // Widths below, at and beyond the eight lanes.
    for width in [3, 8, 13] {
        check(
            &format!("layer norm {width}"),
            &[draw("x", &[6, width]), draw("gain", &[width]), draw("bias", &[width])],
            &|at| layer_norm::layer_norm(&at[0], &at[1], &at[2]),
            &|at| layer_norm::composed(&at[0], &at[1], &at[2]),
        );
    }
}

#[test]
fn rms_norms_and_factors() {
    for width in [3, 8, 13] {
        check(
            &format!("RMS norm {width}"),
            &[draw("x", &[6, width]), draw("gain", &[width])],
            &|at| rms_norm::rms_norm(&at[0], &at[1]),
            &|at| rms_norm::composed(&at[0], &at[1]),
        );
    }
    for factors in [1, 5] {
        check(
            &format!("{factors} factors"),
            &[draw("x", &[6, 5]), draw("gain", &[factors])],
            &|at| scale::scale_columns(&at[0], &at[1]),
            &|at| at[0].broadcast_mul(&at[1]),
        );
    }
}

/// `weights V` in each head, from weights `[B, H, T, T]`.
fn weigh(weights: &Tensor, qkv: &Tensor, heads: Heads) -> Result<Tensor> {
    let Heads { sequences, tokens, count, .. } = heads;
    let width = qkv.dim(1)? / 3;
    let value = qkv.narrow(1, 2 * width, width)?.reshape((sequences, tokens, count, width / count))?;
    let mixed = weights.matmul(&value.transpose(1, 2)?.contiguous()?)?;
    mixed.transpose(1, 2)?.contiguous()?.reshape((sequences * tokens, width))
}

#[test]
fn attentions_with_other_logits_and_shapes() {
    for causal in [false, true] {
        let heads = Heads { sequences: 2, tokens: 5, count: 2, causal };
        let x = draw("x", &[10, 18]);
        for logits in
            [(1.0, 0.0), (2.5, 0.0), (1.0, 0.7), (3.0, 1.5)].map(|(factor, softcap)| Logits { factor, softcap })
        {
            let what = format!("{heads:?} {logits:?}");
            check(&what, std::slice::from_ref(&x), &|at| attention_weights::mix(&at[0], heads, logits), &|at| {
                weigh(&attention_weights::weights(&at[0], heads, logits)?, &at[0], heads)
            });
            let fixed = Gains::Fixed([0.9, 1.2, 0.7]);
            check(
                &format!("{what} shaped"),
                std::slice::from_ref(&x),
                &|at| attention_weights::shaped(&at[0], heads, logits, fixed),
                &|at| weigh(&attention_weights::shaped_weights(&at[0], heads, logits, fixed)?, &at[0], heads),
            );
            check(
                &format!("{what} shaped, trained"),
                &[x.clone(), draw("gains", &[3])],
                &|at| attention_weights::shaped(&at[0], heads, logits, Gains::Trained(&at[1])),
                &|at| {
                    let weights = attention_weights::shaped_weights(&at[0], heads, logits, Gains::Trained(&at[1]))?;
                    weigh(&weights, &at[0], heads)
                },
            );
        }
        let gains = [draw("query gain", &[3]), draw("key gain", &[3])];
        check(
            &format!("{heads:?} QK-norm"),
            &[x, gains[0].clone(), gains[1].clone()],
            &|at| attention_weights::normalise_queries_and_keys(&at[0], [&at[1], &at[2]], heads),
            &|at| {
                let columns = |from: usize| at[0].narrow(1, from, 3);
                let columns = [
                    rms_norm::composed(&columns(0)?, &at[1])?,
                    rms_norm::composed(&columns(3)?, &at[1])?,
                    rms_norm::composed(&columns(6)?, &at[2])?,
                    rms_norm::composed(&columns(9)?, &at[2])?,
                    at[0].narrow(1, 12, 6)?,
                ];
                Tensor::cat(&columns, 1)
            },
        );
    }
}

#[test]
fn attentions() {
    for (tokens, count, d_head) in [(5, 2, 3), (8, 1, 8), (11, 3, 4)] {
        for causal in [false, true] {
            let heads = Heads { sequences: 2, tokens, count, causal };
            let x = draw("x", &[2 * tokens, 3 * count * d_head]);
            check(&format!("{heads:?}"), &[x], &|at| attention(&at[0], heads), &|at| {
                attention::composed(&at[0], heads)
            });
        }
    }
}

#[test]
fn cross_entropies() {
    let labels = Tensor::new(&[0u32, 3, 2, 2, 1], &Device::Cpu).unwrap();
    let weights = Tensor::new(&[0.2, 0.0, 0.5, 0.1, 0.2], &Device::Cpu).unwrap();
    for inverse_temperature in [1.0, 2.5] {
        let x = draw("x", &[5, 4]);
        check(
            "cross-entropy",
            &[x],
            &|at| {
                let weights = weights.to_dtype(at[0].dtype())?;
                cross_entropy::cross_entropy(&at[0], &labels, &weights, inverse_temperature)
            },
            &|at| cross_entropy::composed(&at[0], &labels, &weights, inverse_temperature),
        );
    }
}

fn pictures(classes: bool) -> Split {
    let n = 7;
    let values = normals(&mut Streams::new(3).stream("pictures"), n * 16).iter().map(|&x| x as f32).collect();
    let targets = if classes {
        Targets::Classes { labels: (0..n as u32).map(|i| i * i % 3).collect(), classes: 3 }
    } else {
        let values = normals(&mut Streams::new(3).stream("targets"), n * 2).iter().map(|&x| x as f32).collect();
        Targets::Values { values, outputs: 2 }
    };
    Split { inputs: Inputs::Features { values, shape: vec![4, 4, 1] }, targets }
}

fn sequences() -> Split {
    let ids: Vec<u32> = (0..24).map(|i| i * i % 7).collect();
    let targets = ids.iter().map(|&id| if id == 2 { UNGRADED } else { (id + 1) % 7 }).collect();
    Split {
        inputs: Inputs::Tokens { ids, length: 6, vocabulary: 7 },
        targets: Targets::NextTokens { ids: targets, length: 6, vocabulary: 7 },
    }
}

/// Whole networks at their initial parameters with all biases moved off zero, so that no term vanishes by symmetry.
#[track_caller]
fn check_network(spec: &ModelSpec, split: &Split, loss_spec: &LossSpec) {
    let model = build(spec, split).unwrap();
    let noise = normals(&mut Streams::new(9).stream("noise"), model.layout().total());
    let start: Vec<_> = model.init(&Streams::new(1)).iter().zip(noise).map(|(w, z)| w + 0.1 * z).collect();
    let params = Params::from_flat(model.layout().clone(), &start, DType::F64, &Device::Cpu).unwrap();
    let batch = Batch::new(split, DType::F64, &Device::Cpu).unwrap();
    let f = |at: &[Tensor]| loss(&model.forward(at, &batch.inputs, None)?, &batch.targets, loss_spec);
    let point = params.frozen().unwrap();
    // Between kinks the rectifier's loss is smooth: small steps find it so.
    let (h, tolerance) = if spec.activation == Activation::Relu { (1e-6, 2e-7) } else { (5e-4, 1e-8) };
    agrees_with_differences(&f, &point, &unit_direction(&point), h, tolerance, &model.title());
}

const ALL: [Activation; 5] =
    [Activation::Relu, Activation::Gelu, Activation::Tanh, Activation::Silu, Activation::Identity];

fn network(kind: ModelKind) -> ModelSpec {
    ModelSpec { kind, width: 8, depth: 2, n_heads: 2, residual_scale: 0.7, ..ModelSpec::default() }
}

#[test]
fn networks_with_every_activation() {
    let loss = LossSpec { temperature: 1.5, ..LossSpec::default() };
    for activation in ALL {
        check_network(&ModelSpec { activation, ..network(ModelKind::Mlp) }, &pictures(true), &loss);
        check_network(&ModelSpec { activation, ..network(ModelKind::ResidualMlp) }, &pictures(true), &loss);
        check_network(&ModelSpec { activation, ..network(ModelKind::VisionTransformer) }, &pictures(true), &loss);
        check_network(&ModelSpec { activation, ..network(ModelKind::Gpt) }, &sequences(), &loss);
        for downsample in [Downsample::Pool, Downsample::Stride] {
            let conv = ModelSpec { activation, downsample, ..network(ModelKind::ConvNet) };
            check_network(&conv, &pictures(true), &loss);
            let residual = ModelSpec { kind: ModelKind::ResidualConvNet, ..conv };
            check_network(&residual, &pictures(true), &loss);
        }
    }
}

#[test]
fn networks_with_every_norm_and_loss() {
    for norm in [Norm::PreLn, Norm::PostLn, Norm::PreRmsNorm, Norm::PreSrmsNorm, Norm::None] {
        for kind in [LossKind::CrossEntropy, LossKind::Mse] {
            let loss = LossSpec { kind, temperature: 0.8 };
            let vit = ModelSpec { norm, ..network(ModelKind::VisionTransformer) };
            check_network(&vit, &pictures(true), &loss);
            check_network(&ModelSpec { residual_scale: 1.0, ..vit.clone() }, &pictures(false), &loss);
            check_network(&ModelSpec { norm, ..network(ModelKind::ResidualMlp) }, &pictures(true), &loss);
            check_network(&ModelSpec { norm, ..network(ModelKind::Gpt) }, &sequences(), &loss);
            let conv = ModelSpec { norm, downsample: Downsample::Stride, ..network(ModelKind::ResidualConvNet) };
            check_network(&conv, &pictures(true), &loss);
            check_network(&ModelSpec { stages: 1, residual_scale: 1.0, ..conv }, &pictures(true), &loss);
        }
    }
    for sharing in [Sharing::Local, Sharing::Shared] {
        let masked = ModelSpec { sharing, width: 32, ..network(ModelKind::Mlp) };
        check_network(&masked, &pictures(true), &LossSpec::default());
    }
    let mse = LossSpec { kind: LossKind::Mse, ..LossSpec::default() };
    check_network(&network(ModelKind::Mlp), &pictures(false), &mse);
}

type Switch = fn(&mut ModelSpec);

/// Every switch of a block, each with something that a switch alone might hide.
const SWITCHES: &[(&str, Switch)] = &[
    ("final norm without norms", |s| (s.norm, s.block.final_norm) = (Norm::None, FinalNorm::On)),
    ("no final norm", |s| s.block.final_norm = FinalNorm::Off),
    ("normalised stream", |s| s.block.embedding_norm = EmbeddingNorm::Stream),
    ("normalised first branch", |s| {
        (s.norm, s.block.embedding_norm) = (Norm::PreRmsNorm, EmbeddingNorm::FirstBranch);
    }),
    ("first branch, Post-LN", |s| (s.norm, s.block.embedding_norm) = (Norm::PostLn, EmbeddingNorm::FirstBranch)),
    ("skip scale", |s| s.block.skip_scale = 0.6),
    ("depth scaling", |s| s.block.depth_scaling = DepthScaling::InverseSqrtBranches),
    ("SkipInit", |s| s.block.branch_gain = BranchGain::SkipInit),
    ("LayerScale", |s| (s.norm, s.block.branch_gain) = (Norm::PostLn, BranchGain::LayerScale)),
    ("MLP input scale", |s| s.block.mlp_input_scale = true),
    ("unit gain", |s| s.block.unit_gain = true),
    ("shaped ReLU", |s| (s.activation, s.block.shaped_relu) = (Activation::Relu, true)),
    ("other mask", |s| {
        s.attention.mask = if s.kind == ModelKind::Gpt { Mask::Bidirectional } else { Mask::Causal };
    }),
    ("1/d", |s| s.attention.scale = AttentionScale::Inverse),
    ("inverse temperature", |s| s.attention.inverse_temperature = 3.0),
    ("soft-cap", |s| s.attention.softcap = 0.5),
    ("QK-norm", |s| s.attention.qk_norm = true),
    ("shaped attention", |s| s.attention.shaped = true),
    ("trained gains", |s| (s.attention.shaped, s.attention.train_gains) = (true, true)),
    ("tied", |s| s.block.tied_embeddings = true),
    ("no positions", |s| s.block.positions = false),
    ("no biases", |s| s.block.biases = false),
    ("Outlier-Protected", |s| Preset::OutlierProtected.apply(s)),
    ("Outlier-Protected and smooth", |s| {
        Preset::OutlierProtected.apply(s);
        s.activation = Activation::Silu;
        s.block.mlp_input_scale = true;
        s.attention.softcap = 30.0;
    }),
    ("Shaped", |s| Preset::Shaped.apply(s)),
];

#[test]
fn networks_with_every_switch_of_a_block() {
    let loss = LossSpec::default();
    for (name, switch) in SWITCHES {
        for (kind, split) in [
            (ModelKind::VisionTransformer, pictures(true)),
            (ModelKind::Gpt, sequences()),
            (ModelKind::ResidualMlp, pictures(true)),
        ] {
            let mut spec = network(kind);
            switch(&mut spec);
            assert!(spec != network(kind), "{name} turns something");
            check_network(&spec, &split, &loss);
        }
    }
    let mut mlp = network(ModelKind::Mlp);
    mlp.block.biases = false;
    check_network(&mlp, &pictures(true), &loss);
}
