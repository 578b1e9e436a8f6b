//! Batches in parts: how gradients use several cores.
//!
//! A loss is a mean over examples, so its derivatives are sums over parts of the batch, each computed on one core from
//! its first product to its last sum. (Where a network couples examples, over groups of those.) That scales better than threads inside products, and it keeps the bits: the
//! parts depend on the batch alone, never on the number of threads, and are summed in their order.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::batch::{Batch, InputTensor, TargetTensor};
use super::model::Model;

/// Examples of a part, at least, beyond two parts: smaller products run slower.
const LEAST_EXAMPLES: usize = 64;
/// Examples from which on a batch is worth halving: a few long sequences are work enough.
const LEAST_TO_HALVE: usize = 16;
/// Parts, at most: each costs a sum over all parameters.
const MOST_PARTS: usize = 16;

/// Some examples of a batch.
#[derive(Clone, Debug)]
pub struct Part {
    pub batch: Batch,
    /// What the part's loss weighs in that of the whole batch: its share of the examples or graded positions.
    /// The shares of a batch sum to 1 (all are 0 if nothing is graded).
    pub share: f64,
}

impl Batch {
    /// The batch in parts of consecutive examples, their number a function of the batch alone. On a GPU, and for networks that
    /// couple all examples, one part.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn parts(&self, model: &dyn Model) -> Result<Vec<Part>> {
        let on_cpu = match &self.inputs {
            InputTensor::Features(tensor) | InputTensor::Tokens(tensor) => tensor.device().is_cpu(),
        };
        let halves = if self.len < LEAST_TO_HALVE { 1 } else { 2 };
        let count = if on_cpu { (self.len / LEAST_EXAMPLES).clamp(halves, MOST_PARTS) } else { 1 };
        if count == 1 {
            let share = match &self.targets {
                TargetTensor::Classes { graded: 0, .. } => 0.0,
                _ => 1.0,
            };
            return Ok(vec![Part { batch: self.clone(), share }]);
        }
        let together = model.coupled_examples();
        if together > 1 {
            return self.parts_for(model, self.len / count);
        }
        (0..count).map(|i| self.part(i * self.len / count, (i + 1) * self.len / count)).collect()
    }

    /// [`Self::parts_of`] with as many more examples as make whole groups of those that `model` couples.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn parts_for(&self, model: &dyn Model, examples: usize) -> Result<Vec<Part>> {
        let together = model.coupled_examples().min(self.len.max(1));
        self.parts_of(examples.max(1).next_multiple_of(together))
    }

    /// The batch in parts of `examples` (the last may have fewer), for work that pauses between parts.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn parts_of(&self, examples: usize) -> Result<Vec<Part>> {
        let examples = examples.max(1);
        (0..self.len).step_by(examples).map(|from| self.part(from, (from + examples).min(self.len))).collect()
    }

    pub(super) fn part(&self, from: usize, to: usize) -> Result<Part> {
        let len = to - from;
        let inputs = match &self.inputs {
            InputTensor::Features(features) => InputTensor::Features(features.narrow(0, from, len)?),
            InputTensor::Tokens(tokens) => InputTensor::Tokens(tokens.narrow(0, from, len)?),
        };
        let (targets, share) = match &self.targets {
            TargetTensor::Values(values) => {
                (TargetTensor::Values(values.narrow(0, from, len)?), len as f64 / self.len as f64)
            }
            TargetTensor::Classes { labels, weights, graded, classes } => {
                // Rows of an example: 1, or its positions.
                let rows = labels.elem_count() / self.len;
                let labels = labels.narrow(0, from * rows, len * rows)?;
                let weights = match weights {
                    Some(weights) => Some(weights.narrow(0, from * rows, len * rows)?),
                    None => None,
                };
                let here = match &weights {
                    Some(weights) => {
                        let weights = weights.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>()?;
                        weights.iter().filter(|&&w| w != 0.0).count()
                    }
                    None => len * rows,
                };
                let share = here as f64 / (*graded).max(1) as f64;
                (TargetTensor::Classes { labels, weights, graded: here, classes: *classes }, share)
            }
        };
        Ok(Part { batch: Batch { inputs, targets, len }, share })
    }
}

/// Does `work` on every part at once, on the threads of the current rayon pool; answers in the order of the parts.
///
/// # Errors
/// The first error of `work`, in the order of the parts.
pub fn on_all<T: Send>(parts: &[Part], work: impl Fn(&Part) -> Result<T> + Sync + Send) -> Result<Vec<T>> {
    if let [part] = parts {
        return Ok(vec![work(part)?]);
    }
    parts.par_iter().map(work).collect()
}

/// Sums lists of tensors entry by entry, in the order of the lists.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn sum(lists: Vec<Vec<Tensor>>) -> Result<Vec<Tensor>> {
    let mut lists = lists.into_iter();
    let mut total = lists.next().unwrap_or_default();
    for list in lists {
        for (sum, term) in total.iter_mut().zip(&list) {
            *sum = (&*sum + term)?;
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use crate::nn::build::build;
    use crate::nn::spec::{ModelKind, ModelSpec};
    use crate::tasks::data::{Inputs, Split, Targets, UNGRADED};

    use super::*;

    #[test]
    fn parts_hold_every_example_once_and_their_shares_sum_to_one() {
        let n = 70;
        let ids: Vec<u32> = (0..3 * n).map(|i| if i % 7 == 0 { UNGRADED } else { i as u32 % 5 }).collect();
        let split = Split {
            inputs: Inputs::Tokens { ids: (0..3 * n as u32).collect(), length: 3, vocabulary: 210 },
            targets: Targets::NextTokens { ids, length: 3, vocabulary: 5 },
        };
        let batch = Batch::new(&split, DType::F32, &Device::Cpu).unwrap();
        let spec = ModelSpec { kind: ModelKind::Gpt, ..ModelSpec::default() };
        let model = build(&spec, &split).unwrap();
        let parts = batch.parts(&*model).unwrap();
        assert_eq!(parts.len(), 2);
        let inputs: Vec<u32> = parts
            .iter()
            .flat_map(|p| p.batch.inputs.tokens().unwrap().flatten_all().unwrap().to_vec1::<u32>().unwrap())
            .collect();
        assert_eq!(inputs, (0..210).collect::<Vec<u32>>());
        assert!((parts.iter().map(|p| p.share).sum::<f64>() - 1.0).abs() < 1e-15);
        let graded = |b: &Batch| if let TargetTensor::Classes { graded, .. } = b.targets { graded } else { 0 };
        assert_eq!(parts.iter().map(|p| graded(&p.batch)).sum::<usize>(), graded(&batch));
    }
}
