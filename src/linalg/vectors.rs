//! Vectors as slices.

/// `<x, y>`, in eight interleaved sums: quicker than one, and closer.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    assert_eq!(x.len(), y.len(), "an inner product is of vectors of one length");
    let mut sums = [0.0; 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in xs.zip(ys) {
        for k in 0..8 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// `|x|`
pub fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// `y <- y + a x`
pub fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// `x <- a x`
pub fn scale(a: f64, x: &mut [f64]) {
    for x in x {
        *x *= a;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_products() {
        let x: Vec<f64> = (1..=19).map(f64::from).collect();
        // n(n+1)(2n+1)/6
        assert_eq!(dot(&x, &x), 2470.0);
        assert_eq!(norm(&[3.0, 4.0]), 5.0);
        let mut y = vec![1.0, 1.0];
        axpy(2.0, &[1.0, -1.0], &mut y);
        scale(0.5, &mut y);
        assert_eq!(y, [1.5, -0.5]);
    }
}
