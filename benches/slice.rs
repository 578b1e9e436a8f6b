//! Time of a slice: the loss at 41x41 points of a plane, on 1,024 examples. The twin of `benches/pytorch/slice.py`.
//!
//! `cargo bench --bench slice -- mlp64 3` measures case `mlp64` for 3 seconds and prints one line of JSON: milliseconds
//! of a slice, of its first 11x11 points (both from frozen parameters on, directions and first layer included), the rate
//! of the products that were computed and the peak rate of products on the same cores, in turns with the slices.
//! Cases: `mlp64` (64-256-256-10, ReLU), `mlp784` (784-256-256-10, ReLU), `vit` (the default network at depth 4 on 8x8 pictures).
//! A third argument gives other points a side (9, 17, 33, 41, 65), a fourth other cores than two.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{DType, Device};
use landscope::base::rng::{Streams, normals};
use landscope::nn::autodiff::STACK_BYTES;
use landscope::nn::build::build;
use landscope::nn::spec::{Activation, LossSpec, ModelKind, ModelSpec};
use landscope::probes::job::{Advance, Subject};
use landscope::probes::landscape;
use landscope::tasks::data::{Inputs, Split, Targets};

const EXAMPLES: usize = 1024;
const SIDE: usize = 41;
const CORES: usize = 2;
/// Sides of the matrices whose products are the yardstick: the best of them is the cores' peak. Small ones live in the
/// cache, large ones spend more time in the innermost kernel.
const SIDES: [usize; 4] = [128, 256, 512, 1024];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let case = arguments.first().map_or("mlp64", String::as_str);
    let secs: f64 = arguments.get(1).and_then(|s| s.parse().ok()).unwrap_or(3.0);
    let argument = |at: usize, default| arguments.get(at).and_then(|s| s.parse().ok()).unwrap_or(default);
    let (side, cores) = (argument(2, SIDE), argument(3, CORES));
    // Of these threads and the one that asks, as many work as there are cores.
    rayon::ThreadPoolBuilder::new().num_threads(cores).stack_size(STACK_BYTES).build_global().unwrap();
    let (subject, products) = subject(case);
    let (mut whole, mut first, mut peak) = (Vec::new(), Vec::new(), Vec::new());
    let end = Instant::now() + Duration::from_secs_f64(secs);
    while whole.is_empty() || Instant::now() < end {
        peak.push(peak_rate(cores));
        let [coarse, fine] = slice(&subject, side);
        first.push(coarse);
        whole.push(fine);
    }
    let sorted = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times
    };
    let (whole, first, peak) = (sorted(whole), sorted(first), sorted(peak));
    let rate = |millis: f64| products as f64 * 2.0 * (side * side) as f64 / millis / 1e6;
    println!(
        "{{\"case\": \"{case}\", \"side\": {side}, \"slices\": {}, \"median_ms\": {:.3}, \"min_ms\": {:.3}, \"first_median_ms\": {:.3}, \
         \"gflops\": {:.1}, \"best_gflops\": {:.1}, \"peak_gflops\": {:.1}, \"best_peak_gflops\": {:.1}}}",
        whole.len(),
        whole[whole.len() / 2],
        whole[0],
        first[first.len() / 2],
        rate(whole[whole.len() / 2]),
        rate(whole[0]),
        peak[peak.len() / 2],
        peak[peak.len() - 1],
    );
}

/// Milliseconds to the first level's points and to all.
fn slice(subject: &Subject, side: usize) -> [f64; 2] {
    let start = Instant::now();
    let far = start + Duration::from_secs(600);
    let mut job = landscape::begin(subject, 1.0, EXAMPLES, side).unwrap();
    let mut coarse = f64::NAN;
    loop {
        let advance = job.advance(far, &|| false).unwrap();
        if coarse.is_nan() {
            coarse = start.elapsed().as_secs_f64() * 1e3;
        }
        if matches!(advance, Advance::Done(_)) {
            return [coarse, start.elapsed().as_secs_f64() * 1e3];
        }
    }
}

/// Billions of operations a second of products of square matrices, one after the other on each core, for the best side.
fn peak_rate(cores: usize) -> f64 {
    let rate = |side: usize| {
        let rounds = (4 * SIDES[SIDES.len() - 1].pow(3) / side.pow(3)).min(2_000);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(move || {
                    let (a, b) = (vec![1.0f32; side * side], vec![1.0f32; side * side]);
                    let mut out = vec![0.0f32; side * side];
                    for _ in 0..rounds {
                        product(&mut out, &a, &b, side);
                    }
                });
            }
        });
        (2 * side.pow(3) * cores * rounds) as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    SIDES.into_iter().map(rate).fold(0.0, f64::max)
}

fn product(out: &mut [f32], a: &[f32], b: &[f32], side: usize) {
    let (p, row) = (gemm::Parallelism::None, side as isize);
    // SAFETY: all three are side x side, row-major, and don't overlap.
    unsafe {
        gemm::gemm(
            side,
            side,
            side,
            out.as_mut_ptr(),
            1,
            row,
            false,
            a.as_ptr(),
            1,
            row,
            b.as_ptr(),
            1,
            row,
            0.0,
            1.0,
            false,
            false,
            false,
            p,
        );
    }
}

/// Frozen parameters, and the multiplications of one point (0 where they aren't counted).
fn subject(case: &str) -> (Subject, usize) {
    let mlp = |fan_in: usize| {
        let spec = ModelSpec {
            kind: ModelKind::Mlp,
            width: 256,
            depth: 2,
            activation: Activation::Relu,
            ..ModelSpec::default()
        };
        // The first layer's products serve all points and aren't counted.
        (spec, vec![fan_in], EXAMPLES * (256 * 256 + 256 * 10))
    };
    let (spec, shape, products) = match case {
        "mlp64" => mlp(64),
        "mlp784" => mlp(784),
        "vit" => (ModelSpec { depth: 4, ..ModelSpec::default() }, vec![8, 8, 1], 0),
        _ => panic!("unknown case {case}: give mlp64, mlp784 or vit"),
    };
    let size = EXAMPLES * shape.iter().product::<usize>();
    let values = normals(&mut Streams::new(1).stream("inputs"), size).into_iter().map(|x| x as f32).collect();
    let labels = (0..EXAMPLES).map(|i| (i * 7 % 10) as u32).collect();
    let train = Split { inputs: Inputs::Features { values, shape }, targets: Targets::Classes { labels, classes: 10 } };
    let model = build(&spec, &train).unwrap();
    let flat = model.init(&Streams::new(0));
    let params = model.layout().unflatten(&flat, DType::F32, &Device::Cpu).unwrap();
    let subject = Subject {
        step: 0,
        model,
        params: Arc::new(params),
        loss: LossSpec::default(),
        train: Arc::new(train),
        dtype: DType::F32,
        device: Device::Cpu,
        streams: Streams::new(0),
        path: Arc::new(Vec::new()),
        spec,
    };
    (subject, products)
}
