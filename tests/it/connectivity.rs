//! `landscope connect` and what it is made of: barriers, matchings and ensembles of networks trained here.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device};
use landscope::base::rng::{Streams, normals};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::matching::{Permutations, Symmetry};
use landscope::nn::model::Model;
use landscope::nn::params::Params;
use landscope::nn::paths::Judge;
use landscope::nn::spec::{Activation, LossKind, LossSpec, ModelKind, ModelSpec, Norm};
use landscope::nn::training::gradient;
use landscope::optim::Optimizer;
use landscope::optim::spec::{OptimizerKind, OptimizerSpec};
use landscope::record::Connectivity;
use landscope::record::connectivity::{CurveKind, Matching};
use landscope::run::connectivity::{ConnectivityOptions, Order, connect};
use landscope::run::weights_file;
use landscope::tasks::data::{Inputs, Split, Targets};
use rand::seq::SliceRandom;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use super::program::{output, stderr, stdout};

const FEATURES: usize = 8;
const MODEL: &str = "[model]\nkind = \"mlp\"\nwidth = 24\ndepth = 2\nactivation = \"relu\"\nnorm = \"none\"\n\
    [input]\nshape = [8]\n[output]\nclasses = 3\n";

/// Three classes that no line parts, so that hidden units have something to do and networks differ in what they do.
fn data(name: &str, n: usize) -> Split {
    let values: Vec<f32> =
        normals(&mut Streams::new(21).stream(name), n * FEATURES).into_iter().map(|x| x as f32).collect();
    let label = |x: &[f32]| u32::from(x[0] * x[1] > 0.0) + u32::from(x[2] * x[2] > 1.0);
    let labels = values.chunks_exact(FEATURES).map(label).collect();
    Split {
        inputs: Inputs::Features { values, shape: vec![FEATURES] },
        targets: Targets::Classes { labels, classes: 3 },
    }
}

fn spec() -> ModelSpec {
    ModelSpec {
        kind: ModelKind::Mlp,
        width: 24,
        depth: 2,
        activation: Activation::Relu,
        norm: Norm::None,
        ..ModelSpec::default()
    }
}

fn trained(model: &Arc<dyn Model>, split: &Split, seed: u64) -> Vec<f64> {
    let init = model.init(&Streams::new(seed));
    let params = Params::from_flat(model.layout().clone(), &init, DType::F64, &Device::Cpu).unwrap();
    let adam = OptimizerSpec { kind: OptimizerKind::Adam, lr: 0.01, weight_decay: 0.0, ..OptimizerSpec::default() };
    let mut optimizer = Optimizer::new(&adam, model.layout());
    let batch = Batch::new(split, DType::F64, &Device::Cpu).unwrap();
    for _ in 0..100 {
        let found = gradient(&**model, &params, &batch, &LossSpec::default()).unwrap();
        optimizer.step(&params, &found.tensors, adam.lr).unwrap();
    }
    model.layout().flatten(&params.frozen().unwrap()).unwrap()
}

fn permuted(model: &dyn Model, flat: &[f64]) -> (Permutations, Vec<f64>) {
    let symmetry = Symmetry::of(&spec(), model.layout()).unwrap();
    let mut permutations = symmetry.identity();
    let mut random = Streams::new(3).stream("p");
    permutations.0.iter_mut().for_each(|p| p.shuffle(&mut random));
    let flat = symmetry.apply(&permutations, model.layout(), flat);
    (permutations, flat)
}

fn order(model: Arc<dyn Model>, split: &Split, loss: LossSpec, networks: &[&[f64]]) -> Order {
    let batch = Batch::new(split, DType::F64, &Device::Cpu).unwrap();
    Order {
        spec: spec(),
        judge: Judge { model, batch, loss, dtype: DType::F64, device: Device::Cpu },
        data: "here".into(),
        networks: networks.iter().enumerate().map(|(at, w)| (format!("w{at}"), w.to_vec())).collect(),
        train: Arc::new(split.clone()),
        streams: Streams::new(0),
        options: ConnectivityOptions::default(),
    }
}

fn found(order: &Order) -> Connectivity {
    connect(order, &mut |_| true).unwrap().unwrap()
}

#[test]
fn a_permuted_copy_is_no_other_network() {
    let split = data("train", 150);
    let model = build(&spec(), &split).unwrap();
    let a = trained(&model, &split, 1);
    let (_, b) = permuted(&*model, &a);
    let found = found(&order(model, &split, LossSpec::default(), &[&a, &b]));
    let pair = &found.pairs[0];
    let [naive, weights, activations] = &pair.walks[..] else { panic!("the line and two matchings") };
    assert!(naive.loss.above_chord.height > 0.1 && naive.error.unwrap().above_chord.height > 0.02, "{:?}", naive.loss);
    for walk in [weights, activations] {
        assert!(walk.points.len() >= 25);
        for height in [walk.loss.above_chord, walk.loss.above_mean, walk.loss.above_higher_end] {
            assert!(height.height.abs() < 1e-12, "{:?}: {height:?}", walk.matching);
        }
        assert_eq!(walk.error.unwrap().above_mean.height, 0.0);
    }
    for matched in &pair.matched {
        assert!(matched.output_change < 1e-12 && matched.largest_output > 1.0, "{matched:?}");
        assert!(matched.distance < 1e-12 && pair.distance > 1.0 && matched.moved > 40, "{matched:?}");
        assert_eq!(matched.units, 48);
    }
    // One function: together they are what they are alone.
    let together = pair.together.unwrap();
    assert_eq!(together.disagreement, 0.0);
    assert!((together.ensemble.nll - together.mean.nll).abs() < 1e-12);
    assert_eq!(together.ensemble.accuracy, together.best.accuracy);
}

#[test]
fn other_networks_are_nearer_after_matching_and_better_together() {
    // On the training examples: on others, the ends are so sure of their mistakes that the way between them is lower.
    let train = data("train", 200);
    let model = build(&spec(), &train).unwrap();
    let (a, b) = (trained(&model, &train, 1), trained(&model, &train, 2));
    let mut order = order(model, &train, LossSpec::default(), &[&a, &b]);
    order.options.curve = CurveKind::Bezier;
    order.options.curve_steps = 150;
    let found = found(&order);
    let pair = &found.pairs[0];
    let kinds: Vec<_> = pair.walks.iter().map(|walk| (walk.curve, walk.matching)).collect();
    let lines = [Matching::None, Matching::Weights, Matching::Activations].map(|m| (CurveKind::Line, m));
    assert_eq!(kinds, [&lines[..], &[(CurveKind::Bezier, Matching::None)]].concat());
    for walk in &pair.walks {
        // All conventions of one path: the higher end is above both the mean and the chord.
        let [chord, mean, higher] = [walk.loss.above_chord, walk.loss.above_mean, walk.loss.above_higher_end];
        assert!(higher.height <= chord.height && higher.height <= mean.height && higher.height >= 0.0);
        // The ends of each path are the networks, in whatever order their units are.
        let (first, last) = (walk.points[0], walk.points[walk.points.len() - 1]);
        assert!((first.loss - found.ends[0].loss).abs() < 1e-12 && (last.loss - found.ends[1].loss).abs() < 1e-12);
    }
    let height = |k: usize| pair.walks[k].loss.above_higher_end.height;
    assert!(height(1) < 0.7 * height(0) && height(3) < 0.7 * height(0), "{} {} {}", height(0), height(1), height(3));
    assert!(pair.matched.iter().all(|matched| matched.distance < pair.distance && matched.output_change < 1e-12));
    let together = pair.together.unwrap();
    assert!(together.ensemble.nll <= together.mean.nll && together.best.nll <= together.mean.nll);
    let errors = found.ends.iter().map(|end| 1.0 - end.grades.unwrap().accuracy);
    assert!(together.disagreement <= errors.sum::<f64>() + 1e-12);
}

#[test]
fn barriers_do_not_ask_which_end_comes_first_and_stopping_is_heard() {
    let split = data("train", 100);
    let model = build(&spec(), &split).unwrap();
    let (a, b) = (trained(&model, &split, 1), trained(&model, &split, 2));
    let mut there = order(model.clone(), &split, LossSpec::default(), &[&a, &b]);
    there.options.matchings = Vec::new();
    let mut back = order(model, &split, LossSpec::default(), &[&b, &a]);
    back.options.matchings = Vec::new();
    let [there_found, back_found] = [&there, &back].map(|order| found(order).pairs[0].walks[0].loss);
    assert!((there_found.above_chord.height - back_found.above_chord.height).abs() < 1e-6);
    assert!((there_found.above_chord.t + back_found.above_chord.t - 1.0).abs() < 3e-3);
    let mut asked = 0;
    let stopped = connect(&there, &mut |progress| {
        asked += 1;
        assert!(progress.done <= progress.of && progress.what.contains("straight"));
        asked < 10
    });
    assert_eq!((stopped.unwrap(), asked), (None, 10));
}

/// With the identity for its activation and only its last layer changed, a network is linear in what changes, and the mean
/// squared error is a parabola: `f(t) = (1-t) f(0) + t f(1) - t (1-t) m` with m the mean square of the outputs' change.
#[test]
fn a_linear_model_has_a_parabola_and_no_barrier() {
    let split = data("train", 60);
    let spec = ModelSpec { activation: Activation::Identity, ..spec() };
    let model = build(&spec, &split).unwrap();
    let a = model.init(&Streams::new(1));
    let mut b = a.clone();
    let last = model.layout().range(model.layout().infos().len() - 2);
    b[last].iter_mut().enumerate().for_each(|(i, w)| *w += (i as f64).sin());
    let loss = LossSpec { kind: LossKind::Mse, ..LossSpec::default() };
    let mut order = order(model.clone(), &split, loss, &[&a, &b]);
    order.options.matchings = Vec::new();
    let walk = &found(&order).pairs[0].walks[0];
    let outputs = |flat: &[f64]| {
        let params = order.judge.tensors(flat).unwrap();
        let outputs = model.forward(&params, &order.judge.batch.inputs, None).unwrap();
        outputs.flatten_all().unwrap().to_vec1::<f64>().unwrap()
    };
    let (u, v) = (outputs(&a), outputs(&b));
    let m = u.iter().zip(&v).map(|(u, v)| (u - v).powi(2)).sum::<f64>() / u.len() as f64;
    let [f0, f1] = [walk.points[0].loss, walk.points[walk.points.len() - 1].loss];
    assert!(m > 0.1 * f0);
    for point in &walk.points {
        let expected = (1.0 - point.t) * f0 + point.t * f1 - point.t * (1.0 - point.t) * m;
        assert!((point.loss - expected).abs() < 1e-12 * f0.max(f1), "{point:?} {expected}");
    }
    assert!(walk.loss.above_chord.height <= 1e-14 && walk.loss.above_higher_end.height <= 1e-14);
    // The ends' mean lies lower than the higher end: that convention sees a slope as a barrier.
    assert!((walk.loss.above_mean.height - (f0 - f1).abs() / 2.0).abs() < 1e-9);
}

#[test]
fn options_out_of_range_are_named() {
    let split = data("train", 10);
    let model = build(&spec(), &split).unwrap();
    let a = model.init(&Streams::new(1));
    let mut order = order(model, &split, LossSpec::default(), &[&a, &a]);
    order.options.points = 24;
    let error = connect(&order, &mut |_| true).unwrap_err().to_string();
    assert!(error.contains("points") && error.contains("24") && error.contains("25"), "{error}");
    order.options.points = 25;
    order.networks.pop();
    assert!(connect(&order, &mut |_| true).unwrap_err().to_string().contains("two"));
}

fn write_examples(path: &Path, split: &Split) {
    let (Inputs::Features { values, .. }, Targets::Classes { labels, .. }) = (&split.inputs, &split.targets) else {
        unreachable!("the data above")
    };
    let x: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let y: Vec<u8> = labels.iter().flat_map(|&y| i64::from(y).to_le_bytes()).collect();
    let tensors = [
        ("x", TensorView::new(Dtype::F32, vec![labels.len(), FEATURES], &x).unwrap()),
        ("y", TensorView::new(Dtype::I64, vec![labels.len()], &y).unwrap()),
    ];
    std::fs::write(path, safetensors::serialize(tensors, None).unwrap()).unwrap();
}

#[test]
fn the_command_prints_tables_json_and_a_figure() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let train = data("train", 100);
    std::fs::write(at("m.toml"), MODEL).unwrap();
    write_examples(&at("d.safetensors"), &train);
    let model = build(&spec(), &train).unwrap();
    let (a, c) = (trained(&model, &train, 1), trained(&model, &train, 2));
    let (_, b) = permuted(&*model, &a);
    for (name, flat) in [("a", &a), ("b", &b), ("c", &c)] {
        let tensors = model.layout().unflatten(flat, DType::F64, &Device::Cpu).unwrap();
        weights_file::write(&at(&format!("{name}.safetensors")), model.layout(), &tensors).unwrap();
    }
    let common = ["--model", "m.toml", "--data", "d.safetensors"];
    let run = |more: &[&str]| output(home.path(), &[&["connect"], more, &common].concat());

    let done = run(&["a.safetensors", "b.safetensors", "--json", "-", "--figure", "f.svg"]);
    assert!(done.status.success(), "{}", stderr(&done));
    let json: Value = serde_json::from_str(&stdout(&done)).unwrap();
    let walks = &json["pairs"][0]["walks"];
    assert!(walks[0]["loss"]["above_chord"]["height"].as_f64().unwrap() > 0.05, "{}", walks[0]["loss"]);
    assert_eq!(walks[1]["matching"], "weights");
    assert!(walks[1]["loss"]["above_chord"]["height"].as_f64().unwrap() < 1e-12);
    assert!(json["pairs"][0]["matched"][0]["output_change"].as_f64().unwrap() < 1e-12);
    assert!(std::fs::read_to_string(at("f.svg")).unwrap().contains("weights matched"));

    let done = run(&["a.safetensors", "b.safetensors", "c.safetensors", "--match", "weights", "--json", "all.json"]);
    assert!(done.status.success(), "{}", stderr(&done));
    let text = stdout(&done);
    for words in ["1 and 2", "2 and 3", "All 3 networks", "ensemble", "weights matched"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let json: Value = serde_json::from_str(&std::fs::read_to_string(at("all.json")).unwrap()).unwrap();
    assert_eq!(json["pairs"].as_array().unwrap().len(), 3);

    std::fs::write(at("wide.toml"), MODEL.replace("width = 24", "width = 23")).unwrap();
    let cases: [(&[&str], &[&str]); 5] = [
        (&["a.safetensors", "none.safetensors"], &["none.safetensors"]),
        (&["a.safetensors", "d.safetensors"], &["d.safetensors", "layer 1.weight"]),
        (&["a.safetensors", "b.safetensors", "--points", "9"], &["--points", "9", "25"]),
        (&["a.safetensors", "b.safetensors", "--json", "all.json"], &["all.json", "exists"]),
        (&["a.safetensors", "b.safetensors", "--figure", "f.gif"], &["f.gif", ".svg"]),
    ];
    for (arguments, words) in cases {
        let refused = run(arguments);
        assert!(!refused.status.success(), "{arguments:?}");
        let message = stderr(&refused);
        assert!(words.iter().all(|word| message.contains(word)), "{arguments:?}: {message}");
        assert_eq!(message.trim().lines().count(), 1, "{message}");
    }
    let refused = output(
        home.path(),
        &["connect", "a.safetensors", "b.safetensors", "--model", "wide.toml", "--data", "d.safetensors"],
    );
    assert!(stderr(&refused).contains("layer 1.weight") && stderr(&refused).contains("23"), "{}", stderr(&refused));
}
