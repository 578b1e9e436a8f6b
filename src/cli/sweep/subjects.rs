//! What can be swept: the Playground's runs, and labs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{anyhow, bail};
use indicatif::ProgressBar;

use crate::labs::{self, Lab};
use crate::record::{Outcome as Ended, Recording, SeriesId, file, names};
use crate::run::bench::{Preset, Values};
use crate::run::knobs;
use crate::run::messages::Event;
use crate::run::session::{Session, SessionOptions};
use crate::run::spec::RunSpec;
use crate::run::sweep::{Ending, Outcome, Plan, Subject};
use crate::run::trainer::Trainer;
use crate::run::worker::WorkerOptions;

use crate::cli::lab_run;

/// The id of the Playground's runs.
pub const RUN: &str = "run";

/// The subject of a plan.
///
/// # Errors
/// If there is no such lab, or its base can't be read.
pub fn of(plan: &Plan) -> anyhow::Result<Box<dyn Subject>> {
    if plan.subject == RUN {
        return Ok(Box::new(Runs { base: RunSpec::from_toml(&plan.base, "of the sweep")? }));
    }
    let lab = labs::find(&plan.subject).ok_or_else(|| anyhow!("there is no lab {:?}", plan.subject))?;
    let mut base = Values::preset(lab.knobs(), Preset::Standard);
    base.read_toml(&plan.base).map_err(|message| anyhow!("the sweep's base can't be read: {message}"))?;
    Ok(Box::new(Experiments { lab, base }))
}

/// The base of a plan: what all cells share.
///
/// # Errors
/// One sentence that names the knob, the value and what is allowed.
pub fn base(
    subject: &str,
    preset: Preset,
    config: Option<RunSpec>,
    set: &[(String, String)],
) -> anyhow::Result<String> {
    if subject == RUN {
        let runs = Runs { base: config.unwrap_or_default() };
        return runs.with(set).map_err(|message| anyhow!("{message}"));
    }
    let Some(lab) = labs::find(subject) else {
        let known: Vec<_> = labs::LABS.iter().map(|lab| lab.id()).collect();
        bail!("there is no lab {subject:?}; give {RUN} or one of {}", known.join(", "));
    };
    let experiments = Experiments { lab, base: Values::preset(lab.knobs(), preset) };
    experiments.with(set).map_err(|message| anyhow!("{message}"))
}

struct Runs {
    base: RunSpec,
}

impl Subject for Runs {
    fn with(&self, set: &[(String, String)]) -> Result<String, String> {
        let mut spec = self.base.clone();
        // In the panel's order: presets of blocks come before what they set.
        for knob in knobs::all() {
            if let Some((_, text)) = set.iter().find(|(id, _)| id == knob.id) {
                let value = knob.parse(text)?;
                knob.set(&mut spec, &value)?;
            }
        }
        if let Some((id, _)) = set.iter().find(|(id, _)| knobs::find(id).is_none()) {
            return Err(format!("there is no knob {id:?}; `landscope list` names them"));
        }
        knobs::validate(&spec)?;
        Ok(spec.to_toml())
    }

    /// 6 floating-point operations a parameter, token, example and step: a forward pass and two backward ones.
    fn cost(&self, spec: &str) -> Option<f64> {
        let trainer = Trainer::new(RunSpec::from_toml(spec, "of a cell").ok()?).ok()?;
        let spec = trainer.spec();
        let examples = if spec.batch_size == 0 { trainer.train().len() } else { spec.batch_size };
        let passes = trainer.multiplications().ok()?;
        Some(6.0 * passes * examples as f64 * spec.steps as f64)
    }

    fn run(&self, spec: &str, recording: &Path) -> Ending {
        let started = Instant::now();
        match RunSpec::from_toml(spec, "of a cell").map_err(|e| e.to_string()).and_then(|spec| train(spec, recording)) {
            Ok(ended) => ending(&ended, run_numbers(&ended), started.elapsed().as_secs_f64()),
            Err(message) => Ending::failed(message),
        }
    }
}

fn train(spec: RunSpec, path: &Path) -> Result<Recording, String> {
    let options = SessionOptions {
        recording: Some(path.into()),
        worker: WorkerOptions { play: true, finest_slice: 9 },
        ..SessionOptions::default()
    };
    let session = Session::start(spec, options).map_err(|error| error.to_string())?;
    while let Ok(event) = session.events().recv() {
        match event {
            Event::Failed(message) | Event::SaveFailed(message) => return Err(message),
            Event::Ended { outcome: Ended::Finished | Ended::Diverged(_), .. } => break,
            _ => {}
        }
    }
    // Ends the file.
    drop(session);
    file::read(path).map_err(|error| error.to_string())
}

/// The last values of what every run records, the minibatch's loss as its moving average.
fn run_numbers(recording: &Recording) -> BTreeMap<String, f64> {
    let mut numbers = BTreeMap::new();
    let last =
        |id: &SeriesId| recording.scalar(id).and_then(|series| series.latest_at(u64::MAX)).map(|(_, value)| value);
    for id in [names::TEST_LOSS, names::TEST_ACCURACY, names::SHARPNESS, names::PRECONDITIONED_SHARPNESS] {
        numbers.extend(last(&id).map(|value| (id.to_string(), value)));
    }
    let smoothed = recording.scalar(&names::TRAIN_LOSS).and_then(|series| series.smoothed().last().copied());
    numbers.extend(smoothed.map(|value| (names::TRAIN_LOSS.to_string(), value)));
    numbers
}

fn ending(recording: &Recording, numbers: BTreeMap<String, f64>, seconds: f64) -> Ending {
    let (outcome, message) = match &recording.outcome {
        Some(Ended::Diverged(divergence)) => (Outcome::Diverged, divergence.to_string()),
        Some(Ended::Finished) => (Outcome::Finished, String::new()),
        other => (Outcome::Failed, format!("it ended without a result ({other:?}); run it again with `sweep retry`")),
    };
    Ending { outcome, message, seconds, numbers }
}

struct Experiments {
    lab: &'static dyn Lab,
    base: Values,
}

impl Subject for Experiments {
    fn with(&self, set: &[(String, String)]) -> Result<String, String> {
        let mut values = self.base.clone();
        set.iter().try_for_each(|(id, text)| values.set_text(id, text))?;
        self.lab.check(&values)?;
        Ok(values.to_toml(self.lab.id()))
    }

    fn cost(&self, spec: &str) -> Option<f64> {
        let mut values = self.base.clone();
        values.read_toml(spec).ok()?;
        self.lab.cost(&values)
    }

    fn run(&self, spec: &str, recording: &Path) -> Ending {
        let mut values = self.base.clone();
        if let Err(message) = values.read_toml(spec) {
            return Ending::failed(message);
        }
        match lab_run::record(self.lab, values, Some(recording.into()), &ProgressBar::hidden()) {
            Ok((made, took)) => {
                let numbers = self.lab.summary(&made).into_iter().collect();
                ending(&made, numbers, took.as_secs_f64())
            }
            Err(error) => Ending::failed(error.to_string()),
        }
    }
}
