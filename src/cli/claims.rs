//! `landscope claims`: what the papers say, checked over several seeds.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;

use crate::base::digits::number;
use crate::base::statistics::mean;
use crate::labs::{self, Check, LABS, Lab, page};
use crate::run::bench::{Preset, Values};

use super::lab_run;

pub fn command() -> Command {
    let lab = Arg::new("lab").value_name("LAB").help("A lab's name; all labs without");
    let seeds = Arg::new("seeds")
        .long("seeds")
        .value_name("N")
        .value_parser(value_parser!(u64).range(1..=1_000))
        .default_value("5")
        .help("Seeds 0 to N - 1");
    let preset = Arg::new("preset")
        .long("preset")
        .value_name("NAME")
        .value_parser(Preset::ALL.map(Preset::id))
        .default_value(Preset::Standard.id())
        .help("The size of the experiment");
    let pages = Arg::new("pages")
        .long("pages")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .help("Renew the heads of the labs' pages in this folder, such as docs/labs");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object a lab, seed and claim");
    Command::new("claims")
        .about("Run labs with several seeds and tell which of their papers' claims hold, with the numbers")
        .args([lab, seeds, preset, pages, json])
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let labs: Vec<&'static dyn Lab> = match matches.get_one::<String>("lab") {
        None => LABS.to_vec(),
        Some(id) => vec![labs::find(id).ok_or_else(|| unknown(id))?],
    };
    let seeds = matches.get_one::<u64>("seeds").copied().unwrap_or(5);
    let preset = matches.get_one::<String>("preset").and_then(|id| Preset::find(id)).unwrap_or(Preset::Standard);
    let json = matches.get_flag("json");
    for lab in labs {
        let claims = lab.claims();
        let mut checks: Vec<Vec<Check>> = claims.iter().map(|_| Vec::new()).collect();
        let mut seconds = Vec::new();
        for seed in 0..seeds {
            let mut values = Values::preset(lab.knobs(), preset);
            values.seed = seed;
            let progress = lab_run::bar(json).with_prefix(format!("{}, seed {seed}", lab.title()));
            let (recording, took) = lab_run::record(lab, values, None, &progress)?;
            progress.finish_and_clear();
            seconds.push(took.as_secs_f64());
            for (claim, checks) in claims.iter().zip(&mut checks) {
                let check = (claim.check)(&recording);
                if json {
                    let mut line = lab_run::claim_json(claim.id, &check);
                    line["lab"] = json!(lab.id());
                    line["seed"] = json!(seed);
                    println!("{line}");
                }
                checks.push(check);
            }
        }
        let results: Vec<_> = checks.iter().map(|checks| (held(checks), numbers(checks))).collect();
        if !json {
            print_table(lab, preset, &results, &seconds);
        }
        if let Some(folder) = matches.get_one::<PathBuf>("pages") {
            let path = folder.join(format!("{}.md", lab.id()));
            let before = std::fs::read_to_string(&path).unwrap_or_default();
            let took = mean(&seconds).unwrap_or(f64::NAN);
            let table = page::claims(lab, preset, seeds, &results);
            let head = format!("{}\n{table}\nA run took {took:.0} s.\n", page::about(lab));
            std::fs::write(&path, page::renewed(&before, &head))
                .with_context(|| format!("can't write {}; give --pages a folder", path.display()))?;
        }
    }
    Ok(())
}

fn unknown(id: &str) -> anyhow::Error {
    let known: Vec<_> = LABS.iter().map(|lab| lab.id()).collect();
    anyhow!("there is no lab {id:?}; give one of {}", known.join(", "))
}

fn held(checks: &[Check]) -> usize {
    checks.iter().filter(|check| matches!(check, Check::Holds(_))).count()
}

fn numbers(checks: &[Check]) -> String {
    spread(checks).unwrap_or_else(|| checks.first().map(ToString::to_string).unwrap_or_default())
}

fn print_table(lab: &dyn Lab, preset: Preset, results: &[(usize, String)], seconds: &[f64]) {
    let took = mean(seconds).unwrap_or(f64::NAN);
    println!("{}, preset {}, {} seeds, {took:.0} s a run", lab.title(), preset.id(), seconds.len());
    for (claim, (held, numbers)) in lab.claims().iter().zip(results) {
        println!("{held:>3} of {}  {}\n          {numbers}", seconds.len(), claim.statement);
        if *held < seconds.len() && !claim.known_failure.is_empty() {
            println!("          {}", claim.known_failure);
        }
    }
    println!();
}

/// Mean and range of each number of a claim, with its bound.
fn spread(checks: &[Check]) -> Option<String> {
    let first = checks.iter().find(|check| !check.numbers().is_empty())?;
    let parts = first.numbers().iter().enumerate().map(|(k, number_of_first)| {
        let of = |check: &Check| check.numbers().get(k).map(|number| number.value);
        let values: Vec<f64> = checks.iter().filter_map(of).collect();
        let (low, high) =
            values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
        let middle = mean(&values).map_or_else(|| "not finite".into(), number);
        let text = number_of_first.to_string();
        let bound = text.find(" (").map_or("", |at| &text[at..]);
        format!("{}{bound}: {middle} ({} to {})", number_of_first.name, number(low), number(high))
    });
    Some(parts.collect::<Vec<_>>().join("; "))
}
