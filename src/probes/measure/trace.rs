//! The trace of the Hessian.

use candle_core::Result;

use crate::linalg::operator::LinearOperator;
use crate::linalg::trace::hutchinson;

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "trace",
    title: "Trace of the Hessian",
    formula: "tr H = sum of all eigenvalues, as the mean of v' H v over random vectors v of independent signs; exact with --test-vectors all",
    cost: "a Hessian-vector product a test vector (100), or one a parameter for the exact trace",
    source: "Hutchinson 1989",
    measure,
};

/// Test vectors that are multiplied at a time.
pub const TOGETHER: usize = 8;

fn measure(subject: &Subject) -> Result<Found> {
    let mut hessian = subject.hessian()?;
    if subject.options.test_vectors == 0 {
        return exact(&mut hessian);
    }
    let random = subject.streams.stream("probe/trace");
    let found = hutchinson(&mut hessian, random, subject.options.test_vectors, TOGETHER)?;
    Ok(Found {
        standard_error: Some(found.standard_error),
        products: found.products,
        ..Found::exact(Value::Number(found.value), "Hutchinson's estimator on exact Hessian-vector products")
    })
}

/// The sum of the diagonal, a product a parameter.
///
/// # Errors
/// The first error of a product.
pub fn exact(matrix: &mut impl LinearOperator<Error = candle_core::Error>) -> Result<Found> {
    let dim = matrix.dim();
    let (mut basis, mut product) = (vec![0.0; dim], vec![0.0; dim]);
    let mut trace = 0.0;
    for i in 0..dim {
        basis[i] = 1.0;
        matrix.apply(&basis, &mut product)?;
        basis[i] = 0.0;
        trace += product[i];
    }
    Ok(Found { products: dim, ..Found::exact(Value::Number(trace), "sum of the diagonal, a product a parameter") })
}
