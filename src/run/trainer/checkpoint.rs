//! From where a run can go on: in memory as tensors, in the recording as the bytes of a safetensors file.
//!
//! All randomness comes from named streams of the seed, so the random state of a run is its place in the data.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::nn::array_file::{self, RawArray};
use crate::optim::{OptimizerState, Values};
use crate::run::divergence::Watch;
use crate::run::spec::RunSpec;
use crate::tasks::batches::BatchPosition;

use super::{TrainError, Trainer};

/// All that a run needs to go on from a step, bit for bit.
#[derive(Clone)]
pub struct Checkpoint {
    pub step: u64,
    pub loss: f64,
    params: Vec<Tensor>,
    optimizer: OptimizerState,
    batches: BatchPosition,
    watch: Watch,
}

/// Bytes that make no checkpoint of this network.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("the checkpoint isn't a whole safetensors file ({0}); go on from an earlier one")]
    Damaged(String),
    #[error("the checkpoint's {what} doesn't fit the network of its own recording; go on from an earlier one")]
    Unfit { what: String },
}

/// What the metadata entry `landscope` holds.
#[derive(Serialize, Deserialize)]
struct State {
    step: u64,
    #[serde(with = "bits")]
    loss: f64,
    updates: u64,
    /// Products of the decays, for the bias corrections.
    products: [f64; 2],
    batches: BatchPosition,
    watch: Watch,
    /// Arrays kept by the optimiser, a number a tensor of the layout.
    arrays: Vec<usize>,
    /// The specification in force, as TOML.
    spec: String,
}

/// JSON has no NaN.
mod bits {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }
}

impl Trainer {
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn checkpoint(&self, loss: f64) -> Result<Checkpoint, TrainError> {
        Ok(Checkpoint {
            step: self.step,
            loss,
            params: self.params.frozen()?,
            optimizer: self.optimizer.save()?,
            batches: self.batches.position(),
            watch: self.watch,
        })
    }

    /// Goes back to a checkpoint; the specification in force stays.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.params.assign(&checkpoint.params)?;
        self.optimizer.restore(&checkpoint.optimizer, &self.params)?;
        self.batches.restore(checkpoint.batches);
        self.watch = checkpoint.watch;
        self.step = checkpoint.step;
        self.before = None;
        Ok(())
    }

    /// A checkpoint as bytes: `param/<name>` and `optimizer/<number of the tensor>/<number of the array>`, in the type that
    /// training uses, and the metadata entry `landscope`. Equal states, equal bytes.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn encode(&self, checkpoint: &Checkpoint) -> Result<Vec<u8>, TrainError> {
        let mut arrays = Vec::new();
        for (info, tensor) in self.model.layout().infos().iter().zip(&checkpoint.params) {
            let flat = tensor.flatten_all()?;
            let values = match tensor.dtype() {
                DType::F64 => Values::F64(flat.to_vec1()?),
                _ => Values::F32(flat.to_vec1()?),
            };
            arrays.push((format!("param/{}", info.name), array(&values, tensor.dims().to_vec())));
        }
        for (i, kept) in checkpoint.optimizer.tensors.iter().enumerate() {
            let of = kept
                .iter()
                .enumerate()
                .map(|(j, values)| (format!("optimizer/{i}/{j}"), array(values, vec![values.len()])));
            arrays.extend(of);
        }
        let state = State {
            step: checkpoint.step,
            loss: checkpoint.loss,
            updates: checkpoint.optimizer.updates,
            products: checkpoint.optimizer.products,
            batches: checkpoint.batches,
            watch: checkpoint.watch,
            arrays: checkpoint.optimizer.tensors.iter().map(Vec::len).collect(),
            spec: self.spec.to_toml(),
        };
        array_file::to_bytes(arrays, serde_json::json!(state).to_string()).map_err(TrainError::Bug)
    }

    /// Goes on from a checkpoint's bytes, under the specification that was in force there.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] if the bytes are damaged or of another network.
    pub fn resume(&mut self, bytes: &[u8]) -> Result<(), TrainError> {
        let damaged = |error: &dyn std::fmt::Display| CheckpointError::Damaged(error.to_string());
        let unfit = |what: &str| CheckpointError::Unfit { what: what.to_owned() };
        let (text, arrays) = array_file::from_bytes(bytes).map_err(|error| damaged(&error))?;
        let state: State = serde_json::from_str(&text).map_err(|error| damaged(&error))?;
        let infos = self.model.layout().infos();
        let mut params = Vec::new();
        for (info, var) in infos.iter().zip(self.params.vars()) {
            let view = arrays.get(&format!("param/{}", info.name)).ok_or_else(|| unfit(&info.name))?;
            if view.shape != var.dims() {
                return Err(unfit(&info.name).into());
            }
            let tensor = match values(view) {
                Values::F32(values) => Tensor::from_slice(&values, var.dims(), &self.device)?,
                Values::F64(values) => Tensor::from_slice(&values, var.dims(), &self.device)?,
            };
            params.push(tensor.to_dtype(self.dtype)?);
        }
        if !(state.arrays.is_empty() || state.arrays.len() == infos.len()) || state.arrays.iter().any(|&n| n > 64) {
            return Err(unfit("optimiser").into());
        }
        let kept = |(i, &count): (usize, &usize)| {
            (0..count)
                .map(|j| {
                    let view = arrays.get(&format!("optimizer/{i}/{j}")).ok_or_else(|| unfit("optimiser"))?;
                    Ok::<_, CheckpointError>(values(view))
                })
                .collect::<Result<Vec<_>, _>>()
        };
        let tensors = state.arrays.iter().enumerate().map(kept).collect::<Result<_, _>>()?;
        let spec = RunSpec::from_toml(&state.spec, "of the checkpoint").map_err(|error| damaged(&error))?;
        if spec.model != self.spec.model {
            return Err(unfit("specification").into());
        }
        self.set_live(RunSpec { init_weights: self.spec.init_weights.clone(), ..spec });
        let optimizer = OptimizerState { updates: state.updates, products: state.products, tensors };
        let (step, loss, batches, watch) = (state.step, state.loss, state.batches, state.watch);
        // What doesn't fit the optimiser is of a damaged file, too.
        self.restore(&Checkpoint { step, loss, params, optimizer, batches, watch })
            .map_err(|error| CheckpointError::Damaged(error.to_string()).into())
    }
}

fn array(values: &Values, shape: Vec<usize>) -> RawArray {
    let (wide, bytes) = match values {
        Values::F32(values) => (false, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Values::F64(values) => (true, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
    };
    RawArray { shape, wide, bytes }
}

fn values(array: &RawArray) -> Values {
    if array.wide {
        Values::F64(array.bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect())
    } else {
        Values::F32(array.bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::spec::{OptimizerKind, OptimizerSpec};
    use crate::run::trainer::StepOutcome;

    fn trainer(kind: OptimizerKind) -> Trainer {
        let mut spec = RunSpec { batch_size: 48, ..RunSpec::default() };
        spec.optimizer = OptimizerSpec { kind, lr: 0.01, ..spec.optimizer };
        spec.model.width = 16;
        Trainer::new(spec).unwrap()
    }

    fn losses(trainer: &mut Trainer, steps: usize) -> Vec<u64> {
        let mut loss = || match trainer.step().unwrap() {
            StepOutcome::Done(report) => report.loss.to_bits(),
            StepOutcome::Diverged(divergence) => panic!("{divergence}"),
        };
        (0..steps).map(|_| loss()).collect()
    }

    /// Steps 0 to 29 at once, and with the state taken through bytes into a new trainer after 7, which is within an epoch.
    #[test]
    fn a_run_goes_on_from_bytes_bit_for_bit_with_every_optimiser() {
        use OptimizerKind::{Adam, AdamW, Muon, RmsProp, Sgd, Shampoo, Soap};
        for kind in [Sgd, Adam, AdamW, RmsProp, Muon, Shampoo, Soap] {
            let mut whole = trainer(kind);
            losses(&mut whole, 7);
            let mut changed = whole.spec().clone();
            changed.optimizer.lr = 0.003;
            changed.task.label_noise = 0.1;
            whole.set_live(changed.clone());
            let bytes = whole.encode(&whole.checkpoint(0.5).unwrap()).unwrap();
            assert_eq!(bytes, whole.encode(&whole.checkpoint(0.5).unwrap()).unwrap());
            let mut resumed = trainer(kind);
            losses(&mut resumed, 3);
            resumed.resume(&bytes).unwrap();
            assert_eq!((resumed.steps_done(), resumed.spec()), (7, &changed), "{kind:?}");
            assert_eq!(losses(&mut whole, 22), losses(&mut resumed, 22), "{kind:?}");
            assert_eq!(whole.params().hash().unwrap(), resumed.params().hash().unwrap(), "{kind:?}");
        }
    }

    #[test]
    fn bytes_that_are_cut_or_of_another_network_are_refused_in_words() {
        let mut trainer = trainer(OptimizerKind::AdamW);
        losses(&mut trainer, 2);
        let bytes = trainer.encode(&trainer.checkpoint(f64::NAN).unwrap()).unwrap();
        for len in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
            assert!(trainer.resume(&bytes[..len]).is_err(), "{len}");
        }
        let mut spec = trainer.spec().clone();
        spec.model.width = 8;
        let error = Trainer::new(spec).unwrap().resume(&bytes).unwrap_err().to_string();
        assert!(error.contains("doesn't fit"), "{error}");
    }
}
