//! Two random directions: what most of the landscape looks like.

use candle_core::Result;

use crate::nn::slice::directions::{Directions, Normalisation};
use crate::probes::job::Subject;

use super::{Plane, Preparation};

pub(super) struct Random {
    subject: Subject,
    normalisation: Normalisation,
}

impl Random {
    pub fn new(subject: &Subject, normalisation: Normalisation) -> Self {
        Self { subject: subject.clone(), normalisation }
    }
}

impl Preparation for Random {
    fn advance(&mut self) -> Result<Option<Plane>> {
        plane(&self.subject, self.normalisation).map(Some)
    }
}

fn plane(subject: &Subject, normalisation: Normalisation) -> Result<Plane> {
    let layout = subject.model.layout();
    let params = layout.flatten(&subject.params)?;
    Ok(Plane {
        directions: Directions::scaled(layout, &params, &subject.streams, normalisation),
        axes: ["direction 1".into(), "direction 2".into()],
        description: normalisation.description().into(),
    })
}

/// What is shown where the wanted plane doesn't exist, with the reason.
pub(super) fn instead(subject: &Subject, reason: &str) -> Result<Plane> {
    let plane = plane(subject, Normalisation::Filter)?;
    Ok(Plane { description: format!("{reason}, so {}", plane.description), ..plane })
}

/// A filter-normalised direction, for a second axis where the wanted one doesn't exist.
pub(super) fn direction(subject: &Subject, params: &[f64]) -> Vec<f64> {
    let Directions { e, .. } = Directions::random(subject.model.layout(), params, &subject.streams);
    e.into_iter().map(f64::from).collect()
}
