//! The signal on its way through the network: one forward pass serves densities, cosines and
//! the statistics of propagation.

use std::time::Instant;

use candle_core::{DType, Result, Tensor};

use crate::nn::model::Model;
use crate::nn::parts::Part;
use crate::nn::pieces::{Until, in_pieces};
use crate::nn::roles::RoleParts;
use crate::record::{Density, Reading, TokenKind, names};

use super::activations::density;
use super::job::{Advance, Job, Readings, Subject};
use super::propagation::{self, INT8, STATISTICS, Scope, Statistic, int8_error};
use super::token_cosine::{Similarity, similarity};

use std::sync::Arc;

/// Examples of a forward pass; a piece of work each.
const EXAMPLES_A_PIECE: usize = 8;

/// Looks at the activations of every layer on the first `examples` training examples: their densities
/// ([`names::activations`]), how alike tokens are ([`names::TOKEN_COSINE`], [`names::token_similarity`]), and the
/// numbers of [`STATISTICS`]. In networks without tokens, examples take their place. With `int8`, rounds them and every
/// matrix of the network ([`names::WEIGHT_INT8_ERROR`]), too.
///
/// # Errors
/// Whatever candle says of the device.
pub fn begin(subject: &Subject, examples: usize, int8: bool) -> Result<Box<dyn Job>> {
    let batch = subject.batch(examples)?;
    Ok(Box::new(Signal {
        step: subject.step,
        model: subject.model.clone(),
        params: subject.params.iter().map(Tensor::detach).collect(),
        parts: batch.parts_for(&*subject.model, EXAMPLES_A_PIECE)?,
        threads: if subject.device.is_cpu() { rayon::current_num_threads() } else { 1 },
        seen: Vec::new(),
        layers: subject.model.layers().iter().map(|_| Activations::default()).collect(),
        bound: subject.spec.layer_bound(),
        found: Vec::new(),
        wanted: STATISTICS.iter().filter(|statistic| int8 || statistic.series != INT8).collect(),
        statistics: Vec::new(),
        roles: int8.then(|| RoleParts::of(subject.model.layout())),
        rounded: Vec::new(),
    }))
}

/// Activations of a layer, `[B, T, D]` row-major.
#[derive(Clone, Debug, Default)]
struct Activations {
    values: Vec<f32>,
    tokens: usize,
    width: usize,
}

struct Signal {
    step: u64,
    model: Arc<dyn Model>,
    params: Vec<Tensor>,
    parts: Vec<Part>,
    threads: usize,
    /// One a part done: the taps.
    seen: Vec<Vec<Tensor>>,
    layers: Vec<Activations>,
    /// Of the activations at the taps; streams of residual networks have none.
    bound: Option<f64>,
    /// One a layer done.
    found: Vec<(Density, Similarity)>,
    wanted: Vec<&'static Statistic>,
    /// The numbers of each statistic done, layer by layer.
    statistics: Vec<Vec<f64>>,
    /// If weights are rounded.
    roles: Option<RoleParts>,
    /// One a part done: the errors with one scale and with a scale for each output.
    rounded: Vec<[f64; 2]>,
}

impl Signal {
    fn look(&mut self, until: Until) -> Result<()> {
        let Self { model, params, parts, .. } = self;
        let looked = in_pieces(
            self.seen.len(),
            parts.len(),
            self.threads,
            until,
            || (),
            |(), piece| {
                let mut taps = Vec::new();
                model.forward(params, &parts[piece].batch.inputs, Some(&mut taps))?;
                Ok(taps)
            },
        )?;
        self.seen.extend(looked);
        Ok(())
    }

    /// Joins the parts, once all are done.
    fn join(&mut self) -> Result<()> {
        for taps in self.seen.iter_mut() {
            for (layer, tap) in self.layers.iter_mut().zip(std::mem::take(taps)) {
                let dims = tap.dims();
                (layer.tokens, layer.width) = match *dims {
                    [_, tokens, width] => (tokens, width),
                    _ => (0, *dims.last().unwrap_or(&0)),
                };
                layer.values.extend(tap.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        if self.model.token_kind() == TokenKind::Examples {
            for layer in &mut self.layers {
                layer.tokens = layer.values.len() / layer.width.max(1);
            }
        }
        Ok(())
    }

    fn measure(&mut self, until: Until) -> Result<()> {
        let layers = &self.layers;
        let measured = in_pieces(
            self.found.len(),
            layers.len(),
            self.threads,
            until,
            || (),
            |(), piece| {
                let Activations { values, tokens, width } = &layers[piece];
                Ok((density(values), similarity(values, *tokens, *width)))
            },
        )?;
        self.found.extend(measured);
        Ok(())
    }

    fn count(&mut self, until: Until) -> Result<()> {
        let Self { layers, bound, wanted, .. } = &*self;
        let counted = in_pieces(
            self.statistics.len(),
            layers.len() * wanted.len(),
            self.threads,
            until,
            || (),
            |(), piece| {
                let Activations { values, tokens, width } = &layers[piece / wanted.len()];
                let (tokens, width, bound) = (*tokens, *width, *bound);
                let statistic = wanted[piece % wanted.len()];
                Ok((statistic.measure)(&propagation::Activations { values, tokens, width, bound }))
            },
        )?;
        self.statistics.extend(counted);
        Ok(())
    }

    /// Whether weights remain to be rounded.
    fn is_rounding(&self) -> bool {
        self.roles.as_ref().is_some_and(|roles| self.rounded.len() < roles.parts().len())
    }

    fn round(&mut self, until: Until) -> Result<()> {
        let Some(roles) = &self.roles else { return Ok(()) };
        let rounded = in_pieces(
            self.rounded.len(),
            roles.parts().len(),
            self.threads,
            until,
            || (),
            |(), piece| Ok(weight_errors(&roles.matrices(piece, &self.params)?)),
        )?;
        self.rounded.extend(rounded);
        Ok(())
    }

    fn readings(&self) -> Readings {
        let cosines = self.found.iter().map(|(_, similarity)| similarity.mean_cosine).collect();
        let mut readings = vec![(names::TOKEN_COSINE, Reading::Vector(cosines))];
        for (at, statistic) in self.wanted.iter().enumerate() {
            for (number, series) in statistic.series.iter().enumerate() {
                let layers = self.statistics.iter().skip(at).step_by(self.wanted.len());
                let values = layers.map(|numbers| numbers[number] as f32).collect();
                readings.push((series.clone(), Reading::Vector(values)));
            }
        }
        if self.roles.is_some() {
            for (scope, series) in [names::WEIGHT_INT8_ERROR, names::WEIGHT_INT8_ERROR_CHANNEL].into_iter().enumerate()
            {
                let values = self.rounded.iter().map(|errors| errors[scope] as f32).collect();
                readings.push((series, Reading::Vector(values)));
            }
        }
        for (layer, (density, similarity)) in self.model.layers().iter().zip(&self.found) {
            readings.push((names::activations(layer), Reading::Density(Arc::new(density.clone()))));
            let matrix = Arc::new(similarity.matrix.clone());
            readings.push((names::token_similarity(layer), Reading::Matrix(matrix)));
        }
        readings
    }
}

impl Job for Signal {
    fn step(&self) -> u64 {
        self.step
    }

    fn advance(&mut self, deadline: Instant, stop: &dyn Fn() -> bool) -> Result<Advance> {
        let until = Until { deadline, stop };
        if self.seen.len() < self.parts.len() {
            self.look(until)?;
            if self.seen.len() == self.parts.len() {
                self.join()?;
            }
            return Ok(Advance::Working(Vec::new()));
        }
        if self.found.len() < self.layers.len() {
            self.measure(until)?;
            return Ok(Advance::Working(Vec::new()));
        }
        if self.statistics.len() < self.layers.len() * self.wanted.len() {
            self.count(until)?;
            return Ok(Advance::Working(Vec::new()));
        }
        self.round(until)?;
        if self.is_rounding() {
            return Ok(Advance::Working(Vec::new()));
        }
        Ok(Advance::Done(self.readings()))
    }
}

/// Relative errors of the matrices of a part together: with one scale a matrix, and with one for each output (a
/// column). NaN without matrices.
fn weight_errors(matrices: &[(Vec<f32>, usize)]) -> [f64; 2] {
    [Scope::Tensor, Scope::Channel].map(|scope| {
        let (mut lost, mut whole) = (0.0, 0.0);
        for (values, width) in matrices {
            let squares: f64 = values.iter().map(|&x| f64::from(x).powi(2)).sum();
            if squares > 0.0 {
                lost += int8_error(values, *width, scope).powi(2) * squares;
                whole += squares;
            }
        }
        (lost / whole).sqrt()
    })
}
