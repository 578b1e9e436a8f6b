//! Plots as they were last built: rebuilt when what they show has changed, and not too often.

use std::collections::BTreeMap;

use crossbeam::channel::{Receiver, TryRecvError, bounded};

use crate::plots::{PaneId, PaneOptions, Plot, XAxis, compare, pane};
use crate::record::TimeCursor;

use super::state::Window;

struct Entry {
    data: (u64, u64),
    cursor: TimeCursor,
    options: PaneOptions,
    built_at: f64,
    plots: Vec<Plot>,
}

/// The newest plots of every pane.
pub struct PlotCache {
    entries: BTreeMap<PaneId, Entry>,
    interval_secs: f64,
    builds: u64,
    /// Plots of very many tracks that a thread is building.
    job: Option<(PaneId, Entry, Receiver<Vec<Plot>>)>,
}

/// Very many tracks are drawn anew for another cursor no sooner than this: their curves don't change with it.
const BULK_SECS: f64 = 0.25;

impl Default for PlotCache {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), interval_secs: 1.0 / 15.0, builds: 0, job: None }
    }
}

impl PlotCache {
    /// Least time between two builds of a pane for new data. The user's own changes show at once.
    pub fn interval_secs(&mut self, secs: f64) {
        self.interval_secs = secs;
    }

    /// How many times plots were built.
    pub fn builds(&self) -> u64 {
        self.builds
    }

    /// The plots of pane `id` at time `now` (seconds), and the seconds until newer data may be shown.
    pub fn get(&mut self, window: &Window, id: PaneId, now: f64) -> (&[Plot], Option<f64>) {
        let data = window.data_key(id);
        let mut wait = None;
        let fresh = self.entries.get(&id).is_some_and(|entry| {
            let same_look = entry.cursor == window.cursor && entry.options == window.options;
            let left = entry.built_at + self.interval_secs - now;
            // A clock that jumped back must not stop the picture.
            let early = left > 0.0 && left <= self.interval_secs;
            let same_run = entry.data.1 == data.1;
            if same_look && same_run && entry.data != data && early {
                wait = Some(left);
            }
            same_look && (entry.data == data || wait.is_some())
        });
        self.collect(now);
        if !fresh && is_bulk(window, id) {
            let poll = self.build_beside(window, id, now);
            return (self.entries.get(&id).map_or(&[][..], |entry| &entry.plots), Some(poll));
        }
        if !fresh {
            self.builds += 1;
            let plots = window.plots(id);
            let entry = Entry { data, cursor: window.cursor, options: window.options.clone(), built_at: now, plots };
            self.entries.insert(id, entry);
        }
        let plots = self.entries.get(&id).map_or(&[][..], |entry| &entry.plots);
        (plots, wait)
    }
}

/// Whether a pane's plots take so long that the window would stumble over building them.
fn is_bulk(window: &Window, id: PaneId) -> bool {
    // The recording of a run that goes on would be copied when it grows meanwhile.
    window.viewed.is_some() && compare::is_bulk(id, window.recording(), &window.options)
}

impl PlotCache {
    /// Has a thread build the plots of very many tracks; until they are there, those before stand, with the cursor moved. Seconds
    /// until it is worth looking again.
    fn build_beside(&mut self, window: &Window, id: PaneId, now: f64) -> f64 {
        const POLL: f64 = 0.03;
        let data = window.data_key(id);
        if let Some(entry) = self.entries.get_mut(&id) {
            let only_moved = entry.data == data && entry.options == window.options;
            if entry.cursor != window.cursor {
                move_cursor(&mut entry.plots, window);
            }
            let left = entry.built_at + BULK_SECS - now;
            if only_moved && left > 0.0 && left <= BULK_SECS {
                return left;
            }
        }
        if self.job.is_some() {
            return POLL;
        }
        let (recording, options, cursor) = (window.recording().clone(), window.options.clone(), window.cursor);
        let entry = Entry { data, cursor, options: options.clone(), built_at: now, plots: Vec::new() };
        let (sender, receiver) = bounded(1);
        let wake = window.wake().clone();
        let work = move || {
            // The window may be closed by now.
            let _ = sender.send(pane::plots(&recording, id, cursor, &options));
            wake.ring();
        };
        if std::thread::Builder::new().name("plots".into()).spawn(work).is_ok() {
            self.job = Some((id, entry, receiver));
            self.builds += 1;
        }
        POLL
    }

    fn collect(&mut self, now: f64) {
        let Some((id, entry, receiver)) = self.job.take() else { return };
        match receiver.try_recv() {
            Ok(plots) => drop(self.entries.insert(id, Entry { plots, built_at: now, ..entry })),
            Err(TryRecvError::Empty) => self.job = Some((id, entry, receiver)),
            Err(TryRecvError::Disconnected) => {}
        }
    }

    /// Which of many curves a pane compares, and what else it could, as last drawn.
    pub fn choices(&self, id: PaneId) -> Option<(&[String], &str)> {
        self.entries.get(&id)?.plots.iter().find_map(|plot| match plot {
            Plot::Lines(plot) => Some((&plot.choices[..], plot.choice.as_deref()?)),
            _ => None,
        })
    }
}

/// Shows another step on curves that stay as they are.
fn move_cursor(plots: &mut [Plot], window: &Window) {
    let newest = window.recording().newest_step();
    for plot in plots {
        if let Plot::Lines(plot) = plot
            && plot.x_axis == XAxis::Steps
        {
            plot.cursor = (!window.cursor.is_following()).then(|| window.cursor.step(newest) as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Header, Reading, Recording, Snapshot, TimeCommand, TrackId, names};

    fn push(window: &mut Window, step: u64) {
        let readings = vec![(names::TRAIN_LOSS, Reading::Scalar(1.0))];
        window.live.recording.push(&Snapshot { track: TrackId(0), step, readings }).unwrap();
    }

    fn window() -> Window {
        let (commands, _) = crossbeam::channel::bounded(1);
        let (_, events) = crossbeam::channel::bounded(1);
        let mut window = Window::following(Default::default(), commands, events, Default::default());
        window.live.recording = Recording::new(Header::default());
        window
    }

    #[test]
    fn new_data_wait_for_their_turn_and_the_user_does_not() {
        let (mut cache, mut window) = (PlotCache::default(), window());
        cache.interval_secs(0.1);
        push(&mut window, 1);
        assert_eq!(cache.get(&window, PaneId::Loss, 0.0).1, None);
        assert_eq!(cache.get(&window, PaneId::Loss, 5.0).1, None);
        assert_eq!(cache.builds(), 1);
        push(&mut window, 2);
        cache.get(&window, PaneId::Loss, 10.0);
        push(&mut window, 3);
        let wait = cache.get(&window, PaneId::Loss, 10.04).1.unwrap();
        assert!((wait - 0.06).abs() < 1e-9, "{wait}");
        assert_eq!(cache.builds(), 2);
        window.cursor = window.cursor.after(TimeCommand::ScrubTo(1), 3);
        assert_eq!(cache.get(&window, PaneId::Loss, 10.05).1, None);
        assert_eq!(cache.builds(), 3);
        window.options.loss_log = true;
        cache.get(&window, PaneId::Loss, 10.06);
        assert_eq!(cache.builds(), 4);
    }
}
