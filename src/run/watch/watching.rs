//! Checkpoints on their way into a recording: the cheap numbers at once, the heavy ones in turn.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::nn::weights;
use crate::record::{Fingerprint, Intervention, Reading, TrackId, names};
use crate::run::connectivity::Checkpoints;
use crate::run::history::History;
use crate::run::knobs::KnobValue;
use crate::run::live_run::Stop;
use crate::run::messages::Event;
use crate::run::outbox::Outbox;
use crate::run::prober::{Findings, Mode, Prober, point};
use crate::run::trainer::{TrainError, Trainer};
use crate::run::{threshold, weights_file};

use super::beginning::Beginning;
use super::folder::{Arrived, Folder, Found};
use super::{WatchOrder, settings};

/// Time a probe works before the folder and the commands get their turn.
const PIECE: Duration = Duration::from_millis(15);

/// A checkpoint whose heavy measurements are still to come.
struct Waiting {
    step: u64,
    path: PathBuf,
    hash: blake3::Hash,
}

/// A training that is watched.
pub struct Watching {
    folder: Folder,
    trainer: Trainer,
    prober: Prober,
    history: History,
    steps_known: bool,
    /// Steps that are in the recording.
    taken: BTreeSet<u64>,
    waiting: VecDeque<Waiting>,
    /// The checkpoint in work.
    current: Option<(u64, Vec<f64>)>,
    /// The newest one whose curvature can be measured.
    newest: Option<(u64, Vec<f64>)>,
}

impl Watching {
    /// Announces the recording.
    pub fn begin(order: &WatchOrder, beginning: Beginning, finest_slice: usize, outbox: &Outbox) -> Result<Self, Stop> {
        let Beginning { trainer, data, steps_known } = beginning;
        let mut header = trainer.header();
        header.watched = Some(order.folder.display().to_string());
        header.planned_steps = 0;
        header.preconditioned_formula.clear();
        if !steps_known {
            header.threshold_formula.clear();
        }
        outbox.send(Event::Started { header: Arc::new(header), spec: Box::new(trainer.spec().clone()) })?;
        let prober = Prober::new(finest_slice, trainer.model().attention_heads() > 0);
        Ok(Self {
            folder: Folder::new(&order.folder, data),
            history: History::new(trainer.model().layout().total()),
            prober: if order.probes.is_empty() { prober } else { prober.only(&order.probes) },
            trainer,
            steps_known,
            taken: BTreeSet::new(),
            waiting: VecDeque::new(),
            current: None,
            newest: None,
        })
    }

    /// Takes in what has come. `go_on` is asked between pieces of the work.
    pub fn look(&mut self, go_on: &dyn Fn() -> bool, outbox: &Outbox) -> Result<(), Stop> {
        for found in self.folder.look() {
            let remark = match found {
                Found::Remark(text) => Some(text),
                Found::Checkpoint(arrived) => self.take(&arrived, go_on, outbox)?,
            };
            if let Some(text) = remark {
                outbox.send(Event::Remark(text))?;
            }
        }
        Ok(())
    }

    /// Records what is cheap of a checkpoint; why it can't be, or what is wrong with it.
    fn take(&mut self, arrived: &Arrived, go_on: &dyn Fn() -> bool, outbox: &Outbox) -> Result<Option<String>, Stop> {
        let (name, step) = (arrived.name(), arrived.step);
        if let Some(why) = self.is_late(arrived) {
            return Ok(Some(why));
        }
        let flat = match weights::from_bytes(self.trainer.model().layout(), &arrived.bytes) {
            Ok(flat) => flat,
            Err(error) => return Ok(Some(format!("{name} is passed over: {error}{}", transposed(&error)))),
        };
        self.trainer.stand_at(step, &flat)?;
        let Some(whole) = self.trainer.whole(go_on)? else { return Ok(None) };
        let loss = whole.loss as f32;
        let mut readings = vec![
            (names::TRAIN_LOSS, Reading::Scalar(whole.loss)),
            (names::GRADIENT_NORM, Reading::Vector(whole.gradient_norm)),
            (names::ROLE_GRADIENT_NORM, Reading::Vector(whole.role_gradient_norm)),
            (names::WEIGHT_NORM, Reading::Vector(whole.weight_norm)),
        ];
        readings.extend(whole.accuracy.map(|share| (names::TRAIN_ACCURACY, Reading::Scalar(share))));
        if !self.trainer.task().test.is_empty() {
            let test = self.trainer.evaluate()?;
            readings.push((names::TEST_LOSS, Reading::Scalar(test.loss)));
            readings.extend(test.accuracy.map(|share| (names::TEST_ACCURACY, Reading::Scalar(share))));
        }
        if let Some(lr) = self.lr(&arrived.bytes) {
            readings.push((names::LR, Reading::Scalar(lr)));
            let line = threshold::value(self.trainer.spec(), lr).filter(|_| self.steps_known);
            readings.extend(line.map(|line| (names::SHARPNESS_THRESHOLD, Reading::Scalar(line))));
        }
        outbox.snapshot(TrackId(0), step, readings)?;
        let hash = self.trainer.params().hash().map_err(TrainError::from)?;
        outbox.send(Event::Fingerprint(Fingerprint { track: TrackId(0), step, hash }))?;
        self.taken.insert(step);
        let broken = flat.iter().filter(|x| !x.is_finite()).count();
        if broken > 0 {
            let first = self.first_broken(&flat);
            return Ok(Some(format!(
                "{name} has {broken} of {} numbers that aren't finite, the first in {first:?}: its curvature isn't measured",
                flat.len()
            )));
        }
        if self.history.wants(step) {
            self.history.push(point(&self.trainer, loss)?);
        }
        self.newest = Some((step, flat));
        self.waiting.push_back(Waiting { step, path: arrived.path.clone(), hash: arrived.hash });
        Ok(None)
    }

    /// Why a checkpoint comes too late: readings of a series go forward.
    fn is_late(&self, arrived: &Arrived) -> Option<String> {
        let (name, step) = (arrived.name(), arrived.step);
        let newest = *self.taken.last()?;
        if self.taken.contains(&step) {
            return Some(if arrived.again {
                format!(
                    "{name} was replaced after it was measured: the recording keeps the first; watch anew to measure it again"
                )
            } else {
                format!("{name} is passed over: another file of step {step} is measured already")
            });
        }
        (step < newest).then(|| {
            format!("{name} is passed over: it came after step {newest}, and a recording goes forward; watch anew to have it")
        })
    }

    /// The learning rate that the file carries, or else the model's file says.
    fn lr(&self, bytes: &[u8]) -> Option<f64> {
        let carried = weights::metadata(bytes).get("lr").and_then(|text| text.trim().parse().ok());
        let carried = carried.filter(|lr: &f64| lr.is_finite() && *lr >= 0.0);
        carried.or(self.steps_known.then_some(self.trainer.spec().optimizer.lr))
    }

    fn first_broken(&self, flat: &[f64]) -> String {
        let layout = self.trainer.model().layout();
        let broken = |index: &usize| flat[layout.range(*index)].iter().any(|x| !x.is_finite());
        let first = (0..layout.infos().len()).find(broken);
        first.map(|index| layout.infos()[index].name.clone()).unwrap_or_default()
    }

    /// Whether heavy measurements are to be made.
    pub fn has_work(&self) -> bool {
        self.current.is_some() || !self.waiting.is_empty()
    }

    /// One piece of the heavy measurements.
    pub fn measure(&mut self, interrupted: &dyn Fn() -> bool, outbox: &Outbox) -> Result<(), Stop> {
        if self.current.is_none() {
            let Some(next) = self.waiting.pop_front() else { return Ok(()) };
            match self.read_again(&next) {
                Ok(flat) => self.current = Some((next.step, flat)),
                Err(why) => return Ok(outbox.send(Event::Remark(why))?),
            }
        }
        let Some((step, flat)) = &self.current else { return Ok(()) };
        let step = *step;
        if self.trainer.steps_done() != step {
            self.trainer.stand_at(step, flat)?;
        }
        let Findings { readings, picture } =
            self.prober.advance(&self.trainer, &self.history, Mode::Resting, PIECE, interrupted)?;
        for (step, readings) in readings {
            outbox.snapshot(TrackId(0), step, readings)?;
        }
        if let Some((step, readings)) = picture {
            outbox.picture(TrackId(0), step, readings)?;
        }
        if !self.prober.has_work(step, self.trainer.spec()) {
            self.current = None;
            outbox.send(Event::AtRest { step })?;
        }
        Ok(())
    }

    /// The parameters of a checkpoint: those in memory, or its file once more.
    fn read_again(&self, next: &Waiting) -> Result<Vec<f64>, String> {
        if let Some((_, flat)) = self.newest.as_ref().filter(|(step, _)| *step == next.step) {
            return Ok(flat.clone());
        }
        let file = next.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let lost = "before its curvature was measured; its losses are recorded";
        let bytes = std::fs::read(&next.path).map_err(|error| format!("{file} was removed {lost} ({error})"))?;
        if blake3::hash(&bytes) != next.hash {
            return Err(format!("{file} was replaced {lost}"));
        }
        weights::from_bytes(self.trainer.model().layout(), &bytes).map_err(|error| format!("{file}: {error}"))
    }

    /// Whether nothing is left to do, and `once` or the other program's word says that nothing more comes.
    pub fn is_over(&self, once: bool) -> bool {
        !self.has_work() && self.folder.is_settled() && (once || self.folder.is_finished())
    }

    /// Steps that are in the recording.
    pub fn checkpoints_taken(&self) -> usize {
        self.taken.len()
    }

    pub fn newest_step(&self) -> u64 {
        self.taken.last().copied().unwrap_or(0)
    }

    /// Turns a knob of the measurements: the newest checkpoint is measured anew.
    pub fn set_knob(&mut self, id: &str, value: &KnobValue, outbox: &Outbox) -> Result<(), Stop> {
        let Some(knob) = settings().find(|knob| knob.id == id) else {
            let text = format!("{id} belongs to the training, which goes on elsewhere: it can't be turned here");
            return Ok(outbox.send(Event::Remark(text))?);
        };
        let mut spec = self.trainer.spec().clone();
        let from = knob.get(&spec);
        if from == *value || knob.set(&mut spec, value).is_err() {
            return Ok(());
        }
        let mark = Intervention {
            track: TrackId(0),
            step: self.newest_step(),
            knob: id.into(),
            from: from.to_string(),
            to: value.to_string(),
        };
        self.trainer.set_live(spec.clone());
        self.prober.discard();
        outbox.send(Event::Intervention { mark, spec: Box::new(spec) })?;
        if !self.has_work() {
            self.current.clone_from(&self.newest);
        }
        Ok(())
    }

    /// Writes the newest parameters, and tells how that went.
    pub fn save_weights(&mut self, path: &Path, outbox: &Outbox) -> Result<(), Stop> {
        let Some((step, flat)) = &self.newest else {
            return Ok(outbox.send(Event::SaveFailed("No checkpoint has come yet, so there are no weights".into()))?);
        };
        self.trainer.stand_at(*step, flat)?;
        let params = self.trainer.params().frozen().map_err(TrainError::from)?;
        let written = weights_file::write(path, self.trainer.model().layout(), &params);
        let told =
            written.map_or_else(|error| Event::SaveFailed(error.to_string()), |()| Event::Saved(path.to_owned()));
        Ok(outbox.send(told)?)
    }

    /// The checkpoints that are kept in memory.
    pub fn checkpoints(&mut self) -> Result<Checkpoints, Stop> {
        if let Some((step, flat)) = &self.newest {
            self.trainer.stand_at(*step, flat)?;
        }
        let points = self.history.up_to(None, point(&self.trainer, f32::NAN)?);
        Ok(Checkpoints::new(self.trainer.spec().clone(), points))
    }
}

/// A word to those who save `nn.Linear` as it is.
fn transposed(error: &weights::WeightsError) -> &'static str {
    let weights::WeightsError::Shape { found, expected, .. } = error else { return "" };
    if found.len() == 2 && found.iter().eq(expected.iter().rev()) {
        " (this is its transpose, as PyTorch's nn.Linear has it: save weight.T.contiguous())"
    } else {
        ""
    }
}
