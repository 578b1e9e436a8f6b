//! `landscope export`: everything that a recording holds, as tidy tables.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::record::Recording;
use crate::record::tables::TABLES;

use super::shown;

pub fn command() -> Command {
    let folder = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("DIR").value_parser(value_parser!(PathBuf)).help(help)
    };
    Command::new("export")
        .about("Write every number of a recording as tables that other programs read: one file a kind of reading")
        .arg(shown::file_argument("A recording, or the folder of a sweep"))
        .arg(folder("csv", "Folder for the tables as CSV"))
        .arg(folder("json", "Folder for the tables as JSON lines, an object a row"))
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let asked = |name: &str| matches.get_one::<PathBuf>(name);
    let (csv, json) = (asked("csv"), asked("json"));
    if csv.is_none() && json.is_none() {
        bail!("give --csv DIR or --json DIR, the folder to write into");
    }
    let (_, recording) = shown::recording(matches)?;
    if let Some(folder) = csv {
        write(&recording, folder, "csv", |table, recording, file| table.write_csv(recording, file))?;
    }
    if let Some(folder) = json {
        write(&recording, folder, "jsonl", |table, recording, file| table.write_json(recording, file))?;
    }
    Ok(())
}

type Writer = fn(&crate::record::tables::Table, &Recording, BufWriter<File>) -> std::io::Result<u64>;

/// A file a table that has rows, and the header; tells how many rows.
fn write(recording: &Recording, folder: &Path, ending: &str, writer: Writer) -> anyhow::Result<()> {
    let unwritable = |path: &Path| format!("can't write {}; give a folder that you may write to", path.display());
    std::fs::create_dir_all(folder).with_context(|| unwritable(folder))?;
    let header = folder.join("header.json");
    let text = serde_json::to_string_pretty(&recording.header).context("can't write the header as JSON")?;
    std::fs::write(&header, text).with_context(|| unwritable(&header))?;
    for table in TABLES {
        let path = folder.join(format!("{}.{ending}", table.name));
        let file = File::create(&path).with_context(|| unwritable(&path))?;
        let rows = writer(table, recording, BufWriter::new(file)).with_context(|| unwritable(&path))?;
        println!("{}: {rows} rows", path.display());
    }
    Ok(())
}
