//! A check on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, bounded};

use crate::nn::autodiff::STACK_BYTES;
use crate::record::CoordCheck;
use crate::run::outbox::Wake;
use crate::run::spec::RunSpec;
use crate::run::worker::{start_helpers, yield_to_the_window};

use super::{CoordCheckOptions, CoordCheckProgress, coord_check};

/// What the thread tells. The last word is `Done` or `Failed`, if the session lives to hear it.
#[derive(Debug)]
pub enum CoordCheckEvent {
    /// Newer progress replaces older; some may be left out.
    Progress(CoordCheckProgress),
    Done(Box<CoordCheck>),
    Failed(String),
}

/// A running check. Dropping it stops the check before its next update and waits for that.
pub struct CoordCheckSession {
    events: Receiver<CoordCheckEvent>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl CoordCheckSession {
    /// Starts the check. `wake` is called after events were sent.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(spec: RunSpec, options: CoordCheckOptions, wake: Wake) -> std::io::Result<Self> {
        let (told, events) = bounded(64);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let body = move || {
            yield_to_the_window();
            start_helpers();
            let mut go_on = |progress| {
                // A listener that is busy misses some.
                if told.try_send(CoordCheckEvent::Progress(progress)).is_ok() {
                    wake();
                }
                !stopped.load(Ordering::Acquire)
            };
            let last = match coord_check(&spec, &options, &mut go_on) {
                Ok(Some(check)) => CoordCheckEvent::Done(Box::new(check)),
                Ok(None) => {
                    drop(told);
                    wake();
                    return;
                }
                Err(error) => CoordCheckEvent::Failed(error.to_string()),
            };
            // Waits for room; an error says that nobody listens any more.
            let _ = told.send(last);
            wake();
        };
        let thread = std::thread::Builder::new().name("coord check".into()).stack_size(STACK_BYTES).spawn(body)?;
        Ok(Self { events, stop, thread: Some(thread) })
    }

    /// Ends the check before its next update, without waiting: the channel then closes without a last word.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub fn events(&self) -> &Receiver<CoordCheckEvent> {
        &self.events
    }
}

impl Drop for CoordCheckSession {
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

#[cfg(test)]
mod tests {
    use crate::nn::spec::ModelKind;

    use super::*;

    fn spec() -> RunSpec {
        let mut spec = RunSpec::default();
        spec.model.kind = ModelKind::Mlp;
        spec.task.train_size = 64;
        spec
    }

    #[test]
    fn a_check_on_its_thread_finds_what_one_on_ours_does() {
        let options = CoordCheckOptions { widths: vec![4, 8, 16], seeds: 1, steps: 2, examples: 8 };
        let known = coord_check(&spec(), &options, &mut |_| true).unwrap().unwrap();
        let session = CoordCheckSession::start(spec(), options, Arc::new(|| {})).unwrap();
        let found = session.events().iter().find_map(|event| match event {
            CoordCheckEvent::Done(check) => Some(*check),
            CoordCheckEvent::Progress(_) => None,
            CoordCheckEvent::Failed(message) => panic!("{message}"),
        });
        assert_eq!(found.unwrap(), known);
    }

    #[test]
    fn dropping_it_ends_it_and_what_is_wrong_is_said() {
        let options = CoordCheckOptions { steps: 10_000, ..CoordCheckOptions::default() };
        let long = CoordCheckSession::start(spec(), options, Arc::new(|| {})).unwrap();
        assert!(matches!(long.events().recv(), Ok(CoordCheckEvent::Progress(_))));
        drop(long);

        let options = CoordCheckOptions { widths: vec![8], ..CoordCheckOptions::default() };
        let wrong = CoordCheckSession::start(spec(), options, Arc::new(|| {})).unwrap();
        let Ok(CoordCheckEvent::Failed(message)) = wrong.events().recv() else { panic!("expected a failure") };
        assert!(message.contains("widths"), "{message}");
    }
}
