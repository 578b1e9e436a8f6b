//! Theory as plain numbers: what `landscope theory` prints.

use std::collections::BTreeMap;

/// Columns of equal length, such as a layer and what is predicted at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// In snake case.
    pub name: String,
    /// What it is: formula and source.
    pub about: String,
    pub columns: Vec<(String, Vec<f64>)>,
}

impl Table {
    pub fn new(name: &str, about: &str) -> Self {
        Self { name: name.into(), about: about.into(), columns: Vec::new() }
    }

    #[must_use]
    pub fn column(mut self, name: &str, values: Vec<f64>) -> Self {
        debug_assert!(self.columns.first().is_none_or(|(_, first)| first.len() == values.len()), "{name}");
        self.columns.push((name.into(), values));
        self
    }
}

/// Matrices that are given to a lab's theory, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs(pub BTreeMap<String, Array>);

/// Row-major `[rows, columns]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub rows: usize,
    pub columns: usize,
    pub values: Vec<f64>,
}

impl Inputs {
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.0.get(name)
    }

    /// # Errors
    /// Names the first input that isn't one of `known`.
    pub fn only(&self, known: &[&str]) -> Result<(), String> {
        let strange = self.0.keys().find(|name| !known.contains(&name.as_str()));
        match (strange, known) {
            (None, _) => Ok(()),
            (Some(name), []) => Err(format!("this lab's theory reads no matrices, so not {name:?}; leave it out")),
            (Some(name), _) => {
                Err(format!("this lab's theory reads no matrix {name:?}; give one of {}", known.join(", ")))
            }
        }
    }
}
