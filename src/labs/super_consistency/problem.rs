//! The regression that the linear network learns, and where its curves begin.

use crate::base::rng::{Streams, normals};
use crate::run::bench::Values;
use crate::theory::linear_network::{LinearNetwork, Regression, State};

use super::row::Row;

/// Examples of a linear map.
pub struct Problem {
    /// `[P, D]` row-major.
    pub x: Vec<f64>,
    /// `[P]`
    pub y: Vec<f64>,
    pub features: usize,
}

impl Problem {
    /// Gaussian inputs whose columns have standard deviations from 1 down to 0.3, and a Gaussian map of the wanted length.
    pub fn draw(values: &Values, streams: Streams) -> Self {
        let (p, d) = (values.int("examples"), values.int("features"));
        let scale = |column: usize| if d > 1 { 1.0 - 0.7 * column as f64 / (d - 1) as f64 } else { 1.0 };
        let x = normals(&mut streams.stream("linear/x"), p * d);
        let x: Vec<f64> = x.iter().enumerate().map(|(at, x)| x * scale(at % d)).collect();
        let mut w = normals(&mut streams.stream("linear/target"), d);
        let length = dot(&w, &w).sqrt();
        w.iter_mut().for_each(|w| *w *= values.float("target") / length);
        let y = x.chunks_exact(d).map(|x| dot(x, &w)).collect();
        Self { x, y, features: d }
    }

    pub fn regression(&self) -> Regression {
        Regression::of(&self.x, &self.y)
    }
}

/// Weights `E` `[D, N]` and `V` `[N]` with standard normal entries, the `repeat`-th of this width.
pub fn weights(streams: Streams, d: usize, n: usize, repeat: u64) -> (Vec<f64>, Vec<f64>) {
    let index = (n as u64) << 16 | repeat;
    (normals(&mut streams.indexed("linear/E", index), d * n), normals(&mut streams.indexed("linear/V", index), n))
}

/// The network of width n in a row's parametrisation.
pub fn network(task: &Regression, row: &Row, n: usize, (e, v): &(Vec<f64>, Vec<f64>)) -> LinearNetwork {
    LinearNetwork::new(task.clone(), row.kappa(n as f64), State::of(e, v, row.gamma(n as f64)))
}

/// The same at infinite width: `w = 0` unless gamma stays finite, where it is a draw of the Gaussian limit.
pub fn limit(task: &Regression, row: &Row, streams: Streams) -> LinearNetwork {
    let d = task.correlation.len();
    let mut state = State::infinite(d);
    if row.exponent == 0.0 {
        state.w = normals(&mut streams.stream("linear/limit"), d).iter().map(|w| w / row.gamma0).collect();
    }
    let kappa = if row.exponent == 0.5 { row.gamma0.powi(2) } else { 0.0 };
    LinearNetwork::new(task.clone(), kappa, state)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
