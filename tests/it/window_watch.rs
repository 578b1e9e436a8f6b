//! A training of another program in the window: shown like a run, but not to be steered.

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::bounded;
use egui::{Key, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use landscope::app::action::Action;
use landscope::app::{Wake, Window};
use landscope::record::{Header, file, names};
use landscope::run::knobs::KnobValue;
use landscope::run::messages::{Command, Event, RunState};
use landscope::run::spec::RunSpec;

use super::watch::{Elsewhere, folder_with};
use super::window::{harness, header, snapshot};

#[test]
fn the_transport_says_what_is_watched_and_only_measurements_can_be_turned() {
    let (sender, commands) = bounded(64);
    let (events, receiver) = bounded(64);
    let window = Window::following(RunSpec::default(), sender, receiver, Wake::default());
    let header = Header { watched: Some("runs/digits".into()), planned_steps: 0, ..header() };
    events.send(Event::Started { header: Arc::new(header), spec: Box::new(RunSpec::default()) }).unwrap();
    events.send(Event::State(RunState::Watching)).unwrap();
    for step in [0, 20, 40] {
        events.send(Event::Snapshot(Arc::new(snapshot(step)))).unwrap();
    }
    let mut harness = harness(window);
    harness.run();
    harness.get_by_label("Watching digits");
    harness.get_by_label("3 checkpoints, newest step 40");
    harness.get_by_label("Watching");
    for label in ["Pause", "Play", "Step", "Reset"] {
        assert!(harness.query_by_role_and_label(Role::Button, label).is_none(), "{label}");
    }
    let disabled = |label| harness.get_by_role_and_label(Role::Slider, label).accesskit_node().is_disabled();
    assert!(disabled("Width") && !disabled("Sharpness examples"));
    for label in ["Probe budget", "Learning rate", "Batch size"] {
        assert!(harness.query_by_role_and_label(Role::Slider, label).is_none(), "nobody has said {label}");
    }
    for key in [Key::Space, Key::S, Key::R] {
        harness.key_press(key);
        harness.run();
    }
    assert!(commands.is_empty(), "the training is somebody else's");
    let knob = Action::SetKnob { id: "sharpness-examples", value: KnobValue::Int(100) };
    harness.state_mut().window.apply(knob);
    harness.run();
    assert!(matches!(commands.try_recv(), Ok(Command::SetKnob { id: "sharpness-examples", .. })));
    events.send(Event::Remark("step-000060.safetensors is passed over: why".into())).unwrap();
    harness.run();
    assert!(harness.state().window.toasts.iter().any(|notice| notice.text.contains("step-000060")));
}

#[test]
fn a_folder_that_is_opened_is_watched_and_recorded_as_a_run_is() {
    static HOME: std::sync::LazyLock<tempfile::TempDir> = std::sync::LazyLock::new(|| tempfile::tempdir().unwrap());
    let folder = folder_with(60);
    let mut elsewhere = Elsewhere::new(folder.path());
    elsewhere.leave(4);
    let mut harness = harness(Window::idle(Wake::default()));
    harness.state_mut().window.new_recording = Some(|| Some(HOME.path().join("watched.landscope")));
    harness.state_mut().window.apply(Action::Open(folder.path().into()));
    let measured = |window: &Window, step| {
        let losses = window.recording().scalar(&names::TRAIN_LOSS);
        let slice = window.recording().latest_at(&names::LANDSCAPE, step);
        losses.is_some_and(|s| s.steps().iter().any(|at| *at == step)) && slice.is_some_and(|(at, _)| at == step)
    };
    for step in [4, 9] {
        if step == 9 {
            elsewhere.leave(9);
        }
        let mut looks = 0;
        while !measured(&harness.state().window, step) {
            looks += 1;
            assert!(looks < 3_000, "step {step} doesn't show");
            harness.step();
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    assert!(harness.state().window.is_watching());
    drop(harness);
    let read = file::read(&HOME.path().join("watched.landscope")).unwrap();
    assert!(read.header.watched.is_some());
    assert!(read.scalar(&names::TRAIN_LOSS).unwrap().steps().iter().eq(&[4, 9]));
}
