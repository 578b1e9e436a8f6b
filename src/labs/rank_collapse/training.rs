//! What the picture means for training: SGD and Adam on Post-LN transformers, with and without branches over the root of
//! the depth.

use rayon::prelude::*;

use crate::record::{Reading, SeriesId, TrackId};
use crate::run::bench::{Bench, Fleet, Halt, Member, Values};
use crate::run::knobs;
use crate::run::spec::RunSpec;

/// Weight of the newest loss in the curve that is shown.
const NEWEST: f64 = 0.1;
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
    job: Job,
    /// The smoothed loss at each step.
    losses: Vec<f64>,
    /// On the test split, (step, loss, accuracy).
    tests: Vec<(u64, f64, f64)>,
    diverged: bool,
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

/// Trains them side by side, then says which rate was best for whom.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), Halt> {
    let values = bench.values().clone();
    let steps = values.int("steps") as u64;
    let mut fleet = Fleet::default();
    let mut curves = Vec::new();
    let many = values.numbers("depths").len() > 1;
    for job in jobs(&values) {
        let depth = if many { format!(", L = {}", job.depth) } else { String::new() };
        let label = format!("{}{depth}, rate {}", SETTINGS[job.setting].label, job.rate);
        let track = job.track(bench, "training", &label)?;
        fleet.0.push(Member::new(track, job.spec(&values)?)?);
        curves.push(Curve { job, losses: Vec::new(), tests: Vec::new(), diverged: false });
        bench.record(track, 0, Vec::new())?;
    }
    let every = steps.div_ceil(EVALUATIONS);
    bench.plan(steps + 1);
    for step in 0..=steps {
        let is_tested = step == steps || step.is_multiple_of(every);
        let found: Vec<_> = fleet
            .0
            .par_iter_mut()
            .map(|member| {
                let test = if is_tested && member.diverged().is_none() { Some(member.trainer().evaluate()?) } else { None };
                let report = if step < steps { member.step()? } else { None };
                Ok((member.track, member.diverged().is_some(), test, report))
            })
            .collect::<Result<_, crate::run::trainer::TrainError>>()?;
        for ((track, diverged, test, report), curve) in found.into_iter().zip(&mut curves) {
            let mut scalars = Vec::new();
            if let Some(report) = report {
                let loss = curve.losses.last().map_or(report.loss, |last| {
                    // A plain mean to begin with.
                    let weight = NEWEST.max((curve.losses.len() as f64 + 1.0).recip());
                    last + weight * (report.loss - last)
                });
                curve.losses.push(loss);
                scalars.push(("loss", loss));
            }
            if let Some(test) = test {
                let accuracy = test.accuracy.unwrap_or(f64::NAN);
                curve.tests.push((step, test.loss, accuracy));
                scalars.extend([("test_loss", test.loss), ("test_accuracy", accuracy)]);
            }
            if diverged && !curve.diverged {
                curve.diverged = true;
                scalars.push(("diverged", step as f64));
            }
            if !scalars.is_empty() {
                bench.record_scalars(track, step, &scalars)?;
            }
        }
        bench.round()?;
    }
    record_best(bench, &values, &curves)
}

/// For each depth and setting the curve whose test loss at the end is the lowest; none where all rates diverged.
fn record_best(bench: &mut Bench<'_>, values: &Values, curves: &[Curve]) -> Result<(), Halt> {
    for &depth in values.numbers("depths") {
        for setting in 0..SETTINGS.len() {
            let ended = |curve: &&Curve| {
                curve.job.depth == depth as usize && curve.job.setting == setting && !curve.diverged
            };
            let last = |curve: &Curve| curve.tests.last().map_or(f64::INFINITY, |test| test.1);
            let best = curves.iter().filter(ended).min_by(|a, b| last(a).total_cmp(&last(b)));
            let Some(best) = best else { continue };
            let track = best.job.track(bench, "best", SETTINGS[setting].label)?;
            for (step, loss) in best.losses.iter().enumerate() {
                bench.record_scalars(track, step as u64, &[("loss", *loss)])?;
            }
            for (step, loss, accuracy) in &best.tests {
                let readings = [("test_loss", *loss), ("test_accuracy", *accuracy)];
                let readings =
                    readings.map(|(name, value)| (SeriesId::from_static(name), Reading::Scalar(value))).to_vec();
                bench.record(track, *step, readings)?;
            }
        }
    }
    Ok(())
}
