//! What is known of the straight line between two networks before it is walked.

/// Errors within so much of the chord count as connected: "stable" in Frankle et al. 2020.
pub const CONNECTED: f64 = 0.02;

/// Length of `(1 - t) W + t V` over that of W for matrices of equal length and correlation c, `<W, V> = c |W| |V|`:
/// `sqrt((1-t)^2 + t^2 + 2 t (1-t) c)`. Least in the middle: `sqrt((1 + c) / 2)`.
pub fn weight_scale(t: f64, correlation: f64) -> f64 {
    ((1.0 - t).powi(2) + t * t + 2.0 * t * (1.0 - t) * correlation).max(0.0).sqrt()
}

/// How far the outputs of the network at t reach, over those of its ends, with `depth` hidden layers: each matrix shrinks by
/// [`weight_scale`], and a network without biases whose activation is positively homogeneous passes that on, so the outputs
/// shrink by the power `depth + 1` ("variance collapse", Jordan et al. 2023, arXiv 2211.08403).
///
/// Exact in distribution for two independent Gaussian starts (c = 0): the network at t is again a Gaussian start, with shorter
/// weights. Of trained networks an approximation, as their matrices aren't random; it says why hills grow with depth.
pub fn output_scale(t: f64, correlation: f64, depth: usize) -> f64 {
    weight_scale(t, correlation).powi(depth as i32 + 1)
}

/// A loss along the line as one end sees it: `loss + slope x + curvature x^2 / 2` at the distance x from it, where the whole
/// line has length 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Well {
    pub loss: f64,
    /// `<gradient, way to the other end>`
    pub slope: f64,
    /// `<way, Hessian way>`
    pub curvature: f64,
}

impl Well {
    pub fn at(&self, x: f64) -> f64 {
        self.loss + self.slope * x + self.curvature * x * x / 2.0
    }
}

/// The lower of what both ends see at the place t: the quadratic prediction of the path.
pub fn two_wells([a, b]: [Well; 2], t: f64) -> f64 {
    a.at(t).min(b.at(1.0 - t))
}

/// Its barrier above the chord (Entezari et al. 2022): with equal ends at rest, `curvature / 8`. Of one quadratic function
/// that both ends see alike, which is above its chord only where it bends down: `max(0, -curvature / 8)`.
///
/// A parabola less a line is highest at the ends of a stretch if it bends up, else at its top: the highest place is one of few.
pub fn two_wells_barrier([a, b]: [Well; 2]) -> f64 {
    let chord = |t: f64| a.loss + t * (b.loss - a.loss);
    // a(t) - b(1 - t) = c + l t + q t^2
    let q = (a.curvature - b.curvature) / 2.0;
    let l = a.slope + b.slope + b.curvature;
    let c = a.loss - b.loss - b.slope - b.curvature / 2.0;
    let mut places = vec![0.5];
    if q.abs() > 1e-12 * (l.abs() + c.abs()) {
        let root = (l * l - 4.0 * q * c).max(0.0).sqrt();
        places.extend([(-l + root) / (2.0 * q), (-l - root) / (2.0 * q)]);
    } else if l != 0.0 {
        places.push(-c / l);
    }
    let rise = b.loss - a.loss;
    if a.curvature < 0.0 {
        places.push((rise - a.slope) / a.curvature);
    }
    if b.curvature < 0.0 {
        places.push(1.0 - (-rise - b.slope) / b.curvature);
    }
    let inside = places.into_iter().filter(|t| (0.0..=1.0).contains(t));
    inside.map(|t| two_wells([a, b], t) - chord(t)).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_shrink_to_the_root_of_a_half_and_equal_ones_not_at_all() {
        for t in [0.0, 0.3, 0.5, 1.0] {
            assert!((weight_scale(t, 1.0) - 1.0).abs() < 1e-15);
            assert!((weight_scale(t, -1.0) - (1.0 - 2.0 * t).abs()).abs() < 1e-15);
        }
        assert!((weight_scale(0.5, 0.0) - 0.5_f64.sqrt()).abs() < 1e-15);
        assert!((output_scale(0.5, 0.0, 3) - 0.25).abs() < 1e-15);
        assert_eq!((output_scale(0.0, 0.2, 7), output_scale(1.0, 0.2, 7)), (1.0, 1.0));
    }

    /// Against the highest of ten thousand places.
    fn walked(wells: [Well; 2]) -> f64 {
        let [a, b] = wells;
        let above = |i| {
            let t = f64::from(i) / 10_000.0;
            two_wells(wells, t) - (a.loss + t * (b.loss - a.loss))
        };
        (0..=10_000).map(above).fold(0.0, f64::max)
    }

    #[test]
    fn the_barrier_is_that_of_a_walk() {
        let mut draws =
            crate::base::rng::uniforms(&mut crate::base::rng::Streams::new(4).stream("wells"), 600, -1.0, 1.0);
        while draws.len() >= 6 {
            let mut well = || Well {
                loss: draws.pop().unwrap(),
                slope: draws.pop().unwrap(),
                curvature: 8.0 * draws.pop().unwrap(),
            };
            let wells = [well(), well()];
            let (found, known) = (two_wells_barrier(wells), walked(wells));
            assert!(found >= known - 1e-9 && found - known < 1e-2, "{wells:?}: {found} {known}");
        }
    }

    #[test]
    fn equal_wells_meet_in_the_middle_and_one_parabola_has_no_barrier() {
        let well = Well { loss: 0.1, slope: 0.0, curvature: 4.0 };
        assert!((two_wells_barrier([well, well]) - 0.5).abs() < 1e-15);
        // f = 1 + x + 3 x^2 / 2 from both ends.
        let a = Well { loss: 1.0, slope: 1.0, curvature: 3.0 };
        let b = Well { loss: 3.5, slope: -4.0, curvature: 3.0 };
        assert!((a.at(0.3) - b.at(0.7)).abs() < 1e-15);
        assert_eq!(two_wells_barrier([a, b]), 0.0);
        // f = 1 + x - 3 x^2 / 2, bent down: 3/8 above its chord.
        let a = Well { loss: 1.0, slope: 1.0, curvature: -3.0 };
        let b = Well { loss: 0.5, slope: 2.0, curvature: -3.0 };
        assert!((two_wells_barrier([a, b]) - 0.375).abs() < 1e-15);
    }
}
