//! The largest eigenvalue of the Hessian.

use candle_core::Result;

use crate::base::rng::Stream;
use crate::linalg::estimator::estimate;
use crate::linalg::lanczos::{Lanczos, Options};
use crate::linalg::operator::LinearOperator;

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "sharpness",
    title: "Sharpness",
    formula: "largest eigenvalue (in the algebraic sense) of H = d^2 L/dw^2; residual: |H v - value v|",
    cost: "some tens of Hessian-vector products, each about four gradients",
    source: "Lanczos 1950, thick restarts: Wu and Simon 2000; Cohen et al. 2021",
    measure,
};

/// Numbers that the subspace may hold, each vector twice.
const MOST_NUMBERS: usize = 32 << 20;

fn measure(subject: &Subject) -> Result<Found> {
    let random = subject.streams.stream("probe/sharpness");
    largest(&mut subject.hessian()?, subject, random, "Lanczos on exact Hessian-vector products")
}

/// The largest eigenvalue of an operator.
///
/// # Errors
/// The first error of a product.
pub fn largest(
    operator: &mut impl LinearOperator<Error = candle_core::Error>,
    subject: &Subject,
    random: Stream,
    method: &str,
) -> Result<Found> {
    let dim = operator.dim();
    let options = Options {
        tolerance: subject.options.tolerance,
        most_products: subject.options.most_products,
        least_products: 3,
        subspace: (MOST_NUMBERS / dim.max(1) / 2).clamp(6, 60),
    };
    let pair = estimate(operator, &mut Lanczos::new(dim, None, random, options))?;
    Ok(Found {
        residuals: vec![pair.residual],
        converged: Some(pair.converged),
        products: pair.products,
        ..Found::exact(Value::Number(pair.value), method)
    })
}
