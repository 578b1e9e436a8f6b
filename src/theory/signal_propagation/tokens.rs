//! The tokens of a sequence as their mean and what each differs from it by.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::super::shaped_transformer::root;
use super::super::token_alignment::Moments;

/// n tokens of width d, `x_i = mean + rest_i` with `sum_i rest_i = 0`.
///
/// Kept apart because tokens that align differ by less than the rounding of their sum: every map here computes what a
/// token differs by *from* what it differs by, so that a distance of 1e-100 is known to all its digits.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    n: usize,
    d: usize,
    /// The mean, then the rests, `[n + 1, d]`.
    rows: Vec<f64>,
}

/// Products of all rows of [`Tokens`] with each other, `[n + 1, n + 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Gram {
    n: usize,
    entries: Vec<f64>,
}

impl Tokens {
    /// Features `sqrt(cosine) common + sqrt(1 - cosine) own` of standard normal `draws` `[n + 1, d]`, the common ones first:
    /// of variance 1 and correlation `cosine`, in [0, 1], between tokens.
    pub fn correlated(n: usize, cosine: f64, draws: &[f64]) -> Self {
        let d = draws.len() / (n + 1);
        let scale = |row: usize| if row == 0 { cosine.sqrt() } else { (1.0 - cosine).sqrt() };
        Self { n, d, rows: draws.iter().enumerate().map(|(at, x)| scale(at / d) * x).collect() }.centred()
    }

    /// Of `n` plain rows `[n, d]`.
    pub fn new(n: usize, rows: &[f64]) -> Self {
        let d = rows.len() / n;
        Self { n, d, rows: [vec![0.0; d], rows.to_vec()].concat() }.centred()
    }

    /// The plain rows `[n, d]`.
    pub fn plain(&self) -> Vec<f64> {
        let (mean, rest) = self.split();
        rest.chunks_exact(self.d).flat_map(|row| row.iter().zip(mean).map(|(y, m)| m + y)).collect()
    }

    pub fn count(&self) -> usize {
        self.n
    }

    pub fn width(&self) -> usize {
        self.d
    }

    /// The mean `[d]` and the rests `[n, d]`.
    pub fn split(&self) -> (&[f64], &[f64]) {
        self.rows.split_at(self.d)
    }

    /// `|x_i|^2`.
    pub fn squares(&self) -> Vec<f64> {
        let (mean, rest) = self.split();
        let mean_square = dot(mean, mean);
        rest.chunks_exact(self.d).map(|row| mean_square + 2.0 * dot(mean, row) + dot(row, row)).collect()
    }

    pub fn gram(&self) -> Gram {
        let rows = self.view();
        Gram { n: self.n, entries: product(rows, rows.transpose()) }
    }

    /// `X W` with `W` `[d, d]` row by row.
    pub fn times(&self, weights: &[f64]) -> Self {
        let columns = weights.len() / self.d;
        let weights = MatRef::from_row_major_slice(weights, self.d, columns);
        Self { n: self.n, d: columns, rows: product(self.view(), weights) }
    }

    /// `X W` for fresh matrices W with independent normal entries of variance `variance`, exactly in law: with `X = R Q`,
    /// `Q Q' = 1`, each is `R G`, G `[n + 1, d]` standard normal. So the cost doesn't grow with the square of the width.
    pub fn times_random<const COUNT: usize>(
        &self,
        gram: &Gram,
        draws: [&[f64]; COUNT],
        variance: f64,
    ) -> [Self; COUNT] {
        let size = self.n + 1;
        let mut root = root(size, &gram.entries);
        root.iter_mut().for_each(|x| *x *= variance.sqrt());
        let root = MatRef::from_row_major_slice(&root, size, size);
        draws.map(|draws| {
            let width = draws.len() / size;
            Self { n: self.n, d: width, rows: product(root, MatRef::from_row_major_slice(draws, size, width)) }
        })
    }

    /// `X + by * other`.
    pub fn plus(mut self, by: f64, other: &Self) -> Self {
        self.rows.iter_mut().zip(&other.rows).for_each(|(x, y)| *x += by * y);
        self
    }

    /// X times the number that makes `|X|_F^2 = n d`.
    pub fn of_mean_square_one(mut self) -> Self {
        let square: f64 = self.squares().iter().sum();
        if square > 0.0 {
            let by = ((self.n * self.d) as f64 / square).sqrt();
            self.rows.iter_mut().for_each(|x| *x *= by);
        }
        self
    }

    /// `A X` for `A = 1 common' + rest`.
    pub fn mixed(&self, common: &[f64], rest: &[f64]) -> Self {
        let (mean, own) = self.split();
        let mut rows = mean.to_vec();
        for (p, own) in common.iter().zip(own.chunks_exact(self.d)) {
            rows.iter_mut().zip(own).for_each(|(x, y)| *x += p * y);
        }
        let own = MatRef::from_row_major_slice(own, self.n, self.d);
        rows.extend(product(MatRef::from_row_major_slice(rest, self.n, self.n), own));
        Self { n: self.n, d: self.d, rows }.centred()
    }

    /// `sqrt(2) max(0, x)`, entry by entry: a rectifier that keeps the mean square of centred normal features.
    pub fn rectified(mut self) -> Self {
        let gain = 2.0_f64.sqrt();
        let (mean, rest) = self.rows.split_at_mut(self.d);
        for row in rest.chunks_exact_mut(self.d) {
            // relu(m + y) - relu(m), exact where both sides have one sign: max(y, -m) above zero, max(m + y, 0) below.
            row.iter_mut().zip(mean.iter()).for_each(|(y, &m)| *y = gain * (m.min(0.0) + *y).max(-m.max(0.0)));
        }
        mean.iter_mut().for_each(|m| *m = gain * m.max(0.0));
        self.centred()
    }

    /// Layer normalisation without gain and bias: features of mean 0 and mean square 1, token by token.
    pub fn normalised(mut self) -> Self {
        let ones = vec![1.0; self.d];
        for row in self.rows.chunks_exact_mut(self.d) {
            let mean = dot(row, &ones) / row.len() as f64;
            row.iter_mut().for_each(|x| *x -= mean);
        }
        let (mean, rest) = self.rows.split_at_mut(self.d);
        // |x_i|^2 = mean_square (1 + e_i), without the difference of two large numbers.
        let rest_squares: Vec<f64> = rest.chunks_exact(self.d).map(|row| dot(row, row)).collect();
        let rest_square = rest_squares.iter().sum::<f64>() / self.n as f64;
        let mean_square = dot(mean, mean) + rest_square;
        if mean_square == 0.0 {
            return self;
        }
        let scale = (self.d as f64 / mean_square).sqrt();
        for (row, square) in rest.chunks_exact_mut(self.d).zip(rest_squares) {
            let excess = (2.0 * dot(mean, row) + square - rest_square) / mean_square;
            // (1 + e)^(-1/2) - 1
            let change = (-0.5 * excess.ln_1p()).exp_m1();
            row.iter_mut().zip(mean.iter()).for_each(|(y, m)| *y = scale * (*y * (1.0 + change) + m * change));
        }
        mean.iter_mut().for_each(|m| *m *= scale);
        self.centred()
    }

    /// What the rests have in common belongs to the mean.
    fn centred(mut self) -> Self {
        let (mean, rest) = self.rows.split_at_mut(self.d);
        let mut common = vec![0.0; self.d];
        for row in rest.chunks_exact(self.d) {
            common.iter_mut().zip(row).for_each(|(c, y)| *c += y);
        }
        let each = (self.n as f64).recip();
        common.iter_mut().for_each(|c| *c *= each);
        for row in rest.chunks_exact_mut(self.d) {
            row.iter_mut().zip(&common).for_each(|(y, c)| *y -= c);
        }
        mean.iter_mut().zip(&common).for_each(|(m, c)| *m += c);
        self
    }

    fn view(&self) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(&self.rows, self.n + 1, self.d)
    }
}

impl Gram {
    fn at(&self, i: usize, j: usize) -> f64 {
        self.entries[i * (self.n + 1) + j]
    }

    /// `|mean|^2`.
    pub fn mean_square(&self) -> f64 {
        self.at(0, 0)
    }

    /// `D = sum_i |rest_i|^2 = M - C/n`.
    pub fn rest_square(&self) -> f64 {
        (1..=self.n).map(|i| self.at(i, i)).sum()
    }

    /// `M = sum_i |x_i|^2`.
    pub fn square(&self) -> f64 {
        self.n as f64 * self.mean_square() + self.rest_square()
    }

    pub fn moments(&self) -> Moments {
        let n = self.n as f64;
        Moments { sum: n * n * self.mean_square(), square: self.square() }
    }

    /// `|rest|_F / |X|_F`, the distance to the nearest matrix of equal rows; exact down to 1e-150.
    pub fn relative_residual(&self) -> f64 {
        (self.rest_square() / self.square()).sqrt()
    }

    /// `|x_i|^2`.
    pub fn squares(&self) -> Vec<f64> {
        (1..=self.n).map(|i| self.token_product(i, i)).collect()
    }

    /// `mean . rest_i`.
    pub fn with_mean(&self) -> Vec<f64> {
        (1..=self.n).map(|i| self.at(0, i)).collect()
    }

    /// `rest_i . rest_j`, `[n, n]`.
    pub fn of_rests(&self) -> Vec<f64> {
        let n = self.n;
        (0..n * n).map(|at| self.at(at / n + 1, at % n + 1)).collect()
    }

    /// Cosines between tokens, `[n, n]`; 0 beside a token of length 0.
    pub fn cosines(&self) -> Vec<f64> {
        let n = self.n;
        let lengths: Vec<f64> = self.squares().into_iter().map(f64::sqrt).collect();
        let cosine = |i: usize, j: usize| {
            let size = lengths[i] * lengths[j];
            if size > 0.0 { (self.token_product(i + 1, j + 1) / size).clamp(-1.0, 1.0) } else { 0.0 }
        };
        (0..n * n).map(|at| if at / n == at % n { 1.0 } else { cosine(at / n, at % n) }).collect()
    }

    fn token_product(&self, i: usize, j: usize) -> f64 {
        self.at(0, 0) + self.at(0, i) + self.at(0, j) + self.at(i, j)
    }
}

/// In eight sums side by side, which fill vector registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

/// `a b`, row by row.
pub(super) fn product(a: MatRef<f64>, b: MatRef<f64>) -> Vec<f64> {
    let mut out = vec![0.0; a.nrows() * b.ncols()];
    let into = MatMut::from_row_major_slice_mut(&mut out, a.nrows(), b.ncols());
    matmul(into, Accum::Replace, a, b, 1.0, Par::Seq);
    out
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};

    use super::*;

    fn plain_layer_norm(n: usize, x: &[f64]) -> Vec<f64> {
        let d = x.len() / n;
        x.chunks_exact(d)
            .flat_map(|row| {
                let mean = row.iter().sum::<f64>() / d as f64;
                let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / d as f64;
                row.iter().map(move |x| (x - mean) / variance.sqrt()).collect::<Vec<_>>()
            })
            .collect()
    }

    #[track_caller]
    fn close(found: &[f64], known: &[f64], within: f64) {
        assert_eq!(found.len(), known.len());
        let size = known.iter().fold(0.0, |size: f64, x| size.max(x.abs()));
        for (a, b) in found.iter().zip(known) {
            assert!((a - b).abs() <= within * size, "{a} {b}");
        }
    }

    #[test]
    fn every_map_is_the_plain_one() {
        let mut stream = Streams::new(0).stream("tokens");
        let (n, d) = (5, 12);
        let x = Tokens::correlated(n, 0.3, &normals(&mut stream, (n + 1) * d));
        let plain = x.plain();
        close(&Tokens::new(n, &plain).plain(), &plain, 1e-15);
        let relu: Vec<f64> = plain.iter().map(|x| 2.0_f64.sqrt() * x.max(0.0)).collect();
        close(&x.clone().rectified().plain(), &relu, 1e-15);
        close(&x.clone().normalised().plain(), &plain_layer_norm(n, &plain), 1e-14);
        let weights = normals(&mut stream, d * 7);
        let known = product(MatRef::from_row_major_slice(&plain, n, d), MatRef::from_row_major_slice(&weights, d, 7));
        close(&x.times(&weights).plain(), &known, 1e-14);
        let (common, rest) = (normals(&mut stream, n), normals(&mut stream, n * n));
        // Rows of A must sum to 1.
        let sum: f64 = common.iter().sum();
        let common: Vec<f64> = common.iter().map(|p| p / sum).collect();
        let rest: Vec<f64> =
            rest.chunks_exact(n).flat_map(|r| r.iter().map(|x| x - r.iter().sum::<f64>() / n as f64)).collect();
        let a: Vec<f64> = (0..n * n).map(|at| common[at % n] + rest[at]).collect();
        let known = product(MatRef::from_row_major_slice(&a, n, n), MatRef::from_row_major_slice(&plain, n, d));
        close(&x.mixed(&common, &rest).plain(), &known, 1e-14);
        let gram = x.gram();
        let squares: Vec<f64> = plain.chunks_exact(d).map(|r| r.iter().map(|x| x * x).sum()).collect();
        close(&gram.squares(), &squares, 1e-14);
        assert!((gram.square() / squares.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        let cosine: f64 = plain[..d].iter().zip(&plain[d..2 * d]).map(|(a, b)| a * b).sum();
        assert!((gram.cosines()[1] - cosine / (squares[0] * squares[1]).sqrt()).abs() < 1e-14);
    }

    /// Rests 1e-60 of the mean: the maps are linear there, so a rest 1e30 times as large gives 1e30 times as much.
    #[test]
    fn small_differences_keep_their_digits() {
        let mut stream = Streams::new(1).stream("tokens");
        let x = Tokens::correlated(4, 0.5, &normals(&mut stream, 5 * 9));
        let shrunk = |by: f64| {
            let mut x = x.clone();
            let d = x.d;
            x.rows[d..].iter_mut().for_each(|y| *y *= by);
            x
        };
        for map in [Tokens::rectified, Tokens::normalised] {
            let (small, large) = (map(shrunk(1e-60)), map(shrunk(1e-30)));
            close(small.split().0, large.split().0, 1e-15);
            let grown: Vec<f64> = small.split().1.iter().map(|y| y * 1e30).collect();
            close(&grown, large.split().1, 1e-13);
            assert!(large.split().1.iter().any(|y| *y != 0.0));
        }
        let residual = shrunk(1e-60).gram().relative_residual() / (1e-30 * shrunk(1e-30).gram().relative_residual());
        assert!((residual - 1.0).abs() < 1e-13);
    }

    /// Moments of `X W` against those of drawn full matrices: `E (XW)(XW)' = d_out v X X'`.
    #[test]
    fn products_with_random_weights_have_the_law_of_full_matrices() {
        let mut stream = Streams::new(2).stream("tokens");
        let (n, d, draws) = (3, 6, 4_000);
        let x = Tokens::correlated(n, 0.4, &normals(&mut stream, (n + 1) * d));
        let gram = x.gram();
        let pairs: Vec<[f64; 2]> = (0..draws)
            .map(|_| {
                let full = x.times(&normals(&mut stream, d * d)).gram();
                let fast = x.times_random(&gram, [&normals(&mut stream, (n + 1) * d)], 1.0)[0].gram();
                [full.rest_square(), fast.rest_square()]
            })
            .collect();
        let moment = |which: usize, power: i32| {
            pairs.iter().map(|p| (p[which] / gram.rest_square()).powi(power)).sum::<f64>() / draws as f64
        };
        assert!((moment(1, 1) / d as f64 - 1.0).abs() < 0.03);
        for power in [1, 2] {
            assert!((moment(0, power) / moment(1, power) - 1.0).abs() < 0.05, "{power}");
        }
    }
}
