//! The sharpness within each group of parameters.

use candle_core::Result;

use crate::linalg::wrappers::Block;

use super::sharpness::largest;
use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "block-sharpness",
    title: "Sharpness by group of parameters",
    formula: "largest eigenvalue of the diagonal block of H = d^2 L/dw^2 of each group of tensors, the others held: at most the whole sharpness",
    cost: "some tens of Hessian-vector products a group",
    source: "the blocks of K-FAC: Martens and Grosse 2015; Cauchy's interlacing theorem",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let layout = subject.model.layout();
    let (mut values, mut residuals, mut converged, mut products) = (Vec::new(), Vec::new(), true, 0);
    for (group, name) in layout.groups().iter().enumerate() {
        let block = Block::new(subject.hessian()?, layout.total(), layout.ranges_of_group(group));
        let Some(mut block) = block else { continue };
        let random = subject.streams.indexed("probe/block-sharpness", group as u64);
        let found = largest(&mut block, subject, random, "")?;
        if let Value::Number(value) = found.value {
            values.push((name.clone(), value));
        }
        residuals.extend(found.residuals);
        converged &= found.converged != Some(false);
        products += found.products;
    }
    Ok(Found {
        residuals,
        converged: Some(converged),
        products,
        ..Found::exact(Value::Named(values), "Lanczos on diagonal blocks of exact Hessian-vector products")
    })
}
