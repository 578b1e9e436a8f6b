//! The coordinate check as the window knows it: what to run, a running check, its result.

use std::sync::Arc;

use crossbeam::channel::TryRecvError;

use crate::plots::{Plot, panes};
use crate::record::{CoordCheck, Verdict};
use crate::run::coord_check::{CoordCheckEvent, CoordCheckOptions, CoordCheckProgress, CoordCheckSession};
use crate::run::spec::RunSpec;

use super::link::Wake;

/// What the reader turns in the dialog.
#[derive(Clone, Debug, PartialEq)]
pub enum CoordCheckAction {
    Widths(String),
    Seeds(usize),
    Steps(usize),
    Start,
    Stop,
}

/// A finished check and its pictures.
pub struct CoordCheckResult {
    pub check: CoordCheck,
    pub verdicts: Vec<Verdict>,
    pub plots: Vec<Plot>,
}

/// Where things stand.
pub enum Stage {
    /// Nothing was run yet, or it was stopped.
    Idle,
    Running(CoordCheckSession, Option<CoordCheckProgress>),
    Done(Box<CoordCheckResult>),
    Failed(String),
}

pub struct CoordChecking {
    /// As typed.
    pub widths: String,
    pub seeds: usize,
    pub steps: usize,
    pub stage: Stage,
}

impl Default for CoordChecking {
    fn default() -> Self {
        let CoordCheckOptions { seeds, steps, .. } = CoordCheckOptions::default();
        // Narrower than the command's: somebody waits.
        Self { widths: "16, 32, 64, 128".into(), seeds, steps, stage: Stage::Idle }
    }
}

impl CoordChecking {
    /// Carries out a wish for the network and training of `spec`.
    pub fn apply(&mut self, action: CoordCheckAction, spec: &RunSpec, wake: &Wake) {
        match action {
            CoordCheckAction::Widths(text) => self.widths = text,
            CoordCheckAction::Seeds(seeds) => self.seeds = seeds,
            CoordCheckAction::Steps(steps) => self.steps = steps,
            CoordCheckAction::Start => self.stage = self.start(spec, wake).unwrap_or_else(Stage::Failed),
            CoordCheckAction::Stop => {
                if let Stage::Running(session, _) = &self.stage {
                    session.stop();
                }
            }
        }
    }

    fn start(&self, spec: &RunSpec, wake: &Wake) -> Result<Stage, String> {
        let widths =
            self.widths.split(',').map(|part| part.trim().parse()).collect::<Result<_, _>>().map_err(|_| {
                format!(
                    "widths can't be {:?}; give whole numbers with commas between, such as 32, 64, 128",
                    self.widths
                )
            })?;
        let options =
            CoordCheckOptions { widths, seeds: self.seeds, steps: self.steps, ..CoordCheckOptions::default() };
        let options = options.checked(spec)?;
        let ring = wake.clone();
        let session = CoordCheckSession::start(spec.clone(), options, Arc::new(move || ring.ring()));
        session.map(|session| Stage::Running(session, None)).map_err(|error| error.to_string())
    }

    /// Takes in what a running check has told.
    pub fn receive(&mut self) {
        let Stage::Running(session, progress) = &mut self.stage else { return };
        let next = loop {
            match session.events().try_recv() {
                Ok(CoordCheckEvent::Progress(newer)) => *progress = Some(newer),
                Ok(CoordCheckEvent::Done(check)) => {
                    let (verdicts, plots) = (check.verdicts(), panes::coord_check::plots(&check, usize::MAX));
                    break Stage::Done(Box::new(CoordCheckResult { check: *check, verdicts, plots }));
                }
                Ok(CoordCheckEvent::Failed(message)) => break Stage::Failed(message),
                Err(TryRecvError::Empty) => return,
                // It was stopped.
                Err(TryRecvError::Disconnected) => break Stage::Idle,
            }
        };
        self.stage = next;
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::spec::ModelKind;

    use super::*;

    fn spec() -> RunSpec {
        let mut spec = RunSpec::default();
        spec.model.kind = ModelKind::Mlp;
        spec.task.train_size = 64;
        spec
    }

    fn wait(checking: &mut CoordChecking) {
        for _ in 0..6_000 {
            checking.receive();
            if !matches!(checking.stage, Stage::Running(..)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("it never ends");
    }

    #[test]
    fn a_check_ends_in_pictures_and_a_stopped_one_in_nothing() {
        let mut checking = CoordChecking { widths: "4, 8,16".into(), seeds: 1, steps: 2, stage: Stage::Idle };
        checking.apply(CoordCheckAction::Start, &spec(), &Wake::default());
        wait(&mut checking);
        let Stage::Done(result) = &checking.stage else { panic!("not done") };
        assert_eq!((result.plots.len(), result.verdicts.len()), (2, 3));

        checking.apply(CoordCheckAction::Steps(10_000), &spec(), &Wake::default());
        checking.apply(CoordCheckAction::Start, &spec(), &Wake::default());
        checking.apply(CoordCheckAction::Stop, &spec(), &Wake::default());
        wait(&mut checking);
        assert!(matches!(checking.stage, Stage::Idle));
    }

    #[test]
    fn what_is_wrong_is_said_at_once() {
        for (widths, word) in [("4, wide, 8", "wide"), ("4, 8", "three")] {
            let mut checking = CoordChecking { widths: widths.into(), ..CoordChecking::default() };
            checking.apply(CoordCheckAction::Start, &spec(), &Wake::default());
            let Stage::Failed(message) = &checking.stage else { panic!("expected a failure") };
            assert!(message.contains(word), "{message}");
        }
    }
}
