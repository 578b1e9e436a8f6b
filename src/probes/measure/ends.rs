//! Eigenvalues of an operator from one end of its spectrum.

use candle_core::Result;

use crate::base::rng::Stream;
use crate::linalg::estimator::estimate;
use crate::linalg::extremes::{ExtremeSearch, Options, Pair};
use crate::linalg::operator::LinearOperator;

use super::{Found, Subject, Value};

/// Numbers that the subspace may hold, each vector twice.
const MOST_NUMBERS: usize = 32 << 20;

/// Which of the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    Top,
    Bottom,
}

/// The `--top-k` eigenvalues at one end of an operator's spectrum, the outermost first, each with its residual.
///
/// # Errors
/// The first error of a product.
pub fn search(
    operator: &mut impl LinearOperator<Error = candle_core::Error>,
    subject: &Subject,
    ends: Ends,
    random: Stream,
    method: &str,
) -> Result<Found> {
    let (dim, wanted) = (operator.dim(), subject.options.top_k);
    let options = Options {
        top: if ends == Ends::Top { wanted } else { 0 },
        bottom: if ends == Ends::Bottom { wanted } else { 0 },
        tolerance: subject.options.tolerance,
        most_products: subject.options.most_products,
        subspace: (MOST_NUMBERS / dim.max(1) / 2).clamp(6, 20 + 4 * wanted),
        ..Options::default()
    };
    let found = estimate(operator, &mut ExtremeSearch::new(dim, &[], random, options))?;
    let converged = found.converged();
    let pairs: Vec<Pair> = found.top.into_iter().chain(found.bottom).collect();
    Ok(Found {
        residuals: pairs.iter().map(|pair| pair.residual).collect(),
        converged: Some(converged),
        products: found.products,
        ..Found::exact(Value::List(pairs.iter().map(|pair| pair.value).collect()), method)
    })
}
