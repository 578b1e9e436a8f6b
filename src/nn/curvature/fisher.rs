//! What stands between the Jacobians of a Gauss-Newton matrix: products with a block-diagonal matrix on the outputs.

use candle_core::{D, DType, Result, Tensor, Var};
use rand::Rng;

use crate::base::rng::{Stream, normals};
use crate::nn::autodiff::{GradientGraph, gradients};
use crate::nn::batch::TargetTensor;
use crate::nn::loss::loss;
use crate::nn::parts::Part;
use crate::nn::spec::{LossKind, LossSpec};

use super::gauss_newton::Metric;

/// A matrix on the outputs `[R, C]` of a part of a batch, with the part's share in the loss.
pub(super) enum OutputMetric {
    /// The second derivative of the loss with respect to the outputs, whatever loss it is.
    Curvature(GradientGraph),
    /// `sum_k W_k s_k s_k'` in each row: scores `[R, C]` and their weights `[R, 1]`.
    Scores(Vec<(Tensor, Tensor)>),
}

impl OutputMetric {
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn new(outputs: &Tensor, part: &Part, spec: &LossSpec, metric: &mut Metric) -> Result<Self> {
        let targets = &part.batch.targets;
        let likelihood = Likelihood { outputs, targets, spec };
        Ok(match metric {
            Metric::Ggn => Self::curvature(outputs, part, spec)?,
            Metric::ExpectedFisher if !likelihood.is_categorical() => Self::curvature(outputs, part, spec)?,
            Metric::ExpectedFisher => {
                let weights = (likelihood.probabilities()? * likelihood.row_share(part))?;
                let score = |class: usize| {
                    let labels = vec![class as u32; outputs.dim(0)?];
                    Ok((likelihood.score(&likelihood.relabelled(labels)?)?, weights.narrow(1, class, 1)?))
                };
                Self::Scores((0..outputs.dim(1)?).map(score).collect::<Result<_>>()?)
            }
            Metric::SampledFisher { samples, random } => {
                let weight = likelihood.row_share(part) / *samples as f64;
                let score = |_| likelihood.drawn_score(random).and_then(|s| likelihood.weighted(s, weight));
                Self::Scores((0..*samples).map(score).collect::<Result<_>>()?)
            }
            Metric::EmpiricalFisher => {
                let score = likelihood.score(targets)?;
                Self::Scores(vec![likelihood.weighted(score, likelihood.row_share(part))?])
            }
        })
    }

    fn curvature(outputs: &Tensor, part: &Part, spec: &LossSpec) -> Result<Self> {
        let outputs = Var::from_tensor(outputs)?;
        let loss = (loss(outputs.as_tensor(), &part.batch.targets, spec)? * part.share)?;
        Ok(Self::Curvature(GradientGraph::new(&loss, &[outputs])?))
    }

    /// `M u`, `[R, C]`, of u `[R, C]`.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn product(&self, u: &Tensor) -> Result<Tensor> {
        match self {
            Self::Curvature(graph) => Ok(graph.hvp(std::slice::from_ref(u))?.remove(0)),
            Self::Scores(scores) => {
                let mut sum = u.zeros_like()?;
                for (score, weights) in scores {
                    let along = ((score * u)?.sum_keepdim(D::Minus1)? * weights)?;
                    sum = (sum + score.broadcast_mul(&along)?)?;
                }
                Ok(sum)
            }
        }
    }
}

/// A loss read as a negative log-likelihood, a row at a time.
struct Likelihood<'a> {
    outputs: &'a Tensor,
    targets: &'a TargetTensor,
    spec: &'a LossSpec,
}

impl Likelihood<'_> {
    fn is_categorical(&self) -> bool {
        matches!(self.targets, TargetTensor::Classes { .. }) && self.spec.kind == LossKind::CrossEntropy
    }

    /// Graded rows.
    fn graded(&self) -> usize {
        match self.targets {
            TargetTensor::Classes { graded, .. } => *graded,
            TargetTensor::Values(values) => values.dims().first().copied().unwrap_or(0),
        }
    }

    /// What a graded row weighs in the loss of the whole batch.
    fn row_share(&self, part: &Part) -> f64 {
        part.share / self.graded().max(1) as f64
    }

    /// Softmax of `outputs / temperature`, `[R, C]`.
    fn probabilities(&self) -> Result<Tensor> {
        let z = (self.outputs * self.spec.temperature.recip())?;
        let p = z.broadcast_sub(&z.max_keepdim(D::Minus1)?)?.exp()?;
        p.broadcast_div(&p.sum_keepdim(D::Minus1)?)
    }

    /// The same rows with other labels.
    fn relabelled(&self, labels: Vec<u32>) -> Result<TargetTensor> {
        let TargetTensor::Classes { weights, graded, classes, .. } = self.targets else {
            candle_core::bail!("targets that are numbers have no labels")
        };
        let labels = Tensor::from_vec(labels, self.outputs.dim(0)?, self.outputs.device())?;
        Ok(TargetTensor::Classes { labels, weights: weights.clone(), graded: *graded, classes: *classes })
    }

    /// The scores `d(-log p(target)) / df` of all rows, `[R, C]`; zero where a row isn't graded.
    fn score(&self, targets: &TargetTensor) -> Result<Tensor> {
        let outputs = Var::from_tensor(self.outputs)?;
        let mean = loss(outputs.as_tensor(), targets, self.spec)?;
        // The loss is the mean over the graded rows, so that its gradient is the score over their number.
        gradients(&mean, &[outputs])?.remove(0) * self.graded() as f64
    }

    /// The scores at targets drawn from the model.
    fn drawn_score(&self, random: &mut Stream) -> Result<Tensor> {
        let (rows, classes) = self.outputs.dims2()?;
        if self.is_categorical() {
            let p = self.probabilities()?.to_dtype(DType::F64)?.to_vec2::<f64>()?;
            let draw = |row: &Vec<f64>| {
                let mut left = random.random::<f64>() * row.iter().sum::<f64>();
                let chosen = row.iter().position(|p| {
                    left -= p;
                    left < 0.0
                });
                chosen.unwrap_or(classes - 1) as u32
            };
            return self.score(&self.relabelled(p.iter().map(draw).collect())?);
        }
        // y = f + sqrt(C/2) z has the score 2 (f - y) / C = -sqrt(2/C) z, whatever f is.
        let z = Tensor::from_vec(normals(random, rows * classes), (rows, classes), self.outputs.device())?;
        let score = (z.to_dtype(self.outputs.dtype())? * -(2.0 / classes as f64).sqrt())?;
        match self.targets {
            TargetTensor::Classes { weights: Some(weights), .. } => score.broadcast_mul(&weights.unsqueeze(1)?),
            _ => Ok(score),
        }
    }

    fn weighted(&self, score: Tensor, weight: f64) -> Result<(Tensor, Tensor)> {
        let rows = self.outputs.dim(0)?;
        let weights = Tensor::full(weight, (rows, 1), self.outputs.device())?.to_dtype(self.outputs.dtype())?;
        Ok((score, weights))
    }
}
