//! Time of one exact Hessian-vector product, the graph of the gradient kept. The twin of `benches/pytorch/hvp.py`.
//!
//! `cargo bench --bench hvp -- vit 3` measures case `vit` for 3 seconds and prints one line of JSON with milliseconds,
//! among them those of the longest piece: what a stop may have to wait for. Cases: `mlp` (64-256-256-10, GELU, 128
//! examples), `vit` (the default network on 8x8 pictures, 128 examples).

use std::time::{Duration, Instant};

use candle_core::{DType, Device};
use landscope::base::rng::{Streams, normals};
use landscope::nn::autodiff::{STACK_BYTES, enable_second_derivatives};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::curvature::Hessian;
use landscope::nn::spec::{LossSpec, ModelKind, ModelSpec};
use landscope::tasks::data::{Inputs, Split, Targets};

fn main() {
    enable_second_derivatives();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let case = arguments.first().map_or("vit", String::as_str);
    let secs: f64 = arguments.get(1).and_then(|s| s.parse().ok()).unwrap_or(3.0);
    let (spec, split) = match case {
        "mlp" => {
            (ModelSpec { kind: ModelKind::Mlp, width: 256, depth: 2, ..ModelSpec::default() }, pictures(128, vec![64]))
        }
        "vit" => (ModelSpec::default(), pictures(128, vec![8, 8, 1])),
        _ => panic!("unknown case {case}: give mlp or vit"),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).stack_size(STACK_BYTES).build().unwrap();
    let (mut products, pieces) = pool.install(|| measure(&spec, &split, secs));
    products.sort_by(f64::total_cmp);
    println!(
        "{{\"case\": \"{case}\", \"products\": {}, \"median_ms\": {:.4}, \"min_ms\": {:.4}, \"piece_ms\": {:.4}}}",
        products.len(),
        products[products.len() / 2],
        products[0],
        pieces
    );
}

/// Milliseconds of products, and the median over products of the longest piece.
fn measure(spec: &ModelSpec, split: &Split, secs: f64) -> (Vec<f64>, f64) {
    let model = build(spec, split).unwrap();
    let flat = model.init(&Streams::new(0));
    let params = model.layout().unflatten(&flat, DType::F32, &Device::Cpu).unwrap();
    let batch = Batch::new(split, DType::F32, &Device::Cpu).unwrap();
    let mut hessian = Hessian::new(model, &params, &batch, &LossSpec::default()).unwrap();
    let v = normals(&mut Streams::new(1).stream("v"), flat.len());
    let mut longest = Vec::new();
    let mut product = || {
        let mut most = 0.0_f64;
        hessian.begin(&v).unwrap();
        loop {
            let start = Instant::now();
            let complete = hessian.advance().unwrap().is_some();
            most = most.max(start.elapsed().as_secs_f64() * 1e3);
            if complete {
                break;
            }
        }
        longest.push(most);
    };
    for _ in 0..5 {
        product();
    }
    let mut times = Vec::new();
    let end = Instant::now() + Duration::from_secs_f64(secs);
    while Instant::now() < end {
        let start = Instant::now();
        product();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    longest.sort_by(f64::total_cmp);
    (times, longest[longest.len() / 2])
}

fn pictures(n: usize, shape: Vec<usize>) -> Split {
    let size = n * shape.iter().product::<usize>();
    let values = normals(&mut Streams::new(1).stream("inputs"), size).into_iter().map(|x| x as f32).collect();
    let labels = (0..n).map(|i| (i * 7 % 10) as u32).collect();
    Split { inputs: Inputs::Features { values, shape }, targets: Targets::Classes { labels, classes: 10 } }
}
