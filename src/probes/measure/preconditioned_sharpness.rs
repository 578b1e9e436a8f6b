//! The largest eigenvalue of the Hessian as gradient descent in the network's parametrisation meets it.

use candle_core::Result;

use crate::linalg::wrappers::Scaled;
use crate::nn::parametrization::{UpdateKind, learning_rate_factors};

use super::sharpness::largest;
use super::{Found, Measurement, Subject};

pub const MEASUREMENT: Measurement = Measurement {
    id: "preconditioned-sharpness",
    title: "Preconditioned sharpness",
    formula: "largest eigenvalue of R^1/2 H R^1/2, R the diagonal of the factors on SGD's learning rate in the parametrisation of the model file (all 1 for standard: the sharpness); to be compared with 2/lr; residual as for sharpness",
    cost: "some tens of Hessian-vector products",
    source: "Noci et al. 2024; Cohen et al. 2021",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let layout = subject.model.layout();
    let mut rates = vec![1.0; layout.total()];
    for (index, factor) in learning_rate_factors(&subject.spec, layout, UpdateKind::Sgd).into_iter().enumerate() {
        rates[layout.range(index)].fill(factor);
    }
    let Some(mut scaled) = Scaled::by_root_of(subject.hessian()?, &rates) else {
        candle_core::bail!("the parametrisation's learning rates aren't all positive and finite");
    };
    let random = subject.streams.stream("probe/preconditioned-sharpness");
    largest(&mut scaled, subject, random, "Lanczos on exact products with R^1/2 H R^1/2")
}
