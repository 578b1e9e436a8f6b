//! Masks and ties of a dense layer: how a convolution comes out of a fully connected layer in two steps.
//!
//! The layer reads a picture of `[pixels, C]` numbers and has K units at each pixel. Dense, each unit has a weight for
//! each number. *Locally connected*, a unit sees the 3x3 window around its pixel only: `W o M` with the fixed mask
//! `M_ij = 1` iff input j lies in the window of unit i. *Shared*, the units of all pixels have the same weights in
//! their windows as well: a convolution (Altintas et al. 2023, arXiv 2312.09832).
//!
//! Only the free weights are parameters: `[9 C, pixels K]`, a column a unit, or `[9 C, K]`. From them the dense matrix
//! is gathered, with zeros off the mask, so that its gradient there has nowhere to go and that of tied entries is
//! summed. Local units at the border have weights beyond it, which nothing reads and whose gradient is zero.

use candle_core::{Result, Tensor};

use super::ops::convolution::Windows;
use super::spec::Sharing;

/// Where each entry of a dense matrix is among the free weights.
#[derive(Debug)]
pub struct Gather {
    /// Free weights `[fan_in, columns]`.
    free: [usize; 2],
    /// Biases.
    biases: usize,
    /// `[fan_in, fan_out]`
    dense: [usize; 2],
    /// For each entry of the dense matrix, row-major: a free weight, or one behind the last for zero.
    table: Tensor,
    pixels: usize,
}

impl Gather {
    /// For pictures with `channels` numbers a pixel and `units` at each; `None` for a dense layer, which is its own.
    ///
    /// # Errors
    /// Whatever candle says.
    pub fn new(sharing: Sharing, windows: Windows, channels: usize, units: usize) -> Result<Option<Self>> {
        let (pixels, places) = (windows.pixels(), windows.side.pow(2));
        let columns = match sharing {
            Sharing::Dense => return Ok(None),
            Sharing::Local => pixels * units,
            Sharing::Shared => units,
        };
        let free = [places * channels, columns];
        let dense = [pixels * channels, pixels * units];
        let mut table = vec![(free[0] * columns) as u32; dense[0] * dense[1]];
        for (at, pixel) in windows.looks_at().into_iter().enumerate() {
            let (position, place) = (at / places, at % places);
            let Some(pixel) = pixel else { continue };
            for channel in 0..channels {
                for unit in 0..units {
                    let column = if sharing == Sharing::Local { position * units + unit } else { unit };
                    let entry = (pixel * channels + channel) * dense[1] + position * units + unit;
                    table[entry] = ((place * channels + channel) * columns + column) as u32;
                }
            }
        }
        let table = Tensor::from_vec(table, dense[0] * dense[1], &candle_core::Device::Cpu)?;
        Ok(Some(Self { free, biases: columns, dense, table, pixels }))
    }

    /// Shape of the free weights: `[fan_in, columns]`, and as many biases as columns.
    pub fn free(&self) -> [usize; 2] {
        self.free
    }

    /// The dense matrix `[pixels C, pixels K]` of free weights.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn weight(&self, free: &Tensor) -> Result<Tensor> {
        let zero = Tensor::zeros(1, free.dtype(), free.device())?;
        let table = self.table.to_device(free.device())?;
        Tensor::cat(&[&free.flatten_all()?, &zero], 0)?.index_select(&table, 0)?.reshape(self.dense.as_slice())
    }

    /// The bias `[pixels K]` of all units.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn bias(&self, free: &Tensor) -> Result<Tensor> {
        if self.biases == self.dense[1] {
            return Ok(free.clone());
        }
        free.unsqueeze(0)?.broadcast_as((self.pixels, self.biases))?.contiguous()?.flatten_all()
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use crate::base::rng::{Streams, normals};
    use crate::nn::ops::convolution::convolution;
    use crate::nn::ops::linear::linear;

    use super::*;

    /// Neither square nor without corners, edges and an inside.
    const WINDOWS: Windows = Windows { height: 4, width: 3, side: 3, stride: 1 };

    fn draw(name: &str, shape: &[usize]) -> Tensor {
        let values = normals(&mut Streams::new(4).stream(name), shape.iter().product());
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn a_shared_layer_is_the_convolution() {
        let gather = Gather::new(Sharing::Shared, WINDOWS, 2, 5).unwrap().unwrap();
        assert_eq!(gather.free(), [18, 5]);
        let (x, w, b) = (draw("x", &[3, 24]), draw("w", &[18, 5]), draw("b", &[5]));
        let found = linear(&x, &gather.weight(&w).unwrap(), &gather.bias(&b).unwrap()).unwrap();
        let known = convolution(&x.reshape((36, 2)).unwrap(), &w, &b, WINDOWS).unwrap();
        let difference = (found.reshape((36, 5)).unwrap() - known).unwrap().abs().unwrap().max_all().unwrap();
        assert!(difference.to_scalar::<f64>().unwrap() < 1e-13);
    }

    #[test]
    fn a_local_layer_with_equal_filters_is_the_shared_one() {
        let local = Gather::new(Sharing::Local, WINDOWS, 2, 5).unwrap().unwrap();
        let shared = Gather::new(Sharing::Shared, WINDOWS, 2, 5).unwrap().unwrap();
        assert_eq!(local.free(), [18, 60]);
        let w = draw("w", &[18, 5]);
        let repeated = w.repeat((1, 12)).unwrap();
        let (a, b) = (local.weight(&repeated).unwrap(), shared.weight(&w).unwrap());
        assert_eq!(a.to_vec2::<f64>().unwrap(), b.to_vec2::<f64>().unwrap());
    }

    #[test]
    fn nothing_gets_through_the_mask() {
        let gather = Gather::new(Sharing::Local, WINDOWS, 2, 5).unwrap().unwrap();
        let dense = gather.weight(&draw("w", &[18, 60]).abs().unwrap()).unwrap().to_vec2::<f64>().unwrap();
        for (input, row) in dense.iter().enumerate() {
            for (unit, &weight) in row.iter().enumerate() {
                let (from, to) = (input / 2, unit / 5);
                let near = (from / 3).abs_diff(to / 3) <= 1 && (from % 3).abs_diff(to % 3) <= 1;
                assert_eq!(weight != 0.0, near, "input {input}, unit {unit}");
            }
        }
    }

    #[test]
    fn gradients_are_those_of_the_dense_matrix_on_the_mask_summed_over_ties() {
        for sharing in [Sharing::Local, Sharing::Shared] {
            let gather = Gather::new(sharing, WINDOWS, 2, 5).unwrap().unwrap();
            let free = candle_core::Var::from_tensor(&draw("w", &gather.free())).unwrap();
            let x = draw("x", &[3, 24]);
            let f = |w: &Tensor| x.matmul(w).unwrap().tanh().unwrap().sqr().unwrap().sum_all().unwrap();
            let found = f(&gather.weight(&free).unwrap()).backward().unwrap();
            let found = found.get(&free).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();

            let dense = candle_core::Var::from_tensor(&gather.weight(&free).unwrap().detach()).unwrap();
            let known = f(&dense).backward().unwrap();
            let known = known.get(&dense).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let mut sums = vec![0.0; found.len() + 1];
            for (at, g) in gather.table.to_vec1::<u32>().unwrap().into_iter().zip(known) {
                sums[at as usize] += g;
            }
            assert!(sums[found.len()].abs() > 1.0, "the dense gradient off the mask isn't zero");
            for (a, b) in found.iter().zip(&sums) {
                assert!((a - b).abs() < 1e-12, "{sharing:?}: {a} {b}");
            }
            assert_eq!(dense.dtype(), DType::F64);
        }
    }
}
