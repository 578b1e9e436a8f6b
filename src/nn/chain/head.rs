//! The loss of a perceptron's outputs with its first and second derivatives, by hand.

use candle_core::{DType, Result};

use crate::nn::batch::TargetTensor;
use crate::nn::ops::float::Float;
use crate::nn::spec::{LossKind, LossSpec};

/// [`crate::nn::loss::loss`] of the rows of a part, times the part's share.
///
/// Cross-entropy with `p = softmax(z / T)` and c the weight of a row over all weights: `dL/dz = c/T (p - y)`,
/// `d2L/dz2 = c/T^2 (diag(p) - p p')`. Squared error: `2 c (z - y)` and `2 c`, c over the number of outputs, too.
pub(super) struct Head<T> {
    outputs: usize,
    targets: Targets<T>,
    graded: usize,
    /// Weight of row r: `factor weights[r]`.
    factor: f64,
    weights: Option<Vec<f64>>,
    temperature: f64,
    /// Softmax `[rows, outputs]`, once [`Self::rates`] has kept it.
    shares: Vec<T>,
}

enum Targets<T> {
    Labels { labels: Vec<u32>, kind: LossKind },
    Values(Vec<T>),
}

impl<T: Float> Head<T> {
    /// # Errors
    /// A label that isn't below `outputs`; whatever candle says of the device.
    pub fn new(targets: &TargetTensor, spec: &LossSpec, outputs: usize, share: f64) -> Result<Self> {
        let (targets, graded, factor, weights) = match targets {
            TargetTensor::Values(values) => {
                let values = values.flatten_all()?.to_vec1::<T>()?;
                let factor = share / values.len().max(1) as f64;
                (Targets::Values(values), 0, factor, None)
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
                let mut factor = share / (*graded).max(1) as f64;
                if spec.kind == LossKind::Mse {
                    factor /= outputs as f64;
                }
                (Targets::Labels { labels, kind: spec.kind }, *graded, factor, weights)
            }
        };
        Ok(Self { outputs, targets, graded, factor, weights, temperature: spec.temperature, shares: Vec::new() })
    }

    pub fn graded(&self) -> usize {
        self.graded
    }

    fn weight(&self, row: usize) -> f64 {
        self.factor * self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// Overwrites the outputs z `[rows, outputs]` by `dL/dz`; loss and number of rows classified as their label.
    /// With `keep`, [`Self::bend`] works afterwards.
    pub fn rates(&mut self, z: &mut [T], keep: bool) -> (f64, usize) {
        let outputs = self.outputs;
        let (mut loss, mut correct) = (0.0, 0);
        let mut shares = Vec::with_capacity(if keep { z.len() } else { 0 });
        for (r, row) in z.chunks_exact_mut(outputs).enumerate() {
            let weight = self.weight(r);
            match &self.targets {
                Targets::Values(values) => loss += weight * squares(row, &values[r * outputs..], weight),
                Targets::Labels { .. } if weight == 0.0 => {
                    // Of an ungraded row not even a NaN counts.
                    row.fill(T::zero());
                    if keep {
                        shares.extend_from_slice(row);
                    }
                }
                Targets::Labels { labels, kind } => {
                    let label = labels[r] as usize;
                    let top = largest(row);
                    correct += usize::from(top == label);
                    match kind {
                        LossKind::CrossEntropy => {
                            loss += weight * softmax(row, label, row[top], 1.0 / self.temperature);
                            if keep {
                                shares.extend_from_slice(row);
                            }
                            row[label] -= T::one();
                            let scale = T::of(weight / self.temperature);
                            row.iter_mut().for_each(|z| *z *= scale);
                        }
                        LossKind::Mse => {
                            row[label] -= T::one();
                            loss += weight * row.iter().map(|z| z.wide().powi(2)).sum::<f64>();
                            let scale = T::of(2.0 * weight);
                            row.iter_mut().for_each(|z| *z *= scale);
                        }
                    }
                }
            }
        }
        self.shares = shares;
        (loss, correct)
    }

    /// `r <- (d2L/dz2) r`, for rates of change r of the outputs `[rows, outputs]`.
    pub fn bend(&self, rates: &mut [T]) {
        let outputs = self.outputs;
        let by_softmax = matches!(&self.targets, Targets::Labels { kind: LossKind::CrossEntropy, .. });
        for (r, row) in rates.chunks_exact_mut(outputs).enumerate() {
            let weight = self.weight(r);
            if !by_softmax {
                row.iter_mut().for_each(|z| *z *= T::of(2.0 * weight));
                continue;
            }
            let shares = &self.shares[r * outputs..(r + 1) * outputs];
            let mean: T = row.iter().zip(shares).map(|(&z, &p)| z * p).sum();
            let scale = T::of(weight / self.temperature.powi(2));
            for (z, &p) in row.iter_mut().zip(shares) {
                *z = scale * p * (*z - mean);
            }
        }
    }
}

/// `row <- 2 weight (row - targets)`; `|row - targets|^2`.
fn squares<T: Float>(row: &mut [T], targets: &[T], weight: f64) -> f64 {
    let scale = T::of(2.0 * weight);
    let mut sum = 0.0;
    for (z, &t) in row.iter_mut().zip(targets) {
        let error = *z - t;
        sum += error.wide().powi(2);
        *z = scale * error;
    }
    sum
}

/// `row <- softmax(row / T)`; `-log` of its entry at the label.
fn softmax<T: Float>(row: &mut [T], label: usize, top: T, inverse_temperature: f64) -> f64 {
    let factor = T::of(inverse_temperature);
    let at_label = ((row[label] - top) * factor).wide();
    for z in row.iter_mut() {
        *z = ((*z - top) * factor).fast_exp();
    }
    let total: T = row.iter().copied().sum();
    let inverse = T::one() / total;
    row.iter_mut().for_each(|z| *z *= inverse);
    total.wide().ln() - at_label
}

/// The first of the largest, as a plain search from the left finds it; NaN is never larger.
fn largest<T: Float>(row: &[T]) -> usize {
    let mut best = 0;
    for (column, &z) in row.iter().enumerate() {
        if z > row[best] {
            best = column;
        }
    }
    best
}
