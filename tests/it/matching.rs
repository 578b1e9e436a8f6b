//! Networks that are one function, and paths between those that aren't.

use std::sync::Arc;

use candle_core::{DType, Device};
use landscope::base::rng::{Stream, Streams, normals};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::matching::{Permutations, Symmetry, match_activations, match_weights};
use landscope::nn::model::Model;
use landscope::nn::params::Params;
use landscope::nn::paths::Judge;
use landscope::nn::paths::curve::Curve;
use landscope::nn::spec::{Activation, LossSpec, ModelKind, ModelSpec, Norm};
use landscope::nn::training::gradient;
use landscope::optim::Optimizer;
use landscope::optim::spec::{OptimizerKind, OptimizerSpec, ScheduleSpec};
use landscope::run::connectivity::bends::{Options, train_bends};
use landscope::tasks::data::{Inputs, Split, Targets};

const FEATURES: usize = 10;

/// Three classes by the angle in a plane of the inputs, with noise in the others: not linearly separable, so that
/// hidden units have something to do.
fn data(name: &str, n: usize) -> Split {
    let values: Vec<f32> =
        normals(&mut Streams::new(11).stream(name), n * FEATURES).into_iter().map(|x| x as f32).collect();
    let label = |x: &[f32]| u32::from(x[0] * x[1] > 0.0) + u32::from(x[2] * x[2] > 1.0);
    let labels = values.chunks_exact(FEATURES).map(label).collect();
    Split {
        inputs: Inputs::Features { values, shape: vec![FEATURES] },
        targets: Targets::Classes { labels, classes: 3 },
    }
}

fn spec(kind: ModelKind, norm: Norm) -> ModelSpec {
    ModelSpec { kind, width: 24, depth: 2, activation: Activation::Relu, norm, ..ModelSpec::default() }
}

const SPECS: [(ModelKind, Norm); 4] = [
    (ModelKind::Mlp, Norm::None),
    (ModelKind::ResidualMlp, Norm::PreLn),
    (ModelKind::ResidualMlp, Norm::PostLn),
    (ModelKind::ResidualMlp, Norm::None),
];

/// Every number random, biases and gains too, so that nothing is symmetric by chance.
fn random_flat(model: &dyn Model, name: &str) -> Vec<f64> {
    let noise = normals(&mut Streams::new(5).stream(name), model.layout().total());
    model.init(&Streams::new(1)).iter().zip(noise).map(|(w, x)| w + 0.1 * x).collect()
}

fn shuffled(symmetry: &Symmetry, mut random: Stream) -> Permutations {
    use rand::seq::SliceRandom;
    let mut permutations = symmetry.identity();
    permutations.0.iter_mut().for_each(|p| p.shuffle(&mut random));
    permutations
}

fn judge(model: &Arc<dyn Model>, split: &Split) -> Judge {
    let batch = Batch::new(split, DType::F64, &Device::Cpu).unwrap();
    Judge { model: model.clone(), batch, loss: LossSpec::default(), dtype: DType::F64, device: Device::Cpu }
}

fn trained(model: &Arc<dyn Model>, split: &Split, seed: u64, steps: usize) -> Vec<f64> {
    let init = model.init(&Streams::new(seed));
    let params = Params::from_flat(model.layout().clone(), &init, DType::F64, &Device::Cpu).unwrap();
    let adam = OptimizerSpec { kind: OptimizerKind::Adam, lr: 0.01, weight_decay: 0.0, ..OptimizerSpec::default() };
    let mut optimizer = Optimizer::new(&adam, model.layout());
    let batch = Batch::new(split, DType::F64, &Device::Cpu).unwrap();
    for _ in 0..steps {
        let found = gradient(&**model, &params, &batch, &LossSpec::default()).unwrap();
        optimizer.step(&params, &found.tensors, adam.lr).unwrap();
    }
    model.layout().flatten(&params.frozen().unwrap()).unwrap()
}

#[test]
fn permuted_units_are_the_same_function() {
    let split = data("train", 50);
    for (kind, norm) in SPECS {
        let spec = spec(kind, norm);
        let model = build(&spec, &split).unwrap();
        let symmetry = Symmetry::of(&spec, model.layout()).unwrap();
        let flat = random_flat(&*model, "w");
        let permutations = shuffled(&symmetry, Streams::new(3).stream("p"));
        let permuted = symmetry.apply(&permutations, model.layout(), &flat);
        assert_ne!(flat, permuted);
        let judge = judge(&model, &split);
        let outputs = |flat: &[f64]| {
            let params = judge.tensors(flat).unwrap();
            model.forward(&params, &judge.batch.inputs, None).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap()
        };
        for (a, b) in outputs(&flat).iter().zip(outputs(&permuted)) {
            assert!((a - b).abs() < 1e-12, "{kind:?} {norm:?}: {a} {b}");
        }
        assert_eq!(symmetry.apply(&permutations.inverse(), model.layout(), &permuted), flat);
        let sizes = if kind == ModelKind::Mlp { vec![24, 24] } else { vec![24, 24, 24] };
        assert_eq!(symmetry.sizes(), sizes);
    }
}

#[test]
fn planted_permutations_are_found_exactly() {
    let split = data("train", 80);
    for (kind, norm) in SPECS {
        let spec = spec(kind, norm);
        let model = build(&spec, &split).unwrap();
        let layout = model.layout();
        let symmetry = Symmetry::of(&spec, layout).unwrap();
        let a = random_flat(&*model, "w");
        let planted = shuffled(&symmetry, Streams::new(3).stream("p"));
        let b = symmetry.apply(&planted, layout, &a);
        let found = match_weights(&symmetry, layout, &a, &b, Streams::new(0).stream("order"));
        assert_eq!(found.permutations, planted.inverse(), "{kind:?} {norm:?}");
        assert!(found.converged && found.sweeps < 15, "{}", found.sweeps);
        let batch = Batch::new(&split, DType::F32, &Device::Cpu).unwrap();
        let seen = match_activations(&spec, &*model, &symmetry, [&a, &b], &batch.inputs).unwrap();
        // Units that are dead on all examples can't be told apart by what they do.
        assert_eq!(symmetry.apply(&seen, layout, &b), a, "{kind:?} {norm:?}");
    }
}

#[test]
fn every_update_brings_other_networks_nearer() {
    let split = data("train", 50);
    for (kind, norm) in SPECS {
        let spec = spec(kind, norm);
        let model = build(&spec, &split).unwrap();
        let layout = model.layout();
        let symmetry = Symmetry::of(&spec, layout).unwrap();
        let (a, b) = (random_flat(&*model, "a"), model.init(&Streams::new(99)));
        let found = match_weights(&symmetry, layout, &a, &b, Streams::new(0).stream("order"));
        assert!(found.objective.len() > 3 && found.objective.windows(2).all(|w| w[1] > w[0]), "{:?}", found.objective);
        let matched = symmetry.apply(&found.permutations, layout, &b);
        let distance = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>();
        // |a - b|^2 falls by twice what the objective rises: lengths don't change.
        let rise = found.objective.last().unwrap() - found.objective[0];
        assert!((distance(&a, &b) - distance(&a, &matched) - 2.0 * rise).abs() < 1e-9 * distance(&a, &b));
        assert!(found.converged);
        let again = match_weights(&symmetry, layout, &a, &matched, Streams::new(1).stream("order"));
        assert_eq!(again.permutations, symmetry.identity(), "nothing is left to improve, in any order");
    }
}

#[test]
fn matching_takes_a_planted_barrier_away() {
    let (train, test) = (data("train", 200), data("test", 200));
    let spec = spec(ModelKind::Mlp, Norm::None);
    let model = build(&spec, &train).unwrap();
    let symmetry = Symmetry::of(&spec, model.layout()).unwrap();
    let a = trained(&model, &train, 1, 120);
    let b = symmetry.apply(&shuffled(&symmetry, Streams::new(3).stream("p")), model.layout(), &a);
    // On the training examples: on others, the ends are so sure of their mistakes that the way between them is lower.
    let naive = judge(&model, &train).barriers(&Curve::line(a.clone(), b.clone()), 25).unwrap();
    assert!(naive.loss_entezari.height > 0.1 && naive.error_entezari.unwrap().height > 0.02, "{naive:?}");
    assert!(naive.loss_entezari.t > 0.1 && naive.loss_entezari.t < 0.9);
    let found = match_weights(&symmetry, model.layout(), &a, &b, Streams::new(0).stream("order"));
    let matched = symmetry.apply(&found.permutations, model.layout(), &b);
    for split in [train, test] {
        let none = judge(&model, &split).barriers(&Curve::line(a.clone(), matched.clone()), 25).unwrap();
        assert!(none.loss_entezari.height < 1e-12 && none.error_entezari.unwrap().height == 0.0, "{none:?}");
    }
}

#[test]
fn transformers_have_no_known_symmetry() {
    let split = data("train", 10);
    let spec = spec(ModelKind::VisionTransformer, Norm::PreLn);
    let model = build(&spec, &split).unwrap();
    let error = Symmetry::of(&spec, model.layout()).unwrap_err().to_string();
    assert!(error.contains("transformer") && error.contains("mlp"), "{error}");
    // Nor does an MLP's table fit a residual network's name.
    assert!(Symmetry::of(&ModelSpec { kind: ModelKind::ResidualMlp, ..spec }, model.layout()).is_err());
}

#[test]
fn logistic_regression_has_no_barrier_above_the_chord() {
    // A linear network of one layer can't be built; along its *last* layer alone the loss of any network is convex.
    let split = data("train", 100);
    let spec = spec(ModelKind::Mlp, Norm::None);
    let model = build(&spec, &split).unwrap();
    let a = random_flat(&*model, "a");
    let mut b = a.clone();
    let last = model.layout().range(model.layout().infos().len() - 2);
    b[last.start..].iter_mut().enumerate().for_each(|(i, w)| *w += (i as f64).sin());
    let found = judge(&model, &split).barriers(&Curve::line(a, b), 41).unwrap();
    assert!(found.loss_entezari.height <= 1e-14, "{:?}", found.loss_entezari);
    assert!(found.points.len() > 41);
}

#[test]
fn a_trained_bend_goes_round_the_hill() {
    let train = data("train", 200);
    let spec = spec(ModelKind::Mlp, Norm::None);
    let model = build(&spec, &train).unwrap();
    let (a, b) = (trained(&model, &train, 1, 120), trained(&model, &train, 2, 120));
    let judge = judge(&model, &train);
    let straight = judge.barriers(&Curve::line(a.clone(), b.clone()), 25).unwrap();
    assert!(straight.loss_entezari.height > 0.1, "{:?}", straight.loss_entezari);
    let adam = OptimizerSpec { kind: OptimizerKind::Adam, lr: 0.02, weight_decay: 0.0, ..OptimizerSpec::default() };
    let options = Options { steps: 150, batch_size: 0, optimizer: adam, schedule: ScheduleSpec::default() };
    for curve in [Curve::straight_bezier(&a, &b, 1), Curve::straight_chain(&a, &b, 1)] {
        let train_curve = || {
            let mut told = 0;
            let mut count = |step, loss: f64| {
                assert!(step == told && loss.is_finite());
                told += 1;
                true
            };
            train_bends(&judge, curve.clone(), &train, &options, Streams::new(4), &mut count).unwrap()
        };
        let bent = train_curve();
        assert_eq!((&bent.points()[0], &bent.points()[2]), (&a, &b), "the ends stay");
        assert_eq!(bent, train_curve(), "equal streams, equal bits");
        let round = judge.barriers(&bent, 25).unwrap();
        assert!(round.loss_entezari.height < 0.5 * straight.loss_entezari.height, "{:?}", round.loss_entezari);
    }
    let mut stop = |_, _| false;
    let once = train_bends(&judge, Curve::straight_bezier(&a, &b, 2), &train, &options, Streams::new(4), &mut stop);
    assert_ne!(once.unwrap(), Curve::straight_bezier(&a, &b, 2), "one step was made");
    let line = Curve::line(a, b);
    assert_eq!(train_bends(&judge, line.clone(), &train, &options, Streams::new(4), &mut stop).unwrap(), line);
}

/// The gradient with respect to a bend against central differences of `L(phi(t))`.
#[test]
fn the_share_of_a_bend_in_the_gradient_is_its_coefficient() {
    let train = data("train", 40);
    let spec = ModelSpec { activation: Activation::Tanh, ..spec(ModelKind::Mlp, Norm::None) };
    let model = build(&spec, &train).unwrap();
    let judge = judge(&model, &train);
    let points: Vec<_> = ["a", "b", "c"].iter().map(|name| random_flat(&*model, name)).collect();
    let (t, h) = (0.3, 1e-5);
    for curve in [Curve::bezier(points.clone()), Curve::chain(points)] {
        let at = Params::from_flat(model.layout().clone(), &curve.at(t), DType::F64, &Device::Cpu).unwrap();
        let found = gradient(&*model, &at, &judge.batch, &judge.loss).unwrap();
        let slope = model.layout().flatten(&found.tensors).unwrap();
        for entry in [0, 37, 300] {
            let moved = |by: f64| {
                let mut curve = curve.clone();
                curve.bends_mut()[0][entry] += by;
                judge.point(&curve.at(t), t).unwrap().loss
            };
            let known = (moved(h) - moved(-h)) / (2.0 * h);
            let expect = curve.coefficients(t)[1] * slope[entry];
            assert!((known - expect).abs() < 1e-8, "{entry}: {known} {expect}");
        }
    }
}

#[test]
fn predictions_of_a_batch_agree_with_its_loss() {
    use landscope::nn::ensemble::predict;
    let split = data("train", 60);
    let model = build(&spec(ModelKind::Mlp, Norm::None), &split).unwrap();
    let judge = judge(&model, &split);
    let flat = random_flat(&*model, "a");
    let (probabilities, labels) = predict(&*model, &judge.tensors(&flat).unwrap(), &judge.batch, 1.0).unwrap().unwrap();
    let point = judge.point(&flat, 0.0).unwrap();
    assert!((probabilities.nll(&labels) - point.loss).abs() < 1e-12);
    assert!((1.0 - probabilities.accuracy(&labels) - point.error.unwrap()).abs() < 1e-12);
}
