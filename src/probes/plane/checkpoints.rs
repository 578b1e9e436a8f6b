//! The plane through three points of the path: the start, its middle, and here.

use candle_core::Result;

use crate::base::digits::number;
use crate::nn::slice::directions::orthonormal;
use crate::probes::job::Subject;

use super::{Framed, Plane, Preparation, displacement, framed, random};

/// As Garipov et al. 2018 draw it ("Loss surfaces, mode connectivity, and fast ensembling of DNNs", appendix A.1): the
/// first axis through two of the points, the second orthogonal to it, both of one length, so that distances on the
/// picture are distances between parameters. The current parameters are the origin.
pub(super) struct Checkpoints {
    subject: Subject,
}

impl Checkpoints {
    pub fn new(subject: &Subject) -> Self {
        Self { subject: subject.clone() }
    }
}

impl Preparation for Checkpoints {
    fn advance(&mut self) -> Result<Option<Plane>> {
        let subject = &self.subject;
        let now = subject.model.layout().flatten(&subject.params)?;
        let past: Vec<_> = subject.path.iter().filter(|point| point.step < subject.step).collect();
        let Some(start) = past.first() else {
            return random::instead(subject, "nothing has moved yet").map(Some);
        };
        let half = u64::midpoint(start.step, subject.step);
        let middle = past.iter().min_by_key(|point| point.step.abs_diff(half)).unwrap_or(start);
        // From the start, on the left, to the origin.
        let forward: Vec<f64> = displacement(start, &now).iter().map(|x| -x).collect();
        let [Some(d), e] = orthonormal(&forward, &displacement(middle, &now)) else {
            return random::instead(subject, "nothing has moved yet").map(Some);
        };
        let straight = e.is_none();
        let Some(e) = e.or_else(|| orthonormal(&forward, &random::direction(subject, &now))[1].take()) else {
            return random::instead(subject, "the path is a straight line").map(Some);
        };
        let Framed { directions, unit, off_plane } = framed(&subject.path, &now, [&d, &e]);
        let (second, through) = if straight {
            ("random direction".to_owned(), format!("through step {} and here", start.step))
        } else {
            (
                format!("off that line, towards step {}", middle.step),
                format!("through steps {}, {} and here", start.step, middle.step),
            )
        };
        Ok(Some(Plane {
            directions,
            axes: [format!("from step {} to here", start.step), second],
            description: format!(
                "plane {through}, true to scale; 1 on the axes is a distance of {}; the path leaves the plane by at most {}",
                number(unit),
                number(off_plane)
            ),
        }))
    }
}
