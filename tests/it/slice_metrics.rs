//! Sharpness and other numbers on a slice are those of its points, however the work was cut.

use std::time::{Duration, Instant};

use candle_core::DType;
use landscope::linalg::estimator::estimate;
use landscope::linalg::operator::Dense;
use landscope::linalg::trace::{Hutchinson, Options as TraceOptions};
use landscope::nn::curvature::Hessian;
use landscope::nn::slice::directions::{DirectionKind, Normalisation};
use landscope::nn::spec::ModelKind;
use landscope::probes::job::{Advance, Job, Readings, Subject};
use landscope::probes::measure::{self, MEASUREMENTS, Value};
use landscope::probes::plane::{Choice, Memory, prepare};
use landscope::probes::slice_metric::{self, Options};
use landscope::record::{Reading, SliceExtent, SliceMetric, Surface};

use super::exactness::{pictures, small, trained};

const EXAMPLES: usize = 30;
const RADIUS: f64 = 0.7;

fn subject(kind: ModelKind) -> Subject {
    trained(&small(kind), &pictures(EXAMPLES, 4), DType::F64, 8)
}

fn options(metric: SliceMetric, extent: SliceExtent) -> Options {
    Options {
        metric,
        extent,
        directions: DirectionKind::Random,
        normalisation: Normalisation::Filter,
        choice: Choice::Middle,
        radius: RADIUS,
        examples: EXAMPLES,
    }
}

fn begin(subject: &Subject, options: &Options) -> Box<dyn Job> {
    slice_metric::begin(subject, options, &Memory::default()).unwrap()
}

/// All readings in turn, the work cut into pieces of so long.
fn all(mut job: Box<dyn Job>, piece: Duration) -> Vec<Readings> {
    let mut found = Vec::new();
    loop {
        match job.advance(Instant::now() + piece, &|| piece.is_zero()).unwrap() {
            Advance::Working(readings) if readings.is_empty() => {}
            Advance::Working(readings) => found.push(readings),
            Advance::Done(readings) => {
                found.push(readings);
                return found;
            }
        }
    }
}

fn surface(readings: &Readings, metric: SliceMetric) -> &Surface {
    let [(id, Reading::Surface(surface))] = &readings[..] else { panic!("one surface: {readings:?}") };
    assert_eq!(*id, metric.series());
    surface
}

/// What the metric is at `w + a d + b e`, by itself.
fn alone(subject: &Subject, metric: SliceMetric, [a, b]: [f64; 2]) -> f64 {
    let plane =
        prepare(subject, DirectionKind::Random, Normalisation::Filter, Choice::Middle, EXAMPLES, &Memory::default())
            .unwrap()
            .advance()
            .unwrap()
            .unwrap();
    let layout = subject.model.layout();
    let mut flat = layout.flatten(&subject.params).unwrap();
    for (w, (d, e)) in flat.iter_mut().zip(plane.directions.d.iter().zip(&plane.directions.e)) {
        *w += a * f64::from(*d) + b * f64::from(*e);
    }
    let point = measure::Subject {
        model: subject.model.clone(),
        params: layout.unflatten(&flat, subject.dtype, &subject.device).unwrap(),
        loss: subject.loss.clone(),
        batch: subject.batch(EXAMPLES).unwrap(),
        dtype: subject.dtype,
        device: subject.device.clone(),
        streams: subject.streams,
        spec: subject.spec.clone(),
        reference: None,
        options: measure::Options {
            top_k: 1,
            tolerance: 1e-9,
            most_products: 1_000,
            test_vectors: 2,
            ..measure::Options::default()
        },
    };
    let measured = |id: &str| {
        let measurement = MEASUREMENTS.iter().find(|one| one.id == id).unwrap();
        (measurement.measure)(&point).unwrap().value
    };
    let layers = |id: &str| match measured(id) {
        Value::Named(layers) => layers.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let number = |id: &str| match measured(id) {
        Value::Number(value) => value,
        other => panic!("{other:?}"),
    };
    let hessian = || Hessian::new(point.model.clone(), &point.params, &point.batch, &point.loss).unwrap();
    match metric {
        // From the whole matrix: the search on the slice is no part of its own check.
        SliceMetric::Sharpness => *Dense::of(&mut hessian()).unwrap().symmetric_eigenvalues().unwrap().last().unwrap(),
        SliceMetric::GradientNorm => number("gradient"),
        SliceMetric::DirectionalSharpness => number("directional-sharpness"),
        SliceMetric::Trace => {
            let options = TraceOptions { most_products: 10, least_products: usize::MAX, tolerance: 0.0 };
            let vectors = subject.streams.stream("probe/landscape/trace");
            estimate(&mut hessian(), &mut Hutchinson::new(layout.total(), vectors, options)).unwrap().value
        }
        SliceMetric::Kurtosis | SliceMetric::MaxMedianRatio => {
            layers(metric.id()).into_iter().fold(f64::NEG_INFINITY, f64::max)
        }
        SliceMetric::TokenCosine => *layers("token-cosine").last().unwrap(),
    }
}

#[test]
fn points_of_a_slice_are_what_they_are_alone() {
    for kind in [ModelKind::Mlp, ModelKind::VisionTransformer] {
        let subject = subject(kind);
        for metric in SliceMetric::ALL {
            let found = all(begin(&subject, &options(metric, SliceExtent::Axes)), Duration::from_secs(60));
            let last = surface(found.last().unwrap(), metric);
            assert_eq!((last.n, last.accuracy.len()), (17, 0));
            // The centre, an end of an axis, and a point that the second round added.
            for [column, row] in [[8, 8], [16, 8], [8, 3]] {
                let site = [column, row].map(|i| f64::from(last.coordinate(i)));
                let site = site.map(|x| (x / RADIUS * 8.0).round() / 8.0 * RADIUS);
                let (slice, known) = (f64::from(last.loss[row * 17 + column]), alone(&subject, metric, site));
                // The residual bounds the eigenvalue's error; the others are stored in f32.
                let tolerance = if metric == SliceMetric::Sharpness { 6e-3 } else { 1e-6 };
                assert!((slice - known).abs() <= tolerance * known.abs(), "{kind:?} {metric:?}: {slice} {known}");
            }
            assert!(!last.circumstances.method.contains("NOT"), "{}", last.circumstances.method);
            assert_eq!(last.circumstances.examples, EXAMPLES);
        }
    }
}

#[test]
fn the_mask_grows_from_the_centre_by_the_axes() {
    let subject = subject(ModelKind::Mlp);
    let metric = SliceMetric::GradientNorm;
    for (extent, sides, counts) in [
        (SliceExtent::Axes, vec![9, 9, 17], vec![5, 17, 33]),
        (SliceExtent::Coarse, vec![9, 9, 9], vec![5, 17, 81]),
        (SliceExtent::Medium, vec![9, 9, 9, 17], vec![5, 17, 81, 289]),
    ] {
        let found = all(begin(&subject, &options(metric, extent)), Duration::from_secs(60));
        let surfaces: Vec<_> = found.iter().map(|readings| surface(readings, metric)).collect();
        assert_eq!(surfaces.iter().map(|s| s.n).collect::<Vec<_>>(), sides);
        let known = |s: &Surface| s.valid.iter().filter(|valid| **valid).count();
        assert_eq!(surfaces.iter().map(|s| known(s)).collect::<Vec<_>>(), counts);
        for s in surfaces {
            for (value, valid) in s.loss.iter().zip(&s.valid) {
                assert_eq!(value.is_finite(), *valid, "what wasn't measured is no number");
            }
            assert!(s.valid[s.n / 2 * s.n + s.n / 2]);
        }
    }
}

#[test]
fn neither_pieces_nor_an_earlier_attempt_change_a_bit() {
    for (kind, metric) in [
        (ModelKind::Mlp, SliceMetric::Sharpness),
        (ModelKind::VisionTransformer, SliceMetric::Sharpness),
        (ModelKind::Mlp, SliceMetric::Trace),
    ] {
        let subject = subject(kind);
        let options = options(metric, SliceExtent::Axes);
        let bits = |readings: &[Readings]| -> Vec<Vec<u32>> {
            readings.iter().map(|r| surface(r, metric).loss.iter().map(|v| v.to_bits()).collect()).collect()
        };
        let at_once = all(begin(&subject, &options), Duration::from_secs(60));
        let in_pieces = all(begin(&subject, &options), Duration::ZERO);
        assert_eq!(bits(&at_once), bits(&in_pieces));
        // Given up in the middle of a point, and begun anew.
        let mut cancelled = begin(&subject, &options);
        for _ in 0..7 {
            cancelled.advance(Instant::now(), &|| true).unwrap();
        }
        drop(cancelled);
        assert_eq!(bits(&all(begin(&subject, &options), Duration::from_millis(3))), bits(&at_once));
    }
}

#[test]
fn overflow_far_out_is_a_value_and_nonsense_is_refused() {
    let subject = subject(ModelKind::Mlp);
    let metric = SliceMetric::GradientNorm;
    let far = Options { radius: 1e200, ..options(metric, SliceExtent::Axes) };
    let found = all(begin(&subject, &far), Duration::from_secs(60));
    let last = surface(found.last().unwrap(), metric);
    assert!(last.valid[8 * 17] && !last.loss[8 * 17].is_finite() && last.loss[8 * 17 + 8].is_finite());
    for wrong in [
        Options { radius: 0.0, ..options(metric, SliceExtent::Axes) },
        Options { examples: 0, ..options(metric, SliceExtent::Axes) },
    ] {
        assert!(slice_metric::begin(&subject, &wrong, &Memory::default()).is_err());
    }
}
