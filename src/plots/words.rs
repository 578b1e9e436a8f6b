//! Numbers and circumstances in words, for notes.

use crate::record::{Circumstances, Intervention, Outcome, Recording, TimeCursor};

/// Three significant digits, in scientific notation where plain digits would be many.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "not a number".into() } else { format!("{value}") };
    }
    let size = value.abs();
    if size == 0.0 {
        return "0".into();
    }
    let digits = 2 - size.log10().floor() as i32;
    match digits {
        ..=-4 | 7.. => format!("{value:.1e}"),
        ..=0 => format!("{value:.0}"),
        _ => {
            let text = format!("{value:.*}", digits as usize);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// A share in [0, 1] as a percentage with two significant digits.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        p if !p.is_finite() => "unknown".into(),
        p if p == 0.0 || p >= 9.95 => format!("{p:.0} %"),
        p if p >= 0.95 => format!("{p:.1} %"),
        p if p >= 0.095 => format!("{p:.2} %"),
        _ => "under 0.1 %".into(),
    }
}

/// When a measurement was made, seen from the cursor.
pub fn age(measured: u64, cursor: u64) -> String {
    match cursor.saturating_sub(measured) {
        0 => format!("measured at step {measured}"),
        1 => format!("measured at step {measured}, one step before the cursor"),
        steps => format!("measured at step {measured}, {steps} steps before the cursor"),
    }
}

/// What a measurement rests on.
pub fn circumstances(about: &Circumstances) -> String {
    let mut parts = vec![format!("{} training examples", about.examples)];
    if !about.dtype.is_empty() {
        parts.push(about.dtype.clone());
    }
    if !about.method.is_empty() {
        parts.push(about.method.clone());
    }
    if about.seconds.is_finite() && about.seconds > 0.0 {
        parts.push(format!("{} s", number(about.seconds)));
    }
    parts.join(", ")
}

/// What was done to the run, for a mark on the time line.
pub fn intervention(mark: &Intervention) -> String {
    // No arrow: the figures' font has none.
    format!("{} {} to {}", mark.knob, mark.from, mark.to)
}

/// Why a pane is empty.
pub fn unmeasured(recording: &Recording) -> String {
    if recording.outcome.is_some() {
        "Not measured in this run up to here: the probe budget left no time for it".into()
    } else {
        "Not measured yet: it waits for its share of the probe budget".into()
    }
}

/// Where the run broke down, if it did and the cursor is there.
pub fn divergence(recording: &Recording, cursor: TimeCursor) -> Option<String> {
    match &recording.outcome {
        Some(Outcome::Diverged(at)) if cursor.step(recording.newest_step()) + 1 >= at.step => {
            Some(format!("diverged at step {}: the {} of {} is not finite", at.step, at.quantity, at.layer))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.123_456, "0.123"),
            (1234.5, "1234"),
            (12.345, "12.3"),
            (-0.001, "-0.001"),
            (1e-9, "1.0e-9"),
            (2.5e9, "2.5e9"),
            (f64::NAN, "not a number"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn shares_are_percentages() {
        for (share, text) in [(0.003, "0.30 %"), (0.0, "0 %"), (1.0, "100 %"), (0.05, "5.0 %"), (1e-5, "under 0.1 %")] {
            assert_eq!(percent(share), text);
        }
    }
}
