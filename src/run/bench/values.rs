//! The knobs of a lab and their values.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::nesting;
use crate::run::knobs::{Knob, KnobValue};

/// How large an experiment is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// For a lecture: at most 15 seconds.
    #[default]
    Instant,
    /// At most three minutes on two cores.
    Standard,
    /// The paper's scale: for a GPU or a sweep.
    Paper,
}

impl Preset {
    pub const ALL: [Self; 3] = [Self::Instant, Self::Standard, Self::Paper];

    pub fn id(self) -> &'static str {
        match self {
            Self::Instant => "instant",
            Self::Standard => "standard",
            Self::Paper => "paper",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Instant => "Instant",
            Self::Standard => "Standard",
            Self::Paper => "Paper",
        }
    }

    pub fn find(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.id() == id)
    }
}

/// A knob of a lab.
pub struct LabKnob {
    pub knob: Knob,
    /// Under which title it stands in the panel.
    pub group: &'static str,
    /// Its value in each of [`Preset::ALL`], as one types it.
    pub presets: [&'static str; 3],
    /// Whether the other knobs leave it anything to do.
    pub relevant: fn(&Values) -> bool,
}

/// For [`LabKnob::relevant`].
pub fn always(_: &Values) -> bool {
    true
}

/// All knobs of a lab as they stand, and the seed.
#[derive(Clone)]
pub struct Values {
    knobs: &'static [LabKnob],
    pub seed: u64,
    values: Vec<KnobValue>,
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entry(&"seed", &self.seed)
            .entries(self.knobs.iter().map(|k| k.knob.id).zip(&self.values))
            .finish()
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.knobs, other.knobs) && self.seed == other.seed && self.values == other.values
    }
}

/// How a lab's setting is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lab: String,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    knobs: BTreeMap<String, String>,
}

impl Values {
    /// Every knob as `preset` has it, with seed 0.
    pub fn preset(knobs: &'static [LabKnob], preset: Preset) -> Self {
        let value = |knob: &LabKnob| {
            let text = knob.presets[preset as usize];
            knob.knob.parse(text).expect("a test parses every preset of every lab")
        };
        Self { knobs, seed: 0, values: knobs.iter().map(value).collect() }
    }

    pub fn knobs(&self) -> &'static [LabKnob] {
        self.knobs
    }

    fn index(&self, id: &str) -> Option<usize> {
        self.knobs.iter().position(|knob| knob.knob.id == id)
    }

    pub fn get(&self, id: &str) -> Option<&KnobValue> {
        self.index(id).map(|index| &self.values[index])
    }

    /// # Errors
    /// One sentence that names the knob, the value and the allowed range.
    pub fn set(&mut self, id: &str, value: KnobValue) -> Result<(), String> {
        let index = self.index(id).ok_or_else(|| self.unknown(id))?;
        self.knobs[index].knob.check(&value)?;
        self.values[index] = value;
        Ok(())
    }

    /// Sets what was typed; the knob `seed` is the seed.
    ///
    /// # Errors
    /// One sentence that names the knob, the text and the allowed range.
    pub fn set_text(&mut self, id: &str, text: &str) -> Result<(), String> {
        if id == "seed" {
            self.seed =
                text.trim().parse().map_err(|_| format!("seed can't be {text:?}; give a whole number from 0"))?;
            return Ok(());
        }
        let index = self.index(id).ok_or_else(|| self.unknown(id))?;
        self.values[index] = self.knobs[index].knob.parse(text)?;
        Ok(())
    }

    fn unknown(&self, id: &str) -> String {
        let ids: Vec<_> = self.knobs.iter().map(|knob| knob.knob.id).collect();
        format!("there is no knob {id:?} here; give one of seed, {}", ids.join(", "))
    }

    fn expect(&self, id: &str) -> &KnobValue {
        self.get(id).unwrap_or_else(|| panic!("{}", self.unknown(id)))
    }

    /// # Panics
    /// If there is no such knob or it holds something else: a bug of the lab, which running it shows. So with the others below.
    pub fn float(&self, id: &str) -> f64 {
        match self.expect(id) {
            KnobValue::Float(v) => *v,
            other => panic!("{id} holds {other:?}"),
        }
    }

    pub fn int(&self, id: &str) -> usize {
        match self.expect(id) {
            KnobValue::Int(v) => *v as usize,
            other => panic!("{id} holds {other:?}"),
        }
    }

    pub fn toggle(&self, id: &str) -> bool {
        match self.expect(id) {
            KnobValue::Toggle(v) => *v,
            other => panic!("{id} holds {other:?}"),
        }
    }

    pub fn choice(&self, id: &str) -> &str {
        match self.expect(id) {
            KnobValue::Choice(v) => v,
            other => panic!("{id} holds {other:?}"),
        }
    }

    pub fn numbers(&self, id: &str) -> &[f64] {
        match self.expect(id) {
            KnobValue::Numbers(v) => v,
            other => panic!("{id} holds {other:?}"),
        }
    }

    /// (id, value as text) of every knob.
    pub fn texts(&self) -> BTreeMap<String, String> {
        self.knobs.iter().zip(&self.values).map(|(knob, value)| (knob.knob.id.to_owned(), value.to_string())).collect()
    }

    /// The canonical text: equal settings have equal texts.
    pub fn to_toml(&self, lab: &str) -> String {
        let written = Written { lab: lab.into(), seed: self.seed, knobs: self.texts() };
        toml::to_string(&written).expect("a setting holds only what TOML can say")
    }

    /// The id of the lab that a text like [`Self::to_toml`]'s is for.
    pub fn lab_of(text: &str) -> Option<String> {
        nesting::check(text).ok()?;
        toml::from_str::<Written>(text).ok().map(|written| written.lab)
    }

    /// Reads what [`Self::to_toml`] wrote; knobs that aren't mentioned stay as they are.
    ///
    /// # Errors
    /// One sentence that names the knob or field and what is allowed.
    pub fn read_toml(&mut self, text: &str) -> Result<(), String> {
        nesting::check(text)?;
        let written: Written = toml::from_str(text).map_err(|error| error.to_string().trim().replace('\n', " "))?;
        self.seed = written.seed;
        written.knobs.iter().try_for_each(|(id, text)| self.set_text(id, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::knobs::{KnobKind, Liveness, Scale};

    static KNOBS: &[LabKnob] = &[LabKnob {
        knob: Knob {
            id: "depth",
            label: "Depth",
            liveness: Liveness::Cold,
            kind: KnobKind::Int { min: 1, max: 99, scale: Scale::Linear, zero_means: None },
            definition: "d",
            formula: "f",
            effect: "e",
        },
        group: "Network",
        presets: ["4", "8", "16"],
        relevant: always,
    }];

    #[test]
    fn settings_read_back_and_wrong_ones_are_named() {
        let mut values = Values::preset(KNOBS, Preset::Standard);
        assert_eq!(values.int("depth"), 8);
        values.seed = 7;
        values.set_text("depth", "12").unwrap();
        let text = values.to_toml("lab");
        let mut other = Values::preset(KNOBS, Preset::Instant);
        other.read_toml(&text).unwrap();
        assert_eq!(other, values);
        assert_eq!(Values::lab_of(&text).as_deref(), Some("lab"));
        for (id, value, word) in [("depth", "100", "from 1 to 99"), ("width", "1", "depth"), ("seed", "-1", "seed")] {
            let message = other.set_text(id, value).unwrap_err();
            assert!(message.contains(word) && message.contains(id), "{message}");
        }
        assert!(other.read_toml("lab = 'x'\nsede = 3").unwrap_err().contains("sede"));
        assert_eq!(other, values);
    }
}
