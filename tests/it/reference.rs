//! The program's numbers beside those of PyTorch in f64: `tests/data/reference/networks.json`, made by `make.py` there.

use candle_core::{DType, Device};
use landscope::linalg::operator::LinearOperator;
use landscope::nn::batch::Batch;
use landscope::nn::curvature::{GaussNewton, Hessian, Metric};
use landscope::nn::params::Params;
use landscope::nn::training;
use landscope::probes::measure::{MEASUREMENTS, Options, Value};
use landscope::run::measuring::{Order, measure_all};
use landscope::run::model_file::ModelFile;
use landscope::tasks::data::{Inputs, Split, Targets};
use landscope::tasks::examples::Examples;
use landscope::tasks::shapes::{InputShape, OutputShape};
use serde_json::Value as Json;

const TABLE: &str = include_str!("../data/reference/networks.json");

struct Network {
    name: String,
    model: ModelFile,
    weights: Vec<f64>,
    examples: Examples,
    known: Json,
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
        let x = formula(n * shape.iter().product::<usize>(), |i| (0.9 * i + 0.2).sin());
        let split = Split {
            inputs: Inputs::Features { values: x.iter().map(|&x| x as f32).collect(), shape: shape.clone() },
            targets: Targets::Classes { labels: (0..n).map(|i| ((i * i + 1) % classes) as u32).collect(), classes },
        };
        let examples = Examples { split, wide_inputs: Some(x), wide_targets: None };
        Network { name, model, weights: formula(total, |i| 0.4 * (1.3 * i + 0.5).sin()), examples, known }
    };
    table.into_iter().map(network).collect()
}

/// Numbers of a list, an object or alone; objects in the order of `names`.
fn numbers(known: &Json, names: &[String]) -> Vec<f64> {
    match known {
        Json::Array(values) => values.iter().map(|value| value.as_f64().unwrap()).collect(),
        Json::Object(_) => names.iter().map(|name| known[name].as_f64().unwrap()).collect(),
        one => vec![one.as_f64().unwrap()],
    }
}

/// Largest difference, relative to the largest number.
#[track_caller]
fn agree(what: &str, found: &[f64], known: &[f64], tolerance: f64) {
    assert_eq!(found.len(), known.len(), "{what}");
    let size = known.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let off = found.iter().zip(known).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
    assert!(off <= tolerance * size, "{what}: off by {:.1e}, allowed {tolerance:.0e}", off / size);
}

/// Tolerances of values, and of eigenvalues and products.
fn check(dtype: DType, values: f64, curvature: f64) {
    let options =
        Options { top_k: 5, tolerance: curvature, most_products: 2_000, test_vectors: 0, ..Options::default() };
    for network in networks() {
        let Network { name, model, weights, examples, known } = &network;
        let order = Order { model, weights, reference: None, examples, dtype, device: &Device::Cpu, seed: 0, options };
        let mut compared = 0;
        measure_all(&order, MEASUREMENTS, |answer| {
            let reference = &known[answer.id];
            let (found, names) = match answer.value {
                Value::Number(value) => (vec![value], Vec::new()),
                Value::List(values) | Value::Matrix { values, .. } => (values, Vec::new()),
                Value::Columns(_) => return,
                Value::Named(pairs) => pairs.into_iter().map(|(name, value)| (value, name)).unzip(),
            };
            let tolerance = if answer.products > 0 { curvature } else { values };
            match answer.id {
                "gradient" => {
                    let length = numbers(reference, &[]).iter().map(|g| g * g).sum::<f64>().sqrt();
                    agree(name, &found, &[length], tolerance);
                }
                "sharpness" => agree(name, &found, &numbers(&known["eigenvalues"], &[])[..1], tolerance),
                _ if reference.is_null() => return,
                id => agree(&format!("{name}, {id}"), &found, &numbers(reference, &names), tolerance),
            }
            assert_ne!(answer.converged, Some(false), "{name}, {}", answer.id);
            compared += 1;
        })
        .unwrap();
        assert_eq!(
            compared, 9,
            "{name}: loss, gradient, sharpness, eigenvalues, trace, kernel, kurtosis, ratio, cosine"
        );
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
    for Network { name, model, weights, examples, known } in networks() {
        let built = model.build().unwrap();
        let mut batch = Batch::new(&examples.split, DType::F64, &Device::Cpu).unwrap();
        if let (landscope::nn::batch::InputTensor::Features(x), Some(wide)) = (&mut batch.inputs, &examples.wide_inputs)
        {
            *x = candle_core::Tensor::from_slice(wide, x.shape(), &Device::Cpu).unwrap();
        }
        let params = Params::from_flat(built.layout().clone(), &weights, DType::F64, &Device::Cpu).unwrap();
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
