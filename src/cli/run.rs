//! `landscope run`: a whole run without a window.

use std::path::PathBuf;

use clap::{ArgMatches, Command};

use super::{arguments, headless, knob_flags, model_files};

pub fn command() -> Command {
    let command = Command::new("run")
        .about("Train without a window; write a recording and a figure of every pane")
        .arg(arguments::out())
        .arg(arguments::json())
        .arg(model_files::path_flag(
            "init-weights",
            "Begin with these parameters, a safetensors file (see `landscope init`)",
        ))
        .arg(model_files::save_weights_flag());
    knob_flags::add(command)
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let mut spec = knob_flags::spec(matches)?;
    if let Some(path) = matches.get_one::<PathBuf>("init-weights") {
        spec.init_weights = Some(path.clone());
    }
    let save = model_files::save_weights(matches)?;
    let folder = arguments::prepare_out(matches.get_one("out"))?;
    headless::run(spec, &folder, save, matches.get_flag("json"))
}
