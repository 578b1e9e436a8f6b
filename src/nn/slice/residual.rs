//! Points of a plane for transformers and residual MLPs, by hand.
//!
//! The embedding is linear in the parameters, positions included: `E(W + a D + b E) = E(W) + a E(D) + b E(E)`, computed three times in
//! all. Behind it examples go through [`Forward`] in blocks that stay in the cache, one piece of work on one core.

use std::sync::{Mutex, PoisonError};

use candle_core::{Result, Tensor};

use crate::nn::batch::Batch;
use crate::nn::forward::{Forward, Machine, Number, Plan, Scratch, combine};
use crate::nn::params::Layout;
use crate::nn::spec::LossSpec;

use super::directions::Directions;
use super::outputs::Graded;
use super::{Evaluator, Tally, Worker};

/// Multiplications of a piece of work, about: two to four milliseconds on one core.
const PIECE_PRODUCTS: usize = 150_000_000;
/// Numbers of embedded inputs, three of which are held for each; beyond that, points embed their inputs anew elsewhere.
const MOST_EMBEDDED: usize = 1 << 24;

/// Numbers at the centre, and how they change along the directions.
struct Plane<T> {
    centre: Vec<T>,
    d: Vec<T>,
    e: Vec<T>,
}

pub(super) struct Residual<T> {
    forward: Forward,
    machine: Machine,
    examples: usize,
    /// Blocks of examples in a piece of work.
    blocks_a_part: usize,
    /// Embedded inputs, a block after another as [`Forward::in_channels`] lays them out.
    embedded: Plane<T>,
    /// Numbers of a block.
    block_size: usize,
    params: Plane<T>,
    graded: Graded<T>,
    desks: Mutex<Vec<Desk<T>>>,
}

/// What a thread writes to.
struct Desk<T> {
    site: Option<[f64; 2]>,
    params: Vec<T>,
    scratch: Scratch<T>,
}

impl<T: Number> Residual<T> {
    /// Whether there is room for the embedded inputs.
    pub fn fits(plan: &Plan, batch: &Batch) -> bool {
        plan.embedded(batch) <= MOST_EMBEDDED
    }

    /// # Errors
    /// Labels out of range; whatever candle says of shapes and the device.
    pub fn new(
        plan: Plan,
        machine: Machine,
        layout: &Layout,
        centre: &[Tensor],
        directions: &Directions,
        batch: &Batch,
        loss: &LossSpec,
    ) -> Result<Self> {
        let dtype = T::DTYPE;
        let flat =
            centre.iter().map(|tensor| tensor.flatten_all()?.to_vec1::<T>()).collect::<Result<Vec<_>>>()?.concat();
        let embed = |params: &[Tensor]| -> Result<(Vec<T>, usize)> {
            let (rows, tokens) = plan.embedding(params, layout, &batch.inputs)?;
            Ok((rows.flatten_all()?.to_vec1::<T>()?, tokens))
        };
        let (at_centre, tokens) = embed(centre)?;
        let along = |flat: &[f32]| embed(&layout.unflatten(flat, dtype, centre[0].device())?);
        let (along_d, along_e) = (along(&directions.d)?.0, along(&directions.e)?.0);
        let forward = Forward::new(plan, layout, tokens, machine);
        let row = at_centre.len() / batch.len;
        let blocks = |rows: &[T]| -> Vec<T> {
            rows.chunks(forward.examples * row).flat_map(|block| forward.in_channels(block)).collect()
        };
        let embedded = Plane { centre: blocks(&at_centre), d: blocks(&along_d), e: blocks(&along_e) };
        let narrow = |flat: &[f32]| forward.arrange(flat, |x| T::of(f64::from(x)), T::zero());
        let params = Plane {
            centre: forward.arrange(&flat, |x| x, T::zero()),
            d: narrow(&directions.d),
            e: narrow(&directions.e),
        };
        let graded = Graded::new(&batch.targets, loss, forward.outputs())?;
        let count = batch.len.div_ceil(forward.examples);
        Ok(Self {
            machine,
            examples: batch.len,
            blocks_a_part: (PIECE_PRODUCTS / (forward.products() * forward.examples).max(1)).max(1),
            block_size: embedded.centre.len() / count,
            embedded,
            params,
            graded,
            forward,
            desks: Mutex::new(Vec::new()),
        })
    }

    fn block(&self, desk: &mut Desk<T>, site: [f64; 2], block: usize) -> Tally {
        let Desk { params, scratch, .. } = desk;
        let here = block * self.block_size..(block + 1) * self.block_size;
        scratch.h.resize(self.block_size, T::zero());
        let Plane { centre, d, e } = &self.embedded;
        combine(self.machine, &mut scratch.h, &centre[here.clone()], &d[here.clone()], &e[here], site);
        let from = block * self.forward.examples;
        self.forward.run(params, scratch, self.forward.examples.min(self.examples - from));
        self.graded.tally(&mut scratch.outputs, self.forward.readout_bias(params), from * self.forward.rows_out())
    }
}

impl<T: Number> Evaluator for Residual<T> {
    fn parts(&self) -> usize {
        self.examples.div_ceil(self.blocks_a_part * self.forward.examples)
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        let desk = self.desks.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let desk = desk.unwrap_or_else(|| Desk { site: None, params: Vec::new(), scratch: Scratch::default() });
        Box::new(AtDesk { slice: self, desk: Some(desk) })
    }
}

struct AtDesk<'a, T: Number> {
    slice: &'a Residual<T>,
    desk: Option<Desk<T>>,
}

impl<T: Number> Worker for AtDesk<'_, T> {
    fn tally(&mut self, site: [f64; 2], part: usize) -> Result<Tally> {
        let slice = self.slice;
        let Some(desk) = &mut self.desk else { return Ok(Tally::default()) };
        if desk.site != Some(site) {
            let Plane { centre, d, e } = &slice.params;
            desk.params.resize(centre.len(), T::zero());
            combine(slice.machine, &mut desk.params, centre, d, e, site);
            desk.site = Some(site);
        }
        let blocks = slice.examples.div_ceil(slice.forward.examples);
        let mut total = Tally::default();
        for block in (part * slice.blocks_a_part..blocks).take(slice.blocks_a_part) {
            let found = slice.block(desk, site, block);
            total.loss += found.loss;
            total.correct += found.correct;
        }
        Ok(total)
    }
}

/// Buffers outlive the piece of work: they are as good at the next point.
impl<T: Number> Drop for AtDesk<'_, T> {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.take() {
            self.slice.desks.lock().unwrap_or_else(PoisonError::into_inner).push(desk);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::{DType, Device};

    use crate::base::rng::{Streams, normals};
    use crate::nn::build::build;
    use crate::nn::model::Model;
    use crate::nn::spec::{Activation, FinalNorm, LossKind, ModelKind, ModelSpec, Norm};
    use crate::tasks::data::{Inputs, Split, Targets, UNGRADED};

    use super::super::any_model::AnyModel;
    use super::*;

    const SITES: [[f64; 2]; 4] = [[0.0, 0.0], [1.0, 0.0], [0.4, -0.5], [-3.0, 2.0]];
    /// More than two blocks, the last one not full.
    const EXAMPLES: usize = 53;

    fn values(size: usize) -> Vec<f32> {
        normals(&mut Streams::new(5).stream("x"), size * EXAMPLES).iter().map(|&x| x as f32).collect()
    }

    fn classes() -> Targets {
        Targets::Classes { labels: (0..EXAMPLES as u32).map(|i| i * i % 3).collect(), classes: 3 }
    }

    /// With `shape` `[8, 8, 1]` and patches of 2, sixteen tokens: whole vectors. With `[4, 6, 1]` six, whose groups reach into the next
    /// example.
    fn pictures(shape: [usize; 3]) -> Split {
        Split {
            inputs: Inputs::Features { values: values(shape.iter().product()), shape: shape.to_vec() },
            targets: classes(),
        }
    }

    /// 19 tokens: two groups of queries, the second one not full. Some aren't graded.
    fn sequences() -> Split {
        let ids: Vec<u32> = (0..19 * EXAMPLES as u32).map(|i| (i * i + i / 7) % 5).collect();
        let targets = ids.iter().enumerate().map(|(i, id)| if i % 3 == 1 { UNGRADED } else { (id + 1) % 5 }).collect();
        Split {
            inputs: Inputs::Tokens { ids, length: 19, vocabulary: 5 },
            targets: Targets::NextTokens { ids: targets, length: 19, vocabulary: 5 },
        }
    }

    fn spec(kind: ModelKind) -> ModelSpec {
        ModelSpec { kind, width: 12, depth: 2, n_heads: 2, residual_scale: 0.7, ..ModelSpec::default() }
    }

    fn sums(evaluator: &dyn Evaluator, site: [f64; 2]) -> Tally {
        let mut worker = evaluator.worker();
        (0..evaluator.parts()).fold(Tally::default(), |sum, part| {
            let found = worker.tally(site, part).unwrap();
            Tally { loss: sum.loss + found.loss, correct: sum.correct + found.correct }
        })
    }

    #[track_caller]
    fn same_as_the_graph<T: Number>(spec: &ModelSpec, split: &Split, loss: &LossSpec, tolerance: f64) {
        let model: Arc<dyn Model> = build(spec, split).unwrap();
        let (layout, title) = (model.layout(), model.title());
        let noise = |name| normals(&mut Streams::new(9).stream(name), layout.total());
        // Everything is off its start: biases that aren't zero, gains that aren't one.
        let flat: Vec<f64> = model.init(&Streams::new(1)).iter().zip(noise("w")).map(|(w, z)| w + 0.2 * z).collect();
        let narrow = |flat: Vec<f64>| flat.iter().map(|&x| 0.2 * x as f32).collect();
        let mut directions = Directions::random(layout, &flat, &Streams::new(1));
        (directions.d, directions.e) = (narrow(noise("d")), narrow(noise("e")));
        let centre = layout.unflatten(&flat, T::DTYPE, &Device::Cpu).unwrap();
        let batch = Batch::new(split, T::DTYPE, &Device::Cpu).unwrap();
        let plain = AnyModel::new(&model, &centre, &directions, &batch, loss).unwrap();
        for machine in Machine::all() {
            let plan = model.plan().expect("a plan for plain networks");
            let by_hand = Residual::<T>::new(plan, machine, layout, &centre, &directions, &batch, loss).unwrap();
            for site in SITES {
                let (known, found) = (sums(&plain, site), sums(&by_hand, site));
                let error = (known.loss - found.loss).abs() / known.loss.max(1.0);
                assert!(error < tolerance, "{title} {machine:?} {site:?}: {known:?} {found:?}");
                // Ties may fall either way in the last bit.
                let ties = if T::DTYPE == DType::F32 { 2 } else { 0 };
                assert!(known.correct.abs_diff(found.correct) <= ties, "{title} {machine:?}: {known:?} {found:?}");
                // Buffers carry nothing over.
                assert_eq!(sums(&by_hand, site), found, "{title} {machine:?}");
            }
        }
    }

    #[track_caller]
    fn agrees(spec: &ModelSpec, split: &Split) {
        same_as_the_graph::<f64>(spec, split, &LossSpec::default(), 1e-12);
        same_as_the_graph::<f32>(spec, split, &LossSpec::default(), 1e-5);
    }

    #[test]
    fn equals_the_graph_for_all_norms_and_activations() {
        let activations =
            [Activation::Gelu, Activation::Relu, Activation::Tanh, Activation::Silu, Activation::Identity];
        for (norm, activation) in
            [Norm::PreLn, Norm::PostLn, Norm::None, Norm::PreRmsNorm, Norm::PreSrmsNorm].into_iter().zip(activations)
        {
            for kind in [ModelKind::VisionTransformer, ModelKind::ResidualMlp] {
                agrees(&ModelSpec { norm, activation, ..spec(kind) }, &pictures([4, 6, 1]));
            }
            agrees(&ModelSpec { norm, activation, ..spec(ModelKind::Gpt) }, &sequences());
        }
        agrees(&ModelSpec { width: 32, n_heads: 4, ..spec(ModelKind::VisionTransformer) }, &pictures([8, 8, 1]));
    }

    #[test]
    fn equals_the_graph_with_other_switches() {
        use crate::nn::spec::{AttentionScale, Mask};
        let mut bare = spec(ModelKind::Gpt);
        (bare.block.biases, bare.block.positions, bare.block.tied_embeddings) = (false, false, true);
        (bare.attention.mask, bare.attention.inverse_temperature) = (Mask::Bidirectional, 1.7);
        agrees(&bare, &sequences());
        let mut other = ModelSpec { norm: Norm::PostLn, ..spec(ModelKind::VisionTransformer) };
        (other.block.final_norm, other.block.skip_scale) = (FinalNorm::On, 0.9);
        (other.attention.mask, other.attention.scale) = (Mask::Causal, AttentionScale::Inverse);
        agrees(&other, &pictures([8, 8, 1]));
        // Features as tokens of one number, and the squared error.
        let points = Split {
            inputs: Inputs::Features { values: values(2), shape: vec![2] },
            targets: Targets::Values { values: (0..2 * EXAMPLES).map(|i| (i as f32).cos()).collect(), outputs: 2 },
        };
        let mse = LossSpec { kind: LossKind::Mse, temperature: 1.0 };
        for kind in [ModelKind::VisionTransformer, ModelKind::ResidualMlp] {
            same_as_the_graph::<f64>(&spec(kind), &points, &mse, 1e-12);
            same_as_the_graph::<f32>(&spec(kind), &points, &mse, 1e-5);
        }
    }

    #[test]
    fn networks_with_unusual_switches_have_no_plan() {
        let has_plan = |change: fn(&mut ModelSpec)| {
            let mut spec = spec(ModelKind::VisionTransformer);
            change(&mut spec);
            build(&spec, &pictures([4, 6, 1])).unwrap().plan().is_some()
        };
        use crate::nn::spec::{BranchGain, EmbeddingNorm};
        assert!(has_plan(|_| ()));
        assert!(!has_plan(|spec| spec.attention.qk_norm = true));
        assert!(!has_plan(|spec| spec.attention.shaped = true));
        assert!(!has_plan(|spec| spec.attention.softcap = 3.0));
        assert!(!has_plan(|spec| spec.block.unit_gain = true));
        assert!(!has_plan(|spec| spec.block.mlp_input_scale = true));
        assert!(!has_plan(|spec| spec.block.branch_gain = BranchGain::LayerScale));
        assert!(!has_plan(|spec| spec.block.embedding_norm = EmbeddingNorm::Stream));
        assert!(!has_plan(|spec| {
            spec.activation = Activation::Relu;
            spec.block.shaped_relu = true;
        }));
    }

    #[test]
    fn broken_numbers_stay_in_their_examples() {
        let split = pictures([4, 6, 1]);
        let model = build(&spec(ModelKind::VisionTransformer), &split).unwrap();
        let flat = model.init(&Streams::new(1));
        let directions = Directions::random(model.layout(), &flat, &Streams::new(1));
        let centre = model.layout().unflatten(&flat, DType::F32, &Device::Cpu).unwrap();
        let sums_of = |broken: Option<usize>, graded: Vec<f32>| {
            let mut split = split.clone();
            if let (Some(at), Inputs::Features { values, .. }) = (broken, &mut split.inputs) {
                values[at * 24] = f32::NAN;
            }
            let mut batch = Batch::new(&split, DType::F32, &Device::Cpu).unwrap();
            if let crate::nn::batch::TargetTensor::Classes { weights, graded: count, .. } = &mut batch.targets {
                *count = graded.iter().filter(|&&w| w != 0.0).count();
                *weights = Some(Tensor::from_vec(graded, EXAMPLES, &Device::Cpu).unwrap());
            }
            let plan = model.plan().unwrap();
            let loss = LossSpec::default();
            let slice =
                Residual::<f32>::new(plan, Machine::here(), model.layout(), &centre, &directions, &batch, &loss)
                    .unwrap();
            sums(&slice, [0.3, 0.1])
        };
        // Ungraded, a broken example changes nothing in its block; graded, it does.
        let graded: Vec<f32> = (0..EXAMPLES).map(|i| f32::from(u8::from(i != 7))).collect();
        assert_eq!(sums_of(Some(7), graded.clone()), sums_of(None, graded));
        assert!(sums_of(Some(7), vec![1.0; EXAMPLES]).loss.is_nan());
    }
}
