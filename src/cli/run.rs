//! `landscope run`: a whole run without a window.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{arguments, headless, knob_flags};

pub fn command() -> Command {
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Progress as one JSON object a line on standard output; the last one has the outcome");
    let command = Command::new("run")
        .about("Train without a window; write a recording and a figure of every pane")
        .arg(arguments::out())
        .arg(json);
    knob_flags::add(command)
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let spec = knob_flags::spec(matches)?;
    let folder = arguments::prepare_out(matches.get_one("out"))?;
    headless::run(spec, &folder, matches.get_flag("json"))
}
