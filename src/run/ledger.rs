//! What was done to a run, and which specification that means at a step.

use std::collections::BTreeMap;

use crate::record::{Fork, Intervention, Recording, TrackId, TrackInfo};

use super::knobs;
use super::lockstep::SPEC;
use super::spec::{RunSpec, SpecError};

/// Marks on the time line that change nothing.
pub const FORK: &str = "fork";
pub const RESTORE: &str = "restore";

/// A mark that can't be carried out again.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error(
        "the intervention at step {step} turns {knob:?} to {to:?}, which this program can't do; open the recording with the version that wrote it"
    )]
    Unknown { step: u64, knob: String, to: String },
    #[error(
        "the recording shows a training of another program, watched in {folder:?}: it can't be done again or gone on with here; train there, and watch anew"
    )]
    Watched { folder: String },
}

/// The specification at the start, the branches and the interventions of a recording.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    root: RunSpec,
    /// Of tracks that are no branches of the first: twins.
    others: BTreeMap<TrackId, RunSpec>,
    /// Without readings.
    book: Recording,
}

impl Ledger {
    pub fn new(root: RunSpec) -> Self {
        Self { root, others: BTreeMap::new(), book: Recording::default() }
    }

    /// # Errors
    /// [`LedgerError`] if the header's specification can't be read.
    pub fn of(recording: &Recording) -> Result<Self, LedgerError> {
        if let Some(folder) = &recording.header.watched {
            return Err(LedgerError::Watched { folder: folder.clone() });
        }
        let root = RunSpec::from_toml(&recording.header.spec, "of the recording")?;
        let mut ledger = Self::new(root);
        for (id, track) in recording.tracks() {
            if let Some(text) = track.attributes.get(SPEC) {
                ledger.others.insert(id, RunSpec::from_toml(text, "of the track")?);
            }
            if let Some(parent) = track.parent {
                let (label, attributes) = (track.label.clone(), track.attributes.clone());
                ledger.begin(&TrackInfo { id, label, attributes, parent: Some(parent) });
            }
        }
        recording.interventions.iter().for_each(|mark| ledger.note(mark.clone()));
        Ok(ledger)
    }

    /// The specification before the first intervention.
    pub fn root(&self) -> &RunSpec {
        &self.root
    }

    /// The specification with which a track, or what it branches from, began.
    pub fn root_of(&self, track: TrackId) -> &RunSpec {
        let first = self.lineage(track).first().map_or(track, |(first, _)| *first);
        self.others.get(&first).unwrap_or(&self.root)
    }

    pub fn begin(&mut self, info: &TrackInfo) {
        self.book.begin_track(info);
    }

    pub fn note(&mut self, mark: Intervention) {
        self.book.intervene(mark);
    }

    pub fn lineage(&self, track: TrackId) -> Vec<(TrackId, Option<u64>)> {
        self.book.lineage(track)
    }

    /// A track's number that isn't taken.
    pub fn next_track(&self) -> TrackId {
        TrackId(self.book.tracks().map(|(id, _)| id.0 + 1).max().unwrap_or(1))
    }

    /// The last step that two tracks have in common.
    pub fn common_step(&self, a: TrackId, b: TrackId) -> u64 {
        let (a, b) = (self.lineage(a), self.lineage(b));
        let shared = a.iter().zip(&b).take_while(|(a, b)| a.0 == b.0);
        shared.map(|(a, b)| a.1.unwrap_or(u64::MAX).min(b.1.unwrap_or(u64::MAX))).last().unwrap_or(0)
    }

    /// What was done to a track at steps from `first` to `last`, its history included.
    pub fn marks(&self, track: TrackId, first: u64, last: u64) -> impl Iterator<Item = &Intervention> {
        self.book.interventions_of(track).filter(move |mark| (first..=last).contains(&mark.step))
    }

    /// The specification in force for the update after `step`.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`].
    pub fn spec_at(&self, track: TrackId, step: u64) -> Result<RunSpec, LedgerError> {
        let mut spec = self.root_of(track).clone();
        self.marks(track, 0, step).try_for_each(|mark| apply(&mut spec, mark))?;
        Ok(spec)
    }
}

/// Carries out an intervention on a specification.
///
/// # Errors
/// [`LedgerError::Unknown`].
pub fn apply(spec: &mut RunSpec, mark: &Intervention) -> Result<(), LedgerError> {
    if [FORK, RESTORE].contains(&mark.knob.as_str()) {
        return Ok(());
    }
    let unknown = || LedgerError::Unknown { step: mark.step, knob: mark.knob.clone(), to: mark.to.clone() };
    let knob = knobs::find(&mark.knob).ok_or_else(unknown)?;
    let value = knob.parse(&mark.to).map_err(|_| unknown())?;
    knob.set(spec, &value).map_err(|_| unknown())
}

/// The marks that turn `from` into `to`, as far as live knobs can.
pub fn turns(from: &RunSpec, to: &RunSpec, track: TrackId, step: u64) -> Vec<Intervention> {
    let differing = knobs::all().filter(|knob| knob.is_live() && knob.get(from) != knob.get(to));
    differing
        .map(|knob| Intervention {
            track,
            step,
            knob: knob.id.into(),
            from: knob.get(from).to_string(),
            to: knob.get(to).to_string(),
        })
        .collect()
}

/// A mark that says where a branch comes from.
pub fn origin(kind: &str, branch: TrackId, fork: Fork, parent: &str) -> Intervention {
    Intervention {
        track: branch,
        step: fork.step,
        knob: kind.into(),
        from: parent.into(),
        to: format!("step {}", fork.step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(track: u32, step: u64, knob: &str, to: &str) -> Intervention {
        Intervention { track: TrackId(track), step, knob: knob.into(), from: String::new(), to: to.into() }
    }

    #[test]
    fn the_specification_at_a_step_is_what_was_turned_up_to_it_in_the_tracks_own_history() {
        let mut ledger = Ledger::new(RunSpec::default());
        ledger.note(mark(0, 10, "lr", "0.1"));
        ledger.note(mark(0, 20, "batch-size", "7"));
        let parent = Some(Fork { track: TrackId(0), step: 15 });
        ledger.begin(&TrackInfo { id: TrackId(1), parent, ..TrackInfo::default() });
        ledger.note(mark(1, 15, FORK, "step 15"));
        ledger.note(mark(1, 15, "lr", "0.03"));
        let at = |track, step| {
            let spec = ledger.spec_at(TrackId(track), step).unwrap();
            (spec.optimizer.lr, spec.batch_size)
        };
        assert_eq!(at(0, 9), (RunSpec::default().optimizer.lr, 64));
        assert_eq!((at(0, 10), at(0, 20)), ((0.1, 64), (0.1, 7)));
        assert_eq!((at(1, 14), at(1, 15), at(1, 99)), ((0.1, 64), (0.03, 64), (0.03, 64)));
        assert_eq!(ledger.next_track(), TrackId(2));
        assert_eq!(ledger.common_step(TrackId(0), TrackId(1)), 15);
    }

    #[test]
    fn turning_one_specification_into_another_is_told_in_marks_that_do_it() {
        let from = RunSpec::default();
        let mut to = from.clone();
        to.optimizer.lr = 0.1 + 0.2;
        to.batch_size = 0;
        to.task.label_noise = 1e-7 / 3.0;
        let mut again = from.clone();
        for mark in turns(&from, &to, TrackId(0), 3) {
            apply(&mut again, &mark).unwrap();
        }
        assert_eq!(again, to);
    }

    #[test]
    fn an_unknown_knob_is_named() {
        let mut ledger = Ledger::new(RunSpec::default());
        ledger.note(mark(0, 3, "warp", "9"));
        let error = ledger.spec_at(TrackId(0), 3).unwrap_err().to_string();
        assert!(error.contains("warp") && error.contains("step 3"), "{error}");
    }
}
