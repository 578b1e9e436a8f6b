//! Estimators of `linalg` on operators of `nn`, as probes use them, against the dense matrices of small networks.

use candle_core::{DType, Device, Tensor};
use landscope::base::rng::{Streams, normals};
use landscope::linalg::estimator::{Estimator, estimate};
use landscope::linalg::extremes::{self, ExtremeSearch, Extremes};
use landscope::linalg::operator::{Dense, LinearOperator, PiecewiseOperator};
use landscope::linalg::slq::{self, LanczosQuadrature};
use landscope::linalg::trace::{self, Hutchinson};
use landscope::linalg::wrappers::{Along, Block, Scaled};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::curvature::{GaussNewton, Hessian, Kernels, Metric, TangentKernel};
use landscope::nn::params::Params;
use landscope::nn::spec::{Activation, LossKind, LossSpec, ModelKind, ModelSpec};
use landscope::nn::training::gradient;
use landscope::tasks::data::{Inputs, Split, Targets};

/// A vision transformer small enough for its dense Hessian, biases moved off zero, in f64.
struct Small {
    batch: Batch,
    params: Vec<Tensor>,
    flat: Vec<f64>,
    model: std::sync::Arc<dyn landscope::nn::model::Model>,
}

impl Small {
    fn new() -> Self {
        let n = 12;
        let draw = |name: &str, count: usize| normals(&mut Streams::new(4).stream(name), count);
        let split = Split {
            inputs: Inputs::Features {
                values: draw("pictures", n * 16).iter().map(|&x| x as f32).collect(),
                shape: vec![4, 4, 1],
            },
            targets: Targets::Classes { labels: (0..n as u32).map(|i| i * i % 3).collect(), classes: 3 },
        };
        let kind = ModelKind::VisionTransformer;
        let spec = ModelSpec { kind, width: 4, depth: 1, n_heads: 2, ..ModelSpec::default() };
        let model = build(&spec, &split).unwrap();
        let start = model.init(&Streams::new(2));
        let flat: Vec<f64> = start.iter().zip(draw("noise", start.len())).map(|(w, z)| w + 0.2 * z).collect();
        let params = model.layout().unflatten(&flat, DType::F64, &Device::Cpu).unwrap();
        Self { batch: Batch::new(&split, DType::F64, &Device::Cpu).unwrap(), params, flat, model }
    }

    fn hessian(&self) -> Hessian {
        Hessian::new(self.model.clone(), &self.params, &self.batch, &LossSpec::default()).unwrap()
    }
}

/// Feeds an estimator piece by piece, as a live probe does.
fn in_pieces<A: PiecewiseOperator, E: Estimator>(operator: &mut A, machine: &mut E) -> E::Output
where
    A::Error: std::fmt::Debug,
{
    loop {
        operator.begin(machine.vector()).unwrap();
        let answer = loop {
            if let Some(product) = operator.advance().unwrap() {
                break machine.absorb(product);
            }
        };
        if let Some(answer) = answer {
            return answer;
        }
    }
}

#[track_caller]
fn agrees(found: &Extremes, values: &[f64]) {
    assert!(found.converged(), "{found:?}");
    let expected = values.iter().rev().take(found.top.len()).chain(values.iter().take(found.bottom.len()));
    for (pair, expected) in found.top.iter().chain(&found.bottom).zip(expected) {
        // Never further than the residual, give or take the rounding of the dense solver.
        assert!((pair.value - expected).abs() <= pair.residual + 1e-10, "{} {expected}", pair.value);
    }
}

#[test]
fn estimates_of_a_hessian_agree_with_the_dense_matrix() {
    let small = Small::new();
    let mut hessian = small.hessian();
    let dense = Dense::of(&mut hessian).unwrap();
    let values = dense.symmetric_eigenvalues().unwrap();
    let (n, stream) = (values.len(), |name: &str| Streams::new(0).stream(name));
    assert!(values[0] < -1e-3 && dense.asymmetry() < 1e-12, "both signs, so that the bottom is a question: {values:?}");

    let options = extremes::Options { top: 5, bottom: 2, tolerance: 1e-6, ..extremes::Options::default() };
    let search = ExtremeSearch::new(n, &[], stream("probe/test"), options);
    let found = estimate(&mut hessian, &mut search.clone()).unwrap();
    agrees(&found, &values);
    assert_eq!(in_pieces(&mut hessian, &mut search.clone()), found, "in pieces it is the same");

    let options = slq::Options { test_vectors: 30, steps: 30 };
    let measure = estimate(&mut hessian, &mut LanczosQuadrature::new(n, stream("probe/slq"), options)).unwrap();
    for j in 1..=4 {
        let known = values.iter().map(|x| x.powi(j)).sum::<f64>() / n as f64;
        let moment = measure.moment(j);
        assert!((moment.value - known).abs() < 4.0 * moment.standard_error, "{j}: {moment:?} {known}");
    }
    let options = trace::Options { most_products: 200, tolerance: 0.0, ..trace::Options::default() };
    let found = estimate(&mut hessian, &mut Hutchinson::new(n, stream("probe/trace"), options)).unwrap();
    assert!((found.value - values.iter().sum::<f64>()).abs() < 4.0 * found.standard_error, "{found:?}");
}

#[test]
fn blocks_and_preconditioned_hessians_are_parts_and_products_of_the_dense_matrix() {
    let small = Small::new();
    let n = small.flat.len();
    let dense = Dense::of(&mut small.hessian()).unwrap();
    let layout = small.model.layout();
    for group in 0..layout.groups().len() {
        let ranges = layout.ranges_of_group(group);
        let at: Vec<usize> = ranges.iter().cloned().flatten().collect();
        let block = Dense::of(&mut Block::new(small.hessian(), n, ranges).unwrap()).unwrap();
        for (i, &a) in at.iter().enumerate() {
            for (j, &b) in at.iter().enumerate() {
                assert!((block.get(i, j) - dense.get(a, b)).abs() < 1e-12, "group {group}");
            }
        }
    }
    // As Adam's preconditioner: positive and spread over decades. Eigenvalues of P^-1 H by the dense way.
    let p: Vec<f64> = (0..n).map(|i| 10.0_f64.powf((i as f64 * 0.7).sin())).collect();
    let entries = (0..n * n).map(|ij| dense.get(ij / n, ij % n) / (p[ij / n] * p[ij % n]).sqrt()).collect();
    let values = Dense::new(n, entries).unwrap().symmetric_eigenvalues().unwrap();
    let mut scaled = Scaled::by_inverse_root_of(small.hessian(), &p).unwrap();
    let options = extremes::Options { top: 3, bottom: 1, tolerance: 1e-6, ..extremes::Options::default() };
    agrees(&in_pieces(&mut scaled, &mut ExtremeSearch::new(n, &[], Streams::new(1).stream("s"), options)), &values);
}

#[test]
fn directional_sharpness_is_the_second_derivative_of_the_loss_along_the_gradient() {
    let small = Small::new();
    let spec = LossSpec::default();
    let at = |flat: &[f64]| {
        let params = Params::from_flat(small.model.layout().clone(), flat, DType::F64, &Device::Cpu).unwrap();
        gradient(&*small.model, &params, &small.batch, &spec).unwrap()
    };
    let g = small.model.layout().flatten(&at(&small.flat).tensors).unwrap();
    let length = g.iter().map(|x| x * x).sum::<f64>().sqrt();
    let loss = |by: f64| at(&small.flat.iter().zip(&g).map(|(w, g)| w + by * g / length).collect::<Vec<_>>()).loss;
    let h = 1e-3;
    let [a, b, c, d, e] = [2.0 * h, h, 0.0, -h, -2.0 * h].map(loss);
    let known = (-a + 16.0 * b - 30.0 * c + 16.0 * d - e) / (12.0 * h * h);
    let found = estimate(&mut small.hessian(), &mut Along::new(g.clone())).unwrap().unwrap();
    assert!((found.value - known).abs() < 1e-6 * known.abs(), "{found:?} {known}");
    // Of the GGN it is never negative.
    let ggn = Metric::Ggn;
    let mut ggn = GaussNewton::new(small.model.clone(), &small.params, &small.batch, &spec, ggn).unwrap();
    assert!(estimate(&mut ggn, &mut Along::new(g)).unwrap().unwrap().value > 0.0);
    assert_eq!(ggn.dim(), small.flat.len());
}

/// The numbers of `tests/data/reference/curvature.py`, by curvlinops and PyTorch on the same network.
#[test]
fn products_kernels_and_eigenvalues_are_those_of_other_programs() {
    let reference: serde_json::Value = serde_json::from_str(include_str!("../data/reference/curvature.json")).unwrap();
    let list = |value: &serde_json::Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let sines = |count: usize, pace: f64, phase: f64| (0..count).map(move |i| (pace * i as f64 + phase).sin());
    let n = 7;
    let split = Split {
        inputs: Inputs::Features { values: sines(n * 5, 0.9, 0.2).map(|x| x as f32).collect(), shape: vec![5] },
        targets: Targets::Classes { labels: (0..n as u32).map(|i| i * i % 3).collect(), classes: 3 },
    };
    let spec =
        ModelSpec { kind: ModelKind::Mlp, width: 6, depth: 2, activation: Activation::Tanh, ..ModelSpec::default() };
    let model = build(&spec, &split).unwrap();
    let total = model.layout().total();
    let flat: Vec<f64> = sines(total, 1.7, 0.3).map(|x| 0.8 * x).collect();
    let v: Vec<f64> = sines(total, 1.1, 0.5).collect();
    let params = model.layout().unflatten(&flat, DType::F64, &Device::Cpu).unwrap();
    let batch = Batch::new(&split, DType::F64, &Device::Cpu).unwrap();
    let close = |found: &[f64], known: &[f64], what: &str| {
        assert_eq!(found.len(), known.len(), "{what}");
        let size = known.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        let error = found.iter().zip(known).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
        assert!(error < 1e-12 * size, "{what}: {error} of {size}");
    };
    for (name, kind) in [("cross-entropy", LossKind::CrossEntropy), ("mse", LossKind::Mse)] {
        let (known, loss) = (&reference[name], LossSpec { kind, temperature: 1.0 });
        let mut out = vec![0.0; total];
        let mut hessian = Hessian::new(model.clone(), &params, &batch, &loss).unwrap();
        hessian.apply(&v, &mut out).unwrap();
        close(&out, &list(&known["hessian"]), "Hessian");
        let of = |metric| GaussNewton::new(model.clone(), &params, &batch, &loss, metric).unwrap();
        of(Metric::Ggn).apply(&v, &mut out).unwrap();
        close(&out, &list(&known["ggn"]), "GGN");
        if kind == LossKind::CrossEntropy {
            of(Metric::EmpiricalFisher).apply(&v, &mut out).unwrap();
            close(&out, &list(&known["empirical_fisher"]), "empirical Fisher");
        }
        let options = extremes::Options { top: 4, bottom: 2, tolerance: 1e-9, ..extremes::Options::default() };
        let random = Streams::new(3).stream("probe/test");
        let found = estimate(&mut hessian, &mut ExtremeSearch::new(total, &[], random.clone(), options)).unwrap();
        agrees(&found, &list(&known["hessian_eigenvalues"]));
        let options = extremes::Options { bottom: 0, ..options };
        let found = estimate(&mut of(Metric::Ggn), &mut ExtremeSearch::new(total, &[], random, options)).unwrap();
        agrees(&found, &list(&known["ggn_eigenvalues"]));
    }
    let kernel = TangentKernel::new(model, &params, &batch, Kernels::Full).unwrap().finish().unwrap().remove(0);
    close(kernel.values(), &list(&reference["tangent_kernel"]), "tangent kernel");
}
