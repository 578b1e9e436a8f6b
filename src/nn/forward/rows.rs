//! What networks do to each row by itself, rows in vector lanes: see [`super::product`].

use crate::nn::ops::{layer_norm, rms_norm};

use super::number::{Bend, Machine, Number, fused};
use super::product::GROUP;

fused! {
    /// `out <- centre + (a d + b e)`
    pub(in crate::nn) fn combine[T, FUSED](out: &mut [T], centre: &[T], d: &[T], e: &[T], site: [f64; 2]) {
        let [a, b] = site.map(T::of);
        for (((out, &w), &d), &e) in out.iter_mut().zip(centre).zip(d).zip(e) {
            *out = w + (a * d + b * e);
        }
    }
}

fused! {
    /// `h <- act(z + (a d + b e))`
    pub(in crate::nn) fn enter[T, FUSED; B: Bend](h: &mut [T], z: &[T], d: &[T], e: &[T], site: [f64; 2]) {
        let [a, b] = site.map(T::of);
        for (((h, &z), &d), &e) in h.iter_mut().zip(z).zip(d).zip(e) {
            *h = B::value::<T, FUSED>(z + (a * d + b * e));
        }
    }
}

fused! {
    /// `x <- act(x)` of the first `rows` of all channels, a multiple of 16.
    pub(in crate::nn) fn bend[T, FUSED; B: Bend](x: &mut [T], pitch: usize, rows: usize) {
        for channel in x.chunks_mut(pitch) {
            // In whole vectors: short loops of unknown length would be done number by number.
            for group in channel[..rows].chunks_exact_mut(GROUP) {
                let group: &mut [T; GROUP] = group.try_into().expect("a group");
                for x in group {
                    *x = B::value::<T, FUSED>(*x);
                }
            }
        }
    }
}

fused! {
    /// Layer normalisation of the first `rows` over the channels, [`crate::nn::ops::layer_norm`]; `rows` a multiple of 16.
    pub(super) fn layer_norm[T, FUSED](y: &mut [T], x: &[T], gain: &[T], bias: &[T], pitch: usize, rows: usize) {
        let share = T::of(1.0 / gain.len() as f64);
        for from in (0..rows).step_by(GROUP) {
            let at = |c: usize| -> &[T; GROUP] {
                x[c * pitch + from..][..GROUP].try_into().expect("a group")
            };
            let (mut mean, mut square) = ([T::zero(); GROUP], [T::zero(); GROUP]);
            for c in 0..gain.len() {
                for (sum, &x) in mean.iter_mut().zip(at(c)) {
                    *sum += x;
                }
            }
            for mean in &mut mean {
                *mean *= share;
            }
            for c in 0..gain.len() {
                for ((sum, &x), &mean) in square.iter_mut().zip(at(c)).zip(&mean) {
                    *sum = (x - mean).madd::<FUSED>(x - mean, *sum);
                }
            }
            for square in &mut square {
                *square = T::one() / square.madd::<FUSED>(share, T::of(layer_norm::EPSILON)).square_root();
            }
            for (c, (&gain, &bias)) in gain.iter().zip(bias).enumerate() {
                let y: &mut [T; GROUP] = (&mut y[c * pitch + from..][..GROUP]).try_into().expect("a group");
                for (((y, &x), &mean), &rate) in y.iter_mut().zip(at(c)).zip(&mean).zip(&square) {
                    *y = ((x - mean) * rate).madd::<FUSED>(gain, bias);
                }
            }
        }
    }
}

fused! {
    /// Root-mean-square normalisation of the first `rows` over the channels, [`crate::nn::ops::rms_norm`].
    pub(super) fn rms_norm[T, FUSED](y: &mut [T], x: &[T], gain: &[T], pitch: usize, rows: usize) {
        let share = T::of(1.0 / gain.len() as f64);
        for from in (0..rows).step_by(GROUP) {
            let at = |c: usize| -> &[T; GROUP] {
                x[c * pitch + from..][..GROUP].try_into().expect("a group")
            };
            let mut square = [T::zero(); GROUP];
            for c in 0..gain.len() {
                for (sum, &x) in square.iter_mut().zip(at(c)) {
                    *sum = x.madd::<FUSED>(x, *sum);
                }
            }
            for square in &mut square {
                *square = T::one() / square.madd::<FUSED>(share, T::of(rms_norm::EPSILON)).square_root();
            }
            for (c, &gain) in gain.iter().enumerate() {
                let y: &mut [T; GROUP] = (&mut y[c * pitch + from..][..GROUP]).try_into().expect("a group");
                for ((y, &x), &rate) in y.iter_mut().zip(at(c)).zip(&square) {
                    *y = x * rate * gain;
                }
            }
        }
    }
}

fused! {
    /// Exponentials of `factor (s - max)` over the keys of 16 queries, s `[keys, 16]`, in place, and one over their sums. With a
    /// mask, query i of the group sees keys up to `first + i`.
    pub(super) fn softmax[T, FUSED](s: &mut [T], shares: &mut [T; GROUP], factor: T, mask: Option<usize>) {
        let hidden = |key: usize| mask.map_or(0, |first| key.saturating_sub(first).min(GROUP));
        let mut largest = [T::zero(); GROUP];
        for (key, s) in s.chunks_exact_mut(GROUP).enumerate() {
            for s in s.iter_mut() {
                *s *= factor;
            }
            // Not minus infinity: a difference of two is NaN.
            s[..hidden(key)].fill(T::of(-1e30));
            for (&s, largest) in s.iter().zip(&mut largest) {
                *largest = if s > *largest || key == 0 { s } else { *largest };
            }
        }
        *shares = [T::zero(); GROUP];
        for (key, s) in s.chunks_exact_mut(GROUP).enumerate() {
            for (s, &largest) in s.iter_mut().zip(&largest) {
                *s = (*s - largest).exp::<FUSED>();
            }
            s[..hidden(key)].fill(T::zero());
            for (&s, sum) in s.iter().zip(shares.iter_mut()) {
                *sum += s;
            }
        }
        for share in shares {
            *share = T::one() / *share;
        }
    }
}

fused! {
    /// `x(c, i) <- x(c, i) factors(i)` for `channels` channels of 16 rows.
    pub(super) fn scale[T, FUSED](x: &mut [T], factors: &[T; GROUP], pitch: usize, channels: usize) {
        for c in 0..channels {
            for (x, &factor) in x[c * pitch..][..GROUP].iter_mut().zip(factors) {
                *x *= factor;
            }
        }
    }
}
