//! What of a course is still to be done, while a run follows it.

use std::collections::VecDeque;

use crate::record::{Fork, TrackId};

use super::{Branch, Course, Leg, Turn};

/// What comes next of a course. Empty, it asks for nothing.
#[derive(Default)]
pub struct Plan {
    /// Of each run side by side; of one run, those of the leg that it is on.
    turns: Vec<VecDeque<Turn>>,
    until: Option<u64>,
    branches: VecDeque<Branch>,
    /// Of the legs that have begun.
    tracks: Vec<TrackId>,
}

impl Plan {
    pub fn of(course: Course) -> Self {
        let Course { first, beside, branches } = course;
        let mut turns = vec![VecDeque::from(first.turns)];
        turns.extend(beside.map(|beside| VecDeque::from(beside.turns)));
        Self { turns, until: first.until, branches: branches.into(), tracks: vec![TrackId::default()] }
    }

    /// A knob to be turned before the next update of a run.
    pub fn due(&mut self, run: usize, step: u64) -> Option<Turn> {
        let turns = self.turns.get_mut(run)?;
        if turns.front()?.step <= step { turns.pop_front() } else { None }
    }

    /// Whether training went on here past its planned end.
    pub fn goes_beyond(&self, step: u64) -> bool {
        !self.branches.is_empty() && self.until.is_some_and(|until| until > step)
    }

    /// The branch to be begun now, if this leg is over: [`Self::began`] says on which track.
    pub fn next_branch(&mut self, step: u64, has_ended: bool) -> Option<Fork> {
        if !has_ended && self.until.is_none_or(|until| step < until) {
            return None;
        }
        let Branch { from, step, leg: Leg { turns, until } } = self.branches.pop_front()?;
        (self.turns, self.until) = (vec![turns.into()], until);
        let track = *self.tracks.get(from)?;
        Some(Fork { track, step })
    }

    pub fn began(&mut self, track: TrackId) {
        self.tracks.push(track);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_at_their_steps_and_branches_when_a_leg_is_over() {
        let turn = |step, knob: &str| Turn { step, knob: knob.into(), to: "1".into() };
        let first = Leg { turns: vec![turn(3, "a"), turn(3, "b"), turn(5, "c")], until: Some(5) };
        let branch = |from, step, until| Branch { from, step, leg: Leg { turns: vec![turn(step, "d")], until } };
        let branches = vec![branch(0, 2, None), branch(1, 4, None)];
        let mut plan = Plan::of(Course { first, beside: None, branches });
        assert_eq!(plan.due(0, 2), None);
        assert_eq!((plan.due(0, 3), plan.due(0, 3)), (Some(turn(3, "a")), Some(turn(3, "b"))));
        assert_eq!((plan.due(0, 3), plan.next_branch(4, false)), (None, None));
        assert!(plan.goes_beyond(4) && !plan.goes_beyond(5));
        assert_eq!(plan.due(0, 5), Some(turn(5, "c")));
        assert_eq!(plan.next_branch(5, false), Some(Fork { track: TrackId(0), step: 2 }));
        plan.began(TrackId(7));
        assert_eq!(plan.due(0, 2), Some(turn(2, "d")));
        assert_eq!(plan.next_branch(900, false), None, "until it ends by itself");
        assert_eq!(plan.next_branch(900, true), Some(Fork { track: TrackId(7), step: 4 }));
        assert_eq!(plan.next_branch(901, true), None);
    }
}
