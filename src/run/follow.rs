//! A recording that another program writes, told as a run is told.

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError};

use crate::record::Header;
use crate::record::file::{Entry, Follower};

use super::keeper::Keeping;
use super::ledger::{self, Ledger};
use super::messages::{Command, Event, RunState};
use super::outbox::{Gone, Outbox};
use super::spec::RunSpec;

/// Between two looks at the file: half of what a writer may hold back.
const LOOK: Duration = Duration::from_millis(250);

/// Runs until it is told to quit or nobody listens.
pub fn work(follower: Follower, header: Header, commands: &Receiver<Command>, outbox: &Outbox) {
    // The listener is gone: that is the end, too.
    let _ = follow(follower, header, commands, outbox);
}

fn follow(mut follower: Follower, header: Header, commands: &Receiver<Command>, outbox: &Outbox) -> Result<(), Gone> {
    // A lab's header holds its knobs instead.
    let root = RunSpec::from_toml(&header.spec, "of the recording").unwrap_or_default();
    let mut ledger = Ledger::new(root.clone());
    outbox.send(Event::Started { header: Arc::new(header), spec: Box::new(root) })?;
    outbox.send(Event::State(RunState::Following))?;
    loop {
        for entry in follower.poll() {
            tell(entry, &mut ledger, outbox)?;
        }
        match commands.recv_timeout(LOOK) {
            Ok(Command::Quit) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(Command::Save(_)) => {
                let text = "Another program writes this recording: save it there, or copy the file";
                outbox.send(Event::SaveFailed(text.into()))?;
            }
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) if outbox.is_quitting() => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn tell(entry: Entry, ledger: &mut Ledger, outbox: &Outbox) -> Result<(), Gone> {
    outbox.send(match entry {
        Entry::Track(info) => {
            ledger.begin(&info);
            Event::Track(info)
        }
        Entry::Snapshot(snapshot) | Entry::Late(snapshot) => Event::Snapshot(Arc::new(snapshot)),
        Entry::Intervention(mark) => {
            ledger.note(mark.clone());
            let mut spec = ledger.spec_at(mark.track, mark.step).unwrap_or_default();
            // What can't be carried out is shown all the same.
            let _ = ledger::apply(&mut spec, &mark);
            Event::Intervention { mark, spec: Box::new(spec) }
        }
        Entry::Fingerprint(fingerprint) => Event::Fingerprint(fingerprint),
        Entry::Note(note) => Event::Note(note),
        Entry::Checkpoint(info) => Event::Checkpoint(Keeping::Found(info)),
        Entry::Outcome(track, outcome) => Event::Ended { track, outcome },
    })
}
