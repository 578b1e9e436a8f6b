//! The panels at both sides: where both would leave the panes no room, the one that was there before folds.

use crate::app::action::Action;
use crate::app::state::Window;
use crate::app::theme::size;

use super::tracks;

/// Width below which panes show nothing that is worth looking at.
const LEAST_PANES: f32 = 380.0;
const RIGHT_PANEL: f32 = 260.0;

/// Which sides were open a frame ago.
#[derive(Default)]
pub struct Memory {
    left: bool,
    right: bool,
}

impl Memory {
    /// Folds a panel of a window of so many points in width, if need be.
    pub fn make_room(&mut self, window: &Window, width: f32, actions: &mut Vec<Action>) {
        let lesson = window.lesson_open && window.shown_lab().is_some();
        let listed = window.tracks_open && tracks::has_several(window.recording());
        let (left, right) = (window.knobs_open, lesson || listed);
        if left && right && width < size::KNOB_PANEL + RIGHT_PANEL + LEAST_PANES {
            let left_is_new = self.right && !self.left;
            if !left_is_new {
                actions.push(Action::ToggleKnobs);
            } else if lesson {
                actions.push(Action::ToggleLesson);
            } else {
                actions.push(Action::ToggleTracks);
            }
        }
        (self.left, self.right) = (left, right);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::link::Wake;
    use crate::run::spec::RunSpec;

    #[test]
    fn the_side_that_was_there_before_folds_where_both_have_no_room() {
        let (sender, _commands) = crossbeam::channel::bounded(8);
        let (_events, receiver) = crossbeam::channel::bounded(8);
        let mut window = Window::following(RunSpec::default(), sender, receiver, Wake::default());
        window.live.recording = crate::record::example::recording(20);
        let other = crate::record::TrackInfo { id: crate::record::TrackId(1), ..Default::default() };
        window.live.recording.begin_track(&other);
        let mut memory = Memory::default();
        let mut folded = |window: &Window, width: f32| {
            let mut actions = Vec::new();
            memory.make_room(window, width, &mut actions);
            actions
        };
        (window.knobs_open, window.tracks_open) = (true, true);
        assert!(folded(&window, 1_280.0).is_empty());
        assert!(matches!(folded(&window, 850.0)[..], [Action::ToggleKnobs]));
        window.knobs_open = false;
        assert!(folded(&window, 850.0).is_empty());
        window.knobs_open = true;
        assert!(matches!(folded(&window, 850.0)[..], [Action::ToggleTracks]));
    }
}
