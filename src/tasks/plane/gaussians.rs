//! A mixture of overlapping normal distributions, whose best classifier is known.

use std::f64::consts::PI;

use super::Plane;
use crate::base::rng::{Stream, Streams, normals};
use crate::tasks::data::{Inputs, Split, Targets, Task};
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;

const CLASSES: u32 = 5;
const RADIUS: f64 = 1.5;
const DEVIATION: f64 = 0.5;

/// Class k of five: normal with deviation 0.5 around the k-th corner of a regular pentagon of radius 1.5.
///
/// Neighbouring classes overlap. The best possible classifier on the test split is computed by Bayes' rule and
/// stands in the task's source: its cross-entropy is the floor of the test loss.
///
/// # Errors
/// [`TaskError::TooLarge`].
pub fn load(spec: &TaskSpec, streams: &Streams) -> Result<Task, TaskError> {
    let plane = Plane { title: "Gaussian mixture", stream: "gaussians", source: String::new(), classes: CLASSES, draw };
    let mut task = plane.task(spec, streams)?;
    let (loss, accuracy) = best(&task.test);
    task.source = format!(
        "Generated: five normal distributions of deviation 0.5 on a pentagon of radius 1.5. The best possible \
         classifier (Bayes' rule) has the cross-entropy {loss:.4} nats and the accuracy {accuracy:.3} on this test split"
    );
    Ok(task)
}

fn centre(class: u32) -> [f64; 2] {
    let angle = 2.0 * PI * f64::from(class) / f64::from(CLASSES);
    [RADIUS * angle.cos(), RADIUS * angle.sin()]
}

fn draw(stream: &mut Stream, class: u32) -> [f64; 2] {
    let noise = normals(stream, 2);
    let [x, y] = centre(class);
    [x + DEVIATION * noise[0], y + DEVIATION * noise[1]]
}

/// `P(k | x)`, proportional to `exp(-|x - c_k|^2 / (2 s^2))` for equally likely classes.
fn posterior(x: f64, y: f64) -> Vec<f64> {
    let weights: Vec<f64> = (0..CLASSES)
        .map(|class| {
            let [cx, cy] = centre(class);
            (-((x - cx).powi(2) + (y - cy).powi(2)) / (2.0 * DEVIATION * DEVIATION)).exp()
        })
        .collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

/// Mean cross-entropy in nats and accuracy of Bayes' rule on `split`.
fn best(split: &Split) -> (f64, f64) {
    let (Inputs::Features { values, .. }, Targets::Classes { labels, .. }) = (&split.inputs, &split.targets) else {
        return (f64::NAN, f64::NAN);
    };
    let (mut loss, mut right) = (0.0, 0.0);
    for (point, &label) in values.chunks_exact(2).zip(labels) {
        let posterior = posterior(f64::from(point[0]), f64::from(point[1]));
        let likelihood = posterior[label as usize];
        loss -= likelihood.ln();
        right += f64::from(u8::from(posterior.iter().all(|&p| p <= likelihood)));
    }
    let n = labels.len().max(1) as f64;
    (loss / n, right / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bayes_rule_is_as_good_as_the_overlap_allows() {
        let posterior = posterior(RADIUS, 0.0);
        assert!((posterior.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        // At the first centre the neighbours are |c_0 - c_1| = 2 R sin(36 deg) = 1.763 away.
        let ratio = (-(2.0 * RADIUS * (PI / 5.0).sin()).powi(2) / 0.5).exp();
        assert!((posterior[1] / posterior[0] - ratio).abs() < 1e-12);
        let task = load(&TaskSpec::default(), &Streams::new(3)).unwrap();
        let (loss, accuracy) = best(&task.test);
        // Each side loses P(z > 1.763 / (2 * 0.5)) = 0.039: accuracy 0.922, standard error 0.012.
        assert!((accuracy - 0.922).abs() < 0.048, "{accuracy}");
        assert!((0.1..0.35).contains(&loss), "{loss}");
        assert!(task.source.contains(&format!("{loss:.4}")));
    }
}
