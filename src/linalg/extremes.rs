//! Several of the largest and smallest eigenvalues of a symmetric operator, with their eigenvectors.
//!
//! Thick-restart Lanczos (Wu and Simon 2000) with full reorthogonalisation, for both ends at once and from any number
//! of starts: the subspace grows by the residual `A y - theta y` of the first wanted pair that hasn't converged. From
//! one start all residuals are parallel, and this is Lanczos' method; from several, as a warm start has them, it is
//! the generalised Davidson method (Morgan and Scott 1986) without a preconditioner. Converged pairs are locked: kept
//! at every restart and never worked on again, while Rayleigh-Ritz still polishes them.
//!
//! A Krylov space holds one vector of each eigenspace, so repeated eigenvalues and what a warm start missed are
//! invisible to it. When all pairs have converged, a second look from a random vector orthogonal to all found follows,
//! and the search goes on if it finds something.

use crate::base::rng::Stream;

use super::estimator::Estimator;
use super::subspace::{Ritz, Subspace, random_unit};
use super::vectors::{dot, norm, scale};

/// What is wanted, and when to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Largest eigenvalues, in the algebraic sense.
    pub top: usize,
    /// Smallest eigenvalues: the most negative first.
    pub bottom: usize,
    /// A pair has converged when `|A y - theta y| <= tolerance max(|theta|, floor size)`, or when what is left is the
    /// rounding of the products (see [`Pair::converged`]).
    pub tolerance: f64,
    /// Share of `size`, the largest magnitude found: smaller eigenvalues are found to this absolute accuracy only.
    pub floor: f64,
    /// Products after which the answer is given as it stands.
    pub most_products: usize,
    /// Products of the second look, each time all pairs have converged; 0 for none.
    pub second_look: usize,
    /// Vectors kept, raised to 6 more than what is wanted; each costs two vectors of memory.
    pub subspace: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { top: 5, bottom: 1, tolerance: 1e-3, floor: 1e-2, most_products: 300, second_look: 6, subspace: 40 }
    }
}

/// An approximate eigenpair.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub value: f64,
    /// Of length 1; orthogonal to those of the other pairs.
    pub vector: Vec<f64>,
    /// `|A vector - value vector|`, computed: some eigenvalue lies within it of `value`.
    pub residual: f64,
    /// The residual is as small as [`Options`] ask, or no larger than twice the rounding of the products, beyond which no
    /// further product helps. The rounding shows in how far the projected matrix is from symmetric.
    pub converged: bool,
}

/// Both ends of a spectrum.
#[derive(Clone, Debug, PartialEq)]
pub struct Extremes {
    /// The largest first.
    pub top: Vec<Pair>,
    /// The smallest first.
    pub bottom: Vec<Pair>,
    /// Products spent.
    pub products: usize,
    /// The second look was finished and found nothing new.
    pub looked_twice: bool,
    /// Starts for the next search, on a slightly different operator: the vectors found and a runner-up at each end.
    pub next_starts: Vec<Vec<f64>>,
}

impl Extremes {
    /// All residuals are small, and the second look found nothing new.
    pub fn converged(&self) -> bool {
        self.looked_twice && self.top.iter().chain(&self.bottom).all(|pair| pair.converged)
    }
}

/// A search in progress: an [`Estimator`].
#[derive(Clone, Debug)]
pub struct ExtremeSearch {
    dim: usize,
    options: Options,
    random: Stream,
    space: Subspace,
    /// `<A q_i, A q_j>` for `i <= j`: what residuals are screened with.
    gram: Vec<Vec<f64>>,
    /// Starts that weren't multiplied yet, the next one last.
    starts: Vec<Vec<f64>>,
    products: usize,
    /// Products left of a second look, while one is under way.
    look: Option<usize>,
    /// Largest `|<q_i, A q_j> - <A q_i, q_j>|` so far: zero but for the rounding of the products.
    asymmetry: f64,
}

/// Share of the operator's size up to which an asymmetry is taken for rounding.
const MOST_ROUNDING: f64 = 1e-4;

impl ExtremeSearch {
    /// A search on `dim >= 1` numbers from the vectors `warm`, or from a random one if there are none. A vector of another
    /// length, of length zero or with numbers that aren't finite is left out. `top` and `bottom` are at most `dim`.
    pub fn new(dim: usize, warm: &[Vec<f64>], mut random: Stream, options: Options) -> Self {
        assert!(dim > 0, "an operator on no numbers has no eigenvalue");
        let (top, bottom) = (options.top.min(dim), options.bottom.min(dim));
        let subspace = options.subspace.max(top + bottom + 6);
        let options = Options { top, bottom, subspace, ..options };
        let usable = |v: &&Vec<f64>| v.len() == dim && norm(v) > 0.0 && norm(v).is_finite();
        let mut starts: Vec<Vec<f64>> = warm.iter().filter(usable).take(subspace / 2).cloned().collect();
        starts.reverse();
        let first = starts.pop().unwrap_or_else(|| random_unit(&mut random, dim));
        let mut space = Subspace::default();
        let length = norm(&first);
        space.basis.push(first);
        scale(1.0 / length, &mut space.basis[0]);
        Self { dim, options, random, space, gram: Vec::new(), starts, products: 0, look: None, asymmetry: 0.0 }
    }

    /// Pairs that must be in the subspace.
    fn needed(&self) -> usize {
        (self.options.top + self.options.bottom).min(self.dim)
    }

    /// Indices of the wanted pairs among `found`, the top ones first.
    fn wanted(&self, found: usize) -> impl Iterator<Item = usize> + use<> {
        let Options { top, bottom, .. } = self.options;
        (0..top.min(found)).chain((found - bottom.min(found)..found).rev())
    }

    fn bound(&self, value: f64, size: f64) -> f64 {
        let asked = self.options.tolerance * value.abs().max(self.options.floor * size);
        asked.max(2.0 * self.rounding().min(MOST_ROUNDING * size))
    }

    /// Length of the error e of a product, if its entries are independent and the largest of some tens along basis vectors is
    /// about twice as large as is usual.
    fn rounding(&self) -> f64 {
        0.5 * (self.dim as f64).sqrt() * self.asymmetry
    }

    /// Compares the products before the last with the last.
    fn meet(&mut self, product: &[f64]) {
        let Some((last, before)) = self.space.basis.split_last() else { return };
        for (q, image) in before.iter().zip(&self.space.images) {
            self.asymmetry = self.asymmetry.max((dot(q, product) - dot(image, last)).abs());
        }
    }

    /// `|A y - theta y|` by the Gram matrix of the images: quick, and blind below some `1e-8 size`. Rounding r of the products
    /// blinds it below `sqrt(r size)`, where it says too much; then the residual itself decides.
    fn screened(&self, value: f64, weights: &[f64]) -> f64 {
        let mut square = 0.0;
        for (j, column) in self.gram.iter().enumerate() {
            for (i, g) in column.iter().enumerate() {
                square += if i == j { 1.0 } else { 2.0 } * weights[i] * weights[j] * g;
            }
        }
        (square - value * value).max(0.0).sqrt()
    }

    fn pair(&self, ritz: &Ritz, i: usize) -> Pair {
        let (value, weights) = ritz.pair(i);
        let vector = self.space.vector(weights);
        let residual = norm(&self.space.error(value, &vector, weights));
        Pair { value, vector, residual, converged: residual <= self.bound(value, ritz.size) }
    }

    fn error(&self, ritz: &Ritz, i: usize) -> Vec<f64> {
        let (value, weights) = ritz.pair(i);
        self.space.error(value, &self.space.vector(weights), weights)
    }

    fn answer(&self, ritz: &Ritz, looked_twice: bool) -> Extremes {
        let found = ritz.values.len();
        let Options { top, bottom, .. } = self.options;
        let pairs: Vec<Pair> = self.wanted(found).map(|i| self.pair(ritz, i)).collect();
        let mut next_starts: Vec<Vec<f64>> = pairs.iter().map(|pair| pair.vector.clone()).collect();
        let runner_up =
            (top > 0).then_some(top).into_iter().chain((bottom > 0).then(|| found.saturating_sub(bottom + 1)));
        if found > top + bottom {
            next_starts.extend(runner_up.map(|i| self.space.vector(ritz.pair(i).1)));
        }
        let (top, bottom) = pairs.split_at(top.min(found));
        Extremes { top: top.to_vec(), bottom: bottom.to_vec(), products: self.products, looked_twice, next_starts }
    }

    fn not_finite(&self) -> Extremes {
        let pair =
            |_| Pair { value: f64::NAN, vector: self.space.basis[0].clone(), residual: f64::NAN, converged: false };
        Extremes {
            top: (0..self.options.top).map(pair).collect(),
            bottom: (0..self.options.bottom).map(pair).collect(),
            products: self.products,
            looked_twice: false,
            next_starts: Vec::new(),
        }
    }

    /// Keeps the wanted pairs and as many runners-up as leave two thirds of the rest to work in.
    fn restart(&mut self, ritz: &Ritz) {
        let Options { top, bottom, subspace, .. } = self.options;
        let found = ritz.values.len();
        let spare = (subspace - self.needed()) / 3;
        let low = if bottom == 0 { 0 } else { bottom + if top == 0 { spare } else { spare / 2 } };
        let high = self.needed() + spare - low;
        self.space.keep(ritz, (0..high).chain(found - low..found));
        let images = &self.space.images;
        self.gram = (0..images.len()).map(|j| (0..=j).map(|i| dot(&images[i], &images[j])).collect()).collect();
    }
}

impl Estimator for ExtremeSearch {
    type Output = Extremes;

    fn vector(&self) -> &[f64] {
        self.space.waiting()
    }

    fn products(&self) -> usize {
        self.products
    }

    fn absorb(&mut self, product: &[f64]) -> Option<Extremes> {
        assert_eq!(product.len(), self.dim, "a product has the operator's dimension");
        self.products += 1;
        let length = norm(product);
        if !length.is_finite() {
            return Some(self.not_finite());
        }
        self.meet(product);
        let (rest, rest_length) = self.space.absorb(product);
        let column = self.space.images.iter().map(|image| dot(image, product)).collect();
        self.gram.push(column);
        let Some(ritz) = self.space.ritz() else { return Some(self.not_finite()) };
        if self.space.basis.len() == self.dim {
            return Some(self.answer(&ritz, true));
        }
        if self.products >= self.options.most_products {
            return Some(self.answer(&ritz, self.look == Some(0)));
        }
        if let Some(start) = self.starts.pop() {
            self.space.push_orthogonal(start, &mut self.random);
            return None;
        }

        let closed = rest_length <= 1e-12 * ritz.size.max(length);
        let found = ritz.values.len();
        let open = |i: &usize| {
            let (value, weights) = ritz.pair(*i);
            let bound = self.bound(value, ritz.size);
            self.screened(value, weights) > bound.max(1e-7 * ritz.size) && norm(&self.error(&ritz, *i)) > bound
        };
        let mut target = self.wanted(found).find(open);
        if target.is_none() && found >= self.needed() {
            let left = self.look.unwrap_or(self.options.second_look);
            if self.look.is_none() || left == 0 {
                let answer = self.answer(&ritz, self.options.second_look > 0);
                // Where screening was blind the residual itself says what is left to do.
                let pairs = answer.top.iter().chain(&answer.bottom);
                target = self.wanted(found).zip(pairs).find(|(_, pair)| !pair.converged).map(|(i, _)| i);
                if target.is_none() && left == 0 {
                    return Some(answer);
                }
            }
        }
        let next = match target {
            Some(i) => {
                self.look = None;
                self.error(&ritz, i)
            }
            None if found < self.needed() && !closed => rest,
            None => {
                let begun = self.look.is_some();
                self.look = (found >= self.needed()).then(|| self.look.unwrap_or(self.options.second_look) - 1);
                if begun && !closed { rest } else { random_unit(&mut self.random, self.dim) }
            }
        };
        if self.space.basis.len() >= self.options.subspace {
            self.restart(&ritz);
        }
        self.space.push_orthogonal(next, &mut self.random);
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::linalg::estimator::estimate;
    use crate::linalg::fixtures::{diagonal, random, with_spectrum};
    use crate::linalg::operator::{Dense, LinearOperator};
    use crate::linalg::vectors::axpy;

    use super::*;

    fn strict(top: usize, bottom: usize) -> Options {
        Options { top, bottom, tolerance: 1e-10, floor: 1.0, ..Options::default() }
    }

    fn search(a: &mut Dense, warm: &[Vec<f64>], options: Options) -> Extremes {
        let dim = a.dim();
        estimate(a, &mut ExtremeSearch::new(dim, warm, random(1), options)).unwrap()
    }

    /// All that is promised of pairs, by products of our own and a sorted list.
    #[track_caller]
    fn check(values: &[f64], options: Options) -> Extremes {
        let mut a = with_spectrum(values);
        let found = search(&mut a, &[], options);
        assert!(found.converged(), "{found:?}");
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let size = sorted.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        let expected = sorted.iter().rev().take(options.top).chain(sorted.iter().take(options.bottom));
        let pairs: Vec<&Pair> = found.top.iter().chain(&found.bottom).collect();
        assert_eq!(pairs.len(), options.top.min(values.len()) + options.bottom.min(values.len()));
        for (pair, expected) in pairs.iter().zip(expected) {
            assert!((pair.value - expected).abs() <= 1e-9 * size, "{} and not {expected} of {values:?}", pair.value);
            let mut image = vec![0.0; values.len()];
            a.apply(&pair.vector, &mut image).unwrap();
            axpy(-pair.value, &pair.vector, &mut image);
            assert!((norm(&image) - pair.residual).abs() <= 1e-12 * size, "{} {}", norm(&image), pair.residual);
        }
        for side in [&found.top, &found.bottom] {
            for (i, a) in side.iter().enumerate() {
                for (j, b) in side.iter().enumerate() {
                    assert!((dot(&a.vector, &b.vector) - f64::from(i == j)).abs() < 1e-10);
                }
            }
        }
        found
    }

    /// A bulk about zero and outliers on both sides, as a Hessian has.
    fn hessian() -> Vec<f64> {
        (0..90).map(|i| (f64::from(i) * 0.7).sin() * 0.1).chain([7.0, 3.0, 2.9, 1.0, -0.8, -0.5]).collect()
    }

    #[test]
    fn finds_both_ends_of_known_spectra() {
        check(&hessian(), strict(4, 2));
        check(&hessian(), strict(4, 0));
        check(&hessian(), strict(0, 2));
        // Negative definite: the top ones are next to zero.
        check(&(1..=50).map(|i| -f64::from(i)).collect::<Vec<_>>(), strict(3, 3));
        // A cluster: five values within a thousandth, over a bulk.
        let cluster: Vec<f64> =
            (0..60).map(|i| f64::from(i) / 60.0).chain((0..5).map(|i| 2.0 + 2e-4 * f64::from(i))).collect();
        check(&cluster, Options { most_products: 2_000, ..strict(5, 1) });
        // More are wanted than there are.
        check(&[2.0, -1.0, 0.5], strict(5, 5));
        check(&[-4.0], strict(1, 1));
        check(&[0.0; 12], strict(3, 2));
    }

    #[test]
    fn finds_every_copy_of_a_repeated_eigenvalue() {
        let bulk = (0..80).map(|i| f64::from(i) / 100.0);
        let thrice: Vec<f64> = bulk.chain([3.0, 3.0, 3.0, 2.0, -2.0, -2.0]).collect();
        check(&thrice, strict(4, 2));
        check(&[3.0; 30], strict(4, 2));
        // Without a second look copies are missed, and the answer says that it didn't look.
        let blind = search(&mut with_spectrum(&thrice), &[], Options { second_look: 0, ..strict(2, 0) });
        assert!((blind.top[0].value - 3.0).abs() < 1e-9 && (blind.top[1].value - 2.0).abs() < 1e-9, "{blind:?}");
        assert!(!blind.looked_twice && !blind.converged() && blind.top.iter().all(|pair| pair.converged));
    }

    #[test]
    fn restarts_reach_what_a_small_subspace_cannot_hold() {
        // Square-root spacing at the top: the first ones are a few per mille apart.
        let values: Vec<f64> = (0..150).map(|i| 1.0 - (f64::from(i) / 150.0).sqrt()).collect();
        let options = Options { subspace: 14, most_products: 5_000, ..strict(3, 1) };
        assert!(check(&values, options).products > 20);
    }

    #[test]
    fn a_warm_start_saves_products_and_is_not_fooled() {
        let values = hessian();
        let options = Options { top: 4, bottom: 2, ..Options::default() };
        let cold = search(&mut with_spectrum(&values), &[], options);
        assert!(cold.converged());
        // The next operator is a little different, in its vectors, too.
        let n = values.len();
        let (a, other) = (with_spectrum(&values), diagonal(&values));
        let mixed = (0..n * n).map(|ij| a.get(ij / n, ij % n) + 1e-3 * other.get(ij / n, ij % n)).collect();
        let mut next = Dense::new(n, mixed).unwrap();
        let (warm, again) = (search(&mut next, &cold.next_starts, options), search(&mut next, &[], options));
        assert!(warm.converged() && warm.products < again.products, "{} {}", warm.products, again.products);
        for (w, c) in warm.top.iter().chain(&warm.bottom).zip(again.top.iter().chain(&again.bottom)) {
            assert!((w.value - c.value).abs() <= w.residual + c.residual, "{} {}", w.value, c.value);
        }
        // Started at exact eigenvectors that aren't the wanted ones.
        let basis = |i: usize| (0..20).map(|j| f64::from(u8::from(i == j))).collect::<Vec<f64>>();
        let mut a = diagonal(&(0..20).map(f64::from).collect::<Vec<_>>());
        let found = search(&mut a, &[basis(3), basis(5), basis(7)], strict(2, 1));
        assert!(found.converged());
        assert!((found.top[0].value - 19.0).abs() < 1e-9 && (found.top[1].value - 18.0).abs() < 1e-9);
        assert!(found.bottom[0].value.abs() < 1e-9);
        // Useless starts are none.
        let found = search(&mut a, &[vec![f64::NAN; 20], vec![0.0; 20], vec![1.0]], strict(2, 1));
        assert!(found.converged() && (found.top[1].value - 18.0).abs() < 1e-9);
    }

    /// A dense operator in single precision: what a small network's products are.
    struct Single(Dense);

    impl LinearOperator for Single {
        type Error = std::convert::Infallible;

        fn dim(&self) -> usize {
            self.0.dim()
        }

        fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<(), Self::Error> {
            for (i, out) in out.iter_mut().enumerate() {
                *out = f64::from((0..v.len()).map(|j| self.0.get(i, j) as f32 * v[j] as f32).sum::<f32>());
            }
            Ok(())
        }
    }

    #[test]
    fn a_search_ends_at_the_rounding_of_the_products() {
        // Small eigenvalues at the lower end: a tenth of a thousandth of them is below what single precision leaves.
        for (n, tolerance) in [(60, 1e-4), (60, 1e-6), (120, 1e-8)] {
            let values: Vec<f64> =
                (0..n - 3).map(|i| 1e-3 * (f64::from(i) * 0.7).sin()).chain([7.0, 3.0, 1.0]).collect();
            let options = Options { top: 2, bottom: 2, tolerance, most_products: 1_000, ..Options::default() };
            let mut single = Single(with_spectrum(&values));
            let found = estimate(&mut single, &mut ExtremeSearch::new(values.len(), &[], random(1), options)).unwrap();
            let residuals: Vec<f64> = found.top.iter().chain(&found.bottom).map(|pair| pair.residual).collect();
            assert!(found.converged() && found.products < 400, "{} {tolerance}: {residuals:?}", found.products);
            let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
            assert!((found.top[0].value - 7.0).abs() < 1e-5 && (found.bottom[0].value - lowest).abs() < 1e-5);
            assert!(found.top.iter().chain(&found.bottom).all(|pair| pair.residual < 1e-5), "{found:?}");
            // A matrix that isn't symmetric isn't taken for one with rounding.
            let mut skewed = with_spectrum(&values).values().to_vec();
            skewed[1] += 0.5;
            let mut skewed = Dense::new(values.len(), skewed).unwrap();
            assert!(!search(&mut skewed, &[], options).converged());
        }
    }

    #[test]
    fn running_out_of_products_is_a_value() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0).collect();
        let found = search(&mut with_spectrum(&values), &[], Options { most_products: 9, ..strict(3, 1) });
        assert!(!found.converged() && found.products == 9);
        for pair in found.top.iter().chain(&found.bottom) {
            assert!(!pair.converged && values.iter().any(|v| (v - pair.value).abs() <= pair.residual), "{pair:?}");
        }
        let broken = search(&mut Dense::new(2, vec![f64::NAN; 4]).unwrap(), &[], strict(1, 1));
        assert!(broken.top[0].value.is_nan() && !broken.converged());
    }
}
