//! Norms of gradients, and the factor that keeps them within a limit.

use candle_core::{DType, Result, Storage, Tensor};

use crate::nn::ops::float::{Float, slice};

/// Sum of the squares of a tensor's numbers; on the CPU summed in f64.
pub(super) fn squared(tensor: &Tensor) -> Result<f64> {
    if tensor.device().is_cpu() {
        let tensor = tensor.contiguous()?;
        let (storage, layout) = tensor.storage_and_layout();
        if let Storage::Cpu(numbers) = &*storage {
            return match tensor.dtype() {
                DType::F64 => Ok(sum_of_squares(slice::<f64>(numbers, layout)?)),
                _ => Ok(sum_of_squares(slice::<f32>(numbers, layout)?)),
            };
        }
    }
    // Metal has no f64.
    let sum = tensor.sqr()?.sum_all()?;
    if sum.dtype() == DType::F64 {
        sum.to_scalar()
    } else {
        Ok(f64::from(sum.to_dtype(DType::F32)?.to_scalar::<f32>()?))
    }
}

pub(super) fn sum_of_squares<T: Float>(values: &[T]) -> f64 {
    values.iter().map(|value| value.wide() * value.wide()).sum()
}

/// Euclidean norm of all tensors together.
pub(super) fn global_norm(tensors: &[Tensor]) -> Result<f64> {
    let mut sum = 0.0;
    for tensor in tensors {
        sum += squared(tensor)?;
    }
    Ok(sum.sqrt())
}

/// `min(1, limit / (|g| + 1e-6))` with the norm over all tensors (Pascanu et al. 2013; the constant is that of PyTorch's
/// `clip_grad_norm_`); 1 where the limit is 0.
pub(super) fn clip_factor(limit: f64, gradients: &[Tensor]) -> Result<f64> {
    if limit == 0.0 { Ok(1.0) } else { Ok((limit / (global_norm(gradients)? + 1e-6)).min(1.0)) }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_limit_holds_for_all_tensors_together_and_spares_short_gradients() {
        let tensor = |x: &[f32]| Tensor::new(x, &Device::Cpu).unwrap();
        let gradients = [tensor(&[3.0, 0.0]), tensor(&[4.0])];
        assert_eq!(global_norm(&gradients).unwrap(), 5.0);
        assert!((clip_factor(1.0, &gradients).unwrap() - 0.2).abs() < 1e-7);
        assert_eq!(clip_factor(6.0, &gradients).unwrap(), 1.0);
        assert_eq!(clip_factor(0.0, &gradients).unwrap(), 1.0);
    }

    #[test]
    fn a_view_is_measured_by_what_it_shows() {
        let t = Tensor::new(&[[1.0_f64, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap();
        assert_eq!(squared(&t.narrow(1, 1, 1).unwrap()).unwrap(), 20.0);
        assert_eq!(squared(&t.t().unwrap()).unwrap(), 30.0);
    }
}
