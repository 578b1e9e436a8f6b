//! Label noise that only ever grows.
//!
//! Every label has a fixed threshold and a fixed replacement, so raising the live knob from p to q adds the
//! noisy labels between p and q and leaves the others as they are; going back restores the run's old targets.

use rand::Rng;
use rand::distr::{Distribution, Uniform};
use rand_distr::StandardNormal;

use super::data::{Targets, UNGRADED};
use crate::base::rng::Streams;

/// The training targets under label noise p in [0, 1] (values outside are clamped).
///
/// - Classes and tokens: label i becomes `r_i` where `u_i < p`, with `u_i` uniform on [0, 1) and `r_i` uniform on
///   all classes, the true one included: a share `p (1 - 1/C)` of the labels is wrong. Ungraded positions stay so.
/// - Numbers: `y_ij + p s_j z_ij` with `z_ij` standard normal and `s_j` the standard deviation of output j over
///   the training examples.
///
/// `u`, `r` and `z` come from the stream `label-noise`: the same for the same seed and targets of the same size.
pub fn noisy_targets(train: &Targets, label_noise: f64, streams: &Streams) -> Targets {
    let p = label_noise.clamp(0.0, 1.0);
    if p == 0.0 || p.is_nan() {
        return train.clone();
    }
    match train {
        Targets::Classes { labels, classes } => {
            Targets::Classes { labels: replaced(labels, *classes, p, streams), classes: *classes }
        }
        Targets::NextTokens { ids, length, vocabulary } => Targets::NextTokens {
            ids: replaced(ids, *vocabulary, p, streams),
            length: *length,
            vocabulary: *vocabulary,
        },
        Targets::Values { values, outputs } => {
            let deviations = deviations(values, *outputs);
            let mut stream = streams.stream("label-noise");
            let noisy = values.iter().enumerate().map(|(i, &v)| {
                let z: f64 = StandardNormal.sample(&mut stream);
                (f64::from(v) + p * deviations[i % outputs] * z) as f32
            });
            Targets::Values { values: noisy.collect(), outputs: *outputs }
        }
    }
}

fn replaced(labels: &[u32], classes: usize, p: f64, streams: &Streams) -> Vec<u32> {
    let Ok(any_class) = Uniform::new(0, classes as u32) else { return labels.to_vec() };
    let mut stream = streams.stream("label-noise");
    let noisy = labels.iter().map(|&label| {
        // Both draws are made for every label: the stream must not depend on p or on the labels.
        let threshold: f64 = stream.random();
        let replacement = any_class.sample(&mut stream);
        if label != UNGRADED && threshold < p { replacement } else { label }
    });
    noisy.collect()
}

/// Standard deviation of each output over the examples (population form).
fn deviations(values: &[f32], outputs: usize) -> Vec<f64> {
    let n = (values.len() / outputs.max(1)).max(1) as f64;
    (0..outputs)
        .map(|j| {
            let column = || values.iter().skip(j).step_by(outputs).map(|&v| f64::from(v));
            let mean = column().sum::<f64>() / n;
            (column().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(targets: &Targets) -> &[u32] {
        match targets {
            Targets::Classes { labels, .. } => labels,
            Targets::NextTokens { ids, .. } => ids,
            Targets::Values { .. } => panic!("labels expected"),
        }
    }

    fn clean() -> Targets {
        Targets::Classes { labels: (0..20_000).map(|i| i % 10).collect(), classes: 10 }
    }

    #[test]
    fn raising_the_noise_only_adds_noisy_labels() {
        let streams = Streams::new(5);
        let clean = clean();
        let at: Vec<Targets> = [0.0, 0.1, 0.4, 1.0].iter().map(|&p| noisy_targets(&clean, p, &streams)).collect();
        assert_eq!(at[0], clean);
        for i in 0..20_000 {
            for pair in at.windows(2) {
                let (low, high) = (labels(&pair[0])[i], labels(&pair[1])[i]);
                // Once replaced, a label keeps its replacement.
                assert!(low == labels(&clean)[i] || low == high, "label {i}");
            }
        }
    }

    #[test]
    fn the_share_of_wrong_labels_is_p_times_all_but_one_class() {
        let clean = clean();
        for p in [0.1, 0.5, 1.0] {
            let noisy = noisy_targets(&clean, p, &Streams::new(1));
            let wrong = labels(&noisy).iter().zip(labels(&clean)).filter(|(a, b)| a != b).count();
            let (expected, n) = (p * 0.9, 20_000.0);
            let error = (expected * (1.0 - expected) / n).sqrt();
            assert!((wrong as f64 / n - expected).abs() < 4.0 * error, "p = {p}: {wrong} wrong");
        }
    }

    #[test]
    fn the_noise_depends_on_the_seed_alone() {
        let clean = clean();
        assert_eq!(noisy_targets(&clean, 0.3, &Streams::new(1)), noisy_targets(&clean, 0.3, &Streams::new(1)));
        assert_ne!(noisy_targets(&clean, 0.3, &Streams::new(1)), noisy_targets(&clean, 0.3, &Streams::new(2)));
    }

    #[test]
    fn ungraded_positions_stay_ungraded_and_graded_ones_in_the_vocabulary() {
        let ids = (0..4_000).map(|i| if i % 4 == 0 { i % 7 } else { UNGRADED }).collect();
        let noisy = noisy_targets(&Targets::NextTokens { ids, length: 4, vocabulary: 7 }, 1.0, &Streams::new(0));
        for (i, &id) in labels(&noisy).iter().enumerate() {
            assert!(if i % 4 == 0 { id < 7 } else { id == UNGRADED }, "position {i}: {id}");
        }
    }

    #[test]
    fn noise_on_numbers_has_p_times_the_deviation_of_its_output() {
        // Output 0 has the deviation 1, output 1 the deviation 50.
        let values: Vec<f32> = (0..20_000).flat_map(|i| if i % 2 == 0 { [1.0, 100.0] } else { [-1.0, 0.0] }).collect();
        let clean = Targets::Values { values: values.clone(), outputs: 2 };
        let Targets::Values { values: noisy, .. } = noisy_targets(&clean, 0.2, &Streams::new(3)) else {
            panic!("numbers stay numbers")
        };
        for (j, expected) in [(0, 0.2), (1, 10.0)] {
            let square: f64 =
                values.iter().zip(&noisy).skip(j).step_by(2).map(|(a, b)| f64::from(b - a).powi(2)).sum::<f64>();
            let rms = (square / 20_000.0).sqrt();
            // Four standard errors of a standard deviation from 20,000 draws: 4 / sqrt(2 n) = 2 %.
            assert!((rms / expected - 1.0).abs() < 0.02, "output {j}: {rms}");
        }
    }
}
