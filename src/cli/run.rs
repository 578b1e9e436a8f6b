//! `landscope run`: a whole run without a window.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{arguments, headless, knob_flags, model_files};

pub fn command() -> Command {
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Progress as one JSON object a line on standard output; the last one has the outcome");
    let command = Command::new("run")
        .about("Train without a window; write a recording and a figure of every pane")
        .arg(arguments::out())
        .arg(json)
        .arg(model_files::path_flag(
            "init-weights",
            "Begin with these parameters, a safetensors file (see `landscope init`)",
        ));
    knob_flags::add(command)
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let mut spec = knob_flags::spec(matches)?;
    if let Some(path) = matches.get_one::<PathBuf>("init-weights") {
        spec.init_weights = Some(path.clone());
    }
    let folder = arguments::prepare_out(matches.get_one("out"))?;
    headless::run(spec, &folder, matches.get_flag("json"))
}
