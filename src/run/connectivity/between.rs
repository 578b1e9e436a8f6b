//! Straight lines between live networks of one shape: loss and error on the way, on training and test examples, before
//! and after their units are matched.

use candle_core::DType;

use crate::base::rng::Streams;
use crate::linalg::operator::LinearOperator;
use crate::linalg::vectors::dot;
use crate::nn::batch::Batch;
use crate::nn::curvature::Hessian;
use crate::nn::matching::{Symmetry, match_activations, match_weights};
use crate::nn::params::Params;
use crate::nn::paths::Judge;
use crate::nn::spec::ModelSpec;
use crate::nn::training::gradient;
use crate::record::connectivity::Matching;
use crate::run::trainer::{TrainError, Trainer};
use crate::tasks::data::Split;
use crate::theory::interpolation::Well;

/// Fewest points of a line: with fewer, narrow hills are missed.
pub const FEWEST_POINTS: usize = 21;

/// Judges lines between networks of one run's specification.
pub struct Between {
    spec: ModelSpec,
    streams: Streams,
    symmetry: Result<Symmetry, String>,
    train: Judge,
    test: Judge,
    points: usize,
}

/// Loss and error at evenly spaced places of a line on one split.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    pub loss: Vec<f64>,
    /// 1 - accuracy; empty for regression.
    pub error: Vec<f64>,
}

/// What a line is like on training and on test examples.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub train: Profile,
    pub test: Profile,
}

/// The convention of Entezari et al. 2022, on a grid: `max_i [f_i - ((1 - t_i) f_0 + t_i f_n)]`, `t_i = i / n`; never
/// negative, exactly 0 between equal ends, and the same in both directions to the last bit. Infinite where f isn't finite.
pub fn barrier(f: &[f64]) -> f64 {
    let (Some(first), Some(last)) = (f.first(), f.last()) else { return 0.0 };
    let height = |(i, f_i): (usize, &f64)| {
        let above = f_i - part_way(*first, *last, i, f.len());
        if f_i.is_finite() && above.is_finite() { above } else { f64::INFINITY }
    };
    f.iter().enumerate().map(height).fold(0.0, f64::max)
}

/// The place `i` of `n` on the way from a to b, reckoned from the nearer end, so that neither direction nor rounding tells
/// the ends apart and equal ends leave nothing between them.
fn part_way(a: f64, b: f64, i: usize, n: usize) -> f64 {
    let (forth, back) = (i, n - 1 - i);
    let share = |k: usize| k as f64 / (n - 1) as f64;
    match forth.cmp(&back) {
        std::cmp::Ordering::Less => a + share(forth) * (b - a),
        std::cmp::Ordering::Equal => a / 2.0 + b / 2.0,
        std::cmp::Ordering::Greater => b + share(back) * (a - b),
    }
}

impl Profile {
    /// Of the loss.
    pub fn loss_barrier(&self) -> f64 {
        barrier(&self.loss)
    }

    /// Of the error, which falls as the accuracy rises; 0 for regression.
    pub fn error_barrier(&self) -> f64 {
        barrier(&self.error)
    }
}

impl Between {
    /// Lines of `points` places (at least [`FEWEST_POINTS`]), judged in f64 on the first `train_examples` training examples,
    /// as training sees them, with their label noise (0 for all), and on all test examples.
    ///
    /// # Errors
    /// [`TrainError::Spec`] for too few points, [`TrainError::Tensor`].
    pub fn of(trainer: &Trainer, train_examples: usize, points: usize) -> Result<Self, TrainError> {
        if points < FEWEST_POINTS {
            return Err(TrainError::Spec(format!(
                "points can't be {points}: narrow hills would be missed; give {FEWEST_POINTS} or more"
            )));
        }
        let judge = |split: &Split| -> Result<Judge, TrainError> {
            Ok(Judge {
                model: trainer.model().clone(),
                batch: Batch::new(split, DType::F64, trainer.device())?,
                loss: trainer.spec().loss.clone(),
                dtype: DType::F64,
                device: trainer.device().clone(),
            })
        };
        let train = if train_examples == 0 { usize::MAX } else { train_examples };
        let spec = trainer.spec().model.clone();
        Ok(Self {
            symmetry: Symmetry::of(&spec, trainer.model().layout()).map_err(|reason| reason.to_string()),
            spec,
            streams: trainer.streams(),
            train: judge(&trainer.train().first(train))?,
            test: judge(&trainer.task().test)?,
            points,
        })
    }

    /// The places `t_i = i / (points - 1)`.
    pub fn places(&self) -> Vec<f64> {
        (0..self.points).map(|i| i as f64 / (self.points - 1) as f64).collect()
    }

    /// Why units can't be matched, if they can't.
    pub fn unmatched(&self) -> Option<&str> {
        self.symmetry.as_ref().err().map(String::as_str)
    }

    /// The straight line from a to b, flat parameters of the network's length.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn line(&self, a: &[f64], b: &[f64]) -> Result<Line, TrainError> {
        Ok(Line { train: self.profile(&self.train, a, b)?, test: self.profile(&self.test, a, b)? })
    }

    fn profile(&self, judge: &Judge, a: &[f64], b: &[f64]) -> Result<Profile, TrainError> {
        let mut profile = Profile { loss: Vec::new(), error: Vec::new() };
        for i in 0..self.points {
            let here: Vec<f64> = a.iter().zip(b).map(|(a, b)| part_way(*a, *b, i, self.points)).collect();
            let found = judge.point(&here, 0.0)?;
            profile.loss.push(found.loss);
            profile.error.extend(found.error);
        }
        Ok(profile)
    }

    /// The network b with its units in the order that brings them next to those of a: by their weights, or by what they do on
    /// the training examples. As it is where units can't be matched ([`Self::unmatched`]) and for [`Matching::None`].
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn aligned(&self, a: &[f64], b: &[f64], matching: Matching) -> Result<Vec<f64>, TrainError> {
        let Ok(symmetry) = &self.symmetry else { return Ok(b.to_vec()) };
        let (model, layout) = (&*self.train.model, self.train.model.layout());
        let permutations = match matching {
            Matching::None => return Ok(b.to_vec()),
            Matching::Weights => {
                match_weights(symmetry, layout, a, b, self.streams.stream("connect/order")).permutations
            }
            Matching::Activations => match_activations(&self.spec, model, symmetry, [a, b], &self.train.batch.inputs)?,
        };
        Ok(symmetry.apply(&permutations, layout, b))
    }

    /// What each end sees of the training loss along the line: its value, slope and curvature by an exact Hessian-vector product (without
    /// the kinks of a ReLU). The calling thread needs [`crate::nn::autodiff::enable_second_derivatives`] where the network isn't a
    /// plain perceptron.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn wells(&self, a: &[f64], b: &[f64]) -> Result<[Well; 2], TrainError> {
        let Judge { model, batch, loss, device, .. } = &self.train;
        let well = |from: &[f64], to: &[f64]| -> Result<Well, TrainError> {
            let way: Vec<f64> = to.iter().zip(from).map(|(to, from)| to - from).collect();
            let params = Params::from_flat(model.layout().clone(), from, DType::F64, device)?;
            let found = gradient(&**model, &params, batch, loss)?;
            let mut curved = vec![0.0; way.len()];
            Hessian::new(model.clone(), &params.frozen()?, batch, loss)?.apply(&way, &mut curved)?;
            let slope = dot(&model.layout().flatten(&found.tensors)?, &way);
            Ok(Well { loss: found.loss, slope, curvature: dot(&curved, &way) })
        };
        Ok([well(a, b)?, well(b, a)?])
    }

    /// Root mean square of the network's outputs over the training examples, each less its mean over the outputs (which a softmax
    /// doesn't see): how far the logits reach.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn logit_scale(&self, flat: &[f64]) -> Result<f64, TrainError> {
        let outputs = self.train.model.forward(&self.train.tensors(flat)?, &self.train.batch.inputs, None)?;
        let centred = outputs.broadcast_sub(&outputs.mean_keepdim(candle_core::D::Minus1)?)?;
        Ok(centred.sqr()?.mean_all()?.to_scalar::<f64>()?.sqrt())
    }

    pub(super) fn judge(&self) -> &Judge {
        &self.train
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::spec::{Activation, ModelKind};
    use crate::optim::spec::OptimizerKind;
    use crate::run::spec::RunSpec;
    use crate::theory::interpolation::{output_scale, two_wells};

    use super::*;

    fn spec(depth: usize, width: usize) -> RunSpec {
        let mut spec = RunSpec { steps: 60, batch_size: 32, ..RunSpec::default() };
        spec.task.train_size = 200;
        spec.model.kind = ModelKind::Mlp;
        (spec.model.depth, spec.model.width) = (depth, width);
        spec.model.activation = Activation::Relu;
        spec.optimizer.kind = OptimizerKind::Sgd;
        (spec.optimizer.lr, spec.optimizer.weight_decay) = (0.1, 0.0);
        spec
    }

    /// Two networks with starts of their own, trained.
    fn pair(spec: RunSpec) -> (Between, [Vec<f64>; 2]) {
        let base = Trainer::new(spec).unwrap();
        let trained = [0, 1].map(|n| {
            let mut run = base.sibling(n).unwrap();
            (0..60).for_each(|_| drop(run.step().unwrap()));
            run.flat().unwrap()
        });
        (Between::of(&base, 0, 21).unwrap(), trained)
    }

    // Invariant 2 of the specification.
    #[test]
    fn a_network_has_no_barrier_to_itself_and_a_line_is_the_same_from_both_ends() {
        let (between, [a, b]) = pair(spec(2, 16));
        let same = between.line(&a, &a).unwrap();
        for profile in [&same.train, &same.test] {
            assert_eq!((profile.loss_barrier(), profile.error_barrier()), (0.0, 0.0));
        }
        let (there, back) = (between.line(&a, &b).unwrap(), between.line(&b, &a).unwrap());
        assert!(there.train.loss_barrier() > 0.1, "{:?}", there.train);
        for (there, back) in [(&there.train, &back.train), (&there.test, &back.test)] {
            assert_eq!(there.loss.iter().rev().copied().collect::<Vec<_>>(), back.loss, "to the last bit");
            assert_eq!(there.loss_barrier(), back.loss_barrier());
            assert_eq!(there.error_barrier(), back.error_barrier());
        }
    }

    // Invariant 4: the convex control.
    #[test]
    fn softmax_regression_is_never_above_its_chord() {
        let (between, [a, b]) = pair(spec(0, 1));
        assert_eq!(between.aligned(&a, &b, Matching::Weights).unwrap(), b, "there are no hidden units");
        let far: Vec<f64> = a.iter().map(|x| -3.0 * x).collect();
        for b in [&b, &far] {
            let line = between.line(&a, b).unwrap();
            let (first, last) = (line.train.loss[0], line.train.loss[20]);
            assert!(line.train.loss_barrier() <= 1e-14 * first.max(last), "{}", line.train.loss_barrier());
            let middle = line.train.loss[10] - f64::midpoint(first, last);
            assert!(middle < -1e-3, "strictly below: {middle}");
        }
    }

    #[test]
    fn wells_are_what_differences_along_the_line_say() {
        let mut smooth = spec(2, 16);
        smooth.model.activation = Activation::Tanh;
        let (between, [a, b]) = pair(smooth);
        let wells = between.wells(&a, &b).unwrap();
        let at = |t: f64| {
            let here: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + t * (b - a)).collect();
            between.judge().point(&here, 0.0).unwrap().loss
        };
        let h = 1e-4;
        let [minus, zero, plus] = [-h, 0.0, h].map(at);
        assert!((wells[0].loss - zero).abs() < 1e-12);
        assert!((wells[0].slope - (plus - minus) / (2.0 * h)).abs() < 1e-5 * wells[0].slope.abs().max(1.0));
        let curvature = (plus - 2.0 * zero + minus) / (h * h);
        assert!((wells[0].curvature - curvature).abs() < 1e-4 * curvature.abs(), "{} {curvature}", wells[0].curvature);
        // Near the other end that one's well is the loss.
        assert!((two_wells(wells, 1.0 - 1e-3) - at(1.0 - 1e-3)).abs() < 1e-5);
    }

    /// Gaussian starts, wide, so that one network is near the mean over all.
    #[test]
    fn outputs_between_independent_starts_collapse_as_theory_says() {
        for depth in [0, 1, 3] {
            let base = Trainer::new(spec(depth, 512)).unwrap();
            let between = Between::of(&base, 100, 21).unwrap();
            let [a, b] = [0, 1].map(|n| base.sibling(n).unwrap().flat().unwrap());
            let scale = |t: f64| {
                let here: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (1.0 - t) * a + t * b).collect();
                between.logit_scale(&here).unwrap()
            };
            let ends = f64::midpoint(scale(0.0), scale(1.0));
            for t in [0.25, 0.5] {
                let (found, known) = (scale(t) / ends, output_scale(t, 0.0, depth));
                assert!((found / known - 1.0).abs() < 0.25, "depth {depth}, t {t}: {found} {known}");
            }
        }
    }

    #[test]
    fn too_few_points_are_refused_and_masks_say_why_units_stay() {
        let mut masked = spec(1, 64);
        masked.model.sharing = crate::nn::spec::Sharing::Local;
        let base = Trainer::new(masked).unwrap();
        assert!(Between::of(&base, 10, 20).err().unwrap().to_string().contains("21"));
        let between = Between::of(&base, 10, 21).unwrap();
        assert!(between.unmatched().unwrap().contains("mask"));
        let [a, b] = [0, 1].map(|n| base.sibling(n).unwrap().flat().unwrap());
        assert_eq!(between.aligned(&a, &b, Matching::Weights).unwrap(), b);
    }

    #[test]
    fn heights_that_are_not_finite_are_infinite() {
        assert_eq!(barrier(&[1.0, f64::NAN, 1.0]), f64::INFINITY);
        assert_eq!(barrier(&[f64::INFINITY, 1.0, 1.0]), f64::INFINITY);
        assert_eq!((barrier(&[]), barrier(&[0.0, 3.0, 4.0])), (0.0, 1.0));
    }
}
