//! Noci, Meterez, Hofmann, Orvieto 2024 (arXiv:2402.17457): under muP the sharpness is the same at every width, all along training,
//! and with it the best learning rate.

mod charts;
mod claims;
mod closed;
mod consistency;
mod knobs;
mod networks;
mod predictions;
mod problem;
mod row;

use crate::record::TrackId;
use crate::record::chart::Chart;
use crate::run::bench::{Bench, Halt, LabKnob, Values};

use super::{Claim, Inputs, Lab, Paper, Table};
use row::Row;

pub struct SuperConsistency;

impl Lab for SuperConsistency {
    fn id(&self) -> &'static str {
        "super-consistency"
    }

    fn title(&self) -> &'static str {
        "Super consistency"
    }

    fn about(&self) -> &'static str {
        "Sharpness against step at many widths, with the edge of stability, and the best learning rate, for muP and NTK"
    }

    fn paper(&self) -> Paper {
        Paper {
            title: "Super Consistency of Neural Network Landscapes and Learning Rate Transfer",
            authors: "Noci, Meterez, Hofmann, Orvieto",
            venue: "NeurIPS 2024",
            arxiv: "2402.17457",
        }
    }

    fn knobs(&self) -> &'static [LabKnob] {
        knobs::all()
    }

    fn check(&self, values: &Values) -> Result<(), String> {
        knobs::check(values)
    }

    fn charts(&self, values: &Values) -> Vec<Chart> {
        charts::all(values)
    }

    fn protocol(&self, bench: &mut Bench<'_>) -> Result<(), Halt> {
        if knobs::is_linear(bench.values()) { closed::run(bench) } else { networks::run(bench) }
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn lesson(&self) -> &'static str {
        include_str!("../../../assets/lessons/super-consistency.md")
    }

    fn theory(&self, values: &Values, inputs: &Inputs) -> Result<Vec<Table>, String> {
        predictions::tables(values, inputs)
    }
}

/// The track of the dashed line `2/eta0`.
fn edge_track(bench: &mut Bench<'_>, row: &Row) -> Result<TrackId, Halt> {
    let attributes = [("place", row.place), ("parametrization", row.parametrization.as_str()), ("kind", "edge")];
    bench.track("2/η₀", &attributes)
}

/// The same, at its value from the first to the last step.
fn edge(bench: &mut Bench<'_>, row: &Row, steps: u64) -> Result<(), Halt> {
    let track = edge_track(bench, row)?;
    for step in [0, steps] {
        bench.record_scalars(track, step, &[("edge", 2.0 / row.eta0)])?;
    }
    Ok(())
}
