//! What a paper says, as checks of a recording.

use std::fmt;

use crate::record::Recording;

/// A statement and its test.
pub struct Claim {
    /// In kebab case.
    pub id: &'static str,
    /// What the paper says.
    pub statement: &'static str,
    /// What is checked here, and where the threshold comes from: the spread over at least five seeds.
    pub check_text: &'static str,
    /// Why it doesn't hold at this scale, if it is known not to; empty for claims that are expected to hold.
    pub known_failure: &'static str,
    pub check: fn(&Recording) -> Check,
}

/// What a recording says about a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    Holds(Vec<Number>),
    Fails(Vec<Number>),
    /// What is missing, in words.
    NotYet(String),
}

/// A number that decides, with the bound it is held to.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    pub name: String,
    pub value: f64,
    pub bound: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
    Within(f64, f64),
    /// Told, not judged.
    None,
}

impl Number {
    pub fn at_least(name: impl Into<String>, value: f64, bound: f64) -> Self {
        Self { name: name.into(), value, bound: Bound::AtLeast(bound) }
    }

    pub fn at_most(name: impl Into<String>, value: f64, bound: f64) -> Self {
        Self { name: name.into(), value, bound: Bound::AtMost(bound) }
    }

    pub fn within(name: impl Into<String>, value: f64, low: f64, high: f64) -> Self {
        Self { name: name.into(), value, bound: Bound::Within(low, high) }
    }

    /// A number that is told without being judged.
    pub fn told(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value, bound: Bound::None }
    }

    /// Numbers that aren't finite never hold.
    pub fn holds(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.value >= bound,
            Bound::AtMost(bound) => self.value <= bound,
            Bound::Within(low, high) => (low..=high).contains(&self.value),
            Bound::None => true,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = crate::base::digits::number;
        write!(f, "{} {}", self.name, number(self.value))?;
        match self.bound {
            Bound::AtLeast(bound) => write!(f, " (at least {})", number(bound)),
            Bound::AtMost(bound) => write!(f, " (at most {})", number(bound)),
            Bound::Within(low, high) => write!(f, " ({} to {})", number(low), number(high)),
            Bound::None => Ok(()),
        }
    }
}

impl Check {
    /// Holds if all numbers do.
    pub fn of(numbers: Vec<Number>) -> Self {
        if numbers.iter().all(Number::holds) { Self::Holds(numbers) } else { Self::Fails(numbers) }
    }

    /// As [`Self::of`], of what may be missing.
    pub fn of_all(numbers: Option<Vec<Number>>, missing: &str) -> Self {
        numbers.map_or_else(|| Self::NotYet(missing.into()), Self::of)
    }

    /// `holds`, `fails`, `not yet`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Holds(_) => "holds",
            Self::Fails(_) => "fails",
            Self::NotYet(_) => "not yet",
        }
    }

    pub fn numbers(&self) -> &[Number] {
        match self {
            Self::Holds(numbers) | Self::Fails(numbers) => numbers,
            Self::NotYet(_) => &[],
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds(numbers) | Self::Fails(numbers) => {
                let words: Vec<_> = numbers.iter().map(ToString::to_string).collect();
                f.write_str(&words.join("; "))
            }
            Self::NotYet(missing) => f.write_str(missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_holds_if_every_number_does_and_never_on_what_is_no_number() {
        let good = Number::at_least("cosine", 0.99, 0.9);
        assert!(matches!(Check::of(vec![good.clone(), Number::told("layers", 12.0)]), Check::Holds(_)));
        assert!(matches!(Check::of(vec![good.clone(), Number::at_most("loss", 0.3, 0.2)]), Check::Fails(_)));
        assert!(!Number::at_most("loss", f64::NAN, 1.0).holds() && !Number::within("x", f64::NAN, 0.0, 1.0).holds());
        assert_eq!(good.to_string(), "cosine 0.99 (at least 0.9)");
        assert_eq!(Check::of_all(None, "layers 12").word(), "not yet");
    }
}
