//! An experiment during which knobs are turned as somebody turned them once.

use crate::record::{Header, Intervention};

use super::{Bench, Halt, Program, Values};

/// A program with interventions, each after the round that its step says.
pub struct Scripted {
    pub program: Box<dyn Program>,
    pub script: Vec<Intervention>,
}

impl Program for Scripted {
    fn header(&self, values: &Values) -> Header {
        self.program.header(values)
    }

    fn check(&self, values: &Values) -> Result<(), String> {
        self.program.check(values)
    }

    fn protocol(&self, bench: &mut Bench<'_>) -> Result<(), Halt> {
        bench.script.clone_from(&self.script);
        self.program.protocol(bench)
    }
}
