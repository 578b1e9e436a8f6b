//! The window's end of the line to a worker: never blocks, whatever the worker does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, TrySendError};

use crate::run::messages::{Command, Event};

/// Commands out, events in.
pub struct Link {
    commands: Sender<Command>,
    events: Receiver<Event>,
    /// What the worker had no room for yet, in order.
    outbox: VecDeque<Command>,
}

impl Link {
    pub fn new(commands: Sender<Command>, events: Receiver<Event>) -> Self {
        Self { commands, events, outbox: VecDeque::new() }
    }

    /// Sends when there is room, else keeps the command for [`Self::flush`]. A newer value of a knob (or of the
    /// speed limit) replaces one that still waits, so that a stalled worker isn't flooded by one drag.
    pub fn send(&mut self, command: Command) {
        let replaced = self.outbox.iter_mut().rev().find(|waiting| same_target(waiting, &command));
        match replaced {
            Some(waiting) => *waiting = command,
            None => self.outbox.push_back(command),
        }
        self.flush();
    }

    /// Sends what waits as far as there is room.
    pub fn flush(&mut self) {
        while let Some(command) = self.outbox.pop_front() {
            match self.commands.try_send(command) {
                Ok(()) => {}
                Err(TrySendError::Full(command)) => {
                    self.outbox.push_front(command);
                    return;
                }
                // The worker is gone; whoever reads its events learns so.
                Err(TrySendError::Disconnected(_)) => self.outbox.clear(),
            }
        }
    }

    /// Commands the worker had no room for yet.
    pub fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// The next event, if one has arrived.
    pub fn receive(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Whether events are left to be received.
    pub fn has_more(&self) -> bool {
        !self.events.is_empty()
    }
}

fn same_target(a: &Command, b: &Command) -> bool {
    match (a, b) {
        (Command::SetKnob { id: a, .. }, Command::SetKnob { id: b, .. }) => a == b,
        (Command::SpeedLimit(_), Command::SpeedLimit(_)) | (Command::RestartLab(_), Command::RestartLab(_)) => true,
        _ => false,
    }
}

/// Wakes the window when something has arrived: at most once a frame, however many events there are.
#[derive(Clone, Default)]
pub struct Wake {
    pending: Arc<AtomicBool>,
    /// Milliseconds from an event to the frame that shows it.
    delay_millis: Arc<AtomicU64>,
    ctx: Arc<std::sync::OnceLock<egui::Context>>,
}

impl Wake {
    /// From now on wakes `ctx`, `delay` after an event: long where frames are drawn by the processor.
    pub fn connect(&self, ctx: &egui::Context, delay: Duration) {
        self.delay_millis.store(delay.as_millis() as u64, Ordering::Relaxed);
        // A second context can't take over: the window has one.
        let _ = self.ctx.set(ctx.clone());
    }

    /// To be called from any thread after something was sent to the window.
    pub fn ring(&self) {
        if let Some(ctx) = self.ctx.get()
            && !self.pending.swap(true, Ordering::AcqRel)
        {
            // `request_repaint` would paint two frames.
            ctx.request_repaint_after(self.delay());
        }
    }

    /// To be called before receiving, so that what arrives meanwhile rings again.
    pub fn clear(&self) {
        self.pending.store(false, Ordering::Release);
    }

    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_millis.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::knobs::KnobValue;

    fn lr(value: f64) -> Command {
        Command::SetKnob { id: "lr", value: KnobValue::Float(value) }
    }

    #[test]
    fn a_full_channel_keeps_the_newest_value_of_each_knob_and_the_order_of_the_rest() {
        let (commands, worker) = crossbeam::channel::bounded(1);
        let (_events, receiver) = crossbeam::channel::bounded(1);
        let mut link = Link::new(commands, receiver);
        link.send(Command::Pause);
        for i in 0..100 {
            link.send(lr(f64::from(i)));
        }
        link.send(Command::Play);
        assert_eq!(link.waiting(), 2);
        let mut got = Vec::new();
        while let Ok(command) = worker.try_recv() {
            got.push(command);
            link.flush();
        }
        assert!(matches!(
            &got[..],
            [Command::Pause, Command::SetKnob { id: "lr", value: KnobValue::Float(v) }, Command::Play] if *v == 99.0
        ));
    }

    #[test]
    fn many_rings_ask_for_one_frame() {
        let wake = Wake::default();
        let ctx = egui::Context::default();
        let count = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&count);
        ctx.set_request_repaint_callback(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        wake.connect(&ctx, Duration::from_millis(8));
        for _ in 0..1_000 {
            wake.ring();
        }
        let once = count.load(Ordering::Relaxed);
        assert!(once <= 1, "{once}");
        wake.clear();
        wake.ring();
        assert!(count.load(Ordering::Relaxed) <= once + 1);
    }
}
