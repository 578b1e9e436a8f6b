//! Curvature measurements of `landscope measure` against dense matrices in f64.

use candle_core::{DType, Device, Tensor};
use landscope::base::rng::Streams;
use landscope::linalg::operator::{Dense, LinearOperator};
use landscope::nn::batch::Batch;
use landscope::nn::build::build;
use landscope::nn::curvature::{GaussNewton, Hessian, Jacobian, Kernels, Metric};
use landscope::nn::parametrization::{Form, Parametrization, ParametrizationSpec, UpdateKind, learning_rate_factors};
use landscope::nn::spec::{LossSpec, ModelKind, ModelSpec};
use landscope::probes::measure::{Answer, COMPARISONS, MEASUREMENTS, Options, Subject, Value, measure};

use super::exactness::{pictures, small, trained};

const EXAMPLES: usize = 12;

/// A small trained network, and the same a little earlier to compare with.
fn subject(spec: ModelSpec, options: Options) -> Subject {
    let split = pictures(EXAMPLES, 4);
    let [later, earlier] = [12, 2].map(|steps| trained(&spec, &split, DType::F64, steps));
    Subject {
        model: later.model.clone(),
        spec,
        params: later.params.to_vec(),
        reference: Some(earlier.params.to_vec()),
        loss: LossSpec::default(),
        batch: Batch::new(&split, DType::F64, &Device::Cpu).unwrap(),
        dtype: DType::F64,
        device: Device::Cpu,
        streams: Streams::new(0),
        options,
    }
}

fn strict() -> Options {
    Options { top_k: 4, tolerance: 1e-9, most_products: 3_000, ..Options::default() }
}

#[track_caller]
fn found(subject: &Subject, id: &str) -> Answer {
    let measurement = MEASUREMENTS.iter().find(|one| one.id == id).unwrap();
    measure(measurement, subject).unwrap()
}

fn list(answer: &Answer) -> &[f64] {
    match &answer.value {
        Value::List(values) | Value::Matrix { values, .. } => values,
        Value::Number(value) => std::slice::from_ref(value),
        other => panic!("{}: {other:?}", answer.id),
    }
}

fn part(answer: &Answer, name: &str) -> f64 {
    answer.parts.iter().find(|(part, _)| part == name).unwrap().1
}

#[track_caller]
fn close(what: &str, found: &[f64], known: &[f64], tolerance: f64) {
    assert_eq!(found.len(), known.len(), "{what}");
    let size = known.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    for (a, b) in found.iter().zip(known) {
        assert!((a - b).abs() <= tolerance * size, "{what}: {found:?} {known:?}");
    }
}

fn hessian(subject: &Subject) -> Dense {
    let Subject { model, params, batch, loss, .. } = subject;
    Dense::of(&mut Hessian::new(model.clone(), params, batch, loss).unwrap()).unwrap()
}

fn trace(dense: &Dense) -> f64 {
    (0..dense.side()).map(|i| dense.get(i, i)).sum()
}

#[test]
fn ends_density_and_traces_are_those_of_the_dense_hessian() {
    for kind in [ModelKind::Mlp, ModelKind::VisionTransformer] {
        let mut subject = subject(small(kind), strict());
        let dense = hessian(&subject);
        let values = dense.symmetric_eigenvalues().unwrap();
        let n = values.len();
        let answer = found(&subject, "smallest-eigenvalues");
        assert_eq!(answer.converged, Some(true));
        close("smallest", list(&answer), &values[..4], 1e-8);
        assert!(answer.residuals.len() == 4 && values[0] < -1e-4, "{:?}", &values[..4]);

        // Hutch++ is within its error, and exact when asked.
        let estimated = found(&subject, "hutch-plus-plus");
        let error = estimated.standard_error.unwrap();
        let known = trace(&dense);
        assert!((list(&estimated)[0] - known).abs() <= 4.0 * error + 1e-9, "{estimated:?} {known}");
        // The density's nodes have the moments of the spectrum within their error.
        let density = found(&subject, "spectral-density");
        let Value::Columns(columns) = &density.value else { panic!("{density:?}") };
        let column = |name: &str| &columns.iter().find(|(found, _)| found == name).unwrap().1;
        let (grid, heights) = (column("eigenvalue"), column("density"));
        let integral: f64 = heights.iter().sum::<f64>() * (grid[1] - grid[0]);
        assert!((integral - 1.0).abs() < 0.02, "{integral}");
        assert!((column("weight").iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mean: f64 = column("node").iter().zip(column("weight")).map(|(x, w)| x * w).sum();
        assert!((n as f64 * mean - known).abs() < 0.5 * known.abs(), "{mean} {known}");
        assert!(column("standard_error").len() == grid.len() && density.products > 0);

        subject.options.test_vectors = 0;
        close("exact trace", list(&found(&subject, "hutch-plus-plus")), &[known], 1e-10);
        let exact = found(&subject, "spectral-density");
        let Value::Columns(columns) = &exact.value else { panic!("{exact:?}") };
        let sigma = part(&exact, "sigma");
        let at = |t: f64| {
            let bell = |x: &f64| (-0.5 * ((t - x) / sigma).powi(2)).exp() / (sigma * std::f64::consts::TAU.sqrt());
            values.iter().map(bell).sum::<f64>() / n as f64
        };
        let known: Vec<f64> = columns[0].1.iter().map(|&t| at(t)).collect();
        close("exact density", &columns[1].1, &known, 1e-8);
    }
}

#[test]
fn gauss_newton_and_fisher_matrices_have_the_eigenvalues_and_traces_of_their_dense_selves() {
    for kind in [ModelKind::Mlp, ModelKind::VisionTransformer] {
        let mut subject = subject(small(kind), strict());
        for (id, metric) in [
            ("gauss-newton", Metric::Ggn),
            ("fisher", Metric::ExpectedFisher),
            ("empirical-fisher", Metric::EmpiricalFisher),
        ] {
            let Subject { model, params, batch, loss, .. } = &subject;
            let dense = Dense::of(&mut GaussNewton::new(model.clone(), params, batch, loss, metric).unwrap()).unwrap();
            let mut values = dense.symmetric_eigenvalues().unwrap();
            values.reverse();
            let answer = found(&subject, id);
            assert_eq!(answer.converged, Some(true), "{id}");
            close(id, list(&answer), &values[..4], 1e-8);
            let error = part(&answer, "standard error of the trace");
            assert!((part(&answer, "trace") - trace(&dense)).abs() < 4.0 * error, "{id}: {answer:?}");
            subject.options.test_vectors = 0;
            close(id, &[part(&found(&subject, id), "trace")], &[trace(&dense)], 1e-10);
            subject.options.test_vectors = 100;
        }
    }
}

#[test]
fn the_empirical_fishers_trace_is_the_mean_square_of_single_gradients() {
    let mut subject = subject(small(ModelKind::Mlp), Options { test_vectors: 0, ..strict() });
    let trace = part(&found(&subject, "empirical-fisher"), "trace");
    let split = pictures(EXAMPLES, 4);
    let squares = (0..EXAMPLES).map(|i| {
        subject.batch = Batch::new(&split.select(&[i]), DType::F64, &Device::Cpu).unwrap();
        list(&found(&subject, "gradient"))[0].powi(2)
    });
    let mean = squares.collect::<Vec<_>>().iter().sum::<f64>() / EXAMPLES as f64;
    close("mean of squares", &[trace], &[mean], 1e-10);
}

#[test]
fn preconditioned_and_block_sharpness_are_those_of_scaled_and_cut_dense_matrices() {
    let mut preconditioned = Vec::new();
    for form in [Form::Absorbed, Form::Explicit] {
        let base =
            ParametrizationSpec { kind: Parametrization::Mup, form, base_width: 3, gamma0: 0.6, ..Default::default() };
        let spec = ModelSpec { parametrization: base, ..small(ModelKind::Mlp) };
        // At one start, so that both forms are one function.
        let mut subject = subject(spec.clone(), strict());
        let model = build(&spec, &pictures(EXAMPLES, 4)).unwrap();
        subject.params = model.layout().unflatten(&model.init(&Streams::new(5)), DType::F64, &Device::Cpu).unwrap();
        let dense = hessian(&subject);
        let layout = subject.model.layout().clone();
        let n = layout.total();
        let mut rates = vec![0.0; n];
        for (i, factor) in learning_rate_factors(&spec, &layout, UpdateKind::Sgd).into_iter().enumerate() {
            rates[layout.range(i)].fill(factor);
        }
        let scaled = (0..n * n).map(|ij| dense.get(ij / n, ij % n) * (rates[ij / n] * rates[ij % n]).sqrt()).collect();
        let known = Dense::new(n, scaled).unwrap().symmetric_eigenvalues().unwrap()[n - 1];
        let answer = found(&subject, "preconditioned-sharpness");
        close("preconditioned", list(&answer), &[known], 1e-8);
        preconditioned.push(known);

        let whole = list(&found(&subject, "sharpness"))[0];
        let Value::Named(blocks) = found(&subject, "block-sharpness").value else { panic!("a number a group") };
        assert_eq!(blocks.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), layout.groups());
        for (group, (name, value)) in blocks.iter().enumerate() {
            let at: Vec<usize> = layout.ranges_of_group(group).into_iter().flatten().collect();
            let cut = at.iter().flat_map(|&i| at.iter().map(|&j| dense.get(i, j)).collect::<Vec<_>>()).collect();
            let known = Dense::new(at.len(), cut).unwrap().symmetric_eigenvalues().unwrap()[at.len() - 1];
            close(name, &[*value], &[known], 1e-8);
            assert!(*value <= whole * (1.0 + 1e-9), "interlacing: {name}");
        }
    }
    close("both forms", &preconditioned[..1], &preconditioned[1..], 1e-9);
}

/// The Jacobian, row by row, an example's outputs as neighbours.
fn jacobian(subject: &Subject, params: &[Tensor]) -> Vec<Vec<f64>> {
    let mut jacobian = Jacobian::new(subject.model.clone(), params, &subject.batch).unwrap();
    let rows = jacobian.outputs();
    (0..rows)
        .map(|row| jacobian.vjp(&(0..rows).map(|i| f64::from(u8::from(i == row))).collect::<Vec<_>>()).unwrap())
        .collect()
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn kernel(jacobian: &[Vec<f64>], outputs: usize) -> Vec<f64> {
    let entry = |n: usize, m: usize| {
        (0..outputs).map(|o| product(&jacobian[n * outputs + o], &jacobian[m * outputs + o])).sum::<f64>()
    };
    (0..EXAMPLES * EXAMPLES).map(|nm| entry(nm / EXAMPLES, nm % EXAMPLES)).collect()
}

#[test]
fn kernels_are_products_of_jacobians() {
    let mut subject = subject(small(ModelKind::Mlp), strict());
    let here = jacobian(&subject, &subject.params);
    let there = jacobian(&subject, subject.reference.as_ref().unwrap());
    let outputs = here.len() / EXAMPLES;
    let (traced, before) = (kernel(&here, outputs), kernel(&there, outputs));
    close("traced", list(&found(&subject, "tangent-kernel")), &traced, 1e-10);

    let mut known = Dense::new(EXAMPLES, traced.clone()).unwrap().symmetric_eigenvalues().unwrap();
    known.reverse();
    let answer = found(&subject, "kernel-eigenvalues");
    close("eigenvalues", list(&answer), &known[..4], 1e-10);
    close("trace", &[part(&answer, "trace")], &[known.iter().sum()], 1e-10);

    let answer = found(&subject, "kernel-alignment");
    let alignment = product(&traced, &before) / (product(&traced, &traced) * product(&before, &before)).sqrt();
    close("alignment", list(&answer), &[alignment], 1e-10);
    assert!(alignment < 1.0 - 1e-6, "the networks differ");
    close("distance", &[part(&answer, "distance")], &[1.0 - alignment], 1e-6);
    let off: f64 = traced.iter().zip(&before).map(|(a, b)| (a - b).powi(2)).sum();
    close("change", &[part(&answer, "relative_change")], &[(off / product(&before, &before)).sqrt()], 1e-10);

    subject.options.kernels = Kernels::PerOutput;
    let answer = found(&subject, "tangent-kernel");
    let Value::Matrix { columns: EXAMPLES, values } = &answer.value else { panic!("{answer:?}") };
    assert_eq!(values.len(), outputs * EXAMPLES * EXAMPLES);
    let summed: Vec<f64> =
        (0..EXAMPLES * EXAMPLES).map(|nm| (0..outputs).map(|o| values[o * EXAMPLES * EXAMPLES + nm]).sum()).collect();
    close("sum of the outputs' kernels", &summed, &traced, 1e-10);
    subject.options.kernels = Kernels::Full;
    let full: Vec<f64> = here.iter().flat_map(|a| here.iter().map(|b| product(a, b)).collect::<Vec<_>>()).collect();
    close("full", list(&found(&subject, "tangent-kernel")), &full, 1e-10);
}

#[test]
fn cka_compares_layers_and_comparisons_need_something_to_compare_with() {
    let mut subject = subject(small(ModelKind::VisionTransformer), strict());
    let Value::Named(layers) = found(&subject, "cka").value else { panic!("a number a layer") };
    assert_eq!(
        layers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        subject.model.layers().iter().collect::<Vec<_>>()
    );
    // By the definition, on the last layer: Gram matrices of centred rows.
    let features = |params: &[Tensor]| {
        let mut taps = Vec::new();
        subject.model.forward(params, &subject.batch.inputs, Some(&mut taps)).unwrap();
        let tap = taps.last().unwrap();
        let width = *tap.dims().last().unwrap();
        let rows = tap.elem_count() / width;
        let mut x = tap.reshape((rows, width)).unwrap().to_vec2::<f64>().unwrap();
        for j in 0..width {
            let mean = x.iter().map(|row| row[j]).sum::<f64>() / rows as f64;
            x.iter_mut().for_each(|row| row[j] -= mean);
        }
        x.iter().flat_map(|a| x.iter().map(|b| product(a, b)).collect::<Vec<_>>()).collect::<Vec<f64>>()
    };
    let (a, b) = (features(&subject.params), features(subject.reference.as_ref().unwrap()));
    let known = product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt();
    close("last layer", &[layers.last().unwrap().1], &[known], 1e-9);
    assert!(layers.iter().all(|(_, value)| (0.0..=1.0 + 1e-12).contains(value)));

    subject.reference = Some(subject.params.clone());
    let Value::Named(same) = found(&subject, "cka").value else { panic!("a number a layer") };
    assert!(same.iter().all(|(_, value)| (value - 1.0).abs() < 1e-12));
    subject.reference = None;
    for id in COMPARISONS {
        let answer = found(&subject, id);
        assert!(answer.circumstances.method.contains("--reference-weights"), "{answer:?}");
    }
    let Subject { model, params, batch, loss, .. } = &subject;
    assert!(Hessian::new(model.clone(), params, batch, loss).unwrap().dim() > 0);
}
