//! Products of matrices, on one core.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::float::{Float, by_float, output, slice};

/// Which factor of a product is transposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transposed {
    /// `A B`
    Neither,
    /// `A' B`
    Left,
    /// `A B'`
    Right,
}

/// The product of two matrices. On the CPU it runs on the calling thread alone: cores share the batch instead
/// (see [`crate::nn::parts`]), which scales better and keeps the bits.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn product(a: &Tensor, b: &Tensor, transposed: Transposed) -> Result<Tensor> {
    if !a.device().is_cpu() {
        return composed(a, b, transposed);
    }
    a.contiguous()?.apply_op2(&b.contiguous()?, Product(transposed))
}

/// [`product`] in candle's operations.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn composed(a: &Tensor, b: &Tensor, transposed: Transposed) -> Result<Tensor> {
    match transposed {
        Transposed::Neither => a.matmul(b),
        Transposed::Left => a.t()?.contiguous()?.matmul(b),
        Transposed::Right => a.matmul(&b.t()?.contiguous()?),
    }
}

struct Product(Transposed);

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(&self, a: &CpuStorage, al: &Layout, b: &CpuStorage, bl: &Layout) -> Result<(CpuStorage, Shape)> {
        by_float!(a, run((a, al), (b, bl), self.0))
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, _: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        use Transposed::{Left, Neither, Right};
        let (to_a, to_b) = match self.0 {
            Neither => ((g, b, Right), (a, g, Left)),
            Left => ((b, g, Right), (a, g, Neither)),
            Right => ((g, b, Neither), (g, a, Left)),
        };
        // A constant, such as the inputs of the first layer, needs no gradient.
        let if_tracked = |x: &Tensor, (l, r, t): (&Tensor, &Tensor, Transposed)| {
            if x.track_op() { product(l, r, t).map(Some) } else { Ok(None) }
        };
        Ok((if_tracked(a, to_a)?, if_tracked(b, to_b)?))
    }
}

fn run<T: Float>(
    (a, al): (&CpuStorage, &Layout),
    (b, bl): (&CpuStorage, &Layout),
    transposed: Transposed,
) -> Result<(CpuStorage, Shape)> {
    let ((ar, ac), (br, bc)) = (al.shape().dims2()?, bl.shape().dims2()?);
    let (m, k, inner, n) = match transposed {
        Transposed::Neither => (ar, ac, br, bc),
        Transposed::Left => (ac, ar, br, bc),
        Transposed::Right => (ar, ac, bc, br),
    };
    if k != inner {
        candle_core::bail!(
            "a product needs matching shapes, not [{ar}, {ac}] and [{br}, {bc}] ({transposed:?} transposed)"
        );
    }
    let mut c = vec![T::zero(); m * n];
    let (a, b) = (slice::<T>(a, al)?, slice::<T>(b, bl)?);
    multiply(&mut c, a, b, [m, k, n], transposed, false);
    output(c, (m, n))
}

/// `c <- op(A) op(B)`, or `c <- c + op(A) op(B)`; all row-major, `op(A)` `[m, k]`, `op(B)` `[k, n]`, c `[m, n]`.
pub(in crate::nn) fn multiply<T: Float>(
    c: &mut [T],
    a: &[T],
    b: &[T],
    [m, k, n]: [usize; 3],
    transposed: Transposed,
    accumulate: bool,
) {
    assert!(a.len() == m * k && b.len() == k * n && c.len() == m * n, "a product's slices have its shapes");
    let (a_row, a_column) = if transposed == Transposed::Left { (1, m) } else { (k, 1) };
    let (b_row, b_column) = if transposed == Transposed::Right { (1, k) } else { (n, 1) };
    // SAFETY: the strides stay within the slices, whose lengths were checked; c overlaps neither.
    #[allow(unsafe_code, reason = "`gemm` takes pointers")]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.as_ptr(),
            a_column as isize,
            a_row as isize,
            b.as_ptr(),
            b_column as isize,
            b_row as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
