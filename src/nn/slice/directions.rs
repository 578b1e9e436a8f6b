//! Random directions in the space of the parameters, as long as the parameters are.

use rayon::prelude::*;

use crate::base::rng::{Streams, normals};
use crate::nn::params::{Layout, Role};

/// How [`Directions::random`] are made, for the corner of the picture.
pub const DESCRIPTION: &str = "two random directions, filter-normalised, biases and gains held";

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
        let draw = |name: &str| {
            let pieces: Vec<Vec<f32>> = (0..layout.infos().len())
                .into_par_iter()
                .map(|index| {
                    let info = &layout.infos()[index];
                    let filters = match info.role {
                        Role::Bias | Role::Gain => return vec![0.0; info.len()],
                        Role::Input | Role::Hidden | Role::Output => Filters::Columns(info.shape[1]),
                        Role::Embedding | Role::Position => Filters::Rows(info.shape[1]),
                    };
                    let mut direction = normals(&mut streams.indexed(name, index as u64), info.len());
                    normalise(&mut direction, &params[layout.range(index)], filters);
                    direction.into_iter().map(|x| x as f32).collect()
                })
                .collect();
            pieces.concat()
        };
        Self { d: draw("probe/landscape/d"), e: draw("probe/landscape/e") }
    }
}

/// Which entries of a row-major matrix belong together, with its width.
#[derive(Clone, Copy)]
enum Filters {
    Columns(usize),
    Rows(usize),
}

fn normalise(direction: &mut [f64], weights: &[f64], filters: Filters) {
    let (width, count) = match filters {
        Filters::Columns(width) => (width, width),
        Filters::Rows(width) => (width, direction.len() / width),
    };
    let filter_of = |at: usize| match filters {
        Filters::Columns(_) => at % width,
        Filters::Rows(_) => at / width,
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
    fn filters_of_zeros_get_no_direction() {
        let (layout, mut w) = (layout(), params());
        w[0..3].fill(0.0);
        let directions = Directions::random(&layout, &w, &Streams::new(1));
        assert!(directions.d[0..3].iter().all(|&x| x == 0.0));
        assert!(directions.d[3..6].iter().all(|&x| x.is_finite() && x != 0.0));
    }
}
