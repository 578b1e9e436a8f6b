//! `landscope replay FILE`: does again what a recording says was done, and compares.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;

use crate::labs::{self, Experiment};
use crate::record::file;
use crate::record::{LabHeader, Recording};
use crate::run::bench::{Preset, Scripted, Values};
use crate::run::replay::{self, Difference, Verdict};

use super::{arguments, lab_run, progress::Progress};

/// Relative difference that is no difference where a graphics card computed: sums in another order.
const ON_A_DEVICE: f64 = 1e-3;

pub fn command() -> Command {
    let file =
        Arg::new("file").required(true).value_name("FILE").value_parser(value_parser!(PathBuf)).help("A recording");
    let tolerance = Arg::new("tolerance").long("tolerance").value_name("NUMBER").value_parser(value_parser!(f64)).help(
        "Relative difference of losses that counts as none [default: 0, every bit, for recordings of a CPU; 0.001 for others]",
    );
    Command::new("replay")
        .about("Do again what a recording says was done, and tell the first step at which anything differs")
        .long_about(
            "Trains again what the recording says: its specification, its branches, its interventions. Every loss and every hash of \
             the parameters is compared. Exits with 1 if anything differs.",
        )
        .arg(file)
        .arg(tolerance)
        .arg(arguments::json().action(ArgAction::SetTrue).help("The verdict as one JSON object"))
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let path = matches.get_one::<PathBuf>("file").ok_or_else(|| anyhow!("give the recording's path"))?;
    let opened = file::open(path)?;
    let recording = opened.recording;
    let on_cpu = recording.header.device.is_empty() || recording.header.device.starts_with("CPU");
    let tolerance = matches.get_one::<f64>("tolerance").copied().unwrap_or(if on_cpu { 0.0 } else { ON_A_DEVICE });
    if tolerance.is_nan() || tolerance < 0.0 {
        bail!("--tolerance can't be {tolerance}; give 0 (every bit) or a relative difference such as 1e-3");
    }
    let quiet = matches.get_flag("json");
    let verdict = match &recording.header.lab {
        Some(lab) => lab_again(lab, &recording, tolerance, quiet)?,
        None => {
            let steps = recording.tracks().map(|(_, track)| track.newest_step()).sum();
            let bar = Progress::new(quiet, steps);
            let verdict = replay::repeat(&recording, tolerance, &|| false, &mut |step| bar.position(step))?;
            bar.finish();
            verdict
        }
    };
    tell(&verdict, tolerance, opened.damage.as_deref(), quiet);
    if verdict.differences.is_empty() { Ok(()) } else { bail!("the recording and its repetition differ") }
}

fn lab_again(header: &LabHeader, recording: &Recording, tolerance: f64, quiet: bool) -> anyhow::Result<Verdict> {
    let lab = labs::find(&header.id)
        .ok_or_else(|| anyhow!("the recording is of the lab {:?}, which this program doesn't have", header.id))?;
    let mut values = Values::preset(lab.knobs(), Preset::Standard);
    for (id, text) in &header.knobs {
        values.set_text(id, text).map_err(|message| anyhow!("the recording's knob {message}"))?;
    }
    values.seed = header.seed;
    let script = recording.interventions.clone();
    let program = Scripted { program: Box::new(Experiment(lab)), script };
    let bar = lab_run::bar(quiet).with_prefix(lab.title());
    let (again, _) = lab_run::record_program(Box::new(program), values, None, &bar)?;
    bar.finish_and_clear();
    Ok(replay::compare(recording, &again, tolerance))
}

fn tell(verdict: &Verdict, tolerance: f64, damage: Option<&str>, quiet: bool) {
    let one = |difference: &Difference| {
        json!({"track": difference.track.0, "step": difference.step, "what": difference.what,
               "recorded": difference.recorded, "repeated": difference.repeated})
    };
    if quiet {
        let differences: Vec<_> = verdict.differences.iter().map(one).collect();
        println!(
            "{}",
            json!({"same": differences.is_empty(), "tracks": verdict.tracks, "steps": verdict.steps,
                   "compared": verdict.compared, "tolerance": tolerance, "damage": damage, "differences": differences})
        );
        return;
    }
    if let Some(damage) = damage {
        println!("{damage}");
    }
    let measure = if tolerance == 0.0 { "bit for bit".to_owned() } else { format!("within {tolerance:e}") };
    let Verdict { tracks, steps, compared, differences } = verdict;
    println!("{tracks} tracks, {steps} steps done again, {compared} numbers and hashes compared {measure}");
    for Difference { track, step, what, recorded, repeated } in differences {
        println!("track {}: first difference at step {step}, {what}: recorded {recorded}, now {repeated}", track.0);
    }
    if differences.is_empty() {
        println!("the same");
    }
}
