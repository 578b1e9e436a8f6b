//! Curves in the space of the parameters.

use crate::linalg::vectors::axpy;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Bezier,
    Chain,
}

/// `phi(t) = sum_k c_k(t) w_k` for t in [0, 1], from the first point to the last (Garipov et al. 2018, section 3.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    shape: Shape,
    points: Vec<Vec<f64>>,
}

impl Curve {
    /// The straight line `(1 - t) a + t b`.
    pub fn line(a: Vec<f64>, b: Vec<f64>) -> Self {
        Self::new(Shape::Chain, vec![a, b])
    }

    /// The Bezier curve with all these control points: with three, `(1-t)^2 w_0 + 2 t (1-t) w_1 + t^2 w_2`.
    pub fn bezier(points: Vec<Vec<f64>>) -> Self {
        Self::new(Shape::Bezier, points)
    }

    /// Straight pieces through all these points, at equal steps of t.
    pub fn chain(points: Vec<Vec<f64>>) -> Self {
        Self::new(Shape::Chain, points)
    }

    fn new(shape: Shape, points: Vec<Vec<f64>>) -> Self {
        assert!(points.len() >= 2, "a curve has two ends");
        assert!(points.iter().all(|p| p.len() == points[0].len()), "all points have the same number of parameters");
        Self { shape, points }
    }

    /// The straight line from a to b with `bends` points on it that can be trained.
    pub fn straight_bezier(a: &[f64], b: &[f64], bends: usize) -> Self {
        Self::bezier(between(a, b, bends))
    }

    /// The straight line from a to b as a chain with `bends` points on it that can be trained.
    pub fn straight_chain(a: &[f64], b: &[f64], bends: usize) -> Self {
        Self::chain(between(a, b, bends))
    }

    /// `c_k(t)` for every point: Bernstein's polynomials `C(n, k) t^k (1 - t)^(n - k)` with n + 1 points, or hats
    /// `max(0, 1 - |n t - k|)`. They are never negative and sum to 1.
    pub fn coefficients(&self, t: f64) -> Vec<f64> {
        let n = self.points.len() - 1;
        match self.shape {
            Shape::Chain => (0..=n).map(|k| (1.0 - (n as f64 * t - k as f64).abs()).max(0.0)).collect(),
            Shape::Bezier => {
                let mut binomial = 1.0;
                (0..=n)
                    .map(|k| {
                        let c = binomial * t.powi(k as i32) * (1.0 - t).powi((n - k) as i32);
                        binomial *= (n - k) as f64 / (k + 1) as f64;
                        c
                    })
                    .collect()
            }
        }
    }

    /// `phi(t)`
    pub fn at(&self, t: f64) -> Vec<f64> {
        let mut sum = vec![0.0; self.points[0].len()];
        for (c, point) in self.coefficients(t).into_iter().zip(&self.points) {
            if c != 0.0 {
                axpy(c, point, &mut sum);
            }
        }
        sum
    }

    pub fn points(&self) -> &[Vec<f64>] {
        &self.points
    }

    /// All points but the ends: what can be trained.
    pub fn bends_mut(&mut self) -> &mut [Vec<f64>] {
        let last = self.points.len() - 1;
        &mut self.points[1..last]
    }
}

fn between(a: &[f64], b: &[f64], bends: usize) -> Vec<Vec<f64>> {
    let line = Curve::line(a.to_vec(), b.to_vec());
    (0..bends + 2).map(|k| line.at(k as f64 / (bends + 1) as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(n: usize) -> Vec<Vec<f64>> {
        (0..n).map(|k| (0..5).map(|p| ((k * 7 + p * 3) as f64).sin()).collect()).collect()
    }

    #[test]
    fn curves_begin_and_end_at_their_ends() {
        for curve in
            [Curve::bezier(points(3)), Curve::bezier(points(6)), Curve::chain(points(2)), Curve::chain(points(5))]
        {
            assert_eq!(curve.at(0.0), curve.points()[0]);
            assert_eq!(curve.at(1.0), *curve.points().last().unwrap());
            for t in [0.0, 0.1, 0.37, 0.5, 1.0] {
                let c = curve.coefficients(t);
                assert!((c.iter().sum::<f64>() - 1.0).abs() < 1e-14 && c.iter().all(|&c| c >= 0.0), "{c:?}");
            }
        }
    }

    #[test]
    fn the_quadratic_bezier_is_a_quarter_half_quarter_in_the_middle() {
        let w = points(3);
        let curve = Curve::bezier(w.clone());
        assert_eq!(curve.coefficients(0.5), [0.25, 0.5, 0.25]);
        for (p, found) in curve.at(0.3).iter().enumerate() {
            assert!((found - (0.49 * w[0][p] + 0.42 * w[1][p] + 0.09 * w[2][p])).abs() < 1e-15);
        }
    }

    #[test]
    fn chains_pass_through_their_points() {
        let w = points(5);
        let curve = Curve::chain(w.clone());
        for (k, point) in w.iter().enumerate() {
            assert_eq!(curve.at(k as f64 / 4.0), *point);
        }
        for (p, found) in curve.at(0.375).iter().enumerate() {
            assert!((found - f64::midpoint(w[1][p], w[2][p])).abs() < 1e-15);
        }
    }

    #[test]
    fn untrained_bends_leave_the_line_straight() {
        let w = points(2);
        let line = Curve::line(w[0].clone(), w[1].clone());
        for curve in [
            Curve::straight_bezier(&w[0], &w[1], 1),
            Curve::straight_bezier(&w[0], &w[1], 3),
            Curve::straight_chain(&w[0], &w[1], 2),
        ] {
            for t in [0.0, 0.2, 0.9] {
                assert!(curve.at(t).iter().zip(line.at(t)).all(|(a, b)| (a - b).abs() < 1e-14));
            }
        }
    }
}
