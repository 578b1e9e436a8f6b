//! Softmax cross-entropy.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, DType, Layout, Result, Shape, Tensor};

use super::float::{Float, by_float, output, slice, wide};

/// `sum_r w_r (logsumexp_c(z_rc) - z_r,label)`, a scalar, with `z = inverse_temperature logits`; logits `[R, C]`,
/// labels `[R]` u32 below C, weights `[R]` floating.
///
/// # Errors
/// Whatever candle says of shapes and the device; a label that isn't below C.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, weights: &Tensor, inverse_temperature: f64) -> Result<Tensor> {
    if !logits.device().is_cpu() {
        return composed(logits, labels, weights, inverse_temperature);
    }
    let (rows, classes) = logits.dims2()?;
    let labels = labels.to_vec1::<u32>()?;
    if labels.len() != rows || weights.elem_count() != rows {
        candle_core::bail!("{rows} rows of logits have {} labels and {} weights", labels.len(), weights.elem_count());
    }
    if let Some(label) = labels.iter().find(|&&label| label as usize >= classes) {
        candle_core::bail!("label {label} isn't one of {classes} classes");
    }
    let weights = weights.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let op = CrossEntropy { graded: std::sync::Arc::new(Graded { labels, weights, inverse_temperature }) };
    logits.contiguous()?.apply_op1(op)
}

/// [`cross_entropy`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(logits: &Tensor, labels: &Tensor, weights: &Tensor, inverse_temperature: f64) -> Result<Tensor> {
    let z = (logits * inverse_temperature)?;
    let largest = z.detach().max_keepdim(D::Minus1)?;
    let shifted = z.broadcast_sub(&largest)?;
    let normalizer = shifted.exp()?.sum(D::Minus1)?.log()?;
    // A product with the one-hot rows, as candle's gather has no second derivative under nonlinear functions.
    let chosen = (shifted * one_hot(labels, logits.dim(1)?, logits)?)?.sum(D::Minus1)?;
    ((normalizer - chosen)? * weights)?.sum_all()
}

/// `[R, C]`: 1 at each row's label, else 0, in the type and on the device of `like`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn one_hot(labels: &Tensor, classes: usize, like: &Tensor) -> Result<Tensor> {
    let columns = Tensor::arange(0u32, classes as u32, labels.device())?;
    labels.unsqueeze(1)?.broadcast_eq(&columns.unsqueeze(0)?)?.to_dtype(like.dtype())
}

/// What outputs are compared with: constants of the operations below.
struct Graded {
    labels: Vec<u32>,
    weights: Vec<f64>,
    inverse_temperature: f64,
}

#[derive(Clone)]
struct CrossEntropy {
    graded: std::sync::Arc<Graded>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(graded: &Graded, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
            let classes = xl.dims()[1];
            let mut p = scaled(slice::<T>(x, xl)?, T::of(graded.inverse_temperature));
            let normalizers = softmax(&mut p, classes);
            let mut total = 0.0;
            for (r, (&label, &w)) in graded.labels.iter().zip(&graded.weights).enumerate() {
                // Of an ungraded row not even a NaN counts.
                if w != 0.0 {
                    let z = slice::<T>(x, xl)?[r * classes + label as usize].wide() * graded.inverse_temperature;
                    total += w * (normalizers[r] - z);
                }
            }
            output(vec![T::of(total)], ())
        }
        by_float!(x, run(&self.graded, x, xl))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        x.apply_op1(Gradient { graded: self.graded.clone() })?.broadcast_mul(g).map(Some)
    }
}

/// `w_r (p_rc - [c = label_r]) / temperature`, `[R, C]`, with `p` the softmax.
struct Gradient {
    graded: std::sync::Arc<Graded>,
}

impl CustomOp1 for Gradient {
    fn name(&self) -> &'static str {
        "cross-entropy, backward"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(graded: &Graded, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
            let classes = xl.dims()[1];
            let mut p = scaled(slice::<T>(x, xl)?, T::of(graded.inverse_temperature));
            softmax(&mut p, classes);
            for ((row, &label), &w) in p.chunks_exact_mut(classes).zip(&graded.labels).zip(&graded.weights) {
                row[label as usize] -= T::one();
                let factor = T::of(w * graded.inverse_temperature);
                for p in row {
                    *p *= factor;
                }
            }
            output(p, xl.shape().clone())
        }
        by_float!(x, run(&self.graded, x, xl))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, u: &Tensor) -> Result<Option<Tensor>> {
        // A constant from here on: third derivatives aren't offered.
        let product = HessianProduct { graded: self.graded.clone() };
        x.detach().apply_op2_no_bwd(&u.detach().contiguous()?, &product).map(Some)
    }
}

/// `w_r p (u - <p, u>) / temperature^2` in each row: the Hessian times u.
struct HessianProduct {
    graded: std::sync::Arc<Graded>,
}

impl CustomOp2 for HessianProduct {
    fn name(&self) -> &'static str {
        "cross-entropy, Hessian product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, u: &CpuStorage, ul: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(
            graded: &Graded,
            (x, xl): (&CpuStorage, &Layout),
            (u, ul): (&CpuStorage, &Layout),
        ) -> Result<(CpuStorage, Shape)> {
            let classes = xl.dims()[1];
            let mut p = scaled(slice::<T>(x, xl)?, T::of(graded.inverse_temperature));
            softmax(&mut p, classes);
            let u = slice::<T>(u, ul)?;
            for ((p, u), &w) in p.chunks_exact_mut(classes).zip(u.chunks_exact(classes)).zip(&graded.weights) {
                let mean: T = p.iter().zip(u).map(|(&p, &u)| p * u).sum();
                let factor = T::of(w * graded.inverse_temperature * graded.inverse_temperature);
                for (p, &u) in p.iter_mut().zip(u) {
                    *p = factor * *p * (u - mean);
                }
            }
            output(p, xl.shape().clone())
        }
        by_float!(x, run(&self.graded, (x, xl), (u, ul)))
    }
}

fn scaled<T: Float>(x: &[T], factor: T) -> Vec<T> {
    x.iter().map(|&x| x * factor).collect()
}

/// Each row's softmax, in place; answers the rows' `logsumexp`.
fn softmax<T: Float>(z: &mut [T], classes: usize) -> Vec<f64> {
    z.chunks_exact_mut(classes)
        .map(|row| {
            let largest = row.iter().fold(row[0], |m, &z| if z > m { z } else { m });
            exponentials(row, largest);
            let total: T = row.iter().copied().sum();
            let share = T::one() / total;
            for p in row {
                *p *= share;
            }
            largest.wide() + total.wide().ln()
        })
        .collect()
}

wide! {
    fn exponentials[T: Float](row: &mut [T], largest: T) {
        for z in row {
            *z = (*z - largest).fast_exp();
        }
    }
}
