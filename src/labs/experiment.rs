//! A lab as the worker runs it.

use crate::record::{Header, LabHeader};
use crate::run::bench::{Bench, Halt, Program, Values};

use super::lab::Lab;

/// A lab on a bench.
pub struct Experiment(pub &'static dyn Lab);

impl Program for Experiment {
    fn header(&self, values: &Values) -> Header {
        let lab = self.0;
        let knobs = values.texts();
        Header {
            program_version: env!("CARGO_PKG_VERSION").into(),
            spec: values.to_toml(lab.id()),
            task_title: lab.title().into(),
            model_title: lab.paper().title.into(),
            lab: Some(LabHeader { id: lab.id().into(), title: lab.title().into(), seed: values.seed, knobs }),
            charts: lab.charts(values),
            ..Header::default()
        }
    }

    fn check(&self, values: &Values) -> Result<(), String> {
        self.0.check(values)
    }

    fn protocol(&self, bench: &mut Bench<'_>) -> Result<(), Halt> {
        self.0.protocol(bench)
    }
}
