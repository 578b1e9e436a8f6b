//! `landscope view FILE …`: recordings, a sweep, a saved state or a link in the window, or as figures.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::app::share::{SharedState, link};
use crate::app::{self, WindowError, bring};
use crate::record::file;
use crate::run::sweep::{self, Folder};

use super::{arguments, figure_files, places};

pub fn command() -> Command {
    let file =
        Arg::new("file").required(true).num_args(1..).value_name("FILE").value_parser(value_parser!(PathBuf)).help(
            "A recording, the folder of a sweep, a saved state, specification or lab setting (TOML), or a link (landscope://…); several recordings are compared: their tracks share every pane",
        );
    let out =
        arguments::out().help("Write figures and tables of every pane into this folder instead of opening a window");
    let toml = Arg::new("toml")
        .long("toml")
        .action(ArgAction::SetTrue)
        .help("Print what a link or a saved state holds, and open nothing");
    let link = Arg::new("link")
        .long("link")
        .action(ArgAction::SetTrue)
        .help("Print the link of a saved state, and open nothing");
    Command::new("view")
        .visible_alias("open")
        .about("Open a recording, several to compare, a sweep to watch it fill in, a saved state or a link")
        .args([file, arguments::memory(), out, toml, link])
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let paths: Vec<PathBuf> = matches.get_many("file").into_iter().flatten().cloned().collect();
    let Some(path) = paths.first() else { bail!("give the recording's path") };
    let memory = arguments::memory_of(matches);
    if let [path] = paths.as_slice()
        && let Some(text) = state_text(path)?
    {
        return state(&text, path, matches);
    }
    if matches.get_flag("toml") || matches.get_flag("link") {
        bail!(
            "{} is no saved state: --toml and --link are for one link, saved state or specification (.toml)",
            path.display()
        );
    }
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
    window(app::Source::File { files: paths, recording: Box::new(recording) }, memory)
}

/// The link, or the text of the file, if that is what was named.
fn state_text(path: &Path) -> anyhow::Result<Option<String>> {
    if let Some(text) = path.to_str().filter(|text| link::is_one(text)) {
        return Ok(Some(text.to_owned()));
    }
    let is_text = path.extension().is_some_and(|extension| ["toml", "txt"].iter().any(|known| extension == *known));
    if !is_text || path.is_dir() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("can't read {}; give the path of a recording or a saved state", path.display()))?;
    Ok(Some(text))
}

fn state(text: &str, path: &Path, matches: &ArgMatches) -> anyhow::Result<()> {
    let (state, remarks) = if link::is_one(text) {
        SharedState::read(text)?
    } else {
        bring::setting(text, path).map_err(anyhow::Error::msg)?
    };
    if matches.get_flag("toml") || matches.get_flag("link") {
        remarks.iter().for_each(|remark| eprintln!("{remark}"));
        let text = if matches.get_flag("link") { state.to_link() } else { state.to_toml() };
        println!("{}", text.map_err(anyhow::Error::msg)?.trim_end());
        return Ok(());
    }
    if matches.get_one::<PathBuf>("out").is_some() {
        bail!(
            "a link holds an experiment and no measurements, so there is nothing to draw yet; open it in a window, or run the experiment with `landscope run`"
        );
    }
    window(app::Source::Shared { state: Box::new(state), remarks }, arguments::memory_of(matches))
}

fn window(source: app::Source, memory: usize) -> anyhow::Result<()> {
    let is_shared = matches!(source, app::Source::Shared { .. });
    match app::display() {
        Ok(()) => Ok(app::run(source, places::of_the_window(memory))?),
        Err(WindowError::NoDisplay) if is_shared => {
            bail!("no display here to open a window on; give --toml to see what the link or the state holds")
        }
        Err(WindowError::NoDisplay) => {
            bail!("no display here to open a window on; give --out DIR to get figures of every pane")
        }
        Err(error) => Err(error.into()),
    }
}
