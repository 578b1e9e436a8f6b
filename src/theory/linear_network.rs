//! A linear network of two layers under gradient descent, solved exactly with a handful of numbers a step.
//!
//! `f(x) = x' E V / (sqrt(N) gamma)` with `E` `[D, N]`, `V` `[N]`, squared error `L = 1/(2P) sum (f - y)^2` and the learning
//! rate `eta0 gamma^2` on both layers (Noci et al. 2024, arXiv:2402.17457, study such a network; the closed recursion
//! is derived here). With
//!
//! `w = E V / (sqrt(N) gamma)`, `v = |V|^2 / N`, `M = E E' / N`, `C = X' X / P`, `r = C w - X' y / P`, `kappa = gamma^2 / N`
//!
//! an update closes on (w, v, M):
//!
//! ```text
//! w+ = w - eta0 (v r + M r) + eta0^2 kappa (w.r) r
//! v+ = v - 2 eta0 kappa (w.r) + eta0^2 kappa r' M r
//! M+ = M - eta0 kappa (r w' + w r') + eta0^2 kappa v r r'
//! ```
//!
//! The width enters through kappa (1 for muP with gamma = sqrt(N), 1/N for NTK with gamma = 1) and the initial state only.
//! The sharpness at any state is the largest eigenvalue of a matrix of side 3 D + 1: see [`LinearNetwork::sharpness`].

use crate::linalg::symmetric;

/// What the network learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    /// `C = X' X / P`, `[D, D]` row-major.
    pub covariance: Vec<f64>,
    /// `X' y / P`, `[D]`.
    pub correlation: Vec<f64>,
    /// `|y|^2 / P`.
    pub power: f64,
}

impl Regression {
    /// From `x` `[P, D]` row-major and `y` `[P]`.
    pub fn of(x: &[f64], y: &[f64]) -> Self {
        let (p, d) = (y.len(), x.len() / y.len().max(1));
        let mean = |of: &dyn Fn(usize) -> f64| (0..p).map(of).sum::<f64>() / p as f64;
        Self {
            covariance: (0..d * d).map(|at| mean(&|k| x[k * d + at / d] * x[k * d + at % d])).collect(),
            correlation: (0..d).map(|i| mean(&|k| x[k * d + i] * y[k])).collect(),
            power: mean(&|k| y[k] * y[k]),
        }
    }
}

/// The state that gradient descent closes on.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The linear map that the network computes, `[D]`.
    pub w: Vec<f64>,
    /// `|V|^2 / N`.
    pub v: f64,
    /// `E E' / N`, `[D, D]`.
    pub m: Vec<f64>,
}

impl State {
    /// The start of an infinitely wide network under muP: `w = 0`, `v = 1`, `M = I`.
    pub fn infinite(d: usize) -> Self {
        Self { w: vec![0.0; d], v: 1.0, m: (0..d * d).map(|at| f64::from(u8::from(at / d == at % d))).collect() }
    }

    /// That of given weights `e` `[D, N]` row-major and `v` `[N]`.
    pub fn of(e: &[f64], v: &[f64], gamma: f64) -> Self {
        let n = v.len();
        let rows: Vec<&[f64]> = e.chunks_exact(n).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        Self {
            w: rows.iter().map(|row| dot(row, v) / ((n as f64).sqrt() * gamma)).collect(),
            v: dot(v, v) / n as f64,
            m: rows.iter().flat_map(|a| rows.iter().map(|b| dot(a, b) / n as f64)).collect(),
        }
    }
}

/// The largest eigenvalue of the preconditioned Hessian and of its two parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sharpness {
    /// Of `gamma^2 H`.
    pub hessian: f64,
    /// Of `gamma^2 G`, the Gauss-Newton part, which is that of the kernel `gamma^2 J J' / P`.
    pub gauss_newton: f64,
    /// Of `gamma^2 R`, the rest: `sqrt(kappa) |r|`, and minus that at its other end.
    pub residual: f64,
}

/// The network in training.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearNetwork {
    task: Regression,
    kappa: f64,
    state: State,
}

impl LinearNetwork {
    /// # Panics
    /// If the sizes of task and state differ.
    pub fn new(task: Regression, kappa: f64, state: State) -> Self {
        let d = task.correlation.len();
        assert!(state.w.len() == d && state.m.len() == d * d, "a state has the sizes of its task");
        Self { task, kappa, state }
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// `L = (w' C w - 2 w' X' y / P + |y|^2 / P) / 2`.
    pub fn loss(&self) -> f64 {
        let (w, b) = (&self.state.w, &self.task.correlation);
        (dot(w, &times(&self.task.covariance, w)) - 2.0 * dot(w, b) + self.task.power) / 2.0
    }

    /// `r = C w - X' y / P`.
    pub fn residual(&self) -> Vec<f64> {
        let mut r = times(&self.task.covariance, &self.state.w);
        r.iter_mut().zip(&self.task.correlation).for_each(|(r, b)| *r -= b);
        r
    }

    /// One update of gradient descent with learning rate `eta0 gamma^2`.
    pub fn step(&mut self, eta0: f64) {
        let (r, kappa, d) = (self.residual(), self.kappa, self.state.w.len());
        let State { w, v, m } = &mut self.state;
        let (wr, mr) = (dot(w, &r), times(m, &r));
        let rmr = dot(&r, &mr);
        for i in 0..d {
            for j in 0..d {
                m[i * d + j] += kappa * eta0 * (eta0 * *v * r[i] * r[j] - r[i] * w[j] - w[i] * r[j]);
            }
        }
        for i in 0..d {
            w[i] += eta0 * (eta0 * kappa * wr * r[i] - *v * r[i] - mr[i]);
        }
        *v += kappa * eta0 * (eta0 * rmr - 2.0 * wr);
    }

    /// Exact at any state, for widths over D. `None` once the numbers aren't finite.
    ///
    /// All that the Hessian does happens where the rows of dE and dV lie in the span of V and the rows of E. In an orthonormal
    /// basis of it whose first vector is V's, `V/sqrt(N) = sqrt(v) e_0` and row j of `E/sqrt(N)` is `(l_j, L_j)` with
    /// `l = sqrt(kappa/v) w`, `L L' = M - l l'`. Directions `dE = a e_0' + (r/|r|) (0, s)'`, `dV = (beta, c)` are closed under
    ///
    /// ```text
    /// u = sqrt(v) a + l beta + L c
    /// a    -> sqrt(v) C u + sqrt(kappa) r beta        s -> sqrt(kappa) |r| c
    /// beta -> l' C u + sqrt(kappa) r' a               c -> L' C u + sqrt(kappa) |r| s
    /// ```
    ///
    /// and beyond them the Hessian has the eigenvalues `sqrt(kappa) |r|`, `-sqrt(kappa) |r|` and 0.
    pub fn sharpness(&self) -> Option<Sharpness> {
        let r = self.residual();
        let residual = self.kappa.sqrt() * dot(&r, &r).sqrt();
        let hessian = self.largest(&r)?.max(residual);
        let gauss_newton = self.largest(&vec![0.0; r.len()])?;
        Some(Sharpness { hessian, gauss_newton, residual })
    }

    /// The largest eigenvalue in the closed subspace, with the residual `r`.
    fn largest(&self, r: &[f64]) -> Option<f64> {
        let (d, State { w, v, m }, kappa) = (r.len(), &self.state, self.kappa.sqrt());
        let root_v = v.sqrt();
        let l: Vec<f64> = w.iter().map(|w| if *v > 0.0 { kappa * w / root_v } else { 0.0 }).collect();
        let rest: Vec<f64> = (0..d * d).map(|at| m[at] - l[at / d] * l[at % d]).collect();
        let root = symmetric::power(d, &rest, 0.5, 0.0)?;
        // u as a matrix on (a, s, beta, c).
        let side = 3 * d + 1;
        let u = |i: usize, j: usize| match j {
            _ if j < d => f64::from(u8::from(i == j)) * root_v,
            _ if j < 2 * d => 0.0,
            _ if j == 2 * d => l[i],
            _ => root[i * d + j - 2 * d - 1],
        };
        let length = dot(r, r).sqrt();
        let mut matrix = vec![0.0; side * side];
        let images: Vec<Vec<f64>> =
            (0..side).map(|j| times(&self.task.covariance, &(0..d).map(|i| u(i, j)).collect::<Vec<_>>())).collect();
        for j in 0..side {
            for i in 0..side {
                matrix[i * side + j] = (0..d).map(|k| u(k, i) * images[j][k]).sum();
            }
        }
        for i in 0..d {
            matrix[i * side + 2 * d] += kappa * r[i];
            matrix[2 * d * side + i] += kappa * r[i];
            let (s, c) = (d + i, 2 * d + 1 + i);
            matrix[s * side + c] += kappa * length;
            matrix[c * side + s] += kappa * length;
        }
        symmetric::eigenpairs(side, &matrix).map(|(values, _)| values[0])
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `A b` for a square A.
fn times(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.chunks_exact(b.len()).map(|row| dot(row, b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Streams, normals};

    const D: usize = 3;
    const P: usize = 12;

    /// Columns of unequal scale, so that C isn't a multiple of the identity.
    fn data() -> (Vec<f64>, Vec<f64>) {
        let x: Vec<f64> = normals(&mut Streams::new(1).stream("x"), P * D)
            .iter()
            .enumerate()
            .map(|(at, x)| x * [1.0, 0.7, 0.4][at % D])
            .collect();
        let y = x.chunks_exact(D).map(|x| 1.5 * x[0] - 2.0 * x[1] + x[2] + 0.3 * (x[0] * 5.0).sin()).collect();
        (x, y)
    }

    /// The network itself, weights and all.
    struct Plain {
        e: Vec<f64>,
        v: Vec<f64>,
        gamma: f64,
    }

    impl Plain {
        fn new(n: usize, gamma: f64, seed: u64) -> Self {
            let streams = Streams::new(seed);
            Self { e: normals(&mut streams.stream("e"), D * n), v: normals(&mut streams.stream("v"), n), gamma }
        }

        fn loss(&self, x: &[f64], y: &[f64]) -> f64 {
            let n = self.v.len();
            let w: Vec<f64> =
                self.e.chunks_exact(n).map(|e| dot(e, &self.v) / ((n as f64).sqrt() * self.gamma)).collect();
            x.chunks_exact(D).zip(y).map(|(x, y)| (dot(x, &w) - y).powi(2)).sum::<f64>() / (2.0 * P as f64)
        }

        /// `gamma^2` times the gradient, E first.
        fn gradient(&self, x: &[f64], y: &[f64]) -> Vec<f64> {
            let n = self.v.len();
            let scale = (n as f64).sqrt() * self.gamma;
            let w: Vec<f64> = self.e.chunks_exact(n).map(|e| dot(e, &self.v) / scale).collect();
            let mut r = [0.0; D];
            for (x, y) in x.chunks_exact(D).zip(y) {
                let error = dot(x, &w) - y;
                r.iter_mut().zip(x).for_each(|(r, x)| *r += error * x / P as f64);
            }
            let by_e = (0..D * n).map(|at| r[at / n] * self.v[at % n]);
            let by_v = (0..n).map(|j| (0..D).map(|i| r[i] * self.e[i * n + j]).sum::<f64>());
            by_e.chain(by_v).map(|g| self.gamma.powi(2) * g / scale).collect()
        }

        fn moved(&self, by: &[f64], scale: f64) -> Self {
            let mut moved = Self { e: self.e.clone(), v: self.v.clone(), gamma: self.gamma };
            moved.e.iter_mut().chain(&mut moved.v).zip(by).for_each(|(w, g)| *w += scale * g);
            moved
        }

        fn closed(&self, x: &[f64], y: &[f64]) -> LinearNetwork {
            let kappa = self.gamma.powi(2) / self.v.len() as f64;
            LinearNetwork::new(Regression::of(x, y), kappa, State::of(&self.e, &self.v, self.gamma))
        }

        /// Largest eigenvalue of `gamma^2 H` by differences of the gradient, which is a cubic: exact up to rounding.
        fn sharpness(&self, x: &[f64], y: &[f64]) -> f64 {
            let n = self.e.len() + self.v.len();
            let mut hessian = vec![0.0; n * n];
            for j in 0..n {
                let mut unit = vec![0.0; n];
                unit[j] = 1.0;
                let at = |h: f64| self.moved(&unit, h).gradient(x, y);
                let (a, b, c, d) = (at(0.2), at(0.1), at(-0.1), at(-0.2));
                for i in 0..n {
                    hessian[i * n + j] = (8.0 * (b[i] - c[i]) - (a[i] - d[i])) / 1.2;
                }
            }
            symmetric::eigenpairs(n, &hessian).unwrap().0[0]
        }
    }

    #[test]
    fn the_recursion_is_gradient_descent() {
        let (x, y) = data();
        // muP, NTK, and one between.
        for (n, gamma) in [(7, 7.0_f64.sqrt()), (7, 1.0), (40, 2.0)] {
            let mut plain = Plain::new(n, gamma, 2);
            let mut closed = plain.closed(&x, &y);
            for step in 0..60 {
                let (a, b) = (plain.loss(&x, &y), closed.loss());
                assert!((a - b).abs() < 1e-12 * a.max(1.0), "step {step}: {a} {b}");
                plain = plain.moved(&plain.gradient(&x, &y), -0.2);
                closed.step(0.2);
            }
            let state = State::of(&plain.e, &plain.v, gamma);
            let pairs = state.m.iter().zip(&closed.state().m).chain(state.w.iter().zip(&closed.state().w));
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-11));
            assert!((state.v - closed.state().v).abs() < 1e-11);
        }
    }

    #[test]
    fn the_small_matrix_has_the_sharpness_of_the_whole_hessian() {
        let (x, y) = data();
        for (n, gamma) in [(5, 5.0_f64.sqrt()), (5, 1.0), (20, 20.0_f64.sqrt())] {
            let mut plain = Plain::new(n, gamma, 4);
            for step in 0..12 {
                if step % 4 == 0 {
                    let (found, known) = (plain.closed(&x, &y).sharpness().unwrap(), plain.sharpness(&x, &y));
                    assert!((found.hessian / known - 1.0).abs() < 1e-9, "{n} {gamma}, step {step}: {found:?} {known}");
                    assert!(found.gauss_newton <= found.hessian + found.residual + 1e-12);
                }
                plain = plain.moved(&plain.gradient(&x, &y), -0.2);
            }
        }
    }

    /// Without a residual what is left of NTK's matrix is `v C + C^1/2 M C^1/2`: `2 lambda(C)` at infinite width.
    #[test]
    fn limits_at_the_start() {
        let (x, y) = data();
        let task = Regression::of(&x, &y);
        let top = symmetric::eigenpairs(D, &task.covariance).unwrap().0[0];
        let lazy = LinearNetwork::new(task.clone(), 0.0, State::infinite(D)).sharpness().unwrap();
        assert!((lazy.hessian / (2.0 * top) - 1.0).abs() < 1e-12 && lazy.residual == 0.0);
        assert!((lazy.gauss_newton - lazy.hessian).abs() < 1e-12);
        let rich = LinearNetwork::new(task.clone(), 1.0, State::infinite(D)).sharpness().unwrap();
        assert!(rich.hessian > lazy.hessian && (rich.gauss_newton - lazy.hessian).abs() < 1e-12);
        // A wide network comes near it: its state differs by 1/sqrt(N).
        let n = 40_000;
        let wide = Plain::new(n, (n as f64).sqrt(), 3).closed(&x, &y).sharpness().unwrap();
        assert!((wide.hessian / rich.hessian - 1.0).abs() < 0.03, "{wide:?} {rich:?}");
        let mut lost = LinearNetwork::new(task, 1.0, State::infinite(D));
        (0..200).for_each(|_| lost.step(50.0));
        assert_eq!(lost.sharpness(), None);
    }
}
