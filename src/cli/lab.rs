//! `landscope lab`: a paper as a live experiment, in a window where there is a display, else headless.

use anyhow::bail;
use clap::{ArgMatches, Command};

use crate::app::{self, WindowError};

use super::{arguments, lab_run, places};

pub fn command() -> Command {
    let command = Command::new("lab")
        .about("Open a lab, a paper as a live experiment; without a display it runs headless")
        .subcommand_required(true)
        .subcommand_value_name("LAB");
    lab_run::add_labs(command, |lab| {
        lab.arg(arguments::out().help("Folder for recording and figures where there is no display"))
    })
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let Some((lab, values, flags)) = lab_run::chosen(matches)? else { bail!("give the name of a lab") };
    match app::display() {
        Ok(()) => Ok(app::run(
            app::Source::Lab { lab, values, wake: app::Wake::default() },
            places::of_the_window(crate::record::memory::DEFAULT_BYTES),
        )?),
        Err(WindowError::NoDisplay) => {
            eprintln!("No display here: running the lab without a window (DISPLAY and WAYLAND_DISPLAY aren't set)");
            let folder = arguments::prepare_out(flags.get_one("out"))?;
            lab_run::run(lab, values, &folder, false)
        }
        Err(error) => Err(error.into()),
    }
}
