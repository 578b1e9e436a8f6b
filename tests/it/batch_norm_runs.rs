//! Batch normalisation as a user meets it: beside PyTorch, in runs, in `landscope measure` and in what probes print.

use std::path::Path;

use candle_core::{DType, Device};
use landscope::linalg::operator::LinearOperator;
use landscope::nn::batch::Batch;
use landscope::nn::curvature::Hessian;
use landscope::nn::params::Params;
use landscope::nn::slice::directions::{DirectionKind, Normalisation};
use landscope::nn::spec::{ModelKind, ModelSpec};
use landscope::nn::statistics::{Statistics, under};
use landscope::nn::training;
use landscope::probes::job::Subject;
use landscope::probes::measure::{MEASUREMENTS, Measurement, Options, Value};
use landscope::probes::plane::{self, Choice};
use landscope::probes::{landscape, sharpness, slice_metric, spectrum};
use landscope::record::{Reading, SliceExtent, SliceMetric};
use landscope::run::measuring::{Order, measure_all};
use landscope::run::model_file::ModelFile;
use landscope::run::spec::RunSpec;
use landscope::run::trainer::{StepOutcome, Trainer};
use landscope::tasks::data::{Inputs, Split, Targets};
use landscope::tasks::examples::Examples;

use super::differences::close;
use super::exactness::{measured, trained};
use super::program::{output, stderr, stdout};

const TABLE: &str = include_str!("../data/reference/batchnorm.json");

fn formula(n: usize, of: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..n).map(|i| of(i as f64)).collect()
}

fn pictures(n: usize) -> (Split, Vec<f64>) {
    let x = formula(n * 32, |i| (0.9 * i + 0.2).sin());
    let targets = Targets::Classes { labels: (0..n).map(|i| ((i * i + 1) % 3) as u32).collect(), classes: 3 };
    let inputs = Inputs::Features { values: x.iter().map(|&x| x as f32).collect(), shape: vec![4, 4, 2] };
    (Split { inputs, targets }, x)
}

/// Loss, gradient, a Hessian product and the sharpness of two ConvNets under each policy, in f64 beside PyTorch's.
#[test]
fn convnets_are_those_of_pytorch_under_every_policy() {
    let table: serde_json::Value = serde_json::from_str(TABLE).unwrap();
    let list = |value: &serde_json::Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    let wanted: Vec<&'static Measurement> =
        MEASUREMENTS.iter().filter(|one| ["loss", "gradient", "sharpness"].contains(&one.id)).copied().collect();
    for network in ["plain", "residual"] {
        for policy in ["batch", "recomputed", "frozen"] {
            let known = &table[network][policy];
            let text = format!("statistics = \"{policy}\"\n{}", table[network]["model"].as_str().unwrap());
            let file = ModelFile::from_toml(&text, network).unwrap();
            let model = file.measured().unwrap();
            let total = model.layout().total();
            let weights = formula(total, |i| 0.4 * (1.3 * i + 0.5).sin());
            let (split, x) = pictures(6);
            let mut batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
            if let landscope::nn::batch::InputTensor::Features(features) = &mut batch.inputs {
                *features = candle_core::Tensor::from_slice(&x, features.shape(), &Device::Cpu).unwrap();
            }
            let what = format!("{network}, {policy}");
            let params = Params::from_flat(model.layout().clone(), &weights, DType::F64, &Device::Cpu).unwrap();
            let found = training::gradient(&*model, &params, &batch, &file.loss).unwrap();
            close(&model.layout().flatten(&found.tensors).unwrap(), &list(&known["gradient"]), 1e-10, &what);
            let mut product = vec![0.0; total];
            let mut hessian = Hessian::new(model, &params.frozen().unwrap(), &batch, &file.loss).unwrap();
            hessian.apply(&formula(total, |i| (0.7 * i + 0.1).sin()), &mut product).unwrap();
            close(&product, &list(&known["product"]), 1e-9, &format!("{what}, product"));

            let examples = Examples { split, wide_inputs: Some(x), wide_targets: None };
            let options =
                Options { top_k: 1, tolerance: 1e-10, most_products: 500, test_vectors: 2, ..Options::default() };
            let (model, weights, device) = (&file, &weights[..], &Device::Cpu);
            let order = Order {
                model,
                weights,
                reference: None,
                examples: &examples,
                dtype: DType::F64,
                device,
                seed: 0,
                options,
            };
            measure_all(&order, &wanted, |answer| {
                let Value::Number(value) = answer.value else { panic!("a number") };
                let known = match answer.id {
                    "gradient" => list(&known["gradient"]).iter().map(|g| g * g).sum::<f64>().sqrt(),
                    id => known[id].as_f64().unwrap(),
                };
                assert!((value - known).abs() < 1e-9 * known, "{what}, {}: {value} {known}", answer.id);
                let method = answer.circumstances.method;
                let named = if policy == "batch" { "BN batch of 4, ".to_owned() } else { format!("BN {policy}, ") };
                assert!(method.starts_with(&named), "{method}");
            })
            .unwrap();
        }
    }
}

fn digits(kind: ModelKind, steps: u64, seed: u64) -> RunSpec {
    let model = ModelSpec { kind, width: 8, batch_norm: true, ..ModelSpec::default() };
    RunSpec { seed, steps, model, ..RunSpec::default() }
}

#[test]
fn networks_with_batch_norm_learn_the_digits() {
    for kind in [ModelKind::ConvNet, ModelKind::ResidualConvNet, ModelKind::Mlp] {
        let mut spec = digits(kind, 250, 1);
        spec.model.width = if kind == ModelKind::Mlp { 32 } else { 8 };
        let mut trainer = Trainer::new(spec).unwrap();
        while trainer.steps_done() < 250 {
            assert!(matches!(trainer.step().unwrap(), StepOutcome::Done(_)));
        }
        let accuracy = trainer.evaluate().unwrap().accuracy.unwrap();
        assert!(accuracy > 0.88, "{kind:?}: {accuracy}");
    }
}

/// The test loss is a function of the parameters: no average that runs along with training is behind it.
#[test]
fn checkpoints_have_all_that_an_evaluation_needs() {
    let mut trainer = Trainer::new(digits(ModelKind::ConvNet, 20, 0)).unwrap();
    let run = |trainer: &mut Trainer, steps: u64| (0..steps).for_each(|_| drop(trainer.step().unwrap()));
    run(&mut trainer, 5);
    let (checkpoint, then) = (trainer.checkpoint(0.0).unwrap(), trainer.evaluate().unwrap());
    run(&mut trainer, 5);
    assert!(trainer.evaluate().unwrap() != then);
    trainer.restore(&checkpoint).unwrap();
    assert_eq!(trainer.evaluate().unwrap(), then);
    // Straight there, with and without having looked before.
    let mut again = Trainer::new(digits(ModelKind::ConvNet, 20, 0)).unwrap();
    run(&mut again, 5);
    assert_eq!(again.evaluate().unwrap(), then);
    assert_eq!(again.params().hash().unwrap(), trainer.params().hash().unwrap());
}

#[test]
fn a_minibatch_of_one_row_is_refused() {
    let spec = RunSpec { batch_size: 1, ..digits(ModelKind::Mlp, 5, 0) };
    let error = Trainer::new(spec).err().unwrap().to_string();
    assert!(error.contains("batch-size") && error.contains("batch-norm"), "{error}");
    assert!(
        Trainer::new(RunSpec { batch_size: 1, ..digits(ModelKind::ConvNet, 5, 0) }).is_ok(),
        "positions are rows, too"
    );
}

#[test]
fn probes_say_whose_statistics_they_used() {
    let model = ModelSpec { width: 3, batch_norm: true, kind: ModelKind::ConvNet, ..ModelSpec::default() };
    let subject = trained(&model, &pictures(12).0, DType::F64, 2);
    for (statistics, words) in [
        (Statistics::Batch, "BN batch of 5"),
        (Statistics::Recomputed, "BN recomputed"),
        (Statistics::Frozen, "BN frozen"),
    ] {
        let subject = Subject { model: under(subject.model.clone(), statistics, 5), ..subject.clone() };
        let metric = slice_metric::Options {
            metric: SliceMetric::GradientNorm,
            extent: SliceExtent::Axes,
            directions: DirectionKind::Random,
            normalisation: Normalisation::Filter,
            choice: Choice::Middle,
            radius: 1.0,
            examples: 12,
        };
        let jobs = [
            slice_metric::begin(&subject, &metric, &plane::Memory::default()).unwrap(),
            landscape::begin(&subject, 1.0, 12, 9).unwrap(),
            sharpness::begin(&subject, 12, sharpness::tolerance(false), &sharpness::Warm::default()).unwrap(),
            spectrum::begin(&subject, 12, 1, (&spectrum::Warm::default(), &sharpness::Warm::default())).unwrap(),
        ];
        for (_, reading) in jobs.into_iter().flat_map(measured) {
            let about = match reading {
                Reading::Surface(surface) => surface.circumstances.clone(),
                Reading::Estimate(estimate) => estimate.circumstances.clone(),
                Reading::Spectrum(spectrum) => spectrum.circumstances.clone(),
                other => panic!("{other:?}"),
            };
            assert_eq!(about.statistics(), Some(words), "{}", about.method);
        }
    }
}

fn write_examples(home: &Path) {
    let (split, _) = pictures(6);
    let (Inputs::Features { values, .. }, Targets::Classes { labels, .. }) = (split.inputs, split.targets) else {
        panic!("pictures")
    };
    let x: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let y: Vec<u8> = labels.iter().flat_map(|&y| i64::from(y).to_le_bytes()).collect();
    let view =
        |dtype, shape: &[usize], bytes| safetensors::tensor::TensorView::new(dtype, shape.to_vec(), bytes).unwrap();
    use safetensors::tensor::Dtype::{F32, I64};
    let bytes = safetensors::serialize([("x", view(F32, &[6, 4, 4, 2], &x)), ("y", view(I64, &[6], &y))], None);
    std::fs::write(home.join("batch.safetensors"), bytes.unwrap()).unwrap();
}

#[test]
fn measure_must_be_told_and_tells() {
    let home = tempfile::tempdir().unwrap();
    write_examples(home.path());
    let model = "[model]\nkind = \"conv-net\"\nwidth = 3\nbatch_norm = true\n[input]\nshape = [4, 4, 2]\n[output]\nclasses = 3\n";
    std::fs::write(home.path().join("m.toml"), model).unwrap();
    let done = output(home.path(), &["init", "--model", "m.toml", "--out", "w"]);
    assert!(done.status.success(), "{}", stderr(&done));
    let files = ["measure", "--model", "m.toml", "--weights", "w", "--data", "batch.safetensors", "--json", "-"];
    let run = |flags: &[&str]| {
        output(home.path(), &[&files[..], &["--probe", "loss", "--probe", "sharpness"], flags].concat())
    };
    for (flags, words) in [
        (&[][..], &["BatchNorm", "--statistics", "frozen"][..]),
        (&["--statistics", "batch"], &["--batch-size"]),
        (&["--statistics", "frozen", "--probe", "weather"], &["weather"]),
    ] {
        let refused = run(flags);
        assert!(!refused.status.success(), "{flags:?}");
        let said = stderr(&refused);
        assert!(words.iter().all(|word| said.contains(word)) && !said.contains("panicked"), "{flags:?}: {said}");
    }
    let kernel =
        output(home.path(), &[&files[..], &["--probe", "tangent-kernel", "--statistics", "recomputed"]].concat());
    assert!(!kernel.status.success() && stderr(&kernel).contains("frozen"), "{}", stderr(&kernel));
    for flags in [&["--statistics", "batch", "--batch-size", "4"][..], &["--statistics", "frozen"]] {
        let answered = run(flags);
        assert!(answered.status.success(), "{}", stderr(&answered));
        let json: serde_json::Value = serde_json::from_str(&stdout(&answered)).unwrap();
        let words = if flags[1] == "batch" { "batch of 4" } else { "frozen" };
        assert_eq!(json["statistics"].as_str().unwrap(), words, "{json}");
        for answer in json["measurements"].as_array().unwrap() {
            assert!(answer["circumstances"]["method"].as_str().unwrap().contains(words), "{answer}");
        }
    }
}
