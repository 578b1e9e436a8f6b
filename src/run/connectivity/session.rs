//! A comparison on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, bounded};

use crate::nn::autodiff::{self, STACK_BYTES};
use crate::record::Connectivity;
use crate::run::outbox::Wake;
use crate::run::trainer::TrainError;
use crate::run::worker::{start_helpers, yield_to_the_window};

use super::{Order, connect};

/// How far a comparison has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectivityProgress {
    /// Pieces done, of about `of`.
    pub done: usize,
    pub of: usize,
    /// Such as `straight line, weights matched`.
    pub what: String,
}

/// What the thread tells. The last word is `Done` or `Failed`, if the session lives to hear it.
#[derive(Debug)]
pub enum ConnectivityEvent {
    /// Newer progress replaces older; some may be left out.
    Progress(ConnectivityProgress),
    Done(Box<Connectivity>),
    Failed(String),
}

/// A running comparison. Dropping it stops it before its next piece and waits for that.
pub struct ConnectivitySession {
    events: Receiver<ConnectivityEvent>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ConnectivitySession {
    /// Starts comparing what `prepare` reads and builds, on the thread. `wake` is called after events were sent.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(
        prepare: impl FnOnce() -> Result<Order, TrainError> + Send + 'static,
        wake: Wake,
    ) -> std::io::Result<Self> {
        let (told, events) = bounded(64);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let body = move || {
            yield_to_the_window();
            start_helpers();
            let mut go_on = |progress: &ConnectivityProgress| {
                // A listener that is busy misses some.
                if told.try_send(ConnectivityEvent::Progress(progress.clone())).is_ok() {
                    wake();
                }
                !stopped.load(Ordering::Acquire)
            };
            let found = autodiff::self_test()
                .map_err(|error| TrainError::Spec(error.to_string()))
                .and_then(|_| connect(&prepare()?, &mut go_on));
            let last = match found {
                Ok(Some(found)) => ConnectivityEvent::Done(Box::new(found)),
                Ok(None) => {
                    drop(told);
                    wake();
                    return;
                }
                Err(error) => ConnectivityEvent::Failed(error.to_string()),
            };
            // Waits for room; an error says that nobody listens any more.
            let _ = told.send(last);
            wake();
        };
        let thread = std::thread::Builder::new().name("connectivity".into()).stack_size(STACK_BYTES).spawn(body)?;
        Ok(Self { events, stop, thread: Some(thread) })
    }

    /// Ends it before its next piece, without waiting: the channel then closes without a last word.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub fn events(&self) -> &Receiver<ConnectivityEvent> {
        &self.events
    }
}

impl Drop for ConnectivitySession {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            while !thread.is_finished() {
                // Room for the last word.
                while self.events.try_recv().is_ok() {}
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            let _ = thread.join();
        }
    }
}
