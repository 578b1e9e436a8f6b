//! The worker thread of a lab.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam::channel::Receiver;

use crate::nn::autodiff;
use crate::record::{Outcome, TrackId};
use crate::run::messages::{Command, Event, Progress, RunState};
use crate::run::outbox::{Gone, Outbox};
use crate::run::worker::{self, start_helpers, words, yield_to_the_window};

use super::{Bench, Halt, Program, Values};

/// Runs the protocol, again and again as knobs are turned, until it is told to quit or nobody listens.
pub fn work(program: &dyn Program, values: Values, play: bool, commands: &Receiver<Command>, outbox: &Outbox) {
    yield_to_the_window();
    start_helpers();
    let mut values = values;
    let mut state = if play { RunState::Running } else { RunState::Paused };
    while let Ok(Some(next)) = once(program, values, &mut state, commands, outbox) {
        values = next;
    }
}

/// One run of the protocol and the rest after it; with the knobs of the next, or none at the end.
fn once(
    program: &dyn Program,
    values: Values,
    state: &mut RunState,
    commands: &Receiver<Command>,
    outbox: &Outbox,
) -> Result<Option<Values>, Gone> {
    let header = Arc::new(program.header(&values));
    outbox.send(Event::LabStarted { header, values: Box::new(values.clone()) })?;
    outbox.send(Event::State(*state))?;
    let mut bench = Bench::new(values, *state, commands, outbox);
    let ended = program.check(&bench.values).map_err(Halt::Error).and_then(|()| guarded(program, &mut bench));
    let (now, outcome) = match ended {
        Ok(()) => (RunState::Finished, Outcome::Finished),
        Err(Halt::Restart(values)) => {
            // What was paused stays paused.
            *state = bench.state;
            return Ok(Some(*values));
        }
        Err(Halt::Quit) => {
            // The last word of a run that was stopped; the listener may be gone.
            let _ = outbox.send(Event::Ended { track: TrackId::default(), outcome: Outcome::Stopped });
            return Ok(None);
        }
        Err(Halt::Error(message)) => (RunState::Failed, Outcome::Failed(message)),
    };
    if now == RunState::Finished {
        outbox.send(Event::Progress(Progress { share: 1.0, left: Some(0.0) }))?;
    }
    outbox.send(Event::Ended { track: TrackId::default(), outcome: outcome.clone() })?;
    if let Outcome::Failed(message) = outcome {
        outbox.send(Event::Failed(message))?;
    }
    outbox.send(Event::State(now))?;
    outbox.send(Event::AtRest { step: bench.rounds })?;
    *state = RunState::Running;
    rest(bench)
}

fn guarded(program: &dyn Program, bench: &mut Bench<'_>) -> Result<(), Halt> {
    // Once a thread: without it, second derivatives are silently wrong.
    autodiff::self_test().map_err(|error| Halt::Error(error.to_string()))?;
    catch_unwind(AssertUnwindSafe(|| program.protocol(bench))).unwrap_or_else(|panic| {
        let what = words(&*panic);
        Err(Halt::Error(format!("the lab hit a bug: {what}; what was recorded is safe, restart to go on")))
    })
}

/// After the end: a knob that is turned begins anew.
fn rest(mut bench: Bench<'_>) -> Result<Option<Values>, Gone> {
    loop {
        let before = bench.values.clone();
        match bench.obey().and_then(|()| bench.turn_knobs()) {
            Ok(()) if bench.values != before => return Ok(Some(bench.values)),
            Ok(()) => worker::wait(bench.commands, bench.outbox)?,
            Err(Halt::Restart(values)) => return Ok(Some(*values)),
            Err(Halt::Quit | Halt::Error(_)) => return Ok(None),
        }
    }
}
