//! What measuring and checkpoints cost a live run, how soon the worker obeys, and whether its memory stays flat.
//!
//! `cargo bench --bench live` prints a table for `docs/PERFORMANCE.md`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use landscope::nn::spec::ModelKind;
use landscope::record::Reading;
use landscope::run::messages::{Command, Event, RunState};
use landscope::run::session::{Session, SessionOptions};
use landscope::run::spec::RunSpec;
use landscope::run::worker::WorkerOptions;

fn session(spec: &RunSpec, recording: Option<PathBuf>) -> Session {
    let worker = WorkerOptions { play: true, finest_slice: 65 };
    Session::start(spec.clone(), SessionOptions { worker, recording, ..SessionOptions::default() })
        .expect("threads can be made")
}

/// Updates a second of a run of `spec` over `time`, without its first second, recorded into a file or not.
fn rate(spec: &RunSpec, time: Duration, recording: Option<PathBuf>) -> f64 {
    let session = session(spec, recording);
    let (mut first, mut last) = (None, None);
    let started = Instant::now();
    while started.elapsed() < time + Duration::from_secs(1) {
        if let Ok(Event::Snapshot(snapshot)) = session.events().recv_timeout(Duration::from_millis(100)) {
            let now = (snapshot.step, Instant::now());
            let is_update = snapshot.readings.iter().any(|(id, _)| *id == landscope::record::names::TRAIN_LOSS);
            if is_update && started.elapsed() > Duration::from_secs(1) {
                first.get_or_insert(now);
                last = Some(now);
            }
        }
    }
    match (first, last) {
        (Some((a, t)), Some((b, u))) if b > a => (b - a) as f64 / (u - t).as_secs_f64(),
        _ => 0.0,
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Pairs of runs, one after the other, so that a noisy machine disturbs both alike: medians of both and of their ratios.
fn paired(mut a: impl FnMut() -> f64, mut b: impl FnMut() -> f64) -> [f64; 3] {
    let (mut first, mut second, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        first.push(a());
        second.push(b());
        ratios.push(first[first.len() - 1] / second[second.len() - 1]);
    }
    [median(&mut first), median(&mut second), median(&mut ratios)]
}

const SPAN: Duration = Duration::from_secs(4);

fn probes_against_none(name: &str, spec: &RunSpec) {
    let mut without = spec.clone();
    without.probes.budget = 0.0;
    let [with, alone, ratio] = paired(|| rate(spec, SPAN, None), || rate(&without, SPAN, None));
    println!(
        "{name}: {with:.0} steps/s with all probes at {:.0} % budget, {alone:.0} without, ratio {ratio:.2} (medians of 5 pairs)",
        100.0 * spec.probes.budget,
    );
}

/// Both recorded into files of a folder that goes away, without probes.
fn checkpoints_against_none(name: &str, spec: &RunSpec) {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let mut files = 0;
    let mut recorded = |every: u64| {
        let mut spec = spec.clone();
        spec.probes.budget = 0.0;
        spec.checkpoints.every = every;
        files += 1;
        rate(&spec, SPAN, Some(folder.path().join(format!("{files}.landscope"))))
    };
    let recorded = std::cell::RefCell::new(&mut recorded);
    for every in [100, 10] {
        let [with, without, ratio] = paired(|| recorded.borrow_mut()(every), || recorded.borrow_mut()(0));
        println!(
            "{name}: {with:.0} steps/s with a checkpoint every {every} steps, {without:.0} without, ratio {ratio:.2} (medians of 5 pairs)"
        );
    }
}

/// Time from a command to the event that answers it, in the middle of measurements of many examples.
fn obedience(spec: &RunSpec) {
    let session = session(spec, None);
    let mut waits = Vec::new();
    for round in 0..60 {
        let (command, state) =
            if round % 2 == 0 { (Command::Pause, RunState::Paused) } else { (Command::Play, RunState::Running) };
        let until = Instant::now() + Duration::from_millis(120 + 17 * (round % 7));
        while Instant::now() < until {
            let _ = session.events().recv_timeout(Duration::from_millis(1));
        }
        let asked = Instant::now();
        session.commands().send(command).expect("the worker lives");
        while !matches!(session.events().recv(), Ok(Event::State(now)) if now == state) {}
        waits.push(1e3 * asked.elapsed().as_secs_f64());
    }
    let worst = waits.iter().copied().fold(0.0, f64::max);
    println!("pause and play: median {:.1} ms, worst of {} {worst:.1} ms", median(&mut waits), waits.len());
}

#[cfg(target_os = "linux")]
fn resident_mib() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = text.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(f64::NAN);
    pages * 4_096.0 / (1 << 20) as f64
}

#[cfg(not(target_os = "linux"))]
fn resident_mib() -> f64 {
    f64::NAN
}

/// Resident memory over 50,000 updates with all probes on; the listener keeps nothing.
fn memory() {
    let mut spec = RunSpec { steps: 50_000, ..RunSpec::default() };
    spec.model.kind = ModelKind::Mlp;
    spec.model.width = 64;
    let session = session(&spec, None);
    let mut bytes = 0;
    let mut marks = Vec::new();
    while let Ok(event) = session.events().recv() {
        match event {
            Event::Snapshot(snapshot) => {
                bytes += snapshot
                    .readings
                    .iter()
                    .map(|(_, reading)| if let Reading::Vector(v) = reading { 4 * v.len() } else { 8 })
                    .sum::<usize>();
                if snapshot.step % 10_000 == 0 && marks.last().is_none_or(|(step, _)| *step < snapshot.step) {
                    marks.push((snapshot.step, resident_mib()));
                }
            }
            Event::Ended { .. } => break,
            _ => {}
        }
    }
    let marks: Vec<_> = marks.iter().map(|(step, mib)| format!("{step}: {mib:.0} MiB")).collect();
    println!("resident memory by step: {} ({} MB of readings told)", marks.join(", "), bytes >> 20);
}

fn main() {
    landscope::base::memory::keep_freed();
    landscope::nn::autodiff::enable_second_derivatives();
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only == name);
    let transformer = RunSpec { steps: 10_000_000, ..RunSpec::default() };
    let mut mlp = transformer.clone();
    mlp.model.kind = ModelKind::Mlp;
    mlp.model.width = 256;
    mlp.model.depth = 2;
    if wanted("probes") {
        probes_against_none("vision transformer (default)", &transformer);
        probes_against_none("MLP 64-256-256-10", &mlp);
    }
    if wanted("checkpoints") {
        checkpoints_against_none("vision transformer (default)", &transformer);
        checkpoints_against_none("MLP 64-256-256-10", &mlp);
    }
    if wanted("obedience") {
        let mut heavy = transformer.clone();
        heavy.probes.sharpness_examples = 1_024;
        heavy.probes.landscape_examples = 1_024;
        heavy.probes.budget = 0.9;
        obedience(&heavy);
    }
    if wanted("memory") {
        memory();
    }
}
