use std::collections::BTreeMap;

use super::*;

/// Cells whose number is x times y; x = 3 diverges, x = 4 fails.
struct Product;

impl Subject for Product {
    fn with(&self, knobs: &[(String, String)]) -> Result<String, String> {
        let mut knobs: Vec<_> = knobs.iter().map(|(knob, value)| format!("{knob} = {value}")).collect();
        knobs.sort();
        let text = knobs.join("\n");
        if text.contains("x = 9") { Err("x can't be 9; give another".into()) } else { Ok(text) }
    }

    fn cost(&self, spec: &str) -> Option<f64> {
        Some(value(spec, "x"))
    }

    fn run(&self, spec: &str, recording: &Path) -> Ending {
        std::fs::write(recording, "recorded").unwrap();
        let product = value(spec, "x") * value(spec, "y");
        let outcome = match value(spec, "x") {
            3.0 => Outcome::Diverged,
            4.0 => Outcome::Failed,
            _ => Outcome::Finished,
        };
        let numbers = BTreeMap::from([("loss".to_owned(), product), ("nan".to_owned(), f64::NAN)]);
        Ending { outcome, message: String::new(), seconds: 0.1, numbers }
    }
}

fn value(spec: &str, knob: &str) -> f64 {
    let line = spec.lines().find(|line| line.starts_with(knob)).unwrap();
    line.split(" = ").nth(1).unwrap().parse().unwrap()
}

fn plan(xs: &[&str], seeds: u64) -> Plan {
    let axis = |knob: &str, values: &[&str]| Axis {
        knob: knob.into(),
        values: values.iter().map(|value| (*value).into()).collect(),
    };
    Plan { subject: "product".into(), base: "base".into(), axes: vec![axis("x", xs), axis("y", &["1", "2"])], seeds }
}

fn run(folder: &Folder) -> usize {
    work(folder, &Product, &mut |_| {}).unwrap()
}

#[test]
fn planning_twice_makes_nothing_twice_and_more_values_add_cells() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::plan(place.path(), plan(&["1", "2"], 2), &Product).unwrap();
    assert_eq!(folder.cells().unwrap().len(), 8);
    assert_eq!(run(&folder), 8);
    let folder = Folder::plan(place.path(), plan(&["2", "5"], 1), &Product).unwrap();
    assert_eq!(folder.cells().unwrap().len(), 10, "two more: x = 5 with both y");
    assert_eq!(folder.plan.axes[0].values, ["1", "2", "5"]);
    assert_eq!(run(&folder), 2, "only what has no result");
    assert_eq!(run(&folder), 0);
    let other = Plan { base: "other".into(), ..plan(&["1"], 1) };
    assert!(Folder::plan(place.path(), other, &Product).unwrap_err().to_string().contains("another folder"));
    assert!(Folder::plan(place.path(), plan(&["9"], 1), &Product).unwrap_err().to_string().contains("can't be 9"));
}

#[test]
fn the_most_expensive_come_first_and_divergence_is_a_result() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::plan(place.path(), plan(&["1", "3", "4"], 1), &Product).unwrap();
    let mut order = Vec::new();
    let mut tell = |progress: Progress<'_>| {
        if let Progress::Started(cell) = progress {
            order.push(cell.knobs["x"].clone());
        }
    };
    work(&folder, &Product, &mut tell).unwrap();
    assert_eq!(order, ["4", "4", "3", "3", "1", "1"]);
    assert_eq!(folder.retry(false).unwrap(), 2, "failed ones alone");
    assert_eq!(run(&folder), 2);
    assert_eq!(folder.retry(true).unwrap(), 4);
}

#[test]
fn a_claimed_cell_is_left_alone_and_one_that_was_let_go_is_run() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::plan(place.path(), plan(&["1"], 1), &Product).unwrap();
    let cells = folder.cells().unwrap();
    let claimed = folder.claim(&cells[0]).unwrap().unwrap();
    assert_eq!(folder.status(&cells[0]), Status::Running);
    assert!(folder.claim(&cells[0]).unwrap().is_none());
    assert_eq!(run(&folder), 1, "the other one");
    // As if its process had been killed: no result.
    drop(claimed);
    assert_eq!(folder.status(&cells[0]), Status::Waiting);
    assert_eq!(run(&folder), 1);
    assert!(matches!(folder.status(&cells[0]), Status::Done(_)));
}

#[test]
fn folders_of_one_sweep_merge_and_show_as_a_recording() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Folder::plan(a.path(), plan(&["1", "2", "3"], 2), &Product).unwrap();
    let second = Folder::plan(b.path(), plan(&["2", "5"], 2), &Product).unwrap();
    run(&second);
    assert_eq!(merge(&first, &second).unwrap(), 8);
    assert_eq!(merge(&first, &second).unwrap(), 0);
    let first = Folder::open(a.path()).unwrap();
    let shown = recording(&first).unwrap();
    assert_eq!(shown.tracks().count(), 16);
    assert_eq!(shown.header.task_title, "8 of 16 cells");
    let charts: Vec<_> = shown.header.charts.iter().map(|chart| chart.id.as_str()).collect();
    assert_eq!(charts, ["curve-loss", "map-loss"], "what isn't finite was left out");
    run(&first);
    let shown = recording(&first).unwrap();
    let diverged = shown.tracks().filter(|(_, track)| track.attributes["status"] == "diverged").count();
    assert_eq!(diverged, 4);
    let (_, track) = shown.tracks().find(|(_, t)| t.attributes["x"] == "5" && t.attributes["y"] == "2").unwrap();
    assert_eq!(track.scalar("loss").unwrap().latest_at(0), Some((0, 10.0)));
}

#[test]
fn what_is_no_sweep_is_said() {
    let place = tempfile::tempdir().unwrap();
    assert!(Folder::open(place.path()).unwrap_err().to_string().contains("sweep plan"));
    std::fs::write(place.path().join("sweep.toml"), "subject = 3").unwrap();
    assert!(Folder::open(place.path()).is_err());
    assert!(Folder::plan(place.path(), plan(&["1"], 1), &Product).is_err(), "it isn't overwritten");
}
