//! Which steps all curves show.

use serde::{Deserialize, Serialize};

/// All, the newest few, or a stretch that was chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepWindow {
    #[default]
    All,
    /// So many steps up to the cursor: it moves with it.
    Last(u64),
    Between {
        from: u64,
        to: u64,
    },
}

/// What a user can do to the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowCommand {
    ShowAll,
    ShowLast(u64),
    /// From one step to another, in either order: a drag.
    Select(u64, u64),
}

/// Fewer steps show no curve.
const FEWEST: u64 = 2;

impl StepWindow {
    /// The window after `command`, where `newest` is the last recorded step. A selection of hardly any steps was a click
    /// and changes nothing.
    #[must_use]
    pub fn after(self, command: WindowCommand, newest: u64) -> Self {
        match command {
            WindowCommand::ShowAll => Self::All,
            WindowCommand::ShowLast(steps) => Self::Last(steps.max(FEWEST)),
            WindowCommand::Select(a, b) => {
                let (from, to) = (a.min(b).min(newest), a.max(b).min(newest));
                if to - from < FEWEST { self } else { Self::Between { from, to } }
            }
        }
    }

    /// First and last step shown, of a recording up to `newest` with the cursor at `at`; none for all.
    pub fn range(self, at: u64, newest: u64) -> Option<[u64; 2]> {
        match self {
            Self::All => None,
            // At the beginning there are not so many yet: the axis stands still until there are.
            Self::Last(steps) => Some([at.saturating_sub(steps), at.max(steps)]),
            Self::Between { from, to } => Some([from.min(newest.saturating_sub(FEWEST)), to.max(FEWEST)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_the_newest_steps_moves_with_the_cursor() {
        let window = StepWindow::All.after(WindowCommand::ShowLast(100), 1_000);
        assert_eq!(window.range(1_000, 1_000), Some([900, 1_000]));
        assert_eq!(window.range(250, 1_000), Some([150, 250]));
        assert_eq!(window.range(30, 1_000), Some([0, 100]));
        assert_eq!(StepWindow::All.range(30, 1_000), None);
    }

    #[test]
    fn a_drag_selects_either_way_and_a_click_does_not() {
        let all = StepWindow::All;
        let chosen = StepWindow::Between { from: 40, to: 90 };
        assert_eq!(all.after(WindowCommand::Select(90, 40), 1_000), chosen);
        assert_eq!(all.after(WindowCommand::Select(40, 90), 1_000), chosen);
        assert_eq!(chosen.after(WindowCommand::Select(70, 71), 1_000), chosen);
        assert_eq!(all.after(WindowCommand::Select(40, 5_000), 60), StepWindow::Between { from: 40, to: 60 });
        assert_eq!(chosen.after(WindowCommand::ShowAll, 1_000), all);
        assert_eq!(chosen.range(7, 1_000), Some([40, 90]));
        // A new run is shorter than what was selected.
        assert_eq!(chosen.range(7, 10), Some([8, 90]));
    }
}
