//! The trace of the Hessian with its large eigenvalues taken out first.

use candle_core::Result;

use crate::linalg::estimator::estimate;
use crate::linalg::hutch_plus_plus::HutchPlusPlus;
use crate::linalg::operator::LinearOperator;

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "hutch-plus-plus",
    title: "Trace of the Hessian by Hutch++",
    formula: "tr H ~ tr(Q' H Q) + mean over g of g'(1 - QQ') H (1 - QQ') g, Q = orth(H S), S and g random signs; exact with --test-vectors all",
    cost: "a Hessian-vector product a test vector (100): a third for Q, a third inside it, a third outside",
    source: "Meyer, Musco, Musco and Woodruff 2021, algorithm 1",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let mut hessian = subject.hessian()?;
    if subject.options.test_vectors == 0 {
        return super::trace::exact(&mut hessian);
    }
    let random = subject.streams.stream("probe/hutch-plus-plus");
    let mut search = HutchPlusPlus::new(hessian.dim(), random, subject.options.test_vectors);
    let found = estimate(&mut hessian, &mut search)?;
    Ok(Found {
        parts: vec![("inside the sketch".into(), found.captured)],
        standard_error: Some(found.standard_error),
        products: found.products,
        ..Found::exact(Value::Number(found.value), "Hutch++ on exact Hessian-vector products")
    })
}
