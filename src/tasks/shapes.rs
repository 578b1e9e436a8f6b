//! What examples look like, where a file can't say it by itself.

use serde::{Deserialize, Serialize};

use super::data::{Inputs, Split, Targets};

/// What one example holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub enum InputShape {
    /// `shape = [8, 8, 1]`: pictures `[height, width, channels]`, or features `[D]`.
    Features(Vec<usize>),
    /// `tokens = 32` and `vocabulary = 99`: T token ids, each below the vocabulary.
    Tokens { length: usize, vocabulary: usize },
}

/// What is answered: an example, or a position of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputShape {
    /// `classes = 10`: one of so many.
    Classes(usize),
    /// `values = 1`: so many numbers.
    Values(usize),
}

/// Inputs and outputs of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shapes {
    pub input: InputShape,
    pub output: OutputShape,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Option<Vec<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vocabulary: Option<usize>,
}

impl TryFrom<Fields> for InputShape {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        match fields {
            Fields { shape: Some(shape), tokens: None, vocabulary: None } => Ok(Self::Features(shape)),
            Fields { shape: None, tokens: Some(length), vocabulary: Some(vocabulary) } => {
                Ok(Self::Tokens { length, vocabulary })
            }
            _ => Err("input takes either `shape = [8, 8, 1]` (or `[20]`), or `tokens = 32` with `vocabulary = 99`"),
        }
    }
}

impl From<InputShape> for Fields {
    fn from(input: InputShape) -> Self {
        match input {
            InputShape::Features(shape) => Self { shape: Some(shape), ..Self::default() },
            InputShape::Tokens { length, vocabulary } => {
                Self { tokens: Some(length), vocabulary: Some(vocabulary), ..Self::default() }
            }
        }
    }
}

/// Numbers an example may have, and answers a network may give.
const MOST: usize = 1 << 24;

impl Shapes {
    /// # Errors
    /// One sentence that names the field, its value and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: usize| {
            if (1..=MOST).contains(&value) {
                Ok(())
            } else {
                Err(format!("{name} can't be {value}; give a whole number from 1 to {MOST}"))
            }
        };
        match &self.input {
            InputShape::Features(shape) => {
                let numbers = shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
                if !matches!(shape.len(), 1 | 3) || !numbers.is_some_and(|n| (1..=MOST).contains(&n)) {
                    return Err(format!(
                        "input.shape can't be {shape:?}; give [count] or [height, width, channels] of at least one and at most {MOST} numbers"
                    ));
                }
            }
            InputShape::Tokens { length, vocabulary } => {
                within("input.tokens", *length)?;
                within("input.vocabulary", *vocabulary)?;
            }
        }
        match (&self.input, self.output) {
            (InputShape::Tokens { .. }, OutputShape::Values(_)) => {
                Err("output.values can't follow input.tokens: each position answers one of output.classes; give `classes = ` with the size of the vocabulary".into())
            }
            (_, OutputShape::Classes(classes)) => within("output.classes", classes),
            (_, OutputShape::Values(values)) => within("output.values", values),
        }
    }

    /// A split of no examples with these shapes: all that building a network needs.
    pub fn empty_split(&self) -> Split {
        let inputs = match &self.input {
            InputShape::Features(shape) => Inputs::Features { values: Vec::new(), shape: shape.clone() },
            InputShape::Tokens { length, vocabulary } => {
                Inputs::Tokens { ids: Vec::new(), length: *length, vocabulary: *vocabulary }
            }
        };
        let targets = match (&self.input, self.output) {
            (InputShape::Tokens { length, .. }, OutputShape::Classes(vocabulary)) => {
                Targets::NextTokens { ids: Vec::new(), length: *length, vocabulary }
            }
            (_, OutputShape::Classes(classes)) => Targets::Classes { labels: Vec::new(), classes },
            (_, OutputShape::Values(outputs)) => Targets::Values { values: Vec::new(), outputs },
        };
        Split { inputs, targets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Shapes, String> {
        let shapes: Shapes = toml::from_str(text).map_err(|error| error.to_string())?;
        shapes.check()?;
        assert_eq!(toml::from_str::<Shapes>(&toml::to_string(&shapes).unwrap()).unwrap(), shapes);
        Ok(shapes)
    }

    #[test]
    fn both_kinds_of_input_and_of_output_are_read_and_written() {
        let pictures = read("[input]\nshape = [8, 8, 1]\n[output]\nclasses = 10").unwrap();
        assert_eq!(pictures.input, InputShape::Features(vec![8, 8, 1]));
        assert_eq!(pictures.empty_split().targets.classes(), 10);
        let numbers = read("[input]\nshape = [3]\n[output]\nvalues = 2").unwrap();
        assert_eq!(numbers.output, OutputShape::Values(2));
        let words = read("[input]\ntokens = 5\nvocabulary = 7\n[output]\nclasses = 6").unwrap();
        assert_eq!(words.empty_split().targets.outputs(), 6);
    }

    #[track_caller]
    fn refuses(text: &str, words: &[&str]) {
        let message = read(text).unwrap_err();
        for word in words {
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        refuses("[input]\nshape = [8]\ntokens = 3\n[output]\nclasses = 2", &["either"]);
        refuses("[input]\ntokens = 3\n[output]\nclasses = 2", &["vocabulary"]);
        refuses("[input]\nshape = [8, 8]\n[output]\nclasses = 2", &["[8, 8]", "[height, width, channels]"]);
        refuses("[input]\nshape = [0]\n[output]\nclasses = 2", &["[0]"]);
        refuses("[input]\nshape = [9223372036854775807, 3, 3]\n[output]\nclasses = 2", &["input.shape"]);
        refuses("[input]\nshape = [2]\n[output]\nclasses = 0", &["output.classes", "0"]);
        refuses("[input]\ntokens = 3\nvocabulary = 4\n[output]\nvalues = 2", &["output.values", "classes"]);
        refuses("[input]\nshape = [2]\nsize = 3\n[output]\nclasses = 2", &["size"]);
    }
}
