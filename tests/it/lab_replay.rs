//! Recordings of labs are done again by `landscope replay`: the same bit for bit, also with a knob that was turned meanwhile, and a
//! forged number is told by its track and step.

use std::path::Path;
use std::time::Duration;

use landscope::labs::{self, Experiment};
use landscope::record::{Outcome, file};
use landscope::run::bench::{Preset, Values};
use landscope::run::knobs::KnobValue;
use landscope::run::messages::{Command, Event};
use landscope::run::session::{Session, SessionOptions};
use landscope::run::worker::WorkerOptions;
use serde_json::Value;

use super::program::{output, stderr, stdout};

/// Runs a lab into a file; `turn` is turned after its first round.
fn record(path: &Path, id: &str, knobs: &[(&str, &str)], turn: Option<(&'static str, KnobValue)>) {
    let lab = labs::find(id).unwrap();
    let mut values = Values::preset(lab.knobs(), Preset::Instant);
    values.seed = 3;
    knobs.iter().for_each(|(id, text)| values.set_text(id, text).unwrap());
    lab.check(&values).unwrap();
    let worker = WorkerOptions { play: turn.is_none(), finest_slice: 0 };
    let options = SessionOptions { recording: Some(path.into()), worker, ..SessionOptions::default() };
    let session = Session::start_lab(Box::new(Experiment(lab)), values, options).unwrap();
    let tell = |command| session.commands().send(command).unwrap();
    let turns = turn.is_some();
    if let Some((id, value)) = turn {
        tell(Command::Step);
        tell(Command::SetKnob { id, value });
        tell(Command::Play);
    }
    let mut turned = false;
    loop {
        match session.events().recv_timeout(Duration::from_secs(120)).expect("something happens") {
            Event::Failed(message) | Event::SaveFailed(message) => panic!("{message}"),
            Event::KnobTurned { mark, .. } => turned = mark.step > 0,
            Event::Ended { outcome, .. } => assert_eq!(outcome, Outcome::Finished),
            Event::AtRest { .. } => break,
            _ => {}
        }
    }
    assert_eq!(turned, turns);
}

/// What `landscope replay` says, and whether it succeeds.
fn replay(home: &Path) -> (bool, Value) {
    let done = output(home, &["replay", "r.landscope", "--json"]);
    let told =
        serde_json::from_str(stdout(&done).lines().last().unwrap_or_else(|| panic!("{}", stderr(&done)))).unwrap();
    (done.status.success(), told)
}

/// Records into `home` and repeats.
fn check_whole(home: &Path, id: &str, knobs: &[(&str, &str)], turn: Option<(&'static str, KnobValue)>) {
    let path = home.join("r.landscope");
    let turns = usize::from(turn.is_some());
    record(&path, id, knobs, turn);
    let recording = file::read(&path).unwrap();
    assert_eq!(recording.interventions.len(), turns, "{id}");
    let (same, told) = replay(home);
    assert!(same && told["same"] == true, "{id}: {told}");
    assert_eq!(told["tracks"], recording.tracks().count(), "{id}");
    assert!(told["compared"].as_u64().unwrap() > 20, "{id}: {told}");
}

/// Records, repeats, forges one number of `table` and repeats again.
fn check(id: &str, knobs: &[(&str, &str)], turn: Option<(&'static str, KnobValue)>, table: &str) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("r.landscope");
    check_whole(home.path(), id, knobs, turn);
    // A finite number in the middle that no later row replaces; and the last bit of a vector's first number.
    let database = rusqlite::Connection::open(&path).unwrap();
    let value = if table == "scalar" { "value" } else { "data" };
    let sql = format!(
        "SELECT max({table}.rowid), track, step, name FROM {table} JOIN series ON id = series \
         WHERE {value} IS NOT NULL AND name NOT LIKE '%seconds' GROUP BY id, step ORDER BY max({table}.rowid)"
    );
    let mut statement = database.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
    let mut rows: Vec<(i64, u32, i64, String)> = rows.map(Result::unwrap).collect();
    let (row, track, step, name) = rows.swap_remove(rows.len() / 2);
    drop(statement);
    if table == "scalar" {
        database.execute("UPDATE scalar SET value = value * (1 + 1e-15) + 1e-300 WHERE rowid = ?1", [row]).unwrap();
    } else {
        let mut data: Vec<u8> =
            database.query_row("SELECT data FROM vector WHERE rowid = ?1", [row], |row| row.get(0)).unwrap();
        data[0] ^= 1;
        database.execute("UPDATE vector SET data = ?2 WHERE rowid = ?1", rusqlite::params![row, data]).unwrap();
    }
    drop(database);
    let (same, told) = replay(home.path());
    let found = told["differences"].as_array().unwrap();
    assert!(!same && found.len() == 1, "{id}, {name} of track {track} at {step}: {told}");
    assert_eq!(
        (found[0]["track"].as_u64(), found[0]["step"].as_u64()),
        (Some(track.into()), Some(step.unsigned_abs())),
        "{id}: {told}"
    );
    assert!(found[0]["what"].as_str().unwrap().starts_with(&name), "{id}: {told}");
}

#[test]
fn a_lab_without_training_replays_and_a_forged_vector_is_told() {
    check(
        "shaped-transformer",
        &[("width", "16"), ("paths", "256"), ("chains", "64"), ("networks", "8")],
        None,
        "vector",
    );
}

#[test]
fn a_lab_that_trains_replays_with_the_learning_rate_that_was_turned_meanwhile() {
    let small = [("sizes", "9,16"), ("steps", "12"), ("every", "4"), ("sweep-steps", "0")];
    check("super-consistency", &small, Some(("lr-factor", KnobValue::Float(1.7))), "scalar");
}

#[test]
fn a_lab_of_many_networks_replays_with_what_was_turned_meanwhile() {
    let small = [
        ("steps", "12"),
        ("every", "6"),
        ("repetitions", "1"),
        ("widths", "8"),
        ("width", "8"),
        ("train-size", "100"),
        ("points", "21"),
    ];
    check("mode-connectivity", &small, Some(("label-noise", KnobValue::Float(0.3))), "scalar");
}

/// The rest of them, as large as the preset makes them.
#[test]
fn every_lab_replays_at_its_instant_size() {
    if std::env::var_os("LANDSCOPE_SLOW_TESTS").is_none_or(|value| value != "1") {
        return;
    }
    for lab in labs::LABS {
        let home = tempfile::tempdir().unwrap();
        check_whole(home.path(), lab.id(), &[], None);
    }
}
