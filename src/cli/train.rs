//! `landscope train`: `run` with the files of `init` and `measure`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{ArgMatches, Command};
use serde_json::json;

use crate::run::knobs::{KnobValue, SpecKnob};
use crate::run::model_file::ModelFile;
use crate::run::spec::RunSpec;
use crate::run::trainer::Trainer;
use crate::run::weights_file;

use super::{arguments, headless, knob_flags, model_files, progress};

/// Knobs whose flags are files here.
const FILES: [&str; 2] = ["model", "data"];

pub fn command() -> Command {
    let data = "The training examples, a safetensors file with the tensors x and y; a fifth of them is held out for testing, \
                unless there are x_test and y_test or --test-data";
    let command = Command::new("train")
        .about("Train the network of a model file on the examples of a data file: `run` with the files of `init` and `measure`")
        .arg(model_files::model_flag().required(true))
        .arg(model_files::path_flag("data", data).required(true))
        .arg(model_files::path_flag("test-data", "The test examples, likewise"))
        .arg(model_files::path_flag("weights", "Begin with these parameters, a safetensors file [default: drawn from --seed]"))
        .arg(model_files::save_weights_flag())
        .arg(arguments::out())
        .arg(arguments::json());
    let steps =
        "Updates; 0 only reads the files, evaluates the test examples and writes the parameters [default: 1500]";
    knob_flags::add_without(command, &FILES).mut_arg("steps", |arg| arg.help(steps))
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let model_path = model_files::path(matches, "model")?;
    let base = from_files(matches, &model_files::model(model_path)?)?;
    // No run has 0 steps, but the way from file to file can be had without one.
    let is_still = matches.get_one::<String>("steps").is_some_and(|steps| steps.trim() == "0");
    let left_out: &[&str] = if is_still { &["steps"] } else { &[] };
    let mut spec = base.clone();
    for (knob, value) in knob_flags::given(matches, left_out)? {
        knob.set(&mut spec, &value).map_err(|message| anyhow::anyhow!("--{message}"))?;
        check_agreement(&base, &spec, knob, &value, model_path)?;
    }
    knob_flags::check(&spec)?;
    let save = model_files::save_weights(matches)?;
    if is_still {
        return stand_still(spec, save, matches.get_flag("json"));
    }
    let folder = arguments::prepare_out(matches.get_one("out"))?;
    headless::run(spec, None, &folder, save, matches.get_flag("json"))
}

/// What `--config` says, with the network, the loss, the examples and the parameters of the files.
fn from_files(matches: &ArgMatches, file: &ModelFile) -> anyhow::Result<RunSpec> {
    let mut spec = knob_flags::start(matches)?;
    let RunSpec { model, loss, mut task, .. } = file.run_spec(model_files::path(matches, "data")?);
    (task.train_size, task.label_noise) = (spec.task.train_size, spec.task.label_noise);
    task.test_path = matches.get_one::<PathBuf>("test-data").cloned();
    (spec.model, spec.loss, spec.task) = (model, loss, task);
    spec.init_weights = matches.get_one::<PathBuf>("weights").cloned();
    Ok(spec)
}

/// A flag may repeat what the files say, but not contradict it.
fn check_agreement(
    base: &RunSpec,
    spec: &RunSpec,
    knob: &SpecKnob,
    value: &KnobValue,
    model_path: &Path,
) -> anyhow::Result<()> {
    let (id, said) = (knob.id, knob.get(base));
    if spec.model != base.model || spec.loss != base.loss {
        bail!(
            "--{id} {value} contradicts the model {model_path:?}, which says {said}; change the file, or leave --{id} out"
        );
    }
    if spec.task.kind != base.task.kind {
        bail!("--{id} {value} contradicts --data, a safetensors file; leave --{id} out, or take `landscope run`");
    }
    Ok(())
}

/// Reads and writes as a run does, without an update and without a recording.
fn stand_still(spec: RunSpec, save: Option<&Path>, json: bool) -> anyhow::Result<()> {
    let trainer = Trainer::new(RunSpec { steps: 1, ..spec })?;
    let found = trainer.evaluate()?;
    let param_hash = trainer.params().hash()?;
    if let Some(path) = save {
        weights_file::write(path, trainer.model().layout(), &trainer.params().frozen()?)?;
    }
    if json {
        let mut object = serde_json::Map::new();
        object.insert("step".into(), json!(0));
        object.insert("test_loss".into(), json!(found.loss));
        object.insert("test_accuracy".into(), json!(found.accuracy));
        object.insert("outcome".into(), json!("finished"));
        object.insert("param_hash".into(), json!(param_hash));
        object.insert("weights".into(), json!(save));
        progress::print_line(object);
    } else {
        println!("0 steps, test loss {:.6}, parameters {param_hash}; nothing was recorded", found.loss);
        headless::tell_weights(save);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::run::knobs;

    use super::*;

    #[test]
    fn files_take_the_place_of_their_knobs() {
        command().debug_assert();
        for id in FILES {
            assert!(knobs::find(id).is_some(), "{id} is a knob");
        }
    }
}
