//! Derivatives by central differences, and the comparison that every operation goes through.

use candle_core::{DType, Device, Result, Tensor, Var};
use landscope::base::rng::{Streams, normals};
use landscope::nn::autodiff::{GradientGraph, gradients};

pub(super) fn draw(name: &str, shape: &[usize]) -> Tensor {
    let values = normals(&mut Streams::new(11).stream(name), shape.iter().product());
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

pub(super) fn flat(tensors: &[Tensor]) -> Vec<f64> {
    tensors.iter().flat_map(|t| t.flatten_all().unwrap().to_vec1::<f64>().unwrap()).collect()
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[track_caller]
pub(super) fn close(found: &[f64], known: &[f64], tolerance: f64, what: &str) {
    let (error, size) = (distance(found, known), dot(known, known).sqrt());
    assert!(error <= tolerance * size.max(1e-3), "{what}: error {error:.1e} of {size:.1e}");
}

pub(super) type Function<'a> = &'a dyn Fn(&[Tensor]) -> Result<Tensor>;

pub(super) fn vars_at(point: &[Tensor]) -> Vec<Var> {
    point.iter().map(|t| Var::from_tensor(t).unwrap()).collect()
}

pub(super) fn tensors(vars: &[Var]) -> Vec<Tensor> {
    vars.iter().map(|v| v.as_tensor().clone()).collect()
}

pub(super) fn moved(point: &[Tensor], direction: &[Tensor], by: f64) -> Vec<Tensor> {
    point.iter().zip(direction).map(|(p, d)| (p + (d * by).unwrap()).unwrap()).collect()
}

/// Value, gradient and Hessian-vector product of a scalar function.
pub(super) fn derivatives(f: Function, point: &[Tensor], direction: &[Tensor]) -> (f64, Vec<f64>, Vec<f64>) {
    let vars = vars_at(point);
    let value = f(&tensors(&vars)).unwrap();
    let graph = GradientGraph::new(&value, &vars).unwrap();
    let product = graph.hvp(direction).unwrap();
    (value.to_scalar().unwrap(), flat(&graph.gradients().unwrap()), flat(&product))
}

/// `(f(2h), f(h), f(-h), f(-2h))` combined into a derivative of fourth order in the step h.
pub(super) fn fourth_order(at: impl Fn(f64) -> Vec<f64>, h: f64) -> Vec<f64> {
    let [a, b, c, d] = [at(2.0 * h), at(h), at(-h), at(-2.0 * h)];
    (0..a.len()).map(|i| (8.0 * (b[i] - c[i]) - (a[i] - d[i])) / (12.0 * h)).collect()
}

/// Compares gradient and product of a scalar function with central differences along `direction`, of length 1.
#[track_caller]
pub(super) fn agrees_with_differences(
    f: Function,
    point: &[Tensor],
    direction: &[Tensor],
    h: f64,
    tolerance: f64,
    what: &str,
) {
    let (_, gradient, product) = derivatives(f, point, direction);
    let slope = fourth_order(|by| vec![f(&moved(point, direction, by)).unwrap().to_scalar().unwrap()], h);
    close(&[dot(&gradient, &flat(direction))], &slope, tolerance, &format!("{what}, gradient"));
    let gradient_at = |by: f64| {
        let vars = vars_at(&moved(point, direction, by));
        flat(&gradients(&f(&tensors(&vars)).unwrap(), &vars).unwrap())
    };
    close(&product, &fourth_order(gradient_at, h), tolerance, &format!("{what}, Hessian product"));
}

pub(super) fn unit_direction(point: &[Tensor]) -> Vec<Tensor> {
    let raw: Vec<_> = point.iter().enumerate().map(|(i, p)| draw(&format!("direction {i}"), p.dims())).collect();
    let length = dot(&flat(&raw), &flat(&raw)).sqrt();
    raw.iter().map(|d| (d * (1.0 / length)).unwrap()).collect()
}

/// Checks an operation, under a nonlinear function of its outputs, in all its floating inputs at once.
#[track_caller]
pub(super) fn check(what: &str, point: &[Tensor], fused: Function, composed: Function) {
    let scalar = |f: Function, at: &[Tensor]| -> Result<Tensor> {
        let outputs = f(at)?;
        let weights = draw("weights", outputs.dims());
        (&outputs * weights)?.sum_all()? + (outputs.sqr()?.sum_all()? * 0.3)?
    };
    let outputs_of = fused;
    let (fused, composed) = (|at: &[Tensor]| scalar(outputs_of, at), |at: &[Tensor]| scalar(composed, at));
    let direction = unit_direction(point);
    agrees_with_differences(&fused, point, &direction, 1e-3, 1e-9, what);

    let (a, b) = (derivatives(&fused, point, &direction), derivatives(&composed, point, &direction));
    close(&[a.0], &[b.0], 1e-13, &format!("{what}, value and twin"));
    close(&a.1, &b.1, 1e-12, &format!("{what}, gradient and twin"));
    close(&a.2, &b.2, 1e-12, &format!("{what}, Hessian product and twin"));

    // In f32 the kernels are other code: they find the same up to rounding.
    let to = |tensors: &[Tensor], dtype| tensors.iter().map(|t| t.to_dtype(dtype).unwrap()).collect::<Vec<_>>();
    let vars = vars_at(&to(point, DType::F32));
    let outputs = outputs_of(&tensors(&vars)).unwrap();
    let weights = draw("weights", outputs.dims()).to_dtype(DType::F32).unwrap();
    let value = ((&outputs * weights).unwrap().sum_all().unwrap()
        + (outputs.sqr().unwrap().sum_all().unwrap() * 0.3).unwrap())
    .unwrap();
    let graph = GradientGraph::new(&value, &vars).unwrap();
    let product = graph.hvp(&to(&direction, DType::F32)).unwrap();
    close(&flat(&to(&graph.gradients().unwrap(), DType::F64)), &b.1, 1e-5, &format!("{what}, gradient in f32"));
    close(&flat(&to(&product, DType::F64)), &b.2, 1e-5, &format!("{what}, Hessian product in f32"));
}
