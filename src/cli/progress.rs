//! How a headless run shows that it goes on: a bar for people, lines of JSON for programs.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::record::{Recording, SeriesId, Snapshot, names};

/// The scalars of a line of JSON.
const SCALARS: [SeriesId; 9] = [
    names::TRAIN_LOSS,
    names::TRAIN_ACCURACY,
    names::TEST_LOSS,
    names::TEST_ACCURACY,
    names::LR,
    names::SHARPNESS,
    names::SHARPNESS_THRESHOLD,
    names::PRECONDITIONED_SHARPNESS,
    names::PRECONDITIONED_THRESHOLD,
];

pub enum Progress {
    Bar(ProgressBar),
    Json,
}

impl Progress {
    pub fn new(json: bool, steps: u64) -> Self {
        if json {
            return Self::Json;
        }
        let bar = ProgressBar::new(steps);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} steps  {msg}  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self::Bar(bar)
    }

    /// After a snapshot was recorded.
    pub fn snapshot(&self, snapshot: &Snapshot, recording: &Recording) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(recording.newest_step());
                if let Some(loss) = snapshot.scalar(&names::TEST_LOSS) {
                    let accuracy = snapshot.scalar(&names::TEST_ACCURACY);
                    let accuracy = accuracy.map_or_else(String::new, |a| format!(", accuracy {:.1} %", 100.0 * a));
                    bar.set_message(format!("test loss {loss:.4}{accuracy}"));
                }
            }
            Self::Json if snapshot.scalar(&names::TEST_LOSS).is_some() => print_line(line(recording, snapshot.step)),
            Self::Json => {}
        }
    }

    /// So many steps are done.
    pub fn position(&self, steps: u64) {
        if let Self::Bar(bar) = self {
            bar.set_position(steps);
        }
    }

    /// A remark for people; programs read it from the objects.
    pub fn say(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            Self::Json => {}
        }
    }

    pub fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// The newest values at `step`, as one object.
pub fn line(recording: &Recording, step: u64) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("step".into(), json!(step));
    for id in SCALARS {
        if let Some((_, value)) = recording.scalar(&id).and_then(|series| series.latest_at(step)) {
            // JSON has no NaN: such a value is null.
            object.insert(id.to_string(), json!(value));
        }
    }
    object
}

pub fn print_line(object: Map<String, Value>) {
    println!("{}", Value::Object(object));
}
