//! Many runs over the values of some knobs, kept in a folder.
//!
//! ```text
//! sweep.toml                  what is swept: subject, base, axes
//! cells/<hash>/cell.toml      one run: its canonical specification, its knobs, its cost
//!              lock           held by whoever runs it; the system lets go when that process ends, however it ends
//!              attempts.log   a line at each start and end
//!              recording.landscope
//!              result.json    how it ended and its numbers; appears whole or not at all
//! ```
//!
//! A cell is named by the hash of its canonical specification: planning twice makes nothing twice, and folders made on several machines
//! can be merged. A run that is killed leaves no result, so the next one begins it again; a divergence is a result.

mod cell;
mod folder;
mod view;
mod work;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use cell::{Cell, Ending, Outcome};
pub use folder::{Folder, Status, merge};
pub use view::recording;
pub use work::{Progress, end_with_the_input, work, work_in_threads};

/// What is swept over.
pub trait Subject: Sync {
    /// The canonical specification with these knobs set, (id, value as typed); `seed` is one of them.
    ///
    /// # Errors
    /// One sentence that names the knob, the value and what is allowed.
    fn with(&self, knobs: &[(String, String)]) -> Result<String, String>;

    /// Floating-point operations that a run of `spec` takes, about; none if nobody knows.
    fn cost(&self, spec: &str) -> Option<f64>;

    /// Runs `spec` to its end and writes its recording.
    fn run(&self, spec: &str, recording: &Path) -> Ending;
}

/// Values that a knob takes in turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    pub knob: String,
    pub values: Vec<String>,
}

/// What `sweep.toml` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// A lab's id, or `run` for the Playground's specification.
    pub subject: String,
    /// What the cells share, canonical.
    pub base: String,
    pub axes: Vec<Axis>,
    pub seeds: u64,
}

/// Why a sweep can't be planned, run or read.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error("{path:?} is no sweep: {reason}; make one with `landscope sweep plan`")]
    NoSweep { path: PathBuf, reason: String },
    #[error("{path:?} holds another sweep: {what}; give another folder")]
    Other { path: PathBuf, what: &'static str },
    #[error("can't write {path:?}: {reason}; give a folder that you may write to")]
    Unwritable { path: PathBuf, reason: String },
    #[error("{0}")]
    Knob(String),
    #[error("a worker hit a bug; start the sweep again, finished cells are kept")]
    Bug,
    #[error("a sweep of {cells} cells is too large; give at most {most}")]
    TooLarge { cells: usize, most: usize },
}

/// Cells of one sweep.
pub const MOST_CELLS: usize = 100_000;

impl Plan {
    /// All cells: every combination of the axes' values with every seed, the last axis fastest, then the seeds.
    ///
    /// # Errors
    /// [`SweepError::Knob`] for a value that a knob can't have.
    pub fn cells(&self, subject: &dyn Subject) -> Result<Vec<Cell>, SweepError> {
        let seeds = usize::try_from(self.seeds).unwrap_or(usize::MAX);
        let lengths = self.axes.iter().map(|axis| axis.values.len());
        let count = lengths.chain([seeds]).fold(1_usize, usize::saturating_mul);
        if count > MOST_CELLS {
            return Err(SweepError::TooLarge { cells: count, most: MOST_CELLS });
        }
        let mut combinations: Vec<Vec<(String, String)>> = vec![Vec::new()];
        let seeds = Axis { knob: "seed".into(), values: (0..self.seeds).map(|seed| seed.to_string()).collect() };
        for axis in self.axes.iter().chain([&seeds]) {
            let longer = combinations.iter().flat_map(|knobs| {
                axis.values.iter().map(|value| {
                    let mut knobs = knobs.clone();
                    knobs.push((axis.knob.clone(), value.clone()));
                    knobs
                })
            });
            combinations = longer.collect();
        }
        combinations
            .into_iter()
            .map(|knobs| {
                let spec = subject.with(&knobs).map_err(SweepError::Knob)?;
                let cost = subject.cost(&spec);
                Ok(Cell::new(spec, knobs, cost))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
