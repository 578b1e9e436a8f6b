//! What is known of the eigenvalues of a curvature matrix.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::Circumstances;

/// An eigenvalue that an iteration approached.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Eigenvalue {
    #[serde(deserialize_with = "number")]
    pub value: f64,
    /// `|A v - value v|` with `|v| = 1`: some eigenvalue lies within it of `value`.
    #[serde(deserialize_with = "number")]
    pub residual: f64,
    pub converged: bool,
}

/// Both ends of the spectrum of a symmetric matrix `[P, P]`, its density in between, and its trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// What matrix, such as `Hessian`.
    pub matrix: String,
    /// Number of eigenvalues P.
    pub dim: usize,
    /// The largest, descending.
    pub top: Vec<Eigenvalue>,
    /// The smallest, ascending.
    pub bottom: Vec<Eigenvalue>,
    /// `[node, weight]` of the quadrature, ascending: the weight is the share of the eigenvalues that the node stands
    /// for. The weights sum to 1.
    pub ritz: Vec<[f64; 2]>,
    /// Standard deviation of the Gaussian that each node is smoothed with.
    pub smoothing: f64,
    /// Sum of the eigenvalues, and the standard error of the estimate.
    #[serde(deserialize_with = "number")]
    pub trace: f64,
    #[serde(deserialize_with = "number")]
    pub trace_error: f64,
    /// Random vectors behind density and trace.
    pub test_vectors: usize,
    /// Products with the matrix, in all.
    pub products: usize,
    pub circumstances: Arc<Circumstances>,
}

impl Spectrum {
    /// Eigenvalues from the upper end, descending.
    pub fn largest(&self) -> &[Eigenvalue] {
        &self.top
    }

    /// Eigenvalues from the lower end, ascending.
    pub fn smallest(&self) -> &[Eigenvalue] {
        &self.bottom
    }

    /// The density of eigenvalues at `x`: `sum_i weight_i N(x; node_i, smoothing^2)`, per unit of x.
    pub fn density(&self, x: f64) -> f64 {
        let width = self.smoothing.max(f64::MIN_POSITIVE);
        let peak = 1.0 / (width * std::f64::consts::TAU.sqrt());
        self.ritz.iter().map(|[node, weight]| weight * peak * (-0.5 * ((x - node) / width).powi(2)).exp()).sum()
    }
}

/// JSON has no NaN: it is written as null.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_survives_json() {
        let broken = Spectrum { trace: f64::NAN, trace_error: f64::NAN, ..Spectrum::default() };
        let read: Spectrum = serde_json::from_str(&serde_json::to_string(&broken).unwrap()).unwrap();
        assert!(read.trace.is_nan() && read.trace_error.is_nan());
    }

    #[test]
    fn the_density_integrates_to_one() {
        let ritz = vec![[-1.0, 0.25], [0.5, 0.5], [4.0, 0.25]];
        let spectrum = Spectrum { ritz, smoothing: 0.2, ..Spectrum::default() };
        let step = 0.01;
        let total: f64 = (-400..800).map(|i| spectrum.density(f64::from(i) * step) * step).sum();
        assert!((total - 1.0).abs() < 1e-6, "{total}");
    }
}
