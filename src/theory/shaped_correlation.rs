//! The correlation of two tokens in a shaped MLP: a stochastic differential equation of its own.

use std::ops::Range;

use rayon::prelude::*;

use crate::base::rng::{Streams, normals};

use super::shaped_transformer::Shaped;

/// Drift and diffusion of `d rho = [gamma^2 nu(rho) - gamma^2 rho (1 - rho^2)] dt + sqrt(2) gamma (1 - rho^2) dB`, the
/// correlation in a network whose only branches are MLPs.
pub fn change(shaped: &Shaped, rho: f64) -> [f64; 2] {
    let (gamma, rest) = (shaped.gamma, 1.0 - rho * rho);
    [gamma * gamma * (shaped.nu(rho) - rho * rest), 2.0_f64.sqrt() * gamma * rest]
}

/// The Euler-Maruyama paths `which` from `start` in [-1, 1] up to time `end`, in steps of about `dt`: correlations
/// `[time][path]` at `kept + 1` equally spaced times. Path i is the same in any range and for any number of threads.
///
/// Both ends are out of reach of the equation (at -1 where nu isn't 0, at 1 always); steps that pass them stop there.
pub fn correlations(
    shaped: &Shaped,
    start: f64,
    end: f64,
    dt: f64,
    kept: usize,
    which: Range<usize>,
    streams: Streams,
) -> Vec<Vec<f64>> {
    let kept = kept.max(1);
    let each = (end / dt / kept as f64).ceil().max(1.0) as usize;
    let dt = end / (each * kept) as f64;
    let path = |path: usize| {
        let mut stream = streams.indexed("correlation", path as u64);
        let mut rho = start;
        let mut seen = vec![rho];
        for _ in 0..kept {
            for z in normals(&mut stream, each) {
                let [drift, diffusion] = change(shaped, rho);
                rho = (rho + drift * dt + diffusion * dt.sqrt() * z).clamp(-1.0, 1.0);
            }
            seen.push(rho);
        }
        seen
    };
    let paths: Vec<Vec<f64>> = which.into_par_iter().map(path).collect();
    (0..=kept).map(|t| paths.iter().map(|path| path[t]).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::shaped_paths::diffusion;
    use super::super::shaped_transformer::equal_tokens;
    use super::super::shaped_transformer::tests::shaped;
    use super::*;
    use crate::base::two_samples::kolmogorov_smirnov;

    /// It is the correlation of the equation for the covariance, by Ito's formula, at any lengths of the tokens.
    #[test]
    fn it_is_what_itos_formula_makes_of_the_covariance() {
        let mlp = Shaped { attention: false, mlp: true, mlp_width: Some(64), ..shaped(2) };
        for (x, y, rho) in [(1.0, 1.0, 0.2), (0.3, 2.5, -0.7), (4.0, 0.1, 0.95)] {
            let both = rho * f64::sqrt(x * y);
            let [drift, square] = mlp.correlation_change(&[x, both, both, y]);
            let [known, diffusion] = change(&mlp, rho);
            assert!((drift - known).abs() < 1e-13 && (square - diffusion * diffusion).abs() < 1e-13, "{x} {y} {rho}");
        }
    }

    #[test]
    fn paths_of_the_covariance_have_its_law() {
        let mlp = Shaped { attention: false, mlp: true, ..shaped(2) };
        let (end, dt, paths) = (1.0, 0.005, 2_000);
        let own = correlations(&mlp, 0.2, end, dt, 2, 0..paths, Streams::new(1));
        let of_covariance = diffusion(&mlp, &equal_tokens(2, 0.2), end, dt, 2, 0..paths, Streams::new(1));
        for (own, other) in own.iter().zip(&of_covariance.correlations).skip(1) {
            let found = kolmogorov_smirnov(own, other).unwrap();
            assert!(found.p_value > 1e-3, "{found:?}");
        }
        assert_eq!(own[2][700..800], correlations(&mlp, 0.2, end, dt, 2, 700..800, Streams::new(1))[2]);
    }
}
