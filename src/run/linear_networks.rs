//! Two-layer linear networks of this program, from given numbers and in f64: what the closed recursion is held to.
//!
//! The same MLP, parametrisation, gradient and optimiser as a run's, with activation identity, no biases, full batch and SGD. In the
//! explicit form at base width 1 its parameters are those of [`crate::theory::linear_network`]: `E` `[D, N]` and `V` `[N]`, the outputs
//! `x' E V / (sqrt(N) gamma)`, and both learn at the rate `eta0 gamma^2`, with `gamma = gamma0 N^a`.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use crate::base::rng::Streams;
use crate::linalg::estimator::estimate;
use crate::linalg::extremes::{ExtremeSearch, Options as ExtremeOptions};
use crate::linalg::lanczos::{Lanczos, Options};
use crate::linalg::operator::LinearOperator;
use crate::linalg::wrappers::{Difference, Scaled};
use crate::nn::batch::{Batch, InputTensor, TargetTensor};
use crate::nn::build::build;
use crate::nn::curvature::{GaussNewton, Hessian, Metric};
use crate::nn::model::Model;
use crate::nn::parametrization::{Form, Parametrization, ParametrizationSpec};
use crate::nn::params::Params;
use crate::nn::spec::{Activation, BlockSpec, LossSpec, ModelKind, ModelSpec};
use crate::nn::training::gradient;
use crate::optim::Optimizer;
use crate::optim::spec::{OptimizerKind, OptimizerSpec};
use crate::tasks::data::{Inputs, Split, Targets};
use crate::theory::linear_network::Sharpness;

use super::parametrization::{optimizer, preconditioner};
use super::spec::RunSpec;
use super::trainer::TrainError;

/// The loss of this program is a mean of squares, that of the papers half of it.
const HALF: f64 = 0.5;

/// Examples and the weights to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// `[P, D]` row-major.
    pub x: &'a [f64],
    /// `[P]`
    pub y: &'a [f64],
    /// `[D, N]` row-major.
    pub e: &'a [f64],
    /// `[N]`
    pub v: &'a [f64],
}

/// A network in training.
pub struct LinearRun {
    model: Arc<dyn Model>,
    params: Params,
    optimizer: Optimizer,
    batch: Batch,
    /// The square roots of the factors on the learning rate, in the flattening order.
    factors: Vec<f64>,
    inputs: usize,
    steps: u64,
    /// Where the last search for an eigenvalue ended.
    warm: Option<Vec<f64>>,
}

impl LinearRun {
    /// With `gamma = gamma0 N^exponent`: NTK for exponent 0, muP for 1/2.
    ///
    /// # Errors
    /// [`TrainError::Spec`] if the sizes of the slices don't fit each other.
    pub fn new(start: &Start, gamma0: f64, exponent: f64) -> Result<Self, TrainError> {
        Self::in_form(start, gamma0, exponent, Form::Explicit)
    }

    fn in_form(start: &Start, gamma0: f64, exponent: f64, form: Form) -> Result<Self, TrainError> {
        let Start { x, y, e, v } = *start;
        let (p, n) = (y.len(), v.len());
        let d = x.len().checked_div(p).unwrap_or(0);
        if p == 0 || d == 0 || n == 0 || x.len() != p * d || e.len() != d * n {
            return Err(TrainError::Spec(format!(
                "a linear network needs x [P, D], y [P], E [D, N] and V [N]; x has {} numbers, y {p}, E {}, V {n}",
                x.len(),
                e.len()
            )));
        }
        let kind = Parametrization::GammaPower;
        let parametrization =
            ParametrizationSpec { kind, form, base_width: 1, base_depth: 1, gamma0, gamma_exponent: exponent };
        let model = ModelSpec {
            kind: ModelKind::Mlp,
            width: n,
            depth: 1,
            activation: Activation::Identity,
            block: BlockSpec { biases: false, ..BlockSpec::default() },
            parametrization,
            ..ModelSpec::default()
        };
        let sgd =
            OptimizerSpec { kind: OptimizerKind::Sgd, momentum: 0.0, weight_decay: 0.0, ..OptimizerSpec::default() };
        let spec = RunSpec { model, optimizer: sgd, ..RunSpec::default() };
        // For the shapes alone: the numbers of a split are f32.
        let shapes = Split {
            inputs: Inputs::Features { values: vec![0.0; d], shape: vec![d] },
            targets: Targets::Values { values: vec![0.0], outputs: 1 },
        };
        let model = build(&spec.model, &shapes)?;
        let layout = model.layout().clone();
        let multiplier =
            if form == Form::Explicit { 1.0 } else { ((n as f64).sqrt() * gamma0 * (n as f64).powf(exponent)).recip() };
        let flat: Vec<f64> = e.iter().copied().chain(v.iter().map(|v| v * multiplier)).collect();
        let params = Params::from_flat(layout.clone(), &flat, DType::F64, &Device::Cpu)?;
        let mut factors = vec![0.0; layout.total()];
        for (index, rate) in preconditioner(&spec, &layout).into_iter().enumerate() {
            factors[layout.range(index)].fill(rate.sqrt());
        }
        let batch = Batch {
            inputs: InputTensor::Features(Tensor::from_slice(x, (p, d), &Device::Cpu)?),
            targets: TargetTensor::Values(Tensor::from_slice(y, (p, 1), &Device::Cpu)?),
            len: p,
        };
        let optimizer = optimizer(&spec, &layout);
        Ok(Self { model, params, optimizer, batch, factors, inputs: d, steps: 0, warm: None })
    }

    /// One update of gradient descent with the rate `eta0 gamma^2`; the loss before it, `1/(2P) sum (f - y)^2`.
    ///
    /// # Errors
    /// [`TrainError::Tensor`]. Numbers that aren't finite are answers.
    pub fn step(&mut self, eta0: f64) -> Result<f64, TrainError> {
        let found = gradient(&*self.model, &self.params, &self.batch, &LossSpec::default())?;
        self.optimizer.step(&self.params, &found.tensors, HALF * eta0)?;
        self.steps += 1;
        Ok(HALF * found.loss)
    }

    /// `1/(2P) sum (f - y)^2`.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn loss(&self) -> Result<f64, TrainError> {
        let params = self.params.frozen()?;
        let found = crate::nn::training::evaluate(&*self.model, &params, &self.batch, &LossSpec::default())?;
        Ok(HALF * found.loss)
    }

    /// The linear map w that the network computes, `[D]`: its outputs for the unit vectors.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn map(&self) -> Result<Vec<f64>, TrainError> {
        let units = Tensor::eye(self.inputs, DType::F64, &Device::Cpu)?;
        let outputs = self.model.forward(&self.params.frozen()?, &InputTensor::Features(units), None)?;
        Ok(outputs.flatten_all()?.to_vec1()?)
    }

    /// The largest eigenvalues of `gamma^2 H`, of its Gauss-Newton part and of the rest, by Lanczos' method on exact products: each to a relative
    /// residual of 1e-7, which leaves an error of its square over the gap. `None` once numbers aren't finite, or where that isn't reached.
    ///
    /// The thread and its rayon pool need [`crate::nn::autodiff::STACK_BYTES`] and the switch of [`crate::nn::autodiff`].
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn sharpness(&mut self) -> Result<Option<Sharpness>, TrainError> {
        let Some(hessian) = self.largest(&mut self.hessian()?)? else { return Ok(None) };
        let Some(gauss_newton) = self.largest(&mut self.gauss_newton()?)? else { return Ok(None) };
        let mut rest = Difference::new(self.hessian()?, self.gauss_newton()?);
        // Its eigenvalues are plus and minus the same number, each many times.
        let options = ExtremeOptions { top: 1, bottom: 0, tolerance: 1e-6, ..ExtremeOptions::default() };
        let random = Streams::new(0).indexed("probe/linear-network/residual", self.steps);
        let found = estimate(&mut rest, &mut ExtremeSearch::new(self.factors.len(), &[], random, options))?;
        let Some(residual) = found.top.first().filter(|pair| pair.value.is_finite()) else { return Ok(None) };
        Ok(Some(Sharpness { hessian, gauss_newton, residual: HALF * residual.value.max(0.0) }))
    }

    /// The largest eigenvalue of `gamma^2 H` alone, as [`Self::sharpness`] has it.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn hessian_sharpness(&mut self) -> Result<Option<f64>, TrainError> {
        let mut hessian = self.hessian()?;
        self.largest(&mut hessian)
    }

    fn hessian(&self) -> Result<Scaled<Hessian>, TrainError> {
        let params = self.params.frozen()?;
        let hessian = Hessian::new(self.model.clone(), &params, &self.batch, &LossSpec::default())?;
        Ok(Scaled::new(hessian, self.factors.clone()))
    }

    fn gauss_newton(&self) -> Result<Scaled<GaussNewton>, TrainError> {
        let params = self.params.frozen()?;
        let loss = LossSpec::default();
        let matrix = GaussNewton::new(self.model.clone(), &params, &self.batch, &loss, Metric::Ggn)?;
        Ok(Scaled::new(matrix, self.factors.clone()))
    }

    fn largest(
        &mut self,
        operator: &mut impl LinearOperator<Error = candle_core::Error>,
    ) -> Result<Option<f64>, TrainError> {
        let random = Streams::new(0).indexed("probe/linear-network", self.steps);
        let options = Options { tolerance: 1e-7, most_products: 400, least_products: 3, subspace: 60 };
        let mut search = Lanczos::new(operator.dim(), self.warm.as_deref(), random, options);
        let pair = estimate(operator, &mut search)?;
        if !(pair.value.is_finite() && pair.converged) {
            return Ok(None);
        }
        self.warm = Some(pair.next_start);
        Ok(Some(HALF * pair.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::normals;
    use crate::theory::linear_network::{LinearNetwork, Regression, State};

    const D: usize = 4;
    const P: usize = 20;

    struct Drawn {
        x: Vec<f64>,
        y: Vec<f64>,
        e: Vec<f64>,
        v: Vec<f64>,
    }

    fn drawn(n: usize, seed: u64) -> Drawn {
        let streams = Streams::new(seed);
        let scales = [1.0, 0.8, 0.5, 0.3];
        let x: Vec<f64> =
            normals(&mut streams.stream("x"), P * D).iter().enumerate().map(|(at, x)| x * scales[at % D]).collect();
        let y = x.chunks_exact(D).map(|x| 1.5 * x[0] - 2.0 * x[1] + x[2] + 0.3 * (x[3] * 5.0).sin()).collect();
        Drawn { x, y, e: normals(&mut streams.stream("e"), D * n), v: normals(&mut streams.stream("v"), n) }
    }

    /// Invariant 1, and Done-when 2 of the lab: in f64 the program's networks and the closed recursion are one trajectory, of
    /// loss, map and sharpness, for muP, NTK and between, in both forms of the parametrisation.
    #[test]
    fn networks_of_this_program_follow_the_closed_recursion_to_rounding() {
        for (n, gamma0, a, form) in [
            (24, 1.0, 0.5, Form::Explicit),
            (24, 1.0, 0.0, Form::Explicit),
            (9, 0.7, 0.3, Form::Explicit),
            (16, 1.5, 0.5, Form::Absorbed),
            (16, 1.0, 0.0, Form::Absorbed),
        ] {
            let Drawn { x, y, e, v } = drawn(n, 3);
            let start = Start { x: &x, y: &y, e: &e, v: &v };
            let mut run = LinearRun::in_form(&start, gamma0, a, form).unwrap();
            let gamma = gamma0 * (n as f64).powf(a);
            let kappa = gamma * gamma / n as f64;
            let mut closed = LinearNetwork::new(Regression::of(&x, &y), kappa, State::of(&e, &v, gamma));
            let first = closed.loss();
            for step in 0..80 {
                if step % 20 == 0 {
                    let (found, known) = (run.sharpness().unwrap().unwrap(), closed.sharpness().unwrap());
                    let pairs = [
                        (found.hessian, known.hessian),
                        (found.gauss_newton, known.gauss_newton),
                        (found.residual, known.residual),
                    ];
                    for (a, b) in pairs {
                        assert!(
                            (a - b).abs() < 1e-10 * known.hessian,
                            "step {step}, {n} {form:?}: {found:?} {known:?}"
                        );
                    }
                }
                let known = closed.loss();
                let loss = run.step(0.25).unwrap();
                assert!((loss - known).abs() < 1e-10 * known.max(1.0), "step {step}: {loss} {known}");
                closed.step(0.25);
            }
            assert!((run.loss().unwrap() - closed.loss()).abs() < 1e-10 && closed.loss() < 0.2 * first);
            for (a, b) in run.map().unwrap().iter().zip(&closed.state().w) {
                assert!((a - b).abs() < 1e-10, "{a} {b}");
            }
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_said() {
        let start = Start { x: &[1.0, 2.0, 3.0], y: &[1.0, 2.0], e: &[1.0], v: &[1.0] };
        let error = LinearRun::new(&start, 1.0, 0.5).err().unwrap().to_string();
        assert!(error.contains("x has 3 numbers"), "{error}");
        let empty = Start { x: &[], y: &[], e: &[], v: &[] };
        assert!(LinearRun::new(&empty, 1.0, 0.5).is_err());
    }

    #[test]
    fn a_diverging_network_says_that_it_has_no_sharpness() {
        let Drawn { x, y, e, v } = drawn(12, 5);
        let mut run = LinearRun::new(&Start { x: &x, y: &y, e: &e, v: &v }, 1.0, 0.5).unwrap();
        for _ in 0..60 {
            run.step(40.0).unwrap();
        }
        assert!(!run.loss().unwrap().is_finite());
        assert_eq!(run.sharpness().unwrap(), None);
    }
}
