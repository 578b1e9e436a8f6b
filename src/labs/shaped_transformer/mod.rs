//! The shaped transformer (Noci et al. 2023): depth and width go to infinity together, and the covariance of the tokens
//! follows a stochastic differential equation instead of collapsing.

mod charts;
mod claims;
mod exponents;
mod knobs;
mod protocol;
mod theory;

use crate::record::Recording;
use crate::record::chart::Chart;
use crate::run::bench::{Bench, Halt, LabKnob, Values};

use super::{Claim, Inputs, Lab, Paper, Table};

pub struct ShapedTransformer;

impl Lab for ShapedTransformer {
    fn id(&self) -> &'static str {
        "shaped-transformer"
    }

    fn title(&self) -> &'static str {
        "Shaped transformer"
    }

    fn about(&self) -> &'static str {
        "The correlation of two tokens through the layers of networks of any depth and width, beside the stochastic equation that it follows"
    }

    fn paper(&self) -> Paper {
        Paper {
            title: "The Shaped Transformer: Attention Models in the Infinite Depth-and-Width Limit",
            authors: "Noci, Li, Li, He, Hofmann, Maddison, Roy",
            venue: "NeurIPS 2023",
            arxiv: "2306.17759",
        }
    }

    fn knobs(&self) -> &'static [LabKnob] {
        knobs::KNOBS
    }

    fn check(&self, values: &Values) -> Result<(), String> {
        knobs::check(values)
    }

    fn charts(&self, values: &Values) -> Vec<Chart> {
        charts::all(&knobs::Setting::of(values))
    }

    fn protocol(&self, bench: &mut Bench<'_>) -> Result<(), Halt> {
        protocol::run(bench)
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn lesson(&self) -> &'static str {
        include_str!("../../../assets/lessons/shaped-transformer.md")
    }

    fn theory(&self, values: &Values, inputs: &Inputs) -> Result<Vec<Table>, String> {
        theory::tables(values, inputs)
    }

    /// The last layer's numbers of every witness.
    fn summary(&self, recording: &Recording) -> Vec<(String, f64)> {
        let witnesses =
            ["equation", "chain", "networks", "unshaped", "unshaped-networks", "not-centred", "cold", "rectifier"];
        let series =
            ["median correlation", "mean |correlation|", "median variance", "upper variance", "exploded", "distance"];
        let number =
            |witness: &str, name: &str| Some((format!("{witness}: {name}"), claims::last(recording, witness, name)?));
        witnesses.iter().flat_map(|witness| series.iter().filter_map(|name| number(witness, name))).collect()
    }
}
