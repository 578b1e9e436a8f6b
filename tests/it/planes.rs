//! The planes that slices are cut along are what their axes say.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use landscope::linalg::operator::Dense;
use landscope::nn::curvature::Hessian;
use landscope::nn::params::Params;
use landscope::nn::slice::directions::{DirectionKind, Normalisation};
use landscope::nn::spec::ModelKind;
use landscope::nn::training::{evaluate, gradient};
use landscope::probes::job::{Advance, Job, PastPoint, Subject};
use landscope::probes::landscape::{self, Options};
use landscope::probes::plane::{Choice, Memory, Plane, prepare};
use landscope::record::Surface;

use super::exactness::{measured, pictures, small, surfaces, trained};

const KINDS: [DirectionKind; 5] = [
    DirectionKind::Random,
    DirectionKind::Hessian,
    DirectionKind::Gradient,
    DirectionKind::Trajectory,
    DirectionKind::Checkpoints,
];
const EXAMPLES: usize = 40;

/// Some steps of training, with the path of all of them.
fn subject(kind: ModelKind, dtype: DType) -> Subject {
    trained(&small(kind), &pictures(EXAMPLES, 4), dtype, 12)
}

fn plane(subject: &Subject, kind: DirectionKind, memory: &Memory) -> Plane {
    let mut preparation = prepare(subject, kind, Normalisation::Filter, Choice::Middle, EXAMPLES, memory).unwrap();
    loop {
        if let Some(plane) = preparation.advance().unwrap() {
            return plane;
        }
    }
}

fn options(directions: DirectionKind) -> Options {
    Options {
        directions,
        normalisation: Normalisation::Filter,
        choice: Choice::Middle,
        radius: 1.0,
        examples: EXAMPLES,
        finest: 9,
    }
}

fn slice(subject: &Subject, kind: DirectionKind) -> Surface {
    let readings = measured(landscape::along(subject, &options(kind), &Memory::default()).unwrap());
    surfaces(&readings)[0].clone()
}

fn flat(subject: &Subject) -> Vec<f64> {
    subject.model.layout().flatten(&subject.params).unwrap()
}

fn wide(v: &[f32]) -> Vec<f64> {
    v.iter().map(|&x| f64::from(x)).collect()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// The loss at `w + a d + b e`, the plain way.
fn loss_at(subject: &Subject, plane: &Plane, [a, b]: [f64; 2]) -> f64 {
    let (d, e) = (wide(&plane.directions.d), wide(&plane.directions.e));
    let moved: Vec<f64> = flat(subject).iter().zip(d.iter().zip(&e)).map(|(w, (d, e))| w + a * d + b * e).collect();
    loss_of(subject, &moved)
}

fn loss_of(subject: &Subject, params: &[f64]) -> f64 {
    let params = subject.model.layout().unflatten(params, DType::F64, &Device::Cpu).unwrap();
    evaluate(&*subject.model, &params, &subject.batch(EXAMPLES).unwrap(), &subject.loss).unwrap().loss
}

/// Both axes of one length, at a right angle; that length.
#[track_caller]
fn isometric(plane: &Plane) -> f64 {
    let (d, e) = (wide(&plane.directions.d), wide(&plane.directions.e));
    let unit = dot(&d, &d).sqrt();
    assert!((dot(&e, &e).sqrt() / unit - 1.0).abs() < 1e-6 && dot(&d, &e).abs() < 1e-6 * unit * unit);
    unit
}

#[test]
fn eigenvectors_curve_by_their_eigenvalues() {
    for kind in [ModelKind::Mlp, ModelKind::VisionTransformer] {
        let subject = subject(kind, DType::F64);
        let plane = plane(&subject, DirectionKind::Hessian, &Memory::default());
        let unit = isometric(&plane);
        let batch = subject.batch(EXAMPLES).unwrap();
        let mut hessian = Hessian::new(subject.model.clone(), &subject.params, &batch, &subject.loss).unwrap();
        let known = Dense::of(&mut hessian).unwrap().symmetric_eigenvalues().unwrap();
        let h = 1e-3;
        let here = loss_at(&subject, &plane, [0.0, 0.0]);
        for (axis, rank) in [([h, 0.0], 1), ([0.0, h], 2)] {
            let (up, down) = (loss_at(&subject, &plane, axis), loss_at(&subject, &plane, axis.map(|x| -x)));
            let curvature = (up - 2.0 * here + down) / (h * unit).powi(2);
            let known = known[known.len() - rank];
            assert!((curvature / known - 1.0).abs() < 1e-3, "{kind:?} {rank}: {curvature} {known}");
            let written: f64 = plane.axes[rank - 1].split("= ").nth(1).unwrap().trim_end_matches(')').parse().unwrap();
            assert!((written / known - 1.0).abs() < 6e-3, "three digits: {written} {known}");
        }
        let mixed = |a: f64, b: f64| loss_at(&subject, &plane, [a, b]);
        let mixed = (mixed(h, h) - mixed(h, -h) - mixed(-h, h) + mixed(-h, -h)) / (4.0 * (h * unit).powi(2));
        assert!(mixed.abs() < 1e-2 * known[known.len() - 1], "{mixed}");
        assert!(!plane.description.contains("converged"), "{}", plane.description);
    }
}

#[test]
fn a_warm_search_finds_the_same_plane_facing_the_same_way() {
    let subject = subject(ModelKind::Mlp, DType::F64);
    let memory = Memory::default();
    let first = plane(&subject, DirectionKind::Hessian, &memory);
    for step in [50, 51, 52] {
        // Another step draws other random numbers.
        let again = plane(&Subject { step, ..subject.clone() }, DirectionKind::Hessian, &memory);
        for (a, b) in [(&first.directions.d, &again.directions.d), (&first.directions.e, &again.directions.e)] {
            let (a, b) = (wide(a), wide(b));
            assert!(dot(&a, &b) / dot(&a, &a) > 0.999, "{}", dot(&a, &b) / dot(&a, &a));
        }
    }
}

#[test]
fn the_gradient_is_the_slope_along_its_axis() {
    for kind in [ModelKind::Mlp, ModelKind::ResidualMlp] {
        let subject = subject(kind, DType::F64);
        let plane = plane(&subject, DirectionKind::Gradient, &Memory::default());
        let unit = isometric(&plane);
        let now = flat(&subject);
        let params = Params::from_flat(subject.model.layout().clone(), &now, DType::F64, &Device::Cpu).unwrap();
        let batch = subject.batch(EXAMPLES).unwrap();
        let found = gradient(&*subject.model, &params, &batch, &subject.loss).unwrap();
        let known = subject.model.layout().flatten(&found.tensors).unwrap();
        let size = dot(&known, &known).sqrt();
        let h = 1e-4;
        let slope = |axis: [f64; 2]| {
            (loss_at(&subject, &plane, axis) - loss_at(&subject, &plane, axis.map(|x| -x))) / (2.0 * h * unit)
        };
        assert!((slope([h, 0.0]) / size - 1.0).abs() < 1e-5, "{} {size}", slope([h, 0.0]));
        assert!(slope([0.0, h]).abs() < 1e-5 * size, "the second axis is level");
        // The update lies in the plane, and is a tenth of a unit.
        let last = &subject.path[subject.path.len() - 2];
        assert_eq!(last.step + 1, subject.step);
        let update: Vec<f64> = last.params.iter().zip(&now).map(|(w, now)| now - f64::from(*w)).collect();
        let length = dot(&update, &update).sqrt();
        assert!((unit / length - 10.0).abs() < 1e-4);
        let [a, b] = [&plane.directions.d, &plane.directions.e].map(|axis| dot(&wide(axis), &update) / (unit * unit));
        assert!(((a * a + b * b).sqrt() - 0.1).abs() < 1e-6 && b > 0.0, "{a} {b}");
        assert!(plane.axes[1] == "last update" && plane.axes[0].starts_with("gradient, uphill"), "{:?}", plane.axes);
    }
}

#[test]
fn the_path_lies_on_its_components_where_it_should() {
    let subject = subject(ModelKind::Mlp, DType::F32);
    let plane = plane(&subject, DirectionKind::Trajectory, &Memory::default());
    let unit = isometric(&plane);
    let surface = slice(&subject, DirectionKind::Trajectory);
    let now = flat(&subject);
    let rows: Vec<Vec<f64>> = subject
        .path
        .iter()
        .map(|point| wide(&point.params).iter().zip(&now).map(|(w, now)| w - now).collect())
        .collect();
    // The slow twin: the covariance of P x P numbers.
    let (n, p) = (rows.len(), now.len());
    let mean: Vec<f64> = (0..p).map(|k| rows.iter().map(|row| row[k]).sum::<f64>() / n as f64).collect();
    let entry = |k: usize, l: usize| rows.iter().map(|row| (row[k] - mean[k]) * (row[l] - mean[l])).sum::<f64>();
    let scatter = (0..p * p).map(|at| entry(at / p, at % p)).collect();
    let known = Dense::new(p, scatter).unwrap().symmetric_eigenvalues().unwrap();
    let total: f64 = known.iter().sum();
    for (axis, d) in [&plane.directions.d, &plane.directions.e].into_iter().enumerate() {
        let d: Vec<f64> = wide(d).iter().map(|x| x / unit).collect();
        let spread: f64 = rows.iter().map(|row| (dot(row, &d) - dot(&mean, &d)).powi(2)).sum();
        let known = known[p - 1 - axis];
        assert!((spread / known - 1.0).abs() < 1e-5, "{axis}: {spread} {known}");
        assert!(plane.axes[axis].contains(&format!("({:.0} %)", 100.0 * known / total)), "{:?}", plane.axes);
        for (row, point) in rows.iter().zip(&surface.path) {
            let coordinate = f64::from([point.a, point.b][axis]);
            assert!((coordinate - dot(row, &d) / unit).abs() < 1e-5, "{coordinate}");
            assert!(coordinate.abs() <= 1.0, "the whole path is seen");
        }
    }
    assert!(surface.path[0].a < 0.0, "it comes from the left");
    assert!(surface.directions.contains("a random walk as long"), "{}", surface.directions);
    assert_eq!(surface.axes, plane.axes);
}

#[test]
fn checkpoints_land_on_the_plane_with_their_own_loss() {
    let subject = subject(ModelKind::ResidualMlp, DType::F64);
    let plane = plane(&subject, DirectionKind::Checkpoints, &Memory::default());
    let unit = isometric(&plane);
    let surface = slice(&subject, DirectionKind::Checkpoints);
    let now = flat(&subject);
    let mut places = Vec::new();
    for step in [0, 6] {
        let point = subject.path.iter().find(|point| point.step == step).unwrap();
        let place = surface.path.iter().find(|point| point.step == step).unwrap();
        let [a, b] = [place.a, place.b].map(f64::from);
        let params = wide(&point.params);
        let away: Vec<f64> = params.iter().zip(&now).map(|(w, now)| w - now).collect();
        let distance = dot(&away, &away).sqrt();
        assert!((a.hypot(b) * unit / distance - 1.0).abs() < 1e-5, "distances are true");
        let (there, own) = (loss_at(&subject, &plane, [a, b]), loss_of(&subject, &params));
        assert!((there / own - 1.0).abs() < 1e-6, "{there} {own}");
        places.push([a, b]);
    }
    let [start, middle] = places[..] else { panic!() };
    assert!(start[0] < 0.0 && start[1].abs() < 1e-6 && middle[1] > 0.0, "{places:?}");
    assert!(surface.directions.contains("steps 0, 6 and here"), "{}", surface.directions);
    // How far the path strays, the slow way.
    let off = |point: &PastPoint| {
        let away: Vec<f64> = wide(&point.params).iter().zip(&now).map(|(w, now)| w - now).collect();
        let [a, b] = [&plane.directions.d, &plane.directions.e].map(|axis| dot(&wide(axis), &away) / unit);
        (dot(&away, &away) - a * a - b * b).max(0.0).sqrt()
    };
    let most = subject.path.iter().map(off).fold(0.0, f64::max);
    let written: f64 = surface.directions.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((written / most - 1.0).abs() < 6e-3, "{written} {most}");
}

/// Every kind but the random one moves biases, so this holds the short way through the first layer to the plain one.
#[test]
fn slices_along_all_directions_are_the_loss_of_moved_parameters() {
    for model in [ModelKind::Mlp, ModelKind::VisionTransformer] {
        let subject = subject(model, DType::F64);
        for kind in KINDS {
            let (plane, surface) = (plane(&subject, kind, &Memory::default()), slice(&subject, kind));
            for (i, j) in [(0, 0), (8, 0), (3, 7), (4, 4)] {
                let (a, b) = (f64::from(surface.coordinate(i)), f64::from(surface.coordinate(j)));
                let (found, known) = (f64::from(surface.loss[j * 9 + i]), loss_at(&subject, &plane, [a, b]));
                assert!((found / known - 1.0).abs() < 1e-6, "{model:?} {kind:?}: {found} {known}");
            }
            assert!(surface.axes.iter().all(|axis| !axis.is_empty()) && surface.axes == plane.axes);
        }
    }
}

#[test]
fn pauses_and_measuring_change_no_bit() {
    let subject = subject(ModelKind::Mlp, DType::F32);
    let before = flat(&subject);
    for kind in KINDS {
        let whole = slice(&subject, kind);
        let mut job = landscape::along(&subject, &options(kind), &Memory::default()).unwrap();
        let paused = loop {
            match job.advance(Instant::now(), &|| true).unwrap() {
                Advance::Done(readings) => break surfaces(&readings)[0].clone(),
                Advance::Working(_) => {}
            }
        };
        // Of the path, the loss here isn't known: NaN.
        let places = |surface: &Surface| surface.path.iter().map(|p| (p.step, p.a, p.b)).collect::<Vec<_>>();
        assert_eq!((places(&whole), &whole.axes), (places(&paused), &paused.axes), "{kind:?}");
        assert_eq!((whole.loss, whole.directions), (paused.loss, paused.directions), "{kind:?}");
    }
    assert_eq!(before, flat(&subject));
}

#[test]
fn where_a_plane_does_not_exist_another_is_shown_and_said() {
    let mut subject = subject(ModelKind::Mlp, DType::F32);
    let whole = subject.path.clone();
    // Nothing has moved.
    subject.path = Arc::new(vec![whole.last().unwrap().clone()]);
    for kind in [DirectionKind::Trajectory, DirectionKind::Checkpoints, DirectionKind::Gradient] {
        let surface = slice(&subject, kind);
        assert!(surface.directions.contains("nothing has moved yet"), "{kind:?}: {}", surface.directions);
        assert!(surface.loss.iter().all(|loss| loss.is_finite()));
    }
    // One step: a line.
    subject.path = Arc::new(vec![whole[0].clone(), whole.last().unwrap().clone()]);
    for kind in [DirectionKind::Trajectory, DirectionKind::Checkpoints] {
        let surface = slice(&subject, kind);
        assert!(surface.axes[1] == "random direction" && surface.path[0].b.abs() < 1e-5, "{kind:?}: {surface:?}");
    }
    // A broken network has readings, too.
    let broken: Vec<Tensor> = subject.params.iter().map(|p| (p * f64::NAN).unwrap()).collect();
    subject.params = Arc::new(broken);
    for kind in KINDS {
        assert!(slice(&subject, kind).loss.iter().all(|loss| loss.is_nan()), "{kind:?}");
    }
}

#[test]
fn finding_a_plane_stops_when_told() {
    let subject = subject(ModelKind::Mlp, DType::F32);
    for kind in [DirectionKind::Hessian, DirectionKind::Trajectory] {
        let mut job: Box<dyn Job> = landscape::along(&subject, &options(kind), &Memory::default()).unwrap();
        let far = Instant::now() + Duration::from_secs(1_000);
        assert_eq!(job.advance(far, &|| true).unwrap(), Advance::Working(Vec::new()));
        assert!(job.picture().is_none(), "{kind:?}: one piece finds no plane");
    }
}

#[test]
fn the_plane_of_checkpoints_passes_through_the_chosen_three() {
    let mut subject = subject(ModelKind::Mlp, DType::F64);
    // The least loss somewhere else than half way.
    let mut path = Vec::clone(&subject.path);
    for point in &mut path {
        point.loss = if point.step == 9 { 0.1 } else { 1.0 };
    }
    subject.path = Arc::new(path);
    let now = flat(&subject);
    let start = subject.path[0].clone();
    // Distance from the line through start and here, the plain way.
    let off_line = |point: &PastPoint| {
        let line: Vec<f64> = wide(&start.params).iter().zip(&now).map(|(s, w)| s - w).collect();
        let here: Vec<f64> = wide(&point.params).iter().zip(&now).map(|(p, w)| p - w).collect();
        let share = dot(&here, &line) / dot(&line, &line);
        here.iter().zip(&line).map(|(h, l)| (h - share * l).powi(2)).sum::<f64>()
    };
    let before = subject.path.iter().filter(|point| point.step < subject.step && point.step > start.step);
    let farthest = before.max_by(|a, b| off_line(a).total_cmp(&off_line(b))).unwrap().step;
    for (choice, step) in [(Choice::Middle, subject.step / 2), (Choice::Best, 9), (Choice::Farthest, farthest)] {
        let mut preparation =
            prepare(&subject, DirectionKind::Checkpoints, Normalisation::Filter, choice, EXAMPLES, &Memory::default())
                .unwrap();
        let plane = preparation.advance().unwrap().unwrap();
        let unit = isometric(&plane);
        let (d, e) = (wide(&plane.directions.d), wide(&plane.directions.e));
        for point in [&start, subject.path.iter().find(|point| point.step == step).unwrap()] {
            let here: Vec<f64> = wide(&point.params).iter().zip(&now).map(|(p, w)| p - w).collect();
            let inside = (dot(&here, &d).powi(2) + dot(&here, &e).powi(2)) / unit.powi(2);
            assert!((inside / dot(&here, &here) - 1.0).abs() < 1e-5, "{choice:?} {}", point.step);
        }
        assert!(plane.description.contains(&format!(" {step}")), "{choice:?}: {}", plane.description);
    }
}
