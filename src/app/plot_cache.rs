//! Plots as they were last built: rebuilt when what they show has changed, and not too often.

use std::collections::BTreeMap;

use crate::plots::{PaneId, PaneOptions, Plot};
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
}

impl Default for PlotCache {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), interval_secs: 1.0 / 15.0, builds: 0 }
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
