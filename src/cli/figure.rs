//! `landscope figure`: a pane of a recording as a figure or a table.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::figures::Paper;
use crate::figures::file::{self, FileFormat};
use crate::labs::caption::caption;
use crate::plots::pane;
use crate::record::TimeCursor;

use super::shown;

pub fn command() -> Command {
    let step = Arg::new("step")
        .long("step")
        .value_name("N")
        .value_parser(value_parser!(u64))
        .help("As the pane is with the cursor at this step [default: the last]");
    let format = Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(FileFormat::ALL.map(FileFormat::extension))
        .help("svg or png; csv or json for the numbers [default: as the ending of --out says, else svg]");
    let caption = Arg::new("caption")
        .long("caption")
        .value_name("PLACE")
        .value_parser(["under", "file", "none"])
        .default_value("under")
        .help("What is seen, of which run: below the picture, in a text file beside it, or nowhere");
    let out = Arg::new("out")
        .long("out")
        .value_name("PATH")
        .value_parser(value_parser!(PathBuf))
        .help("The file to write [default: landscope-PANE-stepN.svg]");
    let about = "Draw a pane of a recording as the window shows it, as a figure or as its numbers";
    shown::add(Command::new("figure").about(about), "1400x900").args([step, format, caption, out])
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let paper = shown::paper(matches)?;
    let out = matches.get_one::<PathBuf>("out");
    let format = format(matches.get_one::<String>("format"), out)?;
    let (_, recording) = shown::recording(matches)?;
    let id = shown::pane(matches, &recording)?;
    let options = shown::options(matches, id, &recording)?;
    let newest = recording.newest_step();
    let cursor = match matches.get_one::<u64>("step") {
        Some(step) if *step > newest => bail!("--step can't be {step}: the recording goes from step 0 to {newest}"),
        Some(step) => TimeCursor::At(*step),
        None => TimeCursor::Following,
    };
    let step = cursor.step(newest);
    let plots = pane::plots(&recording, id, cursor, &options);
    let words = caption(&recording, &pane::told(&recording, id, &plots, cursor));
    let place = matches.get_one::<String>("caption").map_or("under", String::as_str);
    let paper = Paper { caption: (place == "under").then(|| words.clone()), description: words.clone(), ..paper };
    let path = out.cloned().unwrap_or_else(|| {
        format!("landscope-{}-step{step}.{}", pane::slug(&recording, id), format.extension()).into()
    });
    file::write(&plots, format, &paper, &path)?;
    println!("{}", path.display());
    if place == "file" && format.is_figure() {
        println!("{}", file::write_caption(&path, &words)?.display());
    }
    Ok(())
}

/// What was asked for, or what the file's ending says.
fn format(asked: Option<&String>, out: Option<&PathBuf>) -> anyhow::Result<FileFormat> {
    let named = asked.and_then(|name| FileFormat::ALL.into_iter().find(|format| format.extension() == name));
    match (named, out) {
        (Some(format), _) => Ok(format),
        (None, None) => Ok(FileFormat::Svg),
        (None, Some(path)) => FileFormat::of(path).ok_or_else(|| {
            anyhow!(
                "can't tell what {} is to be: end it in .svg, .png, .csv or .json, or give --format",
                path.display()
            )
        }),
    }
}
