//! What a lab is.

use std::collections::BTreeMap;

use crate::record::Recording;
use crate::record::chart::Chart;
use crate::run::bench::{Bench, Halt, LabKnob, Values};

use super::claim::Claim;
use super::table::{Inputs, Table};

/// Where a lab's claims come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    pub title: &'static str,
    /// Such as `Noci, Anagnostidis, Biggio, Orvieto, Singh, Lucchi`.
    pub authors: &'static str,
    /// Such as `NeurIPS 2022`.
    pub venue: &'static str,
    /// Such as `2206.03126`.
    pub arxiv: &'static str,
}

/// A paper as a live experiment.
pub trait Lab: Sync {
    /// In kebab case.
    fn id(&self) -> &'static str;

    /// As the window's list has it.
    fn title(&self) -> &'static str;

    /// One sentence: what is to be seen.
    fn about(&self) -> &'static str;

    fn paper(&self) -> Paper;

    /// In the order of the panel.
    fn knobs(&self) -> &'static [LabKnob];

    /// Rules between knobs.
    ///
    /// # Errors
    /// One sentence that names the knob, the value and what to do.
    fn check(&self, _values: &Values) -> Result<(), String> {
        Ok(())
    }

    /// What is shown; the recording keeps it.
    fn charts(&self, values: &Values) -> Vec<Chart>;

    /// The experiment, a straight-line function.
    ///
    /// # Errors
    /// [`Halt`], which the bench's functions return: pass it on with `?`.
    fn protocol(&self, bench: &mut Bench<'_>) -> Result<(), Halt>;

    /// What the paper says, as checks of a recording.
    fn claims(&self) -> &'static [Claim];

    /// Floating-point operations of the protocol, about; none if nobody knows. Sweeps begin with the most expensive cells.
    fn cost(&self, _values: &Values) -> Option<f64> {
        None
    }

    /// What to look at, step by step: the text of `assets/lessons/<id>.md`; [`super::lesson`] has its grammar.
    fn lesson(&self) -> &'static str {
        ""
    }

    /// Every theory line that the lab draws, as plain numbers, for any knobs and inputs.
    ///
    /// # Errors
    /// One sentence that names the input, the value and what to do.
    fn theory(&self, values: &Values, inputs: &Inputs) -> Result<Vec<Table>, String>;

    /// Numbers that sum a recording up, for sweeps: (name, value). By default the last value of each scalar, of the first track that
    /// has it.
    fn summary(&self, recording: &Recording) -> Vec<(String, f64)> {
        let mut found = BTreeMap::new();
        for (_, track) in recording.tracks() {
            for (id, _) in track.series() {
                let Some((_, value)) = track.scalar(id.as_str()).and_then(|series| series.latest_at(u64::MAX)) else {
                    continue;
                };
                found.entry(id.to_string()).or_insert(value);
            }
        }
        found.into_iter().collect()
    }
}
