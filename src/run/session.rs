//! A worker thread, its channels, and its orderly end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::nn::autodiff::STACK_BYTES;
use crate::record::file::{FileError, Follower};

use super::bench::{self, Program, Values};
use super::course::Course;
use super::follow;
use super::live_run::Past;
use super::messages::{Command, Event};
use super::outbox::{Outbox, Wake};
use super::recorder::Recorder;
use super::spec::RunSpec;
use super::watch::{self, WatchOrder};
use super::worker::{Beginning, WorkerOptions, work};

/// Events that may wait for a listener that draws: some seconds of a fast run.
const EVENTS: usize = 8_192;
const COMMANDS: usize = 256;

/// What surrounds a run.
pub struct SessionOptions {
    /// Called after events were sent, from the worker's threads.
    pub wake: Wake,
    /// Where the recording is written as the run goes; none for no file.
    pub recording: Option<PathBuf>,
    pub worker: WorkerOptions,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { wake: Arc::new(|| {}), recording: None, worker: WorkerOptions { play: true, finest_slice: 65 } }
    }
}

/// A running worker. Dropping it tells the worker to end and waits for it.
pub struct Session {
    commands: Sender<Command>,
    events: Receiver<Event>,
    quit: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Session {
    /// Starts the worker on `spec`. What is wrong with the specification comes as [`Event::Failed`].
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(spec: RunSpec, options: SessionOptions) -> std::io::Result<Self> {
        Self::spawn(options, move |worker, commands, outbox| {
            work(Beginning::Spec(Box::new(spec)), worker, commands, outbox)
        })
    }

    /// Starts the worker on two specifications that are trained in turn, each a track.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start_twin(specs: [RunSpec; 2], options: SessionOptions) -> std::io::Result<Self> {
        Self::spawn(options, move |worker, commands, outbox| {
            work(Beginning::Twin(Box::new(specs)), worker, commands, outbox);
        })
    }

    /// Starts the worker on a run to which is done what was done before.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start_again(spec: RunSpec, course: Course, options: SessionOptions) -> std::io::Result<Self> {
        Self::spawn(options, move |worker, commands, outbox| {
            work(Beginning::Again(Box::new(spec), Box::new(course)), worker, commands, outbox);
        })
    }

    /// Goes on from a step of a recording, as a branch of it: what comes is added to the file, whatever the options say. The listener
    /// knows the recording.
    ///
    /// # Errors
    /// [`FileError`] if the file can't be written, such as while another program writes it.
    pub fn resume(past: Past, options: SessionOptions) -> Result<Self, FileError> {
        let path = past.path.clone();
        let channels = Channels::new();
        let recorder = Recorder::resume(&path, channels.told.clone(), options.wake.clone())?;
        let failed = |error: std::io::Error| FileError::Unwritable { path, reason: error.to_string() };
        channels
            .spawn(options, Some(recorder), move |worker, commands, outbox| {
                work(Beginning::Past(past), worker, commands, outbox);
            })
            .map_err(failed)
    }

    /// Follows a recording that another program writes: its readings come as events, commands other than to quit have no effect.
    ///
    /// # Errors
    /// [`FileError`] if the file isn't a recording.
    pub fn follow(path: &Path, wake: Wake) -> Result<Self, FileError> {
        let (follower, header) = Follower::open(path)?;
        let failed = |error: std::io::Error| FileError::Unreadable { path: path.into(), source: error };
        let options = SessionOptions { wake, recording: None, ..SessionOptions::default() };
        let body = |_: &WorkerOptions, commands: &Receiver<Command>, outbox: &Outbox| {
            follow::work(follower, header, commands, outbox);
        };
        Self::spawn(options, body).map_err(failed)
    }

    /// Starts the worker on a lab with these knobs.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start_lab(program: Box<dyn Program>, values: Values, options: SessionOptions) -> std::io::Result<Self> {
        Self::spawn(options, move |worker, commands, outbox| {
            bench::work(&*program, values, worker.play, commands, outbox);
        })
    }

    /// Starts the worker on a folder that another program trains into.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start_watch(order: WatchOrder, options: SessionOptions) -> std::io::Result<Self> {
        Self::spawn(options, move |worker, commands, outbox| watch::work(&order, worker, commands, outbox))
    }

    fn spawn(
        options: SessionOptions,
        body: impl FnOnce(&WorkerOptions, &Receiver<Command>, &Outbox) + Send + 'static,
    ) -> std::io::Result<Self> {
        let channels = Channels::new();
        let recorder = match &options.recording {
            Some(path) => Some(Recorder::start(path.clone(), channels.told.clone(), options.wake.clone())?),
            None => None,
        };
        channels.spawn(options, recorder, body)
    }

    pub fn commands(&self) -> &Sender<Command> {
        &self.commands
    }

    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }
}

/// Both ends of both channels, before there is a thread.
struct Channels {
    commands: Sender<Command>,
    received: Receiver<Command>,
    told: Sender<Event>,
    events: Receiver<Event>,
}

impl Channels {
    fn new() -> Self {
        let (commands, received) = bounded(COMMANDS);
        let (told, events) = bounded(EVENTS);
        Self { commands, received, told, events }
    }

    fn spawn(
        self,
        options: SessionOptions,
        recorder: Option<Recorder>,
        body: impl FnOnce(&WorkerOptions, &Receiver<Command>, &Outbox) + Send + 'static,
    ) -> std::io::Result<Session> {
        let Self { commands, received, told, events } = self;
        let quit = Arc::new(AtomicBool::new(false));
        let SessionOptions { wake, worker, .. } = options;
        let outbox = Outbox::new(told, recorder, wake, quit.clone());
        let body = move || body(&worker, &received, &outbox);
        let thread = std::thread::Builder::new().name("worker".into()).stack_size(STACK_BYTES).spawn(body)?;
        Ok(Session { commands, events, quit, worker: Some(thread) })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The flag reaches a worker that waits for room in the events' channel, too.
        let _ = self.commands.try_send(Command::Quit);
        self.quit.store(true, Ordering::Release);
        if let Some(worker) = self.worker.take() {
            while !worker.is_finished() {
                // Room for the last words.
                while self.events.try_recv().is_ok() {}
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            let _ = worker.join();
        }
    }
}
