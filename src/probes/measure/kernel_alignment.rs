//! How far the neural tangent kernel has turned from that of other parameters.

use candle_core::Result;

use crate::linalg::kernel::{Centring, alignment, distance, relative_change};

use super::tangent_kernel::traced;
use super::{Found, Measurement, NO_REFERENCE, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "kernel-alignment",
    title: "Alignment of two neural tangent kernels",
    formula: "<A, B>_F / (|A|_F |B|_F), A the kernel here and B that at --reference-weights; parts: distance = 1 - alignment, relative_change = |A - B|_F / |B|_F, and the alignment of the centred kernels",
    cost: "two kernels",
    source: "Cristianini et al. 2001; Fort et al. 2020; centred: Cortes, Mohri and Rostamizadeh 2012",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let Some(reference) = &subject.reference else { return Ok(Found::exact(Value::Number(f64::NAN), NO_REFERENCE)) };
    let ((here, method), (there, _)) = (traced(subject, &subject.params)?, traced(subject, reference)?);
    let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let plain = Centring::Uncentred;
    Ok(Found {
        parts: vec![
            ("distance".into(), number(distance(&here, &there, plain))),
            ("relative_change".into(), number(relative_change(&here, &there, plain))),
            ("centred".into(), number(alignment(&here, &there, Centring::Centred))),
        ],
        ..Found::exact(Value::Number(number(alignment(&here, &there, plain))), &format!("two kernels from {method}"))
    })
}
