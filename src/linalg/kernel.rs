//! Kernels on the same examples compared: alignment, distance, and linear CKA of features.

use super::operator::Dense;
use super::vectors::{dot, norm};

/// Whether the mean is taken off first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Centring {
    /// Kernels as they are (Cristianini et al. 2001; "kernel distance" of Fort et al. 2020).
    Uncentred,
    /// `H K H` with `H = 1 - 11'/N`, as of features with their mean taken off (Cortes, Mohri and Rostamizadeh 2012).
    Centred,
}

/// `<A, B>_F / (|A|_F |B|_F)` of symmetric matrices of one size: 1 for multiples, in [0, 1] for positive semidefinite ones.
/// `None` if they differ in size, or one is zero (if centred, constant) or not finite.
pub fn alignment(a: &Dense, b: &Dense, centring: Centring) -> Option<f64> {
    let (a, b) = prepared(a, b, centring)?;
    let value = dot(&a, &b) / (norm(&a) * norm(&b));
    value.is_finite().then_some(value)
}

/// `1 - alignment`: 0 for multiples.
pub fn distance(a: &Dense, b: &Dense, centring: Centring) -> Option<f64> {
    Some(1.0 - alignment(a, b, centring)?)
}

/// `|A - B|_F / |B|_F`: sees scale, too. `None` as in [`alignment`].
pub fn relative_change(a: &Dense, b: &Dense, centring: Centring) -> Option<f64> {
    let (a, b) = prepared(a, b, centring)?;
    let difference: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    let value = norm(&difference) / norm(&b);
    value.is_finite().then_some(value)
}

fn prepared(a: &Dense, b: &Dense, centring: Centring) -> Option<(Vec<f64>, Vec<f64>)> {
    if a.side() != b.side() {
        return None;
    }
    match centring {
        Centring::Uncentred => Some((a.values().to_vec(), b.values().to_vec())),
        Centring::Centred => Some((centred(a.values(), a.side(), true), centred(b.values(), b.side(), true))),
    }
}

/// Row-major numbers, `rows` rows, with the mean of every column taken off, and with `both` that of every row, too.
/// What is left of a column below rounding is zero, so that a constant one leaves nothing.
fn centred(values: &[f64], rows: usize, both: bool) -> Vec<f64> {
    let columns = values.len() / rows.max(1);
    let mut out = values.to_vec();
    let size = values.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    for j in 0..columns {
        let mean = (0..rows).map(|i| out[i * columns + j]).sum::<f64>() / rows as f64;
        (0..rows).for_each(|i| out[i * columns + j] -= mean);
    }
    if both {
        for row in out.chunks_exact_mut(columns.max(1)) {
            let mean = row.iter().sum::<f64>() / columns as f64;
            row.iter_mut().for_each(|x| *x -= mean);
        }
    }
    let rounding = 4.0 * f64::EPSILON * size;
    out.iter_mut().filter(|x| x.abs() <= rounding).for_each(|x| *x = 0.0);
    out
}

/// Features of examples: row-major, a row an example.
#[derive(Clone, Copy, Debug)]
pub struct Features<'a> {
    values: &'a [f64],
    examples: usize,
}

impl<'a> Features<'a> {
    /// `None` unless there is at least one example and the values divide into rows.
    pub fn new(values: &'a [f64], examples: usize) -> Option<Self> {
        (examples > 0 && values.len().is_multiple_of(examples)).then_some(Self { values, examples })
    }

    fn width(&self) -> usize {
        self.values.len() / self.examples
    }
}

/// Linear centred kernel alignment (Kornblith et al. 2019): `|Y' X|_F^2 / (|X' X|_F |Y' Y|_F)` with the mean of every column taken off,
/// in [0, 1]. Invariant under rotations, shifts and a common scale of the features of either side, not under other linear maps.
/// `None` if the examples differ in number, or the features of one side are the same for all or not finite.
///
/// The form through features and the one through Gram matrices, `[N, N]`, agree; the cheaper one is taken. It is the plain estimator,
/// which is biased upwards where features outnumber examples.
pub fn linear_cka(x: Features, y: Features) -> Option<f64> {
    if x.width().max(y.width()) <= x.examples { cka_of_features(x, y) } else { cka_of_grams(x, y) }
}

/// [`linear_cka`] through the matrices of features, in `N D_x D_y` multiplications.
pub fn cka_of_features(x: Features, y: Features) -> Option<f64> {
    if x.examples != y.examples {
        return None;
    }
    let (xc, yc) = (centred(x.values, x.examples, false), centred(y.values, y.examples, false));
    let cross = |a: &[f64], b: &[f64], [p, q]: [usize; 2]| {
        let mut product = vec![0.0; p * q];
        for (a, b) in a.chunks_exact(p.max(1)).zip(b.chunks_exact(q.max(1))) {
            for (row, a) in product.chunks_exact_mut(q).zip(a) {
                super::vectors::axpy(*a, b, row);
            }
        }
        norm(&product)
    };
    let (p, q) = (x.width(), y.width());
    let value = cross(&yc, &xc, [q, p]).powi(2) / (cross(&xc, &xc, [p, p]) * cross(&yc, &yc, [q, q]));
    value.is_finite().then_some(value)
}

/// [`linear_cka`] through Gram matrices, in `N^2 (D_x + D_y)` multiplications: the centred alignment of `X X'` and `Y Y'`.
pub fn cka_of_grams(x: Features, y: Features) -> Option<f64> {
    let gram = |f: Features| {
        // Centred beforehand: less is lost to rounding where the mean is large.
        let values = centred(f.values, f.examples, false);
        let rows: Vec<&[f64]> = values.chunks_exact(f.width().max(1)).collect();
        let entries = rows.iter().flat_map(|a| rows.iter().map(|b| dot(a, b))).collect();
        Dense::new(rows.len(), entries)
    };
    alignment(&gram(x)?, &gram(y)?, Centring::Uncentred)
}

#[cfg(test)]
mod tests {
    use crate::base::rng::normals;
    use crate::linalg::fixtures::{random, with_spectrum};

    use super::*;

    fn features(seed: u64, examples: usize, width: usize) -> Vec<f64> {
        normals(&mut random(seed), examples * width)
    }

    fn cka(x: &[f64], y: &[f64], examples: usize) -> f64 {
        let (x, y) = (Features::new(x, examples).unwrap(), Features::new(y, examples).unwrap());
        let (a, b) = (cka_of_features(x, y).unwrap(), cka_of_grams(x, y).unwrap());
        assert!((a - b).abs() < 1e-13, "both forms: {a} {b}");
        assert!([a, b].contains(&linear_cka(x, y).unwrap()));
        a
    }

    #[test]
    fn cka_by_hand() {
        // Columns, centred: x is (-1.5, -0.5, 0.5, 1.5) and (1, -1, -1, 1)/2, y the first and (0, 0, 0, 0).
        let x = [0.0, 1.0, 1.0, 0.0, 2.0, 0.0, 3.0, 1.0];
        let y = [5.0, 7.0, 6.0, 7.0, 7.0, 7.0, 8.0, 7.0];
        // X'X = diag(5, 1), Y'Y = diag(5, 0), Y'X = diag(5, 0): 25 / (sqrt(26) 5).
        assert!((cka(&x, &y, 4) - 5.0 / 26.0_f64.sqrt()).abs() < 1e-14);
    }

    #[test]
    fn cka_sees_neither_rotations_nor_shifts_nor_scale_but_other_maps() {
        let (n, d) = (12, 10);
        let x = features(1, n, d);
        // A reflection is orthogonal, and its own inverse.
        let q = with_spectrum(&[vec![-1.0; 4], vec![1.0; 6]].concat());
        let shift = features(2, 1, d);
        let map = |entry: &dyn Fn(&[f64], usize) -> f64| -> Vec<f64> {
            x.chunks_exact(d).flat_map(|row| (0..d).map(|j| entry(row, j)).collect::<Vec<_>>()).collect()
        };
        let moved = map(&|row, j| -3.0 * dot(row, &q.values()[j * d..(j + 1) * d]) + shift[j]);
        assert!((cka(&x, &x, n) - 1.0).abs() < 1e-13);
        assert!((cka(&x, &moved, n) - 1.0).abs() < 1e-13);
        let stretched = map(&|row, j| row[j] * (j + 1) as f64);
        assert!(cka(&x, &stretched, n) < 0.99, "{}", cka(&x, &stretched, n));
        let other = features(3, n, 5);
        assert!((cka(&x, &other, n) - cka(&other, &x, n)).abs() < 1e-13 && cka(&x, &other, n) < 1.0);
    }

    #[test]
    fn what_has_no_alignment_is_none() {
        let x = features(1, 4, 2);
        let of = |values: &[f64], examples: usize| {
            linear_cka(Features::new(values, examples).unwrap(), Features::new(&x, 4).unwrap())
        };
        // The same features for all, a tenth, which isn't a binary number; of other examples; not a number.
        assert_eq!(of(&[0.1; 8], 4), None);
        assert_eq!(of(&x[..6], 3), None);
        assert_eq!(of(&[f64::NAN; 8], 4), None);
        assert!(Features::new(&x, 3).is_none() && Features::new(&x, 0).is_none());
        let (a, zero) = (with_spectrum(&[1.0, 2.0, 3.0]), with_spectrum(&[0.0; 3]));
        assert_eq!(alignment(&a, &zero, Centring::Uncentred), None);
        assert_eq!(alignment(&a, &with_spectrum(&[1.0, 2.0]), Centring::Uncentred), None);
        // A constant kernel has nothing left when centred.
        let ones = Dense::new(3, vec![0.7; 9]).unwrap();
        assert_eq!(alignment(&a, &ones, Centring::Centred), None);
    }

    #[test]
    fn alignment_and_distance_by_hand() {
        let (a, b) =
            (Dense::new(2, vec![2.0, 1.0, 1.0, 2.0]).unwrap(), Dense::new(2, vec![1.0, 0.0, 0.0, 1.0]).unwrap());
        // <A, B> = 4, |A|^2 = 10, |B|^2 = 2.
        let known = 4.0 / 20.0_f64.sqrt();
        assert!((alignment(&a, &b, Centring::Uncentred).unwrap() - known).abs() < 1e-15);
        assert!((distance(&a, &b, Centring::Uncentred).unwrap() - (1.0 - known)).abs() < 1e-15);
        // |A - B|^2 = 4.
        assert!((relative_change(&a, &b, Centring::Uncentred).unwrap() - 2.0_f64.sqrt()).abs() < 1e-15);
        // Centred, both are multiples of [[1, -1], [-1, 1]].
        assert!((alignment(&a, &b, Centring::Centred).unwrap() - 1.0).abs() < 1e-15);
        assert!(relative_change(&a, &b, Centring::Centred).unwrap() < 1e-15);
    }
}
