//! A recording's memory budget, held to what the system says the process holds.
//!
//! The measurements are taken in a process of their own: other tests of this binary share its memory, other programs of the
//! machine don't.

use std::process::Command;

use landscope::record::file::{self, RecordingWriter};
use landscope::record::{Header, Reading, Recording, SeriesId, Snapshot, TrackId, example};

/// What the child process is to do.
const TASK: &str = "LANDSCOPE_MEMORY_TASK";
const NUMBERS: usize = 10;

/// Resident bytes of this process; none where there is no `/proc`.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? << 10)
}

fn slow() -> bool {
    std::env::var_os("LANDSCOPE_SLOW_TESTS").is_some_and(|value| value == "1")
}

/// Ten numbers and a row at each step, and a picture now and then.
fn snapshot(step: u64, ids: &[SeriesId], pictures: &[(SeriesId, Reading)]) -> Snapshot {
    let value = |k: usize| (step as f64 * 1e-3 * (k + 1) as f64).sin();
    let mut readings: Vec<_> =
        ids[..NUMBERS].iter().enumerate().map(|(k, id)| (id.clone(), Reading::Scalar(value(k)))).collect();
    readings.push((ids[NUMBERS].clone(), Reading::Vector((0..10).map(|k| value(k) as f32).collect())));
    if step.is_multiple_of(500) {
        // Copies of their own: a recording holds what it was given.
        let copy = |(id, reading): &(SeriesId, Reading)| match reading {
            Reading::Density(density) => (id.clone(), Reading::Density((**density).clone().into())),
            Reading::Matrix(matrix) => (id.clone(), Reading::Matrix((**matrix).clone().into())),
            Reading::Surface(surface) => (id.clone(), Reading::Surface((**surface).clone().into())),
            other => (id.clone(), other.clone()),
        };
        readings.extend(pictures.iter().map(copy));
    }
    Snapshot { track: TrackId(0), step, readings }
}

fn pictures() -> Vec<(SeriesId, Reading)> {
    let example = example::recording(400);
    let track = example.track(TrackId(0)).unwrap();
    let heavy = track.series().filter_map(|(id, _)| Some((id.clone(), example.latest_at(id, 400)?.1.clone())));
    heavy.collect()
}

fn ids() -> Vec<SeriesId> {
    (0..=NUMBERS).map(|k| SeriesId::owned(format!("series {k}"))).collect()
}

/// Not a test of its own: what the processes do that the tests below begin.
#[test]
fn in_a_process_of_its_own() {
    let Some(task) = std::env::var(TASK).ok() else { return };
    let [what, budget, steps] = task.split(' ').collect::<Vec<_>>()[..] else { panic!("{task}") };
    let (budget, steps): (usize, u64) = (budget.parse::<usize>().unwrap() << 20, steps.parse().unwrap());
    let (ids, pictures) = (ids(), pictures());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.landscope");
    if what == "open" {
        let mut writer = RecordingWriter::create(&path, &Header::default()).unwrap();
        (1..=steps).for_each(|step| writer.append(&snapshot(step, &ids, &pictures)).unwrap());
        writer.flush().unwrap();
    }
    // What was freed so far goes back to the system, or it would be used again unseen.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it only returns free memory.
    unsafe {
        libc::malloc_trim(0);
    }
    let Some(before) = resident() else {
        println!("none");
        return;
    };
    let mut most = 0;
    let recording = if what == "open" {
        file::open_within(&path, budget).unwrap().recording
    } else {
        let mut recording = Recording::default();
        recording.set_memory_budget(budget);
        for step in 1..=steps {
            recording.push(&snapshot(step, &ids, &pictures)).unwrap();
            if step % 5_000 == 0 {
                most = most.max(resident().unwrap() - before.min(resident().unwrap()));
            }
        }
        recording
    };
    let now = resident().unwrap().saturating_sub(before);
    let used = recording.memory();
    let values = recording.scalar(&ids[0]).unwrap();
    assert_eq!(values.measurements(), steps);
    println!("held: {} {} {}", now, most.max(now), used.bytes);
}

/// Resident bytes at the end and at most, and the bytes that the recording counts; none where the system doesn't tell.
fn measured(what: &str, budget_mib: usize, steps: u64) -> Option<[usize; 3]> {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["memory_budget::in_a_process_of_its_own", "--exact", "--nocapture"])
        .env(TASK, format!("{what} {budget_mib} {steps}"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{text}{}", String::from_utf8_lossy(&child.stderr));
    let line = text.lines().find_map(|line| line.split_once("held: "))?.1;
    let numbers: Vec<usize> = line.split(' ').map(|number| number.parse().unwrap()).collect();
    numbers.try_into().ok()
}

fn check(what: &str, budget_mib: usize, steps: u64) {
    let Some([end, most, counted]) = measured(what, budget_mib, steps) else {
        eprintln!("skipped: this system doesn't tell how much memory a process holds");
        return;
    };
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    eprintln!(
        "{what} {steps} steps within {budget_mib} MiB: resident {:.1} MiB at the end, {:.1} at most, counted {:.1}",
        mib(end),
        mib(most),
        mib(counted)
    );
    let budget = budget_mib << 20;
    // Once a budget is full, a part of it is freed at once; the process keeps what it had.
    assert!(counted <= budget && counted >= budget / 2, "counted {counted} of {budget}");
    assert!((budget * 9 / 10..=budget * 11 / 10).contains(&most), "at most {most} of {budget}");
    assert!(end >= counted * 95 / 100, "counted {counted}, but resident are {end}");
}

#[test]
fn a_stream_stays_within_a_small_budget() {
    check("stream", 24, 100_000);
}

#[test]
fn ten_million_numbers_stay_within_the_budget() {
    if slow() {
        check("stream", 128, 1_000_000);
    } else {
        eprintln!("skipped: set LANDSCOPE_SLOW_TESTS=1 to stream ten million numbers");
    }
}

#[test]
fn an_opened_file_stays_within_the_budget() {
    if slow() {
        check("open", 64, 200_000);
    } else {
        eprintln!("skipped: set LANDSCOPE_SLOW_TESTS=1 to open a file of two million numbers");
    }
}
