//! The token covariance of a shaped transformer in the limit of infinite depth and width: a stochastic differential equation.
//!
//! Noci et al. 2023 (arXiv:2306.17759). Tokens `X` `[m, n]`, `V = X X' / n`, and blocks
//!
//! ```text
//! X+ = lambda X + gamma A X W_V / sqrt(n),   A = I + softmax(Y / tau) - 1 1' / m,   tau = tau_0 sqrt(n n_k)
//! X+ = lambda X + gamma sqrt(c/n) sigma_s(X W_1 / sqrt(n)) W_2,   sigma_s has the slopes 1 + c_+/sqrt(n) and 1 + c_-/sqrt(n)
//! ```
//!
//! with `lambda^2 + gamma^2 = 1` and standard normal weights. In time `t = layer / n` V follows `dV = b dt + Sigma^1/2 dB`.
//! Convergence is local: b is cubic in V, and paths may explode in finite time. So look at quantiles, never at means.

/// Which branches a block has, and how they are shaped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shaped {
    /// m.
    pub tokens: usize,
    /// Weight of the branches, in (0, 1]; that of the skip is `sqrt(1 - gamma^2)`.
    pub gamma: f64,
    /// `tau_0`: infinity leaves values alone.
    pub temperature: f64,
    pub attention: bool,
    pub mlp: bool,
    /// `c_+` and `c_-`.
    pub slopes: [f64; 2],
    /// Width n whose mean change an MLP's drift has exactly: then nu is multiplied by `c = 2/(s_+^2 + s_-^2)`, which is
    /// `1 + O(1/sqrt(n))`. `None` is the limit.
    pub mlp_width: Option<usize>,
}

/// `m` tokens with variance 1 and correlation `cosine`, `[m, m]`.
pub fn equal_tokens(m: usize, cosine: f64) -> Vec<f64> {
    (0..m * m).map(|at| if at / m == at % m { 1.0 } else { cosine }).collect()
}

/// The correlation of tokens `a` and `b`.
pub fn correlation(m: usize, v: &[f64], a: usize, b: usize) -> f64 {
    v[a * m + b] / (v[a * m + a] * v[b * m + b]).sqrt()
}

impl Shaped {
    /// `lambda`.
    pub fn skip(&self) -> f64 {
        (1.0 - self.gamma * self.gamma).max(0.0).sqrt()
    }

    /// Normal draws that [`Self::noise`] takes.
    pub fn draws(&self) -> usize {
        let square = self.tokens * self.tokens;
        3 * square * usize::from(self.attention) + square * usize::from(self.mlp)
    }

    /// b, `[m, m]`.
    ///
    /// Attention: `b = (gamma/tau_0)^2 [ V <V, W>/m^2 + (q_b + q_a)/2m ]` with `W = P V P` the centred covariance and
    /// `q_a = V_aa sum_n V_bn (W_nn - mean_k W_kk)`. MLP: `gamma^2 nu(rho_ab) sqrt(V_aa V_bb)`.
    pub fn drift(&self, v: &[f64]) -> Vec<f64> {
        let (m, gamma2) = (self.tokens, self.gamma * self.gamma);
        let mut drift = vec![0.0; m * m];
        if self.attention {
            let centred = centred(m, v);
            let count = m as f64;
            let overlap = v.iter().zip(&centred).map(|(v, w)| v * w).sum::<f64>() / (count * count);
            let mean = (0..m).map(|k| centred[k * m + k]).sum::<f64>() / count;
            let pull = |b: usize| (0..m).map(|n| v[b * m + n] * (centred[n * m + n] - mean)).sum::<f64>();
            let scale = gamma2 / self.temperature.powi(2);
            for a in 0..m {
                for b in 0..m {
                    let pulls = v[a * m + a] * pull(b) + v[b * m + b] * pull(a);
                    drift[a * m + b] += scale * (v[a * m + b] * overlap + pulls / (2.0 * count));
                }
            }
        }
        if self.mlp {
            for a in 0..m {
                for b in 0..m {
                    let size = (v[a * m + a] * v[b * m + b]).sqrt();
                    if a != b && size > 0.0 {
                        let rho = (v[a * m + b] / size).clamp(-1.0, 1.0);
                        drift[a * m + b] += gamma2 * self.nu(rho) * size;
                    }
                }
            }
        }
        drift
    }

    /// nu, times c at [`Self::mlp_width`].
    ///
    /// `c E sigma(z_a) sigma(z_b) = rho + c nu(rho)/n` for unit normal z with correlation rho, exactly: sigma is
    /// `(s_+ + s_-)/2 z + (s_+ - s_-)/2 |z|`, and `E |z_a z_b| = (2/pi) (sqrt(1 - rho^2) + rho arcsin rho)`.
    pub fn nu(&self, rho: f64) -> f64 {
        let [plus, minus] = self.slopes;
        self.mlp_width.map_or(1.0, |n| gain(slopes_at(self.slopes, n))) * nu(rho, plus - minus)
    }

    /// Drift and squared diffusion of the correlation of the first two of at least two tokens, by Ito's formula.
    pub fn correlation_change(&self, v: &[f64]) -> [f64; 2] {
        let m = self.tokens;
        let [first, both, second] = [0, 1, m + 1];
        let (b, sigma) = (self.drift(v), self.covariance(v));
        let rho = correlation(m, v, 0, 1);
        let (x, y, size) = (v[first], v[second], (v[first] * v[second]).sqrt());
        let gradient = [(both, 1.0 / size), (first, -0.5 * rho / x), (second, -0.5 * rho / y)];
        let square = m * m;
        let hessian = [
            (both, first, -0.5 / (size * x)),
            (both, second, -0.5 / (size * y)),
            (first, second, 0.25 * rho / (x * y)),
        ];
        let mut drift: f64 = gradient.iter().map(|&(i, g)| g * b[i]).sum();
        drift += hessian.iter().map(|&(i, j, h)| h * sigma[i * square + j]).sum::<f64>();
        for (i, v) in [(first, x), (second, y)] {
            drift += 0.5 * 0.75 * rho / (v * v) * sigma[i * square + i];
        }
        let pairs = gradient.iter().flat_map(|a| gradient.iter().map(move |b| (a, b)));
        let diffusion = pairs.map(|((i, g), (j, h))| g * h * sigma[i * square + j]).sum();
        [drift, diffusion]
    }

    /// Sigma, `[m^2, m^2]`: the covariance a unit of time of entries (a, b) and (d, w).
    pub fn covariance(&self, v: &[f64]) -> Vec<f64> {
        let m = self.tokens;
        let (gamma2, count) = (self.gamma * self.gamma, m as f64);
        let at = |a: usize, b: usize| v[a * m + b];
        let centred = centred(m, v);
        // V_bw sum_nk V_an V_dk W_nk / m^2: what attention's randomness adds.
        let mixed = |a: usize, d: usize| {
            let sum: f64 = (0..m * m).map(|nk| at(a, nk / m) * at(d, nk % m) * centred[nk]).sum();
            sum / (count * count)
        };
        let mut sigma = vec![0.0; m.pow(4)];
        for (i, entry) in sigma.iter_mut().enumerate() {
            let [a, b, d, w] = [i / m.pow(3), i / (m * m) % m, i / m % m, i % m];
            let linear = at(a, d) * at(b, w) + at(a, w) * at(b, d);
            if self.attention {
                let random =
                    mixed(a, d) * at(b, w) + mixed(a, w) * at(b, d) + mixed(b, d) * at(a, w) + mixed(b, w) * at(a, d);
                *entry += gamma2 * (2.0 - gamma2) * linear + gamma2 * gamma2 / self.temperature.powi(2) * random;
            }
            if self.mlp {
                *entry += 2.0 * gamma2 * linear;
            }
        }
        sigma
    }

    /// `Sigma^1/2 dB` in law, for a `root` L with `V = L L'` and [`Self::draws`] independent draws of variance dt; linear
    /// in them, so that no root of Sigma is needed:
    ///
    /// `gamma lambda (L H L' + L H' L') + gamma^2 L S L' + gamma^2 (A_1 V + V A_1')`, `S = (N + N')/sqrt(2)`,
    /// `A_1 = L K L' P / (m tau_0)`, and `sqrt(2) gamma L S L'` for the MLP.
    pub fn noise(&self, root: &[f64], draws: &[f64]) -> Vec<f64> {
        let m = self.tokens;
        let gamma2 = self.gamma * self.gamma;
        let square = m * m;
        // L (sum of all square draws) L', symmetrised at the end: x + x'.
        let mut inner = vec![0.0; square];
        let mut outer = vec![0.0; square];
        let mut rest = draws;
        if self.attention {
            let (h, tail) = rest.split_at(square);
            let (n, tail) = tail.split_at(square);
            let (k, tail) = tail.split_at(square);
            rest = tail;
            let by_skip = self.gamma * self.skip();
            let by_branch = gamma2 / 2.0_f64.sqrt();
            inner.iter_mut().zip(h).zip(n).for_each(|((x, h), n)| *x += by_skip * h + by_branch * n);
            let v = times_transposed(m, root, root);
            let logits = sandwich(m, root, k);
            let centred = centred_columns(m, &logits);
            let scale = gamma2 / (m as f64 * self.temperature);
            outer = times(m, &centred, &v).into_iter().map(|x| scale * x).collect();
        }
        if self.mlp {
            // sqrt(2) gamma (N + N')/sqrt(2)
            inner.iter_mut().zip(rest).for_each(|(x, n)| *x += self.gamma * n);
        }
        let half: Vec<f64> = sandwich(m, root, &inner).iter().zip(&outer).map(|(a, b)| a + b).collect();
        (0..square).map(|at| half[at] + half[at % m * m + at / m]).collect()
    }
}

/// `nu(rho) = (c_+ - c_-)^2 / (2 pi) (sqrt(1 - rho^2) - rho arccos rho)`.
pub fn nu(rho: f64, difference: f64) -> f64 {
    difference * difference / (2.0 * std::f64::consts::PI) * ((1.0 - rho * rho).max(0.0).sqrt() - rho * rho.acos())
}

/// `s_+` and `s_-`: `1 + c/sqrt(n)`.
pub fn slopes_at(slopes: [f64; 2], n: usize) -> [f64; 2] {
    slopes.map(|c| 1.0 + c / (n as f64).sqrt())
}

/// `c = 2/(s_+^2 + s_-^2)`, which keeps the second moment of unit signals.
pub fn gain([plus, minus]: [f64; 2]) -> f64 {
    2.0 / (plus * plus + minus * minus)
}

/// Lower triangular L with `L L' = V`, for positive semidefinite V: pivots that rounding or a large step of a simulation
/// made negative count as 0.
///
/// By hand, because simulations ask for millions of roots of 2x2 and 3x3 matrices.
pub fn root(m: usize, v: &[f64]) -> Vec<f64> {
    let mut root: Vec<f64> = vec![0.0; m * m];
    for j in 0..m {
        let pivot = v[j * m + j] - (0..j).map(|k| root[j * m + k].powi(2)).sum::<f64>();
        if pivot <= 1e-14 * v[j * m + j] {
            continue;
        }
        let pivot = pivot.sqrt();
        root[j * m + j] = pivot;
        for i in j + 1..m {
            let rest = v[i * m + j] - (0..j).map(|k| root[i * m + k] * root[j * m + k]).sum::<f64>();
            root[i * m + j] = rest / pivot;
        }
    }
    root
}

/// `P V P`, P the projection off the mean token.
fn centred(m: usize, v: &[f64]) -> Vec<f64> {
    let count = m as f64;
    let means: Vec<f64> = (0..m).map(|a| v[a * m..(a + 1) * m].iter().sum::<f64>() / count).collect();
    let mean = means.iter().sum::<f64>() / count;
    (0..m * m).map(|at| v[at] - means[at / m] - means[at % m] + mean).collect()
}

/// `A P`.
pub(super) fn centred_columns(m: usize, a: &[f64]) -> Vec<f64> {
    (0..m * m).map(|at| a[at] - a[at / m * m..(at / m + 1) * m].iter().sum::<f64>() / m as f64).collect()
}

pub(super) fn times(m: usize, a: &[f64], b: &[f64]) -> Vec<f64> {
    (0..m * m).map(|at| (0..m).map(|k| a[at / m * m + k] * b[k * m + at % m]).sum()).collect()
}

pub(super) fn times_transposed(m: usize, a: &[f64], b: &[f64]) -> Vec<f64> {
    (0..m * m).map(|at| (0..m).map(|k| a[at / m * m + k] * b[at % m * m + k]).sum()).collect()
}

/// `L A L'`.
pub(super) fn sandwich(m: usize, l: &[f64], a: &[f64]) -> Vec<f64> {
    times_transposed(m, &times(m, l, a), l)
}

#[cfg(test)]
pub(super) mod tests;
