//! The program's numbers beside those of PyTorch in f64: `tests/data/reference/networks.json`, made by `make.py` there.

use candle_core::{DType, Device, Tensor};
use landscope::linalg::operator::LinearOperator;
use landscope::nn::batch::{Batch, InputTensor};
use landscope::nn::curvature::{GaussNewton, Hessian, Metric};
use landscope::nn::params::Params;
use landscope::nn::training;
use landscope::optim::Optimizer;
use landscope::optim::spec::OptimizerSpec;
use landscope::probes::measure::{MEASUREMENTS, Options, Value};
use landscope::run::measuring::{Order, measure_all};
use landscope::run::model_file::ModelFile;
use landscope::tasks::data::{Inputs, Split, Targets};
use landscope::tasks::examples::Examples;
use landscope::tasks::shapes::{InputShape, OutputShape};
use serde_json::Value as Json;

const TABLE: &str = include_str!("../data/reference/networks.json");

/// Updates of each optimiser.
const STEPS: usize = 10;

struct Network {
    name: String,
    model: ModelFile,
    weights: Vec<f64>,
    examples: Examples,
    known: Json,
}

impl Network {
    fn params(&self) -> Params {
        let layout = self.model.build().unwrap().layout().clone();
        Params::from_flat(layout, &self.weights, DType::F64, &Device::Cpu).unwrap()
    }

    /// With all digits of the formula.
    fn batch(&self) -> Batch {
        let mut batch = Batch::new(&self.examples.split, DType::F64, &Device::Cpu).unwrap();
        if let (InputTensor::Features(x), Some(wide)) = (&mut batch.inputs, &self.examples.wide_inputs) {
            *x = Tensor::from_slice(wide, x.shape(), &Device::Cpu).unwrap();
        }
        batch
    }
}

fn formula(n: usize, of: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..n).map(|i| of(i as f64)).collect()
}

fn networks() -> Vec<Network> {
    let table: serde_json::Map<String, Json> = serde_json::from_str(TABLE).unwrap();
    let network = |(name, known): (String, Json)| {
        let model = ModelFile::from_toml(known["model"].as_str().unwrap(), &name).unwrap();
        let total = model.build().unwrap().layout().total();
        let n = known["examples"].as_u64().unwrap() as usize;
        let (InputShape::Features(shape), OutputShape::Classes(classes)) = (&model.input, model.output) else {
            panic!("pictures and classes")
        };
        let x = formula(n * shape.iter().product::<usize>(), |i| (0.9 * i + 0.13 * i * i + 0.2).sin());
        let split = Split {
            inputs: Inputs::Features { values: x.iter().map(|&x| x as f32).collect(), shape: shape.clone() },
            targets: Targets::Classes { labels: (0..n).map(|i| ((i * i + 1) % classes) as u32).collect(), classes },
        };
        let examples = Examples { split, wide_inputs: Some(x), wide_targets: None };
        Network {
            name,
            model,
            weights: formula(total, |i| 0.4 * (1.3 * i + 0.17 * i * i + 0.5).sin()),
            examples,
            known,
        }
    };
    table.into_iter().map(network).collect()
}

/// Numbers of a list, an object or alone; objects in the order of `names`; null is not a number.
fn numbers(known: &Json, names: &[String]) -> Vec<f64> {
    let number = |value: &Json| if value.is_null() { f64::NAN } else { value.as_f64().unwrap() };
    match known {
        Json::Array(values) => values.iter().map(number).collect(),
        Json::Object(_) => names.iter().map(|name| number(&known[name])).collect(),
        one => vec![number(one)],
    }
}

/// Largest difference, relative to the largest number; what isn't finite has to be so in both.
#[track_caller]
fn agree(what: &str, found: &[f64], known: &[f64], tolerance: f64) {
    assert_eq!(found.len(), known.len(), "{what}");
    let pairs = || found.iter().zip(known).filter(|(_, known)| known.is_finite());
    assert!(found.iter().zip(known).all(|(a, b)| a.is_finite() == b.is_finite()), "{what}: {found:?} {known:?}");
    let size = pairs().fold(0.0_f64, |m, (_, x)| m.max(x.abs()));
    let off = pairs().fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
    assert!(off <= tolerance * size, "{what}: off by {:.1e}, allowed {tolerance:.0e}", off / size);
}

/// Tolerances of values, and of eigenvalues and products.
fn check(dtype: DType, values: f64, curvature: f64) {
    let options =
        Options { top_k: 5, tolerance: curvature, most_products: 2_000, test_vectors: 0, ..Options::default() };
    for network in networks() {
        let Network { name, model, weights, examples, known } = &network;
        let order = Order { model, weights, reference: None, examples, dtype, device: &Device::Cpu, seed: 0, options };
        let mut compared = Vec::new();
        measure_all(&order, MEASUREMENTS, |answer| {
            let reference = match answer.id {
                "sharpness" => &known["eigenvalues"][0],
                id => &known[id],
            };
            if reference.is_null() {
                return;
            }
            let (found, names) = match answer.value {
                Value::Number(value) => (vec![value], Vec::new()),
                Value::List(values) | Value::Matrix { values, .. } => (values, Vec::new()),
                Value::Columns(_) => return,
                Value::Named(pairs) => pairs.into_iter().map(|(name, value)| (value, name)).unzip(),
            };
            let tolerance = if answer.products > 0 { curvature } else { values };
            let mut expected = numbers(reference, &names);
            if answer.id == "gradient" {
                expected = vec![expected.iter().map(|g| g * g).sum::<f64>().sqrt()];
            }
            if let Json::Object(all) = reference {
                assert_eq!(all.len(), names.len(), "{name}, {}: {names:?}", answer.id);
            }
            agree(&format!("{name}, {}", answer.id), &found, &expected, tolerance);
            assert_ne!(answer.converged, Some(false), "{name}, {}", answer.id);
            compared.push(answer.id);
        })
        .unwrap();
        for id in REFERENCED {
            assert!(compared.contains(id), "{name} has a reference of {id}: {compared:?}");
        }
    }
}

/// What the tables must hold a value of.
const REFERENCED: &[&str] = &[
    "loss",
    "accuracy",
    "gradient",
    "gradient-roles",
    "sharpness",
    "eigenvalues",
    "trace",
    "directional-sharpness",
    "tangent-kernel",
    "kurtosis",
    "max-median-ratio",
    "token-cosine",
    "mean-token-distance",
    "stable-rank",
    "effective-rank",
    "gram",
    "dead-units",
    "attention-entropy",
    "int8-activations",
    "int8-weights",
];

#[test]
fn tables_hold_the_four_networks_with_the_tensors_as_documented() {
    let names: Vec<_> = networks().into_iter().map(|network| network.name).collect();
    assert_eq!(names, ["ConvNet", "MLP", "Outlier-Protected transformer", "Pre-LN transformer"]);
    for Network { name, model, known, .. } in networks() {
        let built = model.build().unwrap();
        let shapes = known["tensors"].as_object().unwrap();
        assert_eq!(shapes.len(), built.layout().infos().len(), "{name}");
        for info in built.layout().infos() {
            assert_eq!(shapes[&info.name], serde_json::json!(info.shape), "{name}, {}", info.name);
        }
        let is_protected = name.starts_with("Outlier-Protected");
        assert_eq!(
            built.title().contains("Outlier-Protected"),
            is_protected,
            "{name} is the preset: {}",
            built.title()
        );
    }
}

/// `tr (X X')^2 = tr (X' X)^2`, and a gradient is as long as its roles together.
#[test]
fn measurements_keep_their_identities() {
    for network in networks() {
        let Network { name, known, .. } = &network;
        for (layer, kurtosis) in known["kurtosis"].as_object().unwrap() {
            let by_identity = &known["gram"][format!("{layer}: kurtosis by the identity")];
            agree(&format!("{name}, {layer}"), &numbers(by_identity, &[]), &numbers(kurtosis, &[]), 1e-11);
        }
        let square = |values: &mut dyn Iterator<Item = f64>| values.map(|g| g * g).sum::<f64>().sqrt();
        let roles = known["gradient-roles"].as_object().unwrap();
        let together = square(&mut roles.values().map(|g| g.as_f64().unwrap()));
        let whole = square(&mut numbers(&known["gradient"], &[]).into_iter());
        agree(&format!("{name}, roles"), &[together], &[whole], 1e-11);
    }
}

#[test]
fn every_measurement_agrees_in_f64() {
    check(DType::F64, 1e-9, 1e-9);
}

#[test]
fn every_measurement_agrees_in_f32() {
    // Rounding of some hundred operations; the kernel and curvature sum squares of it.
    check(DType::F32, 1e-5, 1e-4);
}

#[test]
fn gradients_and_products_agree_entry_by_entry() {
    for network in networks() {
        let (batch, params) = (network.batch(), network.params());
        let Network { name, model, weights, known, .. } = network;
        let built = model.build().unwrap();
        let found = training::gradient(&*built, &params, &batch, &model.loss).unwrap();
        let gradient = built.layout().flatten(&found.tensors).unwrap();
        agree(&format!("{name}, gradient"), &gradient, &numbers(&known["gradient"], &[]), 1e-9);

        let frozen = params.frozen().unwrap();
        let v = formula(weights.len(), |i| (0.7 * i).cos());
        let mut product = vec![0.0; v.len()];
        Hessian::new(built.clone(), &frozen, &batch, &model.loss).unwrap().apply(&v, &mut product).unwrap();
        agree(&format!("{name}, Hessian"), &product, &numbers(&known["hessian_product"], &[]), 1e-9);
        let mut ggn = GaussNewton::new(built, &frozen, &batch, &model.loss, Metric::Ggn).unwrap();
        ggn.apply(&v, &mut product).unwrap();
        agree(&format!("{name}, Gauss-Newton"), &product, &numbers(&known["gauss_newton_product"], &[]), 1e-9);
    }
}

/// Ten updates of `spec`: the losses before each and after the last, and the last parameters.
fn train(network: &Network, spec: &OptimizerSpec) -> (Vec<f64>, Vec<f64>) {
    let (model, batch, params) = (network.model.build().unwrap(), network.batch(), network.params());
    let mut optimizer = Optimizer::new(spec, model.layout());
    let mut losses = Vec::new();
    let gradient = || training::gradient(&*model, &params, &batch, &network.model.loss).unwrap();
    for _ in 0..STEPS {
        let mut found = gradient();
        losses.push(found.loss);
        if let Some(ascent) = optimizer.ascend(&params, &found.tensors).unwrap() {
            found = gradient();
            ascent.undo(&params).unwrap();
        }
        optimizer.step(&params, &found.tensors, spec.lr).unwrap();
    }
    losses.push(gradient().loss);
    (losses, model.layout().flatten(&params.tensors()).unwrap())
}

#[test]
fn ten_steps_of_each_optimiser_agree() {
    for network in networks() {
        let trajectories = network.known["trajectories"].as_object().unwrap();
        assert_eq!(trajectories.len(), 8, "all kinds of optimiser, and SAM");
        for (kind, known) in trajectories {
            let spec: OptimizerSpec = serde_json::from_value(known["optimizer"].clone()).unwrap();
            let (losses, last) = train(&network, &spec);
            let what = format!("{}, {kind}", network.name);
            assert!(losses[STEPS] < losses[0], "{what} learns: {losses:?}");
            agree(&what, &losses, &numbers(&known["losses"], &[]), 1e-9);
            let along = last.iter().enumerate().map(|(i, w)| w * (0.7 * i as f64).cos()).sum::<f64>();
            let squared = last.iter().map(|w| w * w).sum::<f64>();
            agree(&what, &[along, squared], &numbers(&known["last"], &[]), 1e-9);
        }
    }
}

/// The tables have no dead unit. Here one unit of four is pushed far away by its bias: to zero, or to the bound of tanh.
#[test]
fn units_that_a_bias_kills_are_counted() {
    // Of the first layer.
    let dead_share = |text: &str, bias: f64| {
        let network = networks().into_iter().find(|network| network.name == "MLP").unwrap();
        let model = ModelFile::from_toml(&network.known["model"].as_str().unwrap().replace("tanh", text), "m").unwrap();
        let mut weights = network.weights.clone();
        // The first bias behind the matrix [5, 4].
        weights[20] = bias;
        let options = Options { top_k: 1, tolerance: 1e-6, most_products: 1, test_vectors: 2, ..Options::default() };
        let (examples, dtype) = (&network.examples, DType::F64);
        let order = Order {
            model: &model,
            weights: &weights,
            reference: None,
            examples,
            dtype,
            device: &Device::Cpu,
            seed: 0,
            options,
        };
        let dead = MEASUREMENTS.iter().find(|one| one.id == "dead-units").unwrap();
        let mut found = f64::NAN;
        measure_all(&order, &[dead], |answer| {
            let Value::Named(layers) = answer.value else { panic!("a number a layer") };
            found = layers[0].1;
        })
        .unwrap();
        found
    };
    assert_eq!(dead_share("relu", -50.0), 0.25);
    assert_eq!(dead_share("relu", 50.0), 0.0);
    assert_eq!(dead_share("tanh", 50.0), 0.25);
    assert_eq!(dead_share("tanh", -50.0), 0.25);
    assert_eq!(dead_share("gelu", -50.0), 0.25);
}
