//! A check on a thread of its own.

use crossbeam::channel::Receiver;

use crate::record::CoordCheck;
use crate::run::outbox::Wake;
use crate::run::side_work::{SideWork, Teller};
use crate::run::spec::RunSpec;

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
pub struct CoordCheckSession(SideWork<CoordCheckEvent>);

impl CoordCheckSession {
    /// Starts the check. `wake` is called after events were sent.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(spec: RunSpec, options: CoordCheckOptions, wake: Wake) -> std::io::Result<Self> {
        let work = move |teller: &Teller<CoordCheckEvent>| {
            let mut go_on = |progress| teller.go_on(CoordCheckEvent::Progress(progress));
            match coord_check(&spec, &options, &mut go_on) {
                Ok(check) => check.map(|check| CoordCheckEvent::Done(Box::new(check))),
                Err(error) => Some(CoordCheckEvent::Failed(error.to_string())),
            }
        };
        SideWork::start("coord check", wake, work).map(Self)
    }

    /// Ends the check before its next update, without waiting: the channel then closes without a last word.
    pub fn stop(&self) {
        self.0.stop();
    }

    pub fn events(&self) -> &Receiver<CoordCheckEvent> {
        self.0.events()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
