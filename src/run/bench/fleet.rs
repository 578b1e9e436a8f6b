//! Several training runs that go on side by side.

use crate::record::{Divergence, TrackId};
use crate::run::spec::RunSpec;
use crate::run::trainer::{StepOutcome, StepReport, TrainError, Trainer};

/// One training run of a protocol.
pub struct Member {
    pub track: TrackId,
    trainer: Trainer,
    diverged: Option<Divergence>,
}

impl Member {
    /// Loads the data, builds and initialises the network.
    ///
    /// # Errors
    /// What of the specification, the data or the device is wrong.
    pub fn new(track: TrackId, spec: RunSpec) -> Result<Self, TrainError> {
        Ok(Self { track, trainer: Trainer::new(spec)?, diverged: None })
    }

    /// One update; none once the run has diverged, which is a result and no error.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn step(&mut self) -> Result<Option<StepReport>, TrainError> {
        if self.diverged.is_some() {
            return Ok(None);
        }
        match self.trainer.step()? {
            StepOutcome::Done(report) => Ok(Some(report)),
            StepOutcome::Diverged(divergence) => {
                self.diverged = Some(divergence);
                Ok(None)
            }
        }
    }

    pub fn diverged(&self) -> Option<&Divergence> {
        self.diverged.as_ref()
    }

    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    pub fn trainer_mut(&mut self) -> &mut Trainer {
        &mut self.trainer
    }

    /// Changes live fields of the specification before the next update.
    pub fn set_live(&mut self, change: impl FnOnce(&mut RunSpec)) {
        let mut spec = self.trainer.spec().clone();
        change(&mut spec);
        if spec != *self.trainer.spec() {
            self.trainer.set_live(spec);
        }
    }
}

/// Runs that are stepped in turn, so that their curves grow together.
#[derive(Default)]
pub struct Fleet(pub Vec<Member>);

impl Fleet {
    /// One update of each member that hasn't diverged; with each member's report.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn step(&mut self) -> Result<Vec<(TrackId, Option<StepReport>)>, TrainError> {
        self.0.iter_mut().map(|member| Ok((member.track, member.step()?))).collect()
    }

    /// Whether all have diverged.
    pub fn is_over(&self) -> bool {
        self.0.iter().all(|member| member.diverged.is_some())
    }
}
