//! Paths between two sets of parameters, and how high the loss rises on the way.

pub mod barrier;
pub mod curve;

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

use super::batch::Batch;
use super::model::Model;
use super::spec::LossSpec;
use super::training;
use barrier::{Barriers, Point};
use curve::Curve;

/// A network, the examples that it is judged on, and how numbers are held.
#[derive(Clone)]
pub struct Judge {
    pub model: Arc<dyn Model>,
    pub batch: Batch,
    pub loss: LossSpec,
    pub dtype: DType,
    pub device: Device,
}

impl Judge {
    /// The tensors of flat parameters.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn tensors(&self, flat: &[f64]) -> Result<Vec<Tensor>> {
        self.model.layout().unflatten(flat, self.dtype, &self.device)
    }

    /// Loss and error of flat parameters, as the point `t` of a path.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn point(&self, flat: &[f64], t: f64) -> Result<Point> {
        let found = training::evaluate(&*self.model, &self.tensors(flat)?, &self.batch, &self.loss)?;
        let error = (found.graded > 0).then(|| 1.0 - found.correct as f64 / found.graded as f64);
        Ok(Point { t, loss: found.loss, error })
    }

    /// Barriers along a curve, from `points` evenly spaced values of t and some more about the highest.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn barriers(&self, curve: &Curve, points: usize) -> Result<Barriers> {
        barrier::barriers(|t| self.point(&curve.at(t), t), points)
    }
}
