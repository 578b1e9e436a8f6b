//! What probes measure agrees with slow and independent ways to the same numbers, and measuring changes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use landscope::base::rng::{Streams, normals};
use landscope::linalg::lanczos::{Eigenpair, Options};
use landscope::linalg::operator::Dense;
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::curvature::Hessian;
use landscope::nn::model::Model;
use landscope::nn::params::Params;
use landscope::nn::slice::directions::Directions;
use landscope::nn::spec::{Activation, LossSpec, ModelKind, ModelSpec};
use landscope::nn::training::{evaluate, gradient};
use landscope::optim::Optimizer;
use landscope::optim::spec::{OptimizerKind, OptimizerSpec};
use landscope::probes::job::{Advance, Job, PastPoint, Readings, Subject};
use landscope::probes::{attention, landscape, sharpness, signal, spectrum};
use landscope::record::{Reading, Spectrum, Surface, names};
use landscope::tasks::data::{Inputs, Split, Targets};

/// Random pictures whose class depends on them, so that there is something to learn.
pub(crate) fn pictures(n: usize, side: usize) -> Split {
    let size = side * side;
    let values: Vec<f32> =
        normals(&mut Streams::new(11).stream("pictures"), n * size).into_iter().map(|x| x as f32).collect();
    let labels = values.chunks_exact(size).map(|x| u32::from(x[0] + x[1] > 0.0) + u32::from(x[2] > 0.5)).collect();
    Split {
        inputs: Inputs::Features { values, shape: vec![side, side, 1] },
        targets: Targets::Classes { labels, classes: 3 },
    }
}

pub(crate) fn small(kind: ModelKind) -> ModelSpec {
    // Smooth: at the kinks of ReLU, differences of gradients say nothing.
    ModelSpec { kind, width: 4, depth: 1, n_heads: 2, patch: 2, activation: Activation::Gelu, ..ModelSpec::default() }
}

/// A network after `steps` steps of training.
pub(crate) fn trained(spec: &ModelSpec, split: &Split, dtype: DType, steps: usize) -> Subject {
    trained_with(spec, split, dtype, steps, |_| {}).0
}

/// As [`trained`], with something done to the frozen network before each step; and the parameters' final hash.
fn trained_with(
    spec: &ModelSpec,
    split: &Split,
    dtype: DType,
    steps: usize,
    meanwhile: impl Fn(&Subject),
) -> (Subject, String) {
    let model = build(spec, split).unwrap();
    let streams = Streams::new(0);
    let device = Device::Cpu;
    let params = Params::from_flat(model.layout().clone(), &model.init(&streams), dtype, &device).unwrap();
    let optimizer = OptimizerSpec { kind: OptimizerKind::Sgd, lr: 0.1, weight_decay: 0.0, ..OptimizerSpec::default() };
    let mut state = Optimizer::new(&optimizer, model.layout());
    let batch = Batch::new(split, dtype, &device).unwrap();
    let train = Arc::new(split.clone());
    let mut path = Vec::new();
    let mut subject = |step: usize, params: &Params, loss: f64| {
        let frozen = params.frozen().unwrap();
        let flat = model.layout().flatten(&frozen).unwrap();
        path.push(PastPoint {
            step: step as u64,
            loss: loss as f32,
            params: Arc::new(flat.iter().map(|&w| w as f32).collect()),
        });
        Subject {
            step: step as u64,
            model: model.clone(),
            params: Arc::new(frozen),
            loss: LossSpec::default(),
            train: train.clone(),
            dtype,
            device: Device::Cpu,
            streams,
            path: Arc::new(path.clone()),
            spec: spec.clone(),
        }
    };
    for step in 0..steps {
        let found = gradient(&*model, &params, &batch, &LossSpec::default()).unwrap();
        meanwhile(&subject(step, &params, found.loss));
        state.step(&params, &found.tensors, optimizer.lr).unwrap();
    }
    (subject(steps, &params, f64::NAN), params.hash().unwrap())
}

/// All readings of a job, in pieces as small as they come.
pub(crate) fn measured(mut job: Box<dyn Job>) -> Readings {
    let mut all = Vec::new();
    loop {
        match job.advance(Instant::now(), &|| true).unwrap() {
            Advance::Working(readings) => all.extend(readings),
            Advance::Done(readings) => {
                all.extend(readings);
                return all;
            }
        }
    }
}

pub(crate) fn surfaces(readings: &Readings) -> Vec<&Surface> {
    readings
        .iter()
        .filter_map(|(_, reading)| if let Reading::Surface(surface) = reading { Some(&**surface) } else { None })
        .collect()
}

fn lanczos(subject: &Subject, tolerance: f64) -> Eigenpair {
    let options = Options { tolerance, most_products: 400, least_products: 1, subspace: 30 };
    let (job, found) = sharpness::with_options(subject, usize::MAX, &sharpness::Warm::default(), options).unwrap();
    let readings = measured(job);
    let pair = found.lock().unwrap().clone().unwrap();
    let [(name, Reading::Estimate(estimate))] = readings.as_slice() else { panic!("one estimate: {readings:?}") };
    assert_eq!((name, estimate.value, estimate.converged), (&names::SHARPNESS, pair.value, true));
    pair
}

#[test]
fn sharpness_is_the_largest_eigenvalue_of_the_dense_hessian() {
    let split = pictures(24, 4);
    for kind in [ModelKind::Mlp, ModelKind::VisionTransformer, ModelKind::ResidualConvNet] {
        let spec = small(kind);
        let subject = trained(&spec, &split, DType::F64, 10);
        let (model, layout) = (subject.model.clone(), subject.model.layout().clone());
        let batch = subject.batch(usize::MAX).unwrap();
        let mut hessian = Hessian::new(model.clone(), &subject.params, &batch, &subject.loss).unwrap();
        let dense = Dense::of(&mut hessian).unwrap();
        assert!(dense.asymmetry() < 1e-12, "{kind:?}: {:e}", dense.asymmetry());
        let eigenvalues = dense.symmetric_eigenvalues().unwrap();
        let largest = eigenvalues[eigenvalues.len() - 1];

        // The same matrix by central differences of gradients, column by column.
        let flat = layout.flatten(&subject.params).unwrap();
        let (n, h) = (flat.len(), 1e-5);
        let gradient_at = |j: usize, step: f64| {
            let mut moved = flat.clone();
            moved[j] += step;
            let params = Params::from_flat(layout.clone(), &moved, DType::F64, &Device::Cpu).unwrap();
            layout.flatten(&gradient(&*model, &params, &batch, &subject.loss).unwrap().tensors).unwrap()
        };
        let mut differences = vec![0.0; n * n];
        for j in 0..n {
            for (i, (plus, minus)) in gradient_at(j, h).into_iter().zip(gradient_at(j, -h)).enumerate() {
                differences[i * n + j] = (plus - minus) / (2.0 * h);
            }
        }
        let by_differences = Dense::new(n, differences).unwrap().symmetric_eigenvalues().unwrap();
        assert!((by_differences[n - 1] / largest - 1.0).abs() < 1e-6, "{kind:?}: {} {largest}", by_differences[n - 1]);

        let double = lanczos(&subject, 1e-7);
        assert!((double.value / largest - 1.0).abs() < 1e-6, "{kind:?} in f64: {} {largest}", double.value);

        // The same parameters in f32.
        let rounded: Vec<Tensor> = subject.params.iter().map(|p| p.to_dtype(DType::F32).unwrap()).collect();
        let single = Subject { params: Arc::new(rounded), dtype: DType::F32, ..subject };
        let single = lanczos(&single, 1e-4);
        assert!((single.value / largest - 1.0).abs() < 1e-3, "{kind:?} in f32: {} {largest}", single.value);
    }
}

#[test]
fn the_centre_of_a_slice_is_the_loss_at_the_cursor() {
    let split = pictures(100, 4);
    for kind in [ModelKind::Mlp, ModelKind::ResidualMlp, ModelKind::VisionTransformer, ModelKind::ConvNet] {
        let subject = trained(&small(kind), &split, DType::F32, 5);
        let readings = measured(landscape::begin(&subject, 0.7, 80, 17).unwrap());
        let batch = subject.batch(80).unwrap();
        let expect = evaluate(&*subject.model, &subject.params, &batch, &subject.loss).unwrap();
        let surfaces = surfaces(&readings);
        assert_eq!(surfaces.iter().map(|s| s.n).collect::<Vec<_>>(), [9, 17]);
        for surface in surfaces {
            let centre = f64::from(surface.centre_loss().unwrap());
            assert!((centre - expect.loss).abs() < 2e-6 * expect.loss, "{kind:?}: {centre} {}", expect.loss);
            let accuracy = surface.accuracy[surface.n / 2 * surface.n + surface.n / 2];
            assert_eq!(accuracy, expect.correct as f32 / 80.0);
            assert!(surface.valid.iter().all(|&computed| computed));
        }
    }
}

#[test]
fn a_slice_is_the_loss_of_moved_parameters() {
    let split = pictures(50, 4);
    let subject = trained(&small(ModelKind::VisionTransformer), &split, DType::F64, 3);
    let layout = subject.model.layout();
    let readings = measured(landscape::begin(&subject, 0.5, 50, 9).unwrap());
    let surface = surfaces(&readings)[0];
    let directions = Directions::random(layout, &layout.flatten(&subject.params).unwrap(), &subject.streams);
    let flat = layout.flatten(&subject.params).unwrap();
    let batch = subject.batch(50).unwrap();
    for (i, j) in [(0, 0), (8, 0), (3, 7), (5, 4)] {
        let (a, b) = (f64::from(surface.coordinate(i)), f64::from(surface.coordinate(j)));
        let moved: Vec<f64> = (0..flat.len())
            .map(|k| flat[k] + a * f64::from(directions.d[k]) + b * f64::from(directions.e[k]))
            .collect();
        let params = layout.unflatten(&moved, DType::F64, &Device::Cpu).unwrap();
        let expect = evaluate(&*subject.model, &params, &batch, &subject.loss).unwrap();
        let found = surface.loss[j * 9 + i];
        assert!((f64::from(found) / expect.loss - 1.0).abs() < 1e-6, "({a}, {b}): {found} {}", expect.loss);
        assert_eq!(surface.accuracy[j * 9 + i], expect.correct as f32 / 50.0);
    }
}

#[test]
fn the_path_ends_at_the_centre_and_known_coordinates_are_recovered() {
    let split = pictures(40, 4);
    let mut subject = trained(&small(ModelKind::Mlp), &split, DType::F32, 4);
    let layout = subject.model.layout();
    let directions = Directions::random(layout, &layout.flatten(&subject.params).unwrap(), &subject.streams);
    let flat = layout.flatten(&subject.params).unwrap();
    let known = [(0.4, -0.2), (-0.9, 0.35)];
    let mut path: Vec<PastPoint> = known
        .iter()
        .enumerate()
        .map(|(step, (a, b))| PastPoint {
            step: step as u64,
            loss: 1.0,
            params: Arc::new(
                (0..flat.len())
                    .map(|k| (flat[k] + a * f64::from(directions.d[k]) + b * f64::from(directions.e[k])) as f32)
                    .collect(),
            ),
        })
        .collect();
    path.push(subject.path.last().unwrap().clone());
    subject.path = Arc::new(path);
    let readings = measured(landscape::begin(&subject, 1.0, 40, 9).unwrap());
    let surface = surfaces(&readings)[0];
    for (point, (a, b)) in surface.path.iter().zip(known) {
        assert!((f64::from(point.a) - a).abs() < 1e-5 && (f64::from(point.b) - b).abs() < 1e-5, "{point:?}");
    }
    let last = surface.path[2];
    assert!(last.a.abs() < 1e-6 && last.b.abs() < 1e-6 && last.step == 4, "{last:?}");
    assert!((surface.path_share - 1.0).abs() < 1e-5, "all of it lies in the plane: {}", surface.path_share);
}

#[test]
fn token_cosines_agree_with_a_slow_twin() {
    let split = pictures(30, 4);
    let subject = trained(&small(ModelKind::VisionTransformer), &split, DType::F32, 3);
    let readings = measured(signal::begin(&subject, 30, true).unwrap());
    let find = |id| readings.iter().find(|(name, _)| *name == id).map(|(_, reading)| reading);
    let Some(Reading::Vector(cosines)) = find(names::TOKEN_COSINE) else { panic!("cosines: {readings:?}") };
    let mut taps = Vec::new();
    let batch = subject.batch(30).unwrap();
    subject.model.forward(&subject.params, &batch.inputs, Some(&mut taps)).unwrap();
    assert_eq!((cosines.len(), taps.len()), (subject.model.layers().len(), subject.model.layers().len()));
    for ((tap, name), &cosine) in taps.iter().zip(subject.model.layers()).zip(cosines) {
        let values = tap.to_dtype(DType::F64).unwrap().to_vec3::<f64>().unwrap();
        let (mut sum, mut pairs) = (0.0, 0);
        for example in &values {
            for (i, x) in example.iter().enumerate() {
                for y in example.iter().skip(i + 1) {
                    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                    sum += dot(x, y) / (dot(x, x) * dot(y, y)).sqrt();
                    pairs += 1;
                }
            }
        }
        assert!(
            (f64::from(cosine) - sum / f64::from(pairs)).abs() < 1e-5,
            "{name}: {cosine} {}",
            sum / f64::from(pairs)
        );
        let Some(Reading::Density(density)) = find(names::activations(name)) else { panic!("histogram of {name}") };
        let counted: u32 = density.counts.iter().sum::<u32>() + density.below + density.above;
        assert_eq!(counted as usize, tap.elem_count());
        let Some(Reading::Matrix(matrix)) = find(names::token_similarity(name)) else { panic!("matrix of {name}") };
        assert_eq!((matrix.rows, matrix.columns), (4, 4));
        let off: f32 = (0..16).filter(|k| k / 4 != k % 4).map(|k| matrix.values[k]).sum();
        assert!((off / 12.0 - cosine).abs() < 1e-5);
    }
}

#[test]
fn measuring_changes_no_bit_of_training() {
    let split = pictures(64, 4);
    let spec = small(ModelKind::VisionTransformer);
    let warm = sharpness::Warm::default();
    let (_, plain) = trained_with(&spec, &split, DType::F32, 6, |_| {});
    let (_, watched) = trained_with(&spec, &split, DType::F32, 6, |subject| {
        measured(landscape::begin(subject, 1.0, 32, 9).unwrap());
        measured(sharpness::begin(subject, 32, sharpness::tolerance(true), &warm).unwrap());
        measured(signal::begin(subject, 32, true).unwrap());
        measured(attention::begin(subject, 1).unwrap());
    });
    assert_eq!(plain, watched);
}

#[test]
fn a_network_that_has_blown_up_gives_readings_and_no_errors() {
    let split = pictures(20, 4);
    let mut subject = trained(&small(ModelKind::VisionTransformer), &split, DType::F32, 1);
    let broken: Vec<Tensor> = subject.params.iter().map(|p| (p * f64::NAN).unwrap()).collect();
    subject.params = Arc::new(broken);
    let slice = measured(landscape::begin(&subject, 1.0, 20, 9).unwrap());
    assert!(surfaces(&slice)[0].loss.iter().all(|loss| loss.is_nan()));
    let sharp =
        measured(sharpness::begin(&subject, 20, sharpness::tolerance(false), &sharpness::Warm::default()).unwrap());
    assert!(matches!(&sharp[0].1, Reading::Estimate(estimate) if estimate.value.is_nan() && !estimate.converged));
    assert!(!measured(signal::begin(&subject, 20, true).unwrap()).is_empty());
    assert!(!measured(attention::begin(&subject, 20).unwrap()).is_empty());
}

#[test]
fn a_long_measurement_stops_when_told() {
    let split = pictures(200, 4);
    let subject = trained(&small(ModelKind::VisionTransformer), &split, DType::F32, 1);
    let mut job = landscape::begin(&subject, 1.0, 200, 65).unwrap();
    // One piece, though the deadline is far away.
    let advance = job.advance(Instant::now() + Duration::from_secs(1_000), &|| true).unwrap();
    assert_eq!(advance, Advance::Working(Vec::new()));
    let (_, Reading::Surface(surface)) = &job.picture().unwrap()[0] else { panic!("a surface") };
    let done = surface.valid.iter().filter(|&&computed| computed).count();
    assert!(done < 81, "{done} points after one piece");
    // Going on from there completes the level.
    loop {
        if let Advance::Working(readings) = job.advance(Instant::now(), &|| false).unwrap()
            && let [reading] = surfaces(&readings)[..]
        {
            assert_eq!(reading.n, 9);
            break;
        }
    }
}

/// The model behind a subject can be shared by threads.
#[allow(dead_code, reason = "compiling it is the test")]
fn models_are_shared(model: Arc<dyn Model>) -> impl Send + Sync {
    model
}

#[test]
fn the_spectrum_is_that_of_the_dense_hessian() {
    for kind in [ModelKind::Mlp, ModelKind::VisionTransformer] {
        let split = pictures(24, 4);
        let subject = trained(&small(kind), &split, DType::F64, 20);
        let dim = subject.model.layout().total();
        let batch = subject.batch(usize::MAX).unwrap();
        let mut hessian = Hessian::new(subject.model.clone(), &subject.params, &batch, &subject.loss).unwrap();
        let known = Dense::of(&mut hessian).unwrap().symmetric_eigenvalues().unwrap();
        let spectra: Vec<Spectrum> = (0..12)
            .map(|seed| {
                let subject = Subject { streams: Streams::new(seed), ..subject.clone() };
                let job =
                    spectrum::begin(&subject, usize::MAX, 3, (&spectrum::Warm::default(), &sharpness::Warm::default()))
                        .unwrap();
                let readings = measured(job);
                let [(_, Reading::Spectrum(ends)), (series, Reading::Estimate(sharp)), (_, Reading::Spectrum(found))] =
                    &readings[..]
                else {
                    panic!("the ends, the sharpness among them, then all: {readings:?}")
                };
                assert!(ends.top == found.top && ends.ritz.is_empty() && ends.trace.is_nan());
                assert!(*series == names::SHARPNESS && sharp.value == found.top[0].value && sharp.converged);
                Spectrum::clone(found)
            })
            .collect();
        let trace: f64 = known.iter().sum();
        for found in &spectra {
            for (k, top) in found.top.iter().enumerate() {
                let exact = known[dim - 1 - k];
                // The residual bounds the error, with room for the rounding of the dense matrix.
                assert!((top.value - exact).abs() <= top.residual + 1e-9, "{kind:?} {k}: {top:?} {exact}");
            }
            assert!(found.top.iter().all(|top| top.converged), "{kind:?}: {:?}", found.top);
            assert!((found.bottom[0].value - known[0]).abs() <= found.bottom[0].residual + 1e-9);
            assert!((found.ritz.iter().map(|[_, weight]| weight).sum::<f64>() - 1.0).abs() < 1e-9);
        }
        // Error over standard error from three test vectors is Student's t with two degrees of freedom: 5 % lie beyond 4.3.
        let beyond = spectra.iter().filter(|s| (s.trace - trace).abs() > 4.3 * s.trace_error).count();
        assert!(beyond <= 4, "{kind:?}: {beyond} of 12");
    }
}
