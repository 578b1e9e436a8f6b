//! The loss on the plane through three networks, with the ways that led to them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::digits::number;
use crate::linalg::vectors::dot;
use crate::nn::slice::Slice;
use crate::nn::slice::directions::{Directions, orthonormal};
use crate::probes::job::PastPoint;
use crate::probes::projection::project;
use crate::record::{Circumstances, PathPoint, Surface};
use crate::run::trainer::TrainError;

use super::between::Between;
use super::family::Family;

/// What the side of the picture has beyond what lies in it, on each side.
const MARGIN: f64 = 0.25;

/// Three networks of one shape, and what they are called.
pub struct Corners<'a> {
    pub a: &'a [f64],
    pub b: &'a [f64],
    pub third: &'a [f64],
    /// Such as `the start`.
    pub third_name: &'a str,
}

/// An orthonormal frame of the plane through three points, on a square that holds them and the paths.
struct Frame {
    /// In the flattening order: the middle of the square.
    centre: Vec<f64>,
    directions: Directions,
    /// Half the side of the square, a distance between parameters.
    radius: f64,
}

impl Frame {
    /// The first axis from a to b, the second at a right angle towards the third, both of length 1: distances on the picture are
    /// distances between parameters (Garipov et al. 2018, appendix A.1). `None` if the three lie on a line.
    fn new(corners: &Corners<'_>, paths: &[Vec<PastPoint>]) -> Option<Self> {
        let minus = |x: &[f64]| -> Vec<f64> { x.iter().zip(corners.a).map(|(x, a)| x - a).collect() };
        let (to_b, to_third) = (minus(corners.b), minus(corners.third));
        let [Some(u), Some(v)] = orthonormal(&to_b, &to_third) else { return None };
        let mut seen = vec![[0.0, 0.0]];
        seen.extend([&to_b, &to_third].map(|x| [dot(x, &u), dot(x, &v)]));
        for point in paths.iter().flatten() {
            let moved: Vec<f64> = point.params.iter().zip(corners.a).map(|(x, a)| f64::from(*x) - a).collect();
            seen.push([dot(&moved, &u), dot(&moved, &v)]);
        }
        let ends = |axis: usize| {
            seen.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], p| [low.min(p[axis]), high.max(p[axis])])
        };
        let [[x0, x1], [y0, y1]] = [ends(0), ends(1)];
        let (x, y) = (f64::midpoint(x0, x1), f64::midpoint(y0, y1));
        let centre = corners.a.iter().zip(u.iter().zip(&v)).map(|(a, (u, v))| a + x * u + y * v).collect();
        let radius = (1.0 + MARGIN) * (x1 - x0).max(y1 - y0) / 2.0;
        Some(Self { centre, directions: Directions::isometric([&u, &v], 1.0), radius })
    }
}

/// Training loss on `side` times `side` places (one of 9, 17, 33, 65) of the plane through the corners, true to scale, with both
/// paths one after the other and a point that isn't finite between them. `None` if the corners lie on a line.
///
/// # Errors
/// [`TrainError::Tensor`].
pub fn triangle(
    between: &Between,
    corners: &Corners<'_>,
    paths: &[Vec<PastPoint>; 2],
    side: usize,
) -> Result<Option<Surface>, TrainError> {
    let started = Instant::now();
    let Some(Frame { centre, directions, radius }) = Frame::new(corners, paths) else { return Ok(None) };
    let judge = between.judge();
    let tensors = judge.tensors(&centre)?;
    let mut slice = Slice::new(&judge.model, &tensors, &directions, &judge.batch, &judge.loss, radius, side)?;
    loop {
        while !slice.advance(Instant::now() + Duration::from_secs(1), &|| false)? {}
        if !slice.refine() {
            break;
        }
    }
    let [first, second] = [0, 1].map(|n| project(&paths[n], &centre, &directions));
    let gap = PathPoint { step: 0, a: f32::NAN, b: f32::NAN, loss: f32::NAN };
    let path: Vec<PathPoint> = first.path.iter().chain([&gap]).chain(&second.path).copied().collect();
    let values = slice.grid().values();
    let of = |f: &dyn Fn(crate::nn::slice::PointValue) -> f32| {
        values.iter().map(|value| value.map_or(f32::NAN, f)).collect::<Vec<f32>>()
    };
    let graded = slice.graded();
    Ok(Some(Surface {
        n: slice.grid().side(),
        radius: radius as f32,
        loss: of(&|v| v.loss as f32),
        accuracy: if graded == 0 { Vec::new() } else { of(&|v| v.correct as f32 / graded as f32) },
        valid: values.iter().map(Option::is_some).collect(),
        path,
        path_share: first.share.min(second.share),
        directions: format!(
            "plane through both networks and {}, true to scale; the paths leave it by at most {}",
            corners.third_name,
            number(first.off_plane.max(second.off_plane))
        ),
        axes: ["distance along the line from a to b".into(), format!("distance towards {}", corners.third_name)],
        circumstances: Arc::new(Circumstances {
            examples: judge.batch.len,
            dtype: judge.dtype.as_str().into(),
            method: slice.method().into(),
            seconds: started.elapsed().as_secs_f64(),
        }),
    }))
}

impl Family {
    /// [`triangle`] of the watched group as it is now: through both networks and, where they have one start, that; else through both
    /// and the second with its units matched by weights. `None` before the group exists, if it has diverged, and while the three lie
    /// on a line.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn plane(&self, side: usize) -> Result<Option<Surface>, TrainError> {
        let Some(paths) = self.watched_paths()? else { return Ok(None) };
        let wide = |point: Option<&PastPoint>| -> Vec<f64> {
            point.map_or_else(Vec::new, |point| point.params.iter().map(|x| f64::from(*x)).collect())
        };
        let [a, b] = [wide(paths[0].last()), wide(paths[1].last())];
        let start = wide(paths[0].first());
        let one_start = start == wide(paths[1].first());
        let (third, third_name) = if one_start {
            (start, "the start")
        } else {
            let matched = self.between().aligned(&a, &b, crate::record::connectivity::Matching::Weights)?;
            (matched, "b with its units matched to a's")
        };
        triangle(self.between(), &Corners { a: &a, b: &b, third: &third, third_name }, &paths, side)
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::spec::{Activation, ModelKind};
    use crate::optim::spec::OptimizerKind;
    use crate::run::connectivity::family::{FamilyOptions, Origin};
    use crate::run::spec::RunSpec;
    use crate::run::trainer::Memory;

    use super::*;

    fn family(origin: &Origin) -> Family {
        let mut spec = RunSpec { steps: 40, batch_size: 32, ..RunSpec::default() };
        spec.task.train_size = 160;
        spec.model.kind = ModelKind::Mlp;
        (spec.model.depth, spec.model.width) = (1, 12);
        spec.model.activation = Activation::Relu;
        spec.optimizer.kind = OptimizerKind::Sgd;
        (spec.optimizer.lr, spec.optimizer.weight_decay) = (0.2, 0.0);
        let mut family = Family::new(spec, origin, FamilyOptions { networks: 2, points: 21, examples: 100 }).unwrap();
        family.watch(0);
        for _ in 0..40 {
            family.spawn_due().unwrap();
            family.step().unwrap();
        }
        family
    }

    fn distance(x: [f32; 2], y: [f32; 2]) -> f64 {
        f64::from(x[0] - y[0]).hypot(f64::from(x[1] - y[1]))
    }

    #[test]
    fn the_plane_is_true_to_scale_and_its_corners_have_their_own_loss() {
        let family = family(&Origin::Spawned { steps: vec![4], memory: Memory::Reset });
        let surface = family.plane(9).unwrap().unwrap();
        let [a, b] = family.pair(0).unwrap();
        let paths = family.watched_paths().unwrap().unwrap();
        let start: Vec<f64> = paths[0][0].params.iter().map(|x| f64::from(*x)).collect();
        let at = |step: u64, last: bool| {
            let mut on = surface.path.iter().filter(|point| point.step == step);
            let point = if last { on.next_back() } else { on.next() }.unwrap();
            [point.a, point.b]
        };
        let [at_a, at_start, at_b] = [at(40, false), at(0, false), at(40, true)];
        let apart = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt();
        for (found, known) in [
            (distance(at_a, at_b), apart(&a, &b)),
            (distance(at_a, at_start), apart(&a, &start)),
            (distance(at_b, at_start), apart(&b, &start)),
        ] {
            assert!((found / known - 1.0).abs() < 1e-5, "{found} {known}");
        }
        let mut gaps = 0;
        for point in &surface.path {
            gaps += usize::from(point.a.is_nan());
            assert!(point.a.is_nan() || point.a.abs() < surface.radius && point.b.abs() < surface.radius);
        }
        assert_eq!(gaps, 1, "two paths");
        // The frame again: its corners, and the middle of the grid, have the loss of the parameters there.
        let corners = Corners { a: &a, b: &b, third: &start, third_name: "the start" };
        let Frame { centre, directions, .. } = Frame::new(&corners, &paths).unwrap();
        let judge = family.between().judge();
        let loss = |flat: &[f64]| judge.point(flat, 0.0).unwrap().loss;
        for (at, known) in [(at_a, &a), (at_b, &b), (at_start, &start)] {
            let here: Vec<f64> = centre
                .iter()
                .zip(directions.d.iter().zip(&directions.e))
                .map(|(c, (d, e))| c + f64::from(at[0]) * f64::from(*d) + f64::from(at[1]) * f64::from(*e))
                .collect();
            assert!((loss(&here) - loss(known)).abs() < 1e-5, "{} {}", loss(&here), loss(known));
        }
        assert!((f64::from(surface.centre_loss().unwrap()) - loss(&centre)).abs() < 1e-6 * loss(&centre).max(1.0));
        assert!(surface.valid.iter().all(|valid| *valid) && surface.path_share > 0.3);
    }

    #[test]
    fn networks_with_own_starts_are_seen_with_the_matched_one() {
        let surface = family(&Origin::OwnStarts).plane(9).unwrap().unwrap();
        assert!(surface.axes[1].contains("matched") && surface.loss.iter().all(|loss| loss.is_finite()));
        let spawned = Origin::Spawned { steps: vec![40], memory: Memory::Reset };
        assert!(family(&spawned).plane(9).unwrap().is_none(), "the group hasn't come yet");
    }
}
