//! Every knob as a flag, from its one definition.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::run::knobs::{self, Knob, KnobKind, KnobValue, SpecKnob};
use crate::run::spec::{DeviceChoice, RunSpec, SpecError};

/// Adds `--config`, `--device` and a flag for every knob.
pub fn add(command: Command) -> Command {
    add_without(command, &[])
}

/// As [`add`], but for the knobs called `without`.
pub fn add_without(command: Command, without: &[&str]) -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Start from this specification (TOML); flags override it");
    let device = Arg::new("device")
        .long("device")
        .value_name("DEVICE")
        .value_parser(["auto", "cpu", "cuda", "metal"])
        .help("Where to compute [default: auto]");
    command.arg(config).arg(device).args(knobs::all().filter(|knob| !without.contains(&knob.id)).map(spec_flag))
}

fn spec_flag(knob: &'static SpecKnob) -> Arg {
    flag(knob, &knob.default_value().to_string()).help_heading(knob.group.title())
}

/// `--id VALUE`, with the knob's definition, range and default as help.
pub fn flag(knob: &Knob, default: &str) -> Arg {
    let value_name = match knob.kind {
        KnobKind::Float { .. } => "NUMBER",
        KnobKind::Int { .. } => "N",
        KnobKind::Choice(_) => "NAME",
        KnobKind::Toggle => "BOOL",
        KnobKind::Path => "PATH",
        KnobKind::Numbers { .. } => "N,N,...",
    };
    let default = if default.is_empty() { String::new() } else { format!(" [default: {default}]") };
    Arg::new(knob.id).long(knob.id).value_name(value_name).allow_negative_numbers(true).help(format!(
        "{} Takes {}{default}",
        knob.definition,
        knob.allowed()
    ))
}

/// The specification that `--config` and the flags say.
///
/// # Errors
/// One sentence that names the flag or field, the value and what is allowed.
pub fn spec(matches: &ArgMatches) -> anyhow::Result<RunSpec> {
    let mut spec = start(matches)?;
    for (knob, value) in given(matches, &[])? {
        knob.set(&mut spec, &value).map_err(|message| anyhow!("--{message}"))?;
    }
    choose_a_fitting_model(&mut spec, matches);
    check(&spec)?;
    Ok(spec)
}

/// `--against KNOB=VALUE`.
pub fn against() -> Arg {
    Arg::new("against")
        .long("against")
        .value_name("KNOB=VALUE")
        .help("Beside it, from the same seed and in turn, a second run in which this knob has another value")
}

/// The second specification that `--against` means; none if it isn't given.
///
/// # Errors
/// One sentence that names the flag, the value and what is allowed.
pub fn other_spec(matches: &ArgMatches, spec: &RunSpec) -> anyhow::Result<Option<RunSpec>> {
    let Some(text) = matches.get_one::<String>("against") else { return Ok(None) };
    let (id, value) = text
        .split_once('=')
        .ok_or_else(|| anyhow!("--against can't be {text:?}; give a knob and its value, such as lr=0.04"))?;
    let knob = knobs::find(id.trim())
        .ok_or_else(|| anyhow!("--against names no knob {id:?}; `landscope list` has them all"))?;
    let mut other = spec.clone();
    let set = knob.parse(value.trim()).and_then(|value| knob.set(&mut other, &value));
    set.map_err(|message| anyhow!("--against {message}"))?;
    check(&other)?;
    if other == *spec {
        return Err(anyhow!("--against {text} is what the run has anyway; give another value"));
    }
    Ok(Some(other))
}

/// What `--config` and `--device` say, before any knob is turned.
///
/// # Errors
/// One sentence that names the file, the field and what is allowed.
pub fn start(matches: &ArgMatches) -> anyhow::Result<RunSpec> {
    let mut spec = match matches.get_one::<PathBuf>("config") {
        None => RunSpec::default(),
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|source| SpecError::Unreadable { path: path.clone(), source })?;
            RunSpec::from_toml(&text, &path.display().to_string())?
        }
    };
    if let Some(device) = matches.get_one::<String>("device") {
        spec.device = match device.as_str() {
            "cpu" => DeviceChoice::Cpu,
            "cuda" => DeviceChoice::Cuda,
            "metal" => DeviceChoice::Metal,
            _ => DeviceChoice::Auto,
        };
    }
    Ok(spec)
}

/// The knobs whose flags are there, but for those called `without`, with their values in the order of the panel.
///
/// # Errors
/// One sentence that names the flag, the value and what is allowed.
pub fn given(matches: &ArgMatches, without: &[&str]) -> anyhow::Result<Vec<(&'static SpecKnob, KnobValue)>> {
    let mut found = Vec::new();
    for knob in knobs::all().filter(|knob| !without.contains(&knob.id)) {
        // A subcommand may have left a knob out, or given its name to a file.
        if let Ok(Some(text)) = matches.try_get_one::<String>(knob.id) {
            found.push((knob, knob.parse(text).map_err(|message| anyhow!("--{message}"))?));
        }
    }
    Ok(found)
}

/// The rules between knobs.
///
/// # Errors
/// One sentence that names the knob, the value and what to do.
pub fn check(spec: &RunSpec) -> anyhow::Result<()> {
    knobs::validate(spec).map_err(anyhow::Error::msg).context("the specification isn't possible")
}

/// A task of sequences without a word on the model means the GPT: the only one that fits.
fn choose_a_fitting_model(spec: &mut RunSpec, matches: &ArgMatches) {
    let said = matches.get_one::<String>("model").is_some() || matches.get_one::<PathBuf>("config").is_some();
    if !said && spec.task.kind.is_sequence() {
        spec.model.kind = crate::nn::spec::ModelKind::Gpt;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> anyhow::Result<RunSpec> {
        let all = std::iter::once("test").chain(arguments.iter().copied());
        spec(&add(Command::new("test")).try_get_matches_from(all)?)
    }

    #[test]
    fn flags_set_what_they_name() {
        let spec = parse(&["--lr", "0.5", "--batch-size", "0", "--model", "mlp", "--nesterov", "true"]).unwrap();
        assert_eq!((spec.optimizer.lr, spec.batch_size, spec.optimizer.nesterov), (0.5, 0, true));
    }

    #[test]
    fn a_value_out_of_range_names_flag_value_and_range() {
        let message = format!("{:#}", parse(&["--momentum", "2"]).unwrap_err());
        assert!(message.contains("--momentum") && message.contains('2') && message.contains("0.999"), "{message}");
    }

    #[test]
    fn sequences_bring_their_model_unless_one_was_asked_for() {
        assert_eq!(parse(&["--task", "copy"]).unwrap().model.kind, crate::nn::spec::ModelKind::Gpt);
        assert!(parse(&["--task", "copy", "--model", "mlp"]).is_err());
    }
}
