use super::super::shaped_paths::EXPLODED;
use super::super::shaped_transformer::tests::{V, close, shaped};
use super::super::shaped_transformer::{correlation, equal_tokens};
use super::*;
use crate::base::statistics::quantile;

pub(in super::super) fn network(shaped: Shaped, width: usize) -> Network {
    Network { shaped, width, key_width: 8, centred: true, temperature_grows: true, slopes_shrink: true }
}

pub(in super::super) fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// n times the mean change and the covariance of one layer, against b and Sigma. Signs of logits and values are drawn in
/// pairs, and the mean change of plain values, which is 0, is taken off: else noise would hide the drift.
#[test]
fn one_layer_moves_as_the_limit_says() {
    one_layer(2, &[1.6, -0.5, -0.5, 0.6]);
    one_layer(3, &V);
}

#[track_caller]
fn one_layer(m: usize, start: &[f64]) {
    let (n, square) = (2_000, m * m);
    let (shaped, draws) = (shaped(m), 20_000);
    let network = network(shaped, n);
    let mut stream = Streams::new(4).stream("layers");
    let (mut drifts, mut changes) = (vec![Vec::new(); square], vec![Vec::new(); square]);
    for _ in 0..draws {
        let drawn = network.draw(&mut stream);
        let flip = |m: &[f64]| m.iter().map(|x| -x).collect::<Vec<_>>();
        let mut mean = vec![0.0; square];
        for (logits, along) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut drawn = drawn.clone();
            if logits {
                drawn.logits = flip(&drawn.logits);
            }
            if along {
                drawn.along = flip(&drawn.along);
            }
            let after = network.attend(start, &drawn);
            (0..square).for_each(|at| mean[at] += (after[at] - start[at]) / 4.0);
            if !logits && !along {
                (0..square).for_each(|at| changes[at].push(after[at] - start[at]));
            }
        }
        let (_, z) = mixed(m, n as f64, &root(m, start), &root(m, start), &drawn.along, &drawn.across);
        (0..square).for_each(|at| drifts[at].push(n as f64 * (mean[at] - shaped.gamma.powi(2) * (z[at] - start[at]))));
    }
    let b = shaped.drift(start);
    for at in 0..square {
        let (mean, error) = mean_and_error(&drifts[at]);
        assert!((mean - b[at]).abs() < 4.0 * error + 0.03 * b[0], "{at}: {mean} ± {error}, {}", b[at]);
        assert!(error < 0.05 * b[0], "{error} {}", b[0]);
    }
    let sigma = shaped.covariance(start);
    for at in 0..square * square {
        let products: Vec<f64> =
            (0..draws).map(|i| n as f64 * changes[at / square][i] * changes[at % square][i]).collect();
        let (mean, error) = mean_and_error(&products);
        assert!((mean - sigma[at]).abs() < 4.5 * error + 0.01, "{at}: {mean} ± {error}, {}", sigma[at]);
    }
}

/// The chain on the covariance against networks with weights, in law: quantiles of two samples.
#[test]
fn the_chain_is_that_of_weights() {
    let (n, m, n_k, layers, count) = (16, 2, 3, 8, 1_500);
    let both = Shaped { mlp: true, gamma: 0.7, ..shaped(m) };
    let network = Network { key_width: n_k, ..network(both, n) };
    let chain = networks(&network, &equal_tokens(m, 0.2), layers, 1, 0..count, Streams::new(1));
    let weighed: Vec<[f64; 2]> =
        (0..count).map(|i| weights(&network, layers, Streams::new(2).indexed("w", i as u64))).collect();
    let exploded = |v: f64| if v < EXPLODED { v } else { f64::NAN };
    for (of, chain) in [(0, &chain.correlations[1]), (1, &chain.variances[1])] {
        let weighed: Vec<f64> = weighed.iter().map(|w| exploded(w[of])).collect();
        for q in [0.1, 0.25, 0.5, 0.75, 0.9] {
            // The share of the other sample below this quantile, within four standard errors of both.
            let at = quantile(chain, q).unwrap();
            let below = weighed.iter().filter(|w| **w < at).count() as f64 / count as f64;
            assert!((below - q).abs() < 4.0 * (2.0 * q * (1.0 - q) / count as f64).sqrt(), "{of} {q}: {below}");
        }
    }
}

/// Correlation and variance of two tokens after the layers of a network with all its weights.
fn weights(network: &Network, layers: usize, mut stream: Stream) -> [f64; 2] {
    let (n, n_k, shaped) = (network.width, network.key_width, network.shaped);
    let size = n as f64;
    let product = |a: &[f64], b: &[f64], inner: usize| -> Vec<f64> {
        let columns = b.len() / inner;
        let entry = |i: usize, j: usize| (0..inner).map(|k| a[i * inner + k] * b[k * columns + j]).sum::<f64>();
        (0..a.len() / inner * columns).map(|at| entry(at / columns, at % columns)).collect()
    };
    // Two tokens with V = [[1, 0.2], [0.2, 1]] exactly.
    let mut x = vec![0.0; 2 * n];
    x[0] = size.sqrt();
    (x[n], x[n + 1]) = (0.2 * size.sqrt(), (1.0 - 0.04_f64).sqrt() * size.sqrt());
    for _ in 0..layers {
        let (q, k) = (normals(&mut stream, n * n_k), normals(&mut stream, n * n_k));
        let (xq, xk) = (product(&x, &q, n), product(&x, &k, n));
        let logits: Vec<f64> = (0..4)
            .map(|at| (0..n_k).map(|j| xq[at / 2 * n_k + j] * xk[at % 2 * n_k + j]).sum::<f64>())
            .map(|y| y / size / (n_k as f64).sqrt())
            .collect();
        let a = network.attention(&logits);
        let mixed = product(&a, &product(&x, &normals(&mut stream, n * n), n), 2);
        (0..2 * n).for_each(|at| x[at] = shaped.skip() * x[at] + shaped.gamma * mixed[at] / size.sqrt());
        let [plus, minus] = shaped.slopes.map(|c| 1.0 + c / size.sqrt());
        let hidden: Vec<f64> = product(&x, &normals(&mut stream, n * n), n)
            .into_iter()
            .map(|z| if z > 0.0 { plus * z } else { minus * z } / size.sqrt())
            .collect();
        let out = product(&hidden, &normals(&mut stream, n * n), n);
        let c = (2.0 / (plus * plus + minus * minus) / size).sqrt();
        (0..2 * n).for_each(|at| x[at] = shaped.skip() * x[at] + shaped.gamma * c * out[at]);
    }
    let v: Vec<f64> =
        (0..4).map(|at| (0..n).map(|j| x[at / 2 * n + j] * x[at % 2 * n + j]).sum::<f64>() / size).collect();
    [correlation(2, &v, 0, 1), v[0]]
}

#[test]
fn without_shaping_tokens_become_one_and_wild_paths_are_counted() {
    let shaped = Shaped { mlp: true, gamma: 0.5_f64.sqrt(), temperature: 1.0, ..shaped(2) };
    let plain = Network { centred: false, temperature_grows: false, slopes_shrink: false, ..network(shaped, 64) };
    let collapsed = networks(&plain, &equal_tokens(2, 0.2), 24, 3, 0..60, Streams::new(1));
    assert!(quantile(&collapsed.correlations[3], 0.1).unwrap() > 0.99);
    let shaped_paths = networks(&network(shaped, 64), &equal_tokens(2, 0.2), 24, 3, 0..60, Streams::new(1));
    assert!(quantile(&shaped_paths.correlations[3], 0.5).unwrap() < 0.9);
}

/// `c E sigma(z_a) sigma(z_b) = rho + c nu(rho)/n`, which `Shaped::nu` says exactly at any width. The linear part, whose mean is
/// known, is taken off: else noise would hide the difference.
#[test]
fn an_mlp_moves_by_its_kernel() {
    let (n, draws) = (30, 400_000);
    for rho in [-0.6_f64, 0.2, 0.9] {
        let both = Shaped { mlp: true, mlp_width: Some(n), slopes: [0.4, -1.0], ..shaped(2) };
        let [plus, minus] = network(both, n).slopes();
        let sigma = |z: f64| if z > 0.0 { plus * z } else { minus * z };
        let mut stream = Streams::new(6).stream("units");
        let changes: Vec<f64> = (0..draws)
            .map(|_| {
                let (x, z): (f64, f64) = (StandardNormal.sample(&mut stream), StandardNormal.sample(&mut stream));
                let y = rho * x + (1.0 - rho * rho).sqrt() * z;
                n as f64 * (gain([plus, minus]) * sigma(x) * sigma(y) - x * y)
            })
            .collect();
        let (mean, error) = mean_and_error(&changes);
        assert!((mean - both.nu(rho)).abs() < 4.0 * error && error < 0.03, "{rho}: {mean} ± {error}, {}", both.nu(rho));
    }
}

/// V stays semidefinite, and what can't be told apart stays so.
#[test]
fn the_cone_and_its_edge_are_kept() {
    let both = network(Shaped { mlp: true, ..shaped(3) }, 32);
    let mut stream = Streams::new(5).stream("blocks");
    let (mut v, mut same) = (V.to_vec(), equal_tokens(3, 1.0));
    for _ in 0..40 {
        both.block(&mut v, &mut stream);
        both.block(&mut same, &mut stream);
        let l = root(3, &v);
        let back = times_transposed(3, &l, &l);
        close(&back, &v, 1e-9 * v[0].max(v[4]).max(v[8]));
        close(&same, &[same[0]; 9], 1e-9 * same[0]);
    }
}
