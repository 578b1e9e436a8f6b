//! The table of exponents.
//!
//! Relative to Standard, with `m = width/base_width`, `g = gamma0`; (lr of W, the absorbed form):
//!
//! | | start of W | multiplier c | SGD lr | Adam lr |
//! | --- | --- | --- | --- | --- |
//! | **Standard**, all | 1 | 1 | 1 | 1 |
//! | **NTK** input, tables, biases, gains | 1 | 1 | g^2 | m^-1/2 |
//! | hidden | 1 | m^-1/2 | g^2/m | m^-3/2 |
//! | output | 1/g | m^-1/2/g | 1/m | 1/(m g) |
//! | **muP** input, tables, biases, gains | 1 | 1 | m g^2 | 1 |
//! | hidden | 1 | m^-1/2 | g^2 | 1/m |
//! | output | m^-1/2/g | 1/(m g) | 1/m | 1/(m g) |
//! | output bias, everywhere | 1 | 1 | 1 | 1 |
//!
//! The two depth rules add a factor on residual branches and on learning rates within them, with `l = depth/base_depth`:
//!
//! | | branch | SGD lr | Adam lr |
//! | --- | --- | --- | --- |
//! | **Depth-muP** | l^-1/2 | 1 | l^-1/2 |
//! | **1/L** | 1/l | l | 1 |
//!
//! Source: the table of Noci et al. 2024 (arXiv 2402.17457) and Bordelon et al. 2024 (arXiv 2309.16620), with multipliers
//! absorbed and divided by their values at the base. Where these are silent, `microsoft/mup` is followed: biases, gains
//! and embeddings are "vector-like" (Adam's rate stays, SGD's grows with m), the bias of the outputs is left alone, also
//! by gamma0. The starts of embeddings and positions don't depend on the width.
//!
//! **gamma = m^a** with `a` from 0 to 1/2 goes from NTK to muP: the outputs are divided by `gamma = g m^a` and SGD's rates multiplied
//! by its square, so that every exponent of m above is linear in a between the two. For Adam, whose rates don't know gamma, the same
//! straight line is a choice made here.
//!
//! NTK with Adam isn't in the papers' tables: equal rates for all theta would blow up with width. The rates here are
//! those at which hidden activations move by `m^-1/2` and the outputs by 1, the kernel regime (Yang and Littwin 2023).

use super::place::Row;
use super::spec::Parametrization;

/// A factor `m^width gamma0^gamma`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    pub width: f64,
    pub gamma: f64,
}

const fn power(width: f64, gamma: f64) -> Power {
    Power { width, gamma }
}

const ONE: Power = power(0.0, 0.0);

impl Power {
    /// The exponents on the straight line from `self` to `other`, which is at 1.
    fn towards(self, other: Self, t: f64) -> Self {
        power(self.width + t * (other.width - self.width), self.gamma + t * (other.gamma - self.gamma))
    }

    pub fn at(self, m: f64, gamma0: f64) -> f64 {
        m.powf(self.width) * gamma0.powf(self.gamma)
    }
}

/// A cell of the table for each column; learning rates are those of the absorbed form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponents {
    /// Of the standard deviation at the start.
    pub start: Power,
    /// Of the forward multiplier c of the explicit form.
    pub multiplier: Power,
    pub sgd: Power,
    pub adam: Power,
}

const fn cells(start: Power, multiplier: Power, sgd: Power, adam: Power) -> Exponents {
    Exponents { start, multiplier, sgd, adam }
}

/// The table's row for a parametrisation; `gamma_exponent` is the a of [`Parametrization::GammaPower`].
pub fn exponents(parametrization: Parametrization, gamma_exponent: f64, row: Row) -> Exponents {
    match parametrization {
        Parametrization::Standard => cells(ONE, ONE, ONE, ONE),
        Parametrization::Ntk => match row {
            Row::Input | Row::Embedding | Row::Position | Row::Bias | Row::Gain => {
                cells(ONE, ONE, power(0.0, 2.0), power(-0.5, 0.0))
            }
            Row::Hidden => cells(ONE, power(-0.5, 0.0), power(-1.0, 2.0), power(-1.5, 0.0)),
            Row::Output => cells(power(0.0, -1.0), power(-0.5, -1.0), power(-1.0, 0.0), power(-1.0, -1.0)),
            Row::OutputBias => cells(ONE, ONE, ONE, ONE),
        },
        Parametrization::Mup | Parametrization::DepthMup | Parametrization::DepthInverse => match row {
            Row::Input | Row::Embedding | Row::Position | Row::Bias | Row::Gain => {
                cells(ONE, ONE, power(1.0, 2.0), ONE)
            }
            Row::Hidden => cells(ONE, power(-0.5, 0.0), power(0.0, 2.0), power(-1.0, 0.0)),
            Row::Output => cells(power(-0.5, -1.0), power(-1.0, -1.0), power(-1.0, 0.0), power(-1.0, -1.0)),
            Row::OutputBias => cells(ONE, ONE, ONE, ONE),
        },
        Parametrization::GammaPower => {
            let [lazy, rich] = [Parametrization::Ntk, Parametrization::Mup].map(|end| exponents(end, 0.0, row));
            let between = |of: fn(&Exponents) -> Power| of(&lazy).towards(of(&rich), 2.0 * gamma_exponent);
            cells(between(|e| e.start), between(|e| e.multiplier), between(|e| e.sgd), between(|e| e.adam))
        }
    }
}

/// Exponents of `l = depth/base_depth`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DepthExponents {
    /// Of the factor on residual branches.
    pub branch: f64,
    /// Of learning rates within branches.
    pub sgd: f64,
    pub adam: f64,
}

pub fn depth_exponents(parametrization: Parametrization) -> DepthExponents {
    match parametrization {
        Parametrization::Standard | Parametrization::Ntk | Parametrization::Mup | Parametrization::GammaPower => {
            DepthExponents { branch: 0.0, sgd: 0.0, adam: 0.0 }
        }
        Parametrization::DepthMup => DepthExponents { branch: -0.5, sgd: 0.0, adam: -0.5 },
        Parametrization::DepthInverse => DepthExponents { branch: -1.0, sgd: 1.0, adam: 0.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's table, for theta ~ N(0, 1) at base width 1 (so m = N): with gamma = gamma0 sqrt(N),
    /// rates of theta are eta gamma^2 everywhere for SGD, and 1, N^-1/2, 1 times eta for Adam.
    #[test]
    fn at_base_width_one_it_is_the_table_of_the_paper() {
        let (n, gamma0) = (256.0_f64, 0.7_f64);
        let gamma = gamma0 * n.sqrt();
        let cases = [
            (Row::Input, 1.0, 1.0),
            (Row::Hidden, n.powf(-0.5), n.powf(-0.5)),
            (Row::Output, n.powf(-0.5) / gamma, 1.0),
        ];
        for (row, multiplier, adam) in cases {
            let e = exponents(Parametrization::Mup, 0.0, row);
            let c = e.multiplier.at(n, gamma0);
            assert!((c - multiplier).abs() < 1e-14, "{row:?} {c}");
            let theta = e.sgd.at(n, gamma0) / (c * c);
            assert!((theta / (gamma * gamma) - 1.0).abs() < 1e-13, "{row:?} {theta}");
            assert!((e.adam.at(n, gamma0) / c / adam - 1.0).abs() < 1e-13, "{row:?}");
        }
        // NTK: rates of theta don't depend on the width.
        for row in [Row::Input, Row::Hidden, Row::Output, Row::Bias] {
            let e = exponents(Parametrization::Ntk, 0.0, row);
            let c = e.multiplier.at(n, 1.0);
            assert!((e.sgd.at(n, 1.0) / (c * c) - 1.0).abs() < 1e-13, "{row:?}");
        }
    }

    /// The conventions of `microsoft/mup` (`optim.py`, `init.py`, `layer.py`), which are relative to base shapes, too:
    /// MuAdam divides the rates of matrices by the width multiplier; MuSGD multiplies those of vector-like tensors by it
    /// and divides those of matrices by (fan-in ratio)/(fan-out ratio); MuReadout divides by the multiplier in the forward
    /// pass, so its absorbed rates are 1/m of its own for Adam and 1/m^2 for SGD, and it counts as vector-like.
    #[test]
    fn it_agrees_with_the_mup_package() {
        let m = 8.0_f64;
        for row in [Row::Input, Row::Embedding, Row::Position, Row::Bias, Row::Gain] {
            let e = exponents(Parametrization::Mup, 0.0, row);
            assert_eq!((e.start.at(m, 1.0), e.sgd.at(m, 1.0), e.adam.at(m, 1.0)), (1.0, m, 1.0), "{row:?}");
        }
        let hidden = exponents(Parametrization::Mup, 0.0, Row::Hidden);
        assert_eq!((hidden.sgd.at(m, 1.0), hidden.adam.at(m, 1.0)), (1.0, 1.0 / m));
        let output = exponents(Parametrization::Mup, 0.0, Row::Output);
        assert_eq!(output.multiplier.at(m, 1.0), 1.0 / m);
        assert_eq!((output.sgd.at(m, 1.0), output.adam.at(m, 1.0)), (m / (m * m), 1.0 / m));
    }

    /// With gamma = gamma0 N^a, for theta with multipliers as in NTK and the outputs divided by gamma: SGD's rates of theta
    /// are eta gamma^2 everywhere, and the ends are the two parametrisations.
    #[test]
    fn between_ntk_and_mup_the_rates_are_gamma_squared() {
        let (n, gamma0) = (64.0_f64, 0.7_f64);
        for a in [0.0, 0.2, 0.35, 0.5] {
            let gamma = gamma0 * n.powf(a);
            let outputs = n.powf(-0.5) / gamma;
            for (row, multiplier) in [(Row::Input, 1.0), (Row::Hidden, n.powf(-0.5)), (Row::Output, outputs)] {
                let e = exponents(Parametrization::GammaPower, a, row);
                let c = e.multiplier.at(n, gamma0);
                assert!((c / multiplier - 1.0).abs() < 1e-13, "{a} {row:?} {c}");
                assert!((e.sgd.at(n, gamma0) / (c * c) / (gamma * gamma) - 1.0).abs() < 1e-12, "{a} {row:?}");
            }
        }
        for row in Row::ALL {
            let at = |a| exponents(Parametrization::GammaPower, a, row);
            assert_eq!(at(0.0), exponents(Parametrization::Ntk, 0.0, row), "{row:?}");
            assert_eq!(at(0.5), exponents(Parametrization::Mup, 0.0, row), "{row:?}");
        }
    }

    /// Over L branches an update of a tensor in each moves the stream by L branch lr dL/dW, coherently, with
    /// dL/dW proportional to the branch for SGD: the sum must not depend on L.
    #[test]
    fn the_sum_of_all_branches_updates_does_not_depend_on_depth() {
        for parametrization in [Parametrization::DepthMup, Parametrization::DepthInverse] {
            let e = depth_exponents(parametrization);
            assert_eq!(1.0 + 2.0 * e.branch + e.sgd, 0.0, "{parametrization:?}, SGD");
            assert_eq!(1.0 + e.branch + e.adam, 0.0, "{parametrization:?}, Adam");
        }
    }
}
