//! The generalised Gauss-Newton matrix and the two Fisher matrices: largest eigenvalues and trace.

use candle_core::Result;

use crate::linalg::trace::hutchinson;
use crate::nn::curvature::{GaussNewton, Metric};

use super::ends::{Ends, search};
use super::{Found, Measurement, Subject, Value, trace};

pub const GGN: Measurement = Measurement {
    id: "gauss-newton",
    title: "Generalised Gauss-Newton matrix",
    formula: "the k largest eigenvalues (--top-k) of G = sum_r J_r' M_r J_r, M_r = d^2 L/df_r^2 the second derivative of the loss in the outputs; parts: its trace",
    cost: "some tens of products for each eigenvalue, and one a test vector for the trace",
    source: "Schraudolph 2002; Martens 2020",
    measure: |subject| measure(subject, Metric::Ggn, "gauss-newton"),
};

pub const FISHER: Measurement = Measurement {
    id: "fisher",
    title: "Fisher information matrix",
    formula: "the k largest eigenvalues (--top-k) of F = mean_r E_(y ~ p_r) s s', s = dlog p(y)/dw, the labels drawn from the network itself and averaged over exactly; parts: its trace",
    cost: "some tens of products for each eigenvalue, and one a test vector for the trace",
    source: "Martens 2020, section 5",
    measure: |subject| measure(subject, Metric::ExpectedFisher, "fisher"),
};

pub const EMPIRICAL_FISHER: Measurement = Measurement {
    id: "empirical-fisher",
    title: "Empirical Fisher matrix",
    formula: "the k largest eigenvalues (--top-k) of mean_r g_r g_r', g_r = dl_r/dw the gradient of a row's loss at its own label; parts: its trace, the mean of |g_r|^2",
    cost: "some tens of products for each eigenvalue, and one a test vector for the trace",
    source: "Kunstner, Balles and Hennig 2019",
    measure: |subject| measure(subject, Metric::EmpiricalFisher, "empirical-fisher"),
};

fn measure(subject: &Subject, metric: Metric, name: &str) -> Result<Found> {
    let mut matrix = GaussNewton::new(subject.model.clone(), &subject.params, &subject.batch, &subject.loss, metric)?;
    let random = subject.streams.stream(&format!("probe/{name}"));
    let mut found = search(&mut matrix, subject, Ends::Top, random, "thick-restart Lanczos on exact products")?;
    let random = subject.streams.stream(&format!("probe/{name}/trace"));
    let vectors = subject.options.test_vectors;
    if vectors == 0 {
        let exact = trace::exact(&mut matrix)?;
        if let Value::Number(value) = exact.value {
            found.parts.push(("trace".into(), value));
        }
        found.products += exact.products;
        return Ok(found);
    }
    let trace = hutchinson(&mut matrix, random, vectors, trace::TOGETHER)?;
    found.parts.extend([("trace".into(), trace.value), ("standard error of the trace".into(), trace.standard_error)]);
    found.products += trace.products;
    Ok(found)
}
