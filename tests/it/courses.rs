//! What was done to a run by hand travels by link: branches, twins and turned knobs are the same elsewhere, bit for bit.

use std::time::Duration;

use egui::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use landscope::app::action::Action;
use landscope::app::share::{Experiment, SharedState};
use landscope::app::sharing::ShareAction;
use landscope::app::state::Dialog;
use landscope::app::{Wake, Window};
use landscope::nn::spec::ModelKind;
use landscope::record::{Fork, Intervention, Recording, TrackId, TrackInfo, names};
use landscope::run::course::{Course, Turn};
use landscope::run::knobs::KnobValue;
use landscope::run::messages::{Command, Event, RunState};
use landscope::run::session::{Session, SessionOptions};
use landscope::run::spec::RunSpec;
use landscope::run::worker::WorkerOptions;

use super::sessions::{Listener, small};
use super::window::{desk, harness, snapshot};

fn spec() -> RunSpec {
    let mut spec = small(200);
    (spec.model.kind, spec.model.width, spec.probes.budget) = (ModelKind::Mlp, 8, 0.0);
    spec
}

fn options(play: bool) -> SessionOptions {
    SessionOptions { worker: WorkerOptions { play, finest_slice: 9 }, ..SessionOptions::default() }
}

/// What a link of the recording makes of it elsewhere.
fn sent(recording: &Recording) -> (RunSpec, Course) {
    let (spec, course) = Course::of(recording).unwrap();
    let state = SharedState { experiment: Experiment::Playground(Box::new(spec)), course, view: None };
    let arrived = SharedState::read(&state.to_link().unwrap()).unwrap().0;
    assert_eq!(arrived, state);
    match arrived.experiment {
        Experiment::Playground(spec) => (*spec, arrived.course),
        Experiment::Lab { .. } => panic!("it was a run of the Playground"),
    }
}

fn losses(recording: &Recording, track: TrackId) -> Vec<(u64, u64)> {
    let losses = recording.track(track).unwrap().scalar(names::TRAIN_LOSS.as_str()).unwrap();
    losses.steps().iter().zip(losses.values()).map(|(step, loss)| (*step, loss.to_bits())).collect()
}

/// Every loss of every track, as far as the first recording has them.
#[track_caller]
fn the_same(before: &Recording, again: &Recording) {
    assert_eq!(before.tracks().count(), again.tracks().count());
    for (id, track) in before.tracks() {
        let (a, b) = (losses(before, id), losses(again, id));
        assert_eq!(a, b[..a.len().min(b.len())], "{}", track.label);
        assert_eq!(track.parent, again.track(id).unwrap().parent);
    }
}

#[track_caller]
fn finished(listener: &mut Listener) {
    listener.until(|event| matches!(event, Event::State(RunState::Finished)));
}

/// Runs it and waits until the last track has `losses` of them.
fn again((spec, course): (RunSpec, Course), last: TrackId, losses: u64) -> Recording {
    let mut listener = Listener::listening(Session::start_again(spec, course, options(true)).unwrap());
    listener.until(|event| matches!(event, Event::Snapshot(s) if s.track == last && s.step + 1 >= losses));
    listener.recording.clone()
}

#[test]
fn branches_of_branches_are_the_same_elsewhere() {
    let mut listener = Listener::with(spec(), options(false));
    listener.walk_to(20);
    listener.tell(Command::SetKnob { id: "momentum", value: KnobValue::Float(0.85) });
    listener.tell(Command::Play);
    finished(&mut listener);
    // Past its planned end.
    listener.tell(Command::Play);
    listener.until(|event| matches!(event, Event::Snapshot(s) if s.step >= 230));
    for (track, step, id, value) in [
        (0, 90, "lr", KnobValue::Float(0.1)),
        (1, 133, "batch-size", KnobValue::Int(5)),
        (0, 150, "lr", KnobValue::Float(0.01)),
    ] {
        listener.tell(Command::Fork(Fork { track: TrackId(track), step }));
        listener.until(|event| matches!(event, Event::State(RunState::Paused)));
        listener.tell(Command::SetKnob { id, value });
        listener.tell(Command::Play);
        finished(&mut listener);
    }
    let before = listener.recording.clone();
    drop(listener);
    let found = again(sent(&before), TrackId(3), 200);
    the_same(&before, &found);
    assert_eq!(found.interventions, before.interventions);
    assert!(losses(&found, TrackId(0)).len() >= 230, "it goes on past its planned end, too");
}

#[test]
fn twins_are_the_same_elsewhere_with_what_was_turned_in_both() {
    let mut b = spec();
    b.optimizer.lr = 0.02;
    let mut twins = Listener::listening(Session::start_twin([spec(), b.clone()], options(false)).unwrap());
    // One update at a time, so that a busy machine can't let them finish before the knob is turned.
    while twins.recording.track(TrackId(1)).is_none_or(|track| track.newest_step() < 40) {
        twins.tell(Command::Step);
        twins.until(|event| matches!(event, Event::Snapshot(s) if s.scalar(&names::TRAIN_LOSS).is_some()));
    }
    twins.tell(Command::SetKnob { id: "batch-size", value: KnobValue::Int(9) });
    twins.tell(Command::Play);
    finished(&mut twins);
    let before = twins.recording.clone();
    drop(twins);
    let (first, course) = sent(&before);
    assert_eq!((&first, &*course.beside.as_ref().unwrap().spec), (&spec(), &b));
    let found = again((first, course), TrackId(1), 200);
    the_same(&before, &found);
    assert_eq!(found.interventions.len(), 2);
}

#[test]
fn a_divergence_and_what_was_saved_from_it_are_the_same_elsewhere() {
    let mut listener = Listener::with(RunSpec { steps: 100_000, ..spec() }, options(false));
    listener.walk_to(50);
    listener.tell(Command::SetKnob { id: "lr", value: KnobValue::Float(100.0) });
    listener.tell(Command::Play);
    listener.until(|event| matches!(event, Event::State(RunState::Diverged)));
    listener.tell(Command::RestoreLastGood { lr_factor: 1e-5 });
    listener.until(|event| matches!(event, Event::Snapshot(s) if s.track == TrackId(1) && s.step >= 120));
    let before = listener.recording.clone();
    drop(listener);
    let found = again(sent(&before), TrackId(1), before.newest_step() + 1);
    the_same(&before, &found);
    assert!(matches!(found.outcome_of(TrackId(0)), Some(landscope::record::Outcome::Diverged(_))));
}

#[test]
fn the_window_shares_what_was_done_or_the_knobs_alone() {
    let mut desk = desk();
    let (track, step) = (TrackId(0), 150);
    let mark = Intervention { track, step, knob: "lr".into(), from: "0.004".into(), to: "0.02".into() };
    let mut turned = RunSpec::default();
    turned.optimizer.lr = 0.02;
    desk.tell(Event::Intervention { mark, spec: Box::new(turned.clone()) });
    let parent = Some(Fork { track, step: 170 });
    desk.tell(Event::Track(TrackInfo { id: TrackId(1), parent, ..TrackInfo::default() }));
    desk.tell(Event::Snapshot(std::sync::Arc::new(landscope::record::Snapshot { track: TrackId(1), ..snapshot(171) })));
    desk.harness.state_mut().window.apply(Action::Show(Dialog::Share));
    desk.harness.run();
    let link = |desk: &super::window::Desk| {
        desk.harness.get_by_role_and_label(Role::TextInput, "Link").accesskit_node().value().unwrap()
    };
    let (state, _) = SharedState::read(&link(&desk)).unwrap();
    assert_eq!(state.experiment, Experiment::Playground(Box::default()), "the knobs that it began with");
    assert_eq!(state.course.first.turns, [Turn { step, knob: "lr".into(), to: "0.02".into() }]);
    assert_eq!((state.course.branches.len(), state.course.branches[0].step), (1, 170));
    desk.harness.get_by_role_and_label(Role::CheckBox, "With what was done by hand: 1 knob turned, 1 branch").click();
    desk.harness.run();
    let (bare, _) = SharedState::read(&link(&desk)).unwrap();
    assert_eq!((bare.experiment, bare.course.is_empty()), (Experiment::Playground(Box::new(turned)), true));
    // The other window does all of it again.
    desk.harness.state_mut().window.recorded_in(Some(std::path::Path::new("kept.landscope")));
    desk.asked();
    desk.harness.state_mut().window.apply(Action::Share(ShareAction::Open(state.to_link().unwrap())));
    assert!(matches!(&desk.asked()[..], [Command::Repeat { course, .. }, ..] if **course == state.course));
}

/// From the text to the tree of branches: an idle window, a real worker.
#[test]
fn a_branch_that_is_opened_in_another_window_grows_there() {
    let mut begun = spec();
    begun.steps = 120;
    let mut course = Course::default();
    course.first.until = Some(60);
    let turns = vec![Turn { step: 40, knob: "lr".into(), to: "0.05".into() }];
    let leg = landscope::run::course::Leg { turns, until: None };
    course.branches.push(landscope::run::course::Branch { from: 0, step: 40, leg });
    let state = SharedState { experiment: Experiment::Playground(Box::new(begun)), course, view: None };
    let mut harness = harness(Window::idle(Wake::default()));
    harness.state_mut().window.apply(Action::Share(ShareAction::Open(state.to_link().unwrap())));
    let mut looks = 0;
    while harness.state().window.live.state != RunState::Finished {
        looks += 1;
        assert!(looks < 6_000, "the branch doesn't come to its end: {:?}", harness.state().window.live.state);
        harness.step();
        std::thread::sleep(Duration::from_millis(10));
    }
    let window = &harness.state().window;
    let recording = window.recording();
    assert_eq!((recording.tracks().count(), recording.focus()), (2, TrackId(1)));
    assert_eq!((losses(recording, TrackId(0)).len(), losses(recording, TrackId(1)).len()), (60, 120));
    // And can be sent on.
    assert_eq!(window.shared_state().unwrap().course, state.course);
}
