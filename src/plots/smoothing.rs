//! How strongly curves over steps are smoothed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ticks;

/// What a reader chose for all curves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Smoothing {
    /// The minibatches' loss and accuracy over some 20 steps, all else as it was measured.
    #[default]
    Usual,
    /// All as it was measured.
    Off,
    /// The exponential moving average in which what lies so many steps back counts half; what was measured lies pale behind it.
    HalfLife(f64),
}

impl Smoothing {
    /// Half-lives that make sense: from hardly any to longer than any run.
    pub const HALF_LIVES: std::ops::RangeInclusive<f64> = 0.1..=1e6;
    /// In words.
    pub const ALLOWED: &str =
        "usual, off, a half-life of 0.1 to 1000000 steps such as 20, or ema:0.95 for TensorBoard's factor a step";

    pub fn half_life(self) -> Option<f64> {
        match self {
            Self::HalfLife(steps) => Some(steps),
            Self::Usual | Self::Off => None,
        }
    }

    /// What the average before counts after one step: TensorBoard's smoothing, where every step was measured.
    pub fn factor(half_life: f64) -> f64 {
        (-1.0 / half_life).exp2()
    }

    /// For the corner of a plot.
    pub(super) fn note(half_life: f64) -> String {
        format!(
            "smoothed, half-life {} steps (factor {} a step); pale and in brackets: as measured",
            steps_words(half_life),
            factor_words(half_life)
        )
    }
}

/// A half-life as a reader wants it: `20`, `13.51`.
pub fn steps_words(half_life: f64) -> String {
    if half_life.fract() == 0.0 { half_life.to_string() } else { ticks::number(half_life) }
}

/// `0.95`, `0.9993`: as many digits as tell it from 1.
pub fn factor_words(half_life: f64) -> String {
    let factor = Smoothing::factor(half_life);
    let digits = (1.0 - (1.0 - factor).log10().floor()).clamp(2.0, 9.0) as usize;
    let text = format!("{factor:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl fmt::Display for Smoothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual => f.write_str("usual"),
            Self::Off => f.write_str("off"),
            Self::HalfLife(steps) => write!(f, "{steps}"),
        }
    }
}

impl FromStr for Smoothing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("smoothing can't be {text:?}; give {}", Self::ALLOWED);
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| wrong());
        let steps = match text.trim() {
            "usual" => return Ok(Self::Usual),
            "off" => return Ok(Self::Off),
            other => match other.strip_prefix("ema:") {
                Some(factor) => -1.0 / number(factor)?.log2(),
                None => number(other)?,
            },
        };
        if Self::HALF_LIVES.contains(&steps) { Ok(Self::HalfLife(steps)) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Smoothing {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Smoothing> for String {
    fn from(smoothing: Smoothing) -> Self {
        smoothing.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_smoothing_is_read_as_it_is_written() {
        for smoothing in [Smoothing::Usual, Smoothing::Off, Smoothing::HalfLife(20.0), Smoothing::HalfLife(13.513407)] {
            assert_eq!(smoothing.to_string().parse(), Ok(smoothing));
        }
        let Ok(Smoothing::HalfLife(steps)) = "ema:0.95".parse() else { panic!() };
        assert!((Smoothing::factor(steps) - 0.95).abs() < 1e-12);
        assert!("ema:0.5".parse() == Ok(Smoothing::HalfLife(1.0)));
        for wrong in ["", "0", "-3", "1e9", "NaN", "inf", "ema:1", "ema:0", "ema:-2", "ema:1.5", "ema:", "some"] {
            let message = wrong.parse::<Smoothing>().unwrap_err();
            assert!(message.contains(wrong) && message.contains("half-life"), "{message}");
        }
    }

    #[test]
    fn factors_are_told_from_one() {
        let words: Vec<_> = [13.513407, 1.0, 20.0, 1_000.0, 1e6].map(factor_words).into();
        assert_eq!(words, ["0.95", "0.5", "0.966", "0.99931", "0.99999931"]);
    }
}
