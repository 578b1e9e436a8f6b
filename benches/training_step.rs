//! Time of one training step: forward, backward, update. The twin of `benches/pytorch/training_step.py`.
//!
//! `cargo bench --bench training_step -- mlp 3 2` measures case `mlp` for 3 seconds on 2 threads and prints one line of
//! JSON with milliseconds, those of the processor (`cpu_ms`) beside those of the clock. Cases: `mlp` (64-256-256-10, ReLU, batch 128, SGD), `vit` (the default network at depth 4 on 8x8
//! pictures, batch 64, AdamW), `gpt` (width 128, depth 4, 64 tokens, batch 16, AdamW),
//! `conv8` and `conv16` (plain ConvNet of width 32, depth 4 and one stage on 8x8 or 16x16 pictures of one channel,
//! ReLU, batch 64, SGD), `conv8bn` and `conv16bn` (the same with batch normalisation).

use std::time::{Duration, Instant};

use candle_core::{DType, Device};
use landscope::base::rng::{Streams, normals};
use landscope::nn::autodiff::{STACK_BYTES, enable_second_derivatives};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::params::Params;
use landscope::nn::spec::{Activation, LossSpec, ModelKind, ModelSpec};
use landscope::nn::training::gradient;
use landscope::optim::Optimizer;
use landscope::optim::spec::{OptimizerKind, OptimizerSpec};
use landscope::tasks::data::{Inputs, Split, Targets};

fn main() {
    landscope::base::memory::keep_freed();
    enable_second_derivatives();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let case = arguments.first().map_or("vit", String::as_str);
    let secs: f64 = arguments.get(1).and_then(|s| s.parse().ok()).unwrap_or(3.0);
    let (model, optimizer, split) = setting(case);
    let threads = arguments.get(2).and_then(|s| s.parse().ok()).unwrap_or(2);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES).build().unwrap();
    let (mut times, cpu_ms) = pool.install(|| measure(&model, &optimizer, &split, secs));
    times.sort_by(f64::total_cmp);
    println!(
        "{{\"case\": \"{case}\", \"steps\": {}, \"median_ms\": {:.4}, \"min_ms\": {:.4}, \"cpu_ms\": {cpu_ms:.4}}}",
        times.len(),
        times[times.len() / 2],
        times[0]
    );
}

fn measure(model: &ModelSpec, optimizer: &OptimizerSpec, split: &Split, secs: f64) -> (Vec<f64>, f64) {
    let model = build(model, split).unwrap();
    let flat = model.init(&Streams::new(0));
    let params = Params::from_flat(model.layout().clone(), &flat, DType::F32, &Device::Cpu).unwrap();
    let batch = Batch::new(split, DType::F32, &Device::Cpu).unwrap();
    let mut state = Optimizer::new(optimizer, model.layout());
    let mut step = || {
        let found = gradient(&*model, &params, &batch, &LossSpec::default()).unwrap();
        state.step(&params, &found.tensors, optimizer.lr).unwrap();
    };
    for _ in 0..20 {
        step();
    }
    let mut times = Vec::new();
    let cpu = cpu_secs();
    let end = Instant::now() + Duration::from_secs_f64(secs);
    while Instant::now() < end {
        let start = Instant::now();
        step();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let cpu_ms = (cpu_secs() - cpu) * 1e3 / times.len() as f64;
    (times, cpu_ms)
}

/// Processor time of the process so far, all threads together; NaN where the system doesn't tell.
fn cpu_secs() -> f64 {
    // utime and stime are the 12th and 13th fields after the program's name, in hundredths of a second.
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return f64::NAN };
    let after = stat.rsplit(')').next().unwrap_or("");
    after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn setting(case: &str) -> (ModelSpec, OptimizerSpec, Split) {
    let sgd = OptimizerSpec {
        kind: OptimizerKind::Sgd,
        lr: 1e-2,
        momentum: 0.0,
        weight_decay: 0.0,
        ..OptimizerSpec::default()
    };
    match case {
        "mlp" => {
            let spec = ModelSpec {
                kind: ModelKind::Mlp,
                width: 256,
                depth: 2,
                activation: Activation::Relu,
                ..ModelSpec::default()
            };
            (spec, sgd, pictures(128, vec![64]))
        }
        "vit" => {
            (ModelSpec { depth: 4, ..ModelSpec::default() }, OptimizerSpec::default(), pictures(64, vec![8, 8, 1]))
        }
        "gpt" => {
            let spec = ModelSpec { kind: ModelKind::Gpt, width: 128, depth: 4, n_heads: 4, ..ModelSpec::default() };
            (spec, OptimizerSpec::default(), text(16, 64, 96))
        }
        "conv8" | "conv16" | "conv8bn" | "conv16bn" => {
            let spec = ModelSpec {
                kind: ModelKind::ConvNet,
                depth: 4,
                stages: 1,
                batch_norm: case.ends_with("bn"),
                activation: Activation::Relu,
                ..ModelSpec::default()
            };
            let side = if case.starts_with("conv8") { 8 } else { 16 };
            (spec, sgd, pictures(64, vec![side, side, 1]))
        }
        _ => panic!("unknown case {case}: give mlp, vit, gpt, conv8, conv16, conv8bn or conv16bn"),
    }
}

fn pictures(n: usize, shape: Vec<usize>) -> Split {
    let size = n * shape.iter().product::<usize>();
    let values = normals(&mut Streams::new(1).stream("inputs"), size).into_iter().map(|x| x as f32).collect();
    let labels = (0..n).map(|i| (i * 7 % 10) as u32).collect();
    Split { inputs: Inputs::Features { values, shape }, targets: Targets::Classes { labels, classes: 10 } }
}

fn text(n: usize, length: usize, vocabulary: usize) -> Split {
    let ids = |factor: usize| (0..n * length).map(|i| (i * factor % 8191 % vocabulary) as u32).collect();
    Split {
        inputs: Inputs::Tokens { ids: ids(31), length, vocabulary },
        targets: Targets::NextTokens { ids: ids(37), length, vocabulary },
    }
}
