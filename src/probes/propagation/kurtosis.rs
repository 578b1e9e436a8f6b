//! Outlier features: how unevenly the neurons share the signal.

/// Kurtosis of neuron RMS of activations `[n, width]`, row-major: `mean_j(s_j^4) / mean_j(s_j^2)^2` with
/// `s_j = sqrt(mean_a X_aj^2)` (He et al. 2024, Eq. 1).
///
/// It lies in [1, width]: 1 when all neurons are equally large, the width when one carries everything. It does not
/// change under scaling. It is *not* the kurtosis of the raw values, nor the variance of `s^2` (that is one less), and
/// neurons are not centred. With few rows it is biased: even Gaussian features have about 1 + 2/n.
///
/// NaN without values, when all are zero, and where one isn't finite.
pub fn kurtosis<T: Copy + Into<f64>>(values: &[T], width: usize) -> f64 {
    let squares = mean_squares(values, width);
    let largest = squares.iter().fold(0.0_f64, |m, &s| m.max(s));
    let (mut second, mut fourth) = (0.0, 0.0);
    for square in squares {
        // Relative to the largest, so that no power leaves the range of f64.
        let square = square / largest;
        second += square;
        fourth += square * square;
    }
    width as f64 * fourth / (second * second)
}

/// `s_j^2 = mean_a X_aj^2` for each of `width` neurons.
pub fn mean_squares<T: Copy + Into<f64>>(values: &[T], width: usize) -> Vec<f64> {
    let mut squares = vec![0.0; width];
    let rows = values.chunks_exact(width.max(1));
    let n = rows.len() as f64;
    for row in rows {
        for (square, &x) in squares.iter_mut().zip(row) {
            let x: f64 = x.into();
            *square += x * x;
        }
    }
    squares.iter_mut().for_each(|square| *square /= n);
    squares
}

#[cfg(test)]
mod tests {
    use crate::base::rng::{Streams, normals};

    use super::*;

    fn random(n: usize, name: &str) -> Vec<f64> {
        normals(&mut Streams::new(11).stream(name), n)
    }

    #[test]
    fn one_outlier_has_its_closed_form() {
        // All neurons have the same squares in another order: equally large to the last digit but one.
        let (n, d) = (16, 24);
        for c in [1.0_f64, 2.0, 8.0, 64.0] {
            let scale = |j: usize| if j == 5 { c } else { 1.0 };
            let values: Vec<f64> =
                (0..n * d).map(|k| scale(k % d) * (1.0 + ((k / d + k % d) % n) as f64) / n as f64).collect();
            let d = d as f64;
            let known = d * (d - 1.0 + c.powi(4)) / (d - 1.0 + c * c).powi(2);
            assert!((kurtosis(&values, 24) / known - 1.0).abs() < 1e-12, "{c}: {} {known}", kurtosis(&values, 24));
        }
    }

    #[test]
    fn it_is_one_for_equals_and_the_width_for_a_monopolist() {
        assert!((kurtosis(&[1.0, -1.0, -1.0, 1.0], 2) - 1.0).abs() < 1e-15);
        assert!((kurtosis(&[0.0, 3.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0_f32], 4) - 4.0).abs() < 1e-15);
    }

    #[test]
    fn neither_scale_nor_the_order_of_neurons_matter_but_a_rotation_does() {
        let (n, d) = (40, 6);
        let mut values = random(n * d, "x");
        values.iter_mut().step_by(d).for_each(|x| *x *= 10.0);
        let known = kurtosis(&values, d);
        for factor in [1e-140, 1e-20, -3.0, 1e30, 1e140] {
            let scaled: Vec<_> = values.iter().map(|x| x * factor).collect();
            assert!((kurtosis(&scaled, d) / known - 1.0).abs() < 1e-12, "{factor}");
        }
        let reversed: Vec<_> = values.chunks(d).flat_map(|row| row.iter().rev().copied()).collect();
        assert!((kurtosis(&reversed, d) / known - 1.0).abs() < 1e-12);
        // By 45 degrees in the plane of the large neuron and another: it halves the outlier's power.
        let half = 0.5_f64.sqrt();
        let rotated: Vec<_> = values
            .chunks(d)
            .flat_map(|r| [half * (r[0] + r[1]), half * (r[0] - r[1])].into_iter().chain(r[2..].iter().copied()))
            .collect();
        assert!(kurtosis(&rotated, d) < 0.7 * known);
    }

    #[test]
    fn correlated_inputs_have_one_plus_twice_the_squared_correlation() {
        // X_a = sqrt(rho) z + sqrt(1 - rho) e_a: for many neurons and rows, 1 + 2 rho^2; full collapse gives 3.
        let (n, d) = (100, 20_000);
        let (z, noise) = (random(d, "z"), random(n * d, "e"));
        for rho in [0.0_f64, 0.5, 0.9, 1.0] {
            let values: Vec<f64> =
                noise.iter().enumerate().map(|(k, e)| rho.sqrt() * z[k % d] + (1.0 - rho).sqrt() * e).collect();
            // The rest of finitely many rows: 4 rho (1 - rho) / n + 2 (1 - rho)^2 / n.
            let rest = (4.0 * rho * (1.0 - rho) + 2.0 * (1.0 - rho).powi(2)) / n as f64;
            let known = 1.0 + 2.0 * rho * rho + rest;
            let found = kurtosis(&values, d);
            // The fourth moment of 20,000 normal numbers has a standard error of 0.07.
            assert!((found - known).abs() < 0.003 + 0.15 * rho * rho, "{rho}: {found} {known}");
        }
    }

    #[test]
    fn without_a_signal_there_is_none() {
        assert!(kurtosis::<f64>(&[], 3).is_nan());
        assert!(kurtosis(&[0.0; 6], 3).is_nan());
        assert!(kurtosis(&[1.0, f64::NAN], 2).is_nan());
        assert!(kurtosis(&[1.0, f64::INFINITY], 2).is_nan());
        assert!(kurtosis::<f32>(&[], 0).is_nan());
    }
}
