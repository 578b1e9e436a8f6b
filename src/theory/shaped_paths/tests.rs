use super::super::shaped_chain::tests::{mean_and_error, network};
use super::super::shaped_chain::{Network, networks};
use super::super::shaped_transformer::equal_tokens;
use super::super::shaped_transformer::tests::{V, close, shaped};
use super::*;
use crate::base::two_samples::{kolmogorov_smirnov, quantile_deviation};
use crate::linalg::symmetric::{eigenpairs, power};

/// gamma^2, with the MLP or not.
fn unit(gamma2: f64, mlp: bool) -> Shaped {
    Shaped { gamma: gamma2.sqrt(), temperature: 1.0, mlp, ..shaped(2) }
}

/// At the last of the kept times: Kolmogorov-Smirnov on correlations, and the quantiles of correlations and variances, within
/// four standard errors. Returns the mean and the spread of both samples' correlations.
#[track_caller]
fn agree(limit: &Paths, networks: &Paths) -> [(f64, f64); 2] {
    close(&limit.times, &networks.times, 1e-12);
    let last = limit.times.len() - 1;
    let (a, b) = (&limit.correlations[last], &networks.correlations[last]);
    let found = kolmogorov_smirnov(a, b).unwrap();
    assert!(found.p_value > 1e-3, "{found:?}");
    for q in [0.05, 0.25, 0.5, 0.75, 0.95] {
        let of_correlation = quantile_deviation(a, b, q).unwrap();
        assert!(of_correlation.abs() < 4.0, "{q}: {of_correlation}");
    }
    let of_variance = quantile_deviation(&limit.variances[last], &networks.variances[last], 0.5).unwrap();
    assert!(of_variance.abs() < 4.0, "{of_variance}");
    [a, b].map(|r| {
        let alive: Vec<f64> = r.iter().copied().filter(|r| r.is_finite()).collect();
        let (mean, error) = mean_and_error(&alive);
        (mean, error * (alive.len() as f64).sqrt())
    })
}

fn both(shaped: Shaped, width: usize, layers: usize, paths: usize) -> (Paths, Paths) {
    let start = equal_tokens(2, 0.2);
    let limit = diffusion(&shaped, &start, layers as f64 / width as f64, 0.01, 6, 0..paths, Streams::new(1));
    let network = Network { key_width: width, ..network(shaped, width) };
    (limit, networks(&network, &start, layers, 6, 0..paths, Streams::new(1)))
}

#[test]
fn paths_of_the_limit_and_of_networks_agree() {
    let (limit, chain) = both(unit(0.125, false), 200, 150, 1_500);
    let [(mean, spread), _] = agree(&limit, &chain);
    assert_eq!(limit.exploded().last(), Some(&0));
    // Seen elsewhere with 4,096 paths: mean 0.186, spread 0.370.
    assert!((mean - 0.186).abs() < 4.0 * spread / 1_500_f64.sqrt() && (spread - 0.37).abs() < 0.03, "{mean} {spread}");
}

/// The numbers that a prototype gave for 4,096 samples each, of means and spreads: within four standard errors of both.
#[test]
fn small_versions_agree_with_the_limit_and_with_the_prototype() {
    if std::env::var_os("LANDSCOPE_SLOW_TESTS").is_none() {
        return;
    }
    let cases = [
        (unit(0.125, false), 200, 150, [(0.186, 0.370), (0.184, 0.368)]),
        (unit(0.5, false), 200, 150, [(0.222, 0.562), (0.225, 0.546)]),
        (unit(0.125, true), 128, 96, [(0.187, 0.489), (0.179, 0.479)]),
    ];
    for (shaped, width, layers, known) in cases {
        let (limit, chain) = both(shaped, width, layers, 4_096);
        for ((mean, spread), (known, of_known)) in agree(&limit, &chain).into_iter().zip(known) {
            // The prototype's networks with both branches were 2,048.
            let error = spread * (1.0 / 4_096_f64 + 1.0 / 2_048_f64).sqrt();
            assert!((mean - known).abs() < 4.0 * error, "{mean} {known}");
            assert!((spread - of_known).abs() < 4.0 * error, "{spread} {of_known}");
        }
    }
}

/// `Sigma^1/2 dB` by an eigendecomposition of Sigma against the noise that needs none, in law.
#[test]
fn a_root_of_the_covariance_gives_the_same_law() {
    let shaped = Shaped { mlp: true, ..unit(0.5, false) };
    let (paths, steps, dt) = (3_000, 20, 0.02_f64);
    let start = vec![1.2, -0.3, -0.3, 0.8];
    let without = diffusion(&shaped, &start, 0.4, dt, 1, 0..paths, Streams::new(3));
    let with: Vec<Vec<Seen>> = (0..paths)
        .map(|path| {
            let mut stream = Streams::new(4).indexed("with", path as u64);
            follow(2, &start, 1, |v| {
                for _ in 0..steps {
                    let Some(root) = power(4, &shaped.covariance(v), 0.5, 0.0) else { return };
                    let draws = normals(&mut stream, 4);
                    let b = shaped.drift(v);
                    let noise = |at: usize| (0..4).map(|k| root[at * 4 + k] * draws[k]).sum::<f64>();
                    let after: Vec<f64> = (0..4).map(|at| v[at] + b[at] * dt + noise(at) * dt.sqrt()).collect();
                    // A step out of the cone stops at its edge.
                    let l = crate::theory::shaped_transformer::root(2, &after);
                    *v = times_transposed(2, &l, &l);
                }
            })
        })
        .collect();
    let with = Paths::gather(vec![0.0, 0.4], &with);
    for (a, b) in [
        (&without.correlations[1], &with.correlations[1]),
        (&without.variances[1], &with.variances[1]),
        (&without.second_variances[1], &with.second_variances[1]),
    ] {
        let found = kolmogorov_smirnov(a, b).unwrap();
        assert!(found.p_value > 1e-3, "{found:?}");
    }
}

/// Steps so large that they leave the cone: halved, they don't.
#[test]
fn paths_stay_semidefinite_and_what_is_one_stays_one() {
    let shaped = Shaped { mlp: true, gamma: 0.9, ..shaped(3) };
    let mut stream = Streams::new(2).stream("steps");
    let mut halved = 0;
    for _ in 0..2_000 {
        let draws: Vec<f64> = normals(&mut stream, shaped.draws()).iter().map(|z| z * 0.3).collect();
        let drift = shaped.drift(&V);
        let noise = shaped.noise(&root(3, &V), &draws);
        let plain: Vec<f64> = (0..9).map(|at| V[at] + 0.09 * drift[at] + noise[at]).collect();
        halved += usize::from(!in_cone(3, &plain));
        let after = euler(&shaped, &V, &draws, 0.09, &mut stream, HALVINGS);
        let size = after[0].max(after[4]).max(after[8]);
        assert!(*eigenpairs(3, &after).unwrap().0.last().unwrap() > -1e-9 * size);
    }
    assert!(halved > 20, "{halved}");
    let same = diffusion(&shaped, &equal_tokens(3, 1.0), 0.5, 0.01, 1, 0..50, Streams::new(1));
    assert!(same.correlations[1].iter().all(|r| (r - 1.0).abs() < 1e-9));
    let (first, second) = (&same.variances[1], &same.second_variances[1]);
    assert!(first.iter().zip(second).all(|(a, b)| (a / b - 1.0).abs() < 1e-5));
}

#[test]
fn a_path_is_the_same_in_any_company() {
    let shaped = Shaped { mlp: true, ..unit(0.5, false) };
    let start = equal_tokens(2, 0.2);
    let of = |which| diffusion(&shaped, &start, 0.3, 0.01, 3, which, Streams::new(1));
    let chains = |which| networks(&network(shaped, 40), &start, 12, 3, which, Streams::new(1));
    for of in [&of as &(dyn Fn(Range<usize>) -> Paths + Sync), &chains] {
        let mut joined = Paths::default();
        joined.extend(of(0..7));
        joined.extend(of(7..20));
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| of(0..20));
        assert_eq!(joined, alone);
        assert_eq!(joined.count(), 20);
    }
}

#[test]
fn wild_paths_are_counted_and_never_averaged() {
    let shaped = Shaped { mlp: true, temperature: 0.05, ..unit(0.5, false) };
    let wild = diffusion(&shaped, &equal_tokens(2, -0.9), 2.0, 0.02, 4, 0..40, Streams::new(1));
    assert!(*wild.exploded().last().unwrap() > 20, "{:?}", wild.exploded());
    assert!(wild.correlations.iter().flatten().all(|r| r.is_nan() || r.abs() <= 1.0 + 1e-9));
    let quantiles = Paths::variance_quantiles(&[2.0, f64::INFINITY, 1.0, f64::INFINITY], &[0.0, 1.0 / 3.0, 0.5, 1.0]);
    assert_eq!(quantiles, [1.0, 2.0, f64::INFINITY, f64::INFINITY]);
    let paths = Paths::gather(vec![0.0], &[vec![[0.5, 1.0, 1.0]], vec![[-0.1, 1.0, 1.0]], vec![GONE]]);
    assert!((paths.mean_absolute_correlation(0) - 0.3).abs() < 1e-15);
    assert!((paths.correlation_quantiles(0, &[0.5])[0] - 0.2).abs() < 1e-15);
}
