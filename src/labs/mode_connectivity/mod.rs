//! Linear mode connectivity: what lies on the straight line between two trained networks.

mod cells;
mod charts;
mod claims;
mod knobs;
mod protocol;
mod theory;

use crate::record::Recording;
use crate::record::chart::Chart;
use crate::run::bench::{Bench, Halt, LabKnob, Values};

use super::claim::Claim;
use super::lab::{Lab, Paper};
use super::table::{Inputs, Table};

pub struct ModeConnectivity;

impl Lab for ModeConnectivity {
    fn id(&self) -> &'static str {
        "mode-connectivity"
    }

    fn title(&self) -> &'static str {
        "Linear mode connectivity"
    }

    fn about(&self) -> &'static str {
        "Networks that begin as one, or apart: how high the loss rises on the straight line between them, and what breaks or mends it"
    }

    fn paper(&self) -> Paper {
        Paper {
            title: "Disentangling Linear Mode-Connectivity",
            authors: "Altıntaş, Bachmann, Noci, Hofmann",
            venue: "UniReps 2023",
            arxiv: "2312.09832",
        }
    }

    fn knobs(&self) -> &'static [LabKnob] {
        knobs::KNOBS
    }

    fn check(&self, values: &Values) -> Result<(), String> {
        let steps = values.int("steps") as f64;
        let protocol = values.choice("protocol");
        if matches!(protocol, "all" | "copies")
            && let Some(late) = values.numbers("spawn-steps").iter().find(|k| **k > steps)
        {
            return Err(format!("spawn-steps can't hold {late} with {steps} steps; give steps from 0 to {steps}"));
        }
        if values.choice("sharing") != "dense" && !values.int("width").is_multiple_of(64) {
            let width = values.int("width");
            return Err(format!(
                "width can't be {width} with sharing {}: units lie on the 64 pixels; give a multiple of 64",
                values.choice("sharing")
            ));
        }
        Ok(())
    }

    fn charts(&self, values: &Values) -> Vec<Chart> {
        charts::charts(values)
    }

    fn protocol(&self, bench: &mut Bench<'_>) -> Result<(), Halt> {
        protocol::protocol(bench)
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn lesson(&self) -> &'static str {
        include_str!("../../../assets/lessons/mode-connectivity.md")
    }

    fn theory(&self, values: &Values, inputs: &Inputs) -> Result<Vec<Table>, String> {
        theory::tables(values, inputs)
    }

    /// Barriers at the end, averaged over the repetitions of every setting: what sweeps map.
    fn summary(&self, recording: &Recording) -> Vec<(String, f64)> {
        claims::summary(recording)
    }
}
