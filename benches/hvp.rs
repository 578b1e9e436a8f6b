//! Time of one exact Hessian-vector product, the graph of the gradient kept. The twin of `benches/pytorch/hvp.py`.
//!
//! `cargo bench --bench hvp -- vit 3` measures case `vit` for 3 seconds and prints one line of JSON with milliseconds,
//! among them those of the longest piece: what a stop may have to wait for. Cases: `mlp` (64-256-256-10, GELU, 128
//! examples), `vit` (the default network at depth 4 on 8x8 pictures, 128 examples). `gradient_ms` is one gradient of the same
//! examples, as training computes it; `many_ms` is the time of each of 8 products computed together (`apply_many`), `many_few_ms` and
//! `few_ms` together and one by one on an eighth of the examples, a single piece.

use std::time::{Duration, Instant};

use candle_core::{DType, Device};
use landscope::base::rng::{Streams, normals};
use landscope::linalg::operator::LinearOperator;
use landscope::nn::autodiff::{STACK_BYTES, enable_second_derivatives};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::curvature::Hessian;
use landscope::nn::params::Params;
use landscope::nn::spec::{LossSpec, ModelKind, ModelSpec};
use landscope::nn::training::gradient;
use landscope::tasks::data::{Inputs, Split, Targets};

fn main() {
    landscope::base::memory::keep_freed();
    enable_second_derivatives();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let case = arguments.first().map_or("vit", String::as_str);
    let secs: f64 = arguments.get(1).and_then(|s| s.parse().ok()).unwrap_or(3.0);
    let (spec, split) = match case {
        "mlp" => {
            (ModelSpec { kind: ModelKind::Mlp, width: 256, depth: 2, ..ModelSpec::default() }, pictures(128, vec![64]))
        }
        "vit" => (ModelSpec { depth: 4, ..ModelSpec::default() }, pictures(128, vec![8, 8, 1])),
        _ => panic!("unknown case {case}: give mlp or vit"),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).stack_size(STACK_BYTES).build().unwrap();
    let Times { mut products, mut gradients, piece, many, few } = pool.install(|| measure(&spec, &split, secs));
    products.sort_by(f64::total_cmp);
    gradients.sort_by(f64::total_cmp);
    let (median, gradient) = (products[products.len() / 2], gradients[gradients.len() / 2]);
    println!(
        "{{\"case\": \"{case}\", \"products\": {}, \"median_ms\": {median:.4}, \"min_ms\": {:.4}, \"piece_ms\": {piece:.4}, \
         \"many_ms\": {many:.4}, \"few_ms\": {:.4}, \"many_few_ms\": {:.4}, \"gradient_ms\": {gradient:.4}, \"product_over_gradient\": {:.2}, \"of_minima\": {:.2}}}",
        products.len(),
        products[0],
        few[0],
        few[1],
        median / gradient,
        products[0] / gradients[0],
    );
}

/// Milliseconds, products and gradients in turns.
struct Times {
    products: Vec<f64>,
    gradients: Vec<f64>,
    /// The median over products of the longest piece.
    piece: f64,
    /// The median of a product among eight at a time.
    many: f64,
    /// On an eighth of the examples: one by one, and among eight.
    few: [f64; 2],
}

const TOGETHER: usize = 8;

/// Median milliseconds of a product: one by one, and among eight at a time; in turns.
fn alone_and_together(hessian: &mut Hessian, secs: f64) -> [f64; 2] {
    let vectors: Vec<Vec<f64>> =
        (0..TOGETHER).map(|i| normals(&mut Streams::new(2).indexed("v", i as u64), hessian.dim())).collect();
    let vectors: Vec<&[f64]> = vectors.iter().map(Vec::as_slice).collect();
    let mut out = vec![0.0; hessian.dim()];
    let mut times = [Vec::new(), Vec::new()];
    let end = Instant::now() + Duration::from_secs_f64(secs);
    while times[0].len() < 3 || Instant::now() < end {
        let start = Instant::now();
        for v in &vectors {
            hessian.apply(v, &mut out).unwrap();
        }
        times[0].push(start.elapsed().as_secs_f64() * 1e3 / TOGETHER as f64);
        let start = Instant::now();
        hessian.apply_many(&vectors).unwrap();
        times[1].push(start.elapsed().as_secs_f64() * 1e3 / TOGETHER as f64);
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn measure(spec: &ModelSpec, split: &Split, secs: f64) -> Times {
    let model = build(spec, split).unwrap();
    let flat = model.init(&Streams::new(0));
    let trained = Params::from_flat(model.layout().clone(), &flat, DType::F32, &Device::Cpu).unwrap();
    let params = trained.frozen().unwrap();
    let batch = Batch::new(split, DType::F32, &Device::Cpu).unwrap();
    let mut hessian = Hessian::new(model.clone(), &params, &batch, &LossSpec::default()).unwrap();
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
    let (mut products, mut gradients) = (Vec::new(), Vec::new());
    let end = Instant::now() + Duration::from_secs_f64(secs);
    while Instant::now() < end {
        let start = Instant::now();
        product();
        products.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        gradient(&*model, &trained, &batch, &LossSpec::default()).unwrap();
        gradients.push(start.elapsed().as_secs_f64() * 1e3);
    }
    longest.sort_by(f64::total_cmp);
    let piece = longest[longest.len() / 2];
    let [_, many] = alone_and_together(&mut hessian, secs);
    let few = batch.parts_of(batch.len / 8).unwrap().remove(0).batch;
    let mut hessian = Hessian::new(model, &params, &few, &LossSpec::default()).unwrap();
    let few = alone_and_together(&mut hessian, secs);
    Times { products, gradients, piece, many, few }
}

fn pictures(n: usize, shape: Vec<usize>) -> Split {
    let size = n * shape.iter().product::<usize>();
    let values = normals(&mut Streams::new(1).stream("inputs"), size).into_iter().map(|x| x as f32).collect();
    let labels = (0..n).map(|i| (i * 7 % 10) as u32).collect();
    Split { inputs: Inputs::Features { values, shape }, targets: Targets::Classes { labels, classes: 10 } }
}
