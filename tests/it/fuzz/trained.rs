//! A recording of a run that took place: with checkpoints, a branch and knobs that were turned, so that it can be done again.

use std::path::{Path, PathBuf};

use landscope::nn::spec::ModelKind;
use landscope::record::{Fork, Outcome, Recording, TrackId, file};
use landscope::run::afterwards::Revisit;
use landscope::run::knobs::KnobValue;
use landscope::run::ledger::Ledger;
use landscope::run::messages::{Command, Event, RunState};
use landscope::run::session::{Session, SessionOptions};
use landscope::run::spec::RunSpec;
use landscope::run::worker::WorkerOptions;
use rand::Rng;

use super::Case;

const STEPS: u64 = 12;

fn spec() -> RunSpec {
    let mut spec = RunSpec { steps: STEPS, batch_size: 16, ..RunSpec::default() };
    (spec.model.kind, spec.model.width, spec.probes.budget) = (ModelKind::Mlp, 4, 0.0);
    spec.checkpoints.every = 4;
    spec
}

/// Made once a process that looks for cases.
pub fn recording(place: &Path) -> PathBuf {
    let path = place.join("trained.base");
    if path.exists() {
        return path;
    }
    let begun = place.join("trained.begun");
    let _ = std::fs::remove_file(&begun);
    let worker = WorkerOptions { play: true, finest_slice: 9 };
    let options = SessionOptions { recording: Some(begun.clone()), worker, ..SessionOptions::default() };
    let session = Session::start(spec(), options).unwrap();
    let until = |wanted: RunState| {
        while !matches!(session.events().recv().unwrap(), Event::State(state) if state == wanted) {}
    };
    until(RunState::Finished);
    session.commands().send(Command::Fork(Fork { track: TrackId(0), step: 5 })).unwrap();
    until(RunState::Paused);
    session.commands().send(Command::SetKnob { id: "lr", value: KnobValue::Float(0.02) }).unwrap();
    session.commands().send(Command::Play).unwrap();
    until(RunState::Finished);
    drop(session);
    let database = rusqlite::Connection::open(&begun).unwrap();
    database.execute_batch("PRAGMA page_size = 1024; VACUUM").unwrap();
    drop(database);
    std::fs::rename(begun, &path).unwrap();
    path
}

/// What needs the run: the specification in force at a step, checkpoints, and steps done again.
pub fn look(case: &mut Case<'_>, path: &Path, recording: &Recording) {
    let Ok(ledger) = Ledger::of(recording) else { return };
    let newest = recording.newest_step();
    for (id, _) in recording.tracks().take(8) {
        let _ = ledger.spec_at(id, case.random.random_range(0..=newest));
    }
    for info in recording.checkpoints.iter().take(4) {
        let _ = file::checkpoint(path, info.track, info.step);
    }
    // Only the network that was trained: another that a header asks for may be larger than any memory.
    let known = spec();
    if ledger.root().model != known.model || ledger.root().task != known.task || case.random.random_bool(0.5) {
        return;
    }
    let Ok(past) = Revisit::new(path, recording) else { return };
    let to = Fork { track: TrackId(case.random.random_range(0..3)), step: case.random.random_range(0..=newest) };
    // Where the newest step is in the far future, training stops after a few.
    let left = std::cell::Cell::new(2 * STEPS);
    let stop = || left.replace(left.get().saturating_sub(1)) == 0;
    let _ = past.at(to, &stop);
}

#[test]
fn the_recording_of_a_run_is_whole_and_can_be_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path());
    let recording = file::read(&path).unwrap();
    assert_eq!((recording.tracks().count(), recording.newest_step()), (2, STEPS));
    assert!(recording.checkpoints.len() > 3 && recording.outcome_of(TrackId(1)) == Some(&Outcome::Finished));
    let past = Revisit::new(&path, &recording).unwrap();
    assert!(past.at(Fork { track: TrackId(1), step: 7 }, &|| false).is_ok());
}
