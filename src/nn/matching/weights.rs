//! Weight matching.

use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::base::rng::Stream;
use crate::linalg::vectors::{dot, norm};
use crate::nn::params::Layout;

use super::assignment::assign;
use super::symmetry::{Permutations, Symmetry};

/// Sweeps over all groups after which matching gives up.
const MOST_SWEEPS: usize = 100;
/// An improvement of less than so much of `|a| |b|` is none.
const LEAST_IMPROVEMENT: f64 = 1e-13;

/// Permutations with how well they match.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    pub permutations: Permutations,
    /// `<a, permuted b>` before, and after each update that improved it: it never falls.
    pub objective: Vec<f64>,
    /// Sweeps over all groups, the last of which improved nothing if `converged`.
    pub sweeps: usize,
    pub converged: bool,
}

/// Permutes the units of `b` so that `<a, permuted b>` is large, which makes `|a - permuted b|` small (Ainsworth et al.
/// 2023, "Git Re-Basin", algorithm 1): one group at a time, in random order, by the best assignment while the others
/// stay, until a sweep improves nothing. Biases and gains count. A local optimum: the joint problem is NP-hard.
///
/// `a` and `b` in the flattening order of `layout`.
pub fn match_weights(symmetry: &Symmetry, layout: &Layout, a: &[f64], b: &[f64], mut random: Stream) -> Matched {
    let mut permutations = symmetry.identity();
    let least = LEAST_IMPROVEMENT * norm(a) * norm(b);
    let mut objective = vec![dot(a, b)];
    let mut order: Vec<usize> = (0..symmetry.sizes().len()).collect();
    for sweep in 1..=MOST_SWEEPS {
        order.shuffle(&mut random);
        let mut improved = false;
        for &group in &order {
            let n = symmetry.sizes()[group];
            let overlaps = overlaps(symmetry, layout, a, b, &permutations, group);
            let worth = |p: &[usize]| p.iter().enumerate().map(|(i, &j)| overlaps[i * n + j]).sum::<f64>();
            let found = assign(n, &overlaps);
            let gain = worth(&found) - worth(&permutations.0[group]);
            if gain > least {
                permutations.0[group] = found;
                objective.push(dot(a, &symmetry.apply(&permutations, layout, b)));
                improved = true;
            }
        }
        if !improved {
            return Matched { permutations, objective, sweeps: sweep, converged: true };
        }
    }
    Matched { permutations, objective, sweeps: MOST_SWEEPS, converged: false }
}

/// `[n, n]`: entry (i, j) is what `<a, permuted b>` has of the group's unit i if it is unit j of `b`, all other groups as
/// permuted.
fn overlaps(
    symmetry: &Symmetry,
    layout: &Layout,
    a: &[f64],
    b: &[f64],
    permutations: &Permutations,
    group: usize,
) -> Vec<f64> {
    let n = symmetry.sizes()[group];
    let mut others = permutations.clone();
    others.0[group] = (0..n).collect();
    let mut sum = vec![0.0; n * n];
    for (index, axes) in symmetry.axes().iter().enumerate() {
        let Some(axis) = axes.iter().position(|axis| *axis == Some(group)) else { continue };
        let columns = layout.infos()[index].shape.last().copied().unwrap_or(1);
        let a = units(&a[layout.range(index)], columns, axis);
        let b = units(&symmetry.tensor(&others, layout, b, index), columns, axis);
        let length = a.len() / n;
        sum.par_chunks_mut(n).zip(a.par_chunks(length)).for_each(|(row, a)| {
            for (entry, b) in row.iter_mut().zip(b.chunks_exact(length)) {
                *entry += dot(a, b);
            }
        });
    }
    sum
}

/// The numbers of each unit together: rows as they are, columns transposed.
fn units(tensor: &[f64], columns: usize, axis: usize) -> Vec<f64> {
    if axis == 0 {
        return tensor.to_vec();
    }
    let rows = tensor.len() / columns;
    (0..tensor.len()).map(|k| tensor[k % rows * columns + k / rows]).collect()
}
