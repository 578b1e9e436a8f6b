//! Slices and signals as jobs: on every kind of network, resumable, and without a trace in the network.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{DType, Device};
use landscope::base::rng::{Streams, normals};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::params::Params;
use landscope::nn::spec::{LossSpec, ModelKind, ModelSpec};
use landscope::nn::training::evaluate;
use landscope::probes::job::{Advance, Job, PastPoint, Readings, Subject};
use landscope::probes::{landscape, propagation, signal};
use landscope::record::{Density, Matrix, Reading, Surface, names};
use landscope::tasks::data::{Inputs, Split, Targets};

const KINDS: [ModelKind; 6] = [
    ModelKind::Mlp,
    ModelKind::ResidualMlp,
    ModelKind::VisionTransformer,
    ModelKind::Gpt,
    ModelKind::ConvNet,
    ModelKind::ResidualConvNet,
];

fn data(kind: ModelKind) -> Split {
    let n = 70;
    if kind == ModelKind::Gpt {
        let ids = |factor: u32| (0..5 * n).map(|i| i * factor % 101 % 7).collect();
        return Split {
            inputs: Inputs::Tokens { ids: ids(31), length: 5, vocabulary: 7 },
            targets: Targets::NextTokens { ids: ids(37), length: 5, vocabulary: 7 },
        };
    }
    let values = normals(&mut Streams::new(5).stream("x"), 12 * n as usize).iter().map(|&x| x as f32).collect();
    let shape = match kind {
        // Halved once, these still have several positions.
        ModelKind::ConvNet | ModelKind::ResidualConvNet => vec![6, 2, 1],
        _ => vec![12],
    };
    Split {
        inputs: Inputs::Features { values, shape },
        targets: Targets::Classes { labels: (0..n).map(|i| i * i % 3).collect(), classes: 3 },
    }
}

fn subject(kind: ModelKind) -> (Subject, Params) {
    let train = data(kind);
    let spec = ModelSpec { kind, width: 8, depth: 2, n_heads: 2, ..ModelSpec::default() };
    let model = build(&spec, &train).unwrap();
    let flat = model.init(&Streams::new(2));
    let params = Params::from_flat(model.layout().clone(), &flat, DType::F32, &Device::Cpu).unwrap();
    let point = |step: u64, scale: f64| PastPoint {
        step,
        loss: 2.0,
        params: Arc::new(flat.iter().map(|w| (w * scale) as f32).collect()),
    };
    let subject = Subject {
        step: 11,
        model,
        // The very storage that training would go on with, so that a probe that writes is caught.
        params: Arc::new(params.tensors()),
        loss: LossSpec::default(),
        train: Arc::new(train),
        dtype: DType::F32,
        device: Device::Cpu,
        streams: Streams::new(3),
        path: Arc::new(vec![point(0, 0.5), point(11, 1.0)]),
        spec,
    };
    (subject, params)
}

/// All readings in turn, with as many pauses as there can be.
fn piece_by_piece(job: &mut dyn Job) -> Vec<Readings> {
    let mut found = Vec::new();
    loop {
        match job.advance(Instant::now(), &|| true).unwrap() {
            Advance::Working(readings) if readings.is_empty() => {}
            Advance::Working(readings) => found.push(readings),
            Advance::Done(readings) => {
                found.push(readings);
                return found;
            }
        }
    }
}

fn in_one_go(job: &mut dyn Job) -> Vec<Readings> {
    let far = Instant::now() + Duration::from_secs(60);
    let mut found = Vec::new();
    loop {
        match job.advance(far, &|| false).unwrap() {
            Advance::Working(readings) => found.push(readings),
            Advance::Done(readings) => {
                found.push(readings);
                return found;
            }
        }
    }
}

fn surface(readings: &Readings) -> &Surface {
    match readings.as_slice() {
        [(name, Reading::Surface(surface))] if *name == names::LANDSCAPE => surface,
        other => panic!("not one surface: {other:?}"),
    }
}

#[test]
fn the_centre_of_every_slice_is_the_loss_at_the_parameters() {
    for kind in KINDS {
        let (subject, params) = subject(kind);
        let mut job = landscape::begin(&subject, 0.7, 64, 9).unwrap();
        let found = in_one_go(&mut *job);
        let surface = surface(&found[0]);
        let batch = Batch::new(&subject.train.first(64), DType::F32, &Device::Cpu).unwrap();
        let known = evaluate(&*subject.model, &params.frozen().unwrap(), &batch, &subject.loss).unwrap();
        let centre = f64::from(surface.centre_loss().unwrap());
        assert!((centre - known.loss).abs() < 2e-6 * known.loss, "{kind:?}: {centre} {}", known.loss);
        assert_eq!(surface.accuracy[40], known.correct as f32 / known.graded as f32);
        let corner = surface.loss[0];
        assert!((f64::from(corner) - known.loss).abs() > 1e-3, "{kind:?}: a slice isn't flat");
        assert_eq!(surface.circumstances.examples, 64);
    }
}

#[test]
fn pauses_change_no_bit_and_finer_levels_keep_all_points() {
    for kind in [ModelKind::Mlp, ModelKind::Gpt] {
        let (subject, _) = subject(kind);
        let whole = in_one_go(&mut *landscape::begin(&subject, 1.0, 70, 33).unwrap());
        let paused = piece_by_piece(&mut *landscape::begin(&subject, 1.0, 70, 33).unwrap());
        assert_eq!(whole.iter().map(|r| surface(r).n).collect::<Vec<_>>(), [9, 17, 33]);
        assert_eq!(paused.len(), 3);
        for (a, b) in whole.iter().zip(&paused) {
            let (a, b) = (surface(a), surface(b));
            assert_eq!((&a.loss, &a.accuracy, &a.valid), (&b.loss, &b.accuracy, &b.valid));
            assert!(a.valid.iter().all(|&valid| valid));
        }
        for pair in whole.windows(2) {
            let (coarse, fine) = (surface(&pair[0]), surface(&pair[1]));
            for (at, loss) in coarse.loss.iter().enumerate() {
                let twin = 2 * (at / coarse.n) * fine.n + 2 * (at % coarse.n);
                assert_eq!(loss.to_bits(), fine.loss[twin].to_bits());
            }
        }
    }
}

#[test]
fn unfinished_pictures_mark_what_they_lack() {
    let (subject, _) = subject(ModelKind::VisionTransformer);
    let mut job = landscape::begin(&subject, 1.0, 70, 17).unwrap();
    let known = |job: &dyn Job| {
        let picture = job.picture().unwrap();
        let surface = surface(&picture).clone();
        (surface.n, surface.valid.iter().filter(|&&valid| valid).count(), surface)
    };
    assert_eq!((known(&*job).0, known(&*job).1), (9, 0));
    assert_eq!(known(&*job).2.centre_loss(), None);
    job.advance(Instant::now(), &|| true).unwrap();
    assert!(known(&*job).1 >= 1);
    assert!(known(&*job).2.centre_loss().is_some());
    let far = Instant::now() + Duration::from_secs(60);
    assert!(matches!(job.advance(far, &|| false).unwrap(), Advance::Working(r) if surface(&r).n == 9));
    assert_eq!((known(&*job).0, known(&*job).1), (17, 81));
    let path = &known(&*job).2.path;
    assert_eq!((path.len(), path[1].step, path[1].a, path[1].b), (2, 11, 0.0, 0.0));
}

#[test]
fn measuring_leaves_the_parameters_alone() {
    for kind in KINDS {
        let (subject, params) = subject(kind);
        let before = params.hash().unwrap();
        in_one_go(&mut *landscape::begin(&subject, 1.0, 32, 9).unwrap());
        in_one_go(&mut *signal::begin(&subject, 32, true).unwrap());
        assert_eq!(params.hash().unwrap(), before, "{kind:?}");
    }
}

#[test]
fn diverged_networks_have_slices() {
    // Overflow in products, and parameters that are broken already (normalisations survive mere size).
    for (kind, factor) in [(ModelKind::Mlp, 1e30), (ModelKind::ResidualMlp, f64::NAN)] {
        let (mut subject, params) = subject(kind);
        let broken: Vec<_> = params.frozen().unwrap().iter().map(|w| (w * factor).unwrap()).collect();
        subject.params = Arc::new(broken);
        let found = in_one_go(&mut *landscape::begin(&subject, 1.0, 32, 9).unwrap());
        let surface = surface(&found[0]);
        assert!(surface.valid.iter().all(|&valid| valid));
        assert!(surface.loss.iter().any(|loss| !loss.is_finite()), "{kind:?}");
    }
}

#[test]
fn wrong_wishes_are_told() {
    let (subject, _) = subject(ModelKind::Mlp);
    let refused = |radius, examples, finest| {
        landscape::begin(&subject, radius, examples, finest).err().expect("can't be").to_string()
    };
    assert!(refused(1.0, 8, 12).contains("12"));
    assert!(refused(0.0, 8, 9).contains("radius"));
    assert!(refused(f64::NAN, 8, 9).contains("radius"));
    assert!(refused(1.0, 0, 9).contains("examples"));
}

#[test]
fn signals_cover_every_layer_and_count_every_activation() {
    for kind in KINDS {
        let (subject, _) = subject(kind);
        let found = piece_by_piece(&mut *signal::begin(&subject, 40, true).unwrap());
        let readings = found.last().unwrap();
        let get = |name| &readings.iter().find(|(id, _)| *id == name).unwrap().1;
        let Reading::Vector(cosines) = get(names::TOKEN_COSINE) else { panic!() };
        assert_eq!(cosines.len(), subject.model.layers().len());
        let mut taps = Vec::new();
        let batch = subject.batch(40).unwrap();
        subject.model.forward(&subject.params, &batch.inputs, Some(&mut taps)).unwrap();
        for ((layer, tap), cosine) in subject.model.layers().iter().zip(&taps).zip(cosines) {
            let Reading::Density(density) = get(names::activations(layer)) else { panic!() };
            let Density { counts, below, above, not_finite, mean, .. } = &**density;
            let total = counts.iter().sum::<u32>() + below + above + not_finite;
            assert_eq!(total as usize, tap.elem_count(), "{kind:?} {layer}");
            let known = tap.mean_all().unwrap().to_scalar::<f32>().unwrap();
            assert!((mean - known).abs() < 1e-5, "{kind:?} {layer}: {mean} {known}");
            let Reading::Matrix(matrix) = get(names::token_similarity(layer)) else { panic!() };
            let Matrix { rows, columns, values } = &**matrix;
            let tokens = if tap.rank() == 3 { tap.dims()[1] } else { 40 };
            assert_eq!((*rows, *columns), (tokens, tokens));
            let (sum, trace) = (values.iter().sum::<f32>(), (0..tokens).map(|i| values[i * tokens + i]).sum::<f32>());
            let mean = (sum - trace) / (tokens * (tokens - 1)) as f32;
            assert!((mean - cosine).abs() < 1e-5, "{kind:?} {layer}: {mean} {cosine}");
            assert!((-1.0 - 1e-5..=1.0 + 1e-5).contains(cosine));
        }
    }
}

#[test]
fn propagation_is_told_of_every_layer_of_every_kind_of_network() {
    for kind in KINDS {
        let (subject, _) = subject(kind);
        let found = piece_by_piece(&mut *signal::begin(&subject, 40, true).unwrap());
        let vector = |name| match &found.last().unwrap().iter().find(|(id, _)| *id == name).unwrap().1 {
            Reading::Vector(vector) => vector,
            other => panic!("{other:?}"),
        };
        let mut taps = Vec::new();
        let batch = subject.batch(40).unwrap();
        subject.model.forward(&subject.params, &batch.inputs, Some(&mut taps)).unwrap();
        for statistic in propagation::STATISTICS {
            assert!(statistic.series.iter().all(|name| vector(name.clone()).len() == taps.len()), "{kind:?}");
        }
        for (layer, tap) in taps.iter().enumerate() {
            let values = tap.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let width = *tap.dims().last().unwrap();
            let tokens = if tap.rank() == 3 { tap.dims()[1] } else { 40 };
            let check = |name, known: f64| {
                let told = f64::from(vector(name)[layer]);
                assert!((told - known).abs() < 1e-4 * known.abs(), "{kind:?} {layer}: {told} {known}");
            };
            check(names::KURTOSIS, propagation::kurtosis(&values, width));
            check(names::MMR, propagation::max_median_ratio(&values, width));
            check(names::STABLE_RANK, propagation::ranks(&values, width).stable);
            check(names::EFFECTIVE_RANK, propagation::ranks(&values, width).effective);
            check(names::MEAN_TOKEN_DISTANCE, propagation::mean_token_distance(&values, tokens, width));
            check(names::INT8_ERROR, propagation::int8_error(&values, width, propagation::Scope::Tensor));
            check(names::LAYER_WIDTH, 8.0);
        }
    }
}
