//! A comparison on a thread of its own.

use crossbeam::channel::Receiver;

use crate::nn::autodiff;
use crate::record::Connectivity;
use crate::run::outbox::Wake;
use crate::run::side_work::{SideWork, Teller};
use crate::run::trainer::TrainError;

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
pub struct ConnectivitySession(SideWork<ConnectivityEvent>);

impl ConnectivitySession {
    /// Starts comparing what `prepare` reads and builds, on the thread. `wake` is called after events were sent.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(
        prepare: impl FnOnce() -> Result<Order, TrainError> + Send + 'static,
        wake: Wake,
    ) -> std::io::Result<Self> {
        let work = move |teller: &Teller<ConnectivityEvent>| {
            let mut go_on =
                |progress: &ConnectivityProgress| teller.go_on(ConnectivityEvent::Progress(progress.clone()));
            let found = autodiff::self_test()
                .map_err(|error| TrainError::Spec(error.to_string()))
                .and_then(|_| connect(&prepare()?, &mut go_on));
            match found {
                Ok(found) => found.map(|found| ConnectivityEvent::Done(Box::new(found))),
                Err(error) => Some(ConnectivityEvent::Failed(error.to_string())),
            }
        };
        SideWork::start("connectivity", wake, work).map(Self)
    }

    /// Ends it before its next piece, without waiting: the channel then closes without a last word.
    pub fn stop(&self) {
        self.0.stop();
    }

    pub fn events(&self) -> &Receiver<ConnectivityEvent> {
        self.0.events()
    }
}
