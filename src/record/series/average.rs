//! Moving averages of any length, of measurements at any distance.

/// The exponential moving average with a half-life `h` of measurements `v_i` at steps `s_i`:
///
/// ```text
/// m(s) = sum_i 2^(-(s - s_i) / h) c_i v_i / sum_i 2^(-(s - s_i) / h) c_i
/// ```
///
/// where `c_i` is how many measurements `v_i` stands for. What lies `h` steps back counts half. The divisor takes the
/// bias from the beginning: the first average is the first value. Where every step has a measurement it is what Adam and
/// TensorBoard do with a factor `2^(-1 / h)` (Kingma and Ba 2015, section 3). Values that aren't finite leave it as it
/// was.
#[derive(Clone, Debug)]
pub struct Average {
    half_life: f64,
    sum: f64,
    weight: f64,
    last: f64,
    /// The distance between the last two measurements and what the past counts after it: mostly the same again.
    decay: (f64, f64),
}

impl Average {
    /// # Panics
    /// If the half-life isn't positive.
    pub fn new(half_life: f64) -> Self {
        assert!(half_life > 0.0, "a half-life is positive, not {half_life}");
        Self { half_life, sum: 0.0, weight: 0.0, last: 0.0, decay: (0.0, 1.0) }
    }

    /// The average after one more measurement, which stands for `count` of them; NaN before there is any. Steps don't fall.
    pub fn after(&mut self, step: f64, value: f64, count: f64) -> f64 {
        if value.is_finite() {
            let distance = step - self.last;
            if self.decay.0 != distance {
                self.decay = (distance, (-distance / self.half_life).exp2());
            }
            self.sum = self.decay.1 * self.sum + count * value;
            self.weight = self.decay.1 * self.weight + count;
            self.last = step;
        }
        self.sum / self.weight
    }
}

/// Half-lives back at which a measurement counts less than the last digit of the newest.
pub const REACH: f64 = 53.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_sum_that_it_says() {
        let steps = [0.0, 1.0, 2.0, 5.0, 5.0, 40.0, 41.5];
        let values = [3.0, -1.0, f64::NAN, 8.0, 2.0, 0.5, 1.0];
        let counts = [1.0, 2.0, 1.0, 1.0, 4.0, 1.0, 1.0];
        let h = 7.0;
        let mut average = Average::new(h);
        for n in 0..steps.len() {
            let found = average.after(steps[n], values[n], counts[n]);
            let known = || (0..=n).filter(|&i| values[i].is_finite());
            let weight = |i: usize| counts[i] * 2.0_f64.powf(-(steps[n] - steps[i]) / h);
            let slow = known().map(|i| weight(i) * values[i]).sum::<f64>() / known().map(weight).sum::<f64>();
            assert!((found - slow).abs() < 1e-12, "{n}: {found} {slow}");
        }
    }

    #[test]
    fn at_every_step_it_is_the_debiased_average_of_a_factor() {
        let factor = 0.95_f64;
        let mut average = Average::new(-1.0 / factor.log2());
        let mut biased = 0.0;
        for n in 1..200 {
            let value = (f64::from(n) * 0.7).sin() + 3.0 / f64::from(n);
            biased = factor * biased + (1.0 - factor) * value;
            let debiased = biased / (1.0 - factor.powi(n));
            assert!((average.after(f64::from(n), value, 1.0) - debiased).abs() < 1e-12);
        }
    }

    #[test]
    fn half_a_life_ago_counts_half() {
        let mut average = Average::new(10.0);
        average.after(0.0, 0.0, 1.0);
        assert!((average.after(10.0, 3.0, 1.0) - 2.0).abs() < 1e-12);
        assert!(Average::new(1.0).after(0.0, f64::NAN, 1.0).is_nan());
    }
}
