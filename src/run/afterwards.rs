//! Back to a step of a recording, to measure there what nobody measured then.

use std::path::{Path, PathBuf};
use std::time::Duration;

use candle_core::{DType, Device};

use crate::nn::autodiff;
use crate::nn::batch::Batch;
use crate::nn::statistics::under;
use crate::probes::measure::{Options, Subject};
use crate::record::file::{self, RecordingWriter};
use crate::record::{CheckpointInfo, Fork, Recording, Snapshot, TrackId};
use crate::tasks::data::Split;

use super::history::History;
use super::ledger::Ledger;
use super::measuring::{measuring_pool, narrow_batch};
use super::prober::{Mode, Prober, point};
use super::replay::{self, Reached};
use super::trainer::{TrainError, Trainer};

/// Checkpoints that a slice's path goes through, at most.
const PATH_POINTS: usize = 48;
/// Points a side of a slice.
const FINEST: usize = 65;

/// A recording whose steps can be gone back to.
pub struct Revisit {
    path: PathBuf,
    ledger: Ledger,
    known: Vec<CheckpointInfo>,
    reached: Vec<(TrackId, u64)>,
}

impl Revisit {
    /// # Errors
    /// [`TrainError::Spec`] for a lab's recording, and for a specification that can't be read.
    pub fn new(path: &Path, recording: &Recording) -> Result<Self, TrainError> {
        if let Some(lab) = &recording.header.lab {
            let text = format!(
                "this is a recording of the lab {:?}, which keeps no checkpoints; use one of the Playground",
                lab.id
            );
            return Err(TrainError::Spec(text));
        }
        let ledger = Ledger::of(recording).map_err(|error| TrainError::Spec(error.to_string()))?;
        let reached = recording.tracks().map(|(id, track)| (id, track.newest_step())).collect();
        Ok(Self { path: path.into(), ledger, known: recording.checkpoints.clone(), reached })
    }

    /// Checkpoints on the way to a step, oldest first.
    fn on_the_way(&self, to: Fork) -> Vec<CheckpointInfo> {
        let path = self.ledger.lineage(to.track);
        let mut found: Vec<_> = self
            .known
            .iter()
            .filter(|info| {
                let part = path.iter().find(|(track, _)| *track == info.track);
                part.is_some_and(|(_, until)| info.step <= until.unwrap_or(u64::MAX).min(to.step))
            })
            .copied()
            .collect();
        found.sort_by_key(|info| info.step);
        found
    }

    /// The run at a step, trained from the last checkpoint before it (from the beginning, if there is none).
    ///
    /// # Errors
    /// [`TrainError`] if the track never came so far, and for what of the file, the data or the device is wrong.
    pub fn at(&self, to: Fork, stop: &dyn Fn() -> bool) -> Result<Trainer, TrainError> {
        let Some((_, newest)) = self.reached.iter().find(|(id, _)| *id == to.track) else {
            let known: Vec<_> = self.reached.iter().map(|(id, _)| id.0.to_string()).collect();
            let text = format!("there is no track {} in the recording; give one of {}", to.track.0, known.join(", "));
            return Err(TrainError::Spec(text));
        };
        if to.step > *newest {
            let text = format!(
                "step {} is beyond what was recorded of track {}; give one from 0 to {newest}",
                to.step, to.track.0
            );
            return Err(TrainError::Spec(text));
        }
        let start = self.on_the_way(to).pop();
        let mut root = self.ledger.root_of(to.track).clone();
        if start.is_some() {
            root.init_weights = None;
        }
        let mut trainer = Trainer::new(root)?;
        if let Some(info) = start {
            trainer.resume(&file::checkpoint(&self.path, info.track, info.step)?.data)?;
        }
        match replay::advance(&mut trainer, &self.ledger, to.track, to.step, stop, &mut |_, _| Ok(()))? {
            Reached::There => Ok(trainer),
            Reached::Stopped => Err(TrainError::Spec("stopped".into())),
            Reached::Diverged(divergence) => Err(TrainError::Spec(divergence.to_string())),
        }
    }

    /// The path of the run up to a step, as slices want it.
    fn history(&self, to: Fork, trainer: &mut Trainer) -> Result<History, TrainError> {
        let mut history = History::new(trainer.model().layout().total());
        let known = self.on_the_way(to);
        let by = known.len().div_ceil(PATH_POINTS).max(1);
        for info in known.iter().filter(|info| info.step < to.step).step_by(by) {
            trainer.resume(&file::checkpoint(&self.path, info.track, info.step)?.data)?;
            history.push(point(trainer, f32::NAN)?);
        }
        Ok(history)
    }

    /// Everything that the Playground's panes show of the parameters at a step, measured as at rest.
    ///
    /// # Errors
    /// As [`Self::at`].
    pub fn readings(&self, to: Fork, stop: &(dyn Fn() -> bool + Sync)) -> Result<Vec<Snapshot>, TrainError> {
        let pool = measuring_pool()?;
        pool.install(|| {
            for report in pool.broadcast(|_| autodiff::self_test()) {
                report.map_err(|error| TrainError::Spec(error.to_string()))?;
            }
            let mut trainer = self.at(to, &stop)?;
            let here = trainer.checkpoint(f64::NAN)?;
            let history = self.history(to, &mut trainer)?;
            let spec = self.ledger.spec_at(to.track, to.step).map_err(|error| TrainError::Spec(error.to_string()))?;
            trainer.set_live(spec.clone());
            trainer.restore(&here)?;
            let mut prober = Prober::new(FINEST, trainer.model().attention_heads() > 0);
            let mut found = Vec::new();
            while prober.has_work(to.step, &spec) && !stop() {
                let piece = Duration::from_millis(200);
                for (step, readings) in prober.advance(&trainer, &history, Mode::Resting, piece, &stop)?.readings {
                    found.push(Snapshot { track: to.track, step, readings });
                }
            }
            Ok(found)
        })
    }

    /// Measures as [`Self::readings`] and adds what it finds to the file.
    ///
    /// # Errors
    /// As there; if the file is being written by somebody else.
    pub fn add(&self, to: Fork, stop: &(dyn Fn() -> bool + Sync)) -> Result<Vec<Snapshot>, TrainError> {
        // Before the work, so that nobody waits for nothing.
        let mut writer = RecordingWriter::reopen(&self.path)?;
        let found = self.readings(to, stop)?;
        for snapshot in &found {
            writer.append(snapshot)?;
        }
        writer.flush()?;
        Ok(found)
    }
}

/// Which examples of a run are measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// As training sees them, with label noise.
    Train,
    Test,
}

/// A run's parameters for measurements, on the first `examples` of a split (0: all).
///
/// # Errors
/// Whatever candle says of the device.
pub fn subject(
    trainer: &Trainer,
    part: Part,
    examples: usize,
    dtype: DType,
    options: Options,
) -> Result<Subject, TrainError> {
    let split: &Split = match part {
        Part::Train => trainer.train(),
        Part::Test => &trainer.task().test,
    };
    let count = if examples == 0 { split.len() } else { examples.min(split.len()) };
    let indices: Vec<_> = (0..count).collect();
    let device: &Device = trainer.device();
    let spec = trainer.spec();
    let batch: Batch = narrow_batch(&split.select(&indices), dtype, device)?;
    Ok(Subject {
        model: under(trainer.model().clone(), spec.probes.statistics, spec.batch_size),
        spec: spec.model.clone(),
        params: trainer.params().frozen()?.iter().map(|t| t.to_dtype(dtype)).collect::<candle_core::Result<_>>()?,
        reference: None,
        loss: spec.loss.clone(),
        batch,
        dtype,
        device: device.clone(),
        streams: trainer.streams(),
        options,
    })
}
