//! The thread that watches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Select};

use crate::nn::autodiff;
use crate::record::{Note, Outcome, TrackId};
use crate::run::live_run::Stop;
use crate::run::messages::{Command, Event, RunState};
use crate::run::outbox::{Gone, Outbox};
use crate::run::spec::RunSpec;
use crate::run::trainer::TrainError;
use crate::run::worker::{self, Next, WorkerOptions, guarded, start_helpers, wait_for_restart, yield_to_the_window};

use super::beginning::{Beginning, Obstacle};
use super::watching::Watching;
use super::{MODEL, WatchOrder};

/// Time between two looks at the folder.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Watches until it is told to quit or nobody listens; a restart watches anew.
pub fn work(order: &WatchOrder, options: &WorkerOptions, commands: &Receiver<Command>, outbox: &Outbox) {
    yield_to_the_window();
    start_helpers();
    loop {
        let next = match guarded(|| follow(order, options, commands, outbox)) {
            Ok(next) => next,
            Err(Stop::Gone(_)) => Next::Quit,
            Err(Stop::Error(error)) => wait_for_restart(error.to_string(), commands, outbox),
        };
        if let Next::Quit = next {
            return;
        }
    }
}

fn follow(
    order: &WatchOrder,
    options: &WorkerOptions,
    commands: &Receiver<Command>,
    outbox: &Outbox,
) -> Result<Next, Stop> {
    outbox.send(Event::State(RunState::Preparing))?;
    // Once a thread: without it, second derivatives are silently wrong.
    autodiff::self_test().map_err(|error| Stop::Error(TrainError::Spec(error.to_string())))?;
    let beginning = match wait_for_model(order, commands, outbox)? {
        Ok(beginning) => beginning,
        Err(next) => return Ok(next),
    };
    let mut watching = Watching::begin(order, beginning, options.finest_slice, outbox)?;
    outbox.send(Event::State(RunState::Watching))?;
    let interrupted = || !commands.is_empty() || outbox.is_quitting();
    let mut next_look = Instant::now();
    let mut over = false;
    loop {
        if outbox.is_quitting() {
            return Ok(Next::Quit);
        }
        while let Ok(command) = commands.try_recv() {
            if let Some(next) = obey(command, &mut watching, over, outbox)? {
                return Ok(next);
            }
        }
        if !over && Instant::now() >= next_look {
            watching.look(&|| !outbox.is_quitting(), outbox)?;
            next_look = Instant::now() + LOOK_EVERY;
        }
        if watching.has_work() {
            watching.measure(&interrupted, outbox)?;
        } else if !over && watching.is_over(order.once) {
            over = true;
            if order.once && watching.checkpoints_taken() == 0 {
                let text =
                    format!("{:?} has no checkpoint that can be measured (step-000123.safetensors)", order.folder);
                outbox.send(Event::Remark(text))?;
            }
            outbox.send(Event::Ended { track: TrackId(0), outcome: Outcome::Finished })?;
            outbox.send(Event::State(RunState::Finished))?;
            outbox.send(Event::AtRest { step: watching.newest_step() })?;
        } else {
            rest(commands, outbox)?;
        }
    }
}

/// What a command asks for; none goes on as before.
fn obey(command: Command, watching: &mut Watching, over: bool, outbox: &Outbox) -> Result<Option<Next>, Stop> {
    match command {
        Command::Quit => {
            if !over {
                outbox.send(Event::Ended { track: TrackId(0), outcome: Outcome::Stopped })?;
            }
            return Ok(Some(Next::Quit));
        }
        Command::Restart(spec) => return Ok(Some(again(*spec))),
        Command::SetKnob { id, value } => watching.set_knob(id, &value, outbox)?,
        Command::Save(path) => outbox.save(path)?,
        Command::SaveWeights(path) => watching.save_weights(&path, outbox)?,
        Command::Checkpoints => outbox.send(Event::Checkpoints(Arc::new(watching.checkpoints()?)))?,
        Command::Note { step, text } => outbox.send(Event::Note(Note { track: TrackId(0), step, text }))?,
        // The training is somebody else's: it can't be held, stepped or sent back from here.
        Command::Play
        | Command::Pause
        | Command::Step
        | Command::SpeedLimit(_)
        | Command::Fork(_)
        | Command::Twin(_)
        | Command::Repeat { .. }
        | Command::RestoreLastGood { .. }
        | Command::RestartLab(_) => {}
    }
    Ok(None)
}

/// Sleeps until there is a command, without taking it, or until it is time to look again.
fn rest(commands: &Receiver<Command>, outbox: &Outbox) -> Result<(), Stop> {
    let mut select = Select::new();
    select.recv(commands);
    // `ready` answers at once when every sender is gone: that is the end.
    let is_ready = select.ready_timeout(LOOK_EVERY).is_ok();
    if outbox.is_quitting() || (is_ready && commands.is_empty()) { Err(Stop::Gone(Gone)) } else { Ok(()) }
}

/// The folder once more, whatever the specification says: it comes from the folder.
fn again(spec: RunSpec) -> Next {
    Next::Begin(Box::new(worker::Beginning::Spec(Box::new(spec))))
}

/// Waits until there is a model and data, or a command ends the wait.
fn wait_for_model(
    order: &WatchOrder,
    commands: &Receiver<Command>,
    outbox: &Outbox,
) -> Result<Result<Beginning, Next>, Stop> {
    let mut said = String::new();
    loop {
        match Beginning::read(order) {
            Ok(beginning) => return Ok(Ok(beginning)),
            Err(Obstacle::Wrong(error)) => return Err(Stop::Error(error)),
            Err(Obstacle::Missing(what)) if order.once => {
                let advice = format!("{what}; docs/WATCH.md says what a folder that is watched needs");
                return Err(Stop::Error(TrainError::Spec(advice)));
            }
            Err(Obstacle::Missing(what)) if what != said => {
                outbox.send(Event::Remark(format!("{what}: waiting for it ({MODEL} and the examples come first)")))?;
                said = what;
            }
            Err(Obstacle::Missing(_)) => {}
        }
        if outbox.is_quitting() {
            return Ok(Err(Next::Quit));
        }
        rest(commands, outbox)?;
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Quit => return Ok(Err(Next::Quit)),
                Command::Restart(spec) => return Ok(Err(again(*spec))),
                _ => {}
            }
        }
    }
}
