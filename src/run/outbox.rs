//! What the worker tells, and to whom: the listener and the recording file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::{SendTimeoutError, Sender, TrySendError};

use crate::record::{Reading, SeriesId, Snapshot, TrackId};

use super::messages::Event;
use super::recorder::{Order, Recorder};

/// Called after events were sent; the listener coalesces.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The worker's end of the channels.
pub struct Outbox {
    events: Sender<Event>,
    recorder: Option<Recorder>,
    wake: Wake,
    quit: Arc<AtomicBool>,
}

/// Nobody listens any more.
#[derive(Debug)]
pub struct Gone;

impl Outbox {
    pub fn new(events: Sender<Event>, recorder: Option<Recorder>, wake: Wake, quit: Arc<AtomicBool>) -> Self {
        Self { events, recorder, wake, quit }
    }

    pub fn is_quitting(&self) -> bool {
        self.quit.load(Ordering::Acquire)
    }

    /// Records what is to be recorded, then tells the listener. Waits while the listener is behind: a stalled
    /// window slows the run, it never thins a recording out.
    pub fn send(&self, event: Event) -> Result<(), Gone> {
        if let (Some(recorder), Some(order)) = (&self.recorder, Order::for_event(&event)) {
            recorder.send(order);
        }
        let mut event = event;
        loop {
            match self.events.send_timeout(event, Duration::from_millis(20)) {
                Ok(()) => {
                    (self.wake)();
                    return Ok(());
                }
                Err(SendTimeoutError::Disconnected(_)) => return Err(Gone),
                Err(SendTimeoutError::Timeout(_)) if self.is_quitting() => return Err(Gone),
                Err(SendTimeoutError::Timeout(back)) => event = back,
            }
        }
    }

    pub fn snapshot(&self, track: TrackId, step: u64, readings: Vec<(SeriesId, Reading)>) -> Result<(), Gone> {
        self.send(Event::Snapshot(Arc::new(Snapshot { track, step, readings })))
    }

    /// A picture may be lost: never wait for it.
    pub fn picture(&self, track: TrackId, step: u64, readings: Vec<(SeriesId, Reading)>) -> Result<(), Gone> {
        let picture = Event::Picture(Arc::new(Snapshot { track, step, readings }));
        match self.events.try_send(picture) {
            Ok(()) => (self.wake)(),
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return Err(Gone),
        }
        Ok(())
    }

    /// Copies the recording file so far to `path`; the answer comes as an event.
    pub fn save(&self, path: std::path::PathBuf) -> Result<(), Gone> {
        match &self.recorder {
            Some(recorder) => {
                recorder.send(Order::SaveCopy(path));
                Ok(())
            }
            None => self.send(Event::SaveFailed("This run isn't being recorded, so there is nothing to save".into())),
        }
    }
}
