//! Numbers and circumstances in words, for notes.

pub use crate::base::digits::number;
use crate::record::{Circumstances, Intervention, Outcome, Recording, TimeCursor, names};

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

/// What an axis shows, and under whose statistics of batch normalisation, where there are any.
pub fn with_statistics(label: &str, about: Option<&Circumstances>) -> String {
    match about.and_then(Circumstances::statistics) {
        Some(statistics) => format!("{label} ({statistics})"),
        None => label.into(),
    }
}

/// Why a pane is empty.
pub fn unmeasured(recording: &Recording) -> String {
    if recording.outcome.is_some() {
        "Not measured in this run up to here: the probe budget left no time for it".into()
    } else {
        "Not measured yet: it waits for its share of the probe budget".into()
    }
}

/// Why a pane lacks what newer recordings have, or what a knob can switch off.
pub fn absent(recording: &Recording, knob: Option<&str>) -> String {
    let off = knob.map(|knob| format!(", or the knob \u{201c}{knob}\u{201d} was off")).unwrap_or_default();
    if recording.vector(&names::KURTOSIS).is_some_and(|series| !series.is_empty()) {
        format!("Not in this recording: an older version made it{off}")
    } else {
        unmeasured(recording)
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
    fn statistics_are_read_back_from_the_method() {
        let about = |statistics| {
            let method = Circumstances::method_with(statistics, "forward passes, first layer by linearity");
            Circumstances { examples: 64, dtype: "f32".into(), method, seconds: 0.0 }
        };
        let frozen = about(Some("frozen"));
        assert_eq!(with_statistics("loss", Some(&frozen)), "loss (BN frozen)");
        assert!(circumstances(&frozen).starts_with("64 training examples, f32, BN frozen, forward passes"));
        assert_eq!(with_statistics("loss", Some(&about(None))), "loss");
        assert_eq!(with_statistics("loss", None), "loss");
    }

    #[test]
    fn shares_are_percentages() {
        for (share, text) in [(0.003, "0.30 %"), (0.0, "0 %"), (1.0, "100 %"), (0.05, "5.0 %"), (1e-5, "under 0.1 %")] {
            assert_eq!(percent(share), text);
        }
    }
}
