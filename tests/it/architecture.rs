//! The import table of the house, enforced by reading the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each room may import. A room may always import itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("linalg", &["base"]),
    ("theory", &["base", "linalg"]),
    ("record", &["base"]),
    ("tasks", &["base"]),
    ("optim", &["base", "linalg", "nn"]),
    ("nn", &["base", "linalg", "record", "tasks"]),
    ("probes", &["base", "linalg", "theory", "record", "nn", "tasks", "optim"]),
    ("run", &["base", "linalg", "theory", "record", "nn", "tasks", "optim", "probes"]),
    ("labs", &["base", "theory", "record", "run"]),
    ("plots", &["base", "record", "theory"]),
    ("figures", &["base", "record", "plots"]),
    ("cli", &["base", "record", "theory", "nn", "tasks", "optim", "probes", "run", "labs", "plots", "figures", "app"]),
    ("app", &["base", "record", "run", "labs", "plots", "figures"]),
];

/// Crates that only some rooms may name.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("candle_core", &["nn", "optim", "probes", "run", "cli"]),
    ("egui", &["app"]),
    ("eframe", &["app"]),
    ("egui_wgpu", &["app"]),
    ("egui_plot", &["app"]),
    ("egui_tiles", &["app"]),
    ("wgpu", &["app"]),
    ("plotters", &["figures"]),
    ("rusqlite", &["record"]),
    ("safetensors", &["nn", "tasks"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("anyhow", &["cli", "main"]),
];

/// Words that only some rooms may say.
const WORDS_ONLY_IN: &[(&str, &[&str])] = &[
    ("thread::Builder", &["run", "record", "app"]),
    ("std::fs", &["cli", "tasks", "record", "run", "figures"]),
    ("println!", &["cli"]),
    ("todo!(", &[]),
    ("unimplemented!(", &[]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// (room, path, text without comments and without the tests at the end)
fn house() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    // Tests that fill a file of their own.
    paths.retain(|path| path.file_name().is_some_and(|name| name != "tests.rs"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&src).unwrap();
            let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
            let room = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            (room, path.clone(), code.join("\n"))
        })
        .collect()
}

#[test]
fn imports_run_downwards_only() {
    let allowed: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for (room, path, code) in house() {
        if room == "main" || room == "lib" {
            continue;
        }
        let may = allowed.get(room.as_str()).unwrap_or_else(|| panic!("room {room} is not in the plan: {path:?}"));
        for (other, _) in MAY_IMPORT {
            let names = [format!("crate::{other}::"), format!("crate::{other};"), format!("landscope::{other}")];
            if *other != room && !may.contains(other) && names.iter().any(|name| code.contains(name.as_str())) {
                wrong.push(format!("{} imports {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (room, path, code) in house() {
        for (name, rooms) in ONLY_IN {
            let used = code.match_indices(&format!("{name}::")).any(|(at, _)| {
                // `egui::` must not match inside `egui_wgpu::` or `eegui::`.
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            });
            if used && !rooms.contains(&room.as_str()) {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
        for (word, rooms) in WORDS_ONLY_IN {
            if code.contains(word) && !rooms.contains(&room.as_str()) {
                wrong.push(format!("{} says {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_two_rooms() {
    let mut paths = Vec::new();
    for folder in ["src", "tests", "benches"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        if folder.exists() {
            sources(&folder, &mut paths);
        }
    }
    assert!(paths.len() > 20);
    for path in paths {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 500, "{} has {lines} lines; 500 is the limit", path.display());
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            !["utils", "common", "misc", "helpers", "base"].contains(&stem.as_str()),
            "drawer file {}",
            path.display()
        );
    }
}

#[test]
fn no_unwrap_outside_tests() {
    for (_, path, code) in house() {
        assert!(!code.contains(".unwrap()"), "{} unwraps outside its tests", path.display());
    }
}
