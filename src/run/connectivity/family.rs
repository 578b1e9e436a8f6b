//! Networks that begin as one, or on one data set: trained side by side, with what lies between them measured on the way.

use std::sync::Arc;

use rayon::prelude::*;

use crate::probes::job::PastPoint;
use crate::record::connectivity::Matching;
use crate::run::spec::RunSpec;
use crate::run::trainer::{Memory, StepOutcome, TrainError, Trainer};

use super::between::{Between, Line};

/// Points that are kept of a watched group's path, about.
const KEPT: u64 = 64;

/// How the networks of a family come to differ.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// One run is trained, and at each of these steps copies leave it that differ in their SGD noise alone (Frankle et al. 2020).
    Spawned { steps: Vec<u64>, memory: Memory },
    /// Each has a start and batches of its own, on the same data.
    OwnStarts,
}

/// How many networks a group has and how the lines between them are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FamilyOptions {
    /// At least 2.
    pub networks: usize,
    /// Places of a line, at least [`super::between::FEWEST_POINTS`].
    pub points: usize,
    /// Training examples that lines are judged on; 0 for all.
    pub examples: usize,
}

/// The networks of one origin.
pub struct Group {
    /// The step at which they left their parent; `None` for networks with starts of their own.
    pub spawned_at: Option<u64>,
    members: Vec<Trainer>,
    /// Of the first two, if they are watched; each begins at the family's start.
    paths: Vec<Vec<PastPoint>>,
    diverged: bool,
}

/// Barriers in the convention of Entezari et al. 2022, averaged over the pairs of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Barriers {
    pub train_loss: f64,
    pub test_loss: f64,
    pub train_error: f64,
    pub test_error: f64,
}

/// What lies between the networks of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The line between the first two, for each matching that was asked for.
    pub lines: Vec<(Matching, Line)>,
    /// Of all pairs.
    pub barriers: Vec<(Matching, Barriers)>,
    /// Mean distance |a - b| of the pairs as they are.
    pub distance: f64,
    /// Mean test accuracy of the networks; none for regression.
    pub accuracy: Option<f64>,
    /// Mean training loss of the networks on the judged examples.
    pub train_loss: f64,
}

/// One repetition of one setting.
pub struct Family {
    trunk: Trainer,
    steps_to_spawn: Vec<u64>,
    memory: Memory,
    networks: usize,
    between: Between,
    groups: Vec<Group>,
    watched: Option<usize>,
    trunk_path: Vec<PastPoint>,
    trunk_diverged: bool,
    step: u64,
}

impl Family {
    /// # Errors
    /// [`TrainError`] names what of the specification or the options is wrong and what to do.
    pub fn new(spec: RunSpec, origin: &Origin, options: FamilyOptions) -> Result<Self, TrainError> {
        if options.networks < 2 {
            let found = options.networks;
            return Err(TrainError::Spec(format!("networks can't be {found}: a line has two ends; give 2 or more")));
        }
        let trunk = Trainer::new(spec)?;
        let between = Between::of(&trunk, options.examples, options.points)?;
        let (mut steps_to_spawn, memory) = match origin {
            Origin::Spawned { steps, memory } => (steps.clone(), *memory),
            Origin::OwnStarts => (Vec::new(), Memory::Reset),
        };
        steps_to_spawn.sort_unstable();
        steps_to_spawn.dedup();
        let last = trunk.spec().steps;
        if let Some(late) = steps_to_spawn.last().filter(|step| **step > last) {
            return Err(TrainError::Spec(format!(
                "networks can't be spawned at step {late} of {last}; give steps from 0 to {last}"
            )));
        }
        let mut groups = Vec::new();
        if *origin == Origin::OwnStarts {
            let members = (0..options.networks as u64).map(|n| trunk.sibling(n)).collect::<Result<_, _>>()?;
            groups.push(Group { spawned_at: None, members, paths: Vec::new(), diverged: false });
        }
        Ok(Self {
            trunk,
            steps_to_spawn,
            memory,
            networks: options.networks,
            between,
            groups,
            watched: None,
            trunk_path: Vec::new(),
            trunk_diverged: false,
            step: 0,
        })
    }

    /// Keeps the paths of the first two networks of the group `index` (in the order of the spawn steps), for
    /// [`Self::plane`]; to be called before the first step.
    pub fn watch(&mut self, index: usize) {
        self.watched = Some(index);
    }

    /// Updates done.
    pub fn step_now(&self) -> u64 {
        self.step
    }

    /// In the order of the spawn steps, as far as they have come.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub fn between(&self) -> &Between {
        &self.between
    }

    /// Makes the copies that leave at this step, if any; before measuring and before [`Self::step`].
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn spawn_due(&mut self) -> Result<(), TrainError> {
        let due = self.steps_to_spawn.get(self.groups.len()).copied();
        let Some(at) = due.filter(|at| *at == self.step && self.steps_to_spawn.len() > self.groups.len()) else {
            return Ok(());
        };
        let members = (0..self.networks as u64).map(|n| self.trunk.spawn(n, self.memory)).collect::<Result<_, _>>()?;
        let paths = if self.watched == Some(self.groups.len()) { vec![self.trunk_path.clone(); 2] } else { Vec::new() };
        self.groups.push(Group { spawned_at: Some(at), members, paths, diverged: self.trunk_diverged });
        Ok(())
    }

    /// One update of the trunk, while copies are still to leave it, and of every network that has begun.
    ///
    /// # Errors
    /// [`TrainError::Tensor`]. Divergence is a result: the group goes no further.
    pub fn step(&mut self) -> Result<(), TrainError> {
        self.keep_paths()?;
        if self.groups.len() < self.steps_to_spawn.len() && !self.trunk_diverged {
            self.trunk_diverged = matches!(self.trunk.step()?, StepOutcome::Diverged(_));
        }
        for group in self.groups.iter_mut().filter(|group| !group.diverged) {
            for member in &mut group.members {
                group.diverged |= matches!(member.step()?, StepOutcome::Diverged(_));
            }
        }
        self.step += 1;
        Ok(())
    }

    fn keep_paths(&mut self) -> Result<(), TrainError> {
        let Some(watched) = self.watched else { return Ok(()) };
        if !self.step.is_multiple_of((self.trunk.spec().steps / KEPT).max(1)) {
            return Ok(());
        }
        match self.groups.get_mut(watched) {
            Some(group) => {
                group.paths.resize_with(2, Vec::new);
                for (path, member) in group.paths.iter_mut().zip(&group.members) {
                    path.push(point(member)?);
                }
            }
            None => self.trunk_path.push(point(&self.trunk)?),
        }
        Ok(())
    }

    /// Changes live fields of the specification of every network before the next update.
    pub fn set_live(&mut self, change: &dyn Fn(&mut RunSpec)) {
        for trainer in std::iter::once(&mut self.trunk).chain(self.groups.iter_mut().flat_map(|g| &mut g.members)) {
            let mut spec = trainer.spec().clone();
            change(&mut spec);
            if spec != *trainer.spec() {
                trainer.set_live(spec);
            }
        }
    }

    /// The lines between the networks of the group `index` as they are now; `None` if it has diverged.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn measure(&self, index: usize, matchings: &[Matching]) -> Result<Option<Found>, TrainError> {
        let group = &self.groups[index];
        if group.diverged {
            return Ok(None);
        }
        let flats = group.members.iter().map(Trainer::flat).collect::<Result<Vec<_>, _>>()?;
        let count = flats.len();
        let pairs: Vec<_> = (0..count).flat_map(|a| (a + 1..count).map(move |b| [a, b])).collect();
        let share = 1.0 / pairs.len() as f64;
        let mut found = Found {
            lines: Vec::new(),
            barriers: matchings.iter().map(|matching| (*matching, Barriers::default())).collect(),
            distance: 0.0,
            accuracy: None,
            train_loss: 0.0,
        };
        for [a, b] in pairs {
            let square: f64 = flats[a].iter().zip(&flats[b]).map(|(a, b)| (a - b).powi(2)).sum();
            found.distance += share * square.sqrt();
            for (at, matching) in matchings.iter().enumerate() {
                let line = self.between.line(&flats[a], &self.between.aligned(&flats[a], &flats[b], *matching)?)?;
                let sum = &mut found.barriers[at].1;
                sum.train_loss += share * line.train.loss_barrier();
                sum.test_loss += share * line.test.loss_barrier();
                sum.train_error += share * line.train.error_barrier();
                sum.test_error += share * line.test.error_barrier();
                if at == 0 {
                    let ends = line.train.loss.first().zip(line.train.loss.last());
                    found.train_loss += ends.map_or(f64::NAN, |(a, b)| share * (a + b) / 2.0);
                }
                if [a, b] == [0, 1] {
                    found.lines.push((*matching, line));
                }
            }
        }
        let accuracies =
            group.members.iter().map(|m| Ok(m.evaluate()?.accuracy)).collect::<Result<Vec<_>, TrainError>>()?;
        found.accuracy = accuracies.into_iter().sum::<Option<f64>>().map(|sum| sum / count as f64);
        Ok(Some(found))
    }

    /// Flat parameters of the first two networks of a group.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn pair(&self, index: usize) -> Result<[Vec<f64>; 2], TrainError> {
        let members = &self.groups[index].members;
        Ok([members[0].flat()?, members[1].flat()?])
    }

    /// Of the watched group: the paths of both networks from the start to now. `None` before it exists, or if it diverged.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub(super) fn watched_paths(&self) -> Result<Option<[Vec<PastPoint>; 2]>, TrainError> {
        let group = self.watched.and_then(|index| self.groups.get(index)).filter(|group| !group.diverged);
        let Some(group) = group else { return Ok(None) };
        let mut paths = [0, 1].map(|n| group.paths.get(n).cloned().unwrap_or_default());
        for (path, member) in paths.iter_mut().zip(&group.members) {
            path.push(point(member)?);
        }
        Ok(Some(paths))
    }
}

impl Group {
    /// Whether one of its networks, or the trunk before it, has diverged.
    pub fn diverged(&self) -> bool {
        self.diverged
    }
}

fn point(trainer: &Trainer) -> Result<PastPoint, TrainError> {
    let params = trainer.flat()?.into_iter().map(|x| x as f32).collect();
    Ok(PastPoint { step: trainer.steps_done(), loss: f32::NAN, params: Arc::new(params) })
}

/// One step of every family, on all cores: bits don't depend on how many there are.
///
/// # Errors
/// As [`Family::step`].
pub fn step_all(families: &mut [Family]) -> Result<(), TrainError> {
    families.par_iter_mut().try_for_each(Family::step)
}

/// [`Family::measure`] of several groups (family, group) on all cores, in their order.
///
/// # Errors
/// As there.
pub fn measure_all(
    families: &[Family],
    groups: &[(usize, usize)],
    matchings: &[Matching],
) -> Result<Vec<Option<Found>>, TrainError> {
    groups.par_iter().map(|&(family, group)| families[family].measure(group, matchings)).collect()
}

#[cfg(test)]
mod tests {
    use crate::nn::spec::{Activation, ModelKind};
    use crate::optim::spec::OptimizerKind;

    use super::*;

    fn spec() -> RunSpec {
        let mut spec = RunSpec { steps: 30, batch_size: 32, ..RunSpec::default() };
        spec.task.train_size = 160;
        spec.model.kind = ModelKind::Mlp;
        (spec.model.depth, spec.model.width) = (1, 16);
        spec.model.activation = Activation::Relu;
        spec.optimizer.kind = OptimizerKind::Sgd;
        (spec.optimizer.lr, spec.optimizer.weight_decay) = (0.2, 0.0);
        spec
    }

    const OPTIONS: FamilyOptions = FamilyOptions { networks: 3, points: 21, examples: 0 };

    fn spawned(steps: &[u64]) -> Origin {
        Origin::Spawned { steps: steps.to_vec(), memory: Memory::Reset }
    }

    fn trained(origin: &Origin, options: FamilyOptions) -> Family {
        let mut families = vec![Family::new(spec(), origin, options).unwrap()];
        families[0].watch(0);
        for _ in 0..30 {
            families[0].spawn_due().unwrap();
            step_all(&mut families).unwrap();
        }
        families[0].spawn_due().unwrap();
        families.pop().unwrap()
    }

    // Invariant 2 of the specification: k = T gives exactly 0.
    #[test]
    fn copies_of_the_last_step_have_exactly_no_barrier_and_early_ones_lie_apart() {
        let family = trained(&spawned(&[30, 0, 5]), OPTIONS);
        let at: Vec<_> = family.groups().iter().map(|group| group.spawned_at.unwrap()).collect();
        assert_eq!(at, [0, 5, 30]);
        let found = [0, 1, 2].map(|index| family.measure(index, &[Matching::None]).unwrap().unwrap());
        assert_eq!(found[2].barriers, [(Matching::None, Barriers::default())]);
        assert_eq!(found[2].distance, 0.0);
        assert!(found[0].distance > found[1].distance && found[1].distance > 0.1, "{found:?}");
        assert!(found.iter().all(|found| found.accuracy.unwrap() > 0.5));
    }

    /// With three networks the barrier is the mean over three pairs, each judged alone here.
    #[test]
    fn a_group_has_the_mean_of_its_pairs() {
        let family = trained(&Origin::OwnStarts, OPTIONS);
        let found = family.measure(0, &[Matching::None, Matching::Weights]).unwrap().unwrap();
        let flats: Vec<_> = family.groups()[0].members.iter().map(|m| m.flat().unwrap()).collect();
        let line = |a: usize, b: usize| family.between().line(&flats[a], &flats[b]).unwrap();
        let lines = [line(0, 1), line(0, 2), line(1, 2)];
        let mean = lines.iter().map(|line| line.train.loss_barrier()).sum::<f64>() / 3.0;
        assert!((found.barriers[0].1.train_loss - mean).abs() < 1e-14 && mean > 0.05, "{mean}");
        assert_eq!(found.lines[0].1, lines[0]);
        assert!(found.barriers[1].1.train_loss < mean, "matched: {:?}", found.barriers);
    }

    #[test]
    fn a_family_does_not_ask_how_many_threads_there_are() {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut families =
                    [0, 1].map(|seed| Family::new(RunSpec { seed, ..spec() }, &spawned(&[2]), OPTIONS).unwrap());
                for _ in 0..8 {
                    families.iter_mut().for_each(|family| family.spawn_due().unwrap());
                    step_all(&mut families).unwrap();
                }
                measure_all(&families, &[(0, 0), (1, 0)], &[Matching::None]).unwrap()
            })
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn divergence_is_a_result_and_what_cannot_be_is_refused() {
        let mut wild = spec();
        wild.optimizer.lr = 1e3;
        let mut family = Family::new(wild, &spawned(&[0, 20]), OPTIONS).unwrap();
        for _ in 0..25 {
            family.spawn_due().unwrap();
            family.step().unwrap();
        }
        assert!(family.groups().iter().all(Group::diverged) && family.groups().len() == 2);
        assert_eq!(family.measure(0, &[Matching::None]).unwrap(), None);
        let refused = |origin, options| Family::new(spec(), &origin, options).err().unwrap().to_string();
        assert!(refused(spawned(&[31]), OPTIONS).contains("31"));
        assert!(refused(Origin::OwnStarts, FamilyOptions { networks: 1, ..OPTIONS }).contains("networks"));
    }
}
