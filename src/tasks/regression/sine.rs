//! One period after another.

use std::f64::consts::PI;

use crate::base::rng::{Streams, uniforms};
use crate::tasks::budget;
use crate::tasks::data::{Inputs, Split, Targets, Task};
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;

const TRAIN: usize = 256;
const TEST: usize = 500;

/// `y = sqrt(2) sin(2 pi u)` for u uniform on [-1, 1): two periods. The network sees `sqrt(3) u`. Input and
/// target have mean 0 and variance 1 over the distribution, so a squared error of 1 is that of the constant 0.
///
/// # Errors
/// [`TaskError::TooLarge`].
pub fn load(spec: &TaskSpec, streams: &Streams) -> Result<Task, TaskError> {
    let n = budget::generated(spec.train_size, TRAIN, 2 * size_of::<f32>())?;
    let split = |part: &str, n: usize| {
        let at = uniforms(&mut streams.stream(&format!("task/sine/{part}")), n, -1.0, 1.0);
        Split {
            inputs: Inputs::Features {
                values: at.iter().map(|u| (3.0_f64.sqrt() * u) as f32).collect(),
                shape: vec![1],
            },
            targets: Targets::Values {
                values: at.iter().map(|u| (2.0_f64.sqrt() * (2.0 * PI * u).sin()) as f32).collect(),
                outputs: 1,
            },
        }
    };
    Ok(Task {
        title: "Sine".into(),
        train: split("train", n),
        test: split("test", TEST),
        class_names: Vec::new(),
        source: "Generated: two periods of a sine of unit variance, no noise; the loss can approach 0".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_sine_of_the_inputs_with_unit_variance() {
        let task = load(&TaskSpec { train_size: 20_000, ..TaskSpec::default() }, &Streams::new(0)).unwrap();
        let (Inputs::Features { values: x, .. }, Targets::Values { values: y, .. }) =
            (&task.train.inputs, &task.train.targets)
        else {
            panic!("numbers")
        };
        for (x, y) in x.iter().zip(y) {
            let expected = 2.0_f64.sqrt() * (2.0 * PI * f64::from(*x) / 3.0_f64.sqrt()).sin();
            assert!((f64::from(*y) - expected).abs() < 1e-5);
        }
        for values in [x, y] {
            let square = values.iter().map(|v| f64::from(v * v)).sum::<f64>() / 20_000.0;
            // Var(y^2) = 1/2, Var(x^2) = 4/5: four standard errors are 0.025.
            assert!((square - 1.0).abs() < 0.026, "{square}");
        }
    }
}
