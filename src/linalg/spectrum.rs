//! What is known of a spectrum from quadrature rules: moments, traces, densities.

use super::trace::Sampled;

/// A discrete measure: weights at nodes, that sum to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Ascending.
    pub nodes: Vec<f64>,
    pub weights: Vec<f64>,
}

impl Rule {
    pub(super) fn not_finite() -> Self {
        Self { nodes: vec![f64::NAN], weights: vec![f64::NAN] }
    }

    /// `sum_i w_i f(theta_i)`
    pub fn integral(&self, f: impl Fn(f64) -> f64) -> f64 {
        self.nodes.iter().zip(&self.weights).map(|(&node, &weight)| weight * f(node)).sum()
    }
}

/// The distribution of the n eigenvalues, each with weight 1/n, as the mean of one quadrature rule a test vector. All that is
/// read off is a mean over the rules with its standard error; the error of each rule itself (few steps) is not in it.
#[derive(Clone, Debug, PartialEq)]
pub struct SpectralMeasure {
    /// Number of eigenvalues n.
    pub dim: usize,
    /// At least one.
    pub rules: Vec<Rule>,
    /// Products spent.
    pub products: usize,
}

/// A density on a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Density {
    /// Ascending and equidistant.
    pub grid: Vec<f64>,
    /// Share of the eigenvalues per unit of eigenvalue: it integrates to 1 over the line.
    pub values: Vec<f64>,
    /// Standard error over the test vectors; infinite with one test vector.
    pub standard_errors: Vec<f64>,
    /// Of the Gaussian that each node is smoothed with.
    pub sigma: f64,
}

impl SpectralMeasure {
    /// `None` without a rule.
    pub fn new(dim: usize, rules: Vec<Rule>, products: usize) -> Option<Self> {
        (!rules.is_empty()).then_some(Self { dim, rules, products })
    }

    /// The mean of `f` over the eigenvalues, `tr f(A) / n`.
    pub fn mean(&self, f: impl Fn(f64) -> f64) -> Sampled {
        Sampled::of(&self.rules.iter().map(|rule| rule.integral(&f)).collect::<Vec<_>>())
    }

    /// `tr A^j / n`: exact in each test vector for j up to twice the steps less one.
    pub fn moment(&self, j: i32) -> Sampled {
        self.mean(|x| x.powi(j))
    }

    /// Share of the eigenvalues in `[from, to)`, blurred by the distance of the nodes.
    pub fn share(&self, from: f64, to: f64) -> Sampled {
        self.mean(|x| f64::from(x >= from && x < to))
    }

    /// Smallest and largest node: inside the spectrum, and near its ends after some tens of steps.
    pub fn range(&self) -> [f64; 2] {
        let nodes = self.rules.iter().flat_map(|rule| &rule.nodes);
        nodes.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &x| {
            // A NaN must not be passed over.
            if x.is_nan() { [f64::NAN; 2] } else { [low.min(x), high.max(x)] }
        })
    }

    /// The density `phi(t) = mean over rules of sum_i w_i N(t; theta_i, sigma^2)` at `points >= 2` points between the
    /// outermost nodes and 4 sigma beyond. `sigma` is `relative_sigma` of the range; of a single point (one
    /// repeated eigenvalue) it is that share of its magnitude, or of 1.
    pub fn density(&self, points: usize, relative_sigma: f64) -> Density {
        let [low, high] = self.range();
        let size = [high - low, low.abs(), 1.0].into_iter().find(|&size| size > 0.0).unwrap_or(f64::NAN);
        let sigma = relative_sigma * size;
        let (from, to) = (low - 4.0 * sigma, high + 4.0 * sigma);
        let last = points.max(2) - 1;
        let grid: Vec<f64> = (0..=last).map(|i| from + (to - from) * i as f64 / last as f64).collect();
        self.density_on(grid, sigma)
    }

    /// As [`Self::density`], on a grid and with a sigma of the caller's.
    pub fn density_on(&self, grid: Vec<f64>, sigma: f64) -> Density {
        let factor = 1.0 / (sigma * std::f64::consts::TAU.sqrt());
        let at = |t: f64| self.mean(|x| factor * (-0.5 * ((t - x) / sigma).powi(2)).exp());
        let found: Vec<Sampled> = grid.iter().map(|&t| at(t)).collect();
        Density {
            values: found.iter().map(|s| s.value).collect(),
            standard_errors: found.iter().map(|s| s.standard_error).collect(),
            grid,
            sigma,
        }
    }
}
