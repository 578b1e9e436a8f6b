//! The bench: what a lab's protocol runs on, with a protocol of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use landscope::record::{Header, Outcome, Recording, file};
use landscope::run::bench::{Bench, Fleet, Halt, LabKnob, Member, Preset, Program, Values, always};
use landscope::run::knobs::{Knob, KnobKind, KnobValue, Liveness, Scale};
use landscope::run::messages::{Command, Event, RunState};
use landscope::run::session::{Session, SessionOptions};
use landscope::run::spec::RunSpec;
use landscope::run::worker::WorkerOptions;

const fn float(id: &'static str, liveness: Liveness) -> Knob {
    let kind = KnobKind::Float { min: 0.0, max: 1e3, smallest: 1e-3, scale: Scale::Logarithmic };
    Knob { id, label: "Label", liveness, kind, definition: "d", formula: "f", effect: "e" }
}

static KNOBS: &[LabKnob] = &[
    LabKnob { knob: float("lr", Liveness::Live), group: "g", presets: ["0.01", "0.01", "0.01"], relevant: always },
    LabKnob { knob: float("fail", Liveness::Cold), group: "g", presets: ["0", "0", "0"], relevant: always },
];

/// Trains two small networks side by side for 30 steps.
struct Pair;

fn spec(width: usize, lr: f64, seed: u64) -> RunSpec {
    let mut spec = RunSpec { seed, batch_size: 16, ..RunSpec::default() };
    spec.model.kind = landscope::nn::spec::ModelKind::Mlp;
    (spec.model.width, spec.model.depth) = (width, 1);
    spec.task.train_size = 64;
    spec.optimizer.lr = lr;
    spec
}

impl Program for Pair {
    fn header(&self, values: &Values) -> Header {
        Header { spec: values.to_toml("pair"), ..Header::default() }
    }

    fn check(&self, values: &Values) -> Result<(), String> {
        if values.float("fail") == 2.0 { Err("fail can't be 2; give another".into()) } else { Ok(()) }
    }

    fn protocol(&self, bench: &mut Bench<'_>) -> Result<(), Halt> {
        assert!(bench.values().float("fail") != 3.0, "a bug of the lab");
        bench.plan(30);
        let mut fleet = Fleet::default();
        for width in [8, 16] {
            let track = bench.track(&format!("width {width}"), &[("width", &width.to_string())])?;
            fleet.0.push(Member::new(track, spec(width, bench.values().float("lr"), bench.values().seed))?);
        }
        for step in 0..30 {
            let lr = bench.values().float("lr");
            for member in &mut fleet.0 {
                member.set_live(|spec| spec.optimizer.lr = lr);
            }
            for (track, report) in fleet.step()? {
                if let Some(report) = report {
                    bench.record_scalars(track, step, &[("loss", report.loss), ("lr", report.lr)])?;
                }
            }
            bench.round()?;
        }
        Ok(())
    }
}

fn values(set: &[(&str, &str)]) -> Values {
    let mut values = Values::preset(KNOBS, Preset::Instant);
    for (id, text) in set {
        values.set_text(id, text).unwrap();
    }
    values
}

struct Listener {
    session: Session,
    recording: Recording,
    state: RunState,
    failed: Option<String>,
    /// Recordings begun.
    begun: usize,
}

impl Listener {
    fn start(values: Values, play: bool, recording: Option<std::path::PathBuf>) -> Self {
        let worker = WorkerOptions { play, finest_slice: 0 };
        let options = SessionOptions { recording, worker, ..SessionOptions::default() };
        let session = Session::start_lab(Box::new(Pair), values, options).unwrap();
        Self { session, recording: Recording::default(), state: RunState::Preparing, failed: None, begun: 0 }
    }

    /// Listens until `done` says so.
    fn until(&mut self, done: impl Fn(&Self, &Event) -> bool) {
        loop {
            let event = self.session.events().recv_timeout(Duration::from_secs(60)).expect("something happens");
            match &event {
                Event::LabStarted { header, .. } => {
                    self.recording = Recording::new((**header).clone());
                    self.begun += 1;
                }
                Event::Track(info) => self.recording.begin_track(info),
                Event::Snapshot(snapshot) => self.recording.push(snapshot).unwrap(),
                Event::KnobTurned { mark, .. } => self.recording.intervene(mark.clone()),
                Event::State(state) => self.state = *state,
                Event::Failed(message) => self.failed = Some(message.clone()),
                Event::Ended { outcome, .. } => self.recording.outcome = Some(outcome.clone()),
                _ => {}
            }
            if done(self, &event) {
                return;
            }
        }
    }

    fn at_rest(&mut self) {
        self.until(|_, event| matches!(event, Event::AtRest { .. }));
    }

    fn send(&self, command: Command) {
        self.session.commands().send(command).unwrap();
    }

    fn losses(&self) -> BTreeMap<String, Vec<f64>> {
        let values = |track: &landscope::record::Track| track.scalar("loss").unwrap().values().to_vec();
        self.recording.tracks().map(|(_, track)| (track.label.clone(), values(track))).collect()
    }
}

#[test]
fn tracks_grow_together_and_equal_knobs_give_equal_numbers() {
    let run = |seed: &str| {
        let mut listener = Listener::start(values(&[("seed", seed)]), true, None);
        listener.at_rest();
        assert_eq!((listener.state, &listener.recording.outcome), (RunState::Finished, &Some(Outcome::Finished)));
        listener.losses()
    };
    let first = run("0");
    assert_eq!(first.len(), 2);
    assert!(first.values().all(|losses| losses.len() == 30 && losses[29] < losses[0]), "{first:?}");
    assert_eq!(first, run("0"));
    assert_ne!(first, run("1"));
}

#[test]
fn a_paused_lab_takes_single_steps() {
    let mut listener = Listener::start(values(&[]), false, None);
    // The first round is done before the first pause; each step is one more of both tracks.
    listener.until(|it, _| it.recording.tracks().count() == 2 && it.losses_len() == [1, 1]);
    listener.send(Command::Step);
    listener.until(|it, _| it.losses_len() == [2, 2]);
    std::thread::sleep(Duration::from_millis(100));
    assert!(listener.session.events().try_iter().all(|event| !matches!(event, Event::Snapshot(_))));
    listener.send(Command::Play);
    listener.at_rest();
    assert_eq!(listener.losses_len(), [30, 30]);
}

#[test]
fn a_live_knob_is_marked_and_a_restart_begins_anew() {
    let mut listener = Listener::start(values(&[]), false, None);
    listener.send(Command::SetKnob { id: "lr", value: KnobValue::Float(0.1) });
    listener.send(Command::Play);
    listener.at_rest();
    let mark = &listener.recording.interventions[0];
    assert_eq!((mark.knob.as_str(), mark.from.as_str(), mark.to.as_str()), ("lr", "0.01", "0.1"));
    let lr = |listener: &Listener| {
        let (_, track) = listener.recording.tracks().next().unwrap();
        track.scalar("lr").unwrap().latest_at(u64::MAX).unwrap().1
    };
    assert_eq!(lr(&listener), 0.1);
    // The newest of several counts.
    listener.send(Command::RestartLab(Box::new(values(&[("lr", "5")]))));
    listener.send(Command::RestartLab(Box::new(values(&[("lr", "0.02")]))));
    listener.until(|it, event| it.begun >= 2 && matches!(event, Event::AtRest { .. }) && lr(it) == 0.02);
    assert!(listener.recording.interventions.is_empty());
}

#[test]
fn what_is_wrong_is_said_and_knobs_that_are_right_again_go_on() {
    for (fail, word) in [("2", "give another"), ("3", "a bug of the lab")] {
        let mut listener = Listener::start(values(&[("fail", fail)]), true, None);
        listener.at_rest();
        assert_eq!(listener.state, RunState::Failed);
        let message = listener.failed.clone().unwrap();
        assert!(message.contains(word), "{message}");
        listener.send(Command::RestartLab(Box::new(values(&[]))));
        listener.at_rest();
        assert_eq!(listener.state, RunState::Finished);
    }
}

#[test]
fn the_file_has_the_tracks_with_their_attributes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.landscope");
    let mut listener = Listener::start(values(&[]), true, Some(path.clone()));
    listener.at_rest();
    let losses = listener.losses();
    drop(listener);
    let read = file::read(&path).unwrap();
    let widths: Vec<_> = read.tracks().map(|(_, track)| track.number("width").unwrap()).collect();
    assert_eq!(widths, [8.0, 16.0]);
    for (_, track) in read.tracks() {
        assert_eq!(track.scalar("loss").unwrap().values(), losses[&track.label]);
    }
    let copy = folder.path().join("copy.landscope");
    file::save(&copy, &read).unwrap();
    let again = file::read(&copy).unwrap();
    assert_eq!(again.tracks().collect::<Vec<_>>(), read.tracks().collect::<Vec<_>>());
}

impl Listener {
    fn losses_len(&self) -> [usize; 2] {
        let mut lengths = self.recording.tracks().map(|(_, t)| t.scalar("loss").map_or(0, |s| s.len()));
        [lengths.next().unwrap_or(0), lengths.next().unwrap_or(0)]
    }
}
