//! What a user does with a recording that opened: looks at every pane, at several steps, goes back to a step, takes tables and a
//! figure along, and saves it again.

use std::path::Path;

use landscope::figures::{self, FigureSize, Paper};
use landscope::labs::caption::caption;
use landscope::plots::{PaneOptions, Plot, pane};
use landscope::record::tables::TABLES;
use landscope::record::{Recording, TimeCursor, file};
use rand::Rng;

use super::{Case, trained};

/// Opens `path` and looks at what is there.
pub fn open(case: &mut Case<'_>, path: &Path) {
    let opened = match file::open(path) {
        Ok(opened) => opened,
        Err(error) => {
            let text = error.to_string();
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(text.contains(&*name), "the message names the file: {text}");
            return;
        }
    };
    if !opened.recording.is_empty() {
        case.taken();
    }
    if case.random.random_bool(0.4) {
        look(case, &opened.recording);
    }
    if case.random.random_bool(0.4) {
        trained::look(case, path, &opened.recording);
    }
    if case.random.random_bool(0.2) {
        take_away(case, &opened.recording);
    }
    if case.random.random_bool(0.1) {
        let copy = case.place.join("copy.landscope");
        if file::save(&copy, &opened.recording).is_ok() {
            assert!(file::open(&copy).is_ok(), "what was saved opens");
        }
    }
}

/// What leaves the program: tables of everything, and a figure of one pane.
fn take_away(case: &mut Case<'_>, recording: &Recording) {
    for table in TABLES {
        // A reader that has seen enough.
        let mut rows = 0;
        let _ = table.rows(recording, &mut |_| {
            rows += 1;
            if rows < 20_000 { Ok(()) } else { Err(std::io::Error::other("enough")) }
        });
        if rows < 2_000 {
            assert_eq!(table.write_csv(recording, std::io::sink()).unwrap(), rows);
            assert_eq!(table.write_json(recording, std::io::sink()).unwrap(), rows);
        }
    }
    let panes = pane::of(recording);
    let Some(&id) = panes.get(case.random.random_range(0..panes.len().max(1))) else { return };
    let plots = pane::plots(recording, id, TimeCursor::Following, &options(case));
    let words = caption(recording, &pane::told(recording, id, &plots, TimeCursor::Following));
    let size = FigureSize::Pixels { width: 420, height: 300 };
    let paper = Paper { caption: Some(words.clone()), description: words, ..Paper::of(size) };
    let drawn = figures::svg_on(&plots, &paper).expect("what can be shown can be drawn");
    if case.random.random_bool(0.1) {
        figures::png_on(&plots, &paper).unwrap_or_else(|error| panic!("{error}: {drawn}"));
    }
}

/// The panes' switches, some of them turned.
fn options(case: &mut Case<'_>) -> PaneOptions {
    let Ok(mut options) = serde_json::to_value(PaneOptions::default()) else { return PaneOptions::default() };
    let Some(table) = options.as_object_mut() else { return PaneOptions::default() };
    for value in table.values_mut() {
        if let Some(on) = value.as_bool().filter(|_| case.random.random_bool(0.3)) {
            *value = (!on).into();
        }
        if value.is_u64() && case.random.random_bool(0.3) {
            *value = [0_u64, 1, 7][case.random.random_range(0..3)].into();
        }
    }
    serde_json::from_value(options).unwrap_or_default()
}

/// Draws every pane.
pub fn look(case: &mut Case<'_>, recording: &Recording) {
    let newest = recording.newest_step();
    let at = case.random.random_range(0..=newest);
    let cursors = [TimeCursor::Following, TimeCursor::At(0), TimeCursor::At(at), TimeCursor::At(u64::MAX)];
    let cursor = cursors[case.random.random_range(0..cursors.len())];
    let options = options(case);
    for id in pane::of(recording) {
        pane::plots(recording, id, cursor, &options).iter().map(Plot::to_csv).for_each(drop);
        let _ = (pane::title(recording, id), pane::guide(recording, id), pane::slug(recording, id));
    }
}
