//! How many examples make a piece of work that is over in some 15 ms, so that measurements can be stopped.

use candle_core::{Result, Tensor};

use super::batch::Batch;
use super::model::Model;

/// Multiplications of a piece. A core does some 10^10 a second in the small products of these networks.
const WORK: f64 = 1.5e8;
/// Examples of a piece, at most.
const MOST_EXAMPLES: usize = 1024;

/// What a pass through a model costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Multiplications of a forward pass, an example.
    pub multiplications: f64,
    /// Numbers that a forward pass computes at its taps, an example.
    pub activations: usize,
}

impl Cost {
    /// Looks at one example: every parameter multiplies once a token.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn of(model: &dyn Model, params: &[Tensor], batch: &Batch) -> Result<Self> {
        let mut taps = Vec::new();
        let one = batch.part(0, 1)?.batch;
        let params: Vec<Tensor> = params.iter().map(Tensor::detach).collect();
        model.forward(&params, &one.inputs, Some(&mut taps))?;
        let tokens = taps.iter().filter(|tap| tap.rank() == 3).map(|tap| tap.dims()[1]).max().unwrap_or(1);
        Ok(Self {
            multiplications: (model.layout().total() * tokens) as f64,
            activations: taps.iter().map(Tensor::elem_count).sum(),
        })
    }

    /// Examples of a piece whose work is `passes` times that of a forward pass.
    pub fn examples(&self, passes: f64) -> usize {
        ((WORK / (passes * self.multiplications)) as usize).clamp(1, MOST_EXAMPLES)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use crate::base::rng::Streams;
    use crate::nn::build::build;
    use crate::nn::spec::ModelSpec;
    use crate::tasks::data::{Inputs, Split, Targets};

    use super::*;

    #[test]
    fn a_transformer_multiplies_once_a_token() {
        let split = Split {
            inputs: Inputs::Features { values: (0..100 * 16).map(|i| i as f32).collect(), shape: vec![4, 4, 1] },
            targets: Targets::Classes { labels: vec![0; 100], classes: 2 },
        };
        let batch = Batch::new(&split, DType::F32, &Device::Cpu).unwrap();
        let model = build(&ModelSpec::default(), &split).unwrap();
        let params = model.layout().unflatten(&model.init(&Streams::new(0)), DType::F32, &Device::Cpu).unwrap();
        let cost = Cost::of(&*model, &params, &batch).unwrap();
        // Four patches of 2x2; a tap for the embedding and two a block, of the width.
        assert_eq!(cost.multiplications, (4 * model.layout().total()) as f64);
        let spec = ModelSpec::default();
        assert_eq!(cost.activations, (1 + 2 * spec.depth) * 4 * spec.width);
        assert!(cost.examples(1.0) > cost.examples(10.0) && cost.examples(1e30) == 1);
    }
}
