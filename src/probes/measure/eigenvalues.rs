//! The largest eigenvalues of the Hessian.

use candle_core::Result;

use crate::linalg::estimator::estimate;
use crate::linalg::extremes::{ExtremeSearch, Options};
use crate::linalg::operator::LinearOperator;

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "eigenvalues",
    title: "Largest eigenvalues",
    formula: "the k largest eigenvalues (in the algebraic sense) of H = d^2 L/dw^2, largest first (--top-k); residuals: |H v - value v| of each",
    cost: "some tens of Hessian-vector products for each eigenvalue",
    source: "thick-restart Lanczos: Wu and Simon 2000",
    measure,
};

/// Numbers that the subspace may hold, each vector twice.
const MOST_NUMBERS: usize = 32 << 20;

fn measure(subject: &Subject) -> Result<Found> {
    let mut hessian = subject.hessian()?;
    let dim = hessian.dim();
    let options = Options {
        top: subject.options.top_k,
        bottom: 0,
        tolerance: subject.options.tolerance,
        most_products: subject.options.most_products,
        subspace: (MOST_NUMBERS / dim.max(1) / 2).clamp(6, 20 + 4 * subject.options.top_k),
        ..Options::default()
    };
    let mut search = ExtremeSearch::new(dim, &[], subject.streams.stream("probe/eigenvalues"), options);
    let found = estimate(&mut hessian, &mut search)?;
    Ok(Found {
        residuals: found.top.iter().map(|pair| pair.residual).collect(),
        converged: Some(found.converged()),
        products: found.products,
        ..Found::exact(
            Value::List(found.top.iter().map(|pair| pair.value).collect()),
            "thick-restart Lanczos on exact Hessian-vector products",
        )
    })
}
