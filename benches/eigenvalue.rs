//! Time to the largest Hessian eigenvalue with relative residual 1e-3: MLP 64-256-256-10, tanh, on 1,024 examples, after some
//! training. The twin of `benches/pytorch/eigenvalue.py`, which reads the very same problem.
//!
//! `cargo bench --bench eigenvalue -- cold 3` searches from random vectors for 3 seconds and prints one line of JSON;
//! `warm` begins at what was found ten steps of SGD earlier. The problem (parameters, inputs, labels) is written to
//! `target/eigenvalue.bin` as little-endian f32, so that the twin measures the same matrix.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{DType, Device};
use landscope::base::rng::{Streams, normals};
use landscope::linalg::lanczos::Options;
use landscope::nn::autodiff::{STACK_BYTES, enable_second_derivatives};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::params::Params;
use landscope::nn::spec::{Activation, LossSpec, ModelKind, ModelSpec};
use landscope::nn::training::gradient;
use landscope::optim::Optimizer;
use landscope::optim::spec::{OptimizerKind, OptimizerSpec};
use landscope::probes::job::{Advance, Subject};
use landscope::probes::sharpness;
use landscope::tasks::data::{Inputs, Split, Targets};

const EXAMPLES: usize = 1_024;
const STEPS: usize = 60;
const LATER: usize = 10;

fn main() {
    landscope::base::memory::keep_freed();
    enable_second_derivatives();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let case = arguments.first().map_or("cold", String::as_str).to_owned();
    let secs: f64 = arguments.get(1).and_then(|s| s.parse().ok()).unwrap_or(3.0);
    assert!(matches!(case.as_str(), "cold" | "warm"), "unknown case {case}: give cold or warm");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).stack_size(STACK_BYTES).build().unwrap();
    pool.install(|| {
        let [before, now] = subjects();
        write(&now);
        let mut times = Vec::new();
        let (mut value, mut products) = (f64::NAN, 0);
        let end = Instant::now() + Duration::from_secs_f64(secs);
        while times.len() < 3 || Instant::now() < end {
            let warm = sharpness::Warm::default();
            if case == "warm" {
                search(&before, &warm);
            }
            let start = Instant::now();
            (value, products) = search(&now, &warm);
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{{\"case\": \"{case}\", \"searches\": {}, \"median_ms\": {:.3}, \"min_ms\": {:.3}, \"products\": {products}, \"value\": {value:.6}}}",
            times.len(),
            times[times.len() / 2],
            times[0],
        );
    });
}

/// The eigenvalue and the products it took; the graph of the gradient is made anew, as it is for a live measurement.
fn search(subject: &Subject, warm: &sharpness::Warm) -> (f64, usize) {
    let options = Options { tolerance: 1e-3, most_products: 1_000, least_products: 3, subspace: 30 };
    let (mut job, found) = sharpness::with_options(subject, EXAMPLES, warm, options).unwrap();
    let far = Instant::now() + Duration::from_secs(600);
    while !matches!(job.advance(far, &|| false).unwrap(), Advance::Done(_)) {}
    let pair = found.lock().unwrap().clone().unwrap();
    assert!(pair.converged && pair.residual <= 1e-3 * pair.value, "{pair:?}");
    (pair.value, pair.products)
}

/// The network after `STEPS - LATER` and after `STEPS` steps of SGD.
fn subjects() -> [Subject; 2] {
    let spec =
        ModelSpec { kind: ModelKind::Mlp, width: 256, depth: 2, activation: Activation::Tanh, ..ModelSpec::default() };
    let values: Vec<f32> =
        normals(&mut Streams::new(1).stream("inputs"), EXAMPLES * 64).into_iter().map(|x| x as f32).collect();
    // The class of the largest of ten sums: something to learn.
    let labels = values.chunks_exact(64).map(|x| {
        let sum = |c: usize| (0..6).map(|i| x[6 * c + i]).sum::<f32>();
        (0..10).max_by(|&a, &b| sum(a).total_cmp(&sum(b))).unwrap_or(0) as u32
    });
    let targets = Targets::Classes { labels: labels.collect(), classes: 10 };
    let split = Arc::new(Split { inputs: Inputs::Features { values, shape: vec![64] }, targets });
    let model = build(&spec, &split).unwrap();
    let flat = model.init(&Streams::new(0));
    let params = Params::from_flat(model.layout().clone(), &flat, DType::F32, &Device::Cpu).unwrap();
    let sgd = OptimizerSpec {
        kind: OptimizerKind::Sgd,
        lr: 0.1,
        momentum: 0.9,
        weight_decay: 0.0,
        ..OptimizerSpec::default()
    };
    let mut optimizer = Optimizer::new(&sgd, model.layout());
    let batch = Batch::new(&split, DType::F32, &Device::Cpu).unwrap();
    let subject = |step: usize| Subject {
        step: step as u64,
        model: model.clone(),
        params: Arc::new(params.frozen().unwrap()),
        loss: LossSpec::default(),
        train: split.clone(),
        dtype: DType::F32,
        device: Device::Cpu,
        streams: Streams::new(0),
        path: Arc::new(Vec::new()),
        spec: spec.clone(),
    };
    let mut found = Vec::new();
    for step in 1..=STEPS {
        let gradient = gradient(&*model, &params, &batch, &LossSpec::default()).unwrap();
        optimizer.step(&params, &gradient.tensors, sgd.lr).unwrap();
        if step == STEPS - LATER || step == STEPS {
            found.push(subject(step));
        }
    }
    found.try_into().unwrap_or_else(|_| unreachable!("two moments were kept"))
}

/// Parameters in the flattening order, then inputs `[N, 64]`, then labels, all as f32.
fn write(subject: &Subject) {
    let mut numbers: Vec<f32> = Vec::new();
    for tensor in subject.params.iter() {
        numbers.extend(tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    }
    let Inputs::Features { values, .. } = &subject.train.inputs else { unreachable!("features were made") };
    let Targets::Classes { labels, .. } = &subject.train.targets else { unreachable!("classes were made") };
    numbers.extend(values);
    numbers.extend(labels.iter().map(|&label| label as f32));
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/eigenvalue.bin");
    std::fs::write(path, bytes).unwrap();
}
