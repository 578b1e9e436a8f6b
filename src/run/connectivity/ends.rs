//! The networks one by one, and all together.

use crate::nn::ensemble::{BINS, Probabilities, calibration_error, report};
use crate::record::connectivity::{End, Grades, Together};

/// `None` without examples.
pub(super) fn grades(probabilities: &Probabilities, labels: &[u32]) -> Option<Grades> {
    let whole = !labels.is_empty() && probabilities.len() == labels.len();
    whole.then(|| Grades {
        accuracy: probabilities.accuracy(labels),
        nll: probabilities.nll(labels),
        calibration_error: calibration_error(probabilities, labels, BINS),
    })
}

pub(super) fn end(name: &str, norm: f64, loss: f64, grades: Option<Grades>) -> End {
    End { name: name.into(), norm, loss, grades }
}

/// The ensemble beside the mean and the best of its members; `None` without members or labels.
pub(super) fn together(members: &[Probabilities], labels: &[u32]) -> Option<Together> {
    let found = report(members, labels)?;
    let each: Vec<Grades> = members.iter().filter_map(|member| grades(member, labels)).collect();
    let mean = |of: fn(&Grades) -> f64| each.iter().map(of).sum::<f64>() / each.len() as f64;
    let least = |of: fn(&Grades) -> f64| each.iter().map(of).fold(f64::INFINITY, f64::min);
    Some(Together {
        members: found.members,
        ensemble: Grades { accuracy: found.accuracy, nll: found.nll, calibration_error: found.calibration_error },
        mean: Grades {
            accuracy: found.member_accuracy,
            nll: found.member_nll,
            calibration_error: mean(|g| g.calibration_error),
        },
        best: Grades {
            accuracy: -least(|g| -g.accuracy),
            nll: least(|g| g.nll),
            calibration_error: least(|g| g.calibration_error),
        },
        disagreement: found.disagreement,
    })
}
