//! `landscope view FILE`: a recording or a sweep in the window, or as figures.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::app::{self, WindowError};
use crate::record::file;
use crate::run::sweep::{self, Folder};

use super::{arguments, figure_files};

pub fn command() -> Command {
    let file = Arg::new("file")
        .required(true)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("A recording, or the folder of a sweep");
    let out =
        arguments::out().help("Write figures and tables of every pane into this folder instead of opening a window");
    Command::new("view").about("Open a recording, or a sweep to watch it fill in").arg(file).arg(out)
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let Some(path) = matches.get_one::<PathBuf>("file") else { bail!("give the recording's path") };
    let sweep = Folder::is_one(path).then(|| Folder::open(path)).transpose()?;
    if let (Some(_), None) = (&sweep, matches.get_one::<PathBuf>("out")) {
        return window(app::Source::Sweep(path.clone()));
    }
    if sweep.is_none() && matches.get_one::<PathBuf>("out").is_none() && file::is_being_written(path) {
        return window(app::Source::Followed(path.clone()));
    }
    let recording = match &sweep {
        Some(folder) => sweep::recording(folder)?,
        None => file::read(path)?,
    };
    if let Some(out) = matches.get_one::<PathBuf>("out") {
        let folder = arguments::prepare_out(Some(out))?;
        figure_files::write_all(&recording, &folder)?;
        println!("figures: {}", folder.display());
        return Ok(());
    }
    window(app::Source::File { path: path.clone(), recording: Box::new(recording) })
}

fn window(source: app::Source) -> anyhow::Result<()> {
    match app::display() {
        Ok(()) => Ok(app::run(source)?),
        Err(WindowError::NoDisplay) => {
            bail!("no display here to open a window on; give --out DIR to get figures of every pane")
        }
        Err(error) => Err(error.into()),
    }
}
