//! A sweep that is watched while it fills in.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::plots::PaneId;
use crate::plots::charts;
use crate::record::Recording;
use crate::run::sweep::{self, Folder};

use super::link::Wake;
use super::state::Window;
use super::toasts::Notice;

/// Time between two looks at the folder.
const LOOK_EVERY: Duration = Duration::from_millis(1_000);

/// A thread that looks at a sweep's folder; it ends when this is dropped.
pub struct SweepWatch {
    folder: PathBuf,
    found: Receiver<Recording>,
    stop: Arc<AtomicBool>,
}

impl Drop for SweepWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl SweepWatch {
    /// # Errors
    /// If the folder is no sweep, or the system refuses a thread.
    pub fn start(path: &Path, wake: Wake) -> Result<(Self, Recording), String> {
        let folder = Folder::open(path).map_err(|error| error.to_string())?;
        let first = sweep::recording(&folder).map_err(|error| error.to_string())?;
        let (sender, found) = bounded(1);
        let key = key(&first);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let look = move || {
            let mut shown = key;
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK_EVERY);
                look(&folder, &mut shown, &sender, &wake);
            }
        };
        std::thread::Builder::new().name("sweep".into()).spawn(look).map_err(|error| error.to_string())?;
        Ok((Self { folder: path.to_owned(), found, stop }, first))
    }
}

/// What changes when a cell does.
fn key(recording: &Recording) -> Vec<String> {
    recording.tracks().map(|(_, track)| track.attributes.get("status").cloned().unwrap_or_default()).collect()
}

fn look(folder: &Folder, shown: &mut Vec<String>, found: &Sender<Recording>, wake: &Wake) {
    // Planned cells may have been added.
    let current = Folder::open(folder.path()).and_then(|folder| sweep::recording(&folder));
    let Ok(recording) = current else { return };
    let now = key(&recording);
    // A full channel means that the window hasn't looked yet: the next look brings newer results.
    if now != *shown && found.try_send(recording).is_ok() {
        *shown = now;
        wake.ring();
    }
}

impl SweepWatch {
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Window {
    /// Shows a sweep and follows it.
    pub fn watch_sweep(&mut self, path: &Path) {
        match SweepWatch::start(path, self.wake.clone()) {
            Ok((watch, recording)) => {
                self.view(path.to_owned(), recording);
                self.sweep = Some(watch);
            }
            Err(message) => self.toasts.push(Notice::problem(message)),
        }
    }

    /// The folder of the sweep that is watched.
    pub fn watched_sweep(&self) -> Option<&Path> {
        self.sweep.as_ref().map(SweepWatch::folder)
    }

    /// Takes in what the watched sweep has come to.
    pub(super) fn follow_sweep(&mut self) {
        let Some(watch) = &self.sweep else { return };
        if let Some(recording) = watch.found.try_iter().last()
            && let Some(viewed) = self.viewed.as_mut().filter(|viewed| viewed.path == watch.folder)
        {
            viewed.recording = recording;
            self.changed_as_a_whole();
        }
    }

    /// Opens the recording behind a place of a sweep's heat map.
    pub(super) fn open_cell(&mut self, pane: PaneId, at: [f64; 2]) {
        let (Some(watch), PaneId::Chart(index)) = (&self.sweep, pane) else { return };
        let recording = self.recording();
        let Some(chart) = recording.header.charts.get(usize::from(index)) else { return };
        let cell = charts::tracks_at(chart, recording, at).into_iter().find_map(|track| {
            let name = track.attributes.get("cell")?;
            Some(watch.folder.join("cells").join(name).join("recording.landscope")).filter(|path| path.exists())
        });
        match cell {
            Some(path) => self.apply(super::action::Action::Open(path)),
            None => self.toasts.push(Notice::remark("This cell has no recording yet")),
        }
    }
}
