//! One subcommand per file.

mod arguments;
mod autosave;
mod claims;
mod connect;
mod coord_check;
mod doctor;
mod export;
mod figure;
mod figure_files;
mod film;
mod headless;
mod init;
mod knob_flags;
mod lab;
mod lab_run;
mod list;
mod measure;
mod measure_recording;
mod model_files;
mod places;
mod playground;
mod progress;
mod replay;
mod run;
mod screenshot;
mod shown;
mod sweep;
mod theory;
mod train;
mod view;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};

use crate::app::share::link;
use crate::base::pipes;
use crate::labs::LABS;

/// A subcommand: its grammar and what it does.
struct Subcommand {
    command: fn() -> Command,
    run: fn(&ArgMatches) -> anyhow::Result<()>,
}

/// All subcommands, in the order of the help.
const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand { command: run::command, run: run::run },
    Subcommand { command: view::command, run: view::run },
    Subcommand { command: figure::command, run: figure::run },
    Subcommand { command: film::command, run: film::run },
    Subcommand { command: export::command, run: export::run },
    Subcommand { command: replay::command, run: replay::run },
    Subcommand { command: screenshot::command, run: screenshot::run },
    Subcommand { command: init::command, run: init::run },
    Subcommand { command: measure::command, run: measure::run },
    Subcommand { command: train::command, run: train::run },
    Subcommand { command: watch::command, run: watch::run },
    Subcommand { command: connect::command, run: connect::run },
    Subcommand { command: coord_check::command, run: coord_check::run },
    Subcommand { command: lab::command, run: lab::run },
    Subcommand { command: claims::command, run: claims::run },
    Subcommand { command: sweep::command, run: sweep::run },
    Subcommand { command: theory::command, run: theory::run },
    Subcommand { command: list::command, run: list::run },
    Subcommand { command: doctor::command, run: doctor::run },
];

fn grammar() -> Command {
    let subcommands = SUBCOMMANDS.iter().map(|sub| (sub.command)());
    let command = Command::new("landscope")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An oscilloscope for neural-network training. Without a subcommand the Playground opens.")
        .subcommands(subcommands);
    playground::arguments(command)
}

/// The program: parses, dispatches, prints one line for what went wrong.
pub fn main() -> ExitCode {
    let matches = match grammar().try_get_matches_from(with_link_opened(std::env::args_os())) {
        Ok(matches) => matches,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            print!("{error}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{}{}", one_line(&error.to_string()), choices(&error));
            return ExitCode::from(2);
        }
    };
    let result = match matches.subcommand() {
        None => playground::run(&matches),
        Some((name, matches)) => {
            // A film writes into ffmpeg, whose end is an error to be told.
            if !["lab", "view", "film", "watch"].contains(&name) {
                pipes::end_when_nobody_reads();
            }
            let chosen = SUBCOMMANDS.iter().find(|sub| (sub.command)().get_name() == name);
            chosen.map_or_else(|| Ok(()), |sub| (sub.run)(matches))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", in_one_breath(&error));
            ExitCode::FAILURE
        }
    }
}

/// A link in the place of a subcommand is opened: `landscope 'landscope://…'` is `landscope view 'landscope://…'`.
fn with_link_opened(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<_> = arguments.collect();
    if arguments.get(1).and_then(|argument| argument.to_str()).is_some_and(link::is_one) {
        arguments.insert(1, "view".into());
    }
    arguments
}

/// An error and its causes, but for those that the message before has in it already.
fn in_one_breath(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

/// What can be named in the place of a word that nobody knows.
fn choices(error: &clap::Error) -> String {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return String::new();
    }
    let names: Vec<_> = match std::env::args().nth(1).as_deref() {
        Some("lab" | "run" | "theory" | "claims") => LABS.iter().map(|lab| lab.id().to_owned()).collect(),
        Some("sweep") => return String::new(),
        _ => SUBCOMMANDS.iter().map(|sub| (sub.command)().get_name().to_owned()).collect(),
    };
    format!("; give one of {}", names.join(", "))
}

/// A parser's message without its usage block, in one line.
fn one_line(message: &str) -> String {
    let kept: Vec<_> = message
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:"))
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
        .collect();
    kept.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        grammar().debug_assert();
    }

    #[test]
    fn a_cause_is_said_once() {
        let cause = || anyhow::anyhow!("no such file");
        assert_eq!(
            in_one_breath(&cause().context("can't read it: no such file; look again")),
            "can't read it: no such file; look again"
        );
        assert_eq!(in_one_breath(&cause().context("can't read it")), "can't read it: no such file");
    }

    #[test]
    fn an_unknown_flag_is_answered_in_one_line_that_names_it() {
        let error = grammar().try_get_matches_from(["landscope", "run", "--lrr", "1"]).unwrap_err();
        let line = one_line(&error.to_string());
        assert!(line.contains("--lrr") && !line.contains('\n'), "{line}");
    }
}
