//! Points of a plane for any network: parameters are combined, then it is a forward pass like others.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::nn::batch::{Batch, InputTensor};
use crate::nn::loss::{correct, loss};
use crate::nn::model::Model;
use crate::nn::parts::Part;
use crate::nn::spec::LossSpec;

use super::directions::Directions;
use super::{Evaluator, Tally, Worker};

/// Multiplications of a piece of work, about: some milliseconds on one core.
const PIECE_PRODUCTS: usize = 50_000_000;
const MOST_EXAMPLES: usize = 256;

pub(super) struct AnyModel {
    model: Arc<dyn Model>,
    loss: LossSpec,
    centre: Vec<Tensor>,
    /// In the shapes of the layout; `None` where a tensor is held.
    d: Vec<Option<Tensor>>,
    e: Vec<Option<Tensor>>,
    parts: Vec<Part>,
}

impl AnyModel {
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn new(
        model: &Arc<dyn Model>,
        centre: &[Tensor],
        directions: &Directions,
        batch: &Batch,
        loss: &LossSpec,
    ) -> Result<Self> {
        let centre: Vec<Tensor> = centre.iter().map(Tensor::detach).collect();
        let shaped = |flat: &[f32]| -> Result<Vec<Option<Tensor>>> {
            (0..centre.len())
                .map(|index| {
                    let (part, like) = (&flat[model.layout().range(index)], &centre[index]);
                    if part.iter().all(|&x| x == 0.0) {
                        return Ok(None);
                    }
                    Tensor::from_slice(part, like.shape(), like.device())?.to_dtype(like.dtype()).map(Some)
                })
                .collect()
        };
        let (d, e) = (shaped(&directions.d)?, shaped(&directions.e)?);
        let model = model.measured_at(&centre, &batch.inputs)?.unwrap_or_else(|| model.clone());
        let parts = batch.parts_for(&*model, examples_a_piece(&*model, &centre, batch)?)?;
        Ok(Self { model, loss: loss.clone(), centre, d, e, parts })
    }

    fn at(&self, site: [f64; 2]) -> Result<Vec<Tensor>> {
        let directions = self.d.iter().zip(&self.e);
        self.centre
            .iter()
            .zip(directions)
            .map(|(w, directions)| match directions {
                (Some(d), Some(e)) => (w + ((d * site[0])? + (e * site[1])?)?)?.detach().contiguous(),
                (Some(d), None) => w + (d * site[0])?,
                (None, Some(e)) => w + (e * site[1])?,
                (None, None) => Ok(w.clone()),
            })
            .collect()
    }
}

/// How many examples make a piece, from shapes alone, so that sums are always taken over the same parts.
fn examples_a_piece(model: &dyn Model, params: &[Tensor], batch: &Batch) -> Result<usize> {
    let first = match &batch.inputs {
        InputTensor::Features(tensor) => InputTensor::Features(tensor.narrow(0, 0, 1)?),
        InputTensor::Tokens(tensor) => InputTensor::Tokens(tensor.narrow(0, 0, 1)?),
    };
    let mut taps = Vec::new();
    model.forward(params, &first, Some(&mut taps))?;
    let tokens = taps.iter().map(|tap| if tap.rank() == 3 { tap.dims()[1] } else { 1 }).max().unwrap_or(1);
    Ok((PIECE_PRODUCTS / (tokens * model.layout().total()).max(1)).clamp(1, MOST_EXAMPLES))
}

impl Evaluator for AnyModel {
    fn parts(&self) -> usize {
        self.parts.len()
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(Forward { slice: self, here: None })
    }
}

/// A thread's parameters, at the point it is working on.
struct Forward<'a> {
    slice: &'a AnyModel,
    here: Option<([f64; 2], Vec<Tensor>)>,
}

impl Worker for Forward<'_> {
    fn tally(&mut self, site: [f64; 2], part: usize) -> Result<Tally> {
        let Self { slice, here } = self;
        let params = match here {
            Some((at, params)) if *at == site => params,
            _ => &mut here.insert((site, slice.at(site)?)).1,
        };
        let Part { batch, share } = &slice.parts[part];
        let outputs = slice.model.forward(params, &batch.inputs, None)?;
        let mean =
            loss(&outputs, &batch.targets, &slice.loss)?.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()?;
        // Parts in which nothing is graded have no loss, rather than 0 times what it isn't.
        let loss = if *share == 0.0 { 0.0 } else { mean * share };
        Ok(Tally { loss, correct: correct(&outputs, &batch.targets)?.0 })
    }
}
