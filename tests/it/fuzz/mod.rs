//! Readers of what comes from outside, fed with damage. A panic, an abort, memory without bounds or a hang is a failure.
//!
//! Each target runs in a process of its own, with its memory limited, so that an abort is seen and the case behind it known: a
//! case is a number, and everything in it is drawn from that. In the normal test run there are some hundred cases a target;
//! `LANDSCOPE_FUZZ_MINUTES=10` runs each target for so long, `LANDSCOPE_FUZZ_TARGET=specs` one of them, and
//! `LANDSCOPE_FUZZ_FROM=123456` begins with that case (a failure is told by its number).

mod bytes;
mod databases;
mod exercise;
mod links;
mod texts;
mod trained;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use landscope::base::rng::{Stream, Streams};

/// Cases whose input was taken for good in spite of its damage: a reader that refuses everything proves nothing.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// What a case is drawn from, and where it may write.
pub struct Case<'a> {
    pub number: u64,
    pub random: Stream,
    pub place: &'a Path,
}

impl Case<'_> {
    /// To be called once by a case whose input was read.
    pub fn taken(&self) {
        TAKEN.fetch_add(1, Ordering::Relaxed);
    }
}

struct Target {
    name: &'static str,
    /// Cases in the normal test run: together a few seconds.
    quick: u64,
    run: fn(&mut Case<'_>),
}

const TARGETS: &[Target] = &[
    Target { name: "recording-bytes", quick: 120, run: bytes::recording },
    Target { name: "recording-values", quick: 120, run: databases::recording },
    Target { name: "safetensors", quick: 3_000, run: bytes::safetensors },
    Target { name: "specs", quick: 1_500, run: texts::spec },
    Target { name: "models", quick: 1_500, run: texts::model },
    Target { name: "labs", quick: 1_500, run: texts::lab },
    Target { name: "sweeps", quick: 200, run: texts::sweep },
    Target { name: "links", quick: 1_500, run: links::link },
];

/// What the harness itself has to notice.
const CULPRIT: Target = Target {
    name: "culprit",
    quick: 8,
    run: |case| match case.number {
        2 => panic!("as planned"),
        4 => std::process::abort(),
        6 => {
            let size = std::hint::black_box(usize::try_from(2 * MOST_BYTES).unwrap());
            std::hint::black_box(vec![1_u8; size]);
        }
        _ => case.taken(),
    },
};

/// Seconds of the processor that a case may take.
const MOST_SECS: f64 = 10.0;
/// Seconds by the clock after which a case that doesn't end is killed: the machine may be busy.
const KILL_SECS: u64 = 60;
/// Bytes of addresses that a case may use, beside what the program needs.
const MOST_BYTES: u64 = 4 << 30;

fn processor_secs() -> f64 {
    #[cfg(unix)]
    {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a value that outlives the call.
        unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
        time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64
    }
    #[cfg(not(unix))]
    {
        0.0
    }
}

fn limit_memory() {
    #[cfg(unix)]
    {
        let limit = libc::rlimit { rlim_cur: MOST_BYTES, rlim_max: MOST_BYTES };
        // SAFETY: the pointer is to a value that outlives the call.
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) };
    }
}

/// Runs the cases of the tests below; does nothing otherwise.
#[test]
fn child_of_the_tests_below() {
    let Ok(order) = std::env::var("LANDSCOPE_FUZZ_CHILD") else { return };
    let words: Vec<&str> = order.split(' ').collect();
    let [name, from, count, secs] = words[..] else { panic!("{order}") };
    let target = TARGETS.iter().chain([&CULPRIT]).find(|target| target.name == name).unwrap();
    let (from, count): (u64, u64) = (from.parse().unwrap(), count.parse().unwrap());
    let place = PathBuf::from(std::env::var("LANDSCOPE_FUZZ_PLACE").unwrap());
    limit_memory();
    std::panic::set_hook(Box::new(|_| {}));
    let mut failures = std::fs::File::options().create(true).append(true).open(place.join("failures")).unwrap();
    let end = Instant::now() + Duration::from_secs_f64(secs.parse().unwrap());
    let (mut slowest, mut number) = (0.0_f64, from);
    while number < from + count && Instant::now() < end {
        let told = format!("{number} {} {slowest:.2}", TAKEN.load(Ordering::Relaxed));
        std::fs::write(place.join("number"), told).unwrap();
        let began = processor_secs();
        let mut case = Case { number, random: Streams::new(number).stream(name), place: &place };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (target.run)(&mut case)));
        let took = processor_secs() - began;
        slowest = slowest.max(took);
        if let Err(panic) = result {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            writeln!(failures, "case {number} panics: {}", text.unwrap_or_default().replace('\n', " ")).unwrap();
        } else if took > MOST_SECS {
            writeln!(failures, "case {number} takes {took:.0} s").unwrap();
        }
        number += 1;
    }
    let told = format!("{number} {} {slowest:.2}", TAKEN.load(Ordering::Relaxed));
    std::fs::write(place.join("number"), told).unwrap();
    std::fs::write(place.join("done"), "").unwrap();
}

/// What a process says before each case and at its end: the number of the case, cases taken, the slowest one's seconds.
fn told(place: &Path) -> Option<(u64, u64, f64)> {
    let text = std::fs::read_to_string(place.join("number")).ok()?;
    let mut words = text.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// A folder in memory where there is such a thing: SQLite waits for the disk.
pub fn quick_place() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// What came of a target.
#[derive(Default)]
struct Found {
    cases: u64,
    /// Cases whose input was taken.
    taken: u64,
    slowest_secs: f64,
    failures: Vec<String>,
}

/// Runs a target for `count` cases or `secs` seconds, whatever its cases do.
fn fuzz(target: &Target, mut from: u64, count: u64, secs: f64) -> Found {
    let folder = quick_place();
    let place = folder.path();
    let (first, end) = (from, Instant::now() + Duration::from_secs_f64(secs));
    let mut found = Found::default();
    while from < first + count && Instant::now() < end {
        let left = (end - Instant::now()).as_secs_f64();
        // A process that ends before it says anything must not be taken for the one before.
        let _ = std::fs::remove_file(place.join("number"));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "fuzz::child_of_the_tests_below", "--test-threads", "1"])
            .env("LANDSCOPE_FUZZ_CHILD", format!("{} {from} {} {left}", target.name, first + count - from))
            .env("LANDSCOPE_FUZZ_PLACE", place)
            .env("TMPDIR", place)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut seen, mut since) = (None, Instant::now());
        let hangs = loop {
            if child.try_wait().unwrap().is_some() {
                break false;
            }
            let now = told(place).map(|(number, ..)| number);
            if now != seen {
                (seen, since) = (now, Instant::now());
            } else if since.elapsed() > Duration::from_secs(KILL_SECS) {
                child.kill().unwrap();
                child.wait().unwrap();
                break true;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        // Every process counts, also one that was killed.
        let (at, taken, slowest) = told(place).unwrap_or((from, 0, 0.0));
        found.taken += taken;
        found.slowest_secs = found.slowest_secs.max(slowest);
        if place.join("done").exists() && !hangs {
            from = at;
            break;
        }
        found.failures.push(format!("case {at} {}", if hangs { "hangs" } else { "aborts (or wants too much memory)" }));
        from = at + 1;
    }
    let failures = std::fs::read_to_string(place.join("failures")).unwrap_or_default();
    found.failures.extend(failures.lines().map(str::to_owned));
    found.cases = from - first;
    found
}

/// The first case of the normal run, or the one that was asked for.
fn first() -> u64 {
    std::env::var("LANDSCOPE_FUZZ_FROM").map_or(0, |text| text.parse().expect("LANDSCOPE_FUZZ_FROM is a number"))
}

#[track_caller]
fn quick(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let Found { cases, taken, failures, .. } = fuzz(target, first(), target.quick, 120.0);
    assert!(failures.is_empty(), "{name}: {} of {cases} cases fail: {}", failures.len(), failures.join("\n"));
    assert!(cases > 0 && taken > cases / 50 && taken < cases, "{name}: {taken} of {cases} were taken");
}

#[test]
fn panics_aborts_and_thirst_for_memory_are_noticed_and_the_rest_is_run() {
    let found = fuzz(&CULPRIT, 0, CULPRIT.quick, 120.0);
    let mut failures = found.failures;
    failures.sort();
    assert_eq!(found.cases, 8);
    assert_eq!(found.taken, 5, "those of the processes that died, too");
    assert!(failures[0].contains("case 2 panics: as planned"), "{failures:?}");
    assert!(failures[1].contains("case 4 aborts"), "{failures:?}");
    #[cfg(unix)]
    assert!(failures[2].contains("case 6 aborts"), "{failures:?}");
}

#[test]
fn damaged_recordings_do_no_harm() {
    quick("recording-bytes");
}

#[test]
fn recordings_with_hostile_values_do_no_harm() {
    quick("recording-values");
}

#[test]
fn damaged_tensors_do_no_harm() {
    quick("safetensors");
}

#[test]
fn damaged_settings_do_no_harm() {
    for name in ["specs", "models", "labs", "sweeps", "links"] {
        quick(name);
    }
}

/// The long run: see above.
#[test]
fn for_so_many_minutes() {
    let Ok(minutes) = std::env::var("LANDSCOPE_FUZZ_MINUTES") else { return };
    let minutes: f64 = minutes.parse().expect("LANDSCOPE_FUZZ_MINUTES is a number");
    let wanted = std::env::var("LANDSCOPE_FUZZ_TARGET").ok();
    let mut failed = 0;
    for target in TARGETS.iter().filter(|target| wanted.as_deref().is_none_or(|name| name == target.name)) {
        // Not the cases of the normal run again.
        let from = first().max(1_000_000);
        let Found { cases, taken, slowest_secs, failures } = fuzz(target, from, u64::MAX / 2, 60.0 * minutes);
        eprintln!(
            "{}: {cases} cases, {taken} taken, the slowest {slowest_secs:.2} s, {} failures",
            target.name,
            failures.len()
        );
        failures.iter().take(40).for_each(|failure| eprintln!("  {failure}"));
        failed += failures.len();
    }
    assert_eq!(failed, 0, "failures are listed above");
}
