//! The plane through three points of the path: the start, one on the way, and here.

use candle_core::Result;
use serde::{Deserialize, Serialize};

use crate::base::digits::number;
use crate::linalg::vectors::dot;
use crate::nn::slice::directions::orthonormal;
use crate::probes::job::{PastPoint, Subject};

use super::{Framed, Plane, Preparation, displacement, framed, random};

/// Which point on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// The one half way, by steps.
    #[default]
    Middle,
    /// The one whose minibatch had the least loss.
    Best,
    /// The one farthest from the straight line between start and here.
    Farthest,
}

/// As Garipov et al. 2018 draw it ("Loss surfaces, mode connectivity, and fast ensembling of DNNs", appendix A.1): the
/// first axis through two of the points, the second orthogonal to it, both of one length, so that distances on the
/// picture are distances between parameters. The current parameters are the origin.
pub(super) struct Checkpoints {
    subject: Subject,
    choice: Choice,
}

impl Checkpoints {
    pub fn new(subject: &Subject, choice: Choice) -> Self {
        Self { subject: subject.clone(), choice }
    }
}

/// The chosen point of `past`, which has the start first.
fn chosen<'a>(choice: Choice, past: &[&'a PastPoint], now: &[f64], step: u64) -> Option<&'a PastPoint> {
    let start = *past.first()?;
    let half = u64::midpoint(start.step, step);
    let middle = || past.iter().min_by_key(|point| point.step.abs_diff(half)).copied();
    // Those before the first: the start can't span a plane with itself.
    let way = past.get(1..)?;
    match choice {
        Choice::Middle => middle(),
        Choice::Best => {
            let known = way.iter().filter(|point| point.loss.is_finite());
            known.min_by(|a, b| a.loss.total_cmp(&b.loss)).copied().or_else(middle)
        }
        Choice::Farthest => {
            let line = displacement(start, now);
            let length = dot(&line, &line);
            let off = |point: &PastPoint| {
                let here = displacement(point, now);
                let along = dot(&here, &line);
                dot(&here, &here) - if length > 0.0 { along * along / length } else { 0.0 }
            };
            let far = way.iter().map(|point| (off(point), *point));
            far.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, point)| point).or_else(middle)
        }
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
        let middle = chosen(self.choice, &past, &now, subject.step).unwrap_or(start);
        let why = match self.choice {
            Choice::Middle => "",
            Choice::Best => " (of the least minibatch loss)",
            Choice::Farthest => " (the farthest from the line)",
        };
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
                format!("through steps {}, {}{why} and here", start.step, middle.step),
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
