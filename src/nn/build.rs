//! From a specification and a task's shapes to a network.

use std::sync::Arc;

use crate::tasks::data::{Inputs, Split};

use super::convnet::ConvNet;
use super::mlp::Mlp;
use super::model::Model;
use super::parametrization::model::{inner_spec, parametrized};
use super::residual_mlp::ResidualMlp;
use super::spec::{ModelKind, ModelSpec, Sharing};
use super::transformer::{Front, Transformer};

/// A network that can't be built, in terms of the knobs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    #[error("{knob} can't be 0; give a whole number from 1")]
    Zero { knob: &'static str },
    #[error(
        "heads can't be {heads} with width {width}: each head gets width/heads channels; give a divisor of the width"
    )]
    Heads { heads: usize, width: usize },
    #[error(
        "tied-embeddings needs an output for each token of the vocabulary, and this task has {outputs} outputs for {vocabulary} tokens; set tied-embeddings to false"
    )]
    Tied { vocabulary: usize, outputs: usize },
    #[error("{knob} can't be {value}; give {allowed}")]
    Number { knob: &'static str, value: String, allowed: &'static str },
    #[error("patch can't be {patch} for pictures of {height}x{width} pixels; give a number that divides both sides")]
    Patch { patch: usize, height: usize, width: usize },
    #[error(
        "the vision transformer can't read examples of shape {shape:?}: it needs pictures [height, width, channels] or features [count]; take model `mlp`"
    )]
    Shape { shape: Vec<usize> },
    #[error(
        "model `{model}` can't read examples of shape {shape:?}: it needs pictures [height, width, channels]; take model `mlp`"
    )]
    NeedsPictures { model: &'static str, shape: Vec<usize> },
    #[error(
        "stages can't be {stages} for pictures of {height}x{width} pixels: both sides are halved from one stage to the next and must divide by {divisor}; give a smaller number"
    )]
    Stages { stages: usize, height: usize, width: usize, divisor: usize },
    #[error(
        "sharing can't be `{sharing}` for examples of shape {shape:?}: windows need pictures [height, width, channels]; take `dense`"
    )]
    SharingShape { sharing: &'static str, shape: Vec<usize> },
    #[error(
        "width can't be {units} with sharing `{sharing}`: the units lie on the {height}x{width} pixels, the same number at each; give a multiple of {pixels}"
    )]
    SharingWidth { sharing: &'static str, units: usize, height: usize, width: usize, pixels: usize },
    #[error(
        "sharing can't be `{sharing}` here: the dense matrix of a layer would have {entries} entries, and {most} are allowed; give a smaller width or smaller pictures, or take model `conv-net`"
    )]
    SharingSize { sharing: &'static str, entries: usize, most: usize },
    #[error("the network can't be built: {0}")]
    Tensor(String),
    #[error("model `{model}` can't read sequences of tokens; take model `gpt`")]
    NeedsFeatures { model: &'static str },
    #[error(
        "model `gpt` reads sequences of tokens, and this task has pictures or features; take `mlp`, `residual-mlp`, `vision-transformer`, `conv-net` or `residual-conv-net`"
    )]
    NeedsTokens,
    #[error(
        "the task has no {what}, so there is nothing to build a network for; give a task with at least one example and one output"
    )]
    Empty { what: &'static str },
}

/// Entries of a dense matrix that is gathered from fewer weights, at most: a quarter of a gigabyte in f32.
const MOST_GATHERED: usize = 1 << 26;

/// The network of `spec` for examples like those of `train`.
///
/// # Errors
/// [`BuildError`] names the knob that doesn't fit the task.
pub fn build(spec: &ModelSpec, train: &Split) -> Result<Arc<dyn Model>, BuildError> {
    let base = &spec.parametrization;
    let sizes = [
        ("width", spec.width),
        ("depth", spec.depth),
        ("base-width", base.base_width),
        ("base-depth", base.base_depth),
    ];
    for (knob, value) in sizes {
        // An MLP without hidden layers is softmax regression.
        let may_be_zero = knob == "depth" && spec.kind == ModelKind::Mlp;
        if value == 0 && !may_be_zero {
            return Err(BuildError::Zero { knob });
        }
    }
    check_numbers(spec)?;
    Ok(parametrized(spec, architecture(&inner_spec(spec), train)?))
}

/// The network before its parametrisation.
fn architecture(spec: &ModelSpec, train: &Split) -> Result<Arc<dyn Model>, BuildError> {
    let outputs = train.targets.outputs();
    if outputs == 0 {
        return Err(BuildError::Empty { what: "outputs" });
    }
    match &train.inputs {
        Inputs::Tokens { length, vocabulary, .. } => {
            let model = match spec.kind {
                ModelKind::Gpt => {
                    check_heads(spec)?;
                    if *length == 0 || *vocabulary == 0 {
                        return Err(BuildError::Empty { what: "tokens" });
                    }
                    if spec.block.tied_embeddings && *vocabulary != outputs {
                        return Err(BuildError::Tied { vocabulary: *vocabulary, outputs });
                    }
                    Transformer::new(spec, Front::Ids { vocabulary: *vocabulary, length: *length }, outputs)
                }
                ModelKind::Mlp => return Err(BuildError::NeedsFeatures { model: "mlp" }),
                ModelKind::ResidualMlp => return Err(BuildError::NeedsFeatures { model: "residual-mlp" }),
                ModelKind::VisionTransformer => {
                    return Err(BuildError::NeedsFeatures { model: "vision-transformer" });
                }
                ModelKind::ConvNet => return Err(BuildError::NeedsFeatures { model: "conv-net" }),
                ModelKind::ResidualConvNet => return Err(BuildError::NeedsFeatures { model: "residual-conv-net" }),
            };
            Ok(Arc::new(model))
        }
        Inputs::Features { shape, .. } => {
            let fan_in: usize = shape.iter().product();
            if fan_in == 0 {
                return Err(BuildError::Empty { what: "features" });
            }
            match spec.kind {
                ModelKind::Mlp => Ok(Arc::new(mlp(spec, shape, outputs)?)),
                ModelKind::ResidualMlp => Ok(Arc::new(ResidualMlp::new(spec, fan_in, outputs))),
                ModelKind::VisionTransformer => {
                    check_heads(spec)?;
                    Ok(Arc::new(Transformer::new(spec, vision_front(spec, shape)?, outputs)))
                }
                ModelKind::ConvNet => Ok(Arc::new(convnet(spec, "conv-net", shape, outputs)?)),
                ModelKind::ResidualConvNet => Ok(Arc::new(convnet(spec, "residual-conv-net", shape, outputs)?)),
                ModelKind::Gpt => Err(BuildError::NeedsTokens),
            }
        }
    }
}

fn check_heads(spec: &ModelSpec) -> Result<(), BuildError> {
    if spec.n_heads == 0 || !spec.width.is_multiple_of(spec.n_heads) {
        return Err(BuildError::Heads { heads: spec.n_heads, width: spec.width });
    }
    Ok(())
}

/// The knobs allow less than the format of files does.
fn check_numbers(spec: &ModelSpec) -> Result<(), BuildError> {
    let (block, attention) = (&spec.block, &spec.attention);
    for (knob, value) in [
        ("residual-scale", spec.residual_scale),
        ("skip-scale", block.skip_scale),
        ("branch-gain-init", block.branch_gain_init),
        ("slope-plus", block.slope_plus),
        ("slope-minus", block.slope_minus),
        ("inverse-temperature", attention.inverse_temperature),
        ("identity-gain", attention.identity_gain),
        ("softmax-gain", attention.softmax_gain),
        ("centre-gain", attention.centre_gain),
    ] {
        if !value.is_finite() {
            return Err(BuildError::Number { knob, value: value.to_string(), allowed: "a finite number" });
        }
    }
    let softcap = attention.softcap;
    if !(softcap >= 0.0 && softcap.is_finite()) {
        let allowed = "a positive number, or 0 for none";
        return Err(BuildError::Number { knob: "softcap", value: softcap.to_string(), allowed });
    }
    let temperature = attention.shaped_temperature;
    if !(temperature > 0.0 && temperature.is_finite()) {
        let (knob, allowed) = ("shaped-temperature", "a number above 0");
        return Err(BuildError::Number { knob, value: temperature.to_string(), allowed });
    }
    Ok(())
}

fn mlp(spec: &ModelSpec, shape: &[usize], outputs: usize) -> Result<Mlp, BuildError> {
    let name = match spec.sharing {
        Sharing::Dense => return Ok(Mlp::new(spec, shape.iter().product(), outputs)),
        Sharing::Local => "local",
        Sharing::Shared => "shared",
    };
    let &[height, width, channels] = shape else {
        return Err(BuildError::SharingShape { sharing: name, shape: shape.to_vec() });
    };
    if !spec.width.is_multiple_of(height * width) {
        let (units, pixels) = (spec.width, height * width);
        return Err(BuildError::SharingWidth { sharing: name, units, height, width, pixels });
    }
    let inputs = height * width * channels.max(spec.width / (height * width));
    let entries = inputs.saturating_mul(spec.width);
    if entries > MOST_GATHERED {
        return Err(BuildError::SharingSize { sharing: name, entries, most: MOST_GATHERED });
    }
    Mlp::on_pictures(spec, [height, width, channels], outputs).map_err(|error| BuildError::Tensor(error.to_string()))
}

fn convnet(spec: &ModelSpec, model: &'static str, shape: &[usize], outputs: usize) -> Result<ConvNet, BuildError> {
    let &[height, width, channels] = shape else {
        return Err(BuildError::NeedsPictures { model, shape: shape.to_vec() });
    };
    if spec.stages == 0 {
        return Err(BuildError::Zero { knob: "stages" });
    }
    let divisor = ConvNet::least_side(spec);
    if !(height.is_multiple_of(divisor) && width.is_multiple_of(divisor)) {
        return Err(BuildError::Stages { stages: spec.stages, height, width, divisor });
    }
    let residual = spec.kind == ModelKind::ResidualConvNet;
    Ok(ConvNet::new(spec, residual, [height, width, channels], outputs))
}

fn vision_front(spec: &ModelSpec, shape: &[usize]) -> Result<Front, BuildError> {
    match *shape {
        [count] => Ok(Front::Scalars { count }),
        [height, width, channels] => {
            let side = spec.patch;
            if side == 0 || !height.is_multiple_of(side) || !width.is_multiple_of(side) {
                return Err(BuildError::Patch { patch: side, height, width });
            }
            Ok(Front::Patches { height, width, channels, side })
        }
        _ => Err(BuildError::Shape { shape: shape.to_vec() }),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use crate::base::rng::Streams;
    use crate::nn::batch::Batch;
    use crate::nn::spec::{Activation, Downsample, Norm};
    use crate::tasks::data::Targets;

    use super::*;

    fn pictures() -> Split {
        let values = (0..3 * 4 * 6).map(|i| (i as f32 * 0.37).sin()).collect();
        Split {
            inputs: Inputs::Features { values, shape: vec![4, 6, 1] },
            targets: Targets::Classes { labels: vec![0, 1, 4], classes: 5 },
        }
    }

    fn points() -> Split {
        Split {
            inputs: Inputs::Features { values: vec![0.1, 0.2, 0.3, 0.4], shape: vec![2] },
            targets: Targets::Values { values: vec![1.0, 2.0], outputs: 1 },
        }
    }

    fn sequences() -> Split {
        Split {
            inputs: Inputs::Tokens { ids: vec![0, 1, 2, 3, 4, 5], length: 3, vocabulary: 7 },
            targets: Targets::NextTokens { ids: vec![1, 2, 3, 4, 5, 6], length: 3, vocabulary: 7 },
        }
    }

    fn spec(kind: ModelKind) -> ModelSpec {
        ModelSpec { kind, width: 8, depth: 2, n_heads: 2, ..ModelSpec::default() }
    }

    /// Shapes of the outputs and of every tap.
    fn shapes(spec: &ModelSpec, split: &Split) -> (Vec<usize>, Vec<Vec<usize>>) {
        let model = build(spec, split).unwrap();
        let flat = model.init(&Streams::new(0));
        let params = model.layout().unflatten(&flat, DType::F32, &Device::Cpu).unwrap();
        let batch = Batch::new(split, DType::F32, &Device::Cpu).unwrap();
        let mut taps = Vec::new();
        let outputs = model.forward(&params, &batch.inputs, Some(&mut taps)).unwrap();
        assert_eq!(taps.len(), model.layers().len(), "{}", model.title());
        (outputs.dims().to_vec(), taps.iter().map(|t| t.dims().to_vec()).collect())
    }

    #[test]
    fn outputs_and_taps_have_the_documented_shapes() {
        assert_eq!(shapes(&spec(ModelKind::Mlp), &pictures()), (vec![3, 5], vec![vec![3, 8]; 2]));
        assert_eq!(shapes(&spec(ModelKind::ResidualMlp), &points()), (vec![2, 1], vec![vec![2, 8]; 3]));
        // 2x3 patches; two coordinates; three tokens
        assert_eq!(shapes(&spec(ModelKind::VisionTransformer), &pictures()), (vec![3, 5], vec![vec![3, 6, 8]; 5]));
        assert_eq!(shapes(&spec(ModelKind::VisionTransformer), &points()), (vec![2, 1], vec![vec![2, 2, 8]; 5]));
        assert_eq!(shapes(&spec(ModelKind::Gpt), &sequences()), (vec![6, 7], vec![vec![2, 3, 8]; 5]));
        for (sharing, parameters) in
            [(Sharing::Local, (9 + 1) * 48 + (18 + 1) * 48), (Sharing::Shared, (9 + 1) * 2 + (18 + 1) * 2)]
        {
            // Two units at each of 24 pixels.
            let spec = ModelSpec { sharing, width: 48, ..spec(ModelKind::Mlp) };
            assert_eq!(shapes(&spec, &pictures()), (vec![3, 5], vec![vec![3, 48]; 2]));
            assert_eq!(build(&spec, &pictures()).unwrap().layout().total(), parameters + 49 * 5);
        }
        for downsample in [Downsample::Pool, Downsample::Stride] {
            for kind in [ModelKind::ConvNet, ModelKind::ResidualConvNet] {
                // 4x6 pixels, then 2x3
                let spec = ModelSpec { downsample, ..spec(kind) };
                let taps = [[3, 24, 8], [3, 24, 8], [3, 6, 8]].map(Vec::from).to_vec();
                assert_eq!(shapes(&spec, &pictures()), (vec![3, 5], taps));
                let whole = ModelSpec { stages: 1, ..spec };
                assert_eq!(shapes(&whole, &pictures()), (vec![3, 5], vec![vec![3, 24, 8]; 3]));
            }
        }
        for norm in [Norm::PostLn, Norm::None] {
            shapes(
                &ModelSpec { norm, activation: Activation::Relu, ..spec(ModelKind::VisionTransformer) },
                &pictures(),
            );
        }
    }

    #[test]
    fn a_patch_holds_the_neighbouring_pixels() {
        let side = 2;
        let split = pictures();
        let Inputs::Features { values, .. } = &split.inputs else { unreachable!() };
        let batch = Batch::new(&split, DType::F32, &Device::Cpu).unwrap();
        let front = Front::Patches { height: 4, width: 6, channels: 1, side };
        let tokens = front.cut(batch.inputs.features().unwrap()).unwrap().to_vec2::<f32>().unwrap();
        // Example 1, patch row 1, patch column 2: pixels (2..4, 4..6).
        let at = |row: usize, column: usize| values[24 + row * 6 + column];
        assert_eq!(tokens[6 + 3 + 2], [at(2, 4), at(2, 5), at(3, 4), at(3, 5)]);
    }

    #[test]
    fn a_gpt_does_not_see_the_future() {
        let split = sequences();
        let model = build(&spec(ModelKind::Gpt), &split).unwrap();
        let params = model.layout().unflatten(&model.init(&Streams::new(1)), DType::F64, &Device::Cpu).unwrap();
        let outputs = |ids: Vec<u32>| {
            let inputs = Inputs::Tokens { ids, length: 3, vocabulary: 7 };
            let batch = Batch::new(&Split { inputs, ..split.clone() }, DType::F64, &Device::Cpu).unwrap();
            model.forward(&params, &batch.inputs, None).unwrap().to_vec2::<f64>().unwrap()
        };
        let (a, b) = (outputs(vec![0, 1, 2, 3, 4, 5]), outputs(vec![0, 1, 6, 3, 4, 5]));
        assert_eq!(a[..2], b[..2]);
        assert_ne!(a[2], b[2]);
        assert_eq!(a[3..], b[3..]);
    }

    #[test]
    fn initial_values_follow_the_names() {
        let model = build(&spec(ModelKind::VisionTransformer), &pictures()).unwrap();
        let (a, b) = (model.init(&Streams::new(3)), model.init(&Streams::new(3)));
        assert_eq!(a, b);
        assert_ne!(a, model.init(&Streams::new(4)));
        assert_eq!(a.len(), model.layout().total());
    }

    #[track_caller]
    fn refuses(spec: &ModelSpec, split: &Split, words: &[&str]) {
        let error = build(spec, split).err().expect("this can't be built").to_string();
        for word in words {
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn errors_name_the_knob() {
        let vit = spec(ModelKind::VisionTransformer);
        refuses(&ModelSpec { patch: 3, ..vit.clone() }, &pictures(), &["patch", "3", "4x6"]);
        refuses(&ModelSpec { patch: 0, ..vit.clone() }, &pictures(), &["patch"]);
        refuses(&ModelSpec { n_heads: 3, ..vit.clone() }, &pictures(), &["heads", "3", "8"]);
        refuses(&ModelSpec { n_heads: 0, ..vit.clone() }, &pictures(), &["heads"]);
        refuses(&ModelSpec { depth: 0, ..vit.clone() }, &pictures(), &["depth"]);
        refuses(&vit, &sequences(), &["vision-transformer", "gpt"]);
        refuses(&spec(ModelKind::Mlp), &sequences(), &["mlp", "gpt"]);
        refuses(&spec(ModelKind::Gpt), &pictures(), &["gpt", "mlp"]);
        let local = ModelSpec { sharing: Sharing::Local, width: 48, ..spec(ModelKind::Mlp) };
        refuses(&local, &points(), &["sharing", "local", "[2]", "dense"]);
        refuses(&ModelSpec { width: 50, ..local.clone() }, &pictures(), &["width", "50", "4x6", "24"]);
        refuses(&ModelSpec { width: 24 * 1000, ..local }, &pictures(), &["sharing", "entries", "conv-net"]);
        let conv = spec(ModelKind::ConvNet);
        refuses(&conv, &points(), &["conv-net", "[2]", "pictures"]);
        refuses(&conv, &sequences(), &["conv-net", "gpt"]);
        refuses(&ModelSpec { stages: 3, depth: 3, ..conv.clone() }, &pictures(), &["stages", "3", "4x6", "4"]);
        refuses(&ModelSpec { stages: 0, ..conv }, &pictures(), &["stages"]);
    }
}
