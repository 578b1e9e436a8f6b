//! Multi-head self-attention (Vaswani et al. 2017).

use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, Layout, Result, Shape, Storage, Tensor};

use super::attention_head::{Head, Scratch};
use super::float::{Float, by_float, output, slice};

/// How the rows and columns of queries, keys and values are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Sequences B.
    pub sequences: usize,
    /// Tokens T of each.
    pub tokens: usize,
    /// Heads H; each is `D / H` wide.
    pub count: usize,
    /// A token attends to itself and to earlier ones only.
    pub causal: bool,
}

/// `softmax(Q K^T / sqrt(d_head)) V` in each head; `qkv` is `[B T, 3 D]` with the columns queries, keys, values, and
/// within each the heads side by side. Answers `[B T, D]`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn attention(qkv: &Tensor, heads: Heads) -> Result<Tensor> {
    if !qkv.device().is_cpu() {
        return composed(qkv, heads);
    }
    let (rows, columns) = qkv.dims2()?;
    if rows != heads.sequences * heads.tokens || columns % (3 * heads.count) != 0 {
        candle_core::bail!("attention can't read [{rows}, {columns}] as {heads:?}");
    }
    qkv.contiguous()?.apply_op1(Attention(heads))
}

/// [`attention`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(qkv: &Tensor, heads: Heads) -> Result<Tensor> {
    let [query, key, value] = parts(qkv, heads)?;
    let scale = (query.dim(3)? as f64).sqrt().recip();
    let mut scores = (query.matmul(&key.transpose(2, 3)?.contiguous()?)? * scale)?;
    if heads.causal {
        scores = scores.broadcast_add(&causal_mask(heads.tokens, qkv)?)?;
    }
    join(&softmax(&scores)?.matmul(&value)?, heads)
}

/// Queries, keys and values, each `[B, H, T, d_head]`.
pub(super) fn parts(qkv: &Tensor, heads: Heads) -> Result<[Tensor; 3]> {
    let Heads { sequences, tokens, count, .. } = heads;
    let d_head = qkv.dim(1)? / 3 / count;
    let parts = qkv.reshape((sequences, tokens, 3, count, d_head))?.permute((2, 0, 3, 1, 4))?;
    let part = |i| -> Result<Tensor> { parts.narrow(0, i, 1)?.squeeze(0)?.contiguous() };
    Ok([part(0)?, part(1)?, part(2)?])
}

/// `[B, H, T, d_head]` to `[B T, D]`.
pub(super) fn join(mixed: &Tensor, heads: Heads) -> Result<Tensor> {
    let width = mixed.dim(1)? * mixed.dim(3)?;
    mixed.transpose(1, 2)?.contiguous()?.reshape((heads.sequences * heads.tokens, width))
}

/// `exp(x - max) / sum exp(x - max)` over the last axis.
pub(super) fn softmax(x: &Tensor) -> Result<Tensor> {
    // Constant as far as derivatives go: the softmax doesn't depend on it.
    let largest = x.detach().max_keepdim(D::Minus1)?;
    let exp = x.broadcast_sub(&largest)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}

/// `[T, T]`: 0 up to the diagonal, a large negative number above (not minus infinity: inf - inf is NaN).
pub(super) fn causal_mask(tokens: usize, like: &Tensor) -> Result<Tensor> {
    let mask: Vec<f64> = (0..tokens * tokens).map(|i| if i % tokens > i / tokens { -1e30 } else { 0.0 }).collect();
    Tensor::from_vec(mask, (tokens, tokens), like.device())?.to_dtype(like.dtype())
}

struct Attention(Heads);

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(heads: Heads, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
            let (rows, columns) = xl.shape().dims2()?;
            let (qkv, width) = (slice::<T>(x, xl)?, columns / 3);
            let mut mixed = vec![T::zero(); rows * width];
            let mut scratch = Scratch::new(heads.tokens, width / heads.count);
            for head in Head::all(heads, width) {
                head.forward(&mut scratch, qkv, &mut mixed);
            }
            output(mixed, (rows, width))
        }
        by_float!(x, run(self.0, x, xl))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(x.apply_op2(&g.contiguous()?, Backward(self.0))?))
    }
}

/// The gradient for the queries, keys and values, `[B T, 3 D]`, of them and of the outputs' gradient.
struct Backward(Heads);

impl CustomOp2 for Backward {
    fn name(&self) -> &'static str {
        "attention, backward"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, g: &CpuStorage, gl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(
            heads: Heads,
            (x, xl): (&CpuStorage, &Layout),
            (g, gl): (&CpuStorage, &Layout),
        ) -> Result<(CpuStorage, Shape)> {
            let width = xl.dims()[1] / 3;
            let (qkv, g) = (slice::<T>(x, xl)?, slice::<T>(g, gl)?);
            let mut gradient = vec![T::zero(); qkv.len()];
            let mut scratch = Scratch::new(heads.tokens, width / heads.count);
            for head in Head::all(heads, width) {
                head.backward(&mut scratch, qkv, g, &mut gradient);
            }
            output(gradient, xl.shape().clone())
        }
        by_float!(x, run(self.0, (x, xl), (g, gl)))
    }

    fn bwd(&self, x: &Tensor, g: &Tensor, _: &Tensor, u: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let op = Twice { heads: self.0, u: u.detach().contiguous()? };
        // Constants from here on: third derivatives aren't offered.
        let packed = x.detach().apply_op2_no_bwd(&g.detach(), &op)?;
        let (n, m) = (x.elem_count(), g.elem_count());
        let to_x = if x.track_op() { Some(packed.narrow(0, 0, n)?.reshape(x.shape())?) } else { None };
        let to_g = if g.track_op() { Some(packed.narrow(0, n, m)?.reshape(g.shape())?) } else { None };
        Ok((to_x, to_g))
    }
}

/// The gradient of `<u, Backward(x, g)>` for x and g, one after the other.
struct Twice {
    heads: Heads,
    /// `[B T, 3 D]`
    u: Tensor,
}

impl CustomOp2 for Twice {
    fn name(&self) -> &'static str {
        "attention, twice backward"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, g: &CpuStorage, gl: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(
            op: &Twice,
            (x, xl): (&CpuStorage, &Layout),
            (g, gl): (&CpuStorage, &Layout),
        ) -> Result<(CpuStorage, Shape)> {
            let width = xl.dims()[1] / 3;
            let (qkv, g) = (slice::<T>(x, xl)?, slice::<T>(g, gl)?);
            let (storage, layout) = op.u.storage_and_layout();
            let Storage::Cpu(storage) = &*storage else { candle_core::bail!("u is on the CPU") };
            let u = slice::<T>(storage, layout)?;
            let mut packed = vec![T::zero(); qkv.len() + g.len()];
            let (to_x, to_g) = packed.split_at_mut(qkv.len());
            let mut scratch = Scratch::new(op.heads.tokens, width / op.heads.count);
            for head in Head::all(op.heads, width) {
                head.backward_twice(&mut scratch, (qkv, g, u), to_x, to_g);
            }
            let len = packed.len();
            output(packed, len)
        }
        by_float!(x, run(self, (x, xl), (g, gl)))
    }
}
