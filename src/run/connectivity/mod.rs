//! Connectivity: how high the loss and the error rise between networks of one shape, before and after their units are
//! matched, and how good they are together.

pub mod bends;
pub mod between;
mod ends;
pub mod family;
mod run_order;
mod session;
pub mod triangle;

use std::sync::Arc;
use std::time::Instant;

use candle_core::DType;

use crate::base::rng::Streams;
use crate::linalg::vectors::{dot, norm};
use crate::nn::batch::TargetTensor;
use crate::nn::ensemble::{Probabilities, predict};
use crate::nn::matching::{Permutations, Symmetry, match_activations, match_weights};
use crate::nn::paths::Judge;
use crate::nn::paths::barrier::{Barriers, FEWEST_POINTS, Peak, Point, barriers};
use crate::nn::paths::curve::Curve;
use crate::nn::spec::{LossKind, ModelSpec};
use crate::optim::spec::{OptimizerKind, OptimizerSpec, ScheduleKind, ScheduleSpec};
use crate::record::Circumstances;
use crate::record::connectivity::{Connectivity, CurveKind, Height, Heights, Matched, Matching, Pair, Walk, WalkPoint};
use crate::tasks::data::Split;

use super::device::first_line;
use super::trainer::TrainError;

pub use run_order::{Checkpoints, RunOrder, RunSplit, WeightsPlace};
pub use session::{ConnectivityEvent, ConnectivityProgress, ConnectivitySession};

/// How far to go.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectivityOptions {
    /// Points of the even grid of each path, at least 25.
    pub points: usize,
    /// Beside the straight line as it is: matchings to try.
    pub matchings: Vec<Matching>,
    /// A curve to train, if it isn't the line.
    pub curve: CurveKind,
    /// Points of the curve that are trained.
    pub bends: usize,
    /// Updates of its bends.
    pub curve_steps: u64,
    /// Learning rate of their Adam, on a cosine schedule.
    pub curve_lr: f64,
    /// Examples of an update; 0 for all.
    pub curve_batch: usize,
}

impl Default for ConnectivityOptions {
    fn default() -> Self {
        Self {
            points: FEWEST_POINTS,
            matchings: vec![Matching::Weights, Matching::Activations],
            curve: CurveKind::Line,
            bends: 1,
            curve_steps: 300,
            curve_lr: 0.01,
            curve_batch: 128,
        }
    }
}

impl ConnectivityOptions {
    /// # Errors
    /// One sentence that names the option, the value and what to do.
    pub fn check(&self) -> Result<(), String> {
        let whole = |name: &str, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(format!("{name} can't be {value}; give a whole number from {least} to {most}"))
        };
        whole("points", self.points as u64, FEWEST_POINTS as u64, 10_001)?;
        whole("bends", self.bends as u64, 1, 20)?;
        whole("curve-steps", self.curve_steps, 1, 1_000_000)?;
        whole("curve-batch", self.curve_batch as u64, 0, 1_000_000)?;
        if !(self.curve_lr > 0.0 && self.curve_lr <= 10.0) {
            return Err(format!(
                "curve-lr can't be {}; give a number above 0 and at most 10, such as 0.01",
                self.curve_lr
            ));
        }
        Ok(())
    }
}

/// The networks and the examples that they are judged on.
pub struct Order {
    pub spec: ModelSpec,
    /// Its network, and the examples of the paths.
    pub judge: Judge,
    /// Where the examples are from.
    pub data: String,
    /// Name and parameters of each network, in the flattening order; at least two.
    pub networks: Vec<(String, Vec<f64>)>,
    /// Examples that bends are trained on.
    pub train: Arc<Split>,
    /// Matching draws from `connect/order`, bends from `batches` and `path/t`.
    pub streams: Streams,
    pub options: ConnectivityOptions,
}

/// Why it ended early.
enum Halt {
    Stopped,
    Error(TrainError),
}

impl From<candle_core::Error> for Halt {
    fn from(error: candle_core::Error) -> Self {
        Self::Error(TrainError::Spec(format!("the networks can't be compared: {}", first_line(&error))))
    }
}

/// Places that a search for peaks looks at beyond the grid, about.
const SEARCH: usize = 20;

/// Tells of progress; asks whether to go on.
struct Tell<'a> {
    progress: ConnectivityProgress,
    go_on: &'a mut dyn FnMut(&ConnectivityProgress) -> bool,
}

impl Tell<'_> {
    fn begin(&mut self, what: String) {
        self.progress.what = what;
    }

    fn piece(&mut self) -> Result<(), Halt> {
        self.progress.done = (self.progress.done + 1).min(self.progress.of);
        if (self.go_on)(&self.progress) { Ok(()) } else { Err(Halt::Stopped) }
    }
}

/// Compares all pairs of the networks on the calling thread. `go_on` is asked at every point of a path and every update of
/// a bend; on `false` the answer is `None`.
///
/// The thread and its rayon pool need [`crate::nn::autodiff::STACK_BYTES`] where a curve is trained.
///
/// # Errors
/// [`TrainError::Spec`] for options out of range and fewer than two networks, and for what candle says.
pub fn connect(
    order: &Order,
    go_on: &mut dyn FnMut(&ConnectivityProgress) -> bool,
) -> Result<Option<Connectivity>, TrainError> {
    order.options.check().map_err(TrainError::Spec)?;
    if order.networks.len() < 2 {
        return Err(TrainError::Spec("one network has nothing to be connected to; give at least two".into()));
    }
    if order.judge.batch.len == 0 {
        return Err(TrainError::Spec("networks can't be compared on no examples; give at least one".into()));
    }
    match order.connect(go_on) {
        Ok(found) => Ok(Some(found)),
        Err(Halt::Stopped) => Ok(None),
        Err(Halt::Error(error)) => Err(error),
    }
}

/// What is the same for all pairs.
struct Known {
    symmetry: Option<Symmetry>,
    /// Probabilities of each network, for classifiers.
    probabilities: Vec<Probabilities>,
    labels: Vec<u32>,
}

impl Order {
    fn connect(&self, go_on: &mut dyn FnMut(&ConnectivityProgress) -> bool) -> Result<Connectivity, Halt> {
        let started = Instant::now();
        let Judge { model, batch, loss, dtype, .. } = &self.judge;
        let count = self.networks.len();
        let (symmetry, unmatched) = match Symmetry::of(&self.spec, model.layout()) {
            _ if self.options.matchings.is_empty() => (None, None),
            Ok(symmetry) => (Some(symmetry), None),
            Err(reason) => (None, Some(reason.to_string())),
        };
        let lines = 1 + if symmetry.is_some() { self.options.matchings.len() } else { 0 };
        let (curve, updates) =
            if self.options.curve == CurveKind::Line { (0, 0) } else { (1, self.options.curve_steps as usize) };
        let of = count * (count - 1) / 2 * ((lines + curve) * (self.options.points + SEARCH) + updates);
        let mut tell = Tell { progress: ConnectivityProgress { done: 0, of, what: String::new() }, go_on };

        let mut known = Known { symmetry, probabilities: Vec::new(), labels: Vec::new() };
        if matches!(batch.targets, TargetTensor::Classes { .. }) {
            for (_, flat) in &self.networks {
                let found = predict(&**model, &self.judge.tensors(flat)?, batch, loss.temperature)?;
                if let Some((probabilities, labels)) = found {
                    known.probabilities.push(probabilities);
                    known.labels = labels;
                }
            }
        }
        let mut ends = Vec::with_capacity(count);
        for (at, (name, flat)) in self.networks.iter().enumerate() {
            let grades = known.probabilities.get(at).and_then(|p| ends::grades(p, &known.labels));
            ends.push(ends::end(name, norm(flat), self.judge.point(flat, 0.0)?.loss, grades));
        }
        let mut pairs = Vec::new();
        for a in 0..count {
            for b in a + 1..count {
                pairs.push(self.pair([a, b], &known, &mut tell)?);
            }
        }
        Ok(Connectivity {
            model: model.title(),
            parameters: model.layout().total(),
            loss: match loss.kind {
                LossKind::CrossEntropy => "cross-entropy".into(),
                LossKind::Mse => "mean squared error".into(),
            },
            data: self.data.clone(),
            points: self.options.points,
            ends,
            pairs,
            together: ends::together(&known.probabilities, &known.labels),
            unmatched,
            circumstances: Circumstances {
                examples: batch.len,
                dtype: dtype.as_str().into(),
                method: "forward passes on an even grid, golden-section search at the peaks".into(),
                seconds: started.elapsed().as_secs_f64(),
            },
        })
    }

    fn pair(&self, [a, b]: [usize; 2], known: &Known, tell: &mut Tell<'_>) -> Result<Pair, Halt> {
        let [(first, u), (second, v)] = [&self.networks[a], &self.networks[b]];
        let about = |what: &str| {
            if self.networks.len() > 2 { format!("{first} and {second}: {what}") } else { what.to_owned() }
        };
        let walked = |matching: Matching, v: &[f64], tell: &mut Tell<'_>| {
            tell.begin(about(&format!("straight line, {}", matching.words())));
            self.walk(CurveKind::Line, matching, &Curve::line(u.clone(), v.to_vec()), tell)
        };
        let mut walks = vec![walked(Matching::None, v, tell)?];
        let mut matched = Vec::new();
        if let Some(symmetry) = &known.symmetry {
            for &matching in self.options.matchings.iter().filter(|m| **m != Matching::None) {
                tell.begin(about(&format!("matching, {}", matching.words())));
                let (found, permuted) = self.matched(symmetry, matching, [u, v])?;
                matched.push(found);
                walks.push(walked(matching, &permuted, tell)?);
            }
        }
        if self.options.curve != CurveKind::Line {
            let what = about(&format!("training the {}", self.options.curve.words()));
            let curve = self.bent([u, v], what, tell)?;
            tell.begin(about(self.options.curve.words()));
            walks.push(self.walk(self.options.curve, Matching::None, &curve, tell)?);
        }
        let members: Vec<_> = [a, b].iter().filter_map(|&at| known.probabilities.get(at).cloned()).collect();
        let difference: Vec<f64> = u.iter().zip(v).map(|(u, v)| u - v).collect();
        Ok(Pair {
            a,
            b,
            distance: norm(&difference),
            cosine: dot(u, v) / (norm(u) * norm(v)),
            matched,
            walks,
            together: ends::together(&members, &known.labels),
        })
    }

    fn walk(&self, curve: CurveKind, matching: Matching, path: &Curve, tell: &mut Tell<'_>) -> Result<Walk, Halt> {
        let end = tell.progress.done + self.options.points + SEARCH;
        let place = |t| {
            tell.piece()?;
            self.judge.point(&path.at(t), t).map_err(Halt::from)
        };
        let found = barriers(place, self.options.points)?;
        tell.progress.done = end.min(tell.progress.of);
        Ok(described(curve, matching, &found))
    }

    fn matched(
        &self,
        symmetry: &Symmetry,
        matching: Matching,
        [u, v]: [&[f64]; 2],
    ) -> Result<(Matched, Vec<f64>), Halt> {
        let model = &*self.judge.model;
        let layout = model.layout();
        let (permutations, sweeps, converged): (Permutations, _, _) = match matching {
            Matching::None => (symmetry.identity(), None, None),
            Matching::Weights => {
                let found = match_weights(symmetry, layout, u, v, self.streams.stream("connect/order"));
                (found.permutations, Some(found.sweeps), Some(found.converged))
            }
            Matching::Activations => {
                let inputs = &self.judge.batch.inputs;
                (match_activations(&self.spec, model, symmetry, [u, v], inputs)?, None, None)
            }
        };
        let permuted = symmetry.apply(&permutations, layout, v);
        let (before, after) = (self.outputs(v)?, self.outputs(&permuted)?);
        let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, |m: f64, x| m.max(x.abs()));
        let units = permutations.0.iter().flat_map(|p| p.iter().enumerate());
        let difference: Vec<f64> = u.iter().zip(&permuted).map(|(u, v)| u - v).collect();
        let matched = Matched {
            matching,
            distance: norm(&difference),
            moved: units.clone().filter(|(to, from)| to != *from).count(),
            units: units.count(),
            output_change: largest(&mut before.iter().zip(&after).map(|(a, b)| a - b)),
            largest_output: largest(&mut before.iter().copied()),
            sweeps,
            converged,
        };
        Ok((matched, permuted))
    }

    fn outputs(&self, flat: &[f64]) -> Result<Vec<f64>, Halt> {
        let outputs = self.judge.model.forward(&self.judge.tensors(flat)?, &self.judge.batch.inputs, None)?;
        Ok(outputs.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?)
    }

    fn bent(&self, [u, v]: [&[f64]; 2], what: String, tell: &mut Tell<'_>) -> Result<Curve, Halt> {
        let options = &self.options;
        let straight = match options.curve {
            CurveKind::Polychain => Curve::straight_chain(u, v, options.bends),
            CurveKind::Line | CurveKind::Bezier => Curve::straight_bezier(u, v, options.bends),
        };
        let training = bends::Options {
            steps: options.curve_steps,
            batch_size: options.curve_batch,
            optimizer: OptimizerSpec {
                kind: OptimizerKind::Adam,
                lr: options.curve_lr,
                weight_decay: 0.0,
                ..OptimizerSpec::default()
            },
            schedule: ScheduleSpec { kind: ScheduleKind::Cosine, warmup_steps: options.curve_steps / 20 },
        };
        tell.begin(what);
        let mut stopped = false;
        let mut told = |_, _| {
            stopped = tell.piece().is_err();
            !stopped
        };
        let curve = bends::train_bends(&self.judge, straight, &self.train, &training, self.streams, &mut told)?;
        if stopped { Err(Halt::Stopped) } else { Ok(curve) }
    }
}

fn described(curve: CurveKind, matching: Matching, found: &Barriers) -> Walk {
    let height = |Peak { height, t, t_error }: Peak| Height { height, t, t_error };
    let error = found.error_entezari.zip(found.error_frankle).zip(found.error_above_higher_end());
    Walk {
        curve,
        matching,
        loss: Heights {
            above_chord: height(found.loss_entezari),
            above_mean: height(found.loss_frankle),
            above_higher_end: height(found.loss_above_higher_end()),
        },
        error: error.map(|((chord, mean), higher)| Heights {
            above_chord: height(chord),
            above_mean: height(mean),
            above_higher_end: height(higher),
        }),
        points: found.points.iter().map(|&Point { t, loss, error }| WalkPoint { t, loss, error }).collect(),
    }
}
