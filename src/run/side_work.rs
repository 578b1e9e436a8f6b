//! Work beside the run, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::nn::autodiff::STACK_BYTES;

use super::outbox::Wake;
use super::worker::{start_helpers, yield_to_the_window};

/// A thread that tells events and ends with a last one. Dropping it stops the work at its next question and waits for that.
pub(super) struct SideWork<E> {
    events: Receiver<E>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the work on the thread speaks through.
pub(super) struct Teller<E> {
    told: Sender<E>,
    stopped: Arc<AtomicBool>,
    wake: Wake,
}

impl<E> Teller<E> {
    /// Tells progress, which a busy listener may miss; false when the work is to stop.
    pub fn go_on(&self, progress: E) -> bool {
        if self.told.try_send(progress).is_ok() {
            (self.wake)();
        }
        !self.stopped.load(Ordering::Acquire)
    }
}

impl<E: Send + 'static> SideWork<E> {
    /// Starts `work`, whose answer is the last event; none if it was stopped. `wake` is called after events were sent.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(
        name: &str,
        wake: Wake,
        work: impl FnOnce(&Teller<E>) -> Option<E> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (told, events) = bounded(64);
        let stop = Arc::new(AtomicBool::new(false));
        let teller = Teller { told, stopped: stop.clone(), wake };
        let body = move || {
            yield_to_the_window();
            start_helpers();
            let last = work(&teller);
            let Teller { told, wake, .. } = teller;
            if let Some(last) = last {
                // Waits for room; an error says that nobody listens any more.
                let _ = told.send(last);
            }
            drop(told);
            wake();
        };
        let thread = std::thread::Builder::new().name(name.into()).stack_size(STACK_BYTES).spawn(body)?;
        Ok(Self { events, stop, thread: Some(thread) })
    }
}

impl<E> SideWork<E> {
    /// Ends the work at its next question, without waiting: the channel then closes without a last word.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub fn events(&self) -> &Receiver<E> {
        &self.events
    }
}

impl<E> Drop for SideWork<E> {
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
