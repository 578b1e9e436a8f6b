//! What was done to knobs, panes and their places, so that it can be undone: a pure state machine.

use crate::plots::{PaneId, PaneOptions};
use crate::run::bench::Values;
use crate::run::spec::RunSpec;

use super::arrangement::PaneLayout;

/// Edits that can be undone; older ones are forgotten.
const MOST: usize = 200;
/// Edits of one thing that are closer than this, in seconds, are one: an arrow key that is held down.
const QUIET_SECS: f64 = 0.6;

/// The knobs as they show.
#[derive(Clone, Debug, PartialEq)]
pub enum Knobs {
    Spec(Box<RunSpec>),
    Lab(Values),
}

/// All that can be undone, as it stands at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    pub knobs: Knobs,
    pub options: PaneOptions,
    /// None for the layout of the start.
    pub layout: Option<PaneLayout>,
    pub maximised: Option<PaneId>,
}

/// One step of undo.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// For the menu: "Learning rate 0.004 → 0.1".
    pub name: String,
    /// What was edited: edits of one gesture and one target are one step.
    pub target: String,
    pub before: Moment,
    pub after: Moment,
}

/// Edits done, and edits undone that can be done again.
#[derive(Debug, Default)]
pub struct History {
    done: Vec<Edit>,
    undone: Vec<Edit>,
    /// Whether the newest edit may still grow.
    open: bool,
    /// Whether it was made since the last frame ended.
    fresh: bool,
    edited_at: f64,
    pointer_was_down: bool,
}

impl History {
    /// Adds an edit of `target` and calls it what `name` says of its start and end. A further one of the same target within a gesture extends the first; so does one of another target within
    /// a frame, as one click may do two things. What leaves everything as it was is no edit.
    pub fn note(&mut self, target: &str, before: Moment, after: Moment, name: &dyn Fn(&Moment, &Moment) -> String) {
        if before == after {
            return;
        }
        self.undone.clear();
        match self.done.last_mut().filter(|last| self.open && (last.target == target || self.fresh)) {
            Some(last) => {
                last.after = after;
                if last.target == target {
                    last.name = name(&last.before, &last.after);
                }
                if last.before == last.after {
                    self.done.pop();
                    self.open = false;
                    return;
                }
            }
            None => {
                let name = name(&before, &after);
                self.done.push(Edit { name, target: target.to_owned(), before, after });
            }
        }
        (self.open, self.fresh) = (true, true);
        let surplus = self.done.len().saturating_sub(MOST);
        self.done.drain(..surplus);
    }

    /// The end of a frame at `now` (seconds): a gesture ends when the pointer is released, or after a quiet while.
    pub fn end_frame(&mut self, now: f64, pointer_is_down: bool) {
        if self.fresh {
            self.edited_at = now;
        }
        let released = self.pointer_was_down && !pointer_is_down;
        if released || (!pointer_is_down && now - self.edited_at > QUIET_SECS) {
            self.open = false;
        }
        self.fresh = false;
        self.pointer_was_down = pointer_is_down;
    }

    /// Takes back the newest edit; the state to return to is its `before`.
    pub fn undo(&mut self) -> Option<Edit> {
        let edit = self.done.pop()?;
        self.open = false;
        self.undone.push(edit.clone());
        Some(edit)
    }

    /// Does again what was taken back last: the state to go to is its `after`.
    pub fn redo(&mut self) -> Option<Edit> {
        let edit = self.undone.pop()?;
        self.open = false;
        self.done.push(edit.clone());
        Some(edit)
    }

    /// What [`Self::undo`] would take back.
    pub fn next_undo(&self) -> Option<&Edit> {
        self.done.last()
    }

    pub fn next_redo(&self) -> Option<&Edit> {
        self.undone.last()
    }

    /// Another experiment begins.
    pub fn clear(&mut self) {
        *self = Self { pointer_was_down: self.pointer_was_down, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(seed: u64, log: bool) -> Moment {
        Moment {
            knobs: Knobs::Spec(Box::new(RunSpec { seed, ..RunSpec::default() })),
            options: PaneOptions { loss_log: log, ..PaneOptions::default() },
            layout: None,
            maximised: None,
        }
    }

    fn seed(moment: &Moment) -> u64 {
        match &moment.knobs {
            Knobs::Spec(spec) => spec.seed,
            Knobs::Lab(_) => 0,
        }
    }

    fn note(history: &mut History, target: &str, before: Moment, after: Moment) {
        let name = |before: &Moment, after: &Moment| format!("{target} {} → {}", seed(before), seed(after));
        history.note(target, before, after, &name);
    }

    fn edit(history: &mut History, target: &str, from: u64, to: u64) {
        note(history, target, moment(from, false), moment(to, false));
    }

    /// Edits a frame apart, with the pointer down.
    fn drag(history: &mut History, target: &str, values: &[u64]) {
        for (i, pair) in values.windows(2).enumerate() {
            edit(history, target, pair[0], pair[1]);
            history.end_frame(i as f64, true);
        }
        history.end_frame(values.len() as f64, false);
    }

    #[test]
    fn a_drag_is_one_edit_from_its_start_to_its_end() {
        let mut history = History::default();
        drag(&mut history, "lr", &[1, 2, 3, 4]);
        drag(&mut history, "lr", &[4, 5, 6]);
        let last = history.undo().unwrap();
        assert_eq!((last.before, last.after, last.name.as_str()), (moment(4, false), moment(6, false), "lr 4 → 6"));
        let first = history.undo().unwrap();
        assert_eq!((first.before, first.after), (moment(1, false), moment(4, false)));
        assert_eq!(history.undo(), None);
        assert_eq!(history.redo().unwrap().after, moment(4, false));
        assert_eq!(history.next_redo().unwrap().after, moment(6, false));
    }

    #[test]
    fn a_drag_that_ends_where_it_began_is_no_edit() {
        let mut history = History::default();
        drag(&mut history, "lr", &[1, 2, 3, 1]);
        edit(&mut history, "lr", 1, 1);
        assert_eq!(history.next_undo(), None);
    }

    #[test]
    fn held_keys_are_one_edit_and_a_pause_begins_another() {
        let mut history = History::default();
        for (value, now) in [(1, 0.0), (2, 0.1), (3, 0.2), (4, 2.0)] {
            // Frames go on between the keys.
            history.end_frame(now - 0.01, false);
            edit(&mut history, "lr", value - 1, value);
            history.end_frame(now, false);
        }
        assert_eq!(history.undo().unwrap().before, moment(3, false));
        assert_eq!(history.undo().unwrap().before, moment(0, false));
        assert_eq!(history.undo(), None);
    }

    #[test]
    fn two_things_in_one_frame_are_one_edit_with_the_first_name_and_later_ones_are_not() {
        let mut history = History::default();
        edit(&mut history, "metric", 1, 2);
        note(&mut history, "options", moment(2, false), moment(2, true));
        history.end_frame(0.0, true);
        note(&mut history, "width", moment(2, true), moment(3, true));
        assert_eq!(history.undo().unwrap().after, moment(3, true));
        let both = history.undo().unwrap();
        assert_eq!((both.name.as_str(), both.before, both.after), ("metric 1 → 2", moment(1, false), moment(2, true)));
    }

    #[test]
    fn a_new_edit_forgets_what_was_undone() {
        let mut history = History::default();
        drag(&mut history, "lr", &[1, 2]);
        history.undo();
        drag(&mut history, "lr", &[1, 3]);
        assert_eq!((history.redo(), history.undo().unwrap().after), (None, moment(3, false)));
    }

    proptest! {
        #[test]
        fn undoing_and_redoing_walks_through_the_same_moments(
            values in proptest::collection::vec((0u64..4, any::<bool>(), any::<bool>()), 1..40),
            walk in proptest::collection::vec(any::<bool>(), 0..80),
        ) {
            let (mut history, mut now, mut at) = (History::default(), 0.0, 0u64);
            for (value, down, same) in values {
                edit(&mut history, if same { "a" } else { "b" }, at, value);
                at = value;
                now += 0.3;
                history.end_frame(now, down);
            }
            let end = moment(at, false);
            let mut current = end.clone();
            for back in walk {
                if back {
                    if let Some(edit) = history.undo() {
                        prop_assert_eq!(&edit.after, &current);
                        current = edit.before;
                    }
                } else if let Some(edit) = history.redo() {
                    prop_assert_eq!(&edit.before, &current);
                    current = edit.after;
                }
            }
            while let Some(edit) = history.redo() {
                current = edit.after;
            }
            prop_assert_eq!(current, end);
        }
    }
}
