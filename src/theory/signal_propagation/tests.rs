use super::super::token_alignment::{Alignment, AttentionGradients};
use super::*;

const PLAIN: Network = Network {
    layers: 8,
    attention_scale: 1.0,
    mlp_scale: 1.0,
    skip: true,
    mixing: Mixing::Uniform,
    mlp: Mlp::Linear,
    norm: Position::None,
    inverse_temperature: 1.0,
};

fn drawn(seed: u64, count: u64, n: usize, d: usize, layers: usize) -> Vec<Draws> {
    (0..count).map(|index| Draws::new(Streams::new(seed), index, n, d, layers)).collect()
}

/// Mean and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0) / count).sqrt())
}

/// Invariants 1 and 2: 400 draws with alpha = 1 and alpha = L^-1/2. C, M and D follow the recursions in expectation, and the
/// closed form is the ratio of the averages.
#[test]
fn moments_and_cosines_follow_the_recursions() {
    let (n, d, cosine, layers) = (6, 24, 0.2, PLAIN.layers);
    let all = drawn(3, 400, n, d, layers);
    for scale in [1.0, (layers as f64).sqrt().recip()] {
        let network = Network { attention_scale: scale, mlp_scale: scale, ..PLAIN };
        let alignment = Alignment { tokens: n, attention: scale * scale, mlp: scale * scale };
        let found: Vec<Vec<Layer>> = all.iter().map(|draws| network.layers(draws, cosine)).collect();
        let mut known =
            Moments { sum: d as f64 * n as f64 * (1.0 + (n as f64 - 1.0) * cosine), square: (n * d) as f64 };
        for l in 0..=layers {
            let at = |of: &dyn Fn(&Layer) -> f64| mean(&found.iter().map(|f| of(&f[l])).collect::<Vec<_>>());
            let rest = |m: &Moments| m.square - m.sum / n as f64;
            let check = |(found, error): (f64, f64), known: f64| {
                assert!((found - known).abs() < 4.0 * error && error < 0.15 * known, "{l}: {found} ± {error}, {known}");
                found
            };
            let sum = check(at(&|f| f.moments.sum), known.sum);
            let square = check(at(&|f| f.moments.square), known.square);
            check(at(&|f| f.residual * f.residual * f.moments.square), rest(&known));
            let ratio = Moments { sum, square }.cosine(n);
            let closed = alignment.cosine(cosine, l);
            assert!((known.cosine(n) - closed).abs() < 1e-12);
            assert!((ratio - closed).abs() < 0.025, "{l}: {ratio} {closed}");
            known = alignment.block(known);
        }
    }
}

/// The spec's Monte-Carlo table of Jacobians, 200 draws each: V 4164, Q 4731 and so on, and the formulas.
#[test]
fn jacobians_at_uniform_attention_are_the_closed_forms() {
    for (n, d, cosine, known_values, known_queries) in [
        (16, 64, 0.0, 4164.0, 4731.0),
        (16, 64, 0.5, 35008.0, 1198.0),
        (16, 64, 0.9, 60979.0, 49.2),
        (64, 32, 0.5, 33957.0, 766.0),
    ] {
        let network = Network { layers: 0, ..PLAIN };
        let all: Vec<Layer> =
            drawn(11, 200, n, d, 0).iter().map(|draws| network.layers(draws, cosine).remove(0)).collect();
        let closed = AttentionGradients { tokens: n, width: d, variance: 1.0, cosine, inverse_temperature: 1.0 };
        let values = mean(&all.iter().map(|l| l.jacobians.values).collect::<Vec<_>>());
        let queries = mean(&all.iter().map(|l| l.jacobians.queries).collect::<Vec<_>>());
        for ((found, error), formula, known) in
            [(values, closed.values(), known_values), (queries, closed.queries(), known_queries)]
        {
            // The formula leaves out terms of order 1/n and 1/d; the table has an error as large as ours.
            assert!(
                (found - formula).abs() < 4.0 * error + 0.04 * formula,
                "{n} {d} {cosine}: {found} ± {error} {formula}"
            );
            assert!((found - known).abs() < 6.0 * error + 0.01 * known, "{n} {d} {cosine}: {found} ± {error} {known}");
        }
    }
}

/// Invariant 4, through whole networks of every kind.
#[test]
fn equal_tokens_stay_equal_and_give_queries_and_keys_nothing() {
    let draws = &drawn(1, 1, 5, 12, 6)[0];
    for norm in [Position::None, Position::Pre, Position::Post] {
        for mlp in [Mlp::None, Mlp::Linear, Mlp::Relu] {
            for skip in [true, false] {
                let network = Network { layers: 6, mixing: Mixing::Softmax, norm, mlp, skip, ..PLAIN };
                for layer in network.layers(draws, 1.0) {
                    let Layer { residual, jacobians, cosine, .. } = layer;
                    assert!(residual < 1e-12 && (cosine - 1.0).abs() < 1e-12, "{residual}");
                    assert!(jacobians.queries.sqrt() < 1e-12 * jacobians.values.sqrt() && jacobians.values > 0.0);
                    assert!(jacobians.keys.sqrt() < 1e-12 * jacobians.values.sqrt());
                }
            }
        }
    }
}

/// Dong et al. 2021: without skips the distance to rank one is cubed in every layer: `log r_(l+1) / log r_l -> 3`, a straight
/// line on a log(-log) axis; the spec's table is .97, .73, .26, .018, 4e-6, 1e-14.
#[test]
fn without_skips_the_residual_is_cubed_layer_by_layer() {
    let network =
        Network { skip: false, mlp: Mlp::None, mixing: Mixing::Softmax, attention_scale: 1.0, layers: 6, ..PLAIN };
    for seed in 0..20 {
        let residuals: Vec<f64> =
            network.layers(&drawn(seed, 1, 16, 128, 6)[0], 0.0).iter().map(|layer| layer.residual).collect();
        assert!((residuals[0] - 0.97).abs() < 0.01 && residuals[1] > 0.6 && residuals[4] < 1e-3, "{residuals:?}");
        let mut small = residuals.windows(2).filter(|pair| pair[0] < 1e-4 && pair[1] > 0.0).peekable();
        assert!(small.peek().is_some());
        for pair in small {
            let power = pair[1].ln() / pair[0].ln();
            // r' = c r^3 with c of order 1 to 1e3.
            assert!((2.4..3.6).contains(&power), "{power} {residuals:?}");
        }
    }
    // At uniform attention, one layer is enough.
    let uniform = Network { mixing: Mixing::Uniform, ..network };
    assert!(uniform.layers(&drawn(0, 1, 16, 128, 6)[0], 0.0)[1].residual == 0.0);
}

/// One network as a textbook writes it, with all weights drawn in full.
fn textbook(network: &Network, n: usize, d: usize, cosine: f64, stream: &mut crate::base::rng::Stream) -> Vec<f64> {
    let mut x = Tokens::correlated(n, cosine, &normals(stream, (n + 1) * d)).plain();
    let layer_norm = |x: &[f64]| Tokens::new(n, x).normalised().plain();
    let mut weight = || normals(stream, d * d).into_iter().map(|w| w / (d as f64).sqrt()).collect::<Vec<f64>>();
    let times = |x: &[f64], w: &[f64]| -> Vec<f64> {
        (0..x.len()).map(|at| (0..d).map(|k| x[at / d * d + k] * w[k * d + at % d]).sum()).collect()
    };
    let join = |x: Vec<f64>, by: f64, branch: Vec<f64>| {
        let x: Vec<f64> = x.iter().zip(branch).map(|(x, b)| x + by * b).collect();
        if network.norm == Position::Post { layer_norm(&x) } else { x }
    };
    if network.norm == Position::Post {
        x = layer_norm(&x);
    }
    for _ in 0..network.layers {
        let read = if network.norm == Position::Pre { layer_norm(&x) } else { x.clone() };
        let (q, k, v) = (times(&read, &weight()), times(&read, &weight()), times(&read, &weight()));
        let logit = |i: usize, j: usize| (0..d).map(|c| q[i * d + c] * k[j * d + c]).sum::<f64>() / (d as f64).sqrt();
        let mut mixed = vec![0.0; n * d];
        for i in 0..n {
            let weights: Vec<f64> = (0..n).map(|j| (network.inverse_temperature * logit(i, j)).exp()).collect();
            let sum: f64 = weights.iter().sum();
            (0..n * d).for_each(|at| mixed[i * d + at % d] += weights[at / d] / sum * v[at]);
        }
        x = join(x, network.attention_scale, mixed);
        let read = if network.norm == Position::Pre { layer_norm(&x) } else { x.clone() };
        let hidden: Vec<f64> = times(&read, &weight()).iter().map(|h| 2.0_f64.sqrt() * h.max(0.0)).collect();
        x = join(x, network.mlp_scale, times(&hidden, &weight()));
    }
    x
}

/// The slow twin: mean cosines and growth of networks whose weights are drawn in full, within five standard errors.
#[test]
fn networks_have_the_law_of_fully_drawn_ones() {
    let (n, d, cosine, count) = (4, 10, 0.3, 300);
    for norm in [Position::None, Position::Pre, Position::Post] {
        let network =
            Network { layers: 3, mixing: Mixing::Softmax, mlp: Mlp::Relu, norm, inverse_temperature: 2.0, ..PLAIN };
        let mut stream = Streams::new(8).stream("textbook");
        let read = |gram: &tokens::Gram| {
            let cosines = gram.cosines();
            [mean_of_pairs(n, &cosines), gram.square().ln(), gram.relative_residual()]
        };
        let full: Vec<[f64; 3]> =
            (0..count).map(|_| read(&Tokens::new(n, &textbook(&network, n, d, cosine, &mut stream)).gram())).collect();
        let fast: Vec<[f64; 3]> = drawn(9, count, n, d, network.layers)
            .iter()
            .map(|draws| {
                let last = network.layers(draws, cosine).pop().unwrap();
                [last.cosine, last.moments.square.ln(), last.residual]
            })
            .collect();
        for of in 0..3 {
            let column = |all: &[[f64; 3]]| mean(&all.iter().map(|v| v[of]).collect::<Vec<_>>());
            let ((a, error_a), (b, error_b)) = (column(&full), column(&fast));
            assert!(
                (a - b).abs() < 5.0 * error_a.hypot(error_b) + 1e-12,
                "{norm:?} {of}: {a} ± {error_a}, {b} ± {error_b}"
            );
        }
    }
}

/// The spec's tables, each within 2.5 standard deviations of single networks (it gives one network a row).
#[test]
fn the_small_version_is_reproduced() {
    let (n, d, cosine) = (16, 128, 0.2);
    let deep = |layers: usize| (layers as f64).sqrt().recip();
    let real = Network { layers: 24, mixing: Mixing::Softmax, mlp: Mlp::Relu, ..PLAIN };
    let post = Network { norm: Position::Post, ..real };
    let rows: [(Network, &[usize], &[f64]); 6] = [
        (Network { layers: 12, ..PLAIN }, &[0, 3, 6, 12], &[0.193, 0.689, 0.936, 0.998]),
        (
            Network { layers: 48, attention_scale: deep(48), mlp_scale: deep(48), ..PLAIN },
            &[0, 12, 24, 48],
            &[0.203, 0.253, 0.307, 0.436],
        ),
        (real, &[0, 1, 2, 4, 8, 16, 24], &[0.207, 0.422, 0.625, 0.799, 0.964, 0.999, 1.0]),
        (post, &[0, 1, 2, 4, 8, 16, 24], &[0.218, 0.443, 0.637, 0.888, 0.993, 1.0, 1.0]),
        (
            Network { norm: Position::Pre, ..real },
            &[0, 1, 2, 4, 8, 16, 24],
            &[0.201, 0.445, 0.547, 0.673, 0.770, 0.858, 0.879],
        ),
        (
            Network { attention_scale: deep(24), mlp_scale: deep(24), ..post },
            &[0, 1, 2, 4, 8, 16, 24],
            &[0.198, 0.210, 0.223, 0.260, 0.329, 0.473, 0.573],
        ),
    ];
    let all = drawn(7, 16, n, d, 48);
    for (network, at, known) in rows {
        let found: Vec<Vec<Layer>> = all.iter().map(|draws| network.layers(draws, cosine)).collect();
        for (&l, known) in at.iter().zip(known) {
            let (mean, error) = mean(&found.iter().map(|f| f[l].cosine).collect::<Vec<_>>());
            let spread = error * (all.len() as f64).sqrt();
            assert!((mean - known).abs() < 2.5 * spread + 0.003, "layer {l}: {mean} ± {spread}, {known}");
        }
        if network.layers == 48 {
            let growth: Vec<f64> = found.iter().map(|f| f[48].moments.sum / f[0].moments.sum).collect();
            let (mean, error) = mean(&growth);
            assert!((mean - 7.11).abs() < 10.0 * error, "{mean} ± {error}");
        }
    }
}
