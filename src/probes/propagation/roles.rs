//! Norms of a fused matrix by role.

/// Frobenius norms of the parts of a matrix that makes queries, keys and values at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoleNorms {
    pub queries: f64,
    pub keys: f64,
    pub values: f64,
}

impl RoleNorms {
    /// Queries over values: tends to zero as tokens become alike (rank collapse; Noci et al. 2022, Theorem 3.2).
    pub fn query_to_value(&self) -> f64 {
        self.queries / self.values
    }
}

/// Norms of the thirds of the columns of `matrix = [rows, 3 D]`, row-major: queries, keys, values, as
/// [`crate::nn::ops::attention`] reads them. For gradients, updates and weights (a bias is one row). `None` unless
/// there are whole rows and `columns` is a multiple of 3.
pub fn role_norms<T: Copy + Into<f64>>(matrix: &[T], columns: usize) -> Option<RoleNorms> {
    if columns == 0 || !columns.is_multiple_of(3) || !matrix.len().is_multiple_of(columns) {
        return None;
    }
    let mut squares = [0.0; 3];
    for row in matrix.chunks_exact(columns) {
        for (square, part) in squares.iter_mut().zip(row.chunks_exact(columns / 3)) {
            *square += part.iter().map(|&x| x.into().powi(2)).sum::<f64>();
        }
    }
    let [queries, keys, values] = squares.map(f64::sqrt);
    Some(RoleNorms { queries, keys, values })
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor, Var};

    use crate::base::rng::{Streams, normals};
    use crate::nn::ops::attention::{Heads, attention};

    use super::*;

    #[test]
    fn parts_are_columns_and_their_squares_add_up() {
        let matrix = [3.0_f32, 0.0, 1.0, 1.0, 0.0, 2.0, 0.0, 4.0, 1.0, 1.0, 2.0, 0.0];
        let found = role_norms(&matrix, 6).unwrap();
        assert_eq!(found, RoleNorms { queries: 5.0, keys: 2.0, values: 8f64.sqrt() });
        let whole: f64 = matrix.iter().map(|&x| f64::from(x).powi(2)).sum();
        assert!((found.queries.powi(2) + found.keys.powi(2) + found.values.powi(2) - whole).abs() < 1e-12);
        assert!(
            role_norms(&matrix, 4).is_none() && role_norms(&matrix, 9).is_none() && role_norms(&matrix, 0).is_none()
        );
    }

    /// Gradient of a random linear function of attention on tokens that are `spread` apart.
    fn gradient(spread: f64) -> RoleNorms {
        let heads = Heads { sequences: 2, tokens: 5, count: 2, causal: false };
        let d = 6;
        let numbers = |n: usize, name: &str| normals(&mut Streams::new(1).stream(name), n);
        let own = numbers(10 * d, "own");
        let shared = numbers(2 * d, "shared");
        let x: Vec<f64> = (0..10 * d).map(|k| shared[k / d / 5 * d + k % d] + spread * own[k]).collect();
        let tensor = |values: Vec<f64>, shape: (usize, usize)| Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
        let w = Var::from_tensor(&tensor(numbers(3 * d * d, "w"), (d, 3 * d))).unwrap();
        let out = attention(&tensor(x, (10, d)).matmul(w.as_tensor()).unwrap(), heads).unwrap();
        let loss = (out * tensor(numbers(10 * d, "r"), (10, d))).unwrap().sum_all().unwrap();
        let gradient = loss.backward().unwrap().get(w.as_tensor()).unwrap().flatten_all().unwrap();
        role_norms(&gradient.to_vec1::<f64>().unwrap(), 3 * d).unwrap()
    }

    #[test]
    fn equal_tokens_leave_queries_and_keys_without_gradient_and_values_with_one() {
        // Whatever the attention, it mixes equal values: nothing to learn for who looks at whom.
        let collapsed = gradient(0.0);
        assert!(collapsed.queries < 1e-12 * collapsed.values, "{collapsed:?}");
        assert!(collapsed.keys < 1e-12 * collapsed.values && collapsed.values > 0.1, "{collapsed:?}");
        let apart = gradient(0.5);
        assert!(apart.query_to_value() > 1e-3, "{apart:?}");
    }
}
