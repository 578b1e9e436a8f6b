//! `kill -9` at random moments, and files that end anywhere.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use landscope::base::rng::{Stream, Streams};
use landscope::record::{Recording, example, file, names};
use rand::Rng;
use rusqlite::Connection;

use super::fuzz::quick_place;
use super::program::{json_lines, landscope, output, stderr};

/// A run that tells of itself often: an evaluation, which is a line, every five steps.
const SPEC: &str = "steps = 10000000\neval_every = 5\nbatch_size = 16\n[task]\ntrain_size = 64\n[model]\nkind = \"mlp\"\nwidth = 8\ndepth = 1\n";

/// What a run told before it was killed: steps, and when they were heard of.
type Told = Vec<(Instant, u64)>;

fn start(home: &Path) -> Child {
    fs::write(home.join("spec.toml"), SPEC).unwrap();
    landscope(home)
        .args(["run", "--config", "spec.toml", "--json", "--out", "out"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Runs and is killed some time after its first word; with all that it told and the moment of its death.
fn killed_after(home: &Path, delay: Duration) -> (Told, Instant) {
    let mut child = start(home);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = Mutex::new(Told::new());
    let death = Mutex::new(None);
    let (first, heard) = crossbeam::channel::bounded::<()>(1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for line in lines.map_while(Result::ok) {
                // A line may be cut by the kill.
                let step = serde_json::from_str::<serde_json::Value>(&line).ok().and_then(|line| line["step"].as_u64());
                if let Some(step) = step {
                    told.lock().unwrap().push((Instant::now(), step));
                    let _ = first.try_send(());
                }
            }
        });
        heard.recv_timeout(Duration::from_secs(60)).expect("the run tells of itself");
        std::thread::sleep(delay);
        *death.lock().unwrap() = Some(Instant::now());
        child.kill().unwrap();
        child.wait().unwrap();
    });
    (told.into_inner().unwrap(), death.into_inner().unwrap().unwrap())
}

/// What an undisturbed run of `SPEC` has: its fingerprints and losses up to `step`.
fn undisturbed(home: &Path, step: u64) -> Recording {
    // No specification asks for no steps, and a run that was killed may have come no further.
    fs::write(home.join("whole.toml"), SPEC.replace("10000000", &step.max(1).to_string())).unwrap();
    let done = landscope(home)
        .args(["run", "--config", "whole.toml", "--json", "--out", "whole", "--probe-budget", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(done.success());
    file::read(&home.join("whole").join("recording.landscope")).unwrap()
}

/// A killed run's file: whole, with everything that was told a second before the end or earlier. Its recording.
fn check(home: &Path, told: &Told, death: Instant) -> Recording {
    let path = home.join("out").join("recording.landscope");
    let opened = file::open(&path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(opened.damage, None);
    let recording = opened.recording;
    let steps = recording.scalar(&names::TRAIN_LOSS).map_or_else(Vec::new, |series| series.steps().to_vec());
    assert!(steps.iter().enumerate().all(|(i, step)| i as u64 == *step), "in order and without a gap");
    let due = told.iter().rev().find(|(at, _)| death.duration_since(*at) >= Duration::from_secs(1));
    if let Some((at, step)) = due {
        let newest = recording.newest_step();
        assert!(
            newest >= *step,
            "{newest} is in the file, {step} was told {:?} before the end",
            death.duration_since(*at)
        );
        let tests = recording.scalar(&names::TEST_LOSS).unwrap();
        assert!(tests.steps().last() >= Some(step), "the evaluation that was told of, too");
    }
    recording
}

/// Does what is in the file again.
fn replay(home: &Path) {
    let path = home.join("out").join("recording.landscope");
    let again = output(home, &["replay", path.to_str().unwrap(), "--json"]);
    let said = json_lines(&again).pop().unwrap_or_else(|| panic!("{}", stderr(&again)));
    assert!(again.status.success() && said["same"] == true, "{said}");
}

/// How many kills; none says how many there are in a normal test run.
fn kills() -> usize {
    std::env::var("LANDSCOPE_KILLS").map_or(3, |text| text.parse().expect("LANDSCOPE_KILLS is a number"))
}

#[test]
fn a_run_that_is_killed_loses_a_second_at_most_and_what_it_left_is_right() {
    let count = kills();
    let mut random = Streams::new(1).stream("kills");
    let delays: Vec<Duration> = (0..count).map(|_| Duration::from_millis(random.random_range(0..2_500))).collect();
    let next = Mutex::new(delays.into_iter());
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(delay) = next.lock().unwrap().next() else { return };
                    let home = tempfile::tempdir().unwrap();
                    let (told, death) = killed_after(home.path(), delay);
                    let recording = check(home.path(), &told, death);
                    replay(home.path());
                    let late = told.last().map_or(0, |(_, step)| *step).saturating_sub(recording.newest_step());
                    found.lock().unwrap().push((recording, late));
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    assert_eq!(found.len(), count);
    // The bits in the files are those of a run that nobody disturbed.
    let furthest =
        found.iter().filter_map(|(recording, _)| recording.fingerprints.last()).map(|print| print.step).max();
    let home = tempfile::tempdir().unwrap();
    let whole = undisturbed(home.path(), furthest.unwrap_or(100).min(4_000));
    let losses = whole.scalar(&names::TRAIN_LOSS).unwrap().values().to_vec();
    let mut compared = 0;
    for (recording, _) in &found {
        let values = recording.scalar(&names::TRAIN_LOSS).map_or_else(Vec::new, |series| series.values().to_vec());
        let common = values.len().min(losses.len());
        assert_eq!(values[..common], losses[..common]);
        for print in recording.fingerprints.iter().filter(|print| print.step <= whole.newest_step()) {
            assert!(whole.fingerprints.contains(print), "{print:?}");
            compared += 1;
        }
    }
    let most = found.iter().map(|(_, late)| late).max().unwrap_or(&0);
    eprintln!("{count} kills, {compared} fingerprints compared; at most {most} steps told were not in the file");
}

/// A recording in pages of 512 bytes, so that there are few of them to cut.
fn small_pages(path: &Path) -> Vec<u8> {
    file::save(path, &example::recording(3)).unwrap();
    let database = Connection::open(path).unwrap();
    // Pictures aside, whose blobs fill most of the file.
    database
        .execute_batch(
            "DELETE FROM density WHERE rowid > 1; DELETE FROM matrix WHERE rowid > 1; PRAGMA page_size = 512; VACUUM",
        )
        .unwrap();
    drop(database);
    fs::read(path).unwrap()
}

/// Lengths to try: all of them where time is given, else all near the ends of pages and some between.
fn lengths(whole: usize, random: &mut Stream) -> Vec<usize> {
    let all = std::env::var_os("LANDSCOPE_SLOW_TESTS").is_some();
    let some = |length: usize| length % 1_024 < 2 || (length < 200 && length.is_multiple_of(9));
    (0..whole).filter(|length| all || some(*length) || random.random_range(0..200) == 0).collect()
}

#[test]
fn a_file_cut_at_any_byte_opens_up_to_the_cut_or_says_why_not() {
    let folder = quick_place();
    let bytes = small_pages(&folder.path().join("whole"));
    let cut = folder.path().join("cut.landscope");
    let mut opened = 0;
    for length in lengths(bytes.len(), &mut Streams::new(2).stream("cuts")) {
        fs::write(&cut, &bytes[..length]).unwrap();
        match file::open(&cut) {
            Ok(found) => {
                assert!(found.damage.is_some(), "{length} of {} bytes", bytes.len());
                opened += 1;
            }
            Err(error) => assert!(error.to_string().contains("cut.landscope"), "{length}: {error}"),
        }
    }
    assert!(opened > 10, "{opened} of {} bytes", bytes.len());
}

/// A file in the middle of a commit, with its journal: either may be cut anywhere.
#[test]
fn a_commit_cut_at_any_byte_does_no_harm() {
    let folder = quick_place();
    let path = folder.path().join("whole.landscope");
    small_pages(&path);
    let before = file::read(&path).unwrap();
    let database = Connection::open(&path).unwrap();
    // Pages go to the disk before the commit.
    database.execute_batch("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN").unwrap();
    let rows = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 400)";
    database
        .execute_batch(&format!("{rows} INSERT INTO scalar SELECT 1, 1000 + i, 0.5 FROM n; UPDATE scalar SET value = 9.0; DELETE FROM vector"))
        .unwrap();
    let journal_path = folder.path().join("whole.landscope-journal");
    let (bytes, journal) = (fs::read(&path).unwrap(), fs::read(&journal_path).unwrap());
    drop(database);
    assert!(journal.len() > 2_000, "the journal is hot");
    let (file_path, its_journal) = (folder.path().join("cut.landscope"), folder.path().join("cut.landscope-journal"));
    let mut random = Streams::new(3).stream("journals");
    let open = |bytes: &[u8], journal: &[u8]| {
        fs::write(&file_path, bytes).unwrap();
        fs::write(&its_journal, journal).unwrap();
        match file::open(&file_path) {
            Ok(opened) => Some(opened),
            Err(error) => {
                assert!(error.to_string().contains("cut.landscope"), "{error}");
                None
            }
        }
    };
    let whole = open(&bytes, &journal).expect("a killed commit is rolled back");
    assert_eq!(whole.damage, None);
    let id = names::TRAIN_LOSS;
    assert_eq!(whole.recording.scalar(&id), before.scalar(&id), "the state before the commit");
    // A kill between the last writes: the header speaks of pages already that aren't there.
    let mut ahead = bytes.clone();
    let pages = u32::from_be_bytes([ahead[28], ahead[29], ahead[30], ahead[31]]);
    ahead[28..32].copy_from_slice(&(pages + 5).to_be_bytes());
    assert_eq!(open(&ahead, &journal).expect("it is rolled back").damage, None);
    for length in lengths(journal.len(), &mut random) {
        open(&bytes, &journal[..length]);
    }
    for length in lengths(bytes.len(), &mut random) {
        open(&bytes[..length], &journal);
    }
}
