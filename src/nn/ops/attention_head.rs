//! One head of attention on one sequence, and its derivatives.
//!
//! With s = 1/sqrt(d): `S = s Q K'`, `P = softmax(S)` by rows, `O = P V`. Backward, from `G = dO`:
//! `dV = P' G`, `dP = G V'`, `dS = P (dP - rowsum(dP P))`, `dQ = s dS K`, `dK = s dS' Q` (products without a dot are
//! elementwise). Twice backward: see [`Head::backward_twice`].

use super::attention::Heads;
use super::float::{Float, wide};
use super::small_product::{Strides, multiply, padded};

/// Where a head's numbers are in `[B T, 3 D]` and `[B T, D]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    tokens: usize,
    d_head: usize,
    width: usize,
    /// First row of the sequence.
    row: usize,
    /// First column of the head among the D.
    column: usize,
    causal: bool,
}

/// Room for the matrices of one head. Tokens and channels are padded to whole lanes, with zeros.
pub(super) struct Scratch<T> {
    /// `[T, d]`
    narrow: Vec<Vec<T>>,
    /// `[d, T]`
    flat: Vec<Vec<T>>,
    /// `[T, T]`
    square: Vec<Vec<T>>,
}

impl<T: Float> Scratch<T> {
    pub fn new(tokens: usize, d_head: usize) -> Self {
        let (t, d) = (padded(tokens), padded(d_head));
        let room = |n: usize, size: usize| vec![vec![T::zero(); size]; n];
        Self { narrow: room(9, tokens * d), flat: room(5, d * t), square: room(5, tokens * t) }
    }
}

impl Head {
    /// All heads of all sequences, for tokens of `width` channels.
    pub fn all(heads: Heads, width: usize) -> impl Iterator<Item = Self> {
        let Heads { sequences, tokens, count, causal } = heads;
        let d_head = width / count;
        (0..sequences).flat_map(move |sequence| {
            (0..count).map(move |head| Self {
                tokens,
                d_head,
                width,
                row: sequence * tokens,
                column: head * d_head,
                causal,
            })
        })
    }

    fn scale<T: Float>(&self) -> T {
        T::of((self.d_head as f64).sqrt().recip())
    }

    /// Copies the head's columns of part `part` of rows of `parts D` numbers.
    fn load<T: Float>(&self, to: &mut [T], from: &[T], part: usize, parts: usize) {
        let start = self.row * parts * self.width + part * self.width + self.column;
        let d = padded(self.d_head);
        for (t, to) in to.chunks_exact_mut(d).enumerate() {
            let at = start + t * parts * self.width;
            to[..self.d_head].copy_from_slice(&from[at..at + self.d_head]);
        }
    }

    /// The inverse of [`Self::load`].
    fn store<T: Float>(&self, to: &mut [T], from: &[T], part: usize, parts: usize) {
        let start = self.row * parts * self.width + part * self.width + self.column;
        for (t, from) in from.chunks_exact(padded(self.d_head)).enumerate() {
            let at = start + t * parts * self.width;
            to[at..at + self.d_head].copy_from_slice(&from[..self.d_head]);
        }
    }

    /// `[T, d]` to `[d, T]`.
    fn transpose<T: Float>(&self, to: &mut [T], from: &[T]) {
        let (t, d) = (padded(self.tokens), padded(self.d_head));
        for (i, row) in from.chunks_exact(d).enumerate() {
            for (j, &x) in row[..self.d_head].iter().enumerate() {
                to[j * t + i] = x;
            }
        }
    }

    /// `square <- factor A B` for A `[T, d]` and B `[d, T]`.
    fn outer<T: Float>(&self, square: &mut [T], a: &[T], b: &[T], factor: T, add: bool) {
        multiply(square, a, Strides::rows(padded(self.d_head)), b, [self.d_head, padded(self.tokens)], factor, add);
    }

    /// `narrow <- factor A B`, or `A' B`, for A `[T, T]` and B `[T, d]`.
    fn mix<T: Float>(&self, narrow: &mut [T], (a, transposed): (&[T], bool), b: &[T], factor: T, add: bool) {
        let t = padded(self.tokens);
        let strides = if transposed { Strides::transposed(t) } else { Strides::rows(t) };
        multiply(narrow, a, strides, b, [self.tokens, padded(self.d_head)], factor, add);
    }

    /// P from Q and K'.
    fn attend<T: Float>(&self, p: &mut [T], q: &[T], k_flat: &[T]) {
        self.outer(p, q, k_flat, self.scale(), false);
        softmax(p, self.tokens, self.causal);
    }

    pub fn forward<T: Float>(self, scratch: &mut Scratch<T>, qkv: &[T], mixed: &mut [T]) {
        let ([q, k, v, o, ..], [kt, ..], [p, ..]) =
            (&mut scratch.narrow[..], &mut scratch.flat[..], &mut scratch.square[..])
        else {
            unreachable!("scratch has room for them")
        };
        self.load(q, qkv, 0, 3);
        self.load(k, qkv, 1, 3);
        self.load(v, qkv, 2, 3);
        self.transpose(kt, k);
        self.attend(p, q, kt);
        self.mix(o, (p, false), v, T::one(), false);
        self.store(mixed, o, 0, 1);
    }

    pub fn backward<T: Float>(self, scratch: &mut Scratch<T>, qkv: &[T], g: &[T], gradient: &mut [T]) {
        let ([q, k, v, o, out, ..], [kt, vt, ..], [p, ds, ..]) =
            (&mut scratch.narrow[..], &mut scratch.flat[..], &mut scratch.square[..])
        else {
            unreachable!("scratch has room for them")
        };
        self.load(q, qkv, 0, 3);
        self.load(k, qkv, 1, 3);
        self.load(v, qkv, 2, 3);
        self.load(o, g, 0, 1);
        self.transpose(kt, k);
        self.transpose(vt, v);
        self.attend(p, q, kt);
        self.mix(out, (p, true), o, T::one(), false);
        self.store(gradient, out, 2, 3);
        self.outer(ds, o, vt, T::one(), false);
        softmax_back(ds, p, self.tokens);
        self.mix(out, (ds, false), k, self.scale(), false);
        self.store(gradient, out, 0, 3);
        self.mix(out, (ds, true), q, self.scale(), false);
        self.store(gradient, out, 1, 3);
    }

    /// Of `f = <a, dQ> + <b, dK> + <c, dV>` with u = (a, b, c), the gradients for Q, K, V and G:
    /// with `W = s (a K' + Q b')`, `omega = rowsum(W P)`, `delta = rowsum(dP P)`, `Y = P (W - omega)`,
    /// `X = G c' + W (dP - delta) - omega dP` and `Z = P (X - rowsum(X P))`:
    /// `fQ = s (Z K + dS b)`, `fK = s (Z' Q + dS' a)`, `fV = Y' G`, `fG = P c + Y V`.
    pub fn backward_twice<T: Float>(
        self,
        scratch: &mut Scratch<T>,
        (qkv, g, u): (&[T], &[T], &[T]),
        to_qkv: &mut [T],
        to_g: &mut [T],
    ) {
        let ([q, k, v, o, a, b, c, out, ..], [kt, vt, bt, ct, ..], [p, dp, ds, w, x]) =
            (&mut scratch.narrow[..], &mut scratch.flat[..], &mut scratch.square[..])
        else {
            unreachable!("scratch has room for them")
        };
        for (part, [to, from]) in [[&mut *q, &mut *a], [&mut *k, &mut *b], [&mut *v, &mut *c]].into_iter().enumerate() {
            self.load(to, qkv, part, 3);
            self.load(from, u, part, 3);
        }
        self.load(o, g, 0, 1);
        for (to, from) in [(&mut *kt, &*k), (&mut *vt, &*v), (&mut *bt, &*b), (&mut *ct, &*c)] {
            self.transpose(to, from);
        }
        let s = self.scale();
        self.attend(p, q, kt);
        self.outer(dp, o, vt, T::one(), false);
        ds.copy_from_slice(dp);
        softmax_back(ds, p, self.tokens);
        self.outer(w, a, kt, s, false);
        self.outer(w, q, bt, s, true);
        self.outer(x, o, ct, T::one(), false);
        twice_back(x, dp, w, p, self.tokens);
        softmax_back(x, p, self.tokens); // Z
        softmax_back(w, p, self.tokens); // Y

        self.mix(out, (x, false), k, s, false);
        self.mix(out, (ds, false), b, s, true);
        self.store(to_qkv, out, 0, 3);
        self.mix(out, (x, true), q, s, false);
        self.mix(out, (ds, true), a, s, true);
        self.store(to_qkv, out, 1, 3);
        self.mix(out, (w, true), o, T::one(), false);
        self.store(to_qkv, out, 2, 3);
        self.mix(out, (p, false), c, T::one(), false);
        self.mix(out, (w, false), v, T::one(), true);
        self.store(to_g, out, 0, 1);
    }
}

wide! {
    /// Each row's softmax over its first T entries, in place; over those up to the diagonal if causal. Others become 0.
    fn softmax[T: Float](square: &mut [T], tokens: usize, causal: bool) {
        let pitch = square.len() / tokens;
        for (i, row) in square.chunks_exact_mut(pitch).enumerate() {
            let seen = if causal { i + 1 } else { tokens };
            let (row, hidden) = row.split_at_mut(seen);
            let mut largest = row[0];
            for &x in &*row {
                largest = if x > largest { x } else { largest };
            }
            for x in row.iter_mut() {
                *x = (*x - largest).fast_exp();
            }
            let total: T = row.iter().copied().sum();
            let share = T::one() / total;
            for x in row {
                *x *= share;
            }
            hidden.fill(T::zero());
        }
    }
}

wide! {
    /// `d <- P (d - rowsum(d P))`, in place.
    fn softmax_back[T: Float](d: &mut [T], p: &[T], tokens: usize) {
        let pitch = p.len() / tokens;
        for (d, p) in d.chunks_exact_mut(pitch).zip(p.chunks_exact(pitch)) {
            let delta: T = d.iter().zip(p).map(|(&d, &p)| d * p).sum();
            for (d, &p) in d.iter_mut().zip(p) {
                *d = p * (*d - delta);
            }
        }
    }
}

wide! {
    /// `x <- x + W (dP - delta) - omega dP`, in place.
    fn twice_back[T: Float](x: &mut [T], dp: &[T], w: &[T], p: &[T], tokens: usize) {
        let pitch = p.len() / tokens;
        for row in 0..tokens {
            let here = row * pitch..(row + 1) * pitch;
            let (x, dp, w, p) = (&mut x[here.clone()], &dp[here.clone()], &w[here.clone()], &p[here]);
            let delta: T = dp.iter().zip(p).map(|(&d, &p)| d * p).sum();
            let omega: T = w.iter().zip(p).map(|(&w, &p)| w * p).sum();
            for (((x, &dp), &w), _) in x.iter_mut().zip(dp).zip(w).zip(p) {
                *x += w * (dp - delta) - omega * dp;
            }
        }
    }
}
