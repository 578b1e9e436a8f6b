//! A lab without a window.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use clap::{Arg, ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::labs::{Check, Experiment, LABS, Lab};
use crate::record::{Outcome, Recording};
use crate::run::bench::{Preset, Program, Values};
use crate::run::messages::Event;
use crate::run::session::{Session, SessionOptions};
use crate::run::worker::WorkerOptions;

use super::{arguments, figure_files, knob_flags};

/// Adds a subcommand for each lab, with its knobs as flags; `more` adds what the command has besides.
pub fn add_labs(command: Command, more: fn(Command) -> Command) -> Command {
    LABS.iter().fold(command, |command, lab| command.subcommand(more(grammar(*lab))))
}

fn grammar(lab: &'static dyn Lab) -> Command {
    let preset = Arg::new("preset")
        .long("preset")
        .value_name("NAME")
        .value_parser(Preset::ALL.map(Preset::id))
        .default_value(Preset::Standard.id())
        .help("Where the knobs begin: instant (at most 15 s), standard (at most three minutes on two cores), or the paper's scale");
    let seed =
        Arg::new("seed").long("seed").value_name("N").help("The one number behind everything random [default: 0]");
    let defaults = Values::preset(lab.knobs(), Preset::Standard).texts();
    let flags = lab.knobs().iter().map(|entry| {
        let default = defaults.get(entry.knob.id).map_or("", String::as_str);
        knob_flags::flag(&entry.knob, default).help_heading(entry.group)
    });
    Command::new(lab.id()).about(lab.about()).arg(preset).arg(seed).args(flags)
}

/// The lab that was named, with its knobs; none if none was.
///
/// # Errors
/// One sentence that names the flag, the value and what is allowed.
pub fn chosen(matches: &ArgMatches) -> anyhow::Result<Option<(&'static dyn Lab, Values, &ArgMatches)>> {
    let Some((id, flags)) = matches.subcommand() else { return Ok(None) };
    let lab = crate::labs::find(id).ok_or_else(|| anyhow!("there is no lab {id:?}"))?;
    let preset = flags.get_one::<String>("preset").and_then(|id| Preset::find(id)).unwrap_or(Preset::Standard);
    let mut values = Values::preset(lab.knobs(), preset);
    let ids = lab.knobs().iter().map(|entry| entry.knob.id).chain(["seed"]);
    for id in ids {
        if let Some(text) = flags.get_one::<String>(id) {
            values.set_text(id, text).map_err(|message| anyhow!("--{message}"))?;
        }
    }
    lab.check(&values).map_err(|message| anyhow!("--{message}"))?;
    Ok(Some((lab, values, flags)))
}

/// Runs a lab to its end; with the recording that it made, and the seconds it took. A file is written as it goes, if one is named.
///
/// # Errors
/// What went wrong, in words for the user.
pub fn record(
    lab: &'static dyn Lab,
    values: Values,
    file: Option<PathBuf>,
    progress: &ProgressBar,
) -> anyhow::Result<(Recording, Duration)> {
    record_program(Box::new(Experiment(lab)), values, file, progress)
}

/// As [`record`], for any experiment.
///
/// # Errors
/// As there.
pub fn record_program(
    program: Box<dyn Program>,
    values: Values,
    file: Option<PathBuf>,
    progress: &ProgressBar,
) -> anyhow::Result<(Recording, Duration)> {
    let options = SessionOptions {
        recording: file,
        worker: WorkerOptions { play: true, finest_slice: 0 },
        ..SessionOptions::default()
    };
    let started = Instant::now();
    let session = Session::start_lab(program, values, options)?;
    let mut recording = Recording::default();
    while let Ok(event) = session.events().recv() {
        match event {
            Event::LabStarted { header, .. } => recording = Recording::new((*header).clone()),
            Event::Track(info) => recording.begin_track(&info),
            Event::Snapshot(snapshot) => {
                recording.push(&snapshot).context("the lab sent a reading that doesn't fit; this is a bug")?;
            }
            Event::KnobTurned { mark, .. } => recording.intervene(mark),
            Event::Progress(now) => {
                progress.set_position((1_000.0 * now.share) as u64);
                let left = now.left.map(|left| format!("about {left:.0} s left"));
                progress.set_message(left.unwrap_or_default());
            }
            Event::Failed(message) => bail!("{message}"),
            Event::SaveFailed(message) => bail!("can't record: {message}"),
            Event::Ended { outcome: Outcome::Finished, .. } => recording.outcome = Some(Outcome::Finished),
            Event::AtRest { .. } => return Ok((recording, started.elapsed())),
            _ => {}
        }
    }
    bail!("the lab ended without a word; this is a bug")
}

/// A bar for people, on standard error; nothing for programs.
pub fn bar(quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} {bar:30} {percent} %  {msg}");
    ProgressBar::new(1_000).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Runs a lab, writes recording, setting and figures into `folder`, and tells what it claims.
///
/// # Errors
/// What is wrong with the knobs or the disk.
pub fn run(lab: &'static dyn Lab, values: Values, folder: &Path, json: bool) -> anyhow::Result<()> {
    let path = folder.join("recording.landscope");
    if path.exists() {
        bail!("{} exists already; give --out another folder, or move the old recording away", path.display());
    }
    let toml = folder.join("lab.toml");
    std::fs::write(&toml, values.to_toml(lab.id())).with_context(|| format!("can't write {}", toml.display()))?;
    let progress = bar(json).with_prefix(lab.title());
    let (recording, took) = record(lab, values, Some(path), &progress)?;
    progress.finish_and_clear();
    figure_files::write_all(&recording, folder)?;
    let checks: Vec<_> = lab.claims().iter().map(|claim| (claim, (claim.check)(&recording))).collect();
    if json {
        let claims: Vec<_> = checks.iter().map(|(claim, check)| claim_json(claim.id, check)).collect();
        let summary: serde_json::Map<_, _> =
            lab.summary(&recording).into_iter().map(|(name, value)| (name, json!(value))).collect();
        println!(
            "{}",
            json!({"lab": lab.id(), "seconds": took.as_secs_f64(), "claims": claims, "summary": summary, "out": folder})
        );
        return Ok(());
    }
    println!("{}, {:.1} s", lab.title(), took.as_secs_f64());
    for (claim, check) in &checks {
        println!("{:>8}  {}\n          {check}", check.word(), claim.statement);
        if matches!(check, Check::Fails(_)) && !claim.known_failure.is_empty() {
            println!("          {}", claim.known_failure);
        }
    }
    let held = checks.iter().filter(|(_, check)| matches!(check, Check::Holds(_))).count();
    println!("reproduced: {held} of {}", checks.len());
    println!("recording and figures: {}", folder.display());
    Ok(())
}

/// A claim's outcome as JSON.
pub fn claim_json(id: &str, check: &Check) -> Value {
    let numbers: Vec<_> =
        check.numbers().iter().map(|number| json!({"name": number.name, "value": number.value})).collect();
    json!({"claim": id, "result": check.word(), "numbers": numbers, "text": check.to_string()})
}

/// `--out` and `--json`.
pub fn run_arguments(command: Command) -> Command {
    command.arg(arguments::out()).arg(arguments::json())
}
