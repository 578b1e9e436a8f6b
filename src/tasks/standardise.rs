//! Zero mean and unit variance, by the statistics of the training examples.

use super::data::{Inputs, Split};

/// [`standardise`] for the features of a training and a test split; tokens stay as they are.
pub fn inputs(train: &mut Split, test: &mut Split, channels: usize) {
    if let (Inputs::Features { values: train, .. }, Inputs::Features { values: test, .. }) =
        (&mut train.inputs, &mut test.inputs)
    {
        standardise(train, test, channels);
    }
}

/// Subtracts each channel's training mean and divides by its training standard deviation (population form, in
/// f64). Value `i` belongs to channel `i % channels`: channels of a picture `[H, W, C]`, columns of a table `[D]`.
/// A channel that is constant over the training examples is only centred.
pub fn standardise(train: &mut [f32], test: &mut [f32], channels: usize) {
    let count = (train.len() / channels.max(1)) as f64;
    if count == 0.0 {
        return;
    }
    let mut mean = vec![0.0_f64; channels];
    for row in train.chunks_exact(channels) {
        for (m, &v) in mean.iter_mut().zip(row) {
            *m += f64::from(v);
        }
    }
    mean.iter_mut().for_each(|m| *m /= count);
    let mut variance = vec![0.0_f64; channels];
    for row in train.chunks_exact(channels) {
        for ((s, m), &v) in variance.iter_mut().zip(&mean).zip(row) {
            *s += (f64::from(v) - m).powi(2);
        }
    }
    let scale: Vec<f64> = variance
        .iter()
        .zip(&mean)
        .map(|(s, m)| {
            let deviation = (s / count).sqrt();
            // Rounding alone makes a constant column of large numbers look as if it varied.
            if deviation > 1e-7 * m.abs() && deviation > 0.0 { 1.0 / deviation } else { 1.0 }
        })
        .collect();
    for part in [train, test] {
        for row in part.chunks_exact_mut(channels) {
            for ((v, m), s) in row.iter_mut().zip(&mean).zip(&scale) {
                *v = ((f64::from(*v) - m) * s) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_is_standardised_by_the_training_values_alone() {
        // Channel 0: 1, 3 (mean 2, deviation 1); channel 1: constant; channel 2: -10, 10 (mean 0, deviation 10).
        let mut train = [1.0, 7.0, -10.0, 3.0, 7.0, 10.0];
        let mut test = [2.0, 8.0, 5.0];
        standardise(&mut train, &mut test, 3);
        assert_eq!(train, [-1.0, 0.0, -1.0, 1.0, 0.0, 1.0]);
        assert_eq!(test, [0.0, 1.0, 0.5]);
    }

    #[test]
    fn nothing_becomes_infinite_or_nan() {
        let mut train = [0.1_f32; 1_000];
        standardise(&mut train, &mut [], 1);
        assert!(train.iter().all(|v| v.abs() < 1e-6));
        standardise(&mut [], &mut [], 4);
    }
}
