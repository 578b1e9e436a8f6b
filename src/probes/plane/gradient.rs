//! The gradient and the last update: what the optimiser sees and what it does.

use candle_core::Result;

use crate::base::digits::number;
use crate::linalg::vectors::{dot, norm};
use crate::nn::params::Params;
use crate::nn::slice::directions::{Directions, orthonormal};
use crate::nn::training;
use crate::probes::job::Subject;

use super::{Plane, Preparation, displacement, random};

/// Lengths of the last update that make a unit of the axes: one alone would hardly be seen.
const UPDATES: f64 = 10.0;

/// Axis 1: the gradient of the slice's examples, uphill. Axis 2: what of the last update (the step from the path's
/// last point but one) is orthogonal to it.
pub(super) struct Gradient {
    subject: Subject,
    examples: usize,
}

impl Gradient {
    pub fn new(subject: &Subject, examples: usize) -> Self {
        Self { subject: subject.clone(), examples }
    }
}

impl Preparation for Gradient {
    fn advance(&mut self) -> Result<Option<Plane>> {
        let subject = &self.subject;
        let layout = subject.model.layout();
        let now = layout.flatten(&subject.params)?;
        let params = Params::from_flat(layout.clone(), &now, subject.dtype, &subject.device)?;
        let batch = subject.batch(self.examples)?;
        let gradient = training::gradient(&*subject.model, &params, &batch, &subject.loss)?;
        let gradient = layout.flatten(&gradient.tensors)?;
        let last = subject.path.iter().rev().find(|point| point.step < subject.step);
        let update: Option<(u64, Vec<f64>)> = last.map(|point| {
            let back = displacement(point, &now);
            (point.step, back.iter().map(|x| -x).collect())
        });
        let (size, length) = (norm(&gradient), update.as_ref().map_or(0.0, |(_, update)| norm(update)));
        let towards = match &update {
            Some((_, update)) if length > 0.0 => update.clone(),
            _ => random::direction(subject, &now),
        };
        let [Some(d), e] = orthonormal(&gradient, &towards) else {
            return random::instead(subject, "the gradient is zero or isn't finite").map(Some);
        };
        let other = random::direction(subject, &now);
        let parallel = e.is_none();
        let Some(e) = e.or_else(|| orthonormal(&gradient, &other)[1].take()) else {
            return random::instead(subject, "nothing is orthogonal to the gradient").map(Some);
        };
        let (second, of_it) = match &update {
            Some((from, update)) if length > 0.0 => {
                let cosine = dot(&d, update) / length;
                let name =
                    if from + 1 == subject.step { "last update".to_owned() } else { format!("way since step {from}") };
                let second = if parallel { "random direction".to_owned() } else { name.clone() };
                (second, format!("the {name}'s part orthogonal to it (their cosine is {cosine:.2})"))
            }
            _ => {
                ("random direction".to_owned(), "a random direction orthogonal to it, as nothing has moved yet".into())
            }
        };
        let (unit, how) = if length > 0.0 {
            (UPDATES * length, format!("{UPDATES} times as long as that moved"))
        } else {
            (norm(&now), "as long as all parameters".into())
        };
        Ok(Some(Plane {
            directions: Directions::isometric([&d, &e], unit),
            axes: [format!("gradient, uphill (norm {})", number(size)), second],
            description: format!("the gradient and {of_it}; 1 on the axes is a distance of {}, {how}", number(unit)),
        }))
    }
}
