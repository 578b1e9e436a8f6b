//! `landscope run`: a whole run, or a lab, without a window.

use std::path::PathBuf;

use clap::{ArgMatches, Command};

use super::{arguments, headless, knob_flags, lab_run, model_files};

pub fn command() -> Command {
    let command = Command::new("run")
        .about("Train, or run a lab, without a window; write a recording and a figure of every pane")
        .arg(arguments::out())
        .arg(arguments::json())
        .arg(knob_flags::against())
        .arg(model_files::path_flag(
            "init-weights",
            "Begin with these parameters, a safetensors file (see `landscope init`)",
        ))
        .arg(model_files::save_weights_flag());
    let command = knob_flags::add(command).args_conflicts_with_subcommands(true).subcommand_value_name("LAB");
    lab_run::add_labs(command, lab_run::run_arguments)
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    if let Some((lab, values, flags)) = lab_run::chosen(matches)? {
        let folder = arguments::prepare_out(flags.get_one("out"))?;
        return lab_run::run(lab, values, &folder, flags.get_flag("json"));
    }
    let mut spec = knob_flags::spec(matches)?;
    if let Some(path) = matches.get_one::<PathBuf>("init-weights") {
        spec.init_weights = Some(path.clone());
    }
    let save = model_files::save_weights(matches)?;
    let folder = arguments::prepare_out(matches.get_one("out"))?;
    let against = knob_flags::other_spec(matches, &spec)?;
    headless::run(spec, against, &folder, save, matches.get_flag("json"))
}
