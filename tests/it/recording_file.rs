//! Recordings on disk: what is written is read back, and a file that was cut, damaged or mistaken does no harm.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landscope::record::file::{self, FileError, RecordingWriter};
use landscope::record::{
    Checkpoint, Circumstances, Density, Divergence, Estimate, Fingerprint, Fork, Header, Intervention, Matrix, Note,
    Outcome, PathPoint, Reading, Recording, Series, SeriesId, Snapshot, Surface, TrackId, TrackInfo, example,
};

/// Equal but for NaN, which equals NaN.
fn assert_same(a: &Recording, b: &Recording) {
    assert_eq!(a.header, b.header);
    assert_eq!(a.interventions, b.interventions);
    assert_eq!(a.fingerprints, b.fingerprints);
    assert_eq!(a.outcome, b.outcome);
    assert_eq!(a.newest_step(), b.newest_step());
    let series = |recording: &Recording| {
        let named = |(track, contents): (TrackId, &landscope::record::Track)| {
            contents.series().map(|(id, series)| (track, id.clone(), format!("{series:?}"))).collect::<Vec<_>>()
        };
        recording.tracks().flat_map(named).collect::<Vec<_>>()
    };
    let (a, b) = (series(a), series(b));
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(&b) {
        assert!(a == b, "{:?} differs", a.1);
    }
}

fn snapshot(step: u64, name: &str, reading: Reading) -> Snapshot {
    Snapshot { track: TrackId(0), step, readings: vec![(SeriesId::owned(name), reading)] }
}

/// Every kind of reading with the numbers that are hard to store.
fn every_kind(step: u64) -> Vec<(SeriesId, Reading)> {
    let about = Arc::new(Circumstances {
        examples: 128,
        dtype: "f32".into(),
        method: "Lanczos, \"exact\" products; naïve".into(),
        seconds: f64::NAN,
    });
    let n = 9;
    let losses: Vec<f32> = (0..n * n).map(|i| if i % 7 == 0 { f32::NAN } else { i as f32 * 0.3 }).collect();
    let surface = Surface {
        n,
        radius: 0.1,
        loss: losses,
        accuracy: if step.is_multiple_of(2) { Vec::new() } else { vec![0.5; n * n] },
        valid: (0..n * n).map(|i| i % 5 != 0).collect(),
        path: vec![PathPoint { step, a: f32::INFINITY, b: -0.5, loss: f32::MIN_POSITIVE }],
        path_share: f32::NAN,
        directions: "two random directions".into(),
        axes: ["eigenvector 1 (λ = 12.3)".into(), if step == 3 { String::new() } else { "PC 2".into() }],
        circumstances: about.clone(),
    };
    let density = Density {
        low: -1.5,
        high: 0.1,
        counts: vec![0, u32::MAX, 3],
        below: 1,
        above: u32::MAX,
        not_finite: 7,
        mean: f32::NEG_INFINITY,
        std: f32::NAN,
        zero_share: 0.3,
    };
    let estimate = Estimate { value: 1e300, residual: f64::NAN, converged: false, products: 20, circumstances: about };
    vec![
        (SeriesId::owned("scalar"), Reading::Scalar(if step == 2 { f64::NAN } else { 0.1 * step as f64 })),
        (SeriesId::owned("infinite"), Reading::Scalar(f64::NEG_INFINITY)),
        (SeriesId::owned("estimate"), Reading::Estimate(estimate)),
        (SeriesId::owned("vector"), Reading::Vector(vec![f32::NAN, f32::MAX, 1e-45])),
        (
            SeriesId::owned("matrix/a"),
            Reading::Matrix(Arc::new(Matrix { rows: 2, columns: 1, values: vec![1.0, f32::NAN] })),
        ),
        (SeriesId::owned("density/a"), Reading::Density(Arc::new(density))),
        (SeriesId::owned("landscape"), Reading::Surface(Arc::new(surface))),
    ]
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a recording, with ? and # in its name.landscope");
    let header = example::recording(1).header;
    let mut recording = Recording::new(header.clone());
    let mut writer = RecordingWriter::create(&path, &header).unwrap();
    for track in 0..2 {
        for step in 0..5 {
            let snapshot = Snapshot { track: TrackId(track), step, readings: every_kind(step) };
            writer.append(&snapshot).unwrap();
            recording.push(&snapshot).unwrap();
        }
    }
    let refined = snapshot(4, "matrix/a", Reading::Matrix(Arc::new(Matrix { rows: 1, columns: 1, values: vec![2.0] })));
    writer.append(&refined).unwrap();
    recording.push(&refined).unwrap();
    let mark =
        Intervention { track: TrackId(0), step: 3, knob: "lr".into(), from: "0.1".into(), to: "0,05; Δ".into() };
    writer.intervene(&mark).unwrap();
    recording.intervene(mark);
    let fingerprint = Fingerprint { track: TrackId(0), step: 4, hash: "abc".into() };
    writer.fingerprint(&fingerprint).unwrap();
    recording.fingerprints.push(fingerprint);
    let outcome = Outcome::Diverged(Divergence { step: 4, layer: "block 1".into(), quantity: "activation".into() });
    writer.finish(TrackId(0), &outcome).unwrap();
    recording.outcome = Some(outcome);
    assert_same(&recording, &file::read(&path).unwrap());
    assert!(file::open(&path).unwrap().damage.is_none());

    let copy = folder.path().join("copy.landscope");
    fs::write(&copy, "an older file").unwrap();
    writer.save_copy(&copy).unwrap();
    assert_same(&recording, &file::read(&copy).unwrap());
    let saved = folder.path().join("saved.landscope");
    file::save(&saved, &recording).unwrap();
    assert_same(&recording, &file::read(&saved).unwrap());
    drop(writer);
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), 3, "one file a recording, nothing left over: {names:?}");
}

#[test]
fn a_branch_keeps_its_parents_history_and_each_track_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.landscope");
    let mut recording = Recording::new(Header::default());
    let mut writer = RecordingWriter::create(&path, &Header::default()).unwrap();
    let mut write = |recording: &mut Recording, track, steps: std::ops::Range<u64>| {
        for step in steps {
            let snapshot = Snapshot { track: TrackId(track), step, readings: every_kind(step + u64::from(track)) };
            writer.append(&snapshot).unwrap();
            recording.push(&snapshot).unwrap();
        }
    };
    write(&mut recording, 0, 0..50);
    let diverged = Outcome::Failed("x".into());
    let branch = |id, track, step| {
        let parent = Some(Fork { track: TrackId(track), step });
        TrackInfo { id: TrackId(id), label: format!("branch {id}"), parent, ..TrackInfo::default() }
    };
    recording.end_track(TrackId(0), diverged.clone());
    recording.begin_track(&branch(1, 0, 20));
    write(&mut recording, 1, 20..40);
    recording.begin_track(&branch(2, 1, 30));
    write(&mut recording, 2, 30..35);
    let note = Note { track: TrackId(2), step: 31, text: "why does \"it\" rise?".into() };
    recording.notes.push(note.clone());
    writer.finish(TrackId(0), &diverged).unwrap();
    writer.begin_track(&branch(1, 0, 20)).unwrap();
    writer.begin_track(&branch(2, 1, 30)).unwrap();
    writer.note(&note).unwrap();
    let data = std::sync::Arc::new((0..=255).collect::<Vec<u8>>());
    let checkpoint = |step| Checkpoint { track: TrackId(1), step, data: data.clone() };
    [20, 30].into_iter().for_each(|step| writer.checkpoint(&checkpoint(step)).unwrap());
    writer.drop_checkpoint(TrackId(1), 20).unwrap();
    writer.flush().unwrap();

    let read = file::read(&path).unwrap();
    assert_same(&recording, &read);
    assert_eq!((read.focus(), read.newest_step()), (TrackId(2), 34));
    assert_eq!(read.outcome_of(TrackId(0)), Some(&diverged));
    assert_eq!((&read.notes, &read.checkpoints), (&recording.notes, &vec![checkpoint(30).info()]));
    assert_eq!(file::checkpoint(&path, TrackId(1), 30).unwrap(), checkpoint(30));
    let missing = file::checkpoint(&path, TrackId(1), 20).unwrap_err().to_string();
    assert!(missing.contains("no checkpoint") && missing.contains("20"), "{missing}");

    let copy = folder.path().join("copy.landscope");
    file::save(&copy, &read).unwrap();
    assert_same(&recording, &file::read(&copy).unwrap());

    // Somebody else writes it; then it is gone on with.
    assert!(file::is_being_written(&path));
    assert!(RecordingWriter::reopen(&path).is_err());
    drop(writer);
    let mut writer = RecordingWriter::reopen(&path).unwrap();
    let more = snapshot(40, "scalar", Reading::Scalar(7.0));
    let more = Snapshot { track: TrackId(2), ..more };
    writer.append(&more).unwrap();
    drop(writer);
    recording.push(&more).unwrap();
    assert_same(&recording, &file::read(&path).unwrap());
}

#[test]
fn what_was_measured_afterwards_finds_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.landscope");
    let mut writer = RecordingWriter::create(&path, &Header::default()).unwrap();
    for step in (0..100).rev().step_by(7) {
        writer.append(&snapshot(step, "late", Reading::Scalar(step as f64))).unwrap();
    }
    writer.flush().unwrap();
    let opened = file::open(&path).unwrap();
    assert_eq!(opened.damage, None);
    let late = opened.recording.scalar(&SeriesId::owned("late")).unwrap();
    assert!(late.len() == 15 && late.steps().iter().is_sorted());
    assert!(late.steps().iter().zip(late.values()).all(|(&step, &value)| value == step as f64));
}

#[test]
fn a_follower_reads_what_comes_and_branches_after_what_they_inherit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.landscope");
    let header = example::recording(1).header;
    let mut writer = RecordingWriter::create(&path, &header).unwrap();
    let (mut follower, found) = file::Follower::open(&path).unwrap();
    assert_eq!(found, header);
    assert!(follower.poll().is_empty());
    let mut followed = Recording::new(found);
    let look = |followed: &mut Recording, follower: &mut file::Follower| {
        for entry in follower.poll() {
            match entry {
                file::Entry::Track(info) => followed.begin_track(&info),
                file::Entry::Snapshot(snapshot) | file::Entry::Late(snapshot) => followed.push(&snapshot).unwrap(),
                _ => {}
            }
        }
    };
    let write = |writer: &mut RecordingWriter, track, steps: std::ops::Range<u64>| {
        for step in steps {
            writer.append(&Snapshot { track: TrackId(track), step, readings: every_kind(step) }).unwrap();
        }
    };
    write(&mut writer, 0, 0..20);
    writer.flush().unwrap();
    look(&mut followed, &mut follower);
    assert_eq!(followed.newest_step(), 19);
    assert!(follower.poll().is_empty());
    write(&mut writer, 0, 20..30);
    let parent = Some(Fork { track: TrackId(0), step: 25 });
    writer.begin_track(&TrackInfo { id: TrackId(1), parent, ..TrackInfo::default() }).unwrap();
    write(&mut writer, 1, 25..28);
    writer.flush().unwrap();
    look(&mut followed, &mut follower);
    assert_same(&followed, &file::read(&path).unwrap());
}

#[test]
fn misuse_is_refused_by_name_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.landscope");
    let mut writer = RecordingWriter::create(&path, &Header::default()).unwrap();
    writer.append(&snapshot(1, "x", Reading::Scalar(1.0))).unwrap();
    let mixed = Snapshot {
        track: TrackId(0),
        step: 1,
        readings: vec![
            (SeriesId::owned("y"), Reading::Scalar(1.0)),
            (SeriesId::owned("x"), Reading::Vector(vec![1.0])),
        ],
    };
    assert!(matches!(writer.append(&mixed), Err(FileError::Misfit { .. })));
    assert!(matches!(writer.append(&snapshot(u64::MAX, "x", Reading::Scalar(1.0))), Err(FileError::Misfit { .. })));
    assert!(matches!(writer.save_copy(&path), Err(FileError::IsBeingWritten { .. })));
    let nowhere = folder.path().join("no such folder").join("r.landscope");
    assert!(matches!(writer.save_copy(&nowhere), Err(FileError::Unwritable { .. })));
    assert!(matches!(RecordingWriter::create(&nowhere, &Header::default()), Err(FileError::Unwritable { .. })));
    assert!(matches!(RecordingWriter::create(&path, &Header::default()), Err(FileError::Exists { .. })));
    writer.flush().unwrap();
    let recording = file::read(&path).unwrap();
    assert_eq!(recording.scalar(&SeriesId::owned("x")).unwrap().values(), [1.0]);
    assert!(recording.scalar(&SeriesId::owned("y")).is_none());
}

/// The example on disk with as many rows as make several pages of every large table.
fn example_file(path: &Path) -> Recording {
    let recording = example::recording(1_500);
    let mut writer = RecordingWriter::create(path, &recording.header).unwrap();
    // In the order of time, as a run writes it.
    for step in 1..=recording.newest_step() {
        let mut readings = Vec::new();
        for (_, track) in recording.tracks() {
            for (id, series) in track.series() {
                let reading = match series {
                    Series::Scalar(scalars) => match scalars.estimate_at(step) {
                        Some((at, estimate)) if at == step => Some(Reading::Estimate(estimate.clone())),
                        Some(_) => None,
                        None => scalars.latest_at(step).filter(|(at, _)| *at == step).map(|(_, v)| Reading::Scalar(v)),
                    },
                    Series::Vector(vectors) => vectors
                        .latest_at(step)
                        .filter(|(at, _)| *at == step)
                        .map(|(_, row)| Reading::Vector(row.to_vec())),
                    Series::Heavy(heavy) => heavy.latest_at(step).filter(|(at, _)| *at == step).map(|(_, r)| r.clone()),
                };
                readings.extend(reading.map(|reading| (id.clone(), reading)));
            }
        }
        writer.append(&Snapshot { track: TrackId(0), step, readings }).unwrap();
        if step % 50 == 0 {
            writer.flush().unwrap();
        }
    }
    for mark in &recording.interventions {
        writer.intervene(mark).unwrap();
    }
    writer.flush().unwrap();
    recording
}

#[test]
fn a_file_cut_anywhere_opens_up_to_the_cut_or_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.landscope");
    let whole = example_file(&path);
    assert_same(&whole, &file::read(&path).unwrap());
    let bytes = fs::read(&path).unwrap();
    let cut = folder.path().join("cut.landscope");
    let loss = landscope::record::names::TRAIN_LOSS;
    let all = whole.scalar(&loss).unwrap().values().to_vec();
    let mut furthest = 0;
    for part in 0..=60 {
        // Odd lengths: not only whole pages.
        let length = (bytes.len() - 1).min(bytes.len() * part / 60 + 13 * part);
        fs::write(&cut, &bytes[..length]).unwrap();
        match file::open(&cut) {
            Ok(opened) => {
                assert!(opened.damage.is_some(), "{length} of {} bytes", bytes.len());
                let read = opened.recording.scalar(&loss).map_or_else(Vec::new, |series| series.values().to_vec());
                assert_eq!(read, &all[..read.len()]);
                furthest = furthest.max(read.len());
                // Rows are spread evenly over the file, so half a file holds nearly half the run.
                if part >= 30 {
                    assert!(read.len() >= all.len() * (part - 10) / 60, "{} at part {part}", read.len());
                }
            }
            Err(error) => {
                assert!(part < 10, "{error}");
                assert!(error.to_string().contains("cut.landscope"), "{error}");
            }
        }
    }
    assert!(furthest > all.len() / 2);
    for length in 0..130 {
        fs::write(&cut, &bytes[..length]).unwrap();
        assert!(file::read(&cut).is_err(), "{length} bytes");
    }
}

#[test]
fn flipped_bytes_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.landscope");
    let recording = example::recording(40);
    file::save(&path, &recording).unwrap();
    let bytes = fs::read(&path).unwrap();
    let bad = folder.path().join("bad.landscope");
    let mut state = 12_345_u64;
    let mut opened = 0;
    for round in 0..120 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + round % 8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Half of the damage hits the first bytes of pages, where the tree's structure is.
            let at = (state >> 33) as usize % damaged.len();
            let at = if round % 2 == 0 { at } else { at / 32_768 * 32_768 + at % 200 };
            damaged[at] ^= 1 << (state >> 60 & 7);
        }
        fs::write(&bad, &damaged).unwrap();
        match file::read(&bad) {
            Ok(recording) => opened += u32::from(!recording.is_empty()),
            Err(error) => assert!(error.to_string().contains("bad.landscope"), "{error}"),
        }
    }
    assert!(opened > 50, "most files with a few flipped bits open: {opened}");
}

#[test]
fn a_tool_that_reads_for_long_costs_no_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("held.landscope");
    let mut writer = RecordingWriter::create(&path, &Header::default()).unwrap();
    writer.append(&snapshot(0, "x", Reading::Scalar(0.0))).unwrap();
    writer.flush().unwrap();
    let tool = rusqlite::Connection::open(&path).unwrap();
    let mut statement = tool.prepare("SELECT value FROM scalar").unwrap();
    let mut rows = statement.query([]).unwrap();
    rows.next().unwrap();
    for step in 1..4 {
        writer.append(&snapshot(step, "x", Reading::Scalar(1.0))).unwrap();
        writer.flush().unwrap();
    }
    drop(rows);
    writer.flush().unwrap();
    assert_eq!(file::read(&path).unwrap().newest_step(), 3);
}

#[test]
fn what_is_not_a_recording_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("thing");
    let refused = |what: &str| {
        let error = file::read(&path).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("thing"), "{error}");
    };
    refused("No such file");
    fs::write(&path, "").unwrap();
    refused("it is empty");
    fs::write(&path, b"\x89PNG\r\n\x1a\n and so on").unwrap();
    refused("a PNG picture");
    fs::write(&path, "seed = 3\n").unwrap();
    refused("a text file");
    fs::write(&path, [0xff; 4_000]).unwrap();
    refused("some other kind of file");
    fs::remove_file(&path).unwrap();
    file::save(&path, &example::recording(3)).unwrap();
    let good = fs::read(&path).unwrap();
    let mut newer = good.clone();
    newer[63] = 2;
    fs::write(&path, &newer).unwrap();
    refused("format version 2");
    let mut foreign = good.clone();
    foreign[68..72].fill(0);
    fs::write(&path, &foreign).unwrap();
    refused("another program");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("a folder");
}

/// Plays the killed process in the test below; does nothing otherwise.
#[test]
fn victim_of_the_test_below() {
    let Ok(path) = std::env::var("LANDSCOPE_TEST_VICTIM") else { return };
    let mut writer = RecordingWriter::create(Path::new(&path), &Header::default()).unwrap();
    for step in 0.. {
        writer.append(&snapshot(step, "x", Reading::Scalar(step as f64))).unwrap();
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn a_killed_process_loses_a_second_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.landscope");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "recording_file::victim_of_the_test_below"])
        .env("LANDSCOPE_TEST_VICTIM", &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let id = SeriesId::owned("x");
    let count = |path: &Path| file::read(path).ok().and_then(|r| r.scalar(&id).map(|series| series.len()));
    // Two commits have been seen from outside, while the file is being written.
    let mut seen = Vec::new();
    while seen.len() < 2 && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
        let now = count(&path);
        if now.is_some() && seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!(seen.len(), 2, "rows reach the file while the run goes on");
    let series = file::read(&path).unwrap();
    let values = series.scalar(&id).unwrap().values();
    assert!(Some(values.len()) >= seen[1]);
    assert!(values.iter().enumerate().all(|(i, &value)| value == i as f64), "in order and without a gap");
}

#[test]
fn files_from_before_axes_had_names_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.landscope");
    let header = example::recording(1).header;
    let mut writer = RecordingWriter::create(&path, &header).unwrap();
    writer.append(&Snapshot { track: TrackId(0), step: 1, readings: every_kind(1) }).unwrap();
    writer.finish(TrackId(0), &Outcome::Finished).unwrap();
    drop(writer);
    let database = rusqlite::Connection::open(&path).unwrap();
    // An older program's question, of a newer file.
    let asked = "SELECT series, step, n, radius, path_share, directions, examples, dtype, method, seconds,
        loss, accuracy, valid, path FROM surface";
    assert_eq!(database.query_row(asked, [], |row| row.get::<_, String>(5)).unwrap(), "two random directions");
    database.execute_batch("ALTER TABLE surface DROP COLUMN x_axis; ALTER TABLE surface DROP COLUMN y_axis;").unwrap();
    drop(database);
    let opened = file::open(&path).unwrap();
    assert!(opened.damage.is_none(), "{:?}", opened.damage);
    let landscape = SeriesId::owned("landscape");
    let Some((1, Reading::Surface(surface))) = opened.recording.latest_at(&landscape, 1) else { panic!("a slice") };
    assert_eq!(surface.axis(0), "direction 1");
}
