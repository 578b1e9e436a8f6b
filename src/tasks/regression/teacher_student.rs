//! A random network teaches another.

use crate::base::rng::{Stream, Streams, normals};
use crate::tasks::budget;
use crate::tasks::data::{Inputs, Split, Targets, Task};
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;

const INPUTS: usize = 20;
const HIDDEN: usize = 8;
const TRAIN: usize = 2_000;
const TEST: usize = 1_000;
/// Draws behind the teacher's mean and deviation.
const SCALE_DRAWS: usize = 4_096;

/// `y = a . tanh(W x)`, centred and scaled.
struct Teacher {
    /// `[HIDDEN, INPUTS]`, normal with deviation `2 / sqrt(INPUTS)`: preactivations of deviation 2, well into the bend.
    weights: Vec<f64>,
    /// `[HIDDEN]`, standard normal.
    readout: Vec<f64>,
    mean: f64,
    deviation: f64,
}

impl Teacher {
    fn new(streams: &Streams) -> Self {
        let mut stream = streams.stream("task/teacher-student/teacher");
        let gain = 2.0 / (INPUTS as f64).sqrt();
        let weights = normals(&mut stream, HIDDEN * INPUTS).iter().map(|w| gain * w).collect();
        let readout = normals(&mut stream, HIDDEN);
        let mut teacher = Self { weights, readout, mean: 0.0, deviation: 1.0 };
        // Draws of their own, so that the scale of the problem doesn't depend on how many examples are trained on.
        let mut stream = streams.stream("task/teacher-student/scale");
        let outputs: Vec<f64> = (0..SCALE_DRAWS).map(|_| teacher.answer(&normals(&mut stream, INPUTS))).collect();
        let n = SCALE_DRAWS as f64;
        teacher.mean = outputs.iter().sum::<f64>() / n;
        teacher.deviation = (outputs.iter().map(|y| (y - teacher.mean).powi(2)).sum::<f64>() / n).sqrt();
        teacher
    }

    fn answer(&self, x: &[f64]) -> f64 {
        let hidden = self.weights.chunks_exact(INPUTS).map(|w| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>().tanh());
        let raw: f64 = hidden.zip(&self.readout).map(|(h, a)| a * h).sum();
        (raw - self.mean) / self.deviation
    }

    fn split(&self, n: usize, stream: &mut Stream) -> Split {
        let mut values = Vec::with_capacity(n * INPUTS);
        let mut targets = Vec::with_capacity(n);
        for _ in 0..n {
            // The teacher sees the very numbers the student sees.
            let x: Vec<f64> = normals(stream, INPUTS).iter().map(|&v| f64::from(v as f32)).collect();
            targets.push(self.answer(&x) as f32);
            values.extend(x.iter().map(|&v| v as f32));
        }
        Split {
            inputs: Inputs::Features { values, shape: vec![INPUTS] },
            targets: Targets::Values { values: targets, outputs: 1 },
        }
    }
}

/// Standard normal inputs `[20]`; targets of a random network of eight tanh neurons (compare
/// D. Saad, S. A. Solla 1995), centred and scaled to mean 0 and variance 1 by 4,096 further draws: a squared
/// error of 1 is that of the constant 0.
///
/// # Errors
/// [`TaskError::TooLarge`].
pub fn load(spec: &TaskSpec, streams: &Streams) -> Result<Task, TaskError> {
    let n = budget::generated(spec.train_size, TRAIN, (INPUTS + 1) * size_of::<f32>())?;
    let teacher = Teacher::new(streams);
    Ok(Task {
        title: "Teacher and student".into(),
        train: teacher.split(n, &mut streams.stream("task/teacher-student/train")),
        test: teacher.split(TEST, &mut streams.stream("task/teacher-student/test")),
        class_names: Vec::new(),
        source: "Generated: a random network of 20 inputs and 8 tanh neurons, no noise; a student of at least that \
                 width can approach the loss 0"
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_teachers_answers_with_unit_variance() {
        let streams = Streams::new(1);
        let task = load(&TaskSpec { train_size: 10_000, ..TaskSpec::default() }, &streams).unwrap();
        let teacher = Teacher::new(&streams);
        let (Inputs::Features { values: x, shape }, Targets::Values { values: y, .. }) =
            (&task.train.inputs, &task.train.targets)
        else {
            panic!("numbers")
        };
        assert_eq!(shape, &[INPUTS]);
        for (x, y) in x.chunks_exact(INPUTS).zip(y).take(100) {
            let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
            assert_eq!(teacher.answer(&x) as f32, *y);
        }
        let mean = y.iter().map(|&v| f64::from(v)).sum::<f64>() / 1e4;
        let square = y.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 1e4;
        // Two independent samples, of 10,000 and of 4,096: four standard errors of their difference.
        assert!(mean.abs() < 0.075 && (square - 1.0).abs() < 0.12, "{mean} {square}");
    }

    #[test]
    fn the_teacher_is_nonlinear() {
        let teacher = Teacher::new(&Streams::new(0));
        let at = |scale: f64| teacher.answer(&[0.4 * scale; INPUTS]) * teacher.deviation + teacher.mean;
        assert!((at(2.0) - 2.0 * at(1.0)).abs() > 0.1);
    }
}
