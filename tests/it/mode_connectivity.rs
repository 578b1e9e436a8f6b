//! The lab of linear mode connectivity: invariants of its specification on networks that learned the digits, and the numbers
//! of its small version.
//!
//! Elsewhere: a shared layer is the convolution (`nn/sharing.rs`, to 1e-13), weight matching never falls (`matching`), equal
//! ends and k = T give exactly 0 and the convex control (`run/connectivity/between.rs`, `family.rs`).

use std::time::Duration;

use candle_core::{DType, Device};
use landscope::base::rng::Streams;
use landscope::base::statistics::{mean, standard_error};
use landscope::labs::{Check, Experiment};
use landscope::nn::batch::Batch;
use landscope::nn::matching::Symmetry;
use landscope::nn::spec::{Activation, ModelKind, Norm};
use landscope::optim::spec::{OptimizerKind, ScheduleKind};
use landscope::record::connectivity::Matching;
use landscope::record::{Outcome, Recording};
use landscope::run::bench::{Preset, Values};
use landscope::run::connectivity::between::Between;
use landscope::run::connectivity::family::{Barriers, Family, FamilyOptions, Origin, step_all};
use landscope::run::messages::Event;
use landscope::run::session::{Session, SessionOptions};
use landscope::run::spec::RunSpec;
use landscope::run::trainer::{Memory, Trainer};
use landscope::run::worker::WorkerOptions;
use rand::seq::SliceRandom;

use super::program::{output, stderr, stdout};

fn spec(depth: usize, width: usize, lr: f64, steps: u64, seed: u64) -> RunSpec {
    let mut spec = RunSpec { seed, steps, batch_size: 64, ..RunSpec::default() };
    spec.task.train_size = 1_200;
    spec.model.kind = ModelKind::Mlp;
    (spec.model.depth, spec.model.width) = (depth, width);
    (spec.model.activation, spec.model.norm) = (Activation::Relu, Norm::None);
    spec.optimizer.kind = OptimizerKind::Sgd;
    (spec.optimizer.lr, spec.optimizer.momentum) = (lr, 0.9);
    (spec.optimizer.beta2, spec.optimizer.weight_decay) = (0.999, 0.0);
    spec.schedule.kind = ScheduleKind::Cosine;
    spec.schedule.warmup_steps = 0;
    spec
}

// Invariant 1 of the specification, with the network that it names.
#[test]
fn a_permutation_planted_in_a_trained_network_is_found_exactly() {
    let mut run = Trainer::new(spec(2, 128, 0.1, 150, 3)).unwrap();
    for _ in 0..150 {
        run.step().unwrap();
    }
    let a = run.flat().unwrap();
    let symmetry = Symmetry::of(&run.spec().model, run.model().layout()).unwrap();
    let mut planted = symmetry.identity();
    let mut random = Streams::new(5).stream("planted");
    planted.0.iter_mut().for_each(|p| p.shuffle(&mut random));
    let b = symmetry.apply(&planted, run.model().layout(), &a);
    let between = Between::of(&run, 0, 25).unwrap();
    let found = between.aligned(&a, &b, Matching::Weights).unwrap();
    assert_eq!(found, a, "every unit is back in its place");
    let batch = Batch::new(&run.task().test, DType::F32, &Device::Cpu).unwrap();
    let outputs = |flat: &[f64]| {
        let params = run.model().layout().unflatten(flat, DType::F32, &Device::Cpu).unwrap();
        run.model().forward(&params, &batch.inputs, None).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    let apart = outputs(&a).iter().zip(outputs(&b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-4, "one function in f32: {apart}");
    let (naive, matched) = (between.line(&a, &b).unwrap(), between.line(&a, &found).unwrap());
    assert!(naive.test.loss_barrier() > 0.3 && naive.test.error_barrier() > 0.05, "{}", naive.test.loss_barrier());
    assert_eq!((matched.test.loss_barrier(), matched.test.error_barrier()), (0.0, 0.0));
}

/// Runs the lab to its end.
fn run(knobs: &[(&str, &str)]) -> Recording {
    let lab = landscope::labs::find("mode-connectivity").unwrap();
    let mut values = Values::preset(lab.knobs(), Preset::Instant);
    for (id, text) in knobs {
        values.set_text(id, text).unwrap();
    }
    lab.check(&values).unwrap();
    let worker = WorkerOptions { play: true, finest_slice: 0 };
    let options = SessionOptions { worker, ..SessionOptions::default() };
    let session = Session::start_lab(Box::new(Experiment(lab)), values, options).unwrap();
    let mut recording = Recording::default();
    loop {
        match session.events().recv_timeout(Duration::from_secs(120)).expect("something happens") {
            Event::LabStarted { header, .. } => recording = Recording::new((*header).clone()),
            Event::Track(info) => recording.begin_track(&info),
            Event::Snapshot(snapshot) => recording.push(&snapshot).unwrap(),
            Event::Ended { outcome, .. } => recording.outcome = Some(outcome),
            Event::AtRest { .. } => return recording,
            _ => {}
        }
    }
}

fn check(recording: &Recording, id: &str) -> Check {
    let lab = landscope::labs::find("mode-connectivity").unwrap();
    let claim = lab.claims().iter().find(|claim| claim.id == id).unwrap();
    (claim.check)(recording)
}

#[test]
fn a_small_lab_comes_to_its_end_and_says_what_it_lacks() {
    let small = [
        ("protocol", "all"),
        ("steps", "30"),
        ("every", "15"),
        ("spawn-steps", "0,10,30"),
        ("sgd-rates", "0.05,0.2"),
        ("repetitions", "3"),
        ("widths", "8,16"),
        ("depths", "1"),
        ("width", "16"),
        ("depth", "1"),
        ("train-size", "200"),
        ("points", "21"),
    ];
    let recording = run(&small);
    assert_eq!(recording.outcome, Some(Outcome::Finished));
    // Identities hold at any size.
    for id in ["last-step-zero", "convex-control"] {
        assert!(matches!(check(&recording, id), Check::Holds(_)), "{id}: {}", check(&recording, id));
    }
    // What was run is judged, whatever comes of it; what wasn't, isn't.
    for id in
        ["large-rate-breaks", "warmup-restores", "later-connected", "weights-remove", "sharing-breaks", "width-matches"]
    {
        assert!(!matches!(check(&recording, id), Check::NotYet(_)), "{id}: {}", check(&recording, id));
    }
    for id in ["depth-raises", "adam-fragile"] {
        assert!(matches!(check(&recording, id), Check::NotYet(_)), "{id}: {}", check(&recording, id));
    }
    let planes = recording.tracks().filter(|(_, track)| track.heavy("plane").is_some()).count();
    assert_eq!(planes, 2, "of copies and of starts");
    for chart in &recording.header.charts {
        let plots = landscope::plots::charts::plots(
            chart,
            &recording,
            landscope::record::TimeCursor::default(),
            Default::default(),
        );
        for plot in plots {
            assert!(!matches!(plot, landscope::plots::Plot::Empty { .. }), "{} is empty", chart.id);
        }
    }
    let lab = landscope::labs::find("mode-connectivity").unwrap();
    assert!(
        lab.summary(&recording).iter().any(|(name, value)| name == "copies_train_loss_barrier" && value.is_finite())
    );
}

#[test]
fn equal_settings_give_equal_lines() {
    let small = [("steps", "12"), ("every", "6"), ("repetitions", "1"), ("widths", "8"), ("train-size", "100")];
    let ends = |recording: &Recording| {
        let of = |(_, track): (_, &landscope::record::Track)| {
            track.scalar("train_loss_barrier").map(|series| series.values().to_vec())
        };
        recording.tracks().filter_map(of).collect::<Vec<_>>()
    };
    let (a, b) = (ends(&run(&small)), ends(&run(&small)));
    assert!(a.len() == 2 && a == b);
    let c = ends(&run(&[&small[..], &[("seed", "1")]].concat()));
    assert_ne!(a, c);
}

#[test]
fn settings_that_cannot_be_are_named() {
    let lab = landscope::labs::find("mode-connectivity").unwrap();
    for (knobs, words) in [
        (vec![("protocol", "copies"), ("steps", "100"), ("spawn-steps", "0,150")], ["spawn-steps", "150"]),
        (vec![("sharing", "local"), ("width", "70")], ["width", "64"]),
    ] {
        let mut values = Values::preset(lab.knobs(), Preset::Instant);
        knobs.iter().for_each(|(id, text)| values.set_text(id, text).unwrap());
        let message = lab.check(&values).unwrap_err();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
}

/// The convex control as a run of the Playground, with all that is measured there.
#[test]
fn softmax_regression_is_a_run_like_others() {
    let home = tempfile::tempdir().unwrap();
    let run =
        |more: &[&str]| output(home.path(), &[&["run", "--depth", "0", "--steps", "20", "--json"], more].concat());
    let done = run(&["--model", "mlp", "--pace", "steps", "--eigenvalues", "1"]);
    assert!(done.status.success(), "{}", stderr(&done));
    assert!(stdout(&done).contains("finished"), "{}", stdout(&done));
    let refused = run(&["--model", "residual-mlp"]);
    assert!(!refused.status.success() && stderr(&refused).contains("depth"), "{}", stderr(&refused));
}

/// Whether slow statistical checks are asked for.
fn slow() -> bool {
    let asked = std::env::var_os("LANDSCOPE_SLOW_TESTS").is_some_and(|value| value == "1");
    if !asked {
        eprintln!("skipped: set LANDSCOPE_SLOW_TESTS=1 for it");
    }
    asked
}

const PAIRS: u64 = 5;

/// Mean barriers of five pairs and the standard error of the test loss's, for each group and matching.
fn measured(of: impl Fn(u64) -> RunSpec, origin: &Origin, matchings: &[Matching]) -> Vec<Vec<[f64; 4]>> {
    let options = FamilyOptions { networks: 2, points: 25, examples: 0 };
    let mut families: Vec<_> = (0..PAIRS).map(|seed| Family::new(of(seed), origin, options).unwrap()).collect();
    let steps = of(0).steps;
    for step in 0..=steps {
        families.iter_mut().for_each(|family| family.spawn_due().unwrap());
        if step < steps {
            step_all(&mut families).unwrap();
        }
    }
    let groups = families[0].groups().len();
    let found: Vec<Vec<Vec<Barriers>>> = (0..groups)
        .map(|group| {
            let of = |family: &Family| {
                let found = family.measure(group, matchings).unwrap().unwrap();
                found.barriers.into_iter().map(|(_, barriers)| barriers).collect()
            };
            families.iter().map(of).collect()
        })
        .collect();
    let numbers = |group: &Vec<Vec<Barriers>>, matching: usize| {
        let of = |f: fn(&Barriers) -> f64| group.iter().map(|pair| f(&pair[matching])).collect::<Vec<_>>();
        let (loss, error, train) = (of(|b| b.test_loss), of(|b| b.test_error), of(|b| b.train_loss));
        [mean(&loss).unwrap(), mean(&error).unwrap(), standard_error(&loss).unwrap(), mean(&train).unwrap()]
    };
    found.iter().map(|group| (0..matchings.len()).map(|matching| numbers(group, matching)).collect()).collect()
}

/// The first table of the specification's small version: (depth, width, test-loss barrier as they are, after weight matching,
/// after activation matching), means of three pairs there and of five here. Its test split was another (597 against 359
/// examples) and so were its draws: three pairs of networks spread by some 30 % of a barrier's height, which is allowed for.
#[test]
fn different_starts_have_the_hills_of_the_small_version() {
    if !slow() {
        return;
    }
    let rows = [(1, 16, 0.885, 0.087), (1, 128, 0.173, 0.014), (2, 128, 0.552, 0.044), (3, 128, 1.376, 0.049)];
    for (depth, width, naive, matched) in rows {
        let matchings = [Matching::None, Matching::Weights, Matching::Activations];
        let found = measured(|seed| spec(depth, width, 0.1, 600, seed), &Origin::OwnStarts, &matchings);
        let [[loss, error, spread, _], [weights, ..], [activations, ..]] = found[0][..] else { panic!("three") };
        eprintln!("{depth}x{width}: {loss:.3} ± {spread:.3} / {error:.3}, {weights:.3}, {activations:.3}");
        assert!((loss - naive).abs() < 0.35 * naive + 2.0 * spread, "{depth}x{width}: {loss} {naive}");
        assert!((weights - matched).abs() < 0.06, "{depth}x{width} matched: {weights} {matched}");
        assert!(weights < 0.3 * loss && activations < 0.3 * loss, "{depth}x{width}: {weights} {activations} of {loss}");
    }
}

/// The second table: test-loss barriers of copies from k = 0, with the specification's values in the messages.
#[test]
fn copies_have_the_hills_of_the_small_version() {
    if !slow() {
        return;
    }
    let origin = Origin::Spawned { steps: vec![0, 150], memory: Memory::Reset };
    let of = |lr: f64, warmup: u64, kind: OptimizerKind| {
        let spec = move |seed| {
            let mut spec = spec(2, 64, lr, 400, seed);
            (spec.optimizer.kind, spec.schedule.warmup_steps) = (kind, warmup);
            spec
        };
        let found = measured(spec, &origin, &[Matching::None]);
        eprintln!("{kind:?} {lr}, warm-up {warmup}: {:.4?}", found);
        [found[0][0], found[1][0]]
    };
    let modest = of(0.05, 0, OptimizerKind::Sgd);
    let large = of(0.2, 0, OptimizerKind::Sgd);
    let warmed = of(0.2, 100, OptimizerKind::Sgd);
    let adam = of(0.01, 0, OptimizerKind::Adam);
    assert!(modest[0][0] < 0.01, "0.000 there: {modest:?}");
    assert!((0.02..0.15).contains(&large[0][0]), "0.076 there: {large:?}");
    assert!(warmed[0][3] < 0.5 * large[0][3], "0.011 against 0.076 there: {warmed:?} {large:?}");
    assert!((0.002..0.03).contains(&adam[0][0]), "0.009 there: {adam:?}");
    for late in [modest[1], large[1], warmed[1], adam[1]] {
        assert!(late[0] < 0.01, "at most 0.001 there: {late:?}");
    }
}
