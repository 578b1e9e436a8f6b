//! Loss and accuracy on a plane `w + a d + b e` through the parameters: the loss landscape that one can look at.
//!
//! A [`Slice`] is computed in short pieces on all cores, one point or some examples of a point at a time, and refined
//! from 9x9 points (11x11 on the way to 41x41) to as many as wanted. Losses that aren't finite are values like others: far out, networks overflow.

mod any_model;
mod chain;
pub mod directions;
pub mod grid;
mod outputs;
mod residual;

use std::time::Instant;

use candle_core::{DType, Result, Tensor};

use super::batch::{Batch, InputTensor, TargetTensor};
use super::forward::Machine;
use super::model::Model;
use super::pieces::{Until, in_pieces};
use super::spec::LossSpec;

use any_model::AnyModel;
use chain::Chain;
use directions::Directions;
use grid::{Grid, LEVELS};
use residual::Residual;

/// What a part of the examples adds to the loss and accuracy of a point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tally {
    /// Summand of the mean loss, in f64.
    loss: f64,
    correct: usize,
}

/// Evaluates points of one plane.
trait Evaluator: Send + Sync {
    /// Parts that the examples come in; each is a piece of work of some milliseconds.
    fn parts(&self) -> usize;
    /// A thread's own tools.
    fn worker(&self) -> Box<dyn Worker + '_>;
}

trait Worker {
    /// What part `part` of the examples adds at `w + a d + b e`.
    fn tally(&mut self, site: [f64; 2], part: usize) -> Result<Tally>;
}

/// Loss and accuracy of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointValue {
    pub loss: f64,
    /// Rows classified as their label.
    pub correct: usize,
}

/// The loss on a plane, as far as it has been computed.
pub struct Slice {
    evaluator: Box<dyn Evaluator>,
    grid: Grid<PointValue>,
    /// Of the next missing point: the parts that are done.
    begun: Vec<Tally>,
    threads: usize,
    graded: usize,
    method: &'static str,
}

impl Slice {
    /// Nothing is computed yet. `finest`: points a side of the last level, one of [`LEVELS`]; `radius` in units of the
    /// directions' lengths.
    ///
    /// # Errors
    /// A `finest` that isn't a level, a radius that isn't positive and finite, no examples; whatever candle says.
    pub fn new(
        model: &std::sync::Arc<dyn Model>,
        centre: &[Tensor],
        directions: &Directions,
        batch: &Batch,
        loss: &LossSpec,
        radius: f64,
        finest: usize,
    ) -> Result<Self> {
        Self::check(radius, finest)?;
        if batch.len == 0 {
            candle_core::bail!("a slice can't be computed on no examples; give at least one");
        }
        let on_cpu = match &batch.inputs {
            InputTensor::Features(tensor) | InputTensor::Tokens(tensor) => tensor.device().is_cpu(),
        };
        let graded = match &batch.targets {
            TargetTensor::Classes { graded, .. } => *graded,
            TargetTensor::Values(_) => 0,
        };
        let (evaluator, method): (Box<dyn Evaluator>, _) = match (model.chain(), &batch.inputs) {
            // Without hidden layers there is no first one to have by linearity.
            (Some(activation), InputTensor::Features(inputs)) if on_cpu && centre.len() > 2 => {
                let method = "forward passes, first layer by linearity";
                let here = Machine::here();
                match inputs.dtype() {
                    DType::F32 => {
                        (Box::new(Chain::<f32>::new(activation, here, centre, directions, batch, loss)?), method)
                    }
                    _ => (Box::new(Chain::<f64>::new(activation, here, centre, directions, batch, loss)?), method),
                }
            }
            _ => match model.plan().filter(|plan| on_cpu && Residual::<f64>::fits(plan, batch)) {
                Some(plan) => {
                    let method = "forward passes by hand, embedding by linearity";
                    let (here, layout) = (Machine::here(), model.layout());
                    match centre[0].dtype() {
                        DType::F32 => (
                            Box::new(Residual::<f32>::new(plan, here, layout, centre, directions, batch, loss)?),
                            method,
                        ),
                        _ => (
                            Box::new(Residual::<f64>::new(plan, here, layout, centre, directions, batch, loss)?),
                            method,
                        ),
                    }
                }
                None => (Box::new(AnyModel::new(model, centre, directions, batch, loss)?), "forward passes"),
            },
        };
        Ok(Self {
            evaluator,
            grid: Grid::new(radius, finest),
            begun: Vec::new(),
            threads: if on_cpu { rayon::current_num_threads() } else { 1 },
            graded,
            method,
        })
    }

    /// Whether there can be such a slice.
    ///
    /// # Errors
    /// A `finest` that isn't a level, a radius that isn't positive and finite.
    pub fn check(radius: f64, finest: usize) -> Result<()> {
        if !LEVELS.contains(&finest) {
            candle_core::bail!("a slice can't have {finest} points a side; give 9, 17, 33, 41 or 65");
        }
        if !(radius > 0.0 && radius.is_finite()) {
            candle_core::bail!("a slice can't have the radius {radius}; give a positive number such as 1");
        }
        Ok(())
    }

    pub fn grid(&self) -> &Grid<PointValue> {
        &self.grid
    }

    /// Rows whose class counts for the accuracy; 0 for regression.
    pub fn graded(&self) -> usize {
        self.graded
    }

    /// How points are computed.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Works on the current level until it is complete, or `deadline`, or `stop` answers true between two pieces; at
    /// least one piece. Answers whether the level is complete.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn advance(&mut self, deadline: Instant, stop: &dyn Fn() -> bool) -> Result<bool> {
        let sites = self.grid.missing();
        let parts = self.evaluator.parts();
        let evaluator = &*self.evaluator;
        let found = in_pieces(
            self.begun.len(),
            sites.len() * parts,
            self.threads,
            Until { deadline, stop },
            || evaluator.worker(),
            |worker, piece| worker.tally(sites[piece / parts], piece % parts),
        )?;
        self.begun.extend(found);
        let points = self.begun.len() / parts;
        let values: Vec<_> = self.begun.drain(..points * parts).collect();
        // In the order of the parts, whoever computed them.
        self.grid.fill(values.chunks(parts).map(|parts| PointValue {
            loss: parts.iter().map(|tally| tally.loss).sum(),
            correct: parts.iter().map(|tally| tally.correct).sum(),
        }));
        Ok(self.grid.level_is_complete())
    }

    /// Goes on to the next level; `false` if there is none. Only between levels.
    pub fn refine(&mut self) -> bool {
        debug_assert!(self.grid.level_is_complete());
        self.grid.refine()
    }
}
