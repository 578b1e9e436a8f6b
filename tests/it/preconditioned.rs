//! The sharpness as the optimiser's steps meet it: the probe against dense matrices, both forms of a parametrisation, and the
//! adaptive edge of stability.

use candle_core::{DType, Device};
use landscope::base::rng::Streams;
use landscope::linalg::lanczos::Options;
use landscope::linalg::operator::Dense;
use landscope::linalg::wrappers::Scaled;
use landscope::linalg::{estimator::estimate, lanczos::Lanczos, operator::LinearOperator};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::curvature::Hessian;
use landscope::nn::parametrization::{Form, Parametrization, ParametrizationSpec};
use landscope::nn::params::Params;
use landscope::nn::spec::{Activation, LossKind, LossSpec, ModelKind, ModelSpec};
use landscope::nn::training::gradient;
use landscope::optim::spec::{OptimizerKind, OptimizerSpec};
use landscope::probes::sharpness;
use landscope::record::{Reading, names};
use landscope::run::parametrization::optimizer;
use landscope::run::preconditioning::{self, SharpnessOf};
use landscope::run::spec::RunSpec;
use landscope::run::trainer::{StepOutcome, Trainer};
use landscope::tasks::spec::{TaskKind, TaskSpec};

use super::exactness::{measured, pictures, small, trained};

#[test]
fn the_live_probe_finds_the_largest_eigenvalue_of_the_dense_preconditioned_matrix() {
    for kind in [ModelKind::Mlp, ModelKind::VisionTransformer] {
        let subject = trained(&small(kind), &pictures(24, 4), DType::F64, 10);
        let n = subject.model.layout().total();
        // Spread over decades, as Adam's are.
        let factors: Vec<f64> = (0..n).map(|i| 10.0_f64.powf((i as f64 * 0.7).sin())).collect();
        let batch = subject.batch(usize::MAX).unwrap();
        let mut hessian = Hessian::new(subject.model.clone(), &subject.params, &batch, &subject.loss).unwrap();
        let dense = Dense::of(&mut hessian).unwrap();
        let entries = (0..n * n).map(|ij| factors[ij / n] * dense.get(ij / n, ij % n) * factors[ij % n]).collect();
        let known = Dense::new(n, entries).unwrap().symmetric_eigenvalues().unwrap();
        let warm = sharpness::Warm::default();
        let job = sharpness::begin_preconditioned(&subject, usize::MAX, 0.02, (factors, "S H S"), &warm).unwrap();
        let readings = measured(job);
        let [(series, Reading::Estimate(found))] = &readings[..] else { panic!("{readings:?}") };
        assert!(*series == names::PRECONDITIONED_SHARPNESS && found.converged && found.residual <= 0.02 * found.value);
        assert!(found.circumstances.method.contains("S H S"));
        // Its error goes with the square of the residual over the gap to the next.
        let bound = found.residual.powi(2) / (known[n - 1] - known[n - 2]);
        assert!(
            (found.value - known[n - 1]).abs() <= found.residual.min(1.5 * bound),
            "{kind:?}: {found:?} {}",
            known[n - 1]
        );
    }
}

/// The largest eigenvalue of `S H S` and that of H after a few full-batch steps in f64, each to 1e-9.
fn after_steps(kind: OptimizerKind, form: Form) -> [f64; 2] {
    let split = pictures(24, 4);
    let base =
        ParametrizationSpec { kind: Parametrization::Mup, form, base_width: 3, gamma0: 0.7, ..Default::default() };
    let model_spec = ModelSpec {
        kind: ModelKind::Mlp,
        width: 8,
        depth: 2,
        activation: Activation::Tanh,
        parametrization: base,
        ..ModelSpec::default()
    };
    // An epsilon that counts: it must scale with the form, too.
    let optimizer_spec = OptimizerSpec { kind, epsilon: 1e-3, momentum: 0.9, weight_decay: 0.05, ..Default::default() };
    let spec = RunSpec { model: model_spec, optimizer: optimizer_spec, ..RunSpec::default() };
    let model = build(&spec.model, &split).unwrap();
    let layout = model.layout().clone();
    let flat = model.init(&Streams::new(2));
    let params = Params::from_flat(layout.clone(), &flat, DType::F64, &Device::Cpu).unwrap();
    let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
    let mut state = optimizer(&spec, &layout);
    for _ in 0..5 {
        let found = gradient(&*model, &params, &batch, &LossSpec::default()).unwrap();
        state.step(&params, &found.tensors, 0.01).unwrap();
    }
    let hessian = || Hessian::new(model.clone(), &params.frozen().unwrap(), &batch, &LossSpec::default()).unwrap();
    let factors = preconditioning::factors(&spec, &layout, &state, &Device::Cpu).unwrap().unwrap();
    let options = Options { tolerance: 1e-9, most_products: 1_000, ..Options::default() };
    let search = || Lanczos::new(layout.total(), None, Streams::new(3).stream("s"), options);
    let found = estimate(&mut Scaled::new(hessian(), factors), &mut search()).unwrap();
    let plain = estimate(&mut hessian(), &mut search()).unwrap();
    assert!(found.converged && plain.converged && hessian().dim() == layout.total());
    [found.value, plain.value]
}

#[test]
fn both_forms_of_a_parametrisation_have_one_preconditioned_sharpness() {
    for kind in [OptimizerKind::Sgd, OptimizerKind::Adam, OptimizerKind::AdamW, OptimizerKind::RmsProp] {
        let [a, b] = [Form::Absorbed, Form::Explicit].map(|form| after_steps(kind, form));
        assert!((a[0] / b[0] - 1.0).abs() < 1e-8, "{kind:?}: {a:?} {b:?}");
        assert!((a[1] / b[1] - 1.0).abs() > 0.05, "the plain one differs: {kind:?}: {a:?} {b:?}");
    }
}

#[test]
fn what_is_measured_follows_the_optimiser() {
    let spec = |kind, parametrization| {
        let mut spec = RunSpec::default();
        spec.optimizer.kind = kind;
        spec.model.parametrization.kind = parametrization;
        spec
    };
    let asked = SharpnessOf::Preconditioned;
    for (kind, parametrization, exists) in [
        (OptimizerKind::Sgd, Parametrization::Standard, false),
        (OptimizerKind::Sgd, Parametrization::Mup, true),
        (OptimizerKind::AdamW, Parametrization::Standard, true),
        (OptimizerKind::RmsProp, Parametrization::Mup, true),
        (OptimizerKind::Soap, Parametrization::Mup, false),
    ] {
        let spec = spec(kind, parametrization);
        assert_eq!((asked.wants_preconditioned(&spec), asked.wants_raw(&spec)), (exists, !exists), "{kind:?}");
        assert!(SharpnessOf::Both.wants_raw(&spec) && SharpnessOf::Both.wants_preconditioned(&spec) == exists);
        assert!(SharpnessOf::Hessian.wants_raw(&spec) && !SharpnessOf::Hessian.wants_preconditioned(&spec));
    }
}

/// Preconditioned sharpness over its threshold, every ten steps of full-batch Adam.
fn approach(lr: f64, steps: usize) -> Vec<f64> {
    let spec = RunSpec {
        batch_size: 0,
        task: TaskSpec { kind: TaskKind::Digits, train_size: 100, ..TaskSpec::default() },
        model: ModelSpec {
            kind: ModelKind::Mlp,
            width: 24,
            depth: 2,
            activation: Activation::Tanh,
            ..ModelSpec::default()
        },
        loss: LossSpec { kind: LossKind::Mse, ..LossSpec::default() },
        optimizer: OptimizerSpec {
            kind: OptimizerKind::Adam,
            lr,
            momentum: 0.9,
            beta2: 0.99,
            epsilon: 1e-7,
            weight_decay: 0.0,
            ..OptimizerSpec::default()
        },
        ..RunSpec::default()
    };
    let mut trainer = Trainer::new(spec.clone()).unwrap();
    assert!(trainer.preconditioning().unwrap().is_none(), "before the first update there is none");
    let batch = Batch::new(trainer.train(), DType::F32, &Device::Cpu).unwrap();
    let (mut start, mut ratios) = (None, Vec::new());
    for step in 1..=steps {
        assert!(matches!(trainer.step().unwrap(), StepOutcome::Done(_)));
        if !step.is_multiple_of(10) {
            continue;
        }
        let factors = trainer.preconditioning().unwrap().unwrap();
        let params = trainer.params().frozen().unwrap();
        let hessian = Hessian::new(trainer.model().clone(), &params, &batch, &spec.loss).unwrap();
        let options = Options { tolerance: 1e-2, ..Options::default() };
        let random = Streams::new(1).indexed("s", step as u64);
        let search = &mut Lanczos::new(factors.len(), start.as_deref(), random, options);
        let found = estimate(&mut Scaled::new(hessian, factors), search).unwrap();
        start = Some(found.next_start);
        ratios.push(found.value * lr / 38.0);
    }
    ratios
}

/// Cohen et al. 2022, figure 1, at small scale: the preconditioned sharpness climbs to 38/lr, whatever the rate is, and stays about
/// there, while the plain one settles at some 3 or 4. Two rates, so that it isn't a number of the task.
#[test]
fn full_batch_adam_rises_to_its_edge_and_hovers_there() {
    for lr in [3e-3, 4e-3] {
        let ratios = approach(lr, 700);
        assert!(ratios[0] < 0.2, "{lr}: it begins far below: {ratios:.2?}");
        let late = &ratios[ratios.len() - 20..];
        let mean = late.iter().sum::<f64>() / late.len() as f64;
        assert!((0.85..1.1).contains(&mean), "{lr}: {mean} on average: {ratios:.2?}");
        assert!(late.iter().all(|ratio| (0.6..1.25).contains(ratio)), "{lr}: {ratios:.2?}");
        assert!(ratios.iter().all(|&ratio| ratio < 1.4), "{lr}: never far above: {ratios:.2?}");
    }
}
