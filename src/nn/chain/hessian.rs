//! Hessian products of a perceptron: the forward and the backward pass, differentiated along a direction.

use candle_core::{Result, Tensor};

use crate::nn::ops::float::{Float, wide};
use crate::nn::ops::product::{Transposed, multiply};
use crate::nn::parts::Part;
use crate::nn::spec::{Activation, LossSpec};

use super::head::Head;
use super::{Net, Pass, column_sums, guards, times};

/// What all products of a part of the batch share, at frozen parameters.
pub struct Trace<T> {
    activation: Activation,
    params: Vec<Tensor>,
    rows: usize,
    pass: Pass<T>,
    head: Head<T>,
    /// `dL/dz` of each layer's preactivations.
    errors: Vec<Vec<T>>,
    /// `dL/dh` times `act''(z)`, of each hidden layer.
    bent_errors: Vec<Vec<T>>,
}

/// A part of the batch that multiplies.
pub trait Product: Send {
    /// `H_part v` in the flattening order, times the part's share; v in the shapes and the dtype of the parameters.
    ///
    /// # Errors
    /// A direction of another dtype or device.
    fn product(&self, direction: &[Tensor]) -> Result<Vec<f64>>;
}

impl<T: Float> Trace<T> {
    /// # Errors
    /// Labels out of range; whatever candle says of shapes.
    pub fn new(activation: Activation, params: &[Tensor], part: &Part, spec: &LossSpec) -> Result<Self> {
        let params: Vec<Tensor> = params.iter().map(Tensor::detach).collect();
        let rows = part.batch.len;
        let guards = guards(&params);
        let net = Net::<T>::new(activation, &params, &guards)?;
        let x = part.batch.inputs.features()?.flatten_from(1)?.flatten_all()?.to_vec1::<T>()?;
        let mut pass = net.forward(x, true);
        let mut head = Head::new(&part.batch.targets, spec, net.outputs(), part.share)?;
        let mut error = std::mem::take(&mut pass.outputs);
        head.rates(&mut error, true);
        let (mut errors, mut bent_errors) = (Vec::new(), Vec::new());
        for (l, layer) in net.layers.iter().enumerate().rev() {
            let [fan_in, fan_out] = layer.fan;
            if l == 0 {
                errors.push(error);
                break;
            }
            let mut below = vec![T::zero(); rows * fan_in];
            multiply(&mut below, &error, layer.weight, [rows, fan_out, fan_in], Transposed::Right, false);
            let mut bent = below.clone();
            times(&mut bent, &pass.bends[l - 1]);
            bent_errors.push(bent);
            times(&mut below, &pass.slopes[l - 1]);
            errors.push(std::mem::replace(&mut error, below));
        }
        errors.reverse();
        bent_errors.reverse();
        pass.bends.clear();
        drop(net);
        drop(guards);
        Ok(Self { activation, params, rows, pass, head, errors, bent_errors })
    }
}

impl<T: Float> Product for Trace<T> {
    fn product(&self, direction: &[Tensor]) -> Result<Vec<f64>> {
        let guards = guards(&self.params);
        let net = Net::<T>::new(self.activation, &self.params, &guards)?;
        let rows = self.rows;
        let direction: Vec<Tensor> = direction.iter().map(Tensor::contiguous).collect::<Result<_>>()?;
        let direction_guards = super::guards(&direction);
        // A direction is a network of the same shapes: weights and biases.
        let along = Net::<T>::new(self.activation, &direction, &direction_guards)?;
        let directions: Vec<[&[T]; 2]> = along.layers.iter().map(|layer| [layer.weight, layer.bias]).collect();
        let total = net.layers.iter().map(|layer| (layer.fan[0] + 1) * layer.fan[1]).sum();

        // Forward: dz_l = h_l V_l + dh_l W_l + c_l, dh_(l+1) = act'(z_l) dz_l; dh_0 = 0.
        let last = net.layers.len() - 1;
        let mut rates: Vec<Vec<T>> = Vec::with_capacity(last);
        let mut bent_rates: Vec<Vec<T>> = Vec::with_capacity(last);
        let mut rate = Vec::new();
        for (l, (layer, [weight, bias])) in net.layers.iter().zip(&directions).enumerate() {
            let [fan_in, fan_out] = layer.fan;
            let mut z = Vec::with_capacity(rows * fan_out);
            for _ in 0..rows {
                z.extend_from_slice(bias);
            }
            multiply(&mut z, &self.pass.inputs[l], weight, [rows, fan_in, fan_out], Transposed::Neither, true);
            if l > 0 {
                multiply(&mut z, &rates[l - 1], layer.weight, [rows, fan_in, fan_out], Transposed::Neither, true);
            }
            if l == last {
                rate = z;
            } else {
                let mut bent = self.bent_errors[l].clone();
                times(&mut bent, &z);
                bent_rates.push(bent);
                times(&mut z, &self.pass.slopes[l]);
                rates.push(z);
            }
        }

        // Backward: d(dL/dz), from the outputs down.
        self.head.bend(&mut rate);
        let mut error_rate = rate;
        let mut out: Vec<f64> = vec![0.0; total];
        let mut end = total;
        for (l, layer) in net.layers.iter().enumerate().rev() {
            let [fan_in, fan_out] = layer.fan;
            let mut weight = vec![T::zero(); fan_in * fan_out];
            multiply(&mut weight, &self.pass.inputs[l], &error_rate, [fan_in, rows, fan_out], Transposed::Left, false);
            if l > 0 {
                multiply(&mut weight, &rates[l - 1], &self.errors[l], [fan_in, rows, fan_out], Transposed::Left, true);
            }
            widen(&column_sums(&error_rate, fan_out), &mut out[end - fan_out..end]);
            end -= fan_out;
            widen(&weight, &mut out[end - weight.len()..end]);
            end -= weight.len();
            if l > 0 {
                let mut below = vec![T::zero(); rows * fan_in];
                multiply(&mut below, &error_rate, layer.weight, [rows, fan_out, fan_in], Transposed::Right, false);
                multiply(
                    &mut below,
                    &self.errors[l],
                    directions[l][0],
                    [rows, fan_out, fan_in],
                    Transposed::Right,
                    true,
                );
                times_plus(&mut below, &self.pass.slopes[l - 1], &bent_rates[l - 1]);
                error_rate = below;
            }
        }
        Ok(out)
    }
}

fn widen<T: Float>(from: &[T], to: &mut [f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = from.wide();
    }
}

wide! {
    /// `x <- x y + z`, elementwise.
    fn times_plus[T: Float](x: &mut [T], y: &[T], z: &[T]) {
        for ((x, &y), &z) in x.iter_mut().zip(y).zip(z) {
            *x = *x * y + z;
        }
    }
}
