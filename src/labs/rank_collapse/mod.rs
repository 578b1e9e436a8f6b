//! Rank collapse: tokens of a transformer align with depth, and queries and keys lose their gradients.

mod charts;
mod claims;
mod knobs;
mod picture;
mod theory;
mod training;

use crate::record::Recording;
use crate::record::chart::Chart;
use crate::run::bench::{Bench, Halt, LabKnob, Values};

use super::{Claim, Inputs, Lab, Paper, Table};

pub struct RankCollapse;

impl Lab for RankCollapse {
    fn id(&self) -> &'static str {
        "rank-collapse"
    }

    fn title(&self) -> &'static str {
        "Rank collapse"
    }

    fn about(&self) -> &'static str {
        "Tokens align with depth until queries and keys have no gradient; branches over the root of the depth cure it"
    }

    fn paper(&self) -> Paper {
        Paper {
            title: "Signal Propagation in Transformers: Theoretical Perspectives and the Role of Rank Collapse",
            authors: "Noci, Anagnostidis, Biggio, Orvieto, Singh, Lucchi",
            venue: "NeurIPS 2022",
            arxiv: "2206.03126",
        }
    }

    fn knobs(&self) -> &'static [LabKnob] {
        knobs::KNOBS
    }

    fn charts(&self, values: &Values) -> Vec<Chart> {
        charts::charts(values)
    }

    fn protocol(&self, bench: &mut Bench<'_>) -> Result<(), Halt> {
        // All of it from the start: a bar that goes back makes nobody wiser.
        let trains = bench.values().toggle("training");
        bench.plan(picture::ROUNDS + if trains { training::rounds(bench.values()) } else { 0 });
        picture::record(bench)?;
        if trains { training::run(bench) } else { Ok(()) }
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn lesson(&self) -> &'static str {
        include_str!("../../../assets/lessons/rank-collapse.md")
    }

    fn theory(&self, values: &Values, inputs: &Inputs) -> Result<Vec<Table>, String> {
        theory::tables(values, inputs)
    }

    /// Of the chosen network after its last block, and the best test losses.
    fn summary(&self, recording: &Recording) -> Vec<(String, f64)> {
        claims::summary(recording)
    }
}
