//! A parametrisation that is shown, with its learning rate.

use crate::run::bench::Values;

use super::knobs::title;

/// One of the parametrisations that are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `first` or `second`.
    pub place: &'static str,
    /// The knob's choice, such as `mup`.
    pub parametrization: String,
    pub eta0: f64,
    pub gamma0: f64,
    /// The exponent a of `gamma = gamma0 N^a`, for those that have one.
    pub exponent: f64,
}

impl Row {
    /// Those that the knobs ask for.
    pub fn all(values: &Values) -> Vec<Self> {
        let places = [("first", "eta0"), ("second", "eta0-second")];
        let row = |(place, eta0): (&'static str, &str)| {
            let parametrization = values.choice(place).to_owned();
            let exponent = match parametrization.as_str() {
                "ntk" => 0.0,
                "gamma-power" => values.float("gamma-exponent"),
                _ => 0.5,
            };
            let (eta0, gamma0) = (values.float(eta0), values.float("gamma0"));
            (parametrization != "none").then_some(Self { place, parametrization, eta0, gamma0, exponent })
        };
        places.into_iter().filter_map(row).collect()
    }

    /// `gamma0 N^a`
    pub fn gamma(&self, n: f64) -> f64 {
        self.gamma0 * n.powf(self.exponent)
    }

    /// `gamma^2 / N`
    pub fn kappa(&self, n: f64) -> f64 {
        self.gamma(n).powi(2) / n
    }

    /// As charts call it.
    pub fn title(&self) -> String {
        match self.parametrization.as_str() {
            "gamma-power" => format!("γ = γ₀N^{}", self.exponent),
            other => title(other).to_owned(),
        }
    }
}
