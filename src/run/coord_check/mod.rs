//! The coordinate check: trains one network at several widths and seeds, and measures its activations at each step.

mod session;

use candle_core::{DType, Result, Tensor};

use crate::nn::batch::Batch;
use crate::nn::model::Model;
use crate::record::CoordCheck;

use super::knobs;
use super::spec::RunSpec;
use super::trainer::{StepOutcome, TrainError, Trainer};

pub use session::{CoordCheckEvent, CoordCheckSession};

/// What is trained beside the specification.
#[derive(Clone, Debug, PartialEq)]
pub struct CoordCheckOptions {
    /// At least three, for a slope with an error.
    pub widths: Vec<usize>,
    /// Runs a width, with the seeds from that of the specification on.
    pub seeds: usize,
    /// Updates a run.
    pub steps: usize,
    /// Training examples whose activations are looked at: the first so many.
    pub examples: usize,
}

impl Default for CoordCheckOptions {
    fn default() -> Self {
        Self { widths: vec![32, 64, 128, 256, 512], seeds: 3, steps: 30, examples: 64 }
    }
}

/// How far a check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoordCheckProgress {
    pub runs: usize,
    /// The run being trained, from 0.
    pub run: usize,
    pub width: usize,
    /// Updates of all runs done, of `updates` in all.
    pub done: usize,
    pub updates: usize,
}

impl CoordCheckOptions {
    /// Checks ranges, and the specification at every width; sorts the widths.
    ///
    /// # Errors
    /// One sentence that names the option, the value and what to do.
    pub fn checked(&self, spec: &RunSpec) -> std::result::Result<Self, String> {
        let mut widths = self.widths.clone();
        widths.sort_unstable();
        widths.dedup();
        if widths.len() < 3 {
            return Err(format!(
                "widths can't be {:?}: a slope with an error needs three different ones, such as 32,64,128,256",
                self.widths
            ));
        }
        let ranges = [("seeds", self.seeds, 100), ("steps", self.steps, 10_000), ("examples", self.examples, 10_000)];
        for (name, value, most) in ranges {
            if !(1..=most).contains(&value) {
                return Err(format!("{name} can't be {value}; give a whole number from 1 to {most}"));
            }
        }
        for &width in &widths {
            knobs::validate(&at_width(spec, width, spec.seed))?;
        }
        Ok(Self { widths, ..self.clone() })
    }
}

fn at_width(spec: &RunSpec, width: usize, seed: u64) -> RunSpec {
    let mut spec = spec.clone();
    spec.model.width = width;
    spec.seed = seed;
    spec
}

/// Runs the check on the calling thread. `go_on` is asked before every update; on `false` the answer is `None`.
///
/// Nothing is shared between runs, and the activations are measured by forward passes that training doesn't see.
///
/// # Errors
/// [`TrainError`] as for a run; [`TrainError::Spec`] for options out of range. A run that diverges is a result.
pub fn coord_check(
    spec: &RunSpec,
    options: &CoordCheckOptions,
    go_on: &mut dyn FnMut(CoordCheckProgress) -> bool,
) -> std::result::Result<Option<CoordCheck>, TrainError> {
    let options = options.checked(spec).map_err(TrainError::Spec)?;
    let seeds: Vec<u64> = (0..options.seeds as u64).map(|i| spec.seed.wrapping_add(i)).collect();
    let runs = options.widths.len() * seeds.len();
    let mut progress = CoordCheckProgress { runs, run: 0, width: 0, done: 0, updates: runs * options.steps };
    let mut check: Option<CoordCheck> = None;
    for (w, &width) in options.widths.iter().enumerate() {
        for (s, &seed) in seeds.iter().enumerate() {
            let mut trainer = Trainer::new(RunSpec { steps: options.steps as u64, ..at_width(spec, width, seed) })?;
            let check = check.get_or_insert_with(|| {
                let modules = trainer.model().layers().iter().cloned().chain(["outputs".into()]).collect();
                CoordCheck::new(title(&trainer), modules, options.widths.clone(), seeds.clone(), options.steps)
            });
            let indices: Vec<usize> = (0..trainer.train().len().min(options.examples)).collect();
            let batch = Batch::new(&trainer.train().select(&indices), trainer.dtype(), trainer.device())?;
            let mut first: Option<Vec<Tensor>> = None;
            progress.run = w * seeds.len() + s;
            progress.width = width;
            for step in 0..=options.steps {
                let now = activations(&**trainer.model(), &trainer.params().frozen()?, &batch)?;
                let start = first.get_or_insert_with(|| now.clone());
                let rms = now.iter().map(rms).collect::<Result<Vec<_>>>()?;
                let change = now.iter().zip(&*start).map(|(h, h0)| change(h, h0)).collect::<Result<Vec<_>>>()?;
                check.enter(w, s, step, &rms, &change);
                progress.done = progress.run * options.steps + step;
                if !go_on(progress) {
                    return Ok(None);
                }
                if step < options.steps && matches!(trainer.step()?, StepOutcome::Diverged(_)) {
                    // The rest of the table stays NaN.
                    break;
                }
            }
        }
    }
    Ok(check)
}

/// What is the same at all widths.
fn title(trainer: &Trainer) -> String {
    let RunSpec { model, optimizer, .. } = trainer.spec();
    let name = |id| knobs::find(id).map_or_else(String::new, |knob| knob.get(trainer.spec()).to_string());
    let mut title = format!(
        "{}, {}, depth {}, {}, lr {}",
        model.parametrization.kind.title(),
        name("model"),
        model.depth,
        name("optimizer"),
        optimizer.lr
    );
    if model.parametrization.kind != crate::nn::parametrization::Parametrization::Standard {
        title.push_str(&format!(", base width {}", model.parametrization.base_width));
    }
    title
}

/// All taps, then the outputs.
fn activations(model: &dyn Model, params: &[Tensor], batch: &Batch) -> Result<Vec<Tensor>> {
    let mut taps = Vec::new();
    let outputs = model.forward(params, &batch.inputs, Some(&mut taps))?;
    taps.push(outputs.detach());
    Ok(taps)
}

/// `sqrt(mean h^2)`.
fn rms(h: &Tensor) -> Result<f64> {
    Ok(wide(h)?.sqr()?.mean_all()?.to_scalar::<f64>()?.sqrt())
}

/// `mean |h - h_0|`.
fn change(h: &Tensor, start: &Tensor) -> Result<f64> {
    (wide(h)? - wide(start)?)?.abs()?.mean_all()?.to_scalar()
}

/// On the CPU, as GPUs may lack f64.
fn wide(h: &Tensor) -> Result<Tensor> {
    h.to_device(&candle_core::Device::Cpu)?.to_dtype(DType::F64)
}

#[cfg(test)]
mod tests {
    use crate::nn::parametrization::Parametrization;
    use crate::nn::spec::{Activation, ModelKind};
    use crate::optim::spec::OptimizerKind;
    use crate::record::{Finding, Statistic};

    use super::*;

    /// Small, full batch, and smooth: the kinks of ReLU make slopes noisier, not different.
    fn spec(kind: Parametrization, optimizer: OptimizerKind) -> RunSpec {
        let mut spec = RunSpec { batch_size: 0, ..RunSpec::default() };
        spec.task.train_size = 96;
        spec.model.kind = ModelKind::Mlp;
        spec.model.depth = 3;
        spec.model.activation = Activation::Tanh;
        spec.model.parametrization.kind = kind;
        spec.optimizer.kind = optimizer;
        spec.optimizer.weight_decay = 0.0;
        spec.optimizer.lr = if optimizer == OptimizerKind::Sgd { 0.05 } else { 0.002 };
        spec.optimizer.momentum = 0.0;
        spec
    }

    /// Three hidden layers, the outputs last.
    fn check(kind: Parametrization, optimizer: OptimizerKind) -> CoordCheck {
        // Below 64 corrections of order 1/sqrt(width) bend the lines.
        let options = CoordCheckOptions { widths: vec![64, 128, 256, 512], seeds: 4, steps: 6, examples: 32 };
        coord_check(&spec(kind, optimizer), &options, &mut |_| true).unwrap().unwrap()
    }

    fn words(check: &CoordCheck) -> String {
        check.verdicts().iter().map(|v| format!("{}: {v}\n", v.module)).collect()
    }

    // The bounds below hold with room to spare for four sets of seeds (0, 10, 20, 30 and the three after each).

    #[test]
    fn mup_is_flat_and_its_outputs_start_as_the_root_of_the_width() {
        for optimizer in [OptimizerKind::Adam, OptimizerKind::Sgd] {
            let check = check(Parametrization::Mup, optimizer);
            for (module, verdict) in check.verdicts().iter().enumerate() {
                assert!(!verdict.finding.fails(), "{optimizer:?}\n{}", words(&check));
                for fit in [verdict.early.unwrap(), verdict.late.unwrap()] {
                    let most = if module < 3 { 0.15 } else { 0.24 };
                    assert!(fit.slope.abs() < most, "{optimizer:?}\n{}", words(&check));
                }
            }
            let start = check.slope(Statistic::Rms, 0, 3).unwrap();
            assert!((start.slope + 0.5).abs() < 0.12, "{start:?}");
        }
    }

    #[test]
    fn standard_blows_up_with_width_under_adam_from_the_second_layer_on() {
        let check = check(Parametrization::Standard, OptimizerKind::Adam);
        for verdict in &check.verdicts()[1..] {
            assert_eq!(verdict.finding, Finding::Grows, "\n{}", words(&check));
        }
        // Outputs: coherent updates of equal size sum in proportion to the width at the first step.
        let outputs = check.slope(Statistic::Change, 1, 3).unwrap();
        assert!((outputs.slope - 1.1).abs() < 0.25, "{outputs:?}");
        let start = check.slope(Statistic::Rms, 0, 3).unwrap();
        assert!(start.slope.abs() < 0.12, "{start:?}");
    }

    #[test]
    fn ntk_features_stay_as_the_root_of_the_width() {
        for optimizer in [OptimizerKind::Adam, OptimizerKind::Sgd] {
            let check = check(Parametrization::Ntk, optimizer);
            for layer in 0..3 {
                let first = check.slope(Statistic::Change, 1, layer).unwrap();
                assert!((first.slope + 0.5).abs() < 0.15, "{optimizer:?} layer {layer} {first:?}");
            }
            let outputs = check.slope(Statistic::Change, 1, 3).unwrap();
            assert!(outputs.slope.abs() < 0.24, "{optimizer:?} {outputs:?}");
        }
    }

    #[test]
    fn it_stops_where_it_is_told_to_and_refuses_what_has_no_slope() {
        let spec = spec(Parametrization::Mup, OptimizerKind::Adam);
        let options = CoordCheckOptions { widths: vec![8, 16, 24], seeds: 1, steps: 2, examples: 4 };
        let mut asked = 0;
        let stopped = coord_check(&spec, &options, &mut |_| {
            asked += 1;
            asked < 3
        });
        assert_eq!((stopped.unwrap(), asked), (None, 3));
        for (wrong, word) in [
            (CoordCheckOptions { widths: vec![32, 32, 64], ..options.clone() }, "widths"),
            (CoordCheckOptions { widths: vec![0, 32, 64], ..options.clone() }, "width"),
            (CoordCheckOptions { seeds: 0, ..options.clone() }, "seeds"),
            (CoordCheckOptions { steps: 0, ..options.clone() }, "steps"),
        ] {
            let error = wrong.checked(&spec).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
