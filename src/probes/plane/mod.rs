//! Planes through the parameters that slices are cut along: found first, in pieces, then looked at.

mod checkpoints;
mod eigenvectors;
mod gradient;
mod random;
mod trajectory;

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::Result;

use crate::nn::slice::directions::{DirectionKind, Directions, Normalisation};

use super::job::{PastPoint, Subject};
use super::projection::project;

pub use checkpoints::Choice;

/// A plane with what to write at its axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    pub directions: Directions,
    /// Such as `PC 1 (61 %)`.
    pub axes: [String; 2],
    /// How the plane was come by and how long one unit is, for the corner of the picture.
    pub description: String,
}

/// A plane that is being found.
pub trait Preparation: Send {
    /// Some milliseconds of work; the plane when it is done.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    fn advance(&mut self) -> Result<Option<Plane>>;
}

/// Where the last search for eigenvectors ended, for the next to begin at; and so that an axis doesn't turn over.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<[Option<Vec<f64>>; 2]>>);

impl Memory {
    fn get(&self, index: usize) -> Option<Vec<f64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[index].clone()
    }

    fn set(&self, index: usize, start: Vec<f64>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(start);
    }
}

/// Begins to look for a plane through the subject's parameters; `examples` as the slice will have.
///
/// # Errors
/// Whatever candle says of the device.
pub fn prepare(
    subject: &Subject,
    kind: DirectionKind,
    normalisation: Normalisation,
    choice: Choice,
    examples: usize,
    memory: &Memory,
) -> Result<Box<dyn Preparation>> {
    Ok(match kind {
        DirectionKind::Random => Box::new(random::Random::new(subject, normalisation)),
        DirectionKind::Hessian => Box::new(eigenvectors::Eigenvectors::new(subject, examples, memory)?),
        DirectionKind::Gradient => Box::new(gradient::Gradient::new(subject, examples)),
        DirectionKind::Trajectory => Box::new(trajectory::Trajectory::new(subject)?),
        DirectionKind::Checkpoints => Box::new(checkpoints::Checkpoints::new(subject, choice)),
    })
}

/// What one unit of the axes has beyond the farthest point of a path, so that all of it is seen at radius 1.
const MARGIN: f64 = 1.1;

/// Axes along the orthonormal `d` and `e`, long enough that `path` lies within one unit.
struct Framed {
    directions: Directions,
    /// Length of one unit.
    unit: f64,
    /// Largest distance of a point of the path from the plane.
    off_plane: f64,
}

fn framed(path: &[PastPoint], centre: &[f64], [d, e]: [&[f64]; 2]) -> Framed {
    let found = project(path, centre, &Directions::isometric([d, e], 1.0));
    let farthest = found.path.iter().map(|point| point.a.abs().max(point.b.abs())).fold(0.0, f32::max);
    let unit = if farthest > 0.0 { MARGIN * f64::from(farthest) } else { 1.0 };
    Framed { directions: Directions::isometric([d, e], unit), unit, off_plane: found.off_plane }
}

/// `w_then - w_now`
fn displacement(then: &PastPoint, now: &[f64]) -> Vec<f64> {
    then.params.iter().zip(now).map(|(then, now)| f64::from(*then) - now).collect()
}

/// A share as whole percents.
fn percents(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}
