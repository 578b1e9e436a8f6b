//! Sweeps from the command line: planned, killed, resumed, told.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use landscope::run::sweep::{Folder, Outcome, Status, recording};

fn landscope(arguments: &[&str], folder: &Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_landscope")).args(arguments).current_dir(folder).output().unwrap()
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Two widths, two rates (of which one explodes), two seeds: eight cells of 60 steps.
const PLAN: &[&str] = &[
    "sweep",
    "plan",
    "s",
    "run",
    "--axis",
    "width=4,8",
    "--axis",
    "lr=0.05,1000",
    "--seeds",
    "2",
    "--set",
    "model=mlp",
    "--set",
    "optimizer=sgd",
    "--set",
    "steps=60",
    "--set",
    "train-size=128",
    "--set",
    "depth=1",
    "--set",
    "probe-budget=0",
];

#[test]
fn a_sweep_that_is_killed_loses_no_cell_and_runs_none_twice() {
    let place = tempfile::tempdir().unwrap();
    let dry = landscope(&[PLAN, &["--dry-run"]].concat(), place.path());
    assert!(said(&dry).contains("8 cells") && said(&dry).contains("operations"), "{}", said(&dry));
    assert!(!place.path().join("s").exists(), "a dry run writes nothing");
    let planned = landscope(PLAN, place.path());
    assert!(planned.status.success(), "{}", said(&planned));
    assert!(said(&landscope(PLAN, place.path())).contains("8 cells"), "planning again changes nothing");

    let folder = Folder::open(&place.path().join("s")).unwrap();
    let cells = folder.cells().unwrap();
    let done = || cells.iter().filter(|cell| folder.ending(cell).is_some()).count();
    let mut first = Command::new(env!("CARGO_BIN_EXE_landscope"))
        .args(["sweep", "run", "s", "--processes", "2"])
        .current_dir(place.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while done() < 2 && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    // SIGKILL on Unix: nothing gets to clean up.
    first.kill().unwrap();
    first.wait().unwrap();
    let again = landscope(&["sweep", "run", "s", "--processes", "2"], place.path());
    assert!(again.status.success(), "{}", said(&again));
    // Workers of the first run may have been finishing a cell while the second passed it by.
    let started = Instant::now();
    while done() < 8 && started.elapsed() < Duration::from_secs(120) {
        landscope(&["sweep", "run", "s"], place.path());
    }
    assert_eq!(done(), 8);
    for cell in &cells {
        let log = std::fs::read_to_string(folder.recording_of(cell).with_file_name("attempts.log")).unwrap();
        assert_eq!(log.lines().filter(|line| line.starts_with("finished")).count(), 1, "{log}");
        assert!(landscope::record::file::read(&folder.recording_of(cell)).is_ok());
        let Status::Done(ending) = folder.status(cell) else { panic!("not done") };
        let expected = if cell.knobs["lr"] == "1000" { Outcome::Diverged } else { Outcome::Finished };
        assert_eq!(ending.outcome, expected, "{:?}: {}", cell.knobs, ending.message);
    }
    let json = said(&landscope(&["sweep", "status", "s", "--json"], place.path()));
    assert!(json.contains("\"finished\":4") && json.contains("\"diverged\":4"), "{json}");
    let shown = recording(&folder).unwrap();
    assert!(shown.header.charts.iter().any(|chart| chart.id == "map-test-loss"), "{:?}", shown.header.charts);

    let figures = landscope(&["view", "s", "--out", "figures"], place.path());
    assert!(figures.status.success(), "{}", said(&figures));
    let csv = std::fs::read_dir(place.path().join("figures")).unwrap().count();
    assert!(csv >= 3 * shown.header.charts.len());
}

#[test]
fn wrong_sweeps_are_answered_in_one_line() {
    let place = tempfile::tempdir().unwrap();
    for (arguments, word) in [
        (&["sweep", "plan", "s", "nothing", "--axis", "width=4"][..], "nothing"),
        (&["sweep", "plan", "s", "run", "--axis", "widht=4"], "widht"),
        (&["sweep", "plan", "s", "run", "--axis", "width=0"], "width"),
        (&["sweep", "plan", "s", "run", "--axis", "width"], "width"),
        (&["sweep", "run", "s"], "sweep plan"),
        (&["sweep", "status", "s"], "sweep plan"),
    ] {
        let output = landscope(arguments, place.path());
        let text = said(&output);
        assert!(!output.status.success() && text.contains(word), "{arguments:?}: {text}");
        assert_eq!(text.trim().lines().count(), 1, "{text}");
        assert!(!place.path().join("s").exists(), "{arguments:?} wrote something");
    }
}
