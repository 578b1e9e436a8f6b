//! Invariants of the super-consistency lab: the parts of the Hessian, the preconditioned sharpness, starts, and the lab as a user runs it.
//!
//! Numbers in comments are those of the list of invariants in `docs/labs/super-consistency.md`; 1 is tested in `src/run/linear_networks.rs`.

use candle_core::{DType, Device};
use landscope::base::rng::{Streams, normals};
use landscope::linalg::estimator::estimate;
use landscope::linalg::lanczos::{Lanczos, Options};
use landscope::linalg::operator::{Dense, LinearOperator};
use landscope::linalg::wrappers::{Difference, Scaled};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::curvature::{GaussNewton, Hessian, Kernels, Metric, TangentKernel};
use landscope::nn::parametrization::{Form, Parametrization, ParametrizationSpec};
use landscope::nn::spec::{Activation, BlockSpec, LossKind, LossSpec, ModelKind, ModelSpec};
use landscope::run::curvature::{CurvatureProbe, Wanted, squared_error_factor};
use landscope::run::linear_networks::{LinearRun, Start};
use landscope::run::parametrization::preconditioner;
use landscope::run::spec::{DeviceChoice, RunSpec};
use landscope::run::trainer::Trainer;
use landscope::tasks::spec::TaskSpec;
use landscope::theory::linear_network::{LinearNetwork, Regression, State};

use super::exactness::pictures;
use super::program::{json_lines, output, stderr, stdout};

/// gamma = gamma0 N^a at base width 1, without biases: the papers' explicit form.
fn explicit(width: usize, gamma0: f64, exponent: f64) -> ModelSpec {
    let parametrization = ParametrizationSpec {
        kind: Parametrization::GammaPower,
        form: Form::Explicit,
        base_width: 1,
        base_depth: 1,
        gamma0,
        gamma_exponent: exponent,
    };
    ModelSpec {
        kind: ModelKind::Mlp,
        width,
        depth: 2,
        activation: Activation::Tanh,
        block: BlockSpec { biases: false, ..BlockSpec::default() },
        parametrization,
        ..ModelSpec::default()
    }
}

fn squared() -> LossSpec {
    LossSpec { kind: LossKind::Mse, ..LossSpec::default() }
}

/// Invariant 3: the nonzero eigenvalues of G are those of Theta/P, up to the 2/C of this program's mean over outputs.
#[test]
fn gauss_newton_has_the_eigenvalues_of_the_kernel() {
    let split = pictures(9, 4);
    let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
    let model = build(&explicit(6, 0.7, 0.5), &split).unwrap();
    let params = model.layout().unflatten(&model.init(&Streams::new(4)), DType::F64, &Device::Cpu).unwrap();
    let mut g = GaussNewton::new(model.clone(), &params, &batch, &squared(), Metric::Ggn).unwrap();
    let values = Dense::of(&mut g).unwrap().symmetric_eigenvalues().unwrap();
    let mut kernel = TangentKernel::new(model, &params, &batch, Kernels::Full).unwrap();
    let theta = loop {
        if let Some(found) = kernel.advance().unwrap() {
            break found.into_iter().next().unwrap();
        }
    };
    let (outputs, examples) = (3.0, 9.0);
    let known: Vec<f64> =
        theta.symmetric_eigenvalues().unwrap().iter().map(|value| value * 2.0 / outputs / examples).collect();
    let largest = known[known.len() - 1];
    let pairs = values.iter().rev().zip(known.iter().rev());
    for (found, known) in pairs.take(27) {
        assert!((found - known).abs() < 1e-6 * largest, "{found} {known}");
    }
    assert!(values[..values.len() - 27].iter().all(|value| value.abs() < 1e-9 * largest));
}

/// Invariant 5: the learning rate of theta is eta0 gamma^2 for every tensor, so lambda(gamma^2 H) eta0 = lambda(H) eta_raw.
#[test]
fn the_preconditioned_sharpness_times_eta0_is_the_raw_one_times_the_raw_rate() {
    let split = pictures(12, 4);
    let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
    for (gamma0, exponent) in [(0.3, 0.5), (1.0, 0.5), (2.5, 0.5), (0.6, 0.0), (1.7, 0.25)] {
        let model_spec = explicit(8, gamma0, exponent);
        let model = build(&model_spec, &split).unwrap();
        let layout = model.layout().clone();
        let gamma_squared = (gamma0 * 8.0_f64.powf(exponent)).powi(2);
        let rates = preconditioner(&RunSpec { model: model_spec, ..sgd() }, &layout);
        assert!(rates.iter().all(|rate| (rate / gamma_squared - 1.0).abs() < 1e-13), "{rates:?} {gamma_squared}");
        let params = layout.unflatten(&model.init(&Streams::new(1)), DType::F64, &Device::Cpu).unwrap();
        let mut hessian = Hessian::new(model.clone(), &params, &batch, &squared()).unwrap();
        let raw = Dense::of(&mut hessian).unwrap().symmetric_eigenvalues().unwrap();
        let mut scaled = Scaled::new(hessian, vec![gamma_squared.sqrt(); layout.total()]);
        let preconditioned = Dense::of(&mut scaled).unwrap().symmetric_eigenvalues().unwrap();
        let eta0 = 0.37;
        let (a, b) = (preconditioned[layout.total() - 1] * eta0, raw[layout.total() - 1] * eta0 * gamma_squared);
        assert!((a / b - 1.0).abs() < 1e-11, "{gamma0} {exponent}: {a} {b}");
    }
}

fn sgd() -> RunSpec {
    let mut spec = RunSpec { device: DeviceChoice::Cpu, batch_size: 0, ..RunSpec::default() };
    spec.optimizer.kind = landscope::optim::spec::OptimizerKind::Sgd;
    (spec.optimizer.momentum, spec.optimizer.weight_decay) = (0.0, 0.0);
    spec
}

/// Invariant 6: power iteration, shifted so that the largest eigenvalue is the largest in magnitude, Lanczos' method and a dense solver agree on the
/// whole Hessian.
#[test]
fn power_iteration_lanczos_and_a_dense_solver_agree() {
    let split = pictures(24, 4);
    let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
    let model = build(&explicit(8, 1.0, 0.5), &split).unwrap();
    let params = model.layout().unflatten(&model.init(&Streams::new(3)), DType::F64, &Device::Cpu).unwrap();
    let mut hessian = Hessian::new(model.clone(), &params, &batch, &squared()).unwrap();
    let dense = Dense::of(&mut hessian).unwrap();
    let values = dense.symmetric_eigenvalues().unwrap();
    let (lowest, known) = (values[0], values[values.len() - 1]);
    assert!(lowest < -0.05 * known, "R makes negative eigenvalues here, or the shift shows nothing: {lowest} {known}");
    let options = Options { tolerance: 1e-8, most_products: 300, ..Options::default() };
    let mut search = Lanczos::new(hessian.dim(), None, Streams::new(0).stream("lanczos"), options);
    let lanczos = estimate(&mut hessian, &mut search).unwrap();
    assert!(lanczos.converged && (lanczos.value / known - 1.0).abs() < 1e-12);
    // On the dense matrix: the same products, quicker.
    let mut v = normals(&mut Streams::new(0).stream("power"), dense.side());
    let mut dense = dense;
    let mut product = vec![0.0; v.len()];
    let mut quotient = 0.0;
    for _ in 0..4_000 {
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.iter_mut().for_each(|x| *x /= length);
        dense.apply(&v, &mut product).unwrap();
        quotient = v.iter().zip(&product).map(|(a, b)| a * b).sum();
        v = product.iter().zip(&v).map(|(p, v)| p - lowest * v).collect();
    }
    assert!((quotient / known - 1.0).abs() < 1e-9, "{quotient} {known}");
}

/// Invariant 4: at the start the outputs have variance O(1/N) under muP, O(1) under NTK, and N^(-2a) between.
#[test]
fn outputs_at_the_start_fall_as_gamma_does() {
    let split = pictures(6, 4);
    let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
    let variance = |exponent, width: usize| {
        let model = build(&explicit(width, 1.0, exponent), &split).unwrap();
        let squares: Vec<f64> = (0..60)
            .flat_map(|seed| {
                let flat = model.init(&Streams::new(seed));
                let params = model.layout().unflatten(&flat, DType::F64, &Device::Cpu).unwrap();
                let outputs = model.forward(&params, &batch.inputs, None).unwrap();
                outputs.flatten_all().unwrap().to_vec1::<f64>().unwrap()
            })
            .map(|f| f * f)
            .collect();
        squares.iter().sum::<f64>() / squares.len() as f64
    };
    for exponent in [0.0, 0.25, 0.5] {
        let slope = (variance(exponent, 256) / variance(exponent, 16)).log2() / 4.0;
        assert!((slope + 2.0 * exponent).abs() < 0.1, "{exponent}: {slope}");
    }
}

/// Invariant 2: with N = 4096 the start's sharpness, by products with the network's Hessian, is that of the (3D+1)-matrix at
/// infinite width, and 2 lambda_max(C) for NTK, up to 1/sqrt(N).
#[test]
fn the_start_of_a_wide_network_has_the_sharpness_of_the_limit() {
    let (d, p, n) = (5, 40, 4096);
    let streams = Streams::new(8);
    let x: Vec<f64> = normals(&mut streams.stream("x"), p * d)
        .iter()
        .enumerate()
        .map(|(i, x)| x * (1.0 - 0.15 * (i % d) as f64))
        .collect();
    let y: Vec<f64> = x.chunks_exact(d).map(|x| 2.0 * x[0] - x[1] + 0.5 * (3.0 * x[2]).sin()).collect();
    let (e, v) = (normals(&mut streams.stream("e"), d * n), normals(&mut streams.stream("v"), n));
    let task = Regression::of(&x, &y);
    for (exponent, kappa) in [(0.5, 1.0), (0.0, 0.0)] {
        let mut run = LinearRun::new(&Start { x: &x, y: &y, e: &e, v: &v }, 1.0, exponent).unwrap();
        let found = run.hessian_sharpness().unwrap().unwrap();
        let known = LinearNetwork::new(task.clone(), kappa, State::infinite(d)).sharpness().unwrap().hessian;
        assert!((found / known - 1.0).abs() < 4.0 / (n as f64).sqrt(), "a {exponent}: {found} {known}");
    }
}

/// What the lab records of a run, against dense matrices at the same parameters.
#[test]
fn the_parts_of_a_runs_curvature_are_those_of_dense_matrices() {
    for kind in [LossKind::Mse, LossKind::CrossEntropy] {
        let mut spec = sgd();
        spec.task = TaskSpec { train_size: 40, ..TaskSpec::default() };
        spec.loss.kind = kind;
        spec.model = ModelSpec {
            kind: ModelKind::Mlp,
            width: 4,
            depth: 2,
            activation: Activation::Tanh,
            ..ModelSpec::default()
        };
        spec.model.parametrization =
            ParametrizationSpec { kind: Parametrization::Mup, base_width: 1, gamma0: 0.8, ..Default::default() };
        spec.optimizer.rates.input = 1.0 / 64.0;
        spec.optimizer.rates.vectors = 0.0;
        spec.optimizer.lr = 0.5;
        let mut trainer = Trainer::new(spec).unwrap();
        let wanted =
            Wanted { parts: true, kernel: 3, trace: 40, tolerance: 1e-3, most_products: 200, ..Wanted::default() };
        let mut probe = CurvatureProbe::new(wanted);
        for _ in 0..2 {
            let found = probe.measure(&trainer).unwrap().unwrap();
            let [h, g, r, theta, trace] = by_hand(&trainer);
            let close = |a: f64, b: f64| (a - b).abs() < 2e-4 * h.abs();
            assert!(close(found.sharpness.value, h), "{kind:?}: {found:?} {h}");
            assert!(close(found.gauss_newton.unwrap().value, g), "{kind:?}: {found:?} {g}");
            assert!(close(found.residual.unwrap().value, r), "{kind:?}: {found:?} {r}");
            assert!((found.kernel[0].value / theta - 1.0).abs() < 2e-4 && found.kernel.len() == 3, "{kind:?} {theta}");
            let estimated = found.trace.unwrap();
            assert!((estimated.value - trace).abs() < 5.0 * estimated.standard_error, "{estimated:?} {trace}");
            if kind == LossKind::Mse {
                assert!(
                    (g * squared_error_factor(&trainer) / theta - 1.0).abs() < 1e-5,
                    "G is the kernel: {g} {theta}"
                );
            }
            (0..30).for_each(|_| drop(trainer.step().unwrap()));
        }
    }
}

/// Largest eigenvalues of S H S, S G S, the largest in magnitude of S R S, that of the kernel over P, and tr S H S.
fn by_hand(trainer: &Trainer) -> [f64; 5] {
    let batch = Batch::new(trainer.train(), DType::F64, &Device::Cpu).unwrap();
    let layout = trainer.model().layout();
    let flat = layout.flatten(&trainer.params().frozen().unwrap()).unwrap();
    let params = layout.unflatten(&flat, DType::F64, &Device::Cpu).unwrap();
    let factors = trainer.preconditioning().unwrap().unwrap();
    let loss = &trainer.spec().loss;
    let model = trainer.model();
    let hessian = || Scaled::new(Hessian::new(model.clone(), &params, &batch, loss).unwrap(), factors.clone());
    let matrix = |loss: &LossSpec| {
        let matrix = GaussNewton::new(model.clone(), &params, &batch, loss, Metric::Ggn).unwrap();
        Scaled::new(matrix, factors.clone())
    };
    let values = |dense: Dense| dense.symmetric_eigenvalues().unwrap();
    let h = Dense::of(&mut hessian()).unwrap();
    let trace = (0..h.side()).map(|i| h.get(i, i)).sum();
    let last = |values: Vec<f64>| values[values.len() - 1];
    let rest = values(Dense::of(&mut Difference::new(hessian(), matrix(loss))).unwrap());
    let (low, high) = (rest[0], rest[rest.len() - 1]);
    let r = if low.abs() > high { low } else { high };
    let g = last(values(Dense::of(&mut matrix(loss)).unwrap()));
    let theta = 5.0 * last(values(Dense::of(&mut matrix(&squared())).unwrap()));
    [last(values(h)), g, r, theta, trace]
}

/// The linear model with its networks, from the command line: a recording, figures and claims, the same for the same seed.
#[test]
fn the_instant_lab_runs_headless_and_tells_its_claims() {
    let home = tempfile::tempdir().unwrap();
    let run = |out: &str, seed: &str| {
        let arguments = ["run", "super-consistency", "--preset", "instant", "--seed", seed, "--out", out, "--json"];
        let done = output(home.path(), &arguments);
        assert!(done.status.success(), "{}", stderr(&done));
        let mut told = json_lines(&done).pop().unwrap();
        told["seconds"] = serde_json::Value::Null;
        told["out"] = serde_json::Value::Null;
        told
    };
    let told = run("a", "1");
    assert_eq!(told, run("b", "1"));
    assert_ne!(told, run("c", "2"));
    let result = |id: &str| {
        let claims = told["claims"].as_array().unwrap();
        claims.iter().find(|claim| claim["claim"] == id).unwrap()["result"].clone()
    };
    assert_eq!(result("exact-linear-model"), "holds");
    assert_eq!(result("rate-transfers-mup"), "holds");
    assert!(home.path().join("a/1-sharpness.png").exists());
}

/// The theory for examples of one's own.
#[test]
fn theory_is_printed_for_given_examples_and_wrong_ones_are_named() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("in.toml"), "x = [[2.0, 0.0], [0.0, 1.0]]\ny = [[1.0], [0.0]]\n").unwrap();
    let theory = |more: &[&str]| {
        let base = ["theory", "super-consistency", "--preset", "instant", "--sizes", "64", "--steps", "4"];
        output(home.path(), &[&base, more].concat())
    };
    let done = theory(&["--inputs", "in.toml", "--json", "-"]);
    assert!(done.status.success(), "{}", stderr(&done));
    let told: serde_json::Value = serde_json::from_str(&stdout(&done)).unwrap();
    let start = &told["tables"]["start"]["columns"];
    // C = diag(2, 1/2): NTK's limit is 2 lambda_max(C) = 4. The rows are muP's 64 and limit, NTK's 64 and limit.
    assert_eq!(start["sharpness"][3].as_f64().unwrap(), 4.0);
    let steps = told["tables"]["trajectory_mup"]["columns"]["step"].as_array().unwrap().len();
    assert_eq!(steps, 2 * 3);
    assert_eq!(told["tables"]["thresholds"]["columns"]["gradient_descent"][0], 8.0);
    std::fs::write(home.path().join("bad.toml"), "x = [[2.0, 0.0], [0.0, 1.0]]\ny = [[1.0]]\n").unwrap();
    for (arguments, word) in [
        (vec!["--inputs", "bad.toml"], "for each row"),
        (vec!["--sizes", "4"], "sizes"),
        (vec!["--first", "standard"], "standard"),
    ] {
        let done = theory(&arguments);
        assert!(!done.status.success() && stderr(&done).contains(word), "{word}: {}", stderr(&done));
    }
}
