//! Every optimiser against a reference implementation's trajectory, and within a whole run.
//!
//! `tests/data/reference/optimizers.py` made the reference and says from what.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use landscope::nn::batch::Batch;
use landscope::nn::params::{Layout, Params, Role};
use landscope::nn::spec::ModelKind;
use landscope::nn::training;
use landscope::optim::Optimizer;
use landscope::optim::schedule::lr_at;
use landscope::optim::spec::{OptimizerKind, OptimizerSpec, ScheduleSpec};
use landscope::run::spec::RunSpec;
use landscope::run::trainer::{StepOutcome, Trainer};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    steps: u64,
    /// Updates after which parameters were kept.
    kept: Vec<u64>,
    start: Vec<f64>,
    x: Vec<f64>,
    y: Vec<f64>,
    cases: Vec<Case>,
}

#[derive(Clone, Deserialize)]
struct Case {
    name: String,
    optimizer: OptimizerSpec,
    schedule: ScheduleSpec,
    losses: Vec<f64>,
    params: Vec<Vec<f64>>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../data/reference/optimizers.json")).unwrap()
}

fn layout() -> Arc<Layout> {
    let mut layout = Layout::default();
    layout.push("first", "w1", &[5, 4], Role::Input);
    layout.push("first", "b1", &[4], Role::Bias);
    layout.push("second", "w2", &[4, 4], Role::Hidden);
    layout.push("third", "w3", &[4, 3], Role::Output);
    Arc::new(layout)
}

/// Loss and gradient of the reference's network.
fn gradient(params: &Params, x: &Tensor, y: &Tensor) -> (f64, Vec<Tensor>) {
    let [w1, b1, w2, w3] = params.tensors().try_into().unwrap();
    let hidden = x.matmul(&w1).unwrap().broadcast_add(&b1).unwrap().tanh().unwrap();
    let out = hidden.matmul(&w2).unwrap().tanh().unwrap().matmul(&w3).unwrap();
    let loss = (out - y).unwrap().sqr().unwrap().mean_all().unwrap();
    let found = loss.backward().unwrap();
    let gradients = params.vars().iter().map(|var| found.get(var).unwrap().detach()).collect();
    (loss.to_scalar().unwrap(), gradients)
}

/// Largest distance of parameters from the reference's, over the largest of those.
fn follow(reference: &Reference, case: &Case) -> f64 {
    let layout = layout();
    let tensor = |values: &[f64], columns: usize| {
        let rows = values.len() / columns;
        Tensor::from_slice(values, (rows, columns), &Device::Cpu).unwrap()
    };
    let (x, y) = (tensor(&reference.x, 5), tensor(&reference.y, 3));
    let params = Params::from_flat(layout.clone(), &reference.start, DType::F64, &Device::Cpu).unwrap();
    let mut optimizer = Optimizer::new(&case.optimizer, &layout);
    let mut worst = 0.0_f64;
    for step in 0..reference.steps {
        let (loss, mut gradients) = gradient(&params, &x, &y);
        worst = worst.max((loss - case.losses[step as usize]).abs() / case.losses[step as usize]);
        let ascent = optimizer.ascend(&params, &gradients).unwrap();
        assert_eq!(ascent.is_some(), case.optimizer.sam_rho > 0.0);
        if let Some(ascent) = ascent {
            gradients = gradient(&params, &x, &y).1;
            ascent.undo(&params).unwrap();
        }
        let lr = lr_at(&case.optimizer, &case.schedule, step, reference.steps);
        optimizer.step(&params, &gradients, lr).unwrap();
        if let Some(at) = reference.kept.iter().position(|&kept| kept == step + 1) {
            let known = &case.params[at];
            let size = known.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
            for (found, known) in layout.flatten(&params.tensors()).unwrap().iter().zip(known) {
                worst = worst.max((found - known).abs() / size);
            }
        }
    }
    worst
}

#[test]
fn trajectories_are_those_of_the_reference_implementations() {
    let reference = reference();
    let kinds: std::collections::BTreeSet<_> =
        reference.cases.iter().map(|case| format!("{:?}", case.optimizer.kind)).collect();
    assert_eq!(kinds.len(), KINDS.len(), "{kinds:?}");
    let worst: Vec<_> = reference.cases.iter().map(|case| (follow(&reference, case), &case.name)).collect();
    assert!(worst.iter().all(|(worst, _)| *worst < 1e-12), "{worst:?}");
}

/// The comparison would notice a constant that is off by a thousandth.
#[test]
fn a_slightly_wrong_constant_leaves_the_reference() {
    let reference = reference();
    for case in &reference.cases {
        let mut case = case.clone();
        case.optimizer.lr *= 1.001;
        assert!(follow(&reference, &case) > 1e-6, "{}", case.name);
    }
}

const KINDS: [OptimizerKind; 7] = [
    OptimizerKind::Sgd,
    OptimizerKind::Adam,
    OptimizerKind::AdamW,
    OptimizerKind::RmsProp,
    OptimizerKind::Muon,
    OptimizerKind::Shampoo,
    OptimizerKind::Soap,
];

/// A small transformer: matrices with every role.
fn small(kind: OptimizerKind) -> RunSpec {
    let mut spec = RunSpec { steps: 100, batch_size: 16, ..RunSpec::default() };
    (spec.model.kind, spec.model.width, spec.model.depth) = (ModelKind::VisionTransformer, 8, 2);
    (spec.model.n_heads, spec.model.patch, spec.task.train_size) = (2, 4, 200);
    (spec.optimizer.kind, spec.optimizer.precondition_every, spec.optimizer.clip_norm) = (kind, 3, 1.0);
    if kind == OptimizerKind::Sgd {
        spec.optimizer.lr = 0.05;
    }
    spec
}

fn advance(trainer: &mut Trainer, steps: usize) -> Vec<f64> {
    let step = |_| match trainer.step().unwrap() {
        StepOutcome::Done(report) => report.loss,
        StepOutcome::Diverged(divergence) => panic!("{divergence:?}"),
    };
    (0..steps).map(step).collect()
}

#[test]
fn every_kind_learns_and_goes_on_from_a_checkpoint_with_the_same_bits() {
    for kind in KINDS {
        for sam_rho in [0.0, 0.05] {
            let mut spec = small(kind);
            spec.optimizer.sam_rho = sam_rho;
            let mut trainer = Trainer::new(spec).unwrap();
            let mut losses = advance(&mut trainer, 5);
            let checkpoint = trainer.checkpoint(losses[4]).unwrap();
            losses.extend(advance(&mut trainer, 55));
            let hash = trainer.params().hash().unwrap();
            trainer.restore(&checkpoint).unwrap();
            assert_eq!(advance(&mut trainer, 55), losses[5..], "{kind:?} {sam_rho}");
            assert_eq!(trainer.params().hash().unwrap(), hash, "{kind:?} {sam_rho}");
            let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
            assert!(mean(&losses[50..]) < 0.9 * mean(&losses[..5]), "{kind:?} {sam_rho}: {losses:?}");
        }
    }
}

/// The whole of SAM in a run: two gradients of the same batch, the second uphill, norms reported of the first.
#[test]
fn sharpness_aware_steps_use_the_gradient_uphill_and_report_the_one_at_hand() {
    let mut spec = small(OptimizerKind::Sgd);
    (spec.batch_size, spec.optimizer.momentum, spec.optimizer.weight_decay, spec.optimizer.clip_norm) =
        (0, 0.0, 0.0, 0.0);
    spec.optimizer.sam_rho = 0.5;
    let mut trainer = Trainer::new(spec.clone()).unwrap();
    let params = Params::from_flat(
        trainer.model().layout().clone(),
        &trainer.model().layout().flatten(&trainer.params().frozen().unwrap()).unwrap(),
        DType::F64,
        &Device::Cpu,
    )
    .unwrap();
    let layout = params.layout().clone();
    let batch = Batch::new(trainer.train(), DType::F64, &Device::Cpu).unwrap();
    let at = |flat: &[f64]| {
        let params = Params::from_flat(layout.clone(), flat, DType::F64, &Device::Cpu).unwrap();
        let found = training::gradient(&**trainer.model(), &params, &batch, &spec.loss).unwrap();
        layout.flatten(&found.tensors).unwrap()
    };
    let w = layout.flatten(&params.tensors()).unwrap();
    let g = at(&w);
    let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
    let uphill = at(&w.iter().zip(&g).map(|(w, g)| w + 0.5 * g / norm).collect::<Vec<_>>());
    let change = uphill.iter().zip(&g).map(|(u, g)| (u - g).powi(2)).sum::<f64>().sqrt();
    assert!(change > 0.1 * norm, "the two gradients must differ for the test to say anything");

    let StepOutcome::Done(report) = trainer.step().unwrap() else { panic!() };
    let after = layout.flatten(&trainer.params().tensors()).unwrap();
    for ((after, w), u) in after.iter().zip(&w).zip(&uphill) {
        assert!((after - (w - 0.05 * u)).abs() < 1e-6, "{after} {}", w - 0.05 * u);
    }
    let reported = report.gradient_norm.iter().map(|&n| f64::from(n).powi(2)).sum::<f64>().sqrt();
    assert!((reported - norm).abs() < 1e-4 * norm, "{reported} {norm}");
}

/// Bits of a step don't depend on the number of threads, also with products and decompositions in it.
#[test]
fn matrix_optimisers_give_equal_bits_on_any_number_of_threads() {
    for kind in [OptimizerKind::Muon, OptimizerKind::Shampoo, OptimizerKind::Soap] {
        let hash = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(64 << 20).build().unwrap();
            pool.install(|| {
                let mut trainer = Trainer::new(RunSpec { batch_size: 64, ..small(kind) }).unwrap();
                advance(&mut trainer, 8);
                trainer.params().hash().unwrap()
            })
        };
        assert_eq!(hash(1), hash(2), "{kind:?}");
    }
}
