//! Many paths of a shaped transformer's token covariance, and what is told of them.

use std::ops::Range;

use rayon::prelude::*;

use crate::base::rng::{Stream, Streams, normals};
use crate::base::statistics::quantile;

use super::shaped_transformer::{Shaped, correlation, root, times_transposed};

/// A variance beyond which a path counts as exploded.
pub const EXPLODED: f64 = 1e6;

/// Steps that would leave the cone of semidefinite matrices are halved this often, at most.
const HALVINGS: usize = 8;

/// What was kept of many paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paths {
    /// `t = layer / n`.
    pub times: Vec<f64>,
    /// Correlation of the first two tokens, `[time][path]`; NaN from a path's explosion on.
    pub correlations: Vec<Vec<f64>>,
    /// Variance `V_11` of the first token, `[time][path]`; infinite from a path's explosion on.
    pub variances: Vec<Vec<f64>>,
    /// The same of the second token (of the first if there is one only).
    pub second_variances: Vec<Vec<f64>>,
}

/// What is kept of a path at one time: correlation, `V_11`, `V_22`.
type Seen = [f64; 3];

const GONE: Seen = [f64::NAN, f64::INFINITY, f64::INFINITY];

impl Paths {
    /// From `[path][time]`.
    pub fn gather(times: Vec<f64>, paths: &[Vec<Seen>]) -> Self {
        let column = |of: usize| (0..times.len()).map(|t| paths.iter().map(|path| path[t][of]).collect()).collect();
        let (correlations, variances, second_variances) = (column(0), column(1), column(2));
        Self { times, correlations, variances, second_variances }
    }

    /// Appends paths kept at the same times; takes their times if there were none.
    pub fn extend(&mut self, more: Self) {
        if self.times.is_empty() {
            *self = more;
            return;
        }
        assert_eq!(self.times, more.times, "paths kept at the same times");
        let join = |mine: &mut Vec<Vec<f64>>, theirs: Vec<Vec<f64>>| {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| mine.extend(theirs));
        };
        join(&mut self.correlations, more.correlations);
        join(&mut self.variances, more.variances);
        join(&mut self.second_variances, more.second_variances);
    }

    /// Paths there are.
    pub fn count(&self) -> usize {
        self.correlations.first().map_or(0, Vec::len)
    }

    /// Paths that had exploded by each time.
    pub fn exploded(&self) -> Vec<usize> {
        self.variances.iter().map(|v| v.iter().filter(|v| v.is_infinite()).count()).collect()
    }

    /// Quantiles of the correlation at kept time `at`, of the paths that haven't exploded; NaN if all have.
    pub fn correlation_quantiles(&self, at: usize, q: &[f64]) -> Vec<f64> {
        q.iter().map(|&q| quantile(&self.correlations[at], q).unwrap_or(f64::NAN)).collect()
    }

    /// Mean of `|rho|` at kept time `at` over the paths that haven't exploded.
    pub fn mean_absolute_correlation(&self, at: usize) -> f64 {
        let finite = self.correlations[at].iter().filter(|r| r.is_finite());
        let (sum, count) = finite.fold((0.0, 0), |(sum, count), r| (sum + r.abs(), count + 1));
        sum / f64::from(count)
    }

    /// Quantiles of variances `[path]`, in which exploded paths count as infinitely large.
    pub fn variance_quantiles(variances: &[f64], q: &[f64]) -> Vec<f64> {
        let mut sorted = variances.to_vec();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else { return vec![f64::NAN; q.len()] };
        let at = |q: f64| {
            let position = q.clamp(0.0, 1.0) * last as f64;
            let below = position.floor() as usize;
            let share = position - below as f64;
            // 0 times infinity is no number.
            if share == 0.0 { sorted[below] } else { sorted[below] + share * (sorted[below + 1] - sorted[below]) }
        };
        q.iter().map(|&q| at(q)).map(|v| if v.is_nan() { f64::INFINITY } else { v }).collect()
    }
}

/// Follows the paths `which` from `start` `[m, m]`: `begin` gives each of them, from its number, what advances V from one
/// kept time to the next.
pub(super) fn sample<A: FnMut(&mut Vec<f64>)>(
    m: usize,
    start: &[f64],
    times: Vec<f64>,
    which: Range<usize>,
    begin: impl Fn(usize) -> A + Sync,
) -> Paths {
    let kept = times.len() - 1;
    let found: Vec<_> = which.into_par_iter().map(|path| follow(m, start, kept, begin(path))).collect();
    Paths::gather(times, &found)
}

/// What is seen of a path that `advance` moves from one kept time to the next, `[kept + 1]`.
pub fn follow(m: usize, start: &[f64], kept: usize, mut advance: impl FnMut(&mut Vec<f64>)) -> Vec<Seen> {
    let mut v = start.to_vec();
    let see = |v: &[f64]| match m {
        1 => [1.0, v[0], v[0]],
        _ => [correlation(m, v, 0, 1), v[0], v[m + 1]],
    };
    let mut seen = vec![see(&v)];
    let mut alive = true;
    for _ in 0..kept {
        if alive {
            advance(&mut v);
            alive = v.iter().all(|x| x.abs() < EXPLODED);
        }
        seen.push(if alive { see(&v) } else { GONE });
    }
    seen
}

/// The Euler-Maruyama paths `which` from `start` `[m, m]` up to time `end`, in steps of about `dt`, kept at `kept + 1`
/// equally spaced times. Path i is the same in any range and for any number of threads.
///
/// A step that would leave the cone of semidefinite matrices is halved, with a Brownian bridge between its ends.
pub fn diffusion(
    shaped: &Shaped,
    start: &[f64],
    end: f64,
    dt: f64,
    kept: usize,
    which: Range<usize>,
    streams: Streams,
) -> Paths {
    let kept = kept.max(1);
    let each = (end / dt / kept as f64).ceil().max(1.0) as usize;
    let dt = end / (each * kept) as f64;
    let times = (0..=kept).map(|k| end * k as f64 / kept as f64).collect();
    sample(shaped.tokens, start, times, which, |path| {
        let mut stream = streams.indexed("diffusion", path as u64);
        move |v: &mut Vec<f64>| {
            for _ in 0..each {
                let mut draws = normals(&mut stream, shaped.draws());
                draws.iter_mut().for_each(|z| *z *= dt.sqrt());
                *v = euler(shaped, v, &draws, dt, &mut stream, HALVINGS);
            }
        }
    })
}

/// V after a step of `dt` with the increments `draws`.
fn euler(shaped: &Shaped, v: &[f64], draws: &[f64], dt: f64, stream: &mut Stream, halvings: usize) -> Vec<f64> {
    let m = shaped.tokens;
    let (drift, noise) = (shaped.drift(v), shaped.noise(&root(m, v), draws));
    let after: Vec<f64> = v.iter().zip(drift).zip(noise).map(|((v, b), w)| v + b * dt + w).collect();
    // What explodes isn't followed further.
    if !after.iter().all(|x| x.abs() < EXPLODED) {
        return after;
    }
    if in_cone(m, &after) {
        return after;
    }
    if halvings == 0 {
        let l = root(m, &after);
        return times_transposed(m, &l, &l);
    }
    let bridge: Vec<f64> = normals(stream, draws.len());
    let half =
        |sign: f64| -> Vec<f64> { draws.iter().zip(&bridge).map(|(w, z)| 0.5 * (w + sign * dt.sqrt() * z)).collect() };
    let (first, second) = (half(1.0), half(-1.0));
    let middle = euler(shaped, v, &first, 0.5 * dt, stream, halvings - 1);
    if !middle.iter().all(|x| x.abs() < EXPLODED) {
        return middle;
    }
    euler(shaped, &middle, &second, 0.5 * dt, stream, halvings - 1)
}

/// Whether V is `L L'` up to rounding.
pub fn in_cone(m: usize, v: &[f64]) -> bool {
    let l = root(m, v);
    let back = times_transposed(m, &l, &l);
    let size = (0..m).map(|a| v[a * m + a].abs()).fold(0.0, f64::max);
    back.iter().zip(v).all(|(a, b)| (a - b).abs() <= 1e-10 * size)
}

#[cfg(test)]
mod tests;
