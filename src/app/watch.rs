//! A training of another program in front.

use std::path::Path;
use std::sync::Arc;

use crate::run::session::{Session, SessionOptions};
use crate::run::watch::WatchOrder;

use super::live::Live;
use super::state::Window;
use super::toasts::Notice;

impl Window {
    /// Watches a folder that another program trains into, in the place of the run before.
    pub fn watch_training(&mut self, folder: &Path) {
        let ring = self.wake.clone();
        // As a run of this program is: what was measured outlasts the other program's checkpoints.
        let recording = self.new_recording.and_then(|name| name());
        let file = recording.clone();
        let options = SessionOptions { wake: Arc::new(move || ring.ring()), recording, ..SessionOptions::default() };
        let order = WatchOrder { folder: folder.to_owned(), ..WatchOrder::default() };
        match Session::start_watch(order, options) {
            Ok(session) => {
                self.take_over(session);
                self.followed = None;
                self.live = Live::default();
                (self.maximised, self.dialog) = (None, None);
                self.recorded_in(file.as_deref());
                self.changed_as_a_whole();
            }
            Err(error) => {
                self.toasts.push(Notice::problem(format!("Can't watch: {error}; close other programs and try again")));
            }
        }
    }
}
