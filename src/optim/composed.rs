//! Updates in candle's operations: for GPUs, and the oracle of the fused pass.

use candle_core::{DType, Result, Tensor, Var};

use super::fused::Squares;
use super::rule::{Decay, Rule};

/// Updates one variable; `first` and `second` are its moments (`second` is untouched by SGD).
pub(super) fn update(
    param: &Var,
    gradient: &Tensor,
    (first, second): (&mut Tensor, Option<&mut Tensor>),
    (rule, decay): (Rule, Decay),
    measure: bool,
) -> Result<Squares> {
    let (w, raw) = (param.as_tensor().detach(), gradient.detach());
    let g = if decay.coupled == 0.0 { raw.clone() } else { (&raw + (&w * decay.coupled)?)? };
    let change = match (rule, second) {
        (Rule::Sgd { lr, momentum, nesterov }, _) => {
            *first = ((&*first * momentum)? + &g)?;
            let direction = if nesterov { (g + (&*first * momentum)?)? } else { first.clone() };
            (direction * lr)?
        }
        (Rule::Adam { step, beta1, beta2, root, epsilon }, Some(second)) => {
            *first = ((&*first * beta1)? + (&g * (1.0 - beta1))?)?;
            *second = ((&*second * beta2)? + (g.sqr()? * (1.0 - beta2))?)?;
            ((&*first * step)? / ((second.sqrt()? * root)? + epsilon)?)?
        }
        (Rule::Adam { .. }, None) => candle_core::bail!("Adam keeps second moments"),
    };
    let after = ((&w * decay.shrink)? - change)?;
    let squares = if measure {
        Squares { gradient: squared(&raw)?, params: squared(&w)?, update: squared(&(&w - &after)?)? }
    } else {
        Squares::default()
    };
    param.set(&after)?;
    Ok(squares)
}

fn squared(tensor: &Tensor) -> Result<f64> {
    // Metal has no f64.
    let sum = tensor.sqr()?.sum_all()?;
    if sum.dtype() == DType::F64 {
        sum.to_scalar()
    } else {
        Ok(f64::from(sum.to_dtype(DType::F32)?.to_scalar::<f32>()?))
    }
}
