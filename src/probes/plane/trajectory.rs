//! The principal components of the path: the plane that sees the most of where training came from.

use candle_core::Result;
use rayon::prelude::*;

use crate::base::digits::number;
use crate::linalg::pca::components;
use crate::linalg::vectors::{axpy, dot};
use crate::nn::slice::directions::orthonormal;
use crate::probes::job::Subject;
use crate::theory::random_walk::component_share;

use super::{Framed, Plane, Preparation, displacement, framed, percents, random};

/// Principal components of the kept points of the path, centred on their mean (Li et al. 2018, section 7; their code's
/// `projection.py`), while coordinates are relative to the current parameters.
///
/// The shares of a path say little by themselves: a random walk in many dimensions has large ones, too, and the
/// description says which.
pub(super) struct Trajectory {
    subject: Subject,
    now: Vec<f64>,
    /// `<w_i - w, w_j - w>` for `j <= i`, row by row, as far as they have been computed.
    gram: Vec<f64>,
    rows: usize,
}

impl Trajectory {
    pub fn new(subject: &Subject) -> Result<Self> {
        let n = subject.path.len();
        let now = subject.model.layout().flatten(&subject.params)?;
        Ok(Self { subject: subject.clone(), now, gram: vec![0.0; n * n], rows: 0 })
    }

    fn row(&mut self) {
        let Self { subject, now, gram, rows } = self;
        let (path, i) = (&subject.path, *rows);
        let moved = displacement(&path[i], now);
        gram[i * path.len()..][..=i]
            .par_iter_mut()
            .zip(&path[..=i])
            .for_each(|(entry, point)| *entry = dot(&moved, &displacement(point, now)));
        *rows += 1;
    }

    /// The component with the given weights.
    fn combine(&self, weights: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.now.len()];
        for (point, &weight) in self.subject.path.iter().zip(weights) {
            axpy(weight, &displacement(point, &self.now), &mut sum);
        }
        sum
    }
}

impl Preparation for Trajectory {
    fn advance(&mut self) -> Result<Option<Plane>> {
        let path = self.subject.path.clone();
        if self.rows < path.len() {
            self.row();
            return Ok(None);
        }
        let found = components(path.len(), &self.gram).filter(|found| path.len() > 1 && found.share(0) > 0.0);
        let Some(found) = found else { return random::instead(&self.subject, "nothing has moved yet").map(Some) };
        let other = if path.len() > 2 { self.combine(&found.weights[1]) } else { Vec::new() };
        let first = self.combine(&found.weights[0]);
        let second = if other.is_empty() { first.clone() } else { other };
        let [Some(mut d), e] = orthonormal(&first, &second) else {
            return random::instead(&self.subject, "nothing has moved yet").map(Some);
        };
        let straight = e.is_none();
        let Some(mut e) = e.or_else(|| orthonormal(&d, &random::direction(&self.subject, &self.now))[1].take()) else {
            return random::instead(&self.subject, "the path is a straight line").map(Some);
        };
        // The path comes from the left, and its middle lies above the line.
        if dot(&d, &displacement(&path[0], &self.now)) > 0.0 {
            d.iter_mut().for_each(|x| *x = -*x);
        }
        if dot(&e, &displacement(&path[path.len() / 2], &self.now)) < 0.0 {
            e.iter_mut().for_each(|x| *x = -*x);
        }
        let Framed { directions, unit, off_plane } = framed(&path, &self.now, [&d, &e]);
        let walk = [1, 2].map(|k| percents(component_share(path.len(), k)));
        let shares = [0, 1].map(|k| percents(found.share(k)));
        let second = if straight { "random direction".to_owned() } else { format!("PC 2 ({})", shares[1]) };
        Ok(Some(Plane {
            directions,
            axes: [format!("PC 1 ({})", shares[0]), second],
            description: format!(
                "principal components of {} points of the path, with {} and {} of its variance (a random walk as long: \
                 {} and {}); 1 on the axes is a distance of {}; the path leaves the plane by at most {}",
                path.len(),
                shares[0],
                shares[1],
                walk[0],
                walk[1],
                number(unit),
                number(off_plane)
            ),
        }))
    }
}
