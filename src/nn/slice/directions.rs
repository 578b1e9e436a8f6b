//! Directions in the space of the parameters: random ones as long as the parameters are, and pairs made orthonormal.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::base::rng::{Streams, normals};
use crate::linalg::vectors::{axpy, dot, norm, scale};
use crate::nn::params::{Layout, Role};

/// What spans the plane of a slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectionKind {
    /// Two Gaussian directions, see [`Normalisation`].
    #[default]
    Random,
    /// The two eigenvectors of the Hessian with the largest eigenvalues.
    Hessian,
    /// The gradient, and the last update's part orthogonal to it.
    Gradient,
    /// The first two principal components of the path.
    Trajectory,
    /// The plane through the start, a point on the way and the current parameters.
    Checkpoints,
}

/// To what length random directions are brought. Biases and gains are held in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalisation {
    /// Each filter as long as the weights': `d_f <- d_f |w_f| / |d_f|`.
    #[default]
    Filter,
    /// Each tensor as long as the weights': `d_t <- d_t |w_t| / |d_t|`.
    Layer,
    /// Each entry times its weight: `d <- d w`.
    Weight,
    /// Entries of equal variance everywhere; the direction as a whole is as long as all weights that it moves.
    None,
}

impl Normalisation {
    /// For the corner of the picture.
    pub fn description(self) -> &'static str {
        match self {
            Self::Filter => "two random directions, filter-normalised, biases and gains held",
            Self::Layer => "two random directions, each tensor as long as its weights, biases and gains held",
            Self::Weight => "two random directions, each entry times its weight, biases and gains held",
            Self::None => {
                "two random directions, entries of equal variance, as long as all weights together, biases and gains held"
            }
        }
    }
}

/// The axes of a plane through the parameters, each in the flattening order.
#[derive(Clone, Debug, PartialEq)]
pub struct Directions {
    pub d: Vec<f32>,
    pub e: Vec<f32>,
}

impl Directions {
    /// Two Gaussian directions, filter-normalised to the parameters (Li et al. 2018, "Visualizing the loss landscape
    /// of neural nets", section 4).
    ///
    /// `d_f <- d_f |w_f| / |d_f|` for every filter f: the fan-in of one unit (a column of `[fan_in, fan_out]`), or the
    /// vector of one token or position (a row of its table). One unit of the plane then changes every filter by its
    /// own length, whatever the scale that normalisations allow the weights to have. Biases and gains of
    /// normalisations stay where they are, as in the authors' code.
    ///
    /// The Gaussian draws are a function of the seed alone (streams `probe/landscape/d` and `.../e`, indexed by
    /// tensor): over a run the plane turns only as far as the filters change their relative lengths.
    /// Not orthogonal, but nearly so: the cosine is of order `1/sqrt(P)`.
    pub fn random(layout: &Layout, params: &[f64], streams: &Streams) -> Self {
        Self::scaled(layout, params, streams, Normalisation::Filter)
    }

    /// [`Self::random`] with another normalisation of the same draws (as the authors' code names them, where `None`
    /// keeps the length of the draws: here the whole is as long as the weights, so that one unit means something).
    pub fn scaled(layout: &Layout, params: &[f64], streams: &Streams, normalisation: Normalisation) -> Self {
        let draw = |name: &str| {
            let pieces: Vec<[Vec<f64>; 2]> = (0..layout.infos().len())
                .into_par_iter()
                .map(|index| {
                    let info = &layout.infos()[index];
                    let filters = match info.role {
                        Role::Bias | Role::Gain => return [vec![0.0; info.len()], Vec::new()],
                        Role::Input | Role::Hidden | Role::Output => Filters::Columns(info.shape[1]),
                        Role::Embedding | Role::Position => Filters::Rows(info.shape[1]),
                    };
                    let weights = &params[layout.range(index)];
                    let mut direction = normals(&mut streams.indexed(name, index as u64), info.len());
                    match normalisation {
                        Normalisation::Filter => normalise(&mut direction, weights, filters),
                        Normalisation::Layer => normalise(&mut direction, weights, Filters::Whole),
                        Normalisation::Weight => direction.iter_mut().zip(weights).for_each(|(d, w)| *d *= w),
                        Normalisation::None => return [direction, weights.to_vec()],
                    }
                    [direction, Vec::new()]
                })
                .collect();
            let (mut direction, mut moved) = (Vec::with_capacity(layout.total()), Vec::new());
            for [piece, weights] in pieces {
                direction.extend(piece);
                moved.extend(weights);
            }
            if normalisation == Normalisation::None {
                let length = norm(&direction);
                scale(if length > 0.0 { norm(&moved) / length } else { 0.0 }, &mut direction);
            }
            direction.into_iter().map(|x| x as f32).collect()
        };
        Self { d: draw("probe/landscape/d"), e: draw("probe/landscape/e") }
    }

    /// Both axes `unit` long and at a right angle: distances on the picture are distances between parameters, over
    /// `unit`. `d` and `e` as [`orthonormal`] makes them.
    pub fn isometric([d, e]: [&[f64]; 2], unit: f64) -> Self {
        let long = |v: &[f64]| v.iter().map(|x| (unit * x) as f32).collect();
        Self { d: long(d), e: long(e) }
    }
}

/// Share of a vector that must be left beside another for the two to span a plane.
const INDEPENDENT: f64 = 1e-5;

/// `d / |d|`, and the part of `e` orthogonal to it, of length 1 (Gram and Schmidt). The first is `None` for a `d` of
/// length zero or that isn't finite; the second, too, if nothing to speak of is left of `e` beside `d`.
pub fn orthonormal(d: &[f64], e: &[f64]) -> [Option<Vec<f64>>; 2] {
    let unit = |v: &[f64], whole: f64| {
        let length = norm(v);
        (length.is_finite() && length > INDEPENDENT * whole && length > 0.0).then(|| {
            let mut v = v.to_vec();
            scale(1.0 / length, &mut v);
            v
        })
    };
    let Some(d) = unit(d, 0.0) else { return [None, None] };
    let mut rest = e.to_vec();
    // Twice is enough.
    for _ in 0..2 {
        axpy(-dot(&d, &rest), &d, &mut rest);
    }
    let e = unit(&rest, norm(e));
    [Some(d), e]
}

/// Which entries of a row-major matrix belong together, with its width.
#[derive(Clone, Copy)]
enum Filters {
    Columns(usize),
    Rows(usize),
    Whole,
}

fn normalise(direction: &mut [f64], weights: &[f64], filters: Filters) {
    let (width, count) = match filters {
        Filters::Columns(width) => (width, width),
        Filters::Rows(width) => (width, direction.len() / width),
        Filters::Whole => (direction.len(), 1),
    };
    let filter_of = |at: usize| match filters {
        Filters::Columns(_) => at % width,
        Filters::Rows(_) => at / width,
        Filters::Whole => 0,
    };
    let mut squares = vec![[0.0; 2]; count];
    for (at, (d, w)) in direction.iter().zip(weights).enumerate() {
        let sums = &mut squares[filter_of(at)];
        sums[0] += w * w;
        sums[1] += d * d;
    }
    let factors: Vec<f64> = squares.iter().map(|[w, d]| if *d > 0.0 { (w / d).sqrt() } else { 0.0 }).collect();
    for (at, d) in direction.iter_mut().enumerate() {
        *d *= factors[filter_of(at)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let mut layout = Layout::default();
        layout.push("a", "tokens", &[5, 3], Role::Embedding);
        layout.push("a", "weight", &[3, 4], Role::Hidden);
        layout.push("a", "bias", &[4], Role::Bias);
        layout.push("a", "gain", &[4], Role::Gain);
        layout
    }

    fn params() -> Vec<f64> {
        (0..layout().total()).map(|i| (i as f64 * 0.7).sin() * (1.0 + i as f64)).collect()
    }

    fn norm(xs: impl Iterator<Item = f64>) -> f64 {
        xs.map(|x| x * x).sum::<f64>().sqrt()
    }

    #[test]
    fn every_filter_is_as_long_as_its_weights() {
        let (layout, w) = (layout(), params());
        let Directions { d, e } = Directions::random(&layout, &w, &Streams::new(1));
        assert_ne!(d, e);
        for v in [d, e] {
            let v: Vec<f64> = v.into_iter().map(f64::from).collect();
            for row in 0..5 {
                let at = row * 3..row * 3 + 3;
                let (a, b) = (norm(v[at.clone()].iter().copied()), norm(w[at].iter().copied()));
                assert!((a - b).abs() < 1e-6 * b, "row {row}: {a} {b}");
            }
            for column in 0..4 {
                let pick = |x: &[f64]| norm((0..3).map(|row| x[15 + row * 4 + column]));
                assert!((pick(&v) - pick(&w)).abs() < 1e-6 * pick(&w), "column {column}");
            }
            assert!(v[27..].iter().all(|&x| x == 0.0), "biases and gains are held");
        }
    }

    #[test]
    fn draws_stay_the_same_while_weights_change() {
        let (layout, w) = (layout(), params());
        let doubled: Vec<f64> = w.iter().map(|x| 2.0 * x).collect();
        let streams = Streams::new(4);
        let (a, b) = (Directions::random(&layout, &w, &streams), Directions::random(&layout, &doubled, &streams));
        assert!(a.d.iter().zip(&b.d).all(|(a, b)| (2.0 * a - b).abs() <= 1e-6 * b.abs()));
        assert_eq!(a, Directions::random(&layout, &w, &streams));
        assert_ne!(a, Directions::random(&layout, &w, &Streams::new(5)));
    }

    #[test]
    fn normalisations_give_the_lengths_they_promise() {
        let (layout, w) = (layout(), params());
        let make = |normalisation| {
            let Directions { d, e } = Directions::scaled(&layout, &w, &Streams::new(1), normalisation);
            assert!(d[27..].iter().chain(&e[27..]).all(|&x| x == 0.0), "biases and gains are held");
            [d, e].map(|v| v.into_iter().map(f64::from).collect::<Vec<_>>())
        };
        let length = |v: &[f64]| norm(v.iter().copied());
        for v in make(Normalisation::Layer) {
            for range in [0..15, 15..27] {
                let (a, b) = (length(&v[range.clone()]), length(&w[range]));
                assert!((a - b).abs() < 1e-6 * b, "{a} {b}");
            }
        }
        // One factor for all entries: where weights are ten times as large, the direction isn't.
        let raw = make(Normalisation::None);
        for v in &raw {
            assert!((length(v) - length(&w[..27])).abs() < 1e-6 * length(v));
        }
        for (v, raw) in make(Normalisation::Weight).iter().zip(&raw) {
            // The very first weight is 0.
            let draws: Vec<f64> = (1..27).map(|i| v[i] / w[i] / raw[i]).collect();
            assert!(draws.iter().all(|ratio| (ratio / draws[0] - 1.0).abs() < 1e-5), "the same draws: {draws:?}");
        }
    }

    #[test]
    fn pairs_become_orthonormal_or_say_that_they_span_nothing() {
        let d: Vec<f64> = (0..30).map(|i| (f64::from(i) * 0.9).sin() * 40.0).collect();
        let e: Vec<f64> = d.iter().enumerate().map(|(i, d)| 3.0 * d + 1e-2 * (i as f64).cos()).collect();
        let [Some(u), Some(v)] = orthonormal(&d, &e) else { panic!("nearly parallel is not parallel") };
        assert!((dot(&u, &u) - 1.0).abs() < 1e-14 && (dot(&v, &v) - 1.0).abs() < 1e-14 && dot(&u, &v).abs() < 1e-14);
        assert!(dot(&v, &e) > 0.0);
        let twice: Vec<f64> = d.iter().map(|x| -2.0 * x).collect();
        assert!(matches!(orthonormal(&d, &twice), [Some(_), None]));
        assert!(matches!(orthonormal(&[0.0; 30], &d), [None, None]));
        assert!(matches!(orthonormal(&[f64::NAN; 30], &d), [None, None]));
    }

    #[test]
    fn filters_of_zeros_get_no_direction() {
        let (layout, mut w) = (layout(), params());
        w[0..3].fill(0.0);
        let directions = Directions::random(&layout, &w, &Streams::new(1));
        assert!(directions.d[0..3].iter().all(|&x| x == 0.0));
        assert!(directions.d[3..6].iter().all(|&x| x.is_finite() && x != 0.0));
    }
}
