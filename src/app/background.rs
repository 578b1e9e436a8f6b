//! What would make the window wait: the system's file dialogs, reading recordings, writing figures. Each on a
//! thread of its own; what it found comes back over a channel.

use std::path::PathBuf;
use std::thread;

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::figures::file::FileFormat;
use crate::figures::raster::Pixels;
use crate::figures::{self, Paper};
use crate::plots::Plot;
use crate::record::file::{self, Opened};
use crate::record::{Fork, Recording, Snapshot};
use crate::run::afterwards::Revisit;
use crate::run::spec::RunSpec;

use super::bring::{self, Brought};
use super::comparison;
use super::film::FilmOrder;
use super::link::Wake;

/// Results that may wait to be collected; more threads than that never run at a time in practice.
const RESULTS: usize = 32;

/// What a file dialog is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browse {
    OpenRecording,
    /// Where to write a recording, a figure or a table.
    SaveAs,
    /// Where files are saved unless another place is typed.
    SaveFolder,
    /// The task's data.
    DataFile,
    DataFolder,
    /// Of one of the two ends that are compared.
    Weights(usize),
}

/// What a background thread came back with.
pub enum Finished {
    /// `None` when the user cancelled.
    Picked {
        purpose: Browse,
        path: Option<PathBuf>,
    },
    /// A file was looked at; `dropped` ones are opened, the others are only held over the window.
    Looked {
        path: PathBuf,
        found: Result<Brought, String>,
        dropped: bool,
    },
    Read {
        path: PathBuf,
        result: Result<Box<Opened>, String>,
        /// Recordings that were read beside it.
        others: usize,
        /// All of them, if each has a file.
        files: Vec<PathBuf>,
    },
    Filmed {
        path: PathBuf,
        result: Result<(), String>,
    },
    /// A figure for the clipboard.
    Drawn(Result<Pixels, String>),
    /// What was measured afterwards at a step of a recording.
    Measured {
        path: PathBuf,
        result: Result<Vec<Snapshot>, String>,
    },
    /// A figure, a table or a copy of a recording.
    Written {
        path: PathBuf,
        result: Result<(), String>,
    },
}

/// Starts threads and collects their results.
pub struct Background {
    sender: Sender<Finished>,
    results: Receiver<Finished>,
    wake: Wake,
}

impl Background {
    pub fn new(wake: Wake) -> Self {
        let (sender, results) = bounded(RESULTS);
        Self { sender, results, wake }
    }

    pub fn finished(&self) -> Option<Finished> {
        self.results.try_recv().ok()
    }

    fn spawn(
        &self,
        name: &str,
        work: impl FnOnce() -> Finished + Send + 'static,
        failed: impl FnOnce(String) -> Finished,
    ) {
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        let body = move || {
            // The window may be closed by now.
            let _ = sender.send(work());
            wake.ring();
        };
        if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(body) {
            let _ = self
                .sender
                .try_send(failed(format!("Can't start a thread for this: {error}; close programs and try again")));
        }
    }

    /// Opens the system's file dialog.
    /// It begins in `folder`, if there is one.
    pub fn browse(&self, purpose: Browse, folder: Option<&std::path::Path>) {
        // Made here and awaited there: some systems want dialogs to begin on the window's own thread.
        let dialog = rfd::AsyncFileDialog::new();
        let dialog = folder.map_or(dialog.clone(), |folder| dialog.set_directory(folder));
        let recordings = ["landscope", "sqlite", "db"];
        let picked: std::pin::Pin<Box<dyn Future<Output = Option<rfd::FileHandle>> + Send>> = match purpose {
            Browse::OpenRecording => Box::pin(dialog.add_filter("Recordings", &recordings).pick_file()),
            Browse::SaveAs => Box::pin(dialog.save_file()),
            Browse::Weights(_) => Box::pin(dialog.add_filter("Weights", &["safetensors"]).pick_file()),
            Browse::DataFile => Box::pin(dialog.pick_file()),
            Browse::DataFolder | Browse::SaveFolder => Box::pin(dialog.pick_folder()),
        };
        let work =
            move || Finished::Picked { purpose, path: pollster::block_on(picked).map(|file| file.path().to_owned()) };
        self.spawn("file dialog", work, |_| Finished::Picked { purpose, path: None });
    }

    /// Looks at what a file is; `spec` is what weights should fit.
    pub fn look(&self, path: PathBuf, spec: RunSpec, dropped: bool) {
        let place = path.clone();
        let work = move || Finished::Looked { found: bring::look(&path, &spec), path, dropped };
        self.spawn("look at file", work, move |message| Finished::Looked { path: place, found: Err(message), dropped });
    }

    /// Reads a recording, to hold at most `budget` bytes of it.
    pub fn read(&self, path: PathBuf, budget: usize) {
        self.read_all(None, vec![path.clone()], vec![path], budget);
    }

    /// Reads recordings whose tracks are shown beside one another, and beside those of `before`.
    /// `files` are all that is then shown.
    pub fn read_all(
        &self,
        before: Option<(PathBuf, Recording)>,
        paths: Vec<PathBuf>,
        files: Vec<PathBuf>,
        budget: usize,
    ) {
        let others = (paths.len() + usize::from(before.is_some())).saturating_sub(1);
        let first = before.as_ref().map(|(path, _)| path).or(paths.first()).cloned().unwrap_or_default();
        let place = first.clone();
        let work = move || {
            let result = comparison::read(before, &paths, budget).map(Box::new).map_err(|error| error.to_string());
            Finished::Read { path: first, result, others, files }
        };
        let failed = move |message| Finished::Read { path: place, result: Err(message), others, files: Vec::new() };
        self.spawn("read recording", work, failed);
    }

    /// Measures at a step of a recording and adds what it finds to its file.
    pub fn measure(&self, path: PathBuf, recording: &Recording, at: Fork) {
        let place = path.clone();
        let revisit = Revisit::new(&path, recording).map_err(|error| error.to_string());
        let work = move || {
            let found = revisit.and_then(|revisit| revisit.add(at, &|| false).map_err(|error| error.to_string()));
            Finished::Measured { path, result: found }
        };
        self.spawn("measure", work, |message| Finished::Measured { path: place, result: Err(message) });
    }

    /// Writes a recording that is shown, not run: what a damaged file still held is whole in the copy.
    pub fn save(&self, recording: Recording, path: PathBuf) {
        let place = path.clone();
        let work = move || {
            let result = file::save(&path, &recording).map_err(|error| error.to_string());
            Finished::Written { path, result }
        };
        self.spawn("save recording", work, |message| Finished::Written { path: place, result: Err(message) });
    }

    /// Writes a text: a state of the window.
    pub fn write_text(&self, text: String, path: PathBuf) {
        let place = path.clone();
        let work = move || {
            let result = crate::run::kept_file::write_text(&path, &text);
            Finished::Written { path, result }
        };
        self.spawn("save state", work, |message| Finished::Written { path: place, result: Err(message) });
    }

    /// Copies a recording of which memory holds a part.
    pub fn copy(&self, from: PathBuf, path: PathBuf) {
        let place = path.clone();
        let work = move || {
            let result = file::copy(&from, &path).map_err(|error| error.to_string());
            Finished::Written { path, result }
        };
        self.spawn("copy recording", work, |message| Finished::Written { path: place, result: Err(message) });
    }

    /// Draws `plots` into a file, and its caption into another beside it if there is one.
    pub fn export(
        &self,
        plots: Vec<Plot>,
        format: FileFormat,
        paper: Paper,
        caption_beside: Option<String>,
        path: PathBuf,
    ) {
        let place = path.clone();
        let work = move || {
            let written = figures::file::write(&plots, format, &paper, &path);
            let written = written.and_then(|()| {
                let caption = caption_beside.as_ref();
                caption.map_or(Ok(()), |caption| figures::file::write_caption(&path, caption).map(drop))
            });
            Finished::Written { path, result: written.map_err(|error| super::sentence(&error.to_string())) }
        };
        self.spawn("export", work, |message| Finished::Written { path: place, result: Err(message) });
    }

    /// Draws `plots` for the clipboard.
    pub fn draw(&self, plots: Vec<Plot>, paper: Paper) {
        let work = move || {
            Finished::Drawn(figures::pixels_on(&plots, &paper).map_err(|error| super::sentence(&error.to_string())))
        };
        self.spawn("draw", work, |message| Finished::Drawn(Err(message)));
    }

    /// Draws a film, on half of the processor's threads: the other half is the run's and the window's.
    pub fn film(&self, order: FilmOrder) {
        let path = order.target.path().to_owned();
        let place = path.clone();
        let wake = self.wake.clone();
        let threads = thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2));
        let work = move || Finished::Filmed { path, result: order.draw(threads, &|| wake.ring()) };
        self.spawn("film", work, |message| Finished::Filmed { path: place, result: Err(message) });
    }
}
