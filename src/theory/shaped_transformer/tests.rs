use super::*;

pub fn shaped(tokens: usize) -> Shaped {
    Shaped { tokens, gamma: 0.6, temperature: 0.8, attention: true, mlp: false, slopes: [0.0, -1.0], mlp_width: None }
}

/// Three tokens of unequal lengths.
pub const V: [f64; 9] = [1.3, 0.2, -0.3, 0.2, 0.7, 0.1, -0.3, 0.1, 1.0];

#[track_caller]
pub fn close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < tolerance, "{a} {b}");
    }
}

/// `b_11 = gamma^2 (1 - r)^2 / (4 tau_0^2)`, `b_12 = r b_11`. With `g = gamma^2 (2 - gamma^2)`, `h = gamma^4 / tau_0^2`:
/// `Sigma_11,11 = 2g + h (1 - r)^3/2`, `Sigma_11,22 = 2g r^2 - h r (1 - r)^3/2`, `Sigma_11,12 = 2g r - h (1 - r)^4/4`,
/// `Sigma_12,12 = g (1 + r^2) + h (1 - r)^4/4`.
#[test]
fn two_equal_tokens_have_their_closed_forms() {
    for r in [-0.4, 0.2, 0.9, 1.0] {
        let shaped = shaped(2);
        let (gamma2, t) = (shaped.gamma.powi(2), shaped.temperature.powi(2));
        let v = equal_tokens(2, r);
        let b = gamma2 * (1.0 - r).powi(2) / (4.0 * t);
        close(&shaped.drift(&v), &[b, r * b, r * b, b], 1e-14);
        let (g, h, rest) = (gamma2 * (2.0 - gamma2), gamma2 * gamma2 / t, 1.0 - r);
        let own = 2.0 * g + h * rest.powi(3) / 2.0;
        let other = 2.0 * g * r * r - h * r * rest.powi(3) / 2.0;
        let mixed = 2.0 * g * r - h * rest.powi(4) / 4.0;
        let both = g * (1.0 + r * r) + h * rest.powi(4) / 4.0;
        let known = [
            [own, mixed, mixed, other],
            [mixed, both, both, mixed],
            [mixed, both, both, mixed],
            [other, mixed, mixed, own],
        ];
        close(&shaped.covariance(&v), &known.concat(), 1e-14);
    }
}

/// Tokens that are one are moved as one: attention's drift of them is 0, at any length.
#[test]
fn tokens_that_are_one_have_no_drift() {
    for m in [2, 3] {
        let v: Vec<f64> = equal_tokens(m, 1.0).iter().map(|v| 1.7 * v).collect();
        for mlp in [false, true] {
            close(&Shaped { mlp, ..shaped(m) }.drift(&v), &vec![0.0; m * m], 1e-14);
        }
    }
}

#[test]
fn without_attention_to_speak_of_it_is_linear() {
    let linear = Shaped { temperature: f64::INFINITY, ..shaped(3) };
    close(&linear.drift(&V), &[0.0; 9], 1e-15);
    let g = linear.gamma.powi(2);
    let sigma = linear.covariance(&V);
    let known = g * (2.0 - g) * (V[0] * V[4] + V[1] * V[1]);
    assert!((sigma[9 + 1] - known).abs() < 1e-15, "entries (0, 1) and (0, 1)");
}

#[test]
fn tokens_can_be_renamed() {
    let order = [2, 0, 1];
    let renamed: Vec<f64> = (0..9).map(|at| V[order[at / 3] * 3 + order[at % 3]]).collect();
    for shaped in [shaped(3), Shaped { attention: false, mlp: true, ..shaped(3) }] {
        let (b, moved) = (shaped.drift(&V), shaped.drift(&renamed));
        let known: Vec<f64> = (0..9).map(|at| b[order[at / 3] * 3 + order[at % 3]]).collect();
        close(&moved, &known, 1e-14);
        let (sigma, of_renamed) = (shaped.covariance(&V), shaped.covariance(&renamed));
        let place = |at: usize| order[at / 3] * 3 + order[at % 3];
        let known: Vec<f64> = (0..81).map(|at| sigma[place(at / 9) * 9 + place(at % 9)]).collect();
        close(&of_renamed, &known, 1e-14);
    }
}

/// The noise is linear in its draws: its covariance is the sum over unit draws, exactly.
#[test]
fn the_noise_has_the_covariance_without_a_root_of_it() {
    for (attention, mlp) in [(true, false), (false, true), (true, true)] {
        let shaped = Shaped { attention, mlp, ..shaped(3) };
        let l = root(3, &V);
        close(&times_transposed(3, &l, &l), &V, 1e-15);
        let mut sigma = vec![0.0; 81];
        for i in 0..shaped.draws() {
            let mut unit = vec![0.0; shaped.draws()];
            unit[i] = 1.0;
            let noise = shaped.noise(&l, &unit);
            (0..81).for_each(|at| sigma[at] += noise[at / 9] * noise[at % 9]);
        }
        close(&sigma, &shaped.covariance(&V), 1e-13);
    }
}

#[test]
fn singular_matrices_have_roots() {
    let v = equal_tokens(3, 1.0);
    let l = root(3, &v);
    close(&times_transposed(3, &l, &l), &v, 1e-15);
    assert!(root(2, &[1.0, 1.1, 1.1, 1.0]).iter().all(|x| x.is_finite()), "not even semidefinite");
    assert_eq!(nu(1.0, 1.0), 0.0);
    assert!((nu(0.0, 1.0) - 0.5 / std::f64::consts::PI).abs() < 1e-15);
}
