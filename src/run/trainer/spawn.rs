//! Several runs from one: copies that differ in their SGD noise alone, and networks with starts of their own.

use crate::nn::params::Params;
use crate::run::divergence::Watch;
use crate::run::parametrization;
use crate::tasks::batches::Batches;

use super::{TrainError, Trainer};

/// What a copy takes over of the optimiser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// Momentum and averages as they are.
    Kept,
    /// Nothing: moments begin at zero again, as does Adam's correction of their start.
    #[default]
    Reset,
}

impl Trainer {
    /// A copy at the same step with the same parameters, which goes on with other SGD noise: it begins an epoch of its own at
    /// once, and its batches are drawn from the streams `noise/<step>` with the index `noise` (Frankle et al. 2020, "instability
    /// analysis"). Data, label noise and the place in the schedule are the parent's.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn spawn(&self, noise: u64, memory: Memory) -> Result<Self, TrainError> {
        let mut copy = self.beside(&self.flat()?, &format!("noise/{}", self.step), noise)?;
        if memory == Memory::Kept {
            copy.optimizer.restore(&self.optimizer.save()?, &copy.params)?;
        }
        copy.step = self.step;
        // What counts as an explosion is measured from the parent's first loss, not from one that has fallen.
        copy.watch = self.watch;
        Ok(copy)
    }

    /// A run of the same specification on the same data, at step 0, whose start and batches are drawn from streams of its
    /// own, `start` and `noise` with the index `number`.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn sibling(&self, number: u64) -> Result<Self, TrainError> {
        let start = self.model.init(&self.streams.derived("start", number));
        self.beside(&start, "noise", number)
    }

    /// The parameters in the flattening order.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn flat(&self) -> Result<Vec<f64>, TrainError> {
        Ok(self.model.layout().flatten(&self.frozen_tensors())?)
    }

    fn beside(&self, flat: &[f64], noise: &str, number: u64) -> Result<Self, TrainError> {
        let noise = self.streams.derived(noise, number);
        Ok(Self {
            spec: self.spec.clone(),
            streams: self.streams,
            device: self.device.clone(),
            dtype: self.dtype,
            task: self.task.clone(),
            train: self.train.clone(),
            test: self.test.clone(),
            population: self.population.clone(),
            model: self.model.clone(),
            params: Params::from_flat(self.model.layout().clone(), flat, self.dtype, &self.device)?,
            optimizer: parametrization::optimizer(&self.spec, self.model.layout()),
            batches: Batches::new(noise, self.task.train.len(), self.spec.batch_size),
            watch: Watch::default(),
            roles: self.roles.clone(),
            step: 0,
            before: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::spec::{Activation, ModelKind};
    use crate::optim::spec::OptimizerKind;
    use crate::run::spec::RunSpec;

    use super::*;

    fn trainer(kind: OptimizerKind, batch_size: usize) -> Trainer {
        let mut spec = RunSpec { steps: 40, batch_size, ..RunSpec::default() };
        spec.task.train_size = 96;
        spec.task.label_noise = 0.2;
        spec.model.kind = ModelKind::Mlp;
        spec.model.width = 12;
        spec.model.depth = 1;
        spec.model.activation = Activation::Relu;
        spec.optimizer.kind = kind;
        spec.optimizer.lr = 0.02;
        Trainer::new(spec).unwrap()
    }

    fn steps(trainer: &mut Trainer, n: usize) {
        (0..n).for_each(|_| drop(trainer.step().unwrap()));
    }

    #[test]
    fn copies_begin_where_their_parent_is_and_part_by_their_batches_alone() {
        let mut parent = trainer(OptimizerKind::Sgd, 16);
        steps(&mut parent, 7);
        let start = parent.flat().unwrap();
        let mut copies = [0, 0, 1].map(|noise| parent.spawn(noise, Memory::Kept).unwrap());
        for copy in &copies {
            assert_eq!((copy.flat().unwrap(), copy.steps_done()), (start.clone(), 7));
        }
        copies.iter_mut().for_each(|copy| steps(copy, 5));
        let [a, same, b] = copies.map(|copy| copy.flat().unwrap());
        assert_eq!(a, same);
        assert_ne!(a, b);
        // Copies of another step see other batches, and the parent doesn't notice.
        assert_eq!(parent.flat().unwrap(), start);
        let mut alone = trainer(OptimizerKind::Sgd, 16);
        steps(&mut alone, 9);
        steps(&mut parent, 2);
        assert_eq!(alone.flat().unwrap(), parent.flat().unwrap());
    }

    #[test]
    fn without_noise_a_copy_with_its_memory_is_the_parent_and_one_without_is_not() {
        for kind in [OptimizerKind::Sgd, OptimizerKind::Adam] {
            let mut parent = trainer(kind, 0);
            steps(&mut parent, 5);
            let [mut kept, mut reset] = [Memory::Kept, Memory::Reset].map(|m| parent.spawn(3, m).unwrap());
            for run in [&mut parent, &mut kept, &mut reset] {
                steps(run, 6);
            }
            assert_eq!(parent.flat().unwrap(), kept.flat().unwrap(), "{kind:?}");
            assert_ne!(parent.flat().unwrap(), reset.flat().unwrap(), "{kind:?}");
        }
    }

    #[test]
    fn siblings_share_the_data_and_nothing_else() {
        let parent = trainer(OptimizerKind::Sgd, 16);
        let [a, b] = [1, 2].map(|number| parent.sibling(number).unwrap());
        assert_eq!(a.train().targets, parent.train().targets);
        let starts = [&parent, &a, &b].map(|run| run.flat().unwrap());
        assert!(starts[0] != starts[1] && starts[1] != starts[2] && starts[0] != starts[2]);
        assert_eq!(parent.sibling(1).unwrap().flat().unwrap(), starts[1]);
    }
}
