//! `landscope watch DIR`: a training that another program does, live or afterwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;

use crate::app::{self, WindowError};
use crate::base::pipes;
use crate::record::{Outcome, Recording, names};
use crate::run::messages::Event;
use crate::run::session::{Session, SessionOptions};
use crate::run::spec::RunSpec;
use crate::run::watch::{PROBES, WatchOrder, settings};
use crate::run::worker::WorkerOptions;

use super::{arguments, autosave, knob_flags, model_files, places, progress};

/// Points a side of a slice, without and with a window.
const FINEST_SLICES: [usize; 2] = [33, 65];

pub fn command() -> Command {
    let folder = Arg::new("folder")
        .required(true)
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .help("The folder: model.toml, the examples, and step-N.safetensors as they appear (docs/WATCH.md)");
    let probes: Vec<String> = PROBES.iter().map(|(id, what)| format!("{id} ({what})")).collect();
    let probe = Arg::new("probe").long("probe").value_name("PROBE").action(ArgAction::Append).help(format!(
        "Measure only this besides losses and norms; may be repeated; `none` measures nothing else [default: all]: {}",
        probes.join("; ")
    ));
    let once = Arg::new("once")
        .long("once")
        .action(ArgAction::SetTrue)
        .help("Measure what is there, without a window, write the recording and end");
    let out = Arg::new("out")
        .long("out")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Where the recording is written [default: watch.landscope in the folder, or watch-2, ...; with a window among the automatic recordings]");
    let flags = settings().map(|knob| {
        let default = knob.default_value().to_string();
        let default = if knob.id.ends_with("-examples") { "" } else { default.as_str() };
        knob_flags::flag(knob, default).help_heading(knob.group.title())
    });
    Command::new("watch")
        .about("Watch a training that another program does: measure each checkpoint that appears in a folder")
        .arg(folder)
        .arg(probe)
        .arg(once)
        .arg(out)
        .arg(arguments::json())
        .arg(arguments::memory())
        .arg(model_files::device_flag())
        .args(flags)
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let order = order(matches)?;
    let out = matches.get_one::<PathBuf>("out");
    out.map_or(Ok(()), |path| model_files::check_new_file(path, "out"))?;
    let json = matches.get_flag("json");
    if !order.once && !json {
        match app::display() {
            Ok(()) => return window(order, out.cloned(), arguments::memory_of(matches)),
            Err(WindowError::NoDisplay) => {
                eprintln!("No display here: watching without a window; end it with Ctrl-C, the recording is safe");
            }
            Err(error) => return Err(error.into()),
        }
    }
    headless(order, out, json)
}

fn order(matches: &ArgMatches) -> anyhow::Result<WatchOrder> {
    let Some(folder) = matches.get_one::<PathBuf>("folder") else { bail!("give the folder") };
    if !folder.is_dir() {
        bail!("there is no folder {folder:?}; give the folder that the other program writes its checkpoints into");
    }
    let mut probes = Vec::new();
    for asked in matches.get_many::<String>("probe").into_iter().flatten() {
        if asked == "none" {
            // Of no probe's name: nothing is left.
            probes.push("none");
            continue;
        }
        let Some((id, _)) = PROBES.iter().find(|(id, _)| id == asked) else {
            let ids: Vec<_> = PROBES.iter().map(|(id, _)| *id).collect();
            bail!("--probe can't be {asked:?}; give `none` or one of {}", ids.join(", "));
        };
        probes.push(id);
    }
    let knobs = knob_flags::given(matches, &[])?.into_iter().map(|(knob, value)| (knob.id, value)).collect();
    Ok(WatchOrder {
        folder: folder.clone(),
        probes,
        knobs,
        device: model_files::device(matches),
        once: matches.get_flag("once"),
    })
}

fn window(order: WatchOrder, out: Option<PathBuf>, budget: usize) -> anyhow::Result<()> {
    let wake = app::Wake::default();
    let ring = wake.clone();
    let file = out.or_else(autosave::path);
    let options = SessionOptions {
        wake: Arc::new(move || ring.ring()),
        recording: file.clone(),
        worker: WorkerOptions { play: true, finest_slice: FINEST_SLICES[1] },
    };
    let session = Session::start_watch(order, options)?;
    let (commands, events) = (session.commands().clone(), session.events().clone());
    Ok(app::run(
        app::Source::Live { spec: RunSpec::default(), commands, events, wake, file },
        places::of_the_window(budget),
    )?)
}

/// `watch.landscope` in the folder, or the first of `watch-2.landscope`, ... that isn't there.
fn free(folder: &Path) -> anyhow::Result<PathBuf> {
    let numbered = (2..).map(|n| folder.join(format!("watch-{n}.landscope")));
    let found = std::iter::once(folder.join("watch.landscope")).chain(numbered).find(|path| !path.exists());
    found.context("no free name for the recording")
}

fn headless(order: WatchOrder, out: Option<&PathBuf>, json: bool) -> anyhow::Result<()> {
    pipes::end_when_nobody_reads();
    let path = out.cloned().map_or_else(|| free(&order.folder), Ok)?;
    let options = SessionOptions {
        recording: Some(path.clone()),
        worker: WorkerOptions { play: true, finest_slice: FINEST_SLICES[0] },
        ..SessionOptions::default()
    };
    let session = Session::start_watch(order, options)?;
    let recording = listen(&session, json)?;
    // Ends the recording file.
    drop(session);
    let count = recording.scalar(&names::TRAIN_LOSS).map_or(0, |series| series.len());
    if json {
        let mut object = serde_json::Map::new();
        object.insert("checkpoints".into(), json!(count));
        object.insert("recording".into(), json!(path));
        progress::print_line(object);
    } else {
        println!("{count} checkpoints measured; recording: {}", path.display());
    }
    if count == 0 {
        bail!("no checkpoint could be measured; docs/WATCH.md says what a folder that is watched needs");
    }
    Ok(())
}

/// Tells of each checkpoint when all of it is measured, until no more come.
fn listen(session: &Session, json: bool) -> anyhow::Result<Recording> {
    let mut recording = Recording::default();
    while let Ok(event) = session.events().recv() {
        match event {
            Event::Started { header, .. } => {
                if !json {
                    eprintln!(
                        "{}: {} ({} parameters), {} training and {} test examples",
                        header.task_title,
                        header.model_title,
                        header.parameters,
                        header.train_examples,
                        header.test_examples
                    );
                }
                recording = Recording::new((*header).clone());
            }
            Event::Snapshot(snapshot) => {
                recording.push(&snapshot).context("the worker sent a reading that doesn't fit; this is a bug")?;
            }
            Event::Remark(text) if json => {
                let mut object = serde_json::Map::new();
                object.insert("remark".into(), json!(text));
                progress::print_line(object);
            }
            Event::Remark(text) => eprintln!("{text}"),
            Event::AtRest { .. } if recording.outcome.is_some() => return Ok(recording),
            Event::AtRest { step } if json => progress::print_line(progress::line(&recording, step)),
            Event::AtRest { step } => println!("{}", line(&recording, step)),
            Event::Ended { outcome: Outcome::Failed(_), .. } => {}
            Event::Ended { outcome, .. } => recording.outcome = Some(outcome),
            Event::Failed(message) => bail!("{message}"),
            Event::SaveFailed(message) => bail!("can't record: {message}"),
            _ => {}
        }
    }
    bail!("the worker ended without a word; this is a bug")
}

/// What people want to know of a checkpoint.
fn line(recording: &Recording, step: u64) -> String {
    let value = |id| recording.scalar(&id).and_then(|series| series.latest_at(step)).filter(|(at, _)| *at == step);
    let mut words = vec![format!("step {step}")];
    let mut add = |name: &str, id, factor: f64, unit: &str| {
        words.extend(value(id).map(|(_, value)| format!("{name} {:.5}{unit}", factor * value)));
    };
    add("train loss", names::TRAIN_LOSS, 1.0, "");
    add("test loss", names::TEST_LOSS, 1.0, "");
    add("test accuracy", names::TEST_ACCURACY, 100.0, " %");
    add("sharpness", names::SHARPNESS, 1.0, "");
    words.join(", ")
}
