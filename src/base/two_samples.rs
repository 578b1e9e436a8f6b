//! Whether two samples come from one distribution.

/// What a two-sample test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Largest distance of the two empirical distribution functions, in [0, 1].
    pub distance: f64,
    /// How often two samples of one continuous distribution are at least as far apart.
    pub p_value: f64,
}

/// The test of Kolmogorov and Smirnov on the finite values of two samples; `None` if a sample has none.
///
/// The p-value is asymptotic with Stephens' (1970) correction for finite samples:
/// `2 sum_k (-1)^(k-1) exp(-2 k^2 x^2)` at `x = (sqrt(N) + 0.12 + 0.11/sqrt(N)) D`, `N = n m / (n + m)`; good from N = 4 on.
pub fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> Option<Comparison> {
    let sorted = |values: &[f64]| {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let (a, b) = (sorted(a), sorted(b));
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (mut i, mut j, mut distance) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        // Ties step together.
        let at = a[i].min(b[j]);
        i += a[i..].iter().take_while(|&&x| x <= at).count();
        j += b[j..].iter().take_while(|&&x| x <= at).count();
        distance = distance.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    let size = (a.len() as f64 * b.len() as f64 / (a.len() + b.len()) as f64).sqrt();
    Some(Comparison { distance, p_value: tail((size + 0.12 + 0.11 / size) * distance) })
}

/// `2 sum_k (-1)^(k-1) exp(-2 k^2 x^2)`, the chance that a Brownian bridge goes beyond x.
fn tail(x: f64) -> f64 {
    // The series converges slowly where it is 1 to all digits.
    if x < 0.2 {
        return 1.0;
    }
    let term = |k: i32| f64::from(1 - 2 * ((k - 1) % 2)) * (-2.0 * f64::from(k * k) * x * x).exp();
    (2.0 * (1..=100).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

/// Share of `sample` below the q-quantile of `reference`, minus q, in standard errors of both samples:
/// `(share - q) / sqrt(q (1 - q) (1/n + 1/m))`. Values that aren't finite don't count; `None` if a sample has no other.
pub fn quantile_deviation(reference: &[f64], sample: &[f64], q: f64) -> Option<f64> {
    let count = |values: &[f64]| values.iter().filter(|v| v.is_finite()).count() as f64;
    let (n, m) = (count(reference), count(sample));
    let at = super::statistics::quantile(reference, q)?;
    let below = sample.iter().filter(|v| v.is_finite() && **v < at).count() as f64;
    (m > 0.0).then(|| (below / m - q) / (q * (1.0 - q) * (1.0 / n + 1.0 / m)).sqrt())
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};

    use super::*;

    #[test]
    fn distances_by_hand_and_p_values_of_tables() {
        // F_a is 1/2 where F_b is 0, and 1 where F_b is 1/4.
        let found = kolmogorov_smirnov(&[1.0, 2.0], &[2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!(found.distance, 0.75);
        assert_eq!(kolmogorov_smirnov(&[1.0, f64::NAN], &[1.0]).unwrap(), Comparison { distance: 0.0, p_value: 1.0 });
        assert_eq!(kolmogorov_smirnov(&[f64::NAN], &[1.0]), None);
        // Kolmogorov's table: 1.3581 at 5 %, 1.6276 at 1 %.
        assert!((tail(1.358_1) - 0.05).abs() < 1e-5 && (tail(1.627_6) - 0.01).abs() < 1e-5);
    }

    /// Equal laws: p-values are uniform, deviations standard. Another law: found.
    #[test]
    fn equal_laws_pass_as_often_as_they_should() {
        let mut stream = Streams::new(1).stream("samples");
        let mut draw = || {
            let a = normals(&mut stream, 300);
            let b = normals(&mut stream, 200);
            (a, b)
        };
        let trials: Vec<_> = (0..1_000).map(|_| draw()).collect();
        let below = |level: f64| {
            trials.iter().filter(|(a, b)| kolmogorov_smirnov(a, b).unwrap().p_value < level).count() as f64 / 1e3
        };
        // Four standard errors; the correction is slightly conservative.
        assert!((below(0.1) - 0.1).abs() < 0.038 && (below(0.5) - 0.5).abs() < 0.07, "{} {}", below(0.1), below(0.5));
        let deviations: Vec<f64> = trials.iter().map(|(a, b)| quantile_deviation(a, b, 0.25).unwrap()).collect();
        let mean = deviations.iter().sum::<f64>() / 1e3;
        let square = deviations.iter().map(|d| d * d).sum::<f64>() / 1e3;
        assert!(mean.abs() < 0.15 && (square - 1.0).abs() < 0.2, "{mean} {square}");
        let (a, b) = draw();
        let shifted: Vec<f64> = b.iter().map(|x| x + 0.5).collect();
        assert!(kolmogorov_smirnov(&a, &shifted).unwrap().p_value < 1e-3);
    }
}
