//! How many eigenvalues of the Hessian lie where.

use candle_core::Result;

use crate::linalg::operator::{Dense, LinearOperator};
use crate::linalg::slq::{LanczosQuadrature, Options};
use crate::linalg::spectrum::{Rule, SpectralMeasure};

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "spectral-density",
    title: "Spectral density",
    formula: "phi(t) = mean over test vectors of sum_i w_i N(t; theta_i, sigma^2) on a grid, w_i = (e_1' u_i)^2 of the Lanczos matrix T u_i = theta_i u_i; sigma: a hundredth of the range of the nodes; exact with --test-vectors all",
    cost: "40 Hessian-vector products a test vector, of at most ten; or one a parameter for the exact one",
    source: "stochastic Lanczos quadrature: Ubaru, Chen and Saad 2017; Ghorbani, Krishnan and Xiao 2019",
    measure,
};

/// Points of the grid.
const POINTS: usize = 201;
const RELATIVE_SIGMA: f64 = 0.01;
const STEPS: usize = 40;
const MOST_TEST_VECTORS: usize = 10;

fn measure(subject: &Subject) -> Result<Found> {
    let mut hessian = subject.hessian()?;
    let dim = hessian.dim();
    let (measure, method) = if subject.options.test_vectors == 0 {
        let nodes = Dense::of(&mut hessian)?.symmetric_eigenvalues().unwrap_or_else(|| vec![f64::NAN; dim]);
        let rule = Rule { weights: vec![1.0 / dim as f64; dim], nodes };
        // One rule: there is no error to estimate.
        (SpectralMeasure { dim, rules: vec![rule], products: dim }, "all eigenvalues of the dense Hessian, smoothed")
    } else {
        let options = Options { test_vectors: subject.options.test_vectors.min(MOST_TEST_VECTORS), steps: STEPS };
        let random = subject.streams.stream("probe/spectral-density");
        let measure = LanczosQuadrature::side_by_side(&mut hessian, random, options, MOST_TEST_VECTORS)?;
        (measure, "stochastic Lanczos quadrature on exact Hessian-vector products, smoothed")
    };
    let density = measure.density(POINTS, RELATIVE_SIGMA);
    let rules = measure.rules.len() as f64;
    let (nodes, weights) = (of_all(&measure, |rule| rule.nodes.clone()), of_all(&measure, |rule| rule.weights.clone()));
    let mut columns = vec![("eigenvalue".into(), density.grid), ("density".into(), density.values)];
    if measure.rules.len() > 1 {
        columns.push(("standard_error".into(), density.standard_errors));
    }
    columns.extend([("node".into(), nodes), ("weight".into(), weights.iter().map(|w| w / rules).collect())]);
    Ok(Found {
        parts: vec![("sigma".into(), density.sigma), ("test_vectors".into(), rules)],
        products: measure.products,
        ..Found::exact(Value::Columns(columns), method)
    })
}

fn of_all(measure: &SpectralMeasure, part: impl Fn(&Rule) -> Vec<f64>) -> Vec<f64> {
    measure.rules.iter().flat_map(part).collect()
}
