//! Where training came from, seen on a plane.

use rayon::prelude::*;

use crate::nn::slice::directions::Directions;
use crate::record::PathPoint;

use super::job::PastPoint;

/// Points of a path that are drawn, at most.
const MOST_POINTS: usize = 256;

/// A path projected onto the plane `w + a d + b e`.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// Oldest first, thinned evenly to 256 points with the first and the last among them.
    pub path: Vec<PathPoint>,
    /// `sum |projection of (w_i - w)|^2 / sum |w_i - w|^2` over those points, in [0, 1]; 0 if they never moved.
    pub share: f32,
    /// Largest distance of a point from the plane.
    pub off_plane: f64,
}

/// Projects past parameters by least squares: the (a, b) that minimise `|w_i - w - a d - b e|`, whatever the angle
/// between d and e. All vectors in the flattening order; sums in f64.
pub fn project(path: &[PastPoint], centre: &[f64], directions: &Directions) -> Projection {
    let Directions { d, e } = directions;
    let [dd, de, ee] = [dot(d, d), dot(d, e), dot(e, e)];
    let thinned: Vec<&PastPoint> = thin(path.len(), MOST_POINTS).map(|at| &path[at]).collect();
    let found: Vec<(PathPoint, [f64; 2])> = thinned
        .par_iter()
        .map(|point| {
            let [along_d, along_e, distance] = moments(&point.params, centre, d, e);
            let [a, b] = solve([dd, de, ee], [along_d, along_e]);
            let inside = a * a * dd + 2.0 * a * b * de + b * b * ee;
            (PathPoint { step: point.step, a: a as f32, b: b as f32, loss: point.loss }, [inside, distance])
        })
        .collect();
    let inside: f64 = found.iter().map(|(_, [inside, _])| inside).sum();
    let distance: f64 = found.iter().map(|(_, [_, distance])| distance).sum();
    let share = if distance > 0.0 { (inside / distance).clamp(0.0, 1.0) as f32 } else { 0.0 };
    let off_plane = found.iter().map(|(_, [inside, distance])| (distance - inside).max(0.0).sqrt()).fold(0.0, f64::max);
    Projection { path: found.into_iter().map(|(point, _)| point).collect(), share, off_plane }
}

/// At most `most` of `0..n`, evenly spaced, with the first and the last.
fn thin(n: usize, most: usize) -> impl Iterator<Item = usize> {
    let kept = n.min(most);
    (0..kept).map(move |i| if kept < 2 { n - 1 } else { i * (n - 1) / (kept - 1) })
}

/// The least-squares solution of `[[dd, de], [de, ee]] x = [along_d, along_e]`; of parallel or vanishing directions,
/// a solution without the superfluous one.
fn solve([dd, de, ee]: [f64; 3], [along_d, along_e]: [f64; 2]) -> [f64; 2] {
    let determinant = dd * ee - de * de;
    if determinant > 1e-12 * dd * ee {
        return [(along_d * ee - along_e * de) / determinant, (along_e * dd - along_d * de) / determinant];
    }
    if dd > 0.0 {
        [along_d / dd, 0.0]
    } else if ee > 0.0 {
        [0.0, along_e / ee]
    } else {
        [0.0, 0.0]
    }
}

/// Independent sums, so that additions needn't wait for each other.
const LANES: usize = 8;

fn dot(x: &[f32], y: &[f32]) -> f64 {
    let mut sums = [0.0; LANES];
    for (x, y) in x.chunks(LANES).zip(y.chunks(LANES)) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += f64::from(*x) * f64::from(*y);
        }
    }
    sums.iter().sum()
}

/// `[<v, d>, <v, e>, <v, v>]` with `v = then - now`.
fn moments(then: &[f32], now: &[f64], d: &[f32], e: &[f32]) -> [f64; 3] {
    let mut sums = [[0.0; LANES]; 3];
    let rows = then.chunks(LANES).zip(now.chunks(LANES)).zip(d.chunks(LANES)).zip(e.chunks(LANES));
    for (((then, now), d), e) in rows {
        for (lane, (((then, now), d), e)) in then.iter().zip(now).zip(d).zip(e).enumerate() {
            let v = f64::from(*then) - now;
            sums[0][lane] += v * f64::from(*d);
            sums[1][lane] += v * f64::from(*e);
            sums[2][lane] += v * v;
        }
    }
    sums.map(|lanes| lanes.iter().sum())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn directions() -> Directions {
        // Far from orthogonal: their cosine is about 0.7.
        let d: Vec<f32> = (0..50).map(|i| (i as f32 * 0.9).sin()).collect();
        let e = d.iter().enumerate().map(|(i, d)| d + (i as f32 * 1.7).cos()).collect();
        Directions { d, e }
    }

    fn centre() -> Vec<f64> {
        (0..50).map(|i| f64::from((i as f32).cos())).collect()
    }

    /// `w + a d + b e + c z` with z orthogonal to the plane and as long as `length`.
    fn point(step: u64, [a, b]: [f64; 2], length: f64) -> PastPoint {
        let Directions { d, e } = directions();
        let z: Vec<f64> = (0..50).map(|i| (i as f64 * i as f64).sin()).collect();
        let z32: Vec<f32> = z.iter().map(|&z| z as f32).collect();
        let [x, y] = solve([dot(&d, &d), dot(&d, &e), dot(&e, &e)], [dot(&z32, &d), dot(&z32, &e)]);
        let z: Vec<f64> = (0..50).map(|i| z[i] - x * f64::from(d[i]) - y * f64::from(e[i])).collect();
        let norm = z.iter().map(|z| z * z).sum::<f64>().sqrt();
        let params = (0..50)
            .map(|i| (centre()[i] + a * f64::from(d[i]) + b * f64::from(e[i]) + length / norm * z[i]) as f32)
            .collect();
        PastPoint { step, loss: 1.5, params: Arc::new(params) }
    }

    #[test]
    fn known_coordinates_are_recovered_whatever_else_moved() {
        let sites = [[0.5, -0.25], [-1.0, 2.0], [0.1, 0.0], [0.0, 0.0]];
        for away in [0.0, 3.0] {
            let path: Vec<_> = sites.iter().enumerate().map(|(i, &site)| point(i as u64, site, away)).collect();
            let found = project(&path, &centre(), &directions());
            for (i, (point, site)) in found.path.iter().zip(sites).enumerate() {
                assert!((f64::from(point.a) - site[0]).abs() < 1e-6, "{point:?}");
                assert!((f64::from(point.b) - site[1]).abs() < 1e-6, "{point:?}");
                assert_eq!((point.step, point.loss), (i as u64, 1.5));
            }
        }
    }

    #[test]
    fn the_share_is_that_of_the_squared_distance() {
        let inside = project(&[point(0, [0.5, 0.5], 0.0), point(1, [0.0, 0.0], 0.0)], &centre(), &directions());
        assert!((inside.share - 1.0).abs() < 1e-6);
        let outside = project(&[point(0, [0.0, 0.0], 2.0)], &centre(), &directions());
        assert!(outside.share < 1e-6);
        assert!(
            (outside.off_plane - 2.0).abs() < 1e-5 && inside.off_plane < 1e-3,
            "{} {}",
            outside.off_plane,
            inside.off_plane
        );
        let Directions { d, .. } = directions();
        let half = project(&[point(0, [1.0, 0.0], dot(&d, &d).sqrt())], &centre(), &directions());
        assert!((half.share - 0.5).abs() < 1e-5, "{}", half.share);
        assert_eq!(project(&[point(0, [0.0, 0.0], 0.0)], &centre(), &directions()).share, 0.0);
        assert_eq!(project(&[], &centre(), &directions()), Projection { path: vec![], share: 0.0, off_plane: 0.0 });
    }

    #[test]
    fn long_paths_are_thinned_and_keep_their_ends() {
        let kept: Vec<_> = thin(1000, 256).collect();
        assert_eq!((kept.len(), kept[0], kept[255]), (256, 0, 999));
        assert!(kept.windows(2).all(|w| w[0] < w[1]));
        assert_eq!(thin(3, 256).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(thin(1, 256).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn parallel_directions_still_have_a_solution() {
        let Directions { d, .. } = directions();
        let parallel = Directions { e: d.iter().map(|x| 2.0 * x).collect(), d };
        let found = project(&[point(0, [0.5, 0.0], 0.0)], &centre(), &parallel);
        assert!((found.path[0].a - 0.5).abs() < 1e-5 && found.path[0].b == 0.0);
    }
}
