//! What a lab's protocol runs on.
//!
//! A protocol is a straight-line function: it makes tracks, trains or simulates, and records. Everything that people do while
//! it runs happens in here, at the points where the protocol calls [`Bench::record`] and [`Bench::round`]: pause, single
//! step, speed limit, live knobs, a restart with other knobs, the end.

mod fleet;
mod scripted;
mod values;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::Receiver;

use crate::base::rng::Streams;
use crate::record::{Header, Intervention, Reading, SeriesId, Snapshot, TrackId, TrackInfo};

use super::knobs::KnobValue;
use super::messages::{Command, Event, PaceReport, Progress, RunState};
use super::outbox::{Gone, Outbox};
use super::trainer::TrainError;
use super::worker;

pub use fleet::{Fleet, Member};
pub use scripted::Scripted;
pub use values::{LabKnob, Preset, Values, always};
pub(super) use work::work;

/// Time between two reports of pace and progress.
const REPORT_EVERY: Duration = Duration::from_millis(250);

/// An experiment that a worker can run.
pub trait Program: Send {
    /// What a reader needs to know before the first reading.
    fn header(&self, values: &Values) -> Header;

    /// Rules between knobs.
    ///
    /// # Errors
    /// One sentence that names the knob, the value and what to do.
    fn check(&self, values: &Values) -> Result<(), String>;

    /// The experiment, from its beginning to its end.
    ///
    /// # Errors
    /// [`Halt`], which [`Bench`]'s functions return: pass it on with `?`.
    fn protocol(&self, bench: &mut Bench<'_>) -> Result<(), Halt>;
}

/// Why a protocol is left before its end.
pub enum Halt {
    /// Other knobs.
    Restart(Box<Values>),
    /// Nobody wants to know any more.
    Quit,
    /// It can't go on, in words for the user.
    Error(String),
}

impl From<Gone> for Halt {
    fn from(_: Gone) -> Self {
        Self::Quit
    }
}

impl From<TrainError> for Halt {
    fn from(error: TrainError) -> Self {
        Self::Error(error.to_string())
    }
}

/// The bench of one protocol.
pub struct Bench<'a> {
    values: Values,
    commands: &'a Receiver<Command>,
    outbox: &'a Outbox,
    state: RunState,
    /// Pause at the next round.
    single_step: bool,
    next_track: u32,
    /// Knobs that were turned since the last round.
    turned: Vec<(String, KnobValue)>,
    /// Knobs to be turned at their rounds.
    script: Vec<Intervention>,
    rounds: u64,
    /// Rounds in all, as far as the protocol has said.
    planned: u64,
    speed_limit: Option<f64>,
    next_round_at: Instant,
    started: Instant,
    rested: Duration,
    reported: Instant,
    reported_rounds: u64,
}

impl<'a> Bench<'a> {
    fn new(values: Values, state: RunState, commands: &'a Receiver<Command>, outbox: &'a Outbox) -> Self {
        let now = Instant::now();
        Self {
            values,
            commands,
            outbox,
            state,
            single_step: false,
            next_track: 0,
            turned: Vec::new(),
            script: Vec::new(),
            rounds: 0,
            planned: 0,
            speed_limit: None,
            next_round_at: now,
            started: now,
            rested: Duration::ZERO,
            reported: now,
            reported_rounds: 0,
        }
    }

    /// The knobs as they stand: live ones may have been turned since the protocol last looked.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Named random streams of the seed.
    pub fn streams(&self) -> Streams {
        Streams::new(self.values.seed)
    }

    /// Begins a track.
    ///
    /// # Errors
    /// [`Halt::Quit`] if nobody listens any more.
    pub fn track(&mut self, label: &str, attributes: &[(&str, &str)]) -> Result<TrackId, Halt> {
        let id = TrackId(self.next_track);
        self.next_track += 1;
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.outbox.send(Event::Track(TrackInfo { id, label: label.into(), attributes, parent: None }))?;
        Ok(id)
    }

    /// Records readings of a track at a step (or a layer, or whatever the lab's cursor goes along).
    ///
    /// # Errors
    /// [`Halt`] if the protocol is to begin anew or to end.
    pub fn record(&mut self, track: TrackId, step: u64, readings: Vec<(SeriesId, Reading)>) -> Result<(), Halt> {
        self.outbox.send(Event::Snapshot(Arc::new(Snapshot { track, step, readings })))?;
        self.obey()
    }

    /// As [`Self::record`], for scalars by name.
    ///
    /// # Errors
    /// As there.
    pub fn record_scalars(&mut self, track: TrackId, step: u64, scalars: &[(&str, f64)]) -> Result<(), Halt> {
        let readings = scalars.iter().map(|(name, value)| (SeriesId::owned(*name), Reading::Scalar(*value))).collect();
        self.record(track, step, readings)
    }

    /// Says how many rounds there are to come, for the progress bar; may be called again for what comes later.
    pub fn plan(&mut self, rounds: u64) {
        self.planned += rounds;
    }

    /// The end of a round: of one step of all tracks, or of any piece of work under some 50 ms. Here the protocol pauses, takes single steps
    /// and keeps to a speed limit.
    ///
    /// # Errors
    /// [`Halt`] if the protocol is to begin anew or to end.
    pub fn round(&mut self) -> Result<(), Halt> {
        self.rounds += 1;
        // Before commands are taken: a step that was asked for meanwhile is one more.
        if std::mem::take(&mut self.single_step) {
            self.change(RunState::Paused)?;
        }
        self.obey()?;
        self.turn_knobs()?;
        self.report()?;
        let paused = Instant::now();
        while self.state == RunState::Paused && !self.single_step {
            worker::wait(self.commands, self.outbox)?;
            self.obey()?;
            self.turn_knobs()?;
        }
        if let Some(limit) = self.speed_limit {
            let gap = Duration::from_secs_f64((1.0 / limit).min(60.0));
            while Instant::now() < self.next_round_at {
                std::thread::sleep((self.next_round_at - Instant::now()).min(Duration::from_millis(10)));
                self.obey()?;
            }
            self.next_round_at = Instant::now().max(self.next_round_at) + gap;
        }
        self.rested += paused.elapsed();
        Ok(())
    }

    fn change(&mut self, state: RunState) -> Result<(), Halt> {
        if self.state != state {
            self.state = state;
            self.outbox.send(Event::State(state))?;
        }
        Ok(())
    }

    /// Takes the commands that are there.
    fn obey(&mut self) -> Result<(), Halt> {
        if self.outbox.is_quitting() {
            return Err(Halt::Quit);
        }
        let mut restart = None;
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Quit => return Err(Halt::Quit),
                // The newest counts: a slider that is dragged sends many.
                Command::RestartLab(values) => restart = Some(values),
                Command::Play => {
                    self.single_step = false;
                    self.change(RunState::Running)?;
                }
                Command::Pause => self.change(RunState::Paused)?,
                Command::Step => {
                    self.change(RunState::Running)?;
                    self.single_step = true;
                }
                // Between rounds only, so that it can be done again at the very same place.
                Command::SetKnob { id, value } => self.turned.push((id.to_owned(), value)),
                Command::SpeedLimit(limit) => {
                    self.speed_limit = limit.filter(|limit| *limit > 0.0);
                    self.next_round_at = Instant::now();
                }
                Command::Save(path) => self.outbox.save(path)?,
                Command::SaveWeights(_) => {
                    let reason =
                        "A lab trains many networks: run the one you want in the Playground and save its weights";
                    self.outbox.send(Event::SaveFailed(reason.into()))?;
                }
                // These belong to the Playground.
                Command::Restart(_)
                | Command::Twin(_)
                | Command::Repeat { .. }
                | Command::RestoreLastGood { .. }
                | Command::Checkpoints
                | Command::Fork(_)
                | Command::Note { .. } => {}
            }
        }
        restart.map_or(Ok(()), |values| Err(Halt::Restart(values)))
    }

    /// Turns what was turned since the last round, and what the script says.
    fn turn_knobs(&mut self) -> Result<(), Halt> {
        let rounds = self.rounds;
        for mark in self.script.extract_if(.., |mark| mark.step <= rounds).collect::<Vec<_>>() {
            if let Some(entry) = self.values.knobs().iter().find(|entry| entry.knob.id == mark.knob) {
                let value = entry.knob.parse(&mark.to).map_err(Halt::Error)?;
                self.turned.push((mark.knob, value));
            }
        }
        for (id, value) in std::mem::take(&mut self.turned) {
            let Some(from) = self.values.get(&id).cloned() else { continue };
            if from == value || self.values.set(&id, value.clone()).is_err() {
                continue;
            }
            let (track, step) = (TrackId::default(), self.rounds);
            let mark = Intervention { track, step, knob: id, from: from.to_string(), to: value.to_string() };
            self.outbox.send(Event::KnobTurned { mark, values: Box::new(self.values.clone()) })?;
        }
        Ok(())
    }

    fn report(&mut self) -> Result<(), Halt> {
        let since = self.reported.elapsed();
        if since < REPORT_EVERY {
            return Ok(());
        }
        let steps_per_sec = (self.rounds - self.reported_rounds) as f64 / since.as_secs_f64();
        (self.reported, self.reported_rounds) = (Instant::now(), self.rounds);
        self.outbox.send(Event::Pace(PaceReport { step: self.rounds, steps_per_sec, probe_share: 0.0 }))?;
        if self.planned > 0 {
            let share = (self.rounds as f64 / self.planned as f64).min(1.0);
            let worked = self.started.elapsed().saturating_sub(self.rested).as_secs_f64();
            let left = (share > 0.02).then(|| worked * (1.0 - share) / share);
            self.outbox.send(Event::Progress(Progress { share, left }))?;
        }
        Ok(())
    }
}
