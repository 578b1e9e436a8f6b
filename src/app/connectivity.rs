//! The comparison of weights as the window knows it: which weights, a running comparison, its result.

use std::sync::Arc;

use crossbeam::channel::TryRecvError;

use crate::plots::{Plot, panes};
use crate::record::connectivity::CurveKind;
use crate::record::{Connectivity, Recording, names};
use crate::run::connectivity::{
    Checkpoints, ConnectivityEvent, ConnectivityOptions, ConnectivityProgress, ConnectivitySession, RunOrder, RunSplit,
    WeightsPlace,
};
use crate::run::spec::RunSpec;

use super::link::Wake;

/// Which weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The run's first.
    Start,
    /// Those of the least test loss.
    Best,
    /// Those next to the time cursor.
    Cursor,
    /// The run's current ones.
    Last,
    File,
}

impl Pick {
    pub const ALL: [Self; 5] = [Self::Start, Self::Best, Self::Cursor, Self::Last, Self::File];

    /// In the list.
    pub fn label(self) -> &'static str {
        match self {
            Self::Start => "Start",
            Self::Best => "Best test loss",
            Self::Cursor => "At the cursor",
            Self::Last => "Newest",
            Self::File => "File …",
        }
    }
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndChoice {
    pub pick: Pick,
    /// Of a file, as typed.
    pub path: String,
}

/// What the reader turns in the dialog.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectivityAction {
    /// End 0 or 1.
    End(usize, EndChoice),
    Split(RunSplit),
    Curve(CurveKind),
    Start,
    Stop,
}

/// Where things stand.
pub enum Stage {
    /// Nothing was compared yet, or it was stopped.
    Idle,
    /// The worker was asked for the run's weights.
    Asking(Box<RunOrder>),
    Running(ConnectivitySession, Option<ConnectivityProgress>),
    Done(Box<Connectivity>, Vec<Plot>),
    Failed(String),
}

pub struct Comparing {
    pub ends: [EndChoice; 2],
    pub split: RunSplit,
    pub curve: CurveKind,
    pub stage: Stage,
}

/// Examples that paths are walked on: enough for a smooth curve.
const EXAMPLES: usize = 2_000;

impl Default for Comparing {
    fn default() -> Self {
        let end = |pick| EndChoice { pick, path: String::new() };
        Self {
            ends: [end(Pick::Start), end(Pick::Last)],
            split: RunSplit::Train,
            curve: CurveKind::Line,
            stage: Stage::Idle,
        }
    }
}

/// What a comparison needs to know of the window.
pub struct Shown<'a> {
    pub spec: &'a RunSpec,
    pub recording: &'a Recording,
    /// Where the time cursor is.
    pub step: u64,
    /// Whether there is a run whose weights can be asked for.
    pub live: bool,
}

impl Comparing {
    /// Carries out a wish; whether the worker is to be asked for the run's weights.
    pub fn apply(&mut self, action: ConnectivityAction, shown: &Shown<'_>, wake: &Wake) -> bool {
        match action {
            ConnectivityAction::End(at, choice) => self.ends[at.min(1)] = choice,
            ConnectivityAction::Split(split) => self.split = split,
            ConnectivityAction::Curve(curve) => self.curve = curve,
            ConnectivityAction::Stop => match &self.stage {
                Stage::Running(session, _) => session.stop(),
                Stage::Asking(_) => self.stage = Stage::Idle,
                _ => {}
            },
            ConnectivityAction::Start => match self.order(shown) {
                Err(message) => self.stage = Stage::Failed(message),
                Ok(order) if order.places.iter().any(|place| matches!(place, WeightsPlace::Step(_))) => {
                    self.stage = Stage::Asking(Box::new(order));
                    return true;
                }
                Ok(order) => self.begin(order, wake),
            },
        }
        false
    }

    fn order(&self, shown: &Shown<'_>) -> Result<RunOrder, String> {
        let mut places = Vec::new();
        for end in &self.ends {
            if end.pick != Pick::File && !shown.live {
                return Err(
                    "A recording holds no weights: choose files, such as those that File, Save the weights, wrote"
                        .into(),
                );
            }
            places.push(match end.pick {
                Pick::Start => WeightsPlace::Step(0),
                Pick::Last => WeightsPlace::Step(u64::MAX),
                Pick::Cursor => WeightsPlace::Step(shown.step),
                Pick::Best => WeightsPlace::Step(best(shown.recording).ok_or("There is no test loss yet")?),
                Pick::File if end.path.trim().is_empty() => {
                    return Err("The path of a file is missing: type it, or browse for it".into());
                }
                Pick::File => WeightsPlace::File(end.path.trim().into()),
            });
        }
        Ok(RunOrder {
            spec: shown.spec.clone(),
            checkpoints: None,
            places,
            split: self.split,
            examples: EXAMPLES,
            options: ConnectivityOptions { curve: self.curve, ..ConnectivityOptions::default() },
        })
    }

    /// The run's weights have come.
    pub fn take(&mut self, checkpoints: Arc<Checkpoints>, wake: &Wake) {
        let Stage::Asking(order) = &self.stage else { return };
        let spec = checkpoints.spec.clone();
        let order = RunOrder { spec, checkpoints: Some(checkpoints), ..RunOrder::clone(order) };
        self.begin(order, wake);
    }

    fn begin(&mut self, order: RunOrder, wake: &Wake) {
        let ring = wake.clone();
        let session = ConnectivitySession::start(move || order.order(), Arc::new(move || ring.ring()));
        self.stage = match session {
            Ok(session) => Stage::Running(session, None),
            Err(error) => Stage::Failed(error.to_string()),
        };
    }

    /// Takes in what a running comparison has told.
    pub fn receive(&mut self) {
        let Stage::Running(session, progress) = &mut self.stage else { return };
        let next = loop {
            match session.events().try_recv() {
                Ok(ConnectivityEvent::Progress(newer)) => *progress = Some(newer),
                Ok(ConnectivityEvent::Done(found)) => {
                    let plots = panes::connectivity::plots(&found, Some(0));
                    break Stage::Done(found, plots);
                }
                Ok(ConnectivityEvent::Failed(message)) => break Stage::Failed(message),
                Err(TryRecvError::Empty) => return,
                // It was stopped.
                Err(TryRecvError::Disconnected) => break Stage::Idle,
            }
        };
        self.stage = next;
    }
}

/// The step of the least test loss.
fn best(recording: &Recording) -> Option<u64> {
    let series = recording.scalar(&names::TEST_LOSS)?;
    let known = series.steps().iter().zip(series.values()).filter(|(_, loss)| loss.is_finite());
    known.min_by(|a, b| a.1.total_cmp(b.1)).map(|(step, _)| *step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::spec::ModelKind;
    use crate::probes::job::PastPoint;
    use crate::run::trainer::Trainer;

    fn shown<'a>(spec: &'a RunSpec, recording: &'a Recording, live: bool) -> Shown<'a> {
        Shown { spec, recording, step: 7, live }
    }

    fn wait(comparing: &mut Comparing) {
        for _ in 0..6_000 {
            comparing.receive();
            if !matches!(comparing.stage, Stage::Running(..)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("it never ends");
    }

    #[test]
    fn the_run_is_asked_for_its_weights_and_the_answer_is_compared() {
        let mut spec = RunSpec::default();
        spec.model.kind = ModelKind::Mlp;
        spec.task.train_size = 64;
        let trainer = Trainer::new(spec.clone()).unwrap();
        let start = trainer.model().layout().flatten(&trainer.params().frozen().unwrap()).unwrap();
        let point = |step: u64, factor: f64| {
            let params = start.iter().map(|w| (w * factor) as f32).collect();
            PastPoint { step, loss: 0.0, params: Arc::new(params) }
        };
        let points = Arc::new(vec![point(0, 1.0), point(40, 2.0)]);
        let checkpoints = Arc::new(Checkpoints::new(spec.clone(), points));
        let (recording, wake) = (Recording::default(), Wake::default());
        let mut comparing = Comparing::default();
        assert!(comparing.apply(ConnectivityAction::Start, &shown(&spec, &recording, true), &wake));
        assert!(matches!(comparing.stage, Stage::Asking(_)));
        comparing.take(checkpoints.clone(), &wake);
        wait(&mut comparing);
        let Stage::Done(found, plots) = &comparing.stage else { panic!("not done") };
        assert_eq!((found.ends[0].name.as_str(), found.ends[1].name.as_str(), plots.len()), ("step 0", "step 40", 2));
        // Nobody asked: an answer changes nothing.
        comparing.take(checkpoints, &wake);
        assert!(matches!(comparing.stage, Stage::Done(..)));
    }

    #[test]
    fn what_is_missing_is_said_at_once() {
        let (spec, recording, wake) = (RunSpec::default(), Recording::default(), Wake::default());
        let mut comparing = Comparing::default();
        assert!(!comparing.apply(ConnectivityAction::Start, &shown(&spec, &recording, false), &wake));
        assert!(matches!(&comparing.stage, Stage::Failed(message) if message.contains("files")));
        for (pick, word) in [(Pick::File, "path"), (Pick::Best, "test loss")] {
            let end = EndChoice { pick, path: String::new() };
            comparing.apply(ConnectivityAction::End(1, end), &shown(&spec, &recording, true), &wake);
            comparing.apply(ConnectivityAction::Start, &shown(&spec, &recording, true), &wake);
            assert!(matches!(&comparing.stage, Stage::Failed(message) if message.contains(word)), "{pick:?}");
        }
    }
}
