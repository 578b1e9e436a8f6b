//! Losses and accuracy.

use candle_core::{D, DType, Result, Tensor};

use super::batch::TargetTensor;
use super::ops::cross_entropy::{cross_entropy, one_hot};
use super::spec::{LossKind, LossSpec};

/// The loss as a scalar tensor.
///
/// Cross-entropy: `sum_r w_r (-log softmax(outputs_r / temperature)[label_r]) / graded`. Squared error:
/// `sum_r w_r |outputs_r - target_r|^2 / (graded C)`, with one-hot targets where there are labels. Targets that are
/// numbers are always compared by the squared error. Outputs `[R, C]`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn loss(outputs: &Tensor, targets: &TargetTensor, spec: &LossSpec) -> Result<Tensor> {
    match targets {
        TargetTensor::Values(values) => (outputs - values)?.sqr()?.mean_all(),
        TargetTensor::Classes { labels, weights, graded, .. } => {
            // Nothing graded: the loss is zero, not 0/0.
            let share = 1.0 / (*graded).max(1) as f64;
            match spec.kind {
                LossKind::CrossEntropy => {
                    let weights = match weights {
                        Some(weights) => (weights * share)?,
                        None => Tensor::full(share, labels.elem_count(), labels.device())?.to_dtype(outputs.dtype())?,
                    };
                    cross_entropy(outputs, labels, &weights, spec.temperature.recip())
                }
                LossKind::Mse => {
                    let classes = outputs.dim(1)?;
                    let squares = (outputs - one_hot(labels, classes, outputs)?)?.sqr()?;
                    let squares = match weights {
                        Some(weights) => squares.broadcast_mul(&weights.unsqueeze(1)?)?,
                        None => squares,
                    };
                    squares.sum_all()? * (share / classes as f64)
                }
            }
        }
    }
}

/// `(correct, graded)`: rows whose largest output is at the label, of the rows that are graded. `(0, 0)` for
/// targets that are numbers.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn correct(outputs: &Tensor, targets: &TargetTensor) -> Result<(usize, usize)> {
    let TargetTensor::Classes { labels, weights, graded, .. } = targets else { return Ok((0, 0)) };
    let hits = outputs.detach().argmax(D::Minus1)?.eq(labels)?.to_dtype(DType::F32)?;
    let hits = match weights {
        Some(weights) => (hits * weights.to_dtype(DType::F32)?)?,
        None => hits,
    };
    // Counted in f64: f32 sums lose ones beyond 2^24.
    let count: f64 = hits.to_vec1::<f32>()?.iter().map(|&hit| f64::from(hit)).sum();
    Ok((count as usize, *graded))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn outputs() -> Tensor {
        Tensor::new(&[[1.0, 2.0, -1.0], [0.5, 0.0, 3.0], [9.0, 9.0, 9.5]], &Device::Cpu).unwrap()
    }

    fn classes(weights: Option<[f64; 3]>) -> TargetTensor {
        TargetTensor::Classes {
            labels: Tensor::new(&[1u32, 0, 2], &Device::Cpu).unwrap(),
            weights: weights.map(|w| Tensor::new(&w, &Device::Cpu).unwrap()),
            graded: weights.map_or(3, |w| w.iter().sum::<f64>() as usize),
            classes: 3,
        }
    }

    fn value(targets: &TargetTensor, kind: LossKind, temperature: f64) -> f64 {
        loss(&outputs(), targets, &LossSpec { kind, temperature }).unwrap().to_scalar().unwrap()
    }

    #[track_caller]
    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-14 * b.abs().max(1.0), "{a} {b}");
    }

    #[test]
    fn cross_entropy_is_its_formula_with_temperature_and_weights() {
        let row = |z: [f64; 3], label: usize, t: f64| -> f64 {
            z.iter().map(|z| (z / t).exp()).sum::<f64>().ln() - z[label] / t
        };
        for t in [1.0, 0.5, 4.0] {
            let rows = [row([1.0, 2.0, -1.0], 1, t), row([0.5, 0.0, 3.0], 0, t), row([9.0, 9.0, 9.5], 2, t)];
            close(value(&classes(None), LossKind::CrossEntropy, t), rows.iter().sum::<f64>() / 3.0);
            let weighted = value(&classes(Some([1.0, 0.0, 1.0])), LossKind::CrossEntropy, t);
            close(weighted, (rows[0] + rows[2]) / 2.0);
        }
    }

    #[test]
    fn squared_error_takes_labels_as_one_hot() {
        let rows = [1.0 + 1.0 + 1.0, 0.25 + 0.0 + 9.0, 81.0 + 81.0 + 72.25];
        close(value(&classes(None), LossKind::Mse, 7.0), rows.iter().sum::<f64>() / 9.0);
        close(value(&classes(Some([0.0, 1.0, 0.0])), LossKind::Mse, 1.0), rows[1] / 3.0);
    }

    #[test]
    fn numbers_are_always_compared_by_the_squared_error() {
        let targets = TargetTensor::Values(outputs().affine(1.0, 0.5).unwrap());
        close(value(&targets, LossKind::CrossEntropy, 1.0), 0.25);
        assert_eq!(correct(&outputs(), &targets).unwrap(), (0, 0));
    }

    #[test]
    fn nothing_graded_is_no_loss() {
        close(value(&classes(Some([0.0; 3])), LossKind::CrossEntropy, 1.0), 0.0);
    }

    #[test]
    fn accuracy_counts_graded_rows_only() {
        assert_eq!(correct(&outputs(), &classes(None)).unwrap(), (2, 3));
        assert_eq!(correct(&outputs(), &classes(Some([0.0, 1.0, 1.0]))).unwrap(), (1, 2));
    }
}
