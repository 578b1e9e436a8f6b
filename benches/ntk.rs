//! Time to the top eigenvalue of the traced tangent kernel of 256 examples: the twin of `benches/pytorch/ntk.py`.
//!
//! `cargo bench --bench ntk -- mlp 3` measures for 3 seconds, on 2 threads, and prints one line of JSON: milliseconds from frozen
//! parameters to the eigenvalue, of which `kernel_ms` to the kernel `[256, 256]`. Cases: `mlp` (64-256-256-10, ReLU) and `vit` (the default
//! network at depth 4 on 8x8 pictures), whose kernel comes from gradients of single outputs. A third argument gives other
//! numbers of examples.

use std::time::{Duration, Instant};

use candle_core::{DType, Device};
use landscope::base::rng::{Streams, normals};
use landscope::linalg::lanczos::{self, Lanczos, Options};
use landscope::nn::autodiff::{STACK_BYTES, enable_second_derivatives};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::curvature::{Kernels, TangentKernel};
use landscope::nn::spec::{Activation, ModelKind, ModelSpec};
use landscope::tasks::data::{Inputs, Split, Targets};

fn main() {
    landscope::base::memory::keep_freed();
    enable_second_derivatives();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let case = arguments.first().map_or("mlp", String::as_str).to_owned();
    let secs: f64 = arguments.get(1).and_then(|s| s.parse().ok()).unwrap_or(3.0);
    let examples: usize = arguments.get(2).and_then(|s| s.parse().ok()).unwrap_or(256);
    let (spec, shape) = match case.as_str() {
        "mlp" => {
            let mlp = ModelSpec { kind: ModelKind::Mlp, width: 256, depth: 2, ..ModelSpec::default() };
            (ModelSpec { activation: Activation::Relu, ..mlp }, vec![64])
        }
        "vit" => (ModelSpec { depth: 4, ..ModelSpec::default() }, vec![8, 8, 1]),
        _ => panic!("unknown case {case}: give mlp or vit"),
    };
    let values = normals(&mut Streams::new(1).stream("inputs"), 64 * examples).into_iter().map(|x| x as f32).collect();
    let labels = (0..examples).map(|i| (i * 7 % 10) as u32).collect();
    let split = Split { inputs: Inputs::Features { values, shape }, targets: Targets::Classes { labels, classes: 10 } };
    let model = build(&spec, &split).unwrap();
    let flat = model.init(&Streams::new(0));
    let params = model.layout().unflatten(&flat, DType::F32, &Device::Cpu).unwrap();
    let batch = Batch::new(&split, DType::F32, &Device::Cpu).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).stack_size(STACK_BYTES).build().unwrap();
    pool.install(|| {
        let (mut times, mut kernels, mut value, mut residual) = (Vec::new(), Vec::new(), f64::NAN, f64::NAN);
        let end = Instant::now() + Duration::from_secs_f64(secs);
        while times.is_empty() || Instant::now() < end {
            let start = Instant::now();
            let found = TangentKernel::new(model.clone(), &params, &batch, Kernels::Traced).unwrap().finish().unwrap();
            let mut kernel = found.into_iter().next().unwrap();
            kernels.push(start.elapsed().as_secs_f64() * 1e3);
            let search = Lanczos::new(examples, None, Streams::new(0).stream("search"), Options::default());
            let pair = lanczos::run(&mut kernel, search).unwrap();
            times.push(start.elapsed().as_secs_f64() * 1e3);
            (value, residual) = (pair.value, pair.residual);
        }
        times.sort_by(f64::total_cmp);
        kernels.sort_by(f64::total_cmp);
        println!(
            "{{\"case\": \"{case}\", \"times\": {}, \"median_ms\": {:.3}, \"min_ms\": {:.3}, \"kernel_ms\": {:.3}, \"value\": {value:.4}, \
             \"residual\": {residual:.1e}}}",
            times.len(),
            times[times.len() / 2],
            times[0],
            kernels[kernels.len() / 2],
        );
    });
}
