//! What the picture means for training: SGD and Adam on Post-LN transformers, with and without branches over the root of
//! the depth.

use rayon::prelude::*;

use crate::record::{ParamRole, Reading, SeriesId, TrackId};
use crate::run::bench::{Bench, Fleet, Halt, Member, Values};
use crate::run::knobs;
use crate::run::spec::RunSpec;
use crate::run::trainer::{TrainError, Trainer};

/// Weight of the newest loss in the curve that is shown.
const NEWEST: f64 = 0.1;
/// Networks that are stepped between two looks at the commands.
const PIECE: usize = 4;
/// Evaluations of the test split during training, beside the one at the start.
const EVALUATIONS: u64 = 4;

/// An optimiser and a residual scale, in the order of the colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub optimizer: &'static str,
    pub is_scaled: bool,
    /// As charts have it.
    pub label: &'static str,
}

pub(super) const SETTINGS: [Setting; 4] = [
    Setting { optimizer: "sgd", is_scaled: false, label: "SGD, α = 1" },
    Setting { optimizer: "sgd", is_scaled: true, label: "SGD, α = 1/√L" },
    Setting { optimizer: "adam", is_scaled: false, label: "Adam, α = 1" },
    Setting { optimizer: "adam", is_scaled: true, label: "Adam, α = 1/√L" },
];

/// One network to be trained.
struct Job {
    depth: usize,
    setting: usize,
    rate: f64,
}

/// What is known of one that is being trained.
struct Curve {
    track: TrackId,
    setting: usize,
    depth: usize,
    updates: u64,
    /// Smoothed.
    loss: f64,
    diverged: bool,
}

impl Curve {
    /// A plain mean to begin with, then a running one.
    fn see(&mut self, loss: f64) {
        let weight = NEWEST.max(((self.updates + 1) as f64).recip());
        self.loss += weight * (loss - self.loss);
        self.updates += 1;
    }
}

fn jobs(values: &Values) -> Vec<Job> {
    let mut jobs = Vec::new();
    for &depth in values.numbers("depths") {
        for (setting, of) in SETTINGS.iter().enumerate() {
            let rates = values.numbers(if of.optimizer == "sgd" { "sgd-rates" } else { "adam-rates" });
            jobs.extend(rates.iter().map(|&rate| Job { depth: depth as usize, setting, rate }));
        }
    }
    jobs
}

impl Job {
    /// The seed draws inits and batches, so that all settings of one seed see the same.
    fn spec(&self, values: &Values) -> Result<RunSpec, Halt> {
        let setting = SETTINGS[self.setting];
        let mut spec = RunSpec { seed: values.seed, ..RunSpec::default() };
        for (id, text) in [
            ("task", "digits"),
            ("model", "vision-transformer"),
            ("norm", "post-ln"),
            ("activation", "relu"),
            ("heads", "1"),
            ("width", "32"),
            ("depth", &self.depth.to_string()),
            ("depth-scaling", if setting.is_scaled { "inverse-sqrt-blocks" } else { "none" }),
            ("optimizer", setting.optimizer),
            ("momentum", "0.9"),
            ("weight-decay", "0"),
            ("lr", &self.rate.to_string()),
            ("batch-size", "32"),
            ("steps", &values.int("steps").to_string()),
        ] {
            let knob = knobs::find(id).ok_or_else(|| Halt::Error(format!("there is no knob {id}")))?;
            knob.parse(text).and_then(|value| knob.set(&mut spec, &value)).map_err(Halt::Error)?;
        }
        Ok(spec)
    }

    fn attributes(&self, stage: &str) -> Vec<(&'static str, String)> {
        let setting = SETTINGS[self.setting];
        vec![
            ("stage", stage.to_owned()),
            ("optimizer", setting.optimizer.to_owned()),
            ("scaled", setting.is_scaled.to_string()),
            ("setting", setting.label.to_owned()),
            // Colours go along logarithms of positive numbers.
            ("color", f64::from(1 << self.setting).to_string()),
            ("depth", self.depth.to_string()),
            ("rate", self.rate.to_string()),
        ]
    }

    fn track(&self, bench: &mut Bench<'_>, stage: &str, label: &str) -> Result<TrackId, Halt> {
        let attributes = self.attributes(stage);
        let attributes: Vec<_> = attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
        bench.track(label, &attributes)
    }
}

/// Of the bench, that training takes.
pub(super) fn rounds(values: &Values) -> u64 {
    values.int("steps") as u64 + 1
}

/// Trains them side by side; beside their curves that of the best rate of each depth and setting at each step.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), Halt> {
    let values = bench.values().clone();
    let steps = values.int("steps") as u64;
    let (mut fleet, mut curves, mut best) = (Fleet::default(), Vec::new(), Vec::new());
    for job in jobs(&values) {
        if best.last().is_none_or(|(_, depth, setting)| (*depth, *setting) != (job.depth, job.setting)) {
            let track = job.track(bench, "best", SETTINGS[job.setting].label)?;
            best.push((track, job.depth, job.setting));
        }
        let track = job.track(bench, "training", &format!("{}, rate {}", SETTINGS[job.setting].label, job.rate))?;
        fleet.0.push(Member::new(track, job.spec(&values)?)?);
        let Job { depth, setting, .. } = job;
        curves.push(Curve { track, setting, depth, updates: 0, loss: 0.0, diverged: false });
        // A restart is felt between two networks.
        bench.record(track, 0, Vec::new())?;
    }
    let every = steps.div_ceil(EVALUATIONS);
    for step in 0..=steps {
        let is_tested = step == steps || step.is_multiple_of(every);
        let mut tests = Vec::with_capacity(curves.len());
        for (members, curves) in fleet.0.chunks_mut(PIECE).zip(curves.chunks_mut(PIECE)) {
            let advanced = advance(members, step < steps, is_tested)?;
            for ((member, curve), now) in members.iter().zip(curves).zip(advanced) {
                let mut scalars = Vec::new();
                if let Some(loss) = now.loss {
                    curve.see(loss);
                    scalars.push(("loss", curve.loss));
                }
                if let Some(test) = now.test {
                    scalars.extend([("test_loss", test.0), ("test_accuracy", test.1)]);
                }
                tests.push(now.test);
                if now.diverged && !curve.diverged {
                    curve.diverged = true;
                    scalars.push(("diverged_at", step as f64));
                }
                if let Some(by_role) = &now.by_role {
                    bench.record(curve.track, step, by_block(member.trainer(), by_role))?;
                }
                bench.record_scalars(curve.track, step, &scalars)?;
            }
        }
        for (track, depth, setting) in &best {
            let is_of = |curve: &Curve| curve.depth == *depth && curve.setting == *setting && !curve.diverged;
            let of = || curves.iter().zip(&tests).filter(|(curve, _)| is_of(curve));
            let lowest = of().filter(|_| step < steps).map(|(curve, _)| curve.loss).reduce(f64::min);
            let test = of().filter_map(|(_, test)| *test).min_by(|a, b| a.0.total_cmp(&b.0));
            let mut scalars: Vec<_> = lowest.map(|loss| ("best", loss)).into_iter().collect();
            scalars.extend(test.into_iter().flat_map(|t| [("best_test_loss", t.0), ("best_test_accuracy", t.1)]));
            if !scalars.is_empty() {
                bench.record_scalars(*track, step, &scalars)?;
            }
        }
        bench.round()?;
    }
    Ok(())
}

/// What one network did in a step.
struct Advance {
    /// Of the step's batch.
    loss: Option<f64>,
    /// Loss and accuracy on the test split before it.
    test: Option<(f64, f64)>,
    /// Norms of the batch's gradient by the trainer's parts, every now and then.
    by_role: Option<Vec<f32>>,
    diverged: bool,
}

/// Norms of the loss's gradient by queries, keys and values, `[depth]` each.
fn by_block(trainer: &Trainer, norms: &[f32]) -> Vec<(SeriesId, Reading)> {
    let parts = trainer.header().parameter_parts;
    [(ParamRole::Queries, "queries"), (ParamRole::Keys, "keys"), (ParamRole::Values, "values")]
        .map(|(role, name)| {
            let of_role = parts.iter().zip(norms).filter(|(part, _)| part.role == role);
            (SeriesId::from_static(name), Reading::Vector(of_role.map(|(_, norm)| *norm).collect()))
        })
        .to_vec()
}

/// One update of each network, in parallel: networks share nothing, so that their numbers don't depend on it.
fn advance(members: &mut [Member], is_updated: bool, is_tested: bool) -> Result<Vec<Advance>, TrainError> {
    let one = |member: &mut Member| {
        let is_tested = is_tested && member.diverged().is_none();
        let test = if is_tested { Some(member.trainer().evaluate()?) } else { None };
        let report = if is_updated { member.step()? } else { None };
        Ok(Advance {
            loss: report.as_ref().map(|report| report.loss),
            by_role: report.and_then(|report| report.by_role).map(|norms| norms.gradient),
            test: test.map(|test| (test.loss, test.accuracy.unwrap_or(f64::NAN))),
            diverged: member.diverged().is_some(),
        })
    };
    members.par_iter_mut().map(one).collect()
}
