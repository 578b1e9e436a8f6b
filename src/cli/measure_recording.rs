//! `landscope measure --recording FILE`: what nobody measured then.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use serde_json::json;

use crate::probes::measure::Measurement;
use crate::record::{Fork, TrackId, file};
use crate::run::afterwards::{self, Part, Revisit};
use crate::run::measuring::measure_subject;

use super::{measure, model_files};

pub fn arguments() -> Vec<Arg> {
    let number = |id: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name("N").value_parser(value_parser!(u64)).help(help)
    };
    vec![
        Arg::new("recording")
            .long("recording")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .conflicts_with_all(["model", "weights", "data", "reference-weights"])
            .help("Measure at steps of this recording of the Playground, reached from its checkpoints"),
        Arg::new("at")
            .long("at")
            .value_name("STEPS")
            .requires("recording")
            .help("With --recording: steps, such as 100,200 [default: the last one]"),
        number("track", "With --recording: the track, 0 or the number of a branch [default: the newest]")
            .requires("recording"),
        Arg::new("split")
            .long("split")
            .value_name("SPLIT")
            .value_parser(["train", "test"])
            .default_value("train")
            .help("With --recording: which examples are measured on"),
        number("examples", "With --recording: how many of them, the first ones; 0 takes all [default: 0]"),
        Arg::new("add").long("add").action(ArgAction::SetTrue).requires("recording").help(
            "With --recording: measure what the Playground's panes show at these steps and add it to the recording",
        ),
    ]
}

pub fn run(path: &Path, matches: &ArgMatches, probes: &[&'static Measurement]) -> anyhow::Result<()> {
    let recording = file::read(path)?;
    let track = matches.get_one::<u64>("track").map_or(Ok(recording.focus()), |&track| {
        u32::try_from(track)
            .map(TrackId)
            .map_err(|_| anyhow!("--track can't be {track}; give 0 or the number of a branch"))
    })?;
    let newest = recording.track(track).map_or(0, crate::record::Track::newest_step);
    let steps = match matches.get_one::<String>("at") {
        None => vec![newest],
        Some(text) => text
            .split(',')
            .map(|part| {
                let step = part.trim().parse::<u64>();
                step.map_err(|_| anyhow!("--at can't be {part:?}; give steps such as 100,200, from 0 to {newest}"))
            })
            .collect::<Result<_, _>>()?,
    };
    let revisit = Revisit::new(path, &recording)?;
    let json_path = matches.get_one::<PathBuf>("json");
    if let Some(path) = json_path.filter(|path| path.as_os_str() != "-") {
        model_files::check_new_file(path, "json")?;
    }
    let silent = json_path.is_some_and(|path| path.as_os_str() == "-");
    if matches.get_flag("add") {
        for &step in &steps {
            let found = revisit.add(Fork { track, step }, &|| false)?;
            let series: std::collections::BTreeSet<_> =
                found.iter().flat_map(|snapshot| snapshot.readings.iter().map(|(id, _)| id.to_string())).collect();
            if !silent {
                println!("step {step}: added {} readings of {} series", found.len(), series.len());
            }
        }
    }
    if probes.is_empty() {
        return Ok(());
    }
    let part =
        if matches.get_one::<String>("split").is_some_and(|split| split == "test") { Part::Test } else { Part::Train };
    let dtype = model_files::dtype(matches);
    let options = measure::options(matches, dtype == candle_core::DType::F32)?;
    let examples = measure::whole(matches, "examples") as usize;
    let mut answers = Vec::new();
    let mut at = Vec::new();
    for &step in &steps {
        if !silent {
            println!("step {step} of track {}", track.0);
        }
        let subject = || {
            let trainer = revisit.at(Fork { track, step }, &|| false)?;
            afterwards::subject(&trainer, part, examples, dtype, options)
        };
        measure_subject(subject, probes, |answer| {
            if !silent {
                measure::print(&answer);
            }
            at.push(step);
            answers.push(answer);
        })?;
    }
    let Some(path_of_json) = json_path else { return Ok(()) };
    if steps.is_empty() {
        bail!("--at names no step; give steps such as 100,200");
    }
    let report = json!({
        "program_version": env!("CARGO_PKG_VERSION"),
        "recording": path,
        "track": track.0,
        "steps": at,
        "split": if part == Part::Test { "test" } else { "train" },
    });
    measure::write(path_of_json, &report, &answers)
}
