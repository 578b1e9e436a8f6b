//! A training of another program, watched: what is measured is what `measure` measures, and what goes wrong in the folder is said.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use candle_core::{DType, Device};
use landscope::nn::weights;
use landscope::probes::measure::{MEASUREMENTS, Options, Value};
use landscope::record::{Fingerprint, Outcome, Reading, Recording, TrackId, file, names};
use landscope::run::knobs::KnobValue;
use landscope::run::measuring::{Order, measure_all};
use landscope::run::messages::{Command, Event, RunState};
use landscope::run::model_file::ModelFile;
use landscope::run::session::{Session, SessionOptions};
use landscope::run::trainer::Trainer;
use landscope::run::watch::{FINISHED, WatchOrder};
use landscope::run::worker::WorkerOptions;
use landscope::run::{trainer, weights_file};
use landscope::tasks::examples::File;
use safetensors::tensor::{Dtype, TensorView};

use super::program::{json_lines, output, stderr, stdout};

const MODEL: &str = "[model]\nkind = \"mlp\"\nwidth = 8\ndepth = 1\nactivation = \"tanh\"\n[input]\nshape = [4]\n[output]\nclasses = 3\n\
                     [optimizer]\nkind = \"sgd\"\nlr = 0.2\nmomentum = 0.0\n";

/// Examples of three classes that a network can learn: `count` for training, 40 for testing.
fn write_data(folder: &Path, count: usize) {
    let numbers = |from: usize, to: usize| -> Vec<f32> {
        (4 * from..4 * to)
            .map(|i| (i as f32 * 0.77).sin() + if i % 4 == 0 { (i / 4 % 3) as f32 } else { 0.0 })
            .collect()
    };
    let labels = |from: usize, to: usize| -> Vec<i64> { (from..to).map(|i| (i % 3) as i64).collect() };
    let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let ids = |values: &[i64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let stored = [
        ("x", Dtype::F32, vec![count, 4], bytes(&numbers(0, count))),
        ("y", Dtype::I64, vec![count], ids(&labels(0, count))),
        ("x_test", Dtype::F32, vec![40, 4], bytes(&numbers(count, count + 40))),
        ("y_test", Dtype::I64, vec![40], ids(&labels(count, count + 40))),
    ];
    let views =
        stored.iter().map(|(name, dtype, shape, data)| (*name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    fs::write(folder.join("data.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

/// The other program: trains the model of the folder and leaves what it is told to.
pub struct Elsewhere {
    trainer: Trainer,
    folder: PathBuf,
}

impl Elsewhere {
    pub fn new(folder: &Path) -> Self {
        let file = ModelFile::from_toml(MODEL, "model.toml").unwrap();
        let mut spec = file.run_spec(folder.join("data.safetensors"));
        spec.batch_size = 16;
        Self { trainer: Trainer::new(spec).unwrap(), folder: folder.into() }
    }

    fn train_to(&mut self, step: u64) {
        while self.trainer.steps_done() < step {
            assert!(matches!(self.trainer.step().unwrap(), trainer::StepOutcome::Done(_)));
        }
    }

    fn path(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step:06}.safetensors"))
    }

    /// Trains to `step` and leaves its checkpoint, with an atomic rename as the page advises.
    pub fn leave(&mut self, step: u64) {
        self.train_to(step);
        let partial = self.folder.join("partial");
        let params = self.trainer.params().frozen().unwrap();
        weights_file::write(&partial, self.trainer.model().layout(), &params).unwrap();
        fs::rename(partial, self.path(step)).unwrap();
    }
}

pub fn folder_with(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.toml"), MODEL).unwrap();
    write_data(folder.path(), count);
    folder
}

/// What `measure` finds in f64: loss, norm of the gradient, sharpness.
fn measured(folder: &Path, weights: &Path) -> [f64; 3] {
    let model = ModelFile::from_toml(MODEL, "model.toml").unwrap();
    let bytes = fs::read(folder.join("data.safetensors")).unwrap();
    let examples = File::new(&bytes, folder).unwrap().examples("x", "y", &model.shapes()).unwrap();
    let weights = weights_file::read(weights, model.build().unwrap().layout()).unwrap();
    let order = Order {
        model: &model,
        weights: &weights,
        reference: None,
        examples: &examples,
        dtype: DType::F64,
        device: &Device::Cpu,
        seed: 0,
        options: Options { tolerance: 1e-9, most_products: 1_000, top_k: 1, test_vectors: 10, ..Options::default() },
    };
    let probes = ["loss", "gradient", "sharpness"].map(|id| *MEASUREMENTS.iter().find(|one| one.id == id).unwrap());
    let mut found = Vec::new();
    measure_all(&order, &probes, |answer| found.push(answer.value)).unwrap();
    let [Value::Number(loss), Value::Number(gradient), Value::Number(sharpness)] = found[..] else {
        panic!("{found:?}")
    };
    [loss, gradient, sharpness]
}

#[track_caller]
fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a / b - 1.0).abs() < tolerance, "{a} and {b} differ by {:.1e}", a / b - 1.0);
}

fn scalar_at(recording: &Recording, id: &landscope::record::SeriesId, step: u64) -> f64 {
    let (at, value) = recording.scalar(id).unwrap_or_else(|| panic!("{id}")).latest_at(step).unwrap();
    assert_eq!(at, step, "{id}");
    value
}

#[test]
fn what_is_there_is_measured_as_measure_does_and_recorded_at_its_own_steps() {
    let folder = folder_with(600);
    let mut elsewhere = Elsewhere::new(folder.path());
    let mut hashes = Vec::new();
    let steps = [0, 7, 40];
    for step in steps {
        elsewhere.leave(step);
        let hash = elsewhere.trainer.params().hash().unwrap();
        hashes.push(Fingerprint { track: TrackId(0), step, hash });
    }
    let place = folder.path().to_str().unwrap();
    let out = folder.path().join("r.landscope");
    let result = output(
        folder.path(),
        &["watch", place, "--once", "--json", "--out", out.to_str().unwrap(), "--sharpness-examples", "600"],
    );
    assert!(result.status.success(), "{}", stderr(&result));
    let lines = json_lines(&result);
    let told: Vec<_> = lines.iter().filter_map(|line| line["step"].as_u64()).collect();
    assert_eq!(told, steps);
    assert_eq!(lines.last().unwrap()["checkpoints"], 3);
    let opened = file::open(&out).unwrap();
    assert_eq!(opened.damage, None);
    let recording = opened.recording;
    assert_eq!(recording.outcome, Some(Outcome::Finished));
    assert_eq!(recording.fingerprints, hashes, "the very bits");
    assert_eq!((recording.header.train_examples, recording.header.test_examples), (600, 40));
    assert_eq!(recording.header.threshold_formula, "2/lr");
    for step in steps {
        let [loss, gradient, sharpness] = measured(folder.path(), &elsewhere.path(step));
        close(scalar_at(&recording, &names::TRAIN_LOSS, step), loss, 1e-6);
        // The search ends at a residual of 0.5 %; the eigenvalue's error goes with its square.
        close(scalar_at(&recording, &names::SHARPNESS, step), sharpness, 1e-3);
        close(scalar_at(&recording, &names::SHARPNESS_THRESHOLD, step), 10.0, 1e-12);
        let (at, norms) = recording.vector(&names::GRADIENT_NORM).unwrap().latest_at(step).unwrap();
        assert_eq!(at, step);
        close(norms.iter().map(|n| f64::from(*n).powi(2)).sum::<f64>().sqrt(), gradient, 1e-5);
        let Some((at, Reading::Surface(slice))) = recording.latest_at(&names::LANDSCAPE, step) else {
            panic!("a slice")
        };
        assert_eq!((at, slice.n), (step, 33));
        assert!(recording.vector(&names::KURTOSIS).unwrap().latest_at(step).is_some_and(|(at, _)| at == step));
        assert!(recording.latest_at(&names::HESSIAN_SPECTRUM, step).is_some_and(|(at, _)| at == step));
    }
    let test = elsewhere.trainer.evaluate().unwrap();
    assert_eq!(scalar_at(&recording, &names::TEST_LOSS, 40), test.loss);
    assert!(scalar_at(&recording, &names::TRAIN_LOSS, 40) < scalar_at(&recording, &names::TRAIN_LOSS, 0));
}

#[test]
fn only_what_is_asked_for_is_measured_and_a_second_recording_gets_its_own_name() {
    let folder = folder_with(60);
    Elsewhere::new(folder.path()).leave(3);
    let place = folder.path().to_str().unwrap();
    for (probe, name) in [("sharpness", "watch.landscope"), ("none", "watch-2.landscope")] {
        let result = output(folder.path(), &["watch", place, "--once", "--probe", probe]);
        assert!(result.status.success(), "{}", stderr(&result));
        assert!(stdout(&result).contains("step 3, train loss"), "{}", stdout(&result));
        let recording = file::read(&folder.path().join(name)).unwrap();
        assert_eq!(recording.scalar(&names::SHARPNESS).is_some(), probe == "sharpness");
        assert!(recording.heavy(&names::LANDSCAPE).is_none() && recording.vector(&names::KURTOSIS).is_none());
        assert!(recording.vector(&names::WEIGHT_NORM).is_some() && recording.scalar(&names::TRAIN_LOSS).is_some());
    }
}

/// A session on a folder, and what it told.
struct Watcher {
    session: Session,
    recording: Recording,
    remarks: Vec<String>,
    states: Vec<RunState>,
}

impl Watcher {
    fn start(folder: &Path) -> Self {
        let order = WatchOrder { folder: folder.into(), ..WatchOrder::default() };
        let worker = WorkerOptions { play: true, finest_slice: 9 };
        let session = Session::start_watch(order, SessionOptions { worker, ..SessionOptions::default() }).unwrap();
        Self { session, recording: Recording::default(), remarks: Vec::new(), states: Vec::new() }
    }

    #[track_caller]
    fn until(&mut self, enough: impl Fn(&Event) -> bool) {
        let started = Instant::now();
        loop {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "what was waited for doesn't come: {:?}",
                self.remarks
            );
            let event = self.session.events().recv_timeout(Duration::from_secs(60)).expect("the worker answers");
            let stop = enough(&event);
            match event {
                Event::Started { header, .. } => self.recording = Recording::new((*header).clone()),
                Event::Snapshot(snapshot) => self.recording.push(&snapshot).unwrap(),
                Event::Intervention { mark, .. } => self.recording.intervene(mark),
                Event::Remark(text) => self.remarks.push(text),
                Event::State(state) => self.states.push(state),
                Event::Failed(message) if !stop => panic!("{message}"),
                _ => {}
            }
            if stop {
                return;
            }
        }
    }

    #[track_caller]
    fn until_measured(&mut self, step: u64) {
        self.until(|event| matches!(event, Event::AtRest { step: at } if *at == step));
    }

    /// The next remark, which has all of `words` and is one line.
    #[track_caller]
    fn until_remark(&mut self, words: &[&str]) {
        self.until(|event| matches!(event, Event::Remark(_)));
        let text = self.remarks.last().unwrap();
        for word in words {
            assert!(text.contains(word), "{word:?} is missing in: {text}");
        }
        assert!(!text.contains('\n'), "{text}");
    }
}

/// Makes a file look as if nobody had written to it for a while.
fn age(path: &Path, secs: u64) {
    let time = SystemTime::now() - Duration::from_secs(secs);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_folder_is_followed_and_what_goes_wrong_in_it_is_said_in_a_line_each() {
    let folder = tempfile::tempdir().unwrap();
    let mut watcher = Watcher::start(folder.path());
    watcher.until_remark(&["model.toml", "waiting"]);
    // The model comes in two halves, the data later.
    fs::write(folder.path().join("model.toml"), &MODEL[..30]).unwrap();
    watcher.until_remark(&["model.toml", "isn't whole"]);
    fs::write(folder.path().join("model.toml"), MODEL).unwrap();
    watcher.until_remark(&["data.safetensors", "examples"]);
    write_data(folder.path(), 90);
    watcher.until(|event| matches!(event, Event::State(RunState::Watching)));
    let mut elsewhere = Elsewhere::new(folder.path());
    elsewhere.leave(1);
    watcher.until_measured(1);

    // Half written, then given up for the moment, then whole.
    elsewhere.train_to(2);
    let params = elsewhere.trainer.params().frozen().unwrap();
    let whole = weights::to_bytes(elsewhere.trainer.model().layout(), &params).unwrap();
    fs::write(elsewhere.path(3), &whole[..whole.len() / 2]).unwrap();
    age(&elsewhere.path(3), 30);
    watcher.until_remark(&["step-000003.safetensors", "no whole checkpoint", "as soon as it is whole"]);
    fs::write(elsewhere.path(3), &whole).unwrap();
    watcher.until_measured(3);

    // Too late, replaced, twice the same step, of another network, not a number, of another name.
    fs::write(elsewhere.path(2), &whole).unwrap();
    watcher.until_remark(&["step-000002.safetensors", "after step 3", "anew"]);
    elsewhere.leave(5);
    watcher.until_measured(5);
    fs::write(elsewhere.path(5), &whole).unwrap();
    watcher.until_remark(&["step-000005.safetensors", "replaced", "keeps the first"]);
    fs::write(folder.path().join("step-5.safetensors"), &whole).unwrap();
    watcher.until_remark(&["step-5.safetensors", "another file of step 5"]);
    let wide = MODEL.replace("width = 8", "width = 9");
    let layout = ModelFile::from_toml(&wide, "m").unwrap().build().unwrap().layout().clone();
    let other = layout.unflatten(&vec![0.1; layout.total()], DType::F32, &Device::Cpu).unwrap();
    weights_file::write(&elsewhere.path(6), &layout, &other).unwrap();
    watcher.until_remark(&["step-000006.safetensors", "layer 1.weight", "[4, 9]", "[4, 8]"]);
    let layout = elsewhere.trainer.model().layout().clone();
    let mut broken = elsewhere.trainer.flat().unwrap();
    let last = broken.len() - 1;
    broken[last] = f64::NAN;
    let tensors = layout.unflatten(&broken, DType::F32, &Device::Cpu).unwrap();
    weights_file::write(&elsewhere.path(7), &layout, &tensors).unwrap();
    watcher.until_remark(&["step-000007.safetensors", "1 of", "output.bias", "isn't measured"]);
    assert!(scalar_at(&watcher.recording, &names::TRAIN_LOSS, 7).is_nan());
    fs::write(folder.path().join("best.safetensors"), &whole).unwrap();
    watcher.until_remark(&["best.safetensors", "step-N.safetensors"]);

    // And it goes on, to the end that the other program says.
    elsewhere.leave(8);
    watcher.until_measured(8);
    fs::write(folder.path().join(FINISHED), "").unwrap();
    watcher.until(|event| matches!(event, Event::Ended { outcome: Outcome::Finished, .. }));
    assert_eq!(watcher.recording.scalar(&names::TRAIN_LOSS).unwrap().steps(), [1, 3, 5, 7, 8]);
    assert_eq!(watcher.recording.scalar(&names::SHARPNESS).unwrap().steps(), [1, 3, 5, 8]);
    assert_eq!(watcher.states, [RunState::Preparing, RunState::Watching]);
    let different: BTreeSet<_> = watcher.remarks.iter().collect();
    assert_eq!(different.len(), watcher.remarks.len(), "each is said once: {:?}", watcher.remarks);
}

#[test]
fn a_transposed_matrix_is_recognised() {
    let folder = folder_with(60);
    let layout = ModelFile::from_toml(MODEL, "m").unwrap().build().unwrap().layout().clone();
    let mut tensors = layout.unflatten(&vec![0.1; layout.total()], DType::F32, &Device::Cpu).unwrap();
    tensors[0] = tensors[0].t().unwrap().contiguous().unwrap();
    weights_file::write(&folder.path().join("step-1.safetensors"), &layout, &tensors).unwrap();
    let mut watcher = Watcher::start(folder.path());
    watcher.until_remark(&["step-1.safetensors", "layer 1.weight", "transpose", "weight.T"]);
}

#[test]
fn knobs_of_the_measurements_turn_and_the_weights_are_there_to_compare() {
    let folder = folder_with(90);
    let mut elsewhere = Elsewhere::new(folder.path());
    elsewhere.leave(10);
    elsewhere.leave(20);
    let mut watcher = Watcher::start(folder.path());
    watcher.until_measured(20);
    let examples =
        |recording: &Recording| recording.estimate_at(&names::SHARPNESS, 20).unwrap().1.circumstances.examples;
    assert_eq!(examples(&watcher.recording), 90);
    let tell = |watcher: &Watcher, command| watcher.session.commands().send(command).unwrap();
    tell(&watcher, Command::SetKnob { id: "sharpness-examples", value: KnobValue::Int(30) });
    watcher.until_measured(20);
    assert_eq!(examples(&watcher.recording), 30);
    assert_eq!(watcher.recording.interventions.last().unwrap().to, "30");
    tell(&watcher, Command::SetKnob { id: "lr", value: KnobValue::Float(0.5) });
    watcher.until_remark(&["lr", "elsewhere"]);
    tell(&watcher, Command::Checkpoints);
    let checkpoints = loop {
        if let Event::Checkpoints(checkpoints) = watcher.session.events().recv().unwrap() {
            break checkpoints;
        }
    };
    assert_eq!(checkpoints.steps().collect::<Vec<_>>(), [10, 20]);
    let copy = folder.path().join("copy");
    tell(&watcher, Command::SaveWeights(copy.clone()));
    watcher.until(|event| matches!(event, Event::Saved(_)));
    assert_eq!(fs::read(copy).unwrap(), fs::read(elsewhere.path(20)).unwrap());
    // Play, pause and step are the other program's: nothing happens, and the worker still ends at once.
    for command in [Command::Pause, Command::Step, Command::Play] {
        tell(&watcher, command);
    }
    tell(&watcher, Command::Quit);
    watcher.until(|event| matches!(event, Event::Ended { outcome: Outcome::Stopped, .. }));
}

#[test]
fn wrong_calls_and_folders_are_answered_in_one_line() {
    let home = tempfile::tempdir().unwrap();
    let refuses = |arguments: &[&str], words: &[&str]| {
        let result = output(home.path(), arguments);
        let said = stderr(&result);
        assert!(!result.status.success(), "{arguments:?}");
        let lines: Vec<_> = said.lines().filter(|line| line.starts_with("error")).collect();
        assert_eq!(lines.len(), 1, "{said}");
        for word in words {
            assert!(lines[0].contains(word), "{word:?} is missing in: {said}");
        }
    };
    refuses(&["watch"], &["DIR"]);
    refuses(&["watch", "nowhere"], &["nowhere", "folder"]);
    fs::create_dir(home.path().join("run")).unwrap();
    refuses(&["watch", "run", "--once"], &["model.toml", "docs/WATCH.md"]);
    fs::write(home.path().join("run/model.toml"), MODEL.replace("width", "breadth")).unwrap();
    refuses(&["watch", "run", "--once"], &["model.toml", "breadth"]);
    fs::write(home.path().join("run/model.toml"), MODEL).unwrap();
    refuses(&["watch", "run", "--once"], &["data.safetensors"]);
    fs::write(home.path().join("run/data.safetensors"), "?").unwrap();
    refuses(&["watch", "run", "--once"], &["data.safetensors", "again"]);
    write_data(&home.path().join("run"), 60);
    refuses(&["watch", "run", "--once"], &["no checkpoint"]);
    refuses(&["watch", "run", "--probe", "weather"], &["weather", "sharpness", "none"]);
    refuses(&["watch", "run", "--sharpness-examples", "0"], &["--sharpness-examples", "0"]);
    fs::write(home.path().join("taken"), "").unwrap();
    refuses(&["watch", "run", "--out", "taken"], &["taken", "exists"]);
}
