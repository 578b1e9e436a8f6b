//! Small networks in f64 for the tests of this room, all biases moved off zero, so that no term vanishes by symmetry.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use crate::base::rng::{Streams, normals};
use crate::nn::batch::Batch;
use crate::nn::build::build;
use crate::nn::model::Model;
use crate::nn::spec::{LossKind, LossSpec, ModelKind, ModelSpec};
use crate::tasks::data::{Inputs, Split, Targets, UNGRADED};

use super::sum::Frozen;
use crate::nn::parts::Part;

pub(super) struct Case {
    pub model: Arc<dyn Model>,
    pub flat: Vec<f64>,
    pub params: Vec<Tensor>,
    pub batch: Batch,
    pub loss: LossSpec,
}

pub(super) fn draw(name: &str, n: usize) -> Vec<f64> {
    normals(&mut Streams::new(21).stream(name), n)
}

fn pictures(n: usize) -> Split {
    let values = draw("pictures", n * 16).iter().map(|&x| x as f32).collect();
    let targets = Targets::Classes { labels: (0..n as u32).map(|i| i * i % 3).collect(), classes: 3 };
    Split { inputs: Inputs::Features { values, shape: vec![4, 4, 1] }, targets }
}

/// With positions that aren't graded, and a sequence in which none is.
fn sequences(n: usize) -> Split {
    let ids: Vec<u32> = (0..4 * n).map(|i| (i * i + 3 * i) as u32 % 5).collect();
    let graded = |i: usize| i % 3 != 1 && !(4..8).contains(&i);
    let targets = (0..4 * n).map(|i| if graded(i) { (ids[i] + 1) % 5 } else { UNGRADED }).collect();
    Split {
        inputs: Inputs::Tokens { ids, length: 4, vocabulary: 5 },
        targets: Targets::NextTokens { ids: targets, length: 4, vocabulary: 5 },
    }
}

impl Case {
    pub fn new(spec: &ModelSpec, split: &Split, loss: LossSpec) -> Self {
        Self::of(build(spec, split).expect("fixtures are sound"), split, loss)
    }

    pub fn of(model: Arc<dyn Model>, split: &Split, loss: LossSpec) -> Self {
        let total = model.layout().total();
        let flat: Vec<f64> =
            model.init(&Streams::new(1)).iter().zip(draw("noise", total)).map(|(w, z)| w + 0.3 * z).collect();
        let params = model.layout().unflatten(&flat, DType::F64, &Device::Cpu).expect("fixtures are sound");
        let batch = Batch::new(split, DType::F64, &Device::Cpu).expect("fixtures are sound");
        Self { model, flat, params, batch, loss }
    }

    /// The frozen network, and the batch in parts of three examples, so that there are several and the last is shorter.
    pub fn in_parts(&self) -> (Frozen, Vec<Part>) {
        let (at, _) =
            Frozen::new(self.model.clone(), &self.params, &self.batch, 1.0, "a test").expect("fixtures are sound");
        (at, self.batch.parts_of(3).expect("fixtures are sound"))
    }

    /// All outputs at these parameters.
    pub fn outputs_at(&self, flat: &[f64]) -> Vec<f64> {
        let params = self.model.layout().unflatten(flat, DType::F64, &Device::Cpu).expect("fixtures are sound");
        let outputs = self.model.forward(&params, &self.batch.inputs, None).expect("fixtures are sound");
        outputs.flatten_all().expect("fixtures are sound").to_vec1().expect("fixtures are sound")
    }

    pub fn moved(&self, direction: &[f64], by: f64) -> Vec<f64> {
        self.flat.iter().zip(direction).map(|(w, d)| w + by * d).collect()
    }
}

fn spec(kind: ModelKind) -> ModelSpec {
    ModelSpec { kind, width: 4, depth: 2, n_heads: 2, patch: 2, residual_scale: 0.7, ..ModelSpec::default() }
}

/// An MLP, a Pre-LN vision transformer and a GPT under cross-entropy at a temperature, then under the squared error.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in [LossKind::CrossEntropy, LossKind::Mse] {
        let loss = LossSpec { kind, temperature: 1.3 };
        cases.push(Case::new(&spec(ModelKind::Mlp), &pictures(7), loss.clone()));
        cases.push(Case::new(&spec(ModelKind::VisionTransformer), &pictures(7), loss.clone()));
        cases.push(Case::new(&spec(ModelKind::Gpt), &sequences(5), loss));
    }
    cases
}

/// `x W + b` on pictures: an MLP without hidden layers.
pub(super) fn linear_case() -> Case {
    let split = pictures(6);
    let model = crate::nn::mlp::Mlp::new(&ModelSpec { depth: 0, ..spec(ModelKind::Mlp) }, 16, 3);
    Case::of(Arc::new(model), &split, LossSpec { kind: LossKind::Mse, temperature: 1.0 })
}

/// Largest difference over the largest magnitude of `known`.
pub(super) fn error(found: &[f64], known: &[f64]) -> f64 {
    assert_eq!(found.len(), known.len());
    let size = known.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    found.iter().zip(known).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs())) / size
}
