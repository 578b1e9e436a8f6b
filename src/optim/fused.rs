//! Updates on the CPU: one pass over parameters, gradient and moments, in place.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp2, Layout as Strides, Result, Tensor, bail};

use crate::nn::ops::float::{Float, slice, wide};

use super::norms::sum_of_squares;
use super::rule::{Handling, Rule};
use super::state::Values;

/// Squared norms that an update met: of the gradient, of the parameters before it, of the change.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Squares {
    pub gradient: f64,
    pub params: f64,
    pub update: f64,
}

/// Updates one tensor in place. With `measure`, the norms come for free.
pub(super) fn update(
    param: &Tensor,
    gradient: &Tensor,
    (first, second): (&mut Values, &mut Values),
    (rule, handling): (Rule, Handling),
    measure: bool,
) -> Result<Squares> {
    // The moments enter candle's in-place operation from the side: it lends only one storage for writing.
    let update =
        Update { moments: RefCell::new((first, second)), rule, handling, measure, squares: RefCell::default() };
    param.inplace_op2(&gradient.contiguous()?, &update)?;
    Ok(update.squares.into_inner())
}

struct Update<'a> {
    moments: RefCell<(&'a mut Values, &'a mut Values)>,
    rule: Rule,
    handling: Handling,
    measure: bool,
    squares: RefCell<Squares>,
}

impl InplaceOp2 for Update<'_> {
    fn name(&self) -> &'static str {
        "optimiser update"
    }

    fn cpu_fwd(&self, param: &mut CpuStorage, strides: &Strides, g: &CpuStorage, g_strides: &Strides) -> Result<()> {
        let Some((from, to)) = strides.contiguous_offsets() else { bail!("parameters are row-major") };
        let mut moments = self.moments.borrow_mut();
        let (first, second) = &mut *moments;
        let squares = match (param, first, second) {
            (CpuStorage::F32(w), Values::F32(m), Values::F32(v)) => {
                self.run(&mut w[from..to], slice(g, g_strides)?, m, v)
            }
            (CpuStorage::F64(w), Values::F64(m), Values::F64(v)) => {
                self.run(&mut w[from..to], slice(g, g_strides)?, m, v)
            }
            _ => bail!("parameters, gradient and moments must all be f32 or all f64"),
        };
        *self.squares.borrow_mut() = squares;
        Ok(())
    }
}

impl Update<'_> {
    fn run<T: Float>(&self, w: &mut [T], g: &[T], m: &mut [T], v: &mut [T]) -> Squares {
        if self.measure {
            // Chunks short enough to stay in the first-level cache between the passes.
            let mut squares = Squares::default();
            let mut before = [T::zero(); CHUNK];
            for from in (0..w.len()).step_by(CHUNK) {
                let chunk = from..(from + CHUNK).min(w.len());
                let v = if v.is_empty() { &mut v[..] } else { &mut v[chunk.clone()] };
                let (w, g) = (&mut w[chunk.clone()], &g[chunk.clone()]);
                let before = &mut before[..w.len()];
                before.copy_from_slice(w);
                squares.gradient += sum_of_squares(g);
                squares.params += sum_of_squares(before);
                self.apply(w, g, &mut m[chunk], v);
                for (before, &w) in before.iter_mut().zip(&*w) {
                    *before -= w;
                }
                squares.update += sum_of_squares(before);
            }
            squares
        } else {
            self.apply(w, g, m, v);
            Squares::default()
        }
    }

    fn apply<T: Float>(&self, w: &mut [T], g: &[T], m: &mut [T], v: &mut [T]) {
        let Handling { clip, coupled, shrink } = self.handling;
        let handling = [clip, coupled, shrink].map(T::of);
        match self.rule {
            Rule::Sgd { lr, momentum, nesterov } => {
                sgd(w, g, m, [lr, momentum].map(T::of), nesterov, handling);
            }
            Rule::Adam { step, beta1, beta2, root, epsilon } => {
                let betas = [beta1, 1.0 - beta1, beta2, 1.0 - beta2].map(T::of);
                adam(w, g, (m, v), betas, [step, root, epsilon].map(T::of), handling);
            }
            Rule::RmsProp { lr, momentum, beta2, epsilon } => {
                let betas = [beta2, 1.0 - beta2].map(T::of);
                rms_prop(w, g, (m, v), betas, [lr, momentum, epsilon].map(T::of), handling);
            }
        }
    }
}

const CHUNK: usize = 512;

wide! {
    fn sgd[T: Float](w: &mut [T], g: &[T], m: &mut [T], rule: [T; 2], nesterov: bool, handling: [T; 3]) {
        let [lr, momentum] = rule;
        for ((w, &g), m) in w.iter_mut().zip(g).zip(m) {
            let g = handling[0] * g + handling[1] * *w;
            *m = momentum * *m + g;
            let direction = if nesterov { g + momentum * *m } else { *m };
            *w = handling[2] * *w - lr * direction;
        }
    }
}

wide! {
    fn adam[T: Float](w: &mut [T], g: &[T], moments: (&mut [T], &mut [T]), betas: [T; 4], rule: [T; 3], handling: [T; 3]) {
        let ([b1, a1, b2, a2], [step, root, epsilon]) = (betas, rule);
        for (((w, &g), m), v) in w.iter_mut().zip(g).zip(moments.0).zip(moments.1) {
            let g = handling[0] * g + handling[1] * *w;
            *m = b1 * *m + a1 * g;
            *v = b2 * *v + a2 * g * g;
            *w = handling[2] * *w - step * *m / ((*v).square_root() * root + epsilon);
        }
    }
}

wide! {
    fn rms_prop[T: Float](w: &mut [T], g: &[T], moments: (&mut [T], &mut [T]), betas: [T; 2], rule: [T; 3], handling: [T; 3]) {
        let ([b2, a2], [lr, momentum, epsilon]) = (betas, rule);
        for (((w, &g), m), v) in w.iter_mut().zip(g).zip(moments.0).zip(moments.1) {
            let g = handling[0] * g + handling[1] * *w;
            *v = b2 * *v + a2 * g * g;
            *m = momentum * *m + g / ((*v).square_root() + epsilon);
            *w = handling[2] * *w - lr * *m;
        }
    }
}
