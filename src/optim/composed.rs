//! Updates in candle's operations: for GPUs, for matrices, and the oracle of the fused pass.

use candle_core::{Result, Tensor, Var};

use super::fused::Squares;
use super::norms::squared;
use super::rule::{Handling, Rule};

/// Updates one variable; `first` and `second` are its moments (`second` is untouched by SGD).
pub(super) fn update(
    param: &Var,
    gradient: &Tensor,
    (first, second): (&mut Tensor, Option<&mut Tensor>),
    (rule, handling): (Rule, Handling),
    measure: bool,
) -> Result<Squares> {
    let g = seen(param, gradient, handling)?;
    let change = match (rule, second) {
        (Rule::Sgd { lr, momentum, nesterov }, _) => {
            *first = ((&*first * momentum)? + &g)?;
            let direction = if nesterov { (g + (&*first * momentum)?)? } else { first.clone() };
            (direction * lr)?
        }
        (Rule::Adam { step, beta1, beta2, root, epsilon }, Some(second)) => {
            *first = average(first, &g, beta1)?;
            *second = average(second, &g.sqr()?, beta2)?;
            ((&*first * step)? / ((second.sqrt()? * root)? + epsilon)?)?
        }
        (Rule::RmsProp { lr, momentum, beta2, epsilon }, Some(second)) => {
            *second = average(second, &g.sqr()?, beta2)?;
            *first = ((&*first * momentum)? + (g / (second.sqrt()? + epsilon)?)?)?;
            (&*first * lr)?
        }
        (Rule::Adam { .. } | Rule::RmsProp { .. }, None) => {
            candle_core::bail!("adaptive optimisers keep second moments")
        }
    };
    apply(param, gradient, Some(change), handling, measure)
}

/// The gradient as the moments see it: detached, clipped, with coupled decay.
pub(super) fn seen(param: &Var, gradient: &Tensor, handling: Handling) -> Result<Tensor> {
    let mut g = gradient.detach();
    if handling.clip != 1.0 {
        g = (g * handling.clip)?;
    }
    if handling.coupled == 0.0 { Ok(g) } else { g + (param.as_detached_tensor() * handling.coupled)? }
}

/// `w <- shrink w - change`; without a change, nothing moves.
pub(super) fn apply(
    param: &Var,
    gradient: &Tensor,
    change: Option<Tensor>,
    handling: Handling,
    measure: bool,
) -> Result<Squares> {
    let w = param.as_detached_tensor();
    let after = match change {
        Some(change) => ((&w * handling.shrink)? - change)?,
        None => w.copy()?,
    };
    let squares = if measure {
        Squares { gradient: squared(gradient)?, params: squared(&w)?, update: squared(&(&w - &after)?)? }
    } else {
        Squares::default()
    };
    param.set(&after)?;
    Ok(squares)
}

/// `beta old + (1 - beta) new`
pub(super) fn average(old: &Tensor, new: &Tensor, beta: f64) -> Result<Tensor> {
    (old * beta)? + (new * (1.0 - beta))?
}
