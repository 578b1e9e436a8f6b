//! Loss and accuracy of a block of outputs, without tensors and without allocating.

use candle_core::{DType, Result};

use crate::nn::batch::TargetTensor;
use crate::nn::ops::float::{Float, wide};
use crate::nn::spec::{LossKind, LossSpec};

use super::Tally;

/// What outputs are compared with: [`crate::nn::loss`], by hand.
pub(super) enum Graded<T> {
    Classes { labels: Vec<u32>, weights: Option<Vec<f64>>, kind: LossKind, inverse_temperature: T, share: f64 },
    Values { values: Vec<T>, share: f64 },
}

impl<T: Float> Graded<T> {
    /// For networks with `outputs` outputs.
    ///
    /// # Errors
    /// A label that isn't below `outputs`; whatever candle says of the device.
    pub fn new(targets: &TargetTensor, spec: &LossSpec, outputs: usize) -> Result<Self> {
        match targets {
            TargetTensor::Values(values) => {
                let values = values.flatten_all()?.to_vec1::<T>()?;
                let share = 1.0 / values.len().max(1) as f64;
                Ok(Self::Values { values, share })
            }
            TargetTensor::Classes { labels, weights, graded, .. } => {
                let labels = labels.to_vec1::<u32>()?;
                if let Some(label) = labels.iter().find(|&&label| label as usize >= outputs) {
                    candle_core::bail!("label {label} isn't one of {outputs} classes");
                }
                let weights = match weights {
                    Some(weights) => Some(weights.to_dtype(DType::F64)?.to_vec1::<f64>()?),
                    None => None,
                };
                // Nothing graded: the loss is zero, not 0/0.
                let mut share = 1.0 / (*graded).max(1) as f64;
                if spec.kind == LossKind::Mse {
                    share /= outputs as f64;
                }
                let inverse_temperature = T::of(spec.temperature.recip());
                Ok(Self::Classes { labels, weights, kind: spec.kind, inverse_temperature, share })
            }
        }
    }

    /// Adds what the rows `from..` of the outputs `h + bias` contribute; h `[R, C]` is overwritten.
    pub fn tally(&self, h: &mut [T], bias: &[T], from: usize) -> Tally {
        let classes = bias.len();
        match self {
            Self::Values { values, share } => {
                let targets = &values[from * classes..from * classes + h.len()];
                Tally { loss: squares(h, bias, targets) * share, correct: 0 }
            }
            Self::Classes { labels, weights, kind, inverse_temperature, share } => {
                let rows = h.len() / classes;
                let labels = &labels[from..from + rows];
                let weight = |row: usize| weights.as_ref().map_or(1.0, |weights| weights[from + row]);
                add(h, bias);
                let (loss, correct) = match kind {
                    LossKind::CrossEntropy => cross_entropy(h, labels, weight, *inverse_temperature),
                    LossKind::Mse => squared_error(h, labels, weight),
                };
                Tally { loss: loss * share, correct }
            }
        }
    }
}

wide! {
    /// `h <- h + bias` in every row.
    fn add[T: Float](h: &mut [T], bias: &[T]) {
        for row in h.chunks_exact_mut(bias.len()) {
            for (h, &b) in row.iter_mut().zip(bias) {
                *h += b;
            }
        }
    }
}

/// `sum (h + bias - targets)^2`
fn squares<T: Float>(h: &[T], bias: &[T], targets: &[T]) -> f64 {
    let mut sum = 0.0;
    for (row, targets) in h.chunks_exact(bias.len()).zip(targets.chunks_exact(bias.len())) {
        for ((&h, &b), &t) in row.iter().zip(bias).zip(targets) {
            sum += (h + b - t).wide().powi(2);
        }
    }
    sum
}

/// The first of the largest, as a plain search from the left finds it; NaN is never larger.
fn largest<T: Float>(row: &[T]) -> (usize, T) {
    let mut best = (0, row[0]);
    for (column, &z) in row.iter().enumerate() {
        if z > best.1 {
            best = (column, z);
        }
    }
    best
}

fn cross_entropy<T: Float>(h: &mut [T], labels: &[u32], weight: impl Fn(usize) -> f64, factor: T) -> (f64, usize) {
    let classes = h.len() / labels.len().max(1);
    let (mut sum, mut correct) = (0.0, 0);
    for (r, (row, &label)) in h.chunks_exact_mut(classes).zip(labels).enumerate() {
        let w = weight(r);
        let (at, top) = largest(row);
        if w != 0.0 {
            correct += usize::from(at == label as usize);
            // Of an ungraded row not even a NaN counts.
            sum -= w * ((row[label as usize] - top) * factor).wide();
        }
        for z in row {
            *z = (*z - top) * factor;
        }
    }
    exponentials(h);
    for (r, row) in h.chunks_exact(classes).enumerate() {
        let w = weight(r);
        if w != 0.0 {
            let total: T = row.iter().copied().sum();
            sum += w * total.wide().ln();
        }
    }
    (sum, correct)
}

wide! {
    fn exponentials[T: Float](x: &mut [T]) {
        for x in x {
            *x = x.fast_exp();
        }
    }
}

fn squared_error<T: Float>(h: &[T], labels: &[u32], weight: impl Fn(usize) -> f64) -> (f64, usize) {
    let classes = h.len() / labels.len().max(1);
    let (mut sum, mut correct) = (0.0, 0);
    for (r, (row, &label)) in h.chunks_exact(classes).zip(labels).enumerate() {
        let w = weight(r);
        if w == 0.0 {
            continue;
        }
        correct += usize::from(largest(row).0 == label as usize);
        for (column, &z) in row.iter().enumerate() {
            let target = if column == label as usize { T::one() } else { T::zero() };
            sum += w * (z - target).wide().powi(2);
        }
    }
    (sum, correct)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use crate::nn::loss::{correct, loss};

    use super::*;

    #[test]
    fn ungraded_rows_count_for_nothing_even_if_they_are_broken() {
        let z: [[f64; 3]; 4] = [[1.0, 2.0, 0.5], [f64::NAN, 0.0, 1.0], [0.0, 0.0, 3.0], [5.0, 1.0, 1.0]];
        let bias = [0.25, -1.0, 0.5];
        let weights = [1.0, 0.0, 1.0, 1.0];
        let targets = |graded_only: bool| TargetTensor::Classes {
            labels: Tensor::new(&[1u32, 2, 2, 0], &Device::Cpu).unwrap(),
            weights: graded_only.then(|| Tensor::new(&weights, &Device::Cpu).unwrap()),
            graded: if graded_only { 3 } else { 4 },
            classes: 3,
        };
        let outputs = Tensor::new(&z, &Device::Cpu).unwrap().broadcast_add(&Tensor::new(&bias, &Device::Cpu).unwrap());
        let outputs = outputs.unwrap();
        // In two blocks, so that rows must find their own labels and weights.
        let tally = |targets: &TargetTensor, spec: &LossSpec| {
            let graded = Graded::<f64>::new(targets, spec, 3).unwrap();
            let flat = z.concat();
            let (a, b) =
                (graded.tally(&mut flat[..6].to_vec(), &bias, 0), graded.tally(&mut flat[6..].to_vec(), &bias, 2));
            (a.loss + b.loss, a.correct + b.correct)
        };
        let spec = LossSpec { temperature: 0.5, ..LossSpec::default() };
        let known = loss(&outputs, &targets(true), &spec).unwrap().to_scalar::<f64>().unwrap();
        let found = tally(&targets(true), &spec);
        assert!((found.0 - known).abs() < 1e-14, "{found:?} {known}");
        assert_eq!(found.1, correct(&outputs, &targets(true)).unwrap().0);
        assert!(tally(&targets(false), &spec).0.is_nan());
        let mse = LossSpec { kind: LossKind::Mse, temperature: 1.0 };
        assert!(tally(&targets(true), &mse).0.is_finite());
    }

    #[test]
    fn labels_out_of_range_are_refused() {
        let targets = TargetTensor::Classes {
            labels: Tensor::new(&[0u32, 3], &Device::Cpu).unwrap(),
            weights: None,
            graded: 2,
            classes: 3,
        };
        let error = Graded::<f32>::new(&targets, &LossSpec::default(), 3).err().expect("3 isn't below 3").to_string();
        assert!(error.contains("label 3") && error.contains("3 classes"), "{error}");
    }
}
