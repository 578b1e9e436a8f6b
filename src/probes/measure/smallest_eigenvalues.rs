//! The smallest eigenvalues of the Hessian.

use candle_core::Result;

use super::ends::{Ends, search};
use super::{Found, Measurement, Subject};

pub const MEASUREMENT: Measurement = Measurement {
    id: "smallest-eigenvalues",
    title: "Smallest eigenvalues",
    formula: "the k smallest eigenvalues (in the algebraic sense) of H = d^2 L/dw^2, the most negative first (--top-k); residuals: |H v - value v| of each",
    cost: "some tens of Hessian-vector products for each eigenvalue",
    source: "thick-restart Lanczos: Wu and Simon 2000",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let random = subject.streams.stream("probe/smallest-eigenvalues");
    search(
        &mut subject.hessian()?,
        subject,
        Ends::Bottom,
        random,
        "thick-restart Lanczos on exact Hessian-vector products",
    )
}
