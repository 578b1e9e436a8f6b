//! Time to build every pane's plots of a long recording, and to write and read a recording file.
//!
//! `cargo bench --bench plots` prints a table; medians over repetitions on a synthetic recording.

use std::path::Path;
use std::time::Instant;

use landscope::plots::{ActivationView, LandscapeView, PaneOptions, Plot, pane};
use landscope::record::file::{self, Archive, RecordingWriter};
use landscope::record::{Header, Reading, Snapshot, TimeCursor, TrackId, example, memory, names};

const STEPS: u64 = 100_000;

/// Median milliseconds of `repetitions` calls, after one that isn't counted.
fn milliseconds(repetitions: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut times: Vec<f64> = (0..repetitions)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let start = Instant::now();
    let recording = example::recording(STEPS);
    println!("example of {STEPS} steps: {:.2} s to push", start.elapsed().as_secs_f64());

    let default = PaneOptions::default();
    let maps = PaneOptions {
        landscape_view: LandscapeView::HeatMap,
        activation_view: ActivationView::Waterfall,
        ..PaneOptions::default()
    };
    for (name, options) in [("surface and ridges", &default), ("heat map with contours and waterfall", &maps)] {
        println!("plots, {name}:");
        for cursor in [TimeCursor::Following, TimeCursor::At(STEPS / 3)] {
            let mut total = 0.0;
            for pane in pane::PANES {
                let time = milliseconds(51, || drop((pane.plots)(&recording, cursor, options)));
                total += time;
                println!("  {:<14} {time:7.3} ms  {cursor:?}", pane.slug);
            }
            println!("  {:<14} {total:7.3} ms  {cursor:?}", "all six");
        }
    }
    let built: Vec<Plot> =
        pane::PANES.iter().flat_map(|p| (p.plots)(&recording, TimeCursor::Following, &maps)).collect();
    let csv = milliseconds(5, || built.iter().for_each(|plot| drop(plot.to_csv())));
    println!("all plots as CSV: {csv:.1} ms");

    let folder = tempfile::tempdir().expect("a temporary folder");
    scalar_rows(&folder.path().join("rows.landscope"));
    let path = folder.path().join("example.landscope");
    let write = milliseconds(3, || file::save(&path, &recording).expect("the disk has room"));
    let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    let read = milliseconds(3, || drop(file::read(&path).expect("just written")));
    println!("file of {STEPS} steps, {:.1} MB: written in {write:.0} ms, read in {read:.0} ms", bytes as f64 / 1e6);
    read_back(&path);
}

/// How long the cursor waits for pictures that memory has thinned.
fn read_back(path: &Path) {
    let mut recording = file::open_within(path, memory::LEAST_BYTES).expect("just written").recording;
    let mut archive = Archive::open(path).expect("just written");
    let start = Instant::now();
    while archive.index(&mut recording).expect("nobody writes") {}
    let index = start.elapsed().as_secs_f64() * 1e3;
    let mut times = Vec::new();
    let mut read = 0;
    for k in 0..200 {
        let start = Instant::now();
        read += archive.fetch(&mut recording, (k * 7_919) % STEPS).expect("nobody writes");
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "pictures in the file found in {index:.1} ms; those of a step read back in {:.2} ms (95 %: {:.2}), {:.1} of them",
        times[100],
        times[190],
        read as f64 / 200.0
    );
}

/// Rows a second when single numbers are appended step by step, commits included.
fn scalar_rows(path: &Path) {
    let mut writer = RecordingWriter::create(path, &Header::default()).expect("a new file");
    let ids = [names::TRAIN_LOSS, names::TRAIN_ACCURACY, names::LR, names::SHARPNESS_THRESHOLD];
    let start = Instant::now();
    for step in 0..STEPS {
        let readings = ids.iter().map(|id| (id.clone(), Reading::Scalar(step as f64 * 0.1))).collect();
        writer.append(&Snapshot { track: TrackId(0), step, readings }).expect("the disk has room");
    }
    writer.flush().expect("the disk has room");
    let rows = STEPS as f64 * ids.len() as f64;
    println!("scalar rows: {:.0} a second", rows / start.elapsed().as_secs_f64());
}
