//! Where on the time line every pane looks.

use serde::{Deserialize, Serialize};

/// Either follows the newest step or stands at one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeCursor {
    #[default]
    Following,
    At(u64),
}

/// What a user can do to the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeCommand {
    /// Follow the newest step again.
    Follow,
    /// Stand at a step (clamped to what is recorded).
    ScrubTo(u64),
    /// Move by steps; moving past the newest step follows it.
    MoveBy(i64),
}

impl TimeCursor {
    /// The cursor after `command`, where `newest` is the last recorded step.
    #[must_use]
    pub fn after(self, command: TimeCommand, newest: u64) -> Self {
        match command {
            TimeCommand::Follow => Self::Following,
            TimeCommand::ScrubTo(step) => Self::At(step.min(newest)),
            TimeCommand::MoveBy(by) => {
                let target = self.step(newest).saturating_add_signed(by);
                if by > 0 && target >= newest { Self::Following } else { Self::At(target.min(newest)) }
            }
        }
    }

    /// The step shown.
    pub fn step(self, newest: u64) -> u64 {
        match self {
            Self::Following => newest,
            Self::At(step) => step.min(newest),
        }
    }

    pub fn is_following(self) -> bool {
        self == Self::Following
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_back_leaves_the_newest_step_and_moving_past_it_follows_again() {
        let cursor = TimeCursor::Following.after(TimeCommand::MoveBy(-3), 10);
        assert_eq!(cursor, TimeCursor::At(7));
        assert_eq!(cursor.after(TimeCommand::MoveBy(2), 10), TimeCursor::At(9));
        assert_eq!(cursor.after(TimeCommand::MoveBy(3), 10), TimeCursor::Following);
        assert_eq!(TimeCursor::At(2).after(TimeCommand::MoveBy(-5), 10), TimeCursor::At(0));
    }

    #[test]
    fn a_cursor_at_a_step_stays_there_while_the_run_goes_on() {
        let cursor = TimeCursor::default().after(TimeCommand::ScrubTo(99), 10);
        assert_eq!(cursor.step(500), 10);
        assert_eq!(cursor.after(TimeCommand::Follow, 500).step(500), 500);
    }
}
