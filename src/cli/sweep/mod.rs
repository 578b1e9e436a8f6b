//! `landscope sweep`: a run or a lab over the values of some knobs, resumable.

mod axes;
mod processes;
mod subjects;

use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::{anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;

use crate::run::bench::Preset;
use crate::run::spec::RunSpec;
use crate::run::sweep::{self, Cell, Folder, Outcome, Plan, Progress, Status};

/// Floating-point operations a second and core that small networks reach, about: what a plan's time is estimated with before any cell was run.
const RATE: f64 = 1.5e10;

pub fn command() -> Command {
    let folder =
        || Arg::new("folder").value_name("DIR").required(true).value_parser(value_parser!(PathBuf)).help("The sweep");
    let json = || Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object");
    let count = |id: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name("N").value_parser(value_parser!(u64).range(1..=1_024)).help(help)
    };
    let pairs = |id: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name("KNOB=VALUE").action(ArgAction::Append).help(help)
    };
    let plan = Command::new("plan")
        .about("Write down the cells of a sweep; twice makes nothing twice, further values add cells")
        .arg(folder())
        .arg(Arg::new("subject").value_name("WHAT").required(true).help("A lab's name, or `run` for the Playground"))
        .arg(pairs(
            "axis",
            "Values of a knob: width=16,32,64, lr=0.01..1*9 (9 values, evenly in logarithms); lists with `;` between",
        ))
        .arg(pairs("set", "A knob that all cells share"))
        .arg(count("seeds", "Seeds 0 to N - 1 [default: 1]"))
        .arg(
            Arg::new("preset")
                .long("preset")
                .value_name("NAME")
                .value_parser(Preset::ALL.map(Preset::id))
                .default_value(Preset::Instant.id())
                .help("Where a lab's other knobs stand"),
        )
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("A run's specification to begin with, a TOML file"),
        )
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Tell cells, operations and time, and write nothing"),
        );
    let run = Command::new("run")
        .about("Run the cells that have no result yet, the most expensive first; stop it whenever you like")
        .arg(folder())
        .arg(count("processes", "So many processes"))
        .arg(count("threads", "So many threads of one process [default: 1]"))
        .arg(Arg::new("worker").long("worker").hide(true).action(ArgAction::SetTrue));
    let status = Command::new("status").about("Tell how far a sweep is").arg(folder()).arg(json());
    let retry = Command::new("retry")
        .about("Let cells that failed run again")
        .arg(folder())
        .arg(Arg::new("diverged").long("diverged").action(ArgAction::SetTrue).help("Those that diverged, too"));
    let merge =
        Command::new("merge").about("Take in the results of other folders of the same sweep").arg(folder()).arg(
            Arg::new("from")
                .value_name("DIR")
                .required(true)
                .num_args(1..)
                .value_parser(value_parser!(PathBuf))
                .help("From where"),
        );
    Command::new("sweep")
        .about("Run a lab or the Playground over the values of some knobs: resumable, in processes or threads")
        .subcommand_required(true)
        .subcommands([plan, run, status, retry, merge])
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let Some((name, matches)) = matches.subcommand() else { bail!("give one of plan, run, status, retry, merge") };
    let Some(path) = matches.get_one::<PathBuf>("folder") else { bail!("give the sweep's folder") };
    match name {
        "plan" => plan(path, matches),
        "run" => work(path, matches),
        "status" => status(&Folder::open(path)?, matches.get_flag("json")),
        "retry" => {
            let count = Folder::open(path)?.retry(matches.get_flag("diverged"))?;
            println!("{count} cells will run again");
            Ok(())
        }
        _ => {
            for from in matches.get_many::<PathBuf>("from").into_iter().flatten() {
                let count = sweep::merge(&Folder::open(path)?, &Folder::open(from)?)?;
                println!("{count} results from {}", from.display());
            }
            Ok(())
        }
    }
}

fn plan(path: &std::path::Path, matches: &ArgMatches) -> anyhow::Result<()> {
    let name = matches.get_one::<String>("subject").cloned().unwrap_or_default();
    let preset = matches.get_one::<String>("preset").and_then(|id| Preset::find(id)).unwrap_or_default();
    let config = match matches.get_one::<PathBuf>("config") {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| anyhow!("can't read {}: {error}; give --config a TOML file", file.display()))?;
            Some(RunSpec::from_toml(&text, &file.display().to_string())?)
        }
        None => None,
    };
    let given = |id: &str| matches.get_many::<String>(id).into_iter().flatten();
    let set = given("set").map(|text| axes::pair(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let axes = given("axis").map(|text| axes::axis(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let seeds = matches.get_one::<u64>("seeds").copied().unwrap_or(1);
    let plan = Plan { base: subjects::base(&name, preset, config, &set)?, subject: name, axes, seeds };
    let subject = subjects::of(&plan)?;
    if matches.get_flag("dry-run") {
        let cells = plan.cells(&*subject)?;
        for cell in &cells {
            println!("{}  {}", cell.name(), title(cell));
        }
        println!("{}", estimate(&cells, None));
        return Ok(());
    }
    let folder = Folder::plan(path, plan, &*subject)?;
    println!("{}", estimate(&folder.cells()?, None));
    println!("run them: landscope sweep run {}", path.display());
    Ok(())
}

fn title(cell: &Cell) -> String {
    cell.knobs.iter().map(|(knob, value)| format!("{knob}={value}")).collect::<Vec<_>>().join(" ")
}

/// Cells, operations and time; `measured` is seconds an operation, if cells have been run.
fn estimate(cells: &[Cell], measured: Option<f64>) -> String {
    let count = cells.len();
    let Some(cost) = cells.iter().map(|cell| cell.cost).sum::<Option<f64>>() else {
        return format!("{count} cells; nobody knows how long one takes before one was run");
    };
    let (rate, source) = match measured {
        Some(seconds) => (1.0 / seconds, "as the finished ones did"),
        None => (RATE, "at 15 billion a second and core"),
    };
    format!("{count} cells, {cost:.2e} floating-point operations, about {} on one core {source}", duration(cost / rate))
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

fn work(path: &std::path::Path, matches: &ArgMatches) -> anyhow::Result<()> {
    let folder = Folder::open(path)?;
    let subject = subjects::of(&folder.plan)?;
    let worker = matches.get_flag("worker");
    if worker {
        sweep::end_with_the_input()?;
    }
    if let Some(count) = matches.get_one::<u64>("processes") {
        processes::run(path, *count as usize)?;
        return status(&folder, false);
    }
    let threads = matches.get_one::<u64>("threads").copied().unwrap_or(1) as usize;
    let total = folder.cells()?.len();
    let speak = Mutex::new(());
    let tell = |progress: Progress<'_>| {
        if let Progress::Finished(cell, ending) = progress {
            let _turn = speak.lock();
            let done = folder.cells().map_or(0, |cells| cells.iter().filter(|c| folder.ending(c).is_some()).count());
            println!("[{done}/{total}] {}: {} in {:.1} s", title(cell), word(ending.outcome), ending.seconds);
        }
    };
    sweep::work_in_threads(&folder, &*subject, threads, &tell)?;
    if worker { Ok(()) } else { status(&folder, false) }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Finished => "finished",
        Outcome::Diverged => "diverged",
        Outcome::Failed => "failed",
    }
}

fn status(folder: &Folder, json: bool) -> anyhow::Result<()> {
    let cells = folder.cells()?;
    let statuses: Vec<_> = cells.iter().map(|cell| folder.status(cell)).collect();
    let count = |what: &dyn Fn(&Status) -> bool| statuses.iter().filter(|status| what(status)).count();
    let ended = |outcome| count(&|status| matches!(status, Status::Done(ending) if ending.outcome == outcome));
    let (finished, diverged, failed) = (ended(Outcome::Finished), ended(Outcome::Diverged), ended(Outcome::Failed));
    let (running, waiting) = (count(&|s| *s == Status::Running), count(&|s| *s == Status::Waiting));
    if json {
        println!(
            "{}",
            json!({"cells": cells.len(), "finished": finished, "diverged": diverged, "failed": failed, "running": running, "waiting": waiting})
        );
        return Ok(());
    }
    println!(
        "{} cells: {finished} finished, {diverged} diverged, {failed} failed, {running} running, {waiting} waiting",
        cells.len()
    );
    let left: Vec<_> = cells
        .iter()
        .zip(&statuses)
        .filter(|(_, status)| !matches!(status, Status::Done(_)))
        .map(|(cell, _)| cell.clone())
        .collect();
    if !left.is_empty() {
        let done = cells.iter().zip(&statuses).filter_map(|(cell, status)| match status {
            Status::Done(ending) => Some((ending.seconds, cell.cost?)),
            _ => None,
        });
        let (seconds, cost) = done.fold((0.0, 0.0), |(s, c), (seconds, cost)| (s + seconds, c + cost));
        println!("left: {}", estimate(&left, (cost > 0.0).then(|| seconds / cost)));
    }
    for (cell, status) in cells.iter().zip(&statuses) {
        if let Status::Done(ending) = status
            && ending.outcome == Outcome::Failed
        {
            println!("failed: {}: {}", title(cell), ending.message);
        }
    }
    Ok(())
}
