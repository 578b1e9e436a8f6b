//! The worker from outside: what it tells, how it obeys, and that looking never changes training.

use std::time::Duration;

use landscope::nn::spec::ModelKind;
use landscope::optim::spec::OptimizerKind;
use landscope::record::{Divergence, Outcome, Reading, Recording, SliceMetric, names};
use landscope::run::Past;
use landscope::run::connectivity::{ConnectivityOptions, RunOrder, RunSplit, WeightsPlace, connect};
use landscope::run::knobs::KnobValue;
use landscope::run::messages::{Command, Event, RunState};
use landscope::run::session::{Session, SessionOptions};
use landscope::run::spec::{Pace, RunSpec};
use landscope::run::worker::WorkerOptions;

/// A run of about a second: small, but a transformer with everything on.
pub fn small(steps: u64) -> RunSpec {
    let mut spec = RunSpec { steps, batch_size: 16, ..RunSpec::default() };
    spec.model.width = 8;
    spec.model.depth = 2;
    spec.model.n_heads = 2;
    spec.model.patch = 4;
    spec.task.train_size = 200;
    spec.probes.landscape_examples = 16;
    spec.probes.sharpness_examples = 16;
    spec
}

/// A session and what it told so far.
pub struct Listener {
    session: Session,
    pub recording: Recording,
    states: Vec<RunState>,
    diverged: Option<Divergence>,
    pub spec: RunSpec,
}

impl Listener {
    fn start(spec: RunSpec, play: bool) -> Self {
        let worker = WorkerOptions { play, finest_slice: 9 };
        Self::with(spec, SessionOptions { worker, ..SessionOptions::default() })
    }

    pub fn with(spec: RunSpec, options: SessionOptions) -> Self {
        let session = Session::start(spec.clone(), options).unwrap();
        Self { session, recording: Recording::default(), states: Vec::new(), diverged: None, spec }
    }

    pub fn listening(session: Session) -> Self {
        let (recording, spec) = (Recording::default(), RunSpec::default());
        Self { session, recording, states: Vec::new(), diverged: None, spec }
    }

    /// Goes on with a recording.
    pub fn on(past: Past, options: SessionOptions) -> Self {
        let (recording, spec) = ((*past.recording).clone(), RunSpec::default());
        let session = Session::resume(past, options).unwrap();
        Self { session, recording, states: Vec::new(), diverged: None, spec }
    }

    pub fn tell(&self, command: Command) {
        self.session.commands().send(command).unwrap();
    }

    /// Takes events until `enough` says so of one.
    #[track_caller]
    pub fn until(&mut self, enough: impl Fn(&Event) -> bool) {
        let started = std::time::Instant::now();
        loop {
            assert!(started.elapsed() < Duration::from_secs(60), "what was waited for doesn't come");
            let event = self.session.events().recv_timeout(Duration::from_secs(60)).expect("the worker answers");
            let stop = enough(&event);
            match event {
                Event::Started { header, spec } => {
                    self.recording = Recording::new((*header).clone());
                    self.spec = *spec;
                }
                Event::Snapshot(snapshot) => self.recording.push(&snapshot).unwrap(),
                Event::Intervention { mark, spec } => {
                    self.recording.intervene(mark);
                    self.spec = *spec;
                }
                Event::Fingerprint(fingerprint) => self.recording.fingerprints.push(fingerprint),
                Event::Track(info) => self.recording.begin_track(&info),
                Event::State(state) => self.states.push(state),
                Event::Ended { track, outcome } => {
                    if let Outcome::Diverged(divergence) = &outcome {
                        self.diverged = Some(divergence.clone());
                    }
                    self.recording.end_track(track, outcome);
                }
                Event::Failed(message) if !stop => panic!("{message}"),
                _ => {}
            }
            if stop {
                return;
            }
        }
    }

    /// Trains a paused run to a step, one update at a time: it stands exactly there, however busy the machine is.
    #[track_caller]
    pub fn walk_to(&mut self, step: u64) {
        for at in 0..step {
            self.tell(Command::Step);
            self.until(
                |event| matches!(event, Event::Snapshot(s) if s.step == at && s.scalar(&names::TRAIN_LOSS).is_some()),
            );
        }
    }

    #[track_caller]
    fn until_rest(&mut self) {
        self.until(|event| matches!(event, Event::AtRest { .. }));
    }
}

fn hash_of(spec: RunSpec) -> String {
    let mut listener = Listener::start(spec, true);
    listener.until_rest();
    listener.recording.fingerprints.last().unwrap().hash.clone()
}

#[test]
fn measuring_more_less_or_otherwise_changes_no_bit_of_training() {
    let reference = hash_of(small(60));
    assert_eq!(reference, hash_of(small(60)), "the same run twice");
    for change in [
        |spec: &mut RunSpec| spec.probes.budget = 0.0,
        |spec: &mut RunSpec| spec.probes.budget = 0.8,
        |spec: &mut RunSpec| (spec.probes.pace, spec.probes.every) = (Pace::Steps, 20),
        |spec: &mut RunSpec| spec.eval_every = 7,
        |spec: &mut RunSpec| spec.probes.sharpness_examples = 5,
        |spec: &mut RunSpec| (spec.probes.attention_example, spec.probes.int8) = (0, false),
        |spec: &mut RunSpec| (spec.probes.attention_example, spec.probes.signal_examples) = (7, 11),
    ] {
        let mut spec = small(60);
        change(&mut spec);
        assert_eq!(hash_of(spec.clone()), reference, "{:?}", spec.probes);
    }
    assert_ne!(hash_of(RunSpec { seed: 1, ..small(60) }), reference, "another seed");
}

#[test]
fn pausing_and_stepping_change_no_bit_either() {
    let hash_at_200 = |listener: &mut Listener| {
        listener.until(|event| matches!(event, Event::Fingerprint(fingerprint) if fingerprint.step == 200));
        listener.recording.fingerprints.last().unwrap().hash.clone()
    };
    let mut through = Listener::start(small(1_000_000), true);
    let reference = hash_at_200(&mut through);
    drop(through);

    let mut listener = Listener::start(small(1_000_000), false);
    listener.until_rest();
    for step in 1..=5 {
        listener.tell(Command::Step);
        listener.until(|event| matches!(event, Event::AtRest { step: at } if *at == step));
    }
    for target in [20, 90, 150] {
        listener.tell(Command::Play);
        listener.until(|event| matches!(event, Event::Snapshot(s) if s.step >= target));
        listener.tell(Command::Pause);
        listener.until_rest();
    }
    listener.tell(Command::Play);
    assert_eq!(hash_at_200(&mut listener), reference);
}

#[test]
fn equal_specs_paced_by_steps_give_equal_recordings() {
    let mut spec = small(30);
    (spec.probes.pace, spec.probes.every) = (Pace::Steps, 10);
    let record = || {
        let mut listener = Listener::start(spec.clone(), true);
        listener.until_rest();
        listener.recording
    };
    let (a, b) = (record(), record());
    for id in [names::SHARPNESS, names::TRAIN_LOSS, names::TEST_LOSS] {
        let (a, b) = (a.scalar(&id).unwrap(), b.scalar(&id).unwrap());
        assert_eq!((a.steps(), a.values()), (b.steps(), b.values()), "{id}");
    }
    assert_eq!(a.scalar(&names::SHARPNESS).unwrap().steps(), [0, 10, 20, 30]);
    let slices = |recording: &Recording| {
        let entries = recording.heavy(&names::LANDSCAPE).unwrap().entries();
        entries
            .iter()
            .map(|(step, reading)| (*step, format!("{reading:?}").len()))
            .map(|(step, _)| step)
            .collect::<Vec<_>>()
    };
    assert_eq!(slices(&a), slices(&b));
}

#[test]
fn live_knobs_apply_at_the_next_update_and_leave_a_mark() {
    let mut listener = Listener::start(small(1_000_000), true);
    listener.until(|event| matches!(event, Event::Snapshot(s) if s.step >= 3));
    for (id, value) in [
        ("lr", KnobValue::Float(0.5e-3)),
        ("momentum", KnobValue::Float(0.5)),
        ("weight-decay", KnobValue::Float(0.2)),
        ("batch-size", KnobValue::Int(8)),
        ("label-noise", KnobValue::Float(0.3)),
        ("temperature", KnobValue::Float(2.0)),
        ("probe-budget", KnobValue::Float(0.1)),
    ] {
        listener.tell(Command::SetKnob { id, value: value.clone() });
        listener.until(|event| matches!(event, Event::Intervention { mark, .. } if mark.knob == id));
        let mark = listener.recording.interventions.last().unwrap().clone();
        assert_eq!(mark.to, value.to_string());
        let at = mark.step;
        listener.until(|event| matches!(event, Event::Snapshot(s) if s.step > at && s.scalar(&names::LR).is_some()));
    }
    let spec = &listener.spec;
    assert_eq!((spec.optimizer.lr, spec.batch_size, spec.task.label_noise), (0.5e-3, 8, 0.3));
    assert_eq!(listener.recording.scalar(&names::LR).unwrap().values().last(), Some(&0.5e-3));
    // A cold knob is no live command: nothing changes.
    listener.tell(Command::SetKnob { id: "width", value: KnobValue::Int(4) });
    listener.tell(Command::Pause);
    listener.until_rest();
    assert_eq!(listener.spec.model.width, 8);
}

#[test]
fn an_absurd_learning_rate_stops_the_run_and_one_command_restores_it() {
    for kind in [OptimizerKind::Sgd, OptimizerKind::AdamW] {
        for model in [ModelKind::VisionTransformer, ModelKind::Mlp] {
            let mut spec = small(1_000_000);
            spec.optimizer.kind = kind;
            spec.optimizer.lr = 1e-2;
            spec.model.kind = model;
            let mut listener = Listener::start(spec, true);
            listener.until(|event| matches!(event, Event::Snapshot(s) if s.step >= 50));
            listener.tell(Command::SetKnob { id: "lr", value: KnobValue::Float(100.0) });
            listener.until(|event| matches!(event, Event::State(RunState::Diverged)));
            let found = listener.diverged.clone().unwrap();
            assert!(found.step >= 50 && !found.layer.is_empty() && !found.quantity.is_empty(), "{found:?}");
            assert!(listener.recording.newest_step() >= 50, "what was before is kept");
            listener.tell(Command::RestoreLastGood { lr_factor: 0.1 });
            listener.until(|event| matches!(event, Event::State(RunState::Running)));
            assert!((listener.spec.optimizer.lr - 10.0).abs() < 1e-9, "{kind:?} {model:?}");
            assert!(listener.recording.newest_step() < found.step);
            listener.tell(Command::SetKnob { id: "lr", value: KnobValue::Float(1e-3) });
            let from = listener.recording.newest_step();
            listener.until(|event| matches!(event, Event::Snapshot(s) if s.step > from + 3));
        }
    }
}

#[test]
fn a_specification_that_cannot_run_is_told_and_the_next_one_runs() {
    let mut wrong = small(5);
    wrong.model.patch = 3;
    let mut listener = Listener::start(wrong, true);
    listener.until(|event| matches!(event, Event::Failed(message) if message.contains("patch")));
    listener.tell(Command::Restart(Box::new(small(5))));
    listener.until_rest();
    assert_eq!(listener.recording.newest_step(), 5);
}

#[test]
fn a_listener_that_stalls_loses_nothing() {
    let mut spec = small(3_000);
    (spec.model.kind, spec.model.width, spec.probes.budget) = (ModelKind::Mlp, 4, 0.0);
    let mut listener = Listener::start(spec, true);
    std::thread::sleep(Duration::from_millis(1_500));
    listener.until_rest();
    assert_eq!(listener.recording.scalar(&names::TRAIN_LOSS).unwrap().len(), 3_000);
}

#[test]
fn dropping_a_session_ends_its_threads_whatever_they_do() {
    for play in [true, false] {
        let mut spec = small(1_000_000);
        spec.probes.landscape_examples = 200;
        let mut listener = Listener::start(spec, play);
        listener.until(|event| matches!(event, Event::Snapshot(_)));
        drop(listener);
    }
}

#[test]
fn a_run_gives_its_weights_to_comparisons_and_files() {
    let mut spec = small(12);
    spec.model.kind = ModelKind::Mlp;
    let mut listener = Listener::start(spec, true);
    listener.until_rest();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    listener.tell(Command::SaveWeights(path.clone()));
    listener.until(|event| matches!(event, Event::Saved(_)));
    listener.tell(Command::SaveWeights(folder.path().join("none").join("w.safetensors")));
    listener.until(|event| matches!(event, Event::SaveFailed(message) if message.contains("none")));
    listener.tell(Command::Checkpoints);
    let checkpoints = loop {
        if let Event::Checkpoints(checkpoints) = listener.session.events().recv().unwrap() {
            break checkpoints;
        }
    };
    let steps: Vec<u64> = checkpoints.steps().collect();
    assert_eq!((steps[0], *steps.last().unwrap()), (0, 12));
    // The file has the run's newest weights, the start is another place.
    let order = |from| RunOrder {
        spec: listener.spec.clone(),
        checkpoints: Some(checkpoints.clone()),
        places: vec![WeightsPlace::Step(from), WeightsPlace::File(path.clone())],
        split: RunSplit::Train,
        examples: 50,
        options: ConnectivityOptions::default(),
    };
    let found = |from| connect(&order(from).order().unwrap(), &mut |_| true).unwrap().unwrap();
    let newest = found(u64::MAX);
    assert_eq!((newest.pairs[0].distance, newest.ends[0].name.as_str()), (0.0, "step 12"));
    assert_eq!(newest.pairs[0].walks[0].loss.above_chord.height, 0.0);
    let start = found(0);
    assert!(start.pairs[0].distance > 0.01 && start.ends[0].name == "step 0" && start.ends[1].name == "w.safetensors");
    assert_eq!(start.circumstances.examples, 50);
    let none = RunOrder { checkpoints: None, ..order(0) };
    assert!(none.order().err().unwrap().to_string().contains("files of weights"));
}

#[test]
fn a_metric_of_the_slice_is_recorded_when_its_knob_asks_for_it() {
    let spec = small(5);
    let quiet = hash_of(spec.clone());
    let mut listener = Listener::start(spec, false);
    listener.until_rest();
    let series = SliceMetric::GradientNorm.series();
    assert!(listener.recording.heavy(&series).is_none());
    listener.tell(Command::SetKnob { id: "landscape-metric", value: KnobValue::Choice("gradient-norm".into()) });
    // It rests at this step already and doesn't say so twice.
    let whole =
        |reading: &Reading| matches!(reading, Reading::Surface(s) if s.valid.iter().filter(|v| **v).count() == 33);
    listener.until(|event| {
        matches!(event, Event::Snapshot(s) if s.readings.iter().any(|(id, reading)| *id == series && whole(reading)))
    });
    assert_eq!(listener.spec.probes.landscape_metric, Some(SliceMetric::GradientNorm));
    let Some((0, Reading::Surface(surface))) = listener.recording.latest_at(&series, 0) else { panic!("a surface") };
    assert_eq!((surface.n, surface.valid.iter().filter(|valid| **valid).count()), (17, 33));
    // And it changes no bit of training.
    listener.tell(Command::Play);
    listener.until(|event| matches!(event, Event::Ended { .. }));
    listener.until_rest();
    assert_eq!(listener.recording.fingerprints.last().unwrap().hash, quiet);
}
