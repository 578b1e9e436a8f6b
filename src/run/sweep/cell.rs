//! One run of a sweep.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A run and what sets it apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Floating-point operations, about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// The canonical specification.
    pub spec: String,
    /// The axes' knobs and the seed, as typed.
    pub knobs: BTreeMap<String, String>,
}

/// Hexadecimal digits of a cell's name: 80 bits, so that a million cells share none.
const DIGITS: usize = 20;

impl Cell {
    pub fn new(spec: String, knobs: Vec<(String, String)>, cost: Option<f64>) -> Self {
        Self { cost, spec, knobs: knobs.into_iter().collect() }
    }

    /// The hash of the canonical specification.
    pub fn name(&self) -> String {
        blake3::hash(self.spec.as_bytes()).to_hex()[..DIGITS].to_owned()
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Finished,
    /// A result like any other.
    Diverged,
    /// An error; `retry` lets it run again.
    Failed,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    pub outcome: Outcome,
    /// Where it diverged, or why it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Numbers that sum it up; those that aren't finite are left out.
    pub numbers: BTreeMap<String, f64>,
}

impl Ending {
    pub fn failed(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, message: message.into(), seconds: 0.0, numbers: BTreeMap::new() }
    }
}
