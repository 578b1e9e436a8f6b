//! What a knob is, whatever it turns: the one definition behind slider, flag, range check and help.

/// When a new value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// With the next update.
    Live,
    /// The run restarts.
    Cold,
    /// The experiment is so quick that it begins anew with every move of the slider.
    Recomputes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Linear,
    Logarithmic,
}

/// What values a knob takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KnobKind {
    /// `min..=max`. On a logarithmic scale whose `min` is 0 the slider reaches zero below `smallest`.
    Float {
        min: f64,
        max: f64,
        smallest: f64,
        scale: Scale,
    },
    /// `min..=max`; `zero_means` says what 0 stands for where it isn't a number (`all`, `full`).
    Int {
        min: u64,
        max: u64,
        scale: Scale,
        zero_means: Option<&'static str>,
    },
    /// One of (id, what to show).
    Choice(&'static [(&'static str, &'static str)]),
    Toggle,
    /// A file or folder, or nothing.
    Path,
    /// One to `most` different numbers in rising order, each in `min..=max`, whole if `whole`: the sizes that are compared.
    Numbers {
        min: f64,
        max: f64,
        whole: bool,
        most: usize,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum KnobValue {
    Float(f64),
    Int(u64),
    /// A choice's id.
    Choice(String),
    Toggle(bool),
    /// Empty for none.
    Path(String),
    Numbers(Vec<f64>),
}

/// A value that people turn.
#[derive(Clone, Debug)]
pub struct Knob {
    /// In kebab case: the flag is `--id`.
    pub id: &'static str,
    pub label: &'static str,
    pub liveness: Liveness,
    pub kind: KnobKind,
    /// What it is.
    pub definition: &'static str,
    /// The formula it enters.
    pub formula: &'static str,
    /// What turning it does.
    pub effect: &'static str,
}

impl Knob {
    pub fn is_live(&self) -> bool {
        self.liveness == Liveness::Live
    }

    /// Whether the value is of this kind and in range.
    ///
    /// # Errors
    /// One sentence that names the knob, the value and the allowed range.
    pub fn check(&self, value: &KnobValue) -> Result<(), String> {
        let fits = match (self.kind, value) {
            (KnobKind::Float { min, max, .. }, KnobValue::Float(v)) => (min..=max).contains(v),
            (KnobKind::Int { min, max, zero_means, .. }, KnobValue::Int(v)) => {
                (min..=max).contains(v) || (*v == 0 && zero_means.is_some())
            }
            (KnobKind::Choice(options), KnobValue::Choice(v)) => options.iter().any(|(id, _)| id == v),
            (KnobKind::Toggle, KnobValue::Toggle(_)) | (KnobKind::Path, KnobValue::Path(_)) => true,
            (KnobKind::Numbers { min, max, whole, most }, KnobValue::Numbers(v)) => {
                (1..=most).contains(&v.len())
                    && v.iter().all(|v| (min..=max).contains(v) && !(whole && v.fract() != 0.0))
                    && v.is_sorted_by(|a, b| a < b)
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(format!("{} can't be {}; give {}", self.id, value, self.allowed())) }
    }

    /// The allowed values, in words.
    pub fn allowed(&self) -> String {
        match self.kind {
            KnobKind::Float { min, max, .. } => format!("a number from {} to {}", short(min), short(max)),
            KnobKind::Int { min, max, zero_means, .. } => match zero_means {
                Some(meaning) if min > 0 => format!("a whole number from {min} to {max}, or 0 for {meaning}"),
                Some(meaning) => format!("a whole number from {min} to {max} (0: {meaning})"),
                None => format!("a whole number from {min} to {max}"),
            },
            KnobKind::Choice(options) => {
                let ids: Vec<_> = options.iter().map(|(id, _)| *id).collect();
                format!("one of {}", ids.join(", "))
            }
            KnobKind::Toggle => "true or false".into(),
            KnobKind::Path => "the path of a file or folder".into(),
            KnobKind::Numbers { min, max, whole, most } => format!(
                "up to {most} {}numbers from {} to {} in rising order, with commas between",
                if whole { "whole " } else { "" },
                short(min),
                short(max)
            ),
        }
    }

    /// Reads a value from a flag or a text field.
    ///
    /// # Errors
    /// One sentence that names the knob, the text and the allowed range.
    pub fn parse(&self, text: &str) -> Result<KnobValue, String> {
        let text = text.trim();
        let wrong = || format!("{} can't be {text:?}; give {}", self.id, self.allowed());
        let value = match self.kind {
            KnobKind::Float { .. } => {
                KnobValue::Float(text.parse().ok().filter(|v: &f64| v.is_finite()).ok_or_else(wrong)?)
            }
            KnobKind::Int { .. } => KnobValue::Int(text.replace('_', "").parse().map_err(|_| wrong())?),
            KnobKind::Choice(_) => KnobValue::Choice(text.to_owned()),
            KnobKind::Toggle => KnobValue::Toggle(text.parse().map_err(|_| wrong())?),
            KnobKind::Path => KnobValue::Path(text.to_owned()),
            KnobKind::Numbers { .. } => {
                let parts = text.split(',').map(|part| part.trim().parse().ok().filter(|v: &f64| v.is_finite()));
                KnobValue::Numbers(parts.collect::<Option<_>>().ok_or_else(wrong)?)
            }
        };
        self.check(&value).map_err(|_| wrong())?;
        Ok(value)
    }
}

impl std::fmt::Display for KnobValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Float(v) => f.write_str(&short(*v)),
            Self::Int(v) => write!(f, "{v}"),
            Self::Choice(v) | Self::Path(v) => f.write_str(v),
            Self::Toggle(v) => write!(f, "{v}"),
            Self::Numbers(v) => f.write_str(&v.iter().map(|v| short(*v)).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// A number as people write it: `0.001`, `1e-6`, `2.5`.
fn short(v: f64) -> String {
    if v != 0.0 && (v.abs() < 1e-3 || v.abs() >= 1e6) { format!("{v:e}") } else { format!("{v}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTHS: Knob = Knob {
        id: "widths",
        label: "Widths",
        liveness: Liveness::Cold,
        kind: KnobKind::Numbers { min: 1.0, max: 4_096.0, whole: true, most: 3 },
        definition: "d",
        formula: "f",
        effect: "e",
    };

    #[test]
    fn lists_of_numbers_read_back_and_refuse_what_does_not_fit() {
        let value = WIDTHS.parse("16, 64,256").unwrap();
        assert_eq!(value, KnobValue::Numbers(vec![16.0, 64.0, 256.0]));
        assert_eq!(WIDTHS.parse(&value.to_string()).unwrap(), value);
        for wrong in ["", "16, 16", "64, 16", "1.5", "0", "1, 2, 3, 4", "16; 64", "NaN"] {
            let message = WIDTHS.parse(wrong).unwrap_err();
            assert!(message.contains("widths") && message.contains("rising"), "{wrong}: {message}");
        }
    }
}
