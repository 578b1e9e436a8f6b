//! The thread that trains and measures, and obeys.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};

use crate::nn::autodiff;
use crate::record::{Outcome, TrackId};

use super::course::Course;
use super::live_run::{LiveRun, Past, Stop};
use super::lockstep::Lockstep;
use super::messages::{Command, Event, RunState};
use super::outbox::{Gone, Outbox};
use super::spec::RunSpec;
use super::trainer::TrainError;

/// How a run behaves beyond its specification.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Whether to train at once.
    pub play: bool,
    /// Points a side of a slice while training rests.
    pub finest_slice: usize,
}

/// Why a run's loop was left.
pub(super) enum Next {
    Begin(Box<Beginning>),
    Quit,
}

/// Longest time between two looks at the commands while resting.
pub(super) const REST: Duration = Duration::from_millis(200);

/// What a worker begins with.
pub enum Beginning {
    Spec(Box<RunSpec>),
    /// Two that are trained in turn.
    Twin(Box<[RunSpec; 2]>),
    /// One or two, to which is done what was done before.
    Again(Box<RunSpec>, Box<Course>),
    /// A step of a recording.
    Past(Past),
}

/// The worker's main function: runs until it is told to quit or nobody listens.
pub fn work(beginning: Beginning, options: &WorkerOptions, commands: &Receiver<Command>, outbox: &Outbox) {
    yield_to_the_window();
    start_helpers();
    let mut next = Next::Begin(Box::new(beginning));
    let mut play = options.play;
    while let Next::Begin(beginning) = next {
        next = match guarded(|| run(*beginning, &mut play, options, commands, outbox)) {
            Ok(next) => next,
            Err(Stop::Gone(_)) => Next::Quit,
            Err(Stop::Error(error)) => wait_for_restart(error.to_string(), commands, outbox),
        };
    }
}

/// Turns a panic into an error in words: a bug in one run must not take the window or the recording with it.
pub(super) fn guarded<T>(body: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(Stop::Error(TrainError::Bug(words(&*panic)))))
}

fn run(
    beginning: Beginning,
    play: &mut bool,
    options: &WorkerOptions,
    commands: &Receiver<Command>,
    outbox: &Outbox,
) -> Result<Next, Stop> {
    outbox.send(Event::State(RunState::Preparing))?;
    // Once a thread: without it, second derivatives are silently wrong.
    autodiff::self_test().map_err(|error| Stop::Error(TrainError::Spec(error.to_string())))?;
    let mut run = match beginning {
        Beginning::Spec(spec) => Lockstep::of(LiveRun::begin(*spec, options.finest_slice, outbox)?),
        Beginning::Twin(specs) => Lockstep::twin(*specs, options.finest_slice, outbox)?,
        Beginning::Again(spec, course) => Lockstep::again(*spec, *course, options.finest_slice, outbox)?,
        Beginning::Past(past) => Lockstep::of(LiveRun::resume(past, options.finest_slice, outbox)?),
    };
    let mut state = if *play { RunState::Running } else { RunState::Paused };
    outbox.send(Event::State(state))?;
    let mut told_at_rest = None;
    let interrupted = || !commands.is_empty() || outbox.is_quitting();
    loop {
        if outbox.is_quitting() {
            return Ok(Next::Quit);
        }
        let mut single_step = false;
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Quit => {
                    if !matches!(state, RunState::Finished | RunState::Diverged) {
                        run.stop(outbox)?;
                    }
                    return Ok(Next::Quit);
                }
                Command::Restart(spec) => {
                    *play = state != RunState::Paused;
                    return Ok(Next::Begin(Box::new(Beginning::Spec(spec))));
                }
                Command::Twin(specs) => {
                    *play = state != RunState::Paused;
                    return Ok(Next::Begin(Box::new(Beginning::Twin(specs))));
                }
                Command::Repeat { spec, course } => {
                    *play = state != RunState::Paused;
                    return Ok(Next::Begin(Box::new(Beginning::Again(spec, course))));
                }
                Command::Play if state != RunState::Diverged => {
                    run.go_on();
                    state = change(state, RunState::Running, outbox)?;
                }
                Command::Pause if state == RunState::Running => {
                    run.pause(outbox)?;
                    state = change(state, RunState::Paused, outbox)?;
                }
                Command::Step if state != RunState::Diverged => {
                    single_step = true;
                    state = change(state, RunState::Paused, outbox)?;
                }
                Command::Play | Command::Pause | Command::Step => {}
                Command::SetKnob { id, value } => run.set_knob(id, &value, outbox)?,
                Command::SpeedLimit(limit) => run.limit_speed(limit),
                Command::RestoreLastGood { lr_factor } if state == RunState::Diverged => {
                    if let Some(run) = run.alone(outbox)? {
                        run.restore_last_good(lr_factor, outbox)?;
                        state = change(state, RunState::Running, outbox)?;
                    }
                }
                Command::RestoreLastGood { .. } | Command::RestartLab(_) => {}
                Command::Fork(fork) => {
                    if let Some(run) = run.alone(outbox)? {
                        change(state, RunState::Preparing, outbox)?;
                        run.fork(fork, outbox)?;
                        state = change(RunState::Preparing, RunState::Paused, outbox)?;
                    }
                }
                Command::Note { step, text } => run.note(step, text, outbox)?,
                Command::Save(path) => outbox.save(path)?,
                Command::Checkpoints => outbox.send(Event::Checkpoints(Arc::new(run.checkpoints()?)))?,
                Command::SaveWeights(path) => run.save_weights(path, outbox)?,
            }
        }
        if state == RunState::Running || single_step {
            told_at_rest = None;
            while run.follow_course(None, outbox)? {
                // A branch ends what was said of the track before it.
                outbox.send(Event::State(state))?;
            }
            if let Some(ended) = run.work(single_step, &interrupted, outbox)? {
                if run.follow_course(Some(ended), outbox)? {
                    outbox.send(Event::State(state))?;
                } else {
                    state = change(state, ended, outbox)?;
                }
            } else if single_step {
                run.rest(outbox)?;
            }
        } else if state == RunState::Diverged || !run.measure_at_rest(&interrupted, outbox)? {
            // Nothing to do (and numbers that aren't finite aren't worth measuring): sleep until a command comes.
            if told_at_rest != Some(run.step()) {
                told_at_rest = Some(run.step());
                outbox.send(Event::AtRest { step: run.step() })?;
            }
            wait(commands, outbox)?;
        }
    }
}

fn change(from: RunState, to: RunState, outbox: &Outbox) -> Result<RunState, Gone> {
    if from != to {
        outbox.send(Event::State(to))?;
    }
    Ok(to)
}

/// Sleeps until there is a command, without taking it.
pub(super) fn wait(commands: &Receiver<Command>, outbox: &Outbox) -> Result<(), Gone> {
    let mut select = crossbeam::channel::Select::new();
    select.recv(commands);
    let started = Instant::now();
    // `ready` answers at once when every sender is gone: that is the end.
    while select.ready_timeout(REST).is_err() {
        if outbox.is_quitting() {
            return Err(Gone);
        }
    }
    if commands.is_empty() && started.elapsed() < REST { Err(Gone) } else { Ok(()) }
}

pub(super) fn wait_for_restart(message: String, commands: &Receiver<Command>, outbox: &Outbox) -> Next {
    let told = outbox
        .send(Event::Ended { track: TrackId::default(), outcome: Outcome::Failed(message.clone()) })
        .and_then(|()| outbox.send(Event::Failed(message)))
        .and_then(|()| outbox.send(Event::State(RunState::Failed)));
    if told.is_err() {
        return Next::Quit;
    }
    loop {
        match commands.recv_timeout(REST) {
            Ok(Command::Restart(spec)) => return Next::Begin(Box::new(Beginning::Spec(spec))),
            Ok(Command::Twin(specs)) => return Next::Begin(Box::new(Beginning::Twin(specs))),
            Ok(Command::Repeat { spec, course }) => return Next::Begin(Box::new(Beginning::Again(spec, course))),
            Ok(Command::Save(path)) => {
                if outbox.save(path).is_err() {
                    return Next::Quit;
                }
            }
            Ok(Command::SaveWeights(_)) => {
                let reason = "The run has failed, so there are no weights to save: restart it";
                if outbox.send(Event::SaveFailed(reason.into())).is_err() {
                    return Next::Quit;
                }
            }
            Ok(Command::Quit) | Err(RecvTimeoutError::Disconnected) => return Next::Quit,
            Err(RecvTimeoutError::Timeout) if outbox.is_quitting() => return Next::Quit,
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// What a panic said.
pub(super) fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

/// The threads that share batches and slices, started here so that they inherit the priority. A pool that exists
/// already (several sessions in one process) serves as it is.
pub(super) fn start_helpers() {
    let pool =
        rayon::ThreadPoolBuilder::new().thread_name(|index| format!("share-{index}")).stack_size(autodiff::STACK_BYTES);
    // The error says that there is a pool.
    let _ = pool.build_global();
}

/// On few cores the window must win: its frames are short and somebody is looking. Threads that this one
/// starts inherit it.
pub(super) fn yield_to_the_window() {
    #[cfg(target_os = "linux")]
    // SAFETY: plain system call without pointers; on Linux 0 means the calling thread. Failing changes nothing.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_message_for_the_user() {
        let stopped = guarded::<()>(|| panic!("index {} is out of reach", 7));
        let Err(Stop::Error(error)) = stopped else { panic!("expected an error") };
        let message = error.to_string();
        assert!(message.contains("index 7 is out of reach") && message.contains("restart"), "{message}");
    }
}
