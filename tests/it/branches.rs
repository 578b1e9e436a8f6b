//! Going back: branches, what they share and where they part, and doing a recording again.

use std::path::Path;

use landscope::nn::spec::ModelKind;
use landscope::record::file;
use landscope::record::{Fork, Recording, TrackId, names};
use landscope::run::Past;
use landscope::run::afterwards::Revisit;
use landscope::run::knobs::KnobValue;
use landscope::run::messages::{Command, Event, RunState};
use landscope::run::replay;
use landscope::run::session::{Session, SessionOptions};
use landscope::run::spec::RunSpec;
use landscope::run::worker::WorkerOptions;

use crate::sessions::{Listener, small};

/// A thousand fast steps.
fn spec() -> RunSpec {
    let mut spec = small(1_000);
    (spec.model.kind, spec.model.width, spec.probes.budget) = (ModelKind::Mlp, 8, 0.05);
    spec
}

fn options(path: Option<&Path>, play: bool) -> SessionOptions {
    SessionOptions {
        recording: path.map(Into::into),
        worker: WorkerOptions { play, finest_slice: 9 },
        ..SessionOptions::default()
    }
}

fn fork(track: u32, step: u64) -> Fork {
    Fork { track: TrackId(track), step }
}

/// Losses of a track, and the last hash of its parameters.
fn course(recording: &Recording, track: u32) -> (Vec<u64>, String) {
    let losses = recording.track(TrackId(track)).unwrap().scalar(names::TRAIN_LOSS.as_str()).unwrap();
    let hashes = recording.fingerprints.iter().rev();
    let last = hashes.filter(|print| print.track == TrackId(track)).max_by_key(|print| print.step).unwrap();
    (losses.values().iter().map(|loss| loss.to_bits()).collect(), format!("{} {}", last.step, last.hash))
}

#[track_caller]
fn the_same(recording: &Recording) -> replay::Verdict {
    let verdict = replay::repeat(recording, 0.0, &|| false, &mut |_| ()).unwrap();
    assert_eq!(verdict.differences, []);
    assert!(verdict.compared > verdict.steps, "{verdict:?}");
    verdict
}

#[test]
fn a_branch_with_nothing_changed_is_the_original_bit_for_bit_and_a_changed_one_parts_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.landscope");
    let mut listener = Listener::with(spec(), options(Some(&path), false));
    listener.walk_to(120);
    listener.tell(Command::SetKnob { id: "momentum", value: KnobValue::Float(0.85) });
    listener.tell(Command::Play);
    listener.until(|event| matches!(event, Event::State(RunState::Finished)));
    // Step 317 lies between checkpoints.
    for step in [300, 317] {
        listener.tell(Command::Fork(fork(0, step)));
        listener.until(|event| matches!(event, Event::State(RunState::Paused)));
        assert_eq!((listener.recording.newest_step(), listener.spec.optimizer.momentum), (step, 0.85));
        listener.tell(Command::Play);
        listener.until(|event| matches!(event, Event::State(RunState::Finished)));
    }
    listener.tell(Command::Fork(fork(1, 400)));
    listener.until(|event| matches!(event, Event::State(RunState::Paused)));
    listener.tell(Command::SetKnob { id: "lr", value: KnobValue::Float(0.1) });
    listener.tell(Command::Play);
    listener.until(|event| matches!(event, Event::State(RunState::Finished | RunState::Diverged)));
    let live = listener.recording.clone();
    drop(listener);
    let original = course(&live, 0);
    assert_eq!(original.0.len(), 1_000);
    assert_eq!(course(&live, 1), original);
    assert_eq!(course(&live, 2), original);
    let changed = course(&live, 3).0;
    assert_eq!(changed[..401], original.0[..401]);
    assert!(changed[401..].iter().zip(&original.0[401..]).all(|(a, b)| a != b));

    let read = file::read(&path).unwrap();
    (0..4).for_each(|track| assert_eq!(course(&read, track), course(&live, track)));
    assert_eq!(read.lineage(TrackId(3)), [(TrackId(0), Some(300)), (TrackId(1), Some(400)), (TrackId(3), None)]);
    let steps = |track| read.checkpoints.iter().filter(move |info| info.track == TrackId(track)).map(|info| info.step);
    assert!((0..=1_000).step_by(100).all(|step| steps(0).any(|at| at == step)), "{:?}", steps(0).collect::<Vec<_>>());
    let verdict = the_same(&read);
    assert_eq!((verdict.tracks, verdict.steps >= 1_000 + 700 + 683), (4, true));
}

#[test]
fn a_recording_that_was_opened_is_gone_on_with_in_its_own_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.landscope");
    let mut listener = Listener::with(spec(), options(Some(&path), false));
    listener.walk_to(133);
    listener.tell(Command::SetKnob { id: "lr", value: KnobValue::Float(0.002) });
    listener.tell(Command::Play);
    listener.until(|event| matches!(event, Event::Snapshot(s) if s.step >= 450));
    let past = |step| {
        // The file is begun by a thread of its own, which a busy machine may keep waiting.
        let recording = loop {
            match file::read(&path) {
                Ok(recording) if !recording.is_empty() => break Box::new(recording),
                _ => std::thread::sleep(std::time::Duration::from_millis(20)),
            }
        };
        Past { path: path.clone(), recording, fork: fork(0, step) }
    };
    let busy = Session::resume(past(400), options(None, true)).err().unwrap().to_string();
    assert!(busy.contains("being written"), "{busy}");
    listener.until(|event| matches!(event, Event::State(RunState::Finished)));
    drop(listener);

    let past = past(421);
    let mut listener = Listener::on(past, options(None, true));
    listener.until(|event| matches!(event, Event::State(RunState::Finished)));
    listener.tell(Command::Note { step: 500, text: "the same".into() });
    listener.until(|event| matches!(event, Event::Note(_)));
    drop(listener);
    let read = file::read(&path).unwrap();
    assert_eq!(course(&read, 1), course(&read, 0));
    assert_eq!(read.notes[0].text, "the same");
    assert_eq!(the_same(&read).tracks, 2);
}

#[test]
fn a_recording_that_grows_is_followed_as_a_run_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.landscope");
    let mut listener = Listener::with(spec(), options(Some(&path), false));
    listener.walk_to(100);
    // The file is begun by a thread of its own, which a busy machine may keep waiting.
    while !file::is_being_written(&path) || file::read(&path).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut follower = Listener::listening(Session::follow(&path, std::sync::Arc::new(|| ())).unwrap());
    listener.tell(Command::SetKnob { id: "lr", value: KnobValue::Float(0.002) });
    listener.tell(Command::Play);
    listener.until(|event| matches!(event, Event::State(RunState::Finished)));
    listener.tell(Command::Fork(fork(0, 250)));
    listener.until(|event| matches!(event, Event::State(RunState::Paused)));
    listener.tell(Command::Play);
    listener.until(|event| matches!(event, Event::Ended { .. }));
    // Commands of a reader change nothing.
    follower.tell(Command::SetKnob { id: "lr", value: KnobValue::Float(9.0) });
    follower.until(|event| matches!(event, Event::Ended { track: TrackId(1), .. }));
    for track in [0, 1] {
        assert_eq!(course(&follower.recording, track), course(&listener.recording, track));
    }
    assert_eq!(follower.spec.optimizer.lr, 0.002);
    drop(listener);
    assert!(!file::is_being_written(&path));
}

#[test]
fn what_was_not_measured_then_is_measured_afterwards_at_any_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.landscope");
    let mut quiet = RunSpec { steps: 260, ..spec() };
    quiet.probes.budget = 0.0;
    let mut listener = Listener::with(quiet, options(Some(&path), true));
    listener.until(|event| matches!(event, Event::Snapshot(s) if s.step >= 150));
    listener.tell(Command::SetKnob { id: "probe-budget", value: KnobValue::Float(0.25) });
    listener.until(|event| matches!(event, Event::Intervention { .. }));
    listener.tell(Command::SetKnob { id: "probe-budget", value: KnobValue::Float(0.0) });
    listener.until(|event| matches!(event, Event::State(RunState::Finished)));
    let hash = listener.recording.fingerprints.iter().find(|print| print.step == 200).unwrap().hash.clone();
    drop(listener);
    let before = file::read(&path).unwrap();
    let revisit = Revisit::new(&path, &before).unwrap();
    assert_eq!(revisit.at(fork(0, 200), &|| false).unwrap().params().hash().unwrap(), hash);
    let found = revisit.add(fork(0, 57), &|| false).unwrap();
    assert!(found.iter().all(|snapshot| snapshot.step == 57));
    let after = file::open(&path).unwrap();
    assert_eq!(after.damage, None);
    let sharpness = after.recording.estimate_at(&names::SHARPNESS, 57).unwrap();
    assert!(sharpness.0 == 57 && sharpness.1.value.is_finite());
    assert_eq!(after.recording.latest_at(&names::LANDSCAPE, 57).unwrap().0, 57);
    assert_eq!(course(&after.recording, 0), course(&before, 0));
    // Once more at the same step gives the same number: the test vectors are the step's own.
    let again = revisit.readings(fork(0, 57), &|| false).unwrap();
    let value = |snapshots: &[landscope::record::Snapshot]| {
        let last = snapshots.iter().rev().find_map(|snapshot| snapshot.scalar(&names::SHARPNESS));
        last.unwrap()
    };
    assert!((value(&again) / value(&found) - 1.0).abs() < 1e-3);
    for (track, step, word) in [(0, 261, "beyond"), (4, 3, "no track 4")] {
        let error = revisit.at(fork(track, step), &|| false).err().unwrap().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn twins_are_the_runs_that_they_would_be_alone_and_replay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.landscope");
    let a = RunSpec { steps: 150, ..spec() };
    let mut b = a.clone();
    b.optimizer.lr = 0.02;
    b.model.width = 12;
    let session = Session::start_twin([a.clone(), b.clone()], options(Some(&path), true)).unwrap();
    let mut twins = Listener::listening(session);
    twins.until(|event| matches!(event, Event::State(RunState::Finished)));
    let live = twins.recording.clone();
    // What they differ in stays; what they share is turned in both.
    twins.tell(Command::SetKnob { id: "lr", value: KnobValue::Float(0.5) });
    twins.until(|event| matches!(event, Event::SaveFailed(text) if text.contains("differ")));
    twins.tell(Command::Fork(fork(0, 3)));
    twins.until(|event| matches!(event, Event::SaveFailed(text) if text.contains("side by side")));
    twins.tell(Command::SetKnob { id: "batch-size", value: KnobValue::Int(9) });
    twins.until(|event| matches!(event, Event::Intervention { mark, .. } if mark.track == TrackId(1)));
    twins.tell(Command::Play);
    twins.until(|event| matches!(event, Event::Snapshot(s) if s.track == TrackId(1) && s.step > 170));
    drop(twins);
    for (track, spec) in [(0, a), (1, b)] {
        let mut alone = Listener::with(spec, options(None, true));
        alone.until(|event| matches!(event, Event::State(RunState::Finished)));
        assert_eq!(course(&live, track), course(&alone.recording, 0));
    }
    let read = file::read(&path).unwrap();
    assert_eq!(read.track(TrackId(1)).unwrap().label, "lr 0.02, width 12");
    assert_eq!(read.interventions.len(), 2);
    assert_eq!(the_same(&read).tracks, 2);
}

#[test]
fn after_a_divergence_nothing_is_lost_and_all_of_it_replays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.landscope");
    let mut listener = Listener::with(RunSpec { steps: 100_000, ..spec() }, options(Some(&path), true));
    listener.until(|event| matches!(event, Event::Snapshot(s) if s.step >= 50));
    listener.tell(Command::SetKnob { id: "lr", value: KnobValue::Float(100.0) });
    listener.until(|event| matches!(event, Event::State(RunState::Diverged)));
    let diverged = listener.recording.newest_step();
    listener.tell(Command::RestoreLastGood { lr_factor: 1e-5 });
    listener.until(|event| matches!(event, Event::State(RunState::Running)));
    let from = listener.recording.newest_step();
    listener.until(|event| matches!(event, Event::Snapshot(s) if s.step >= from + 130));
    listener.tell(Command::Pause);
    listener.until(|event| matches!(event, Event::State(RunState::Paused)));
    drop(listener);
    let read = file::read(&path).unwrap();
    assert_eq!(read.track(TrackId(0)).unwrap().newest_step(), diverged);
    assert!(matches!(read.outcome_of(TrackId(0)), Some(landscope::record::Outcome::Diverged(_))));
    assert_eq!(the_same(&read).tracks, 2);
}

/// Ten interventions of all sorts at moments that chance decides.
#[test]
fn a_run_with_ten_live_interventions_replays_bit_for_bit_and_a_changed_recording_is_told_by_its_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.landscope");
    let mut listener = Listener::with(RunSpec { steps: 100_000, ..spec() }, options(Some(&path), true));
    for (id, value) in [
        ("lr", KnobValue::Float(0.1 / 3.0)),
        ("batch-size", KnobValue::Int(7)),
        ("label-noise", KnobValue::Float(0.2)),
        ("sam-rho", KnobValue::Float(0.05)),
        ("temperature", KnobValue::Float(1.5)),
        ("beta2", KnobValue::Float(0.9)),
        ("momentum", KnobValue::Float(0.5)),
        ("weight-decay", KnobValue::Float(0.05)),
        ("batch-size", KnobValue::Int(0)),
        ("clip-norm", KnobValue::Float(0.7)),
    ] {
        let before = listener.recording.newest_step();
        listener.tell(Command::SetKnob { id, value });
        listener.until(|event| matches!(event, Event::Intervention { mark, .. } if mark.knob == id));
        listener.until(|event| matches!(event, Event::Snapshot(s) if s.step >= before + 40));
    }
    listener.tell(Command::Pause);
    listener.until(|event| matches!(event, Event::State(RunState::Paused)));
    drop(listener);
    let read = file::read(&path).unwrap();
    assert_eq!(read.interventions.len(), 10);
    let verdict = the_same(&read);
    assert!(verdict.steps >= 400);

    let mut forged = read.clone();
    forged.interventions[4].to = "1.4999".into(); // the temperature
    let step = forged.interventions[4].step;
    let found = replay::repeat(&forged, 0.0, &|| false, &mut |_| ()).unwrap().differences;
    assert_eq!((found.len(), found[0].step), (1, step));
    // Where the knob was turned decides which number shows it first.
    assert!(["train_loss", "test_loss"].contains(&found[0].what.as_str()), "{}", found[0].what);
}
