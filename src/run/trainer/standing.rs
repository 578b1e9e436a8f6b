//! A trainer that stands at parameters that somebody else trained.

use candle_core::Tensor;

use crate::nn::batch::Batch;
use crate::nn::statistics::under;
use crate::nn::training::gradient;

use super::{EVALUATION_CHUNK, TrainError, Trainer, narrow, share};

/// What the whole training split says of the parameters as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    pub loss: f64,
    /// Share of graded targets that are hit; none for regression.
    pub accuracy: Option<f64>,
    /// Norm of the loss's gradient, per parameter group.
    pub gradient_norm: Vec<f32>,
    /// The same by layer and role, as [`crate::nn::roles::RoleParts`] has them.
    pub role_gradient_norm: Vec<f32>,
    /// Norm of the parameters, per parameter group.
    pub weight_norm: Vec<f32>,
}

impl Trainer {
    /// Takes `flat`, in the flattening order, as the parameters after `step` updates.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn stand_at(&mut self, step: u64, flat: &[f64]) -> Result<(), TrainError> {
        self.params.assign(&self.model.layout().unflatten(flat, self.dtype, &self.device)?)?;
        self.step = step;
        self.before = None;
        Ok(())
    }

    /// Loss, accuracy and gradient of all training examples: the mean over them, in f32 within pieces of some hundred examples.
    /// Of networks that couple examples, with the statistics that probes take. `None` once `go_on` answers false between two
    /// pieces.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn whole(&self, go_on: &dyn Fn() -> bool) -> Result<Option<Whole>, TrainError> {
        let model = under(self.model.clone(), self.spec.probes.statistics, self.spec.batch_size);
        let count = self.train.len();
        let piece = EVALUATION_CHUNK.next_multiple_of(model.coupled_examples().min(count).max(1));
        let (mut loss, mut rows, mut hit, mut graded) = (0.0, 0.0, 0, 0);
        let mut sum: Vec<Tensor> = Vec::new();
        for from in (0..count).step_by(piece) {
            if !go_on() {
                return Ok(None);
            }
            let indices: Vec<usize> = (from..(from + piece).min(count)).collect();
            let batch = Batch::new(&self.train.select(&indices), self.dtype, &self.device)?;
            let found = gradient(&*model, &self.params, &batch, &self.spec.loss)?;
            let weight = if self.is_classification() { found.graded } else { batch.len } as f64;
            loss += found.loss * weight;
            rows += weight;
            hit += found.correct;
            graded += found.graded;
            let weighted = found.tensors.iter().map(|tensor| tensor * weight);
            sum = if sum.is_empty() {
                weighted.collect::<candle_core::Result<_>>()?
            } else {
                sum.iter().zip(weighted).map(|(sum, tensor)| sum + tensor?).collect::<candle_core::Result<_>>()?
            };
        }
        let rows = f64::max(rows, 1.0);
        let mean = sum.iter().map(|tensor| tensor / rows).collect::<candle_core::Result<Vec<_>>>()?;
        let by_role: Vec<f64> = self.roles.squares(&mean)?.iter().map(|square| square.sqrt()).collect();
        Ok(Some(Whole {
            loss: loss / rows,
            accuracy: share((hit, graded)),
            gradient_norm: self.by_group(&mean)?,
            role_gradient_norm: narrow(&by_role),
            weight_norm: self.by_group(&self.frozen_tensors())?,
        }))
    }

    /// Norms per parameter group.
    fn by_group(&self, tensors: &[Tensor]) -> Result<Vec<f32>, TrainError> {
        let layout = self.model.layout();
        let flat = layout.flatten(tensors)?;
        let mut squares = vec![0.0; layout.groups().len()];
        for (index, info) in layout.infos().iter().enumerate() {
            squares[info.group] += flat[layout.range(index)].iter().map(|x| x * x).sum::<f64>();
        }
        Ok(squares.iter().map(|square: &f64| square.sqrt() as f32).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::spec::ModelKind;
    use crate::nn::training;
    use crate::run::spec::RunSpec;

    use super::*;

    fn trainer(train_size: usize) -> Trainer {
        let mut spec = RunSpec::default();
        spec.task.train_size = train_size;
        spec.model.kind = ModelKind::Mlp;
        (spec.model.width, spec.model.depth) = (12, 1);
        Trainer::new(spec).unwrap()
    }

    /// Pieces of unequal size weigh what they have in them: the whole is that of one batch.
    #[test]
    fn the_whole_is_the_mean_over_all_examples() {
        let trainer = trainer(700);
        let whole = trainer.whole(&|| true).unwrap().unwrap();
        let batch = Batch::new(trainer.train(), trainer.dtype(), trainer.device()).unwrap();
        let direct = training::gradient(&**trainer.model(), trainer.params(), &batch, &trainer.spec().loss).unwrap();
        let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-5, "{a} and {b}");
        close(whole.loss, direct.loss);
        assert_eq!(whole.accuracy, Some(direct.correct as f64 / 700.0));
        let norms = trainer.by_group(&direct.tensors).unwrap();
        assert_eq!(norms.len(), trainer.model().layout().groups().len());
        whole.gradient_norm.iter().zip(&norms).for_each(|(a, b)| close(f64::from(*a), f64::from(*b)));
        let total = |norms: &[f32]| norms.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        close(total(&whole.role_gradient_norm), total(&whole.gradient_norm));
        let flat = trainer.flat().unwrap();
        close(total(&whole.weight_norm), flat.iter().map(|x| x * x).sum::<f64>().sqrt());
        let asked = std::cell::Cell::new(0);
        let once = || asked.replace(asked.get() + 1) == 0;
        assert_eq!(trainer.whole(&once).unwrap(), None, "stopped between the pieces");
    }

    #[test]
    fn it_stands_where_it_is_put() {
        let (mut here, there) = (trainer(64), trainer(64).sibling(1).unwrap());
        assert_ne!(here.flat().unwrap(), there.flat().unwrap());
        here.stand_at(40, &there.flat().unwrap()).unwrap();
        assert_eq!((here.flat().unwrap(), here.steps_done()), (there.flat().unwrap(), 40));
        assert_eq!(here.evaluate().unwrap(), there.evaluate().unwrap());
    }
}
