//! `landscope view FILE …`: recordings or a sweep in the window, or as figures.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::app::{self, WindowError};
use crate::record::file;
use crate::run::sweep::{self, Folder};

use super::{arguments, figure_files};

pub fn command() -> Command {
    let file =
        Arg::new("file").required(true).num_args(1..).value_name("FILE").value_parser(value_parser!(PathBuf)).help(
            "A recording, or the folder of a sweep; several recordings are compared: their tracks share every pane",
        );
    let out =
        arguments::out().help("Write figures and tables of every pane into this folder instead of opening a window");
    Command::new("view")
        .about("Open a recording, several to compare, or a sweep to watch it fill in")
        .arg(file)
        .arg(arguments::memory())
        .arg(out)
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let paths: Vec<PathBuf> = matches.get_many("file").into_iter().flatten().cloned().collect();
    let Some(path) = paths.first() else { bail!("give the recording's path") };
    let memory = arguments::memory_of(matches);
    if let Some(folder) = paths.iter().find(|path| Folder::is_one(path)).filter(|_| paths.len() > 1) {
        bail!(
            "{} is the folder of a sweep, which is watched alone; give it alone, or the recordings of its cells",
            folder.display()
        );
    }
    let sweep = Folder::is_one(path).then(|| Folder::open(path)).transpose()?;
    if let (Some(_), None) = (&sweep, matches.get_one::<PathBuf>("out")) {
        return window(app::Source::Sweep(path.clone()), memory);
    }
    let lone = paths.len() == 1 && sweep.is_none() && matches.get_one::<PathBuf>("out").is_none();
    if lone && file::is_being_written(path) {
        return window(app::Source::Followed(path.clone()), memory);
    }
    let recording = match &sweep {
        Some(folder) => sweep::recording(folder)?,
        None => app::read_beside(&paths, memory)?,
    };
    if let Some(out) = matches.get_one::<PathBuf>("out") {
        let folder = arguments::prepare_out(Some(out))?;
        figure_files::write_all(&recording, &folder)?;
        println!("figures: {}", folder.display());
        return Ok(());
    }
    let others = paths.len() - 1;
    window(app::Source::File { path: path.clone(), recording: Box::new(recording), others }, memory)
}

fn window(source: app::Source, memory: usize) -> anyhow::Result<()> {
    match app::display() {
        Ok(()) => Ok(app::run(source, memory)?),
        Err(WindowError::NoDisplay) => {
            bail!("no display here to open a window on; give --out DIR to get figures of every pane")
        }
        Err(error) => Err(error.into()),
    }
}
