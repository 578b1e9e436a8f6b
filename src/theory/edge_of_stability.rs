//! The sharpness above which an optimiser with a fixed learning rate is unstable.
//!
//! On a quadratic each eigenvector of the Hessian evolves by itself, so that one number is enough:
//! `w <- w - lr h w` and its relatives with momentum are linear recursions, stable while the roots of their
//! characteristic polynomials stay within the unit circle. Cohen et al. 2021 (arXiv:2103.00065, equation 1 and
//! appendix B) saw full-batch training settle at these lines.

/// Largest stable sharpness of `w <- w - lr g`: `2 / lr`.
pub fn gradient_descent_threshold(lr: f64) -> f64 {
    2.0 / lr
}

/// Largest stable sharpness of `m <- beta m + g; w <- w - lr m` (Polyak's heavy ball): `2 (1 + beta) / lr`.
///
/// From `z^2 - (1 + beta - lr h) z + beta`, whose root leaves the circle at -1. It is also the largest stable sharpness of
/// the *preconditioned* Hessian under RMSprop, whose momentum is this one, with its preconditioner held fixed.
pub fn heavy_ball_threshold(lr: f64, momentum: f64) -> f64 {
    2.0 * (1.0 + momentum) / lr
}

/// Largest stable sharpness of `m <- beta m + g; w <- w - lr (g + beta m)`: `2 (1 + beta) / ((1 + 2 beta) lr)`.
///
/// From `z^2 - (1 + beta)(1 - lr h) z + beta (1 - lr h)`, whose root leaves the circle at -1.
pub fn nesterov_threshold(lr: f64, momentum: f64) -> f64 {
    2.0 * (1.0 + momentum) / ((1.0 + 2.0 * momentum) * lr)
}

/// Largest stable sharpness *of the preconditioned Hessian* `P^-1/2 H P^-1/2` under Adam with its preconditioner P held
/// fixed: `2 (1 + beta1) / ((1 - beta1) lr)`, 38/lr for beta1 = 0.9 (Cohen et al. 2022, arXiv:2207.14484, section 2).
///
/// It says nothing about the largest eigenvalue of H itself: for that, Adam has no such line.
pub fn adaptive_threshold(lr: f64, beta1: f64) -> f64 {
    2.0 * (1.0 + beta1) / ((1.0 - beta1) * lr)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an update does with a parameter `w`, its momentum and the gradient.
    type Update = fn(w: &mut f64, m: &mut f64, g: f64, lr: f64, beta: f64);

    /// |w| after many steps on `h w^2 / 2`, relative to the start.
    fn growth(update: Update, h: f64, lr: f64, beta: f64) -> f64 {
        let (mut w, mut m) = (1.0, 0.0);
        for _ in 0..20_000 {
            let g = h * w;
            update(&mut w, &mut m, g, lr, beta);
            if w.abs() > 1e6 {
                break;
            }
        }
        w.abs()
    }

    #[track_caller]
    fn check(update: Update, threshold: impl Fn(f64, f64) -> f64) {
        for lr in [0.01, 0.3] {
            for beta in [0.0, 0.5, 0.9] {
                let edge = threshold(lr, beta);
                assert!(growth(update, 0.995 * edge, lr, beta) < 1e-3, "stable below: lr {lr}, momentum {beta}");
                assert!(growth(update, 1.005 * edge, lr, beta) > 1e5, "unstable above: lr {lr}, momentum {beta}");
            }
        }
    }

    #[test]
    fn thresholds_are_where_simulated_quadratics_blow_up() {
        check(|w, _, g, lr, _| *w -= lr * g, |lr, _| gradient_descent_threshold(lr));
        check(
            |w, m, g, lr, beta| {
                *m = beta * *m + g;
                *w -= lr * *m;
            },
            heavy_ball_threshold,
        );
        check(
            |w, m, g, lr, beta| {
                *m = beta * *m + g;
                *w -= lr * (g + beta * *m);
            },
            nesterov_threshold,
        );
        // Adam's first moment is an average; preconditioner 1.
        check(
            |w, m, g, lr, beta| {
                *m = beta * *m + (1.0 - beta) * g;
                *w -= lr * *m;
            },
            adaptive_threshold,
        );
    }

    #[test]
    fn adam_with_its_usual_momentum_has_its_edge_at_38() {
        assert!((adaptive_threshold(1.0, 0.9) - 38.0).abs() < 1e-12);
    }
}
