//! Arguments that several subcommands share.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, ArgMatches, value_parser};

use crate::record::memory;

/// `--out DIR`
pub fn out() -> Arg {
    Arg::new("out")
        .long("out")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .help("Folder for the recording and the figures [default: landscope-runs/run-N]")
}

/// `--json`, for progress.
pub fn json() -> Arg {
    Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Progress as one JSON object a line on standard output; the last one has the outcome")
}

/// `--memory MIB`
pub fn memory() -> Arg {
    Arg::new("memory")
        .long("memory")
        .value_name("MIB")
        .value_parser(value_parser!(u64).range((memory::LEAST_BYTES >> 20) as u64..=1 << 20))
        .help(format!(
            "Memory that a recording may hold, in MiB: beyond it what is old is summarised, and pictures are read back from the file [default: {}]",
            memory::DEFAULT_BYTES >> 20
        ))
}

/// What was asked for by [`memory`], in bytes.
pub fn memory_of(matches: &ArgMatches) -> usize {
    matches.get_one::<u64>("memory").map_or(memory::DEFAULT_BYTES, |mib| (*mib as usize) << 20)
}

/// The folder to write into: made, and known to be writable before any time is spent.
///
/// # Errors
/// If it can't be made or written to.
pub fn prepare_out(asked: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    let folder = match asked {
        Some(path) => path.clone(),
        None => (1..)
            .map(|n| Path::new("landscope-runs").join(format!("run-{n}")))
            .find(|path| !path.exists())
            .context("no free folder name under landscope-runs")?,
    };
    if folder.exists() && !folder.is_dir() {
        bail!("can't write into {}: it is a file; give --out the name of a folder", folder.display());
    }
    let advice = || format!("can't write into {}; give --out a folder that you may write to", folder.display());
    std::fs::create_dir_all(&folder).with_context(advice)?;
    let trial = folder.join(".landscope-writable");
    std::fs::write(&trial, b"").and_then(|()| std::fs::remove_file(&trial)).with_context(advice)?;
    Ok(folder)
}

/// Reads `1600x1000`.
///
/// # Errors
/// Names the text and the form wanted.
pub fn size(text: &str) -> anyhow::Result<[u32; 2]> {
    let parsed = text.split_once('x').and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    match parsed {
        Some([w, h]) if (320..=8192).contains(&w) && (240..=8192).contains(&h) => Ok([w, h]),
        _ => {
            bail!("--size can't be {text:?}; give WIDTHxHEIGHT in pixels, from 320x240 to 8192x8192, such as 1600x1000")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_two_numbers_in_range() {
        assert_eq!(size("1600x1000").unwrap(), [1600, 1000]);
        for wrong in ["1600", "x", "0x0", "1e3x5", "99999x10", "-5x300"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_is_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("taken");
        std::fs::write(&file, "x").unwrap();
        assert!(prepare_out(Some(&file)).unwrap_err().to_string().contains("it is a file"));
        assert!(prepare_out(Some(&file.join("below"))).is_err());
        assert!(prepare_out(Some(&folder.path().join("new"))).is_ok());
    }
}
