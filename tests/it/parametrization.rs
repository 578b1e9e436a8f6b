//! Parametrisations: both forms are one function with one trajectory and one preconditioned Hessian, and the base is
//! Standard.

use candle_core::{DType, Device};
use landscope::base::rng::{Streams, normals};
use landscope::linalg::operator::Dense;
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::curvature::Hessian;
use landscope::nn::parametrization::place::{Row, place};
use landscope::nn::parametrization::{Form, Parametrization, ParametrizationSpec};
use landscope::nn::params::Params;
use landscope::nn::spec::{Activation, LossSpec, ModelKind, ModelSpec};
use landscope::nn::training::gradient;
use landscope::optim::spec::{OptimizerKind, OptimizerSpec};
use landscope::run::parametrization::{optimizer, preconditioner};
use landscope::run::spec::RunSpec;
use landscope::tasks::data::{Inputs, Split, Targets};

/// Six features, three classes.
fn features() -> Split {
    let values = normals(&mut Streams::new(5).stream("x"), 20 * 6).iter().map(|&x| x as f32).collect();
    Split {
        inputs: Inputs::Features { values, shape: vec![6] },
        targets: Targets::Classes { labels: (0..20).map(|i| i % 3).collect(), classes: 3 },
    }
}

fn sequences() -> Split {
    let ids: Vec<u32> = (0..40).map(|i| (i * i + 3 * i) % 7).collect();
    Split {
        inputs: Inputs::Tokens { ids: ids.clone(), length: 4, vocabulary: 7 },
        targets: Targets::NextTokens { ids, length: 4, vocabulary: 7 },
    }
}

/// Away from the base in width, depth and gamma0, each by another ratio, so that no factor hides behind another.
/// Smooth, so that both forms can be followed to rounding.
fn spec(model: ModelKind, kind: Parametrization, form: Form) -> ModelSpec {
    let parametrization =
        ParametrizationSpec { kind, form, base_width: 3, base_depth: 1, gamma0: 0.6, gamma_exponent: 0.3 };
    let activation = Activation::Tanh;
    ModelSpec { kind: model, width: 8, depth: 3, n_heads: 2, activation, parametrization, ..ModelSpec::default() }
}

struct Trained {
    params: Params,
    losses: Vec<f64>,
}

fn train(model_spec: &ModelSpec, split: &Split, optimizer_spec: &OptimizerSpec, steps: usize) -> Trained {
    let model = build(model_spec, split).unwrap();
    let flat = model.init(&Streams::new(2));
    let params = Params::from_flat(model.layout().clone(), &flat, DType::F64, &Device::Cpu).unwrap();
    let batch = Batch::new(split, DType::F64, &Device::Cpu).unwrap();
    let run = RunSpec { model: model_spec.clone(), optimizer: optimizer_spec.clone(), ..RunSpec::default() };
    let mut optimizer = optimizer(&run, model.layout());
    let losses = (0..=steps)
        .map(|step| {
            let found = gradient(&*model, &params, &batch, &LossSpec::default()).unwrap();
            if step < steps {
                optimizer.step(&params, &found.tensors, optimizer_spec.lr).unwrap();
            }
            found.loss
        })
        .collect();
    Trained { params, losses }
}

/// Adam's epsilon is large against the rounding of gradients that are zero in exact arithmetic (those of the keys'
/// biases), which Adam would blow up to whole steps otherwise; it is scaled with the multipliers as the docs say.
fn optimizers() -> Vec<OptimizerSpec> {
    use OptimizerKind::{Adam, AdamW, Sgd};
    let base = OptimizerSpec { lr: 0.1, momentum: 0.0, weight_decay: 0.0, epsilon: 1e-3, ..OptimizerSpec::default() };
    let adam = OptimizerSpec { lr: 0.01, momentum: 0.9, ..base.clone() };
    vec![
        OptimizerSpec { kind: Sgd, ..base.clone() },
        OptimizerSpec { kind: Sgd, momentum: 0.9, lr: 0.02, weight_decay: 0.05, ..base.clone() },
        OptimizerSpec { kind: Sgd, momentum: 0.8, lr: 0.02, nesterov: true, ..base },
        OptimizerSpec { kind: Adam, ..adam.clone() },
        OptimizerSpec { kind: Adam, weight_decay: 0.05, ..adam.clone() },
        OptimizerSpec { kind: AdamW, weight_decay: 0.5, ..adam },
    ]
}

#[test]
fn both_forms_are_one_function_with_one_trajectory() {
    for (kind, split) in [(ModelKind::ResidualMlp, features()), (ModelKind::Gpt, sequences())] {
        for parametrization in Parametrization::ALL {
            for optimizer in optimizers() {
                let [absorbed, explicit] = [Form::Absorbed, Form::Explicit]
                    .map(|form| train(&spec(kind, parametrization, form), &split, &optimizer, 12));
                assert!(absorbed.losses[12] < 0.995 * absorbed.losses[0], "it learns: {:?}", absorbed.losses);
                for (step, (a, b)) in absorbed.losses.iter().zip(&explicit.losses).enumerate() {
                    assert!((a - b).abs() < 1e-10, "{parametrization:?} {optimizer:?} step {step}: {a} {b}");
                }
            }
        }
    }
}

/// The explicit parameters start with a spread that doesn't depend on the width, and differ from the absorbed ones: the
/// equality above isn't one of a thing with itself.
#[test]
fn explicit_parameters_start_alike_at_every_width() {
    let split = features();
    for parametrization in [Parametrization::Ntk, Parametrization::Mup, Parametrization::DepthMup] {
        let rms = |width: usize, form: Form| {
            let model_spec = ModelSpec { width, ..spec(ModelKind::ResidualMlp, parametrization, form) };
            let model = build(&model_spec, &split).unwrap();
            let flat = model.init(&Streams::new(4));
            let of = |row: Row| {
                let layout = model.layout();
                let chosen = (0..layout.infos().len()).filter(|&i| place(layout, i).row == row);
                let values: Vec<f64> = chosen.flat_map(|i| flat[layout.range(i)].to_vec()).collect();
                (values.iter().map(|w| w * w).sum::<f64>() / values.len() as f64).sqrt()
            };
            [Row::Input, Row::Hidden, Row::Output].map(of)
        };
        let ([narrow, wide], absorbed) = ([32, 128].map(|w| rms(w, Form::Explicit)), rms(128, Form::Absorbed));
        for row in 0..3 {
            // Some hundred draws at least: 15 % is four standard errors and more.
            assert!((wide[row] / narrow[row] - 1.0).abs() < 0.2, "{parametrization:?} {row} {narrow:?} {wide:?}");
        }
        assert!((absorbed[1] * 128.0_f64.sqrt() - 1.0).abs() < 0.05, "hidden matrices start with variance 1/fan_in");
        assert!(wide[1] > 2.0 * absorbed[1] && wide[2] > 2.0 * absorbed[2]);
    }
}

#[test]
fn at_the_base_every_parametrisation_is_standard() {
    let split = features();
    let optimizer = optimizers().pop().unwrap();
    let at_base = |kind, form| {
        let base = ParametrizationSpec { kind, form, base_width: 8, base_depth: 3, gamma0: 1.0, gamma_exponent: 0.3 };
        ModelSpec { parametrization: base, ..spec(ModelKind::ResidualMlp, kind, form) }
    };
    let hash = |kind, form| {
        let trained = train(&at_base(kind, form), &split, &optimizer, 5);
        trained.params.hash().unwrap()
    };
    let known = hash(Parametrization::Standard, Form::Absorbed);
    for kind in Parametrization::ALL {
        for form in [Form::Absorbed, Form::Explicit] {
            assert_eq!(hash(kind, form), known, "{kind:?} {form:?}");
        }
    }
}

/// The Hessian at the start, in the form's own parameters, and the factor R_i on the learning rate of each of them.
fn hessian_and_rates(form: Form, split: &Split) -> (Dense, Vec<f64>, Vec<Row>) {
    let model_spec = spec(ModelKind::Mlp, Parametrization::Mup, form);
    let model = build(&model_spec, split).unwrap();
    let layout = model.layout().clone();
    let flat = model.init(&Streams::new(2));
    let params = layout.unflatten(&flat, DType::F64, &Device::Cpu).unwrap();
    let batch = Batch::new(split, DType::F64, &Device::Cpu).unwrap();
    let mut hessian = Hessian::new(model.clone(), &params, &batch, &LossSpec::default()).unwrap();
    let dense = Dense::of(&mut hessian).unwrap();
    let optimizer = OptimizerSpec { kind: OptimizerKind::Sgd, ..OptimizerSpec::default() };
    let run = RunSpec { model: model_spec, optimizer, ..RunSpec::default() };
    let of_tensors = preconditioner(&run, &layout);
    let (mut rates, mut rows) = (Vec::new(), Vec::new());
    for (i, &rate) in of_tensors.iter().enumerate() {
        rates.extend(std::iter::repeat_n(rate, layout.range(i).len()));
        rows.extend(std::iter::repeat_n(place(&layout, i).row, layout.range(i).len()));
    }
    (dense, rates, rows)
}

/// Sharpness of `R^1/2 H R^1/2` over the parameters whose row `keep`s.
fn sharpness(hessian: &Dense, rates: &[f64], keep: &[usize]) -> f64 {
    let entry = |i: usize, j: usize| (rates[i] * rates[j]).sqrt() * hessian.get(i, j);
    let values = keep.iter().flat_map(|&i| keep.iter().map(move |&j| entry(i, j))).collect();
    let eigenvalues = Dense::new(keep.len(), values).unwrap().symmetric_eigenvalues().unwrap();
    eigenvalues.into_iter().fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn the_preconditioned_hessian_is_that_of_both_forms_and_obeys_the_paper() {
    let split = features();
    let (absorbed, rates_w, rows) = hessian_and_rates(Form::Absorbed, &split);
    let (explicit, rates_theta, _) = hessian_and_rates(Form::Explicit, &split);
    let n = rows.len();
    let all: Vec<usize> = (0..n).collect();
    let (a, b) = (sharpness(&absorbed, &rates_w, &all), sharpness(&explicit, &rates_theta, &all));
    assert!((a / b - 1.0).abs() < 1e-10, "{a} {b}");
    assert!(a > 0.0);

    // The paper's case: no bias of outputs. All theta then move at eta_raw = gamma^2 eta0, so
    // lambda(gamma^2 H) eta0 = lambda(H) eta_raw, whatever gamma0 is.
    let (m, gamma0) = (8.0 / 3.0, 0.6);
    let papers: Vec<usize> = all.into_iter().filter(|&i| rows[i] != Row::OutputBias).collect();
    for &i in &papers {
        assert!((rates_theta[i] / (m * gamma0 * gamma0) - 1.0).abs() < 1e-13);
    }
    let eta0 = 0.3;
    let eta_raw = eta0 * m * gamma0 * gamma0;
    let raw = sharpness(&explicit, &vec![1.0; n], &papers);
    let preconditioned = sharpness(&explicit, &rates_theta, &papers);
    assert!((preconditioned * eta0 / (raw * eta_raw) - 1.0).abs() < 1e-12);
    // Raw sharpness isn't the same in both forms: hence the preconditioner.
    let other = sharpness(&absorbed, &vec![1.0; n], &papers);
    assert!((other / raw - 1.0).abs() > 0.1, "{other} {raw}");
}

/// The output at the start: variance O(1) in the Standard and NTK parametrisations, O(1/width) in muP.
#[test]
fn the_output_at_the_start_falls_as_the_square_root_of_the_width_in_mup_only() {
    let split = features();
    let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
    let rms = |kind, width: usize| {
        let base = ParametrizationSpec { kind, base_width: 16, ..ParametrizationSpec::default() };
        let model_spec =
            ModelSpec { kind: ModelKind::Mlp, width, depth: 2, parametrization: base, ..ModelSpec::default() };
        let model = build(&model_spec, &split).unwrap();
        let outputs: Vec<f64> = (0..40)
            .flat_map(|seed| {
                let flat = model.init(&Streams::new(seed));
                let params = model.layout().unflatten(&flat, DType::F64, &Device::Cpu).unwrap();
                let outputs = model.forward(&params, &batch.inputs, None).unwrap();
                outputs.flatten_all().unwrap().to_vec1::<f64>().unwrap()
            })
            .collect();
        (outputs.iter().map(|f| f * f).sum::<f64>() / outputs.len() as f64).sqrt()
    };
    for (kind, slope) in [(Parametrization::Standard, 0.0), (Parametrization::Ntk, 0.0), (Parametrization::Mup, -0.5)] {
        let found = (rms(kind, 256) / rms(kind, 16)).log2() / 4.0;
        assert!((found - slope).abs() < 0.06, "{kind:?}: slope {found}");
    }
}

/// Second moments of the stream: (1 + a)^L for branches whose variance is a times the stream's.
#[test]
fn branches_shrink_with_depth_as_the_rule_says() {
    let split = features();
    let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
    let growth = |kind, depth: usize| {
        let base = ParametrizationSpec { kind, base_width: 64, base_depth: 1, ..ParametrizationSpec::default() };
        let model_spec = ModelSpec {
            kind: ModelKind::ResidualMlp,
            width: 64,
            depth,
            activation: Activation::Identity,
            norm: landscope::nn::spec::Norm::None,
            parametrization: base,
            ..ModelSpec::default()
        };
        let model = build(&model_spec, &split).unwrap();
        let params = model.layout().unflatten(&model.init(&Streams::new(1)), DType::F64, &Device::Cpu).unwrap();
        let mut taps = Vec::new();
        model.forward(&params, &batch.inputs, Some(&mut taps)).unwrap();
        let square = |t: &candle_core::Tensor| t.sqr().unwrap().mean_all().unwrap().to_scalar::<f64>().unwrap();
        square(taps.last().unwrap()) / square(&taps[0])
    };
    // Linear branches of variance 1: 2^L, (1 + 1/L)^L, (1 + 1/L^2)^L; a wide net is within some 20 % in each doubling.
    let depth = 8;
    let cases = [
        (Parametrization::Mup, 2.0_f64.powi(8)),
        (Parametrization::DepthMup, 1.125_f64.powi(8)),
        (Parametrization::DepthInverse, (1.0 + 1.0 / 64.0_f64).powi(8)),
    ];
    for (kind, known) in cases {
        let found = growth(kind, depth);
        assert!((found.ln() - known.ln()).abs() < 0.25 * known.ln() + 0.1, "{kind:?}: {found}, expected {known}");
    }
}

/// NTK's absorbed form draws what Standard draws, so that only the factor on tied outputs is left between them.
#[test]
fn tied_outputs_have_the_multiplier_of_an_output_matrix() {
    let split = sequences();
    let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
    let outputs = |kind, form| {
        let mut model_spec = spec(ModelKind::Gpt, kind, form);
        model_spec.block.tied_embeddings = true;
        let model = build(&model_spec, &split).unwrap();
        let params = model.layout().unflatten(&model.init(&Streams::new(2)), DType::F64, &Device::Cpu).unwrap();
        model.forward(&params, &batch.inputs, None).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap()
    };
    let standard = outputs(Parametrization::Standard, Form::Absorbed);
    let factor = (8.0_f64 / 3.0).powf(-0.5) / 0.6;
    for (a, b) in standard.iter().zip(outputs(Parametrization::Ntk, Form::Absorbed)) {
        assert!((a * factor - b).abs() < 1e-13, "{a} {b}");
    }
    let both = [Form::Absorbed, Form::Explicit].map(|form| outputs(Parametrization::Mup, form));
    assert!(both[0].iter().zip(&both[1]).all(|(a, b)| (a - b).abs() < 1e-13));
}
