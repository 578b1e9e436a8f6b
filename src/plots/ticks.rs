//! Where an axis has its numbers, and how they are written.

/// A place on an axis. Minor ones carry no label.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// In axis units; on a logarithmic axis the decimal logarithm.
    pub at: f64,
    pub label: String,
}

/// Ticks at multiples of 1, 2 or 5 times a power of ten; about `max` of them.
pub fn linear(range: [f64; 2], max: usize) -> Vec<Tick> {
    step(range, max).map(|step| multiples(range, step)).unwrap_or_default()
}

/// Like [`linear`], at whole numbers only: an axis of optimiser steps has no half steps.
pub fn whole(range: [f64; 2], max: usize) -> Vec<Tick> {
    step(range, max).map(|step| multiples(range, step.max(1.0))).unwrap_or_default()
}

/// Ticks of a logarithmic axis whose range is given in decimal logarithms: decades, their 2 and 5 where there is
/// room, plain multiples where little more than a decade shows.
pub fn logarithmic([low, high]: [f64; 2], max: usize) -> Vec<Tick> {
    if !(low >= -300.0 && high <= 300.0 && high > low) || max == 0 {
        return Vec::new();
    }
    let (first, last) = (low.ceil() as i64, high.floor() as i64);
    let decades = usize::try_from(last - first + 1).unwrap_or(0);
    if decades < 2 && high - low < 1.0 {
        let ticks = linear([10f64.powf(low), 10f64.powf(high)], max.max(2));
        return ticks.into_iter().map(|tick| Tick { at: tick.at.log10(), label: tick.label }).collect();
    }
    let plain = first >= -3 && last <= 4;
    let stride = decades.div_ceil(max).max(1) as i64;
    let at_multiples = (first..=last).filter(|decade| decade.rem_euclid(stride) == 0).count();
    // One number says nothing about a scale: then from the first decade on.
    let phase = if at_multiples < 2 && max >= 2 { first.rem_euclid(stride) } else { 0 };
    let dense = decades * 3 <= max + 2;
    let mut ticks = Vec::new();
    for decade in first - 1..=last {
        for digit in 1..=9 {
            let at = decade as f64 + f64::from(digit).log10();
            if at < low - 1e-9 || at > high + 1e-9 {
                continue;
            }
            let labelled = (digit == 1 && decade.rem_euclid(stride) == phase) || (dense && matches!(digit, 2 | 5));
            if labelled || stride == 1 {
                ticks.push(Tick { at, label: if labelled { power(decade, digit, plain) } else { String::new() } });
            }
        }
    }
    ticks
}

/// A value in a legend or a read-out: about three significant digits.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".into()
    } else if !value.is_finite() {
        value.to_string()
    } else if !(1e-3..1e5).contains(&size) {
        format!("{value:.2e}")
    } else {
        let decimals = (2 - size.log10().floor() as i32).clamp(0, 5) as usize;
        format!("{value:.decimals$}")
    }
}

fn step([low, high]: [f64; 2], max: usize) -> Option<f64> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 || max == 0 {
        return None;
    }
    let raw = span / max as f64;
    let magnitude = 10f64.powf(raw.log10().floor());
    let steps = [0.5, 1.0, 2.0, 5.0, 10.0].map(|m| m * magnitude);
    let k = steps.iter().position(|s| *s >= raw * 0.999)?.max(1);
    // One number says nothing about a scale: rather one too many.
    let step = if max >= 2 && span / steps[k] < 1.99 { steps[k - 1] } else { steps[k] };
    // Below the resolution of f64 there is nothing to count.
    (step > low.abs().max(high.abs()) * 1e-13).then_some(step)
}

fn multiples([low, high]: [f64; 2], step: f64) -> Vec<Tick> {
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    let value = |k: i64| k as f64 * step;
    (first..=last).map(|k| Tick { at: value(k), label: label(value(k), step, low.abs().max(high.abs())) }).collect()
}

/// All labels of an axis have the same decimals, so that they can be compared at a glance.
fn label(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if largest >= 1e7 || step < 1e-4 {
        let digits = (value.abs().log10().floor() - (step * 1.001).log10().floor()).clamp(0.0, 6.0) as usize;
        return format!("{value:.digits$e}");
    }
    if largest >= 1e4 && step >= 100.0 {
        let decimals = usize::from(step < 1000.0);
        return format!("{:.decimals$}k", value / 1000.0);
    }
    let decimals = (-(step * 1.001).log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.decimals$}")
}

fn power(decade: i64, digit: i32, plain: bool) -> String {
    if !plain {
        return format!("{digit}e{decade}");
    }
    let decimals = (-decade).max(0) as usize;
    format!("{:.decimals$}", f64::from(digit) * 10f64.powi(decade as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ticks: &[Tick], labels: &[&str]) {
        let found: Vec<_> = ticks.iter().filter(|t| !t.label.is_empty()).map(|t| t.label.as_str()).collect();
        assert_eq!(found, labels);
    }

    #[test]
    fn linear_axes() {
        check(&linear([0.0, 1.0], 5), &["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check(&linear([-1.0, 1.0], 4), &["-1.0", "-0.5", "0", "0.5", "1.0"]);
        check(&linear([0.0, 100_000.0], 5), &["0", "20k", "40k", "60k", "80k", "100k"]);
        check(&linear([0.0, 2e-6], 2), &["0", "1e-6", "2e-6"]);
        check(&linear([-1.03, 1.03], 2), &["-1", "0", "1"]);
        check(&whole([0.0, 1.0], 6), &["0", "1"]);
        check(&whole([0.0, 300.0], 4), &["0", "100", "200", "300"]);
    }

    #[test]
    fn logarithmic_axes() {
        check(&logarithmic([-3.0, 0.0], 4), &["0.001", "0.01", "0.1", "1"]);
        check(&logarithmic([-6.0, 0.0], 4), &["1e-6", "1e-4", "1e-2", "1e0"]);
        check(&logarithmic([2f64.log10(), 5f64.log10()], 4), &["2", "3", "4", "5"]);
        check(&logarithmic([-1.4, 1.4], 2), &["0.1", "10"]);
        check(&logarithmic([-1.0, 1.0], 12), &["0.1", "0.2", "0.5", "1", "2", "5", "10"]);
    }

    #[test]
    fn nothing_sensible_gives_no_ticks_and_ends() {
        for range in [[0.0, 0.0], [1.0, 0.0], [f64::NAN, 1.0], [0.0, f64::INFINITY], [1e16, 1e16 + 2.0]] {
            assert!(linear(range, 5).len() <= 6, "{range:?}");
            assert!(whole(range, 5).len() <= 6, "{range:?}");
            assert!(logarithmic(range, 5).len() <= 60, "{range:?}");
        }
        assert!(linear([0.0, 1.0], 0).is_empty());
    }

    #[test]
    fn ticks_lie_within_the_range_and_labels_differ() {
        for i in 0..200 {
            let low = (f64::from(i) * 0.37).sin() * 10f64.powi(i % 7 - 3);
            let span = 10f64.powi(i % 5 - 2) * 1.7;
            for max in 1..9 {
                let ticks = linear([low, low + span], max);
                assert!(ticks.len() <= max + 2, "{ticks:?}");
                assert!(ticks.iter().all(|t| t.at >= low - 1e-5 * span && t.at <= low + 1.000_01 * span));
                let mut labels: Vec<_> = ticks.iter().map(|t| &t.label).collect();
                labels.dedup();
                assert_eq!(labels.len(), ticks.len(), "{labels:?}");
            }
        }
    }

    #[test]
    fn values_read_well() {
        let cases =
            [(0.0, "0"), (0.012_34, "0.0123"), (1.0, "1.00"), (97.26, "97.3"), (12345.6, "12346"), (1e-5, "1.00e-5")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(f64::NAN), "NaN");
    }
}
