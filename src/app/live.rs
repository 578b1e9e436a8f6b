//! The run as the window knows it: events in, a recording and a state out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::record::{Divergence, Outcome, Reading, Recording, Snapshot, TrackId, names};
use crate::run::Keeping;
use crate::run::bench::Values;
use crate::run::messages::{Event, PaceReport, Progress, RunState};
use crate::run::spec::RunSpec;

use super::toasts::Notice;

/// What has been heard of a worker.
#[derive(Default)]
pub struct Live {
    pub recording: Recording,
    /// The specification in force.
    pub spec: RunSpec,
    /// The knobs in force, of a lab.
    pub values: Option<Values>,
    /// How far a lab is.
    pub progress: Progress,
    pub state: RunState,
    pub pace: PaceReport,
    pub divergence: Option<Divergence>,
    pub failure: Option<String>,
    /// The newest unfinished slice, newer than any in the recording.
    pub partial: Option<Arc<Snapshot>>,
    /// The newest (step, hash of the parameters): equal hashes, equal bits.
    pub fingerprint: Option<(u64, String)>,
    /// Counts runs and unfinished slices: with the recording's version, a key to what is drawn.
    pub generation: u64,
    misfits: u32,
    /// A lab's recording that isn't shown yet, and since when it comes in.
    incoming: Option<(Instant, Recording)>,
}

/// Longest that the picture before stands in for one that comes in.
const SETTLES_WITHIN: Duration = Duration::from_millis(120);

impl Live {
    /// A run that goes on from a recording.
    pub fn of(recording: Recording, spec: RunSpec) -> Self {
        Self { recording, spec, ..Self::default() }
    }

    /// Takes an event in; what the user should be told comes back.
    pub fn receive(&mut self, event: Event) -> Option<Notice> {
        match event {
            Event::Started { header, spec } => {
                let (state, generation) = (self.state, self.generation + 1);
                *self = Self {
                    recording: Recording::new(Arc::unwrap_or_clone(header)),
                    spec: *spec,
                    state,
                    generation,
                    ..Self::default()
                };
            }
            Event::LabStarted { header, values } => {
                self.incoming = Some((Instant::now(), Recording::new(Arc::unwrap_or_clone(header))));
                self.values = Some(*values);
                (self.progress, self.failure) = (Progress::default(), None);
            }
            Event::Track(info) => {
                if info.parent.is_some() {
                    self.divergence = None;
                    self.partial = None;
                    self.generation += 1;
                }
                self.target().begin_track(&info);
            }
            Event::KnobTurned { mark, values } => {
                self.target().intervene(mark);
                self.values = Some(*values);
            }
            Event::Progress(progress) => self.progress = progress,
            Event::Snapshot(snapshot) => return self.record(&snapshot),
            Event::Picture(snapshot) => {
                self.partial = Some(snapshot);
                self.generation += 1;
            }
            Event::Intervention { mark, spec } => {
                // Of two runs side by side, the knobs show the first.
                if mark.track == TrackId::default() || self.recording.is_branched() {
                    self.spec = *spec;
                }
                self.recording.intervene(mark);
            }
            Event::State(state) => {
                self.state = state;
                if matches!(state, RunState::Preparing | RunState::Running) {
                    self.failure = None;
                    self.divergence = None;
                }
            }
            Event::Pace(pace) => self.pace = pace,
            Event::Ended { track, outcome } => {
                if let Outcome::Diverged(divergence) = &outcome {
                    self.divergence = Some(divergence.clone());
                    if self.state != RunState::Following {
                        self.state = RunState::Diverged;
                    }
                }
                self.target().end_track(track, outcome);
            }
            Event::Checkpoint(Keeping::Kept(checkpoint)) => self.recording.checkpoints.push(checkpoint.info()),
            Event::Checkpoint(Keeping::Found(info)) => self.recording.checkpoints.push(info),
            Event::Checkpoint(Keeping::Dropped { track, step }) => {
                self.recording.checkpoints.retain(|info| (info.track, info.step) != (track, step));
            }
            Event::Note(note) => {
                self.recording.notes.push(note);
                self.recording.touch();
            }
            Event::Failed(message) => {
                self.state = RunState::Failed;
                self.failure = Some(message);
            }
            Event::Fingerprint(fingerprint) => {
                self.fingerprint = Some((fingerprint.step, fingerprint.hash.clone()));
                self.recording.fingerprints.push(fingerprint);
            }
            // The window takes these to whoever asked.
            Event::AtRest { .. } | Event::Checkpoints(_) => {}
            Event::Remark(text) => return Some(Notice::remark(text)),
            Event::Saved(path) => return Some(Notice::done(format!("Saved {}", super::full_path(&path)))),
            Event::SaveFailed(message) => return Some(Notice::problem(message)),
        }
        None
    }

    /// What readings go into.
    fn target(&mut self) -> &mut Recording {
        self.incoming.as_mut().map_or(&mut self.recording, |(_, recording)| recording)
    }

    /// A lab that begins anew has something to show soon; until then the picture before stands still, so that nothing flickers
    /// while a slider is dragged. Whether the new recording has taken its place now.
    pub fn settle(&mut self) -> bool {
        let due = |(since, recording): &(Instant, Recording)| {
            recording.outcome.is_some() || since.elapsed() > SETTLES_WITHIN || self.recording.is_empty()
        };
        let ready = self.incoming.as_ref().is_some_and(due);
        if let Some((_, recording)) = self.incoming.take_if(|_| ready) {
            self.recording = recording;
            self.generation += 1;
        }
        ready
    }

    pub fn is_settling(&self) -> bool {
        self.incoming.is_some()
    }

    fn record(&mut self, snapshot: &Snapshot) -> Option<Notice> {
        let finished = snapshot.readings.iter().any(|(id, _)| *id == names::LANDSCAPE);
        if finished && self.partial.as_ref().is_some_and(|partial| partial.step <= snapshot.step) {
            self.partial = None;
        }
        match self.target().push(snapshot) {
            Ok(()) => None,
            // Measured afterwards.
            Err(misfit) if misfit.is_late => {
                self.target().insert(vec![snapshot.clone()]);
                None
            }
            Err(misfit) => {
                self.misfits += 1;
                // One bad series would otherwise bury the window under messages.
                (self.misfits == 1).then(|| Notice::problem(format!("A measurement was left out: {misfit}")))
            }
        }
    }

    /// A small recording that holds the unfinished slice alone, for the landscape pane; `None` when the
    /// recording's own is as new.
    pub fn partial_slice(&self) -> Option<Recording> {
        let partial = self.partial.as_ref()?;
        let mut slice = Recording::new(self.recording.header.clone());
        let readings: Vec<_> =
            partial.readings.iter().filter(|(_, reading)| matches!(reading, Reading::Surface(_))).cloned().collect();
        slice.push(&Snapshot { readings, ..(**partial).clone() }).ok()?;
        // So that the pane can say how old the slice is.
        let newest = self.recording.newest_step().max(partial.step);
        slice.push(&Snapshot { track: partial.track, step: newest, readings: Vec::new() }).ok()?;
        Some(slice)
    }

    pub fn is_running(&self) -> bool {
        matches!(self.state, RunState::Running | RunState::Preparing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Circumstances, Fork, Header, Intervention, SeriesId, Surface, TrackId, TrackInfo};

    fn scalar(step: u64) -> Event {
        let readings = vec![(SeriesId::owned("x"), Reading::Scalar(step as f64))];
        Event::Snapshot(Arc::new(Snapshot { track: TrackId(0), step, readings }))
    }

    fn slice(step: u64) -> Arc<Snapshot> {
        let surface = Surface {
            n: 1,
            radius: 1.0,
            loss: vec![0.5],
            accuracy: Vec::new(),
            valid: vec![true],
            path: Vec::new(),
            path_share: 0.0,
            directions: String::new(),
            axes: Default::default(),
            circumstances: Arc::new(Circumstances::default()),
        };
        let readings = vec![(names::LANDSCAPE, Reading::Surface(Arc::new(surface)))];
        Arc::new(Snapshot { track: TrackId(0), step, readings })
    }

    #[test]
    fn a_new_run_begins_a_new_recording() {
        let mut live = Live::default();
        live.receive(scalar(3));
        live.receive(Event::Failed("lost".into()));
        let spec = RunSpec { seed: 7, ..RunSpec::default() };
        let header = Arc::new(Header { parameters: 5, ..Header::default() });
        live.receive(Event::Started { header, spec: Box::new(spec.clone()) });
        assert!(live.recording.is_empty() && live.failure.is_none());
        assert_eq!((live.spec.clone(), live.recording.header.parameters), (spec, 5));
    }

    #[test]
    fn an_unfinished_slice_shows_until_the_finished_one_arrives_and_is_never_recorded() {
        let mut live = Live::default();
        live.receive(scalar(9));
        live.receive(Event::Picture(slice(7)));
        let shown = live.partial_slice().unwrap();
        assert_eq!(shown.latest_at(&names::LANDSCAPE, 99).unwrap().0, 7);
        assert_eq!(shown.newest_step(), 9);
        assert!(live.recording.latest_at(&names::LANDSCAPE, 99).is_none());
        live.receive(Event::Snapshot(slice(7)));
        assert!(live.partial_slice().is_none());
        assert!(live.recording.latest_at(&names::LANDSCAPE, 99).is_some());
    }

    #[test]
    fn after_a_divergence_a_branch_goes_on_and_the_run_that_diverged_stays() {
        let mut live = Live::default();
        (0..10).for_each(|step| drop(live.receive(scalar(step))));
        let divergence = Divergence { step: 9, layer: "block 2".into(), quantity: "activation".into() };
        let outcome = Outcome::Diverged(divergence.clone());
        live.receive(Event::Ended { track: TrackId(0), outcome: outcome.clone() });
        assert_eq!((&live.recording.outcome, &live.divergence), (&Some(outcome.clone()), &Some(divergence)));
        let parent = Some(Fork { track: TrackId(0), step: 5 });
        live.receive(Event::Track(TrackInfo { id: TrackId(1), parent, ..TrackInfo::default() }));
        assert_eq!((live.recording.newest_step(), live.divergence.clone()), (5, None));
        assert_eq!((&live.recording.outcome, live.recording.outcome_of(TrackId(0))), (&None, Some(&outcome)));
    }

    #[test]
    fn an_intervention_changes_the_specification_in_force_and_leaves_its_mark() {
        let mut live = Live::default();
        let mark = Intervention { track: TrackId(0), step: 4, knob: "lr".into(), from: "1".into(), to: "2".into() };
        let spec = RunSpec { batch_size: 8, ..RunSpec::default() };
        live.receive(Event::Intervention { mark: mark.clone(), spec: Box::new(spec.clone()) });
        assert_eq!((live.recording.interventions.as_slice(), &live.spec), (&[mark][..], &spec));
    }

    #[test]
    fn a_reading_that_does_not_fit_is_reported_once_and_a_late_one_finds_its_place() {
        let mut live = Live::default();
        live.receive(scalar(9));
        assert!(live.receive(scalar(3)).is_none());
        assert_eq!(live.recording.scalar(&SeriesId::owned("x")).unwrap().steps(), [3, 9]);
        let other = |step| {
            let readings = vec![(SeriesId::owned("x"), Reading::Vector(vec![1.0]))];
            Event::Snapshot(Arc::new(Snapshot { track: TrackId(0), step, readings }))
        };
        assert!(live.receive(other(10)).is_some());
        assert!(live.receive(other(11)).is_none());
    }
}
