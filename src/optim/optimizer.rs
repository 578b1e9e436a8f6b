//! One optimiser, three rules.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

use crate::nn::params::{Layout, Params};

use super::rule::{Decay, Products, Rule};
use super::spec::{OptimizerKind, OptimizerSpec};
use super::state::{OptimizerState, Values};
use super::{composed, fused};

/// Updates parameters by the rule of an [`OptimizerSpec`]; conventions are PyTorch's.
///
/// All randomness-free: equal gradients give equal bits. Weight decay touches only the tensors whose
/// [`crate::nn::params::Role::decays`].
#[derive(Debug)]
pub struct Optimizer {
    spec: OptimizerSpec,
    layout: Arc<Layout>,
    /// Of the learning rate, one a tensor of the layout.
    rate_factors: Vec<f64>,
    /// Of weight decay and epsilon, one a tensor; none for 1.
    decay_factors: Option<Vec<f64>>,
    epsilon_factors: Option<Vec<f64>>,
    updates: u64,
    products: Products,
    /// Made at the first step, which knows type and device.
    memory: Memory,
}

#[derive(Debug)]
enum Memory {
    Empty,
    Flat { first: Values, second: Values },
    Tensors { first: Vec<Tensor>, second: Vec<Tensor> },
}

/// Norms of one update, one entry for each of [`Layout::groups`].
#[derive(Clone, Debug, PartialEq)]
pub struct StepNorms {
    /// Euclidean norm of the gradient, without weight decay.
    pub gradient: Vec<f64>,
    /// `|w_after - w_before| / |w_before|`; 0 where all parameters are 0.
    pub update_ratio: Vec<f64>,
}

impl Optimizer {
    pub fn new(spec: &OptimizerSpec, layout: &Arc<Layout>) -> Self {
        Self {
            spec: spec.clone(),
            layout: Arc::clone(layout),
            rate_factors: vec![1.0; layout.infos().len()],
            decay_factors: None,
            epsilon_factors: None,
            updates: 0,
            products: Products { beta1: 1.0, beta2: 1.0 },
            memory: Memory::Empty,
        }
    }

    /// Lets tensor i of the layout move at `lr * factors[i]`; all 1 without this call.
    ///
    /// The factor stands wherever the rule has `lr`, so AdamW's decoupled decay of that tensor is
    /// `w <- w (1 - lr factors[i] weight_decay)`: its equilibrium between decay and update moves with the factor.
    #[must_use]
    pub fn with_rate_factors(mut self, factors: Vec<f64>) -> Self {
        assert_eq!(factors.len(), self.layout.infos().len(), "one factor for each entry of the layout");
        self.rate_factors = factors;
        self
    }

    /// Multiplies the weight decay of tensor i by `decay[i]`, whichever way it is applied, and Adam's epsilon by
    /// `epsilon[i]`; all 1 without this call.
    #[must_use]
    pub fn with_decay_and_epsilon_factors(mut self, decay: Vec<f64>, epsilon: Vec<f64>) -> Self {
        let tensors = self.layout.infos().len();
        assert!(decay.len() == tensors && epsilon.len() == tensors, "one factor for each entry of the layout");
        self.decay_factors = Some(decay);
        self.epsilon_factors = Some(epsilon);
        self
    }

    /// The settings of tensor `index`.
    fn spec_of(&self, index: usize) -> OptimizerSpec {
        let mut spec = self.spec.clone();
        if let Some(factors) = &self.decay_factors {
            spec.weight_decay *= factors[index];
        }
        if let Some(factors) = &self.epsilon_factors {
            spec.epsilon *= factors[index];
        }
        spec
    }

    /// Updates `params` in place along `grads`, which have the shapes of the layout. `lr` is the rate after the
    /// schedule; the rate in the spec isn't looked at.
    ///
    /// # Errors
    /// Whatever candle says of shapes, types and the device.
    pub fn step(&mut self, params: &Params, grads: &[Tensor], lr: f64) -> Result<()> {
        self.advance(params, grads, lr, false).map(drop)
    }

    /// [`Self::step`] that also tells the norms per group, from the same pass.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub fn step_with_norms(&mut self, params: &Params, grads: &[Tensor], lr: f64) -> Result<StepNorms> {
        self.advance(params, grads, lr, true)
    }

    /// Takes over rates and decays from the next step on; what was learned stays. Another kind starts with an empty
    /// memory, as its moments mean something else.
    pub fn set_hyperparameters(&mut self, spec: &OptimizerSpec) {
        if self.spec.kind != spec.kind && (self.spec.kind == OptimizerKind::Sgd || spec.kind == OptimizerKind::Sgd) {
            *self = Self {
                rate_factors: std::mem::take(&mut self.rate_factors),
                decay_factors: self.decay_factors.take(),
                epsilon_factors: self.epsilon_factors.take(),
                ..Self::new(spec, &self.layout)
            };
        } else {
            self.spec = spec.clone();
        }
    }

    /// Updates done.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// A copy of the memory. Before the first step it is all empty.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn save(&self) -> Result<OptimizerState> {
        let (first, second) = match &self.memory {
            Memory::Empty => (Values::F32(Vec::new()), Values::F32(Vec::new())),
            Memory::Flat { first, second } => (first.clone(), second.clone()),
            Memory::Tensors { first, second } => {
                let dtype = first.first().map_or(DType::F32, Tensor::dtype);
                (Values::gather(first, dtype)?, Values::gather(second, dtype)?)
            }
        };
        let products = [self.products.beta1, self.products.beta2];
        Ok(OptimizerState { updates: self.updates, products, first, second })
    }

    /// Continues from a saved state: with equal gradients, bit for bit as the optimiser that saved it.
    ///
    /// # Errors
    /// If the state has another number of parameters or was saved by another kind of optimiser; whatever candle says
    /// of the device.
    pub fn restore(&mut self, state: &OptimizerState, params: &Params) -> Result<()> {
        self.updates = state.updates;
        self.products = Products { beta1: state.products[0], beta2: state.products[1] };
        if state.first.is_empty() {
            self.memory = Memory::Empty;
            return Ok(());
        }
        let (total, kept) = (self.layout.total(), self.second_moments());
        if state.first.len() != total || state.second.len() != kept {
            candle_core::bail!(
                "the saved optimiser has {} first and {} second moments, this one needs {total} and {kept}",
                state.first.len(),
                state.second.len()
            );
        }
        let (dtype, device) = kind_of(params);
        self.memory = self.memory_for(dtype, &device, &state.first, &state.second)?;
        Ok(())
    }

    fn second_moments(&self) -> usize {
        if self.spec.kind == OptimizerKind::Sgd { 0 } else { self.layout.total() }
    }

    fn memory_for(&self, dtype: DType, device: &Device, first: &Values, second: &Values) -> Result<Memory> {
        if device.is_cpu() {
            return Ok(Memory::Flat { first: first.clone(), second: second.clone() });
        }
        let second = if second.is_empty() { Vec::new() } else { second.scatter(&self.layout, dtype, device)? };
        Ok(Memory::Tensors { first: first.scatter(&self.layout, dtype, device)?, second })
    }

    fn advance(&mut self, params: &Params, grads: &[Tensor], lr: f64, measure: bool) -> Result<StepNorms> {
        let layout = Arc::clone(&self.layout);
        assert_eq!(grads.len(), layout.infos().len(), "one gradient for each entry of the layout");
        if matches!(self.memory, Memory::Empty) {
            let (dtype, device) = kind_of(params);
            let zeros = |len| Values::zeros(dtype, len);
            self.memory = self.memory_for(dtype, &device, &zeros(layout.total()), &zeros(self.second_moments()))?;
        }
        self.products.advance(&self.spec);
        self.updates += 1;
        let mut squares = vec![fused::Squares::default(); layout.groups().len()];
        for (i, ((info, var), gradient)) in layout.infos().iter().zip(params.vars()).zip(grads).enumerate() {
            let lr = lr * self.rate_factors[i];
            let spec = self.spec_of(i);
            let rule = (Rule::new(&spec, lr, self.products), Decay::new(&spec, info.role.decays(), lr));
            let met = match &mut self.memory {
                Memory::Flat { first, second } => {
                    fused::update(var, gradient, (first, second), layout.range(i), rule, measure)?
                }
                Memory::Tensors { first, second } => {
                    composed::update(var, gradient, (&mut first[i], second.get_mut(i)), rule, measure)?
                }
                Memory::Empty => unreachable!("made above"),
            };
            let sum = &mut squares[info.group];
            sum.gradient += met.gradient;
            sum.params += met.params;
            sum.update += met.update;
        }
        Ok(StepNorms {
            gradient: squares.iter().map(|s| s.gradient.sqrt()).collect(),
            update_ratio: squares
                .iter()
                .map(|s| if s.params == 0.0 { 0.0 } else { (s.update / s.params).sqrt() })
                .collect(),
        })
    }
}

/// Type and device of the parameters.
fn kind_of(params: &Params) -> (DType, Device) {
    params.vars().first().map_or((DType::F32, Device::Cpu), |var| (var.dtype(), var.device().clone()))
}

#[cfg(test)]
mod tests {
    use crate::nn::params::Role;

    use super::*;

    const RATES: [f64; 6] = [0.1, 0.05, 0.2, 0.1, 0.1, 0.02];

    fn layout() -> Arc<Layout> {
        let mut layout = Layout::default();
        // Longer than a chunk of the measuring pass, and not a multiple of it.
        layout.push("a", "a.weight", &[30, 21], Role::Input);
        layout.push("a", "a.bias", &[21], Role::Bias);
        layout.push("b", "b.weight", &[21, 2], Role::Output);
        Arc::new(layout)
    }

    fn wave(n: usize, phase: f64) -> Vec<f64> {
        (0..n).map(|i| (0.7 * i as f64 + phase).sin()).collect()
    }

    fn params(layout: &Arc<Layout>, dtype: DType) -> Params {
        Params::from_flat(layout.clone(), &wave(layout.total(), 0.1), dtype, &Device::Cpu).unwrap()
    }

    fn gradient(layout: &Layout, step: usize, dtype: DType) -> Vec<Tensor> {
        layout.unflatten(&wave(layout.total(), 1.0 + step as f64), dtype, &Device::Cpu).unwrap()
    }

    fn specs() -> Vec<OptimizerSpec> {
        use OptimizerKind::{Adam, AdamW, Sgd};
        let base = OptimizerSpec { weight_decay: 0.1, epsilon: 1e-3, ..OptimizerSpec::default() };
        let mut specs: Vec<_> =
            [Sgd, Adam, AdamW].into_iter().map(|kind| OptimizerSpec { kind, ..base.clone() }).collect();
        specs.push(OptimizerSpec { kind: Sgd, nesterov: true, ..base.clone() });
        specs.push(OptimizerSpec { kind: Sgd, momentum: 0.0, weight_decay: 0.0, ..base });
        specs
    }

    /// The textbook, one number at a time.
    fn reference(spec: &OptimizerSpec, layout: &Layout) -> Vec<f64> {
        let mut w = wave(layout.total(), 0.1);
        let (mut m, mut v) = (vec![0.0; w.len()], vec![0.0; w.len()]);
        for (t, lr) in RATES.into_iter().enumerate() {
            let g = wave(w.len(), 1.0 + t as f64);
            for (i, info) in layout.infos().iter().enumerate() {
                let decay = if info.role.decays() { spec.weight_decay } else { 0.0 };
                for j in layout.range(i) {
                    if spec.kind == OptimizerKind::Sgd {
                        let g = g[j] + decay * w[j];
                        m[j] = spec.momentum * m[j] + g;
                        w[j] -= lr * if spec.nesterov { g + spec.momentum * m[j] } else { m[j] };
                        continue;
                    }
                    let coupled = spec.kind == OptimizerKind::Adam;
                    let g = g[j] + if coupled { decay * w[j] } else { 0.0 };
                    if !coupled {
                        w[j] -= lr * decay * w[j];
                    }
                    m[j] = spec.momentum * m[j] + (1.0 - spec.momentum) * g;
                    v[j] = spec.beta2 * v[j] + (1.0 - spec.beta2) * g * g;
                    let m_hat = m[j] / (1.0 - spec.momentum.powi(t as i32 + 1));
                    let v_hat = v[j] / (1.0 - spec.beta2.powi(t as i32 + 1));
                    w[j] -= lr * m_hat / (v_hat.sqrt() + spec.epsilon);
                }
            }
        }
        w
    }

    fn trajectory(spec: &OptimizerSpec, dtype: DType, on_tensors: bool) -> (Vec<f64>, Vec<StepNorms>) {
        let layout = layout();
        let params = params(&layout, dtype);
        let mut optimizer = Optimizer::new(spec, &layout);
        if on_tensors {
            let zeros: Vec<_> = params.tensors().iter().map(|t| t.zeros_like().unwrap().detach()).collect();
            let second = if spec.kind == OptimizerKind::Sgd { vec![] } else { zeros.clone() };
            optimizer.memory = Memory::Tensors { first: zeros, second };
        }
        let norms = RATES
            .into_iter()
            .enumerate()
            .map(|(t, lr)| {
                let gradient = gradient(&layout, t, dtype);
                if t == 2 {
                    // The pass that doesn't measure does the same to the parameters.
                    optimizer.step(&params, &gradient, lr).unwrap();
                    return StepNorms { gradient: vec![], update_ratio: vec![] };
                }
                optimizer.step_with_norms(&params, &gradient, lr).unwrap()
            })
            .collect();
        (layout.flatten(&params.tensors()).unwrap(), norms)
    }

    #[track_caller]
    fn close(a: &[f64], b: &[f64], tolerance: f64, what: &dyn std::fmt::Debug) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{a} {b} {what:?}");
        }
    }

    #[test]
    fn both_paths_follow_the_textbook() {
        for spec in specs() {
            let known = reference(&spec, &layout());
            let (fused, norms) = trajectory(&spec, DType::F64, false);
            let (composed, composed_norms) = trajectory(&spec, DType::F64, true);
            close(&fused, &known, 1e-12, &spec);
            close(&composed, &known, 1e-12, &spec);
            close(&trajectory(&spec, DType::F32, false).0, &known, 2e-6, &spec);
            for (a, b) in norms.iter().zip(&composed_norms) {
                close(&a.gradient, &b.gradient, 1e-12, &spec);
                close(&a.update_ratio, &b.update_ratio, 1e-12, &spec);
            }
        }
    }

    #[test]
    fn norms_are_those_of_gradient_and_change() {
        let layout = layout();
        let params = params(&layout, DType::F64);
        let before = layout.flatten(&params.frozen().unwrap()).unwrap();
        let norms = Optimizer::new(&specs()[2], &layout)
            .step_with_norms(&params, &gradient(&layout, 0, DType::F64), 0.1)
            .unwrap();
        let after = layout.flatten(&params.tensors()).unwrap();
        let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let change: Vec<_> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
        for (group, range) in [(0, 0..651), (1, 651..693)] {
            let g = &wave(layout.total(), 1.0)[range.clone()];
            close(&[norms.gradient[group]], &[norm(g)], 1e-13, &group);
            let ratio = norm(&change[range.clone()]) / norm(&before[range]);
            close(&[norms.update_ratio[group]], &[ratio], 1e-13, &group);
        }
    }

    #[test]
    fn a_restored_optimizer_continues_with_the_same_bits() {
        for spec in specs() {
            let layout = layout();
            let params = params(&layout, DType::F32);
            let mut optimizer = Optimizer::new(&spec, &layout);
            for t in 0..3 {
                optimizer.step(&params, &gradient(&layout, t, DType::F32), 0.1).unwrap();
            }
            let (saved, frozen) = (optimizer.save().unwrap(), params.frozen().unwrap());
            let go_on = |optimizer: &mut Optimizer| {
                for t in 3..6 {
                    optimizer.step(&params, &gradient(&layout, t, DType::F32), 0.1).unwrap();
                }
                params.hash().unwrap()
            };
            let hash = go_on(&mut optimizer);
            params.assign(&frozen).unwrap();
            let mut restored = Optimizer::new(&spec, &layout);
            restored.restore(&saved, &params).unwrap();
            assert_eq!(go_on(&mut restored), hash);
            assert_eq!(restored.updates(), 6);
        }
    }

    /// Each tensor must move as it would alone, at its own rate; factors of 1 change no bit.
    #[test]
    fn each_tensor_moves_at_its_own_rate() {
        let factors = [0.25, 3.0, 1.0];
        for spec in specs() {
            let layout = layout();
            let run = |factors: Option<Vec<f64>>, rate: f64| {
                let params = params(&layout, DType::F32);
                let mut optimizer = Optimizer::new(&spec, &layout);
                if let Some(factors) = factors {
                    optimizer = optimizer.with_rate_factors(factors);
                }
                for t in 0..4 {
                    optimizer.step(&params, &gradient(&layout, t, DType::F32), 0.1 * rate).unwrap();
                }
                layout.flatten(&params.tensors()).unwrap()
            };
            let mixed = run(Some(factors.to_vec()), 1.0);
            for (i, factor) in factors.into_iter().enumerate() {
                assert_eq!(mixed[layout.range(i)], run(None, factor)[layout.range(i)], "{spec:?}");
            }
            assert_eq!(run(Some(vec![1.0; 3]), 1.0), run(None, 1.0));
        }
    }

    /// A factor on a setting is that setting: what the tensor would do alone under the multiplied one.
    #[test]
    fn each_tensor_has_its_own_decay_and_epsilon() {
        let (decay, epsilon) = ([0.5, 1.0, 4.0], [8.0, 1.0, 0.25]);
        for spec in specs() {
            let layout = layout();
            let run = |optimizer: Optimizer| {
                let (params, mut optimizer) = (params(&layout, DType::F64), optimizer);
                for t in 0..4 {
                    optimizer.step(&params, &gradient(&layout, t, DType::F64), 0.1).unwrap();
                }
                layout.flatten(&params.tensors()).unwrap()
            };
            let mixed = Optimizer::new(&spec, &layout);
            let mixed = run(mixed.with_decay_and_epsilon_factors(decay.to_vec(), epsilon.to_vec()));
            for i in 0..3 {
                let alone = OptimizerSpec {
                    weight_decay: spec.weight_decay * decay[i],
                    epsilon: spec.epsilon * epsilon[i],
                    ..spec.clone()
                };
                let alone = run(Optimizer::new(&alone, &layout));
                assert_eq!(mixed[layout.range(i)], alone[layout.range(i)], "{spec:?}");
            }
        }
    }

    #[test]
    fn a_state_of_another_network_or_kind_is_refused() {
        let layout = layout();
        let params = params(&layout, DType::F32);
        let mut sgd = Optimizer::new(&specs()[0], &layout);
        sgd.step(&params, &gradient(&layout, 0, DType::F32), 0.1).unwrap();
        let error = Optimizer::new(&specs()[2], &layout).restore(&sgd.save().unwrap(), &params).unwrap_err();
        assert!(error.to_string().contains("second moments"), "{error}");
    }

    #[test]
    fn live_changes_apply_at_the_next_step_and_keep_the_memory() {
        let layout = layout();
        let params = params(&layout, DType::F64);
        let spec = OptimizerSpec { weight_decay: 0.0, ..specs()[0].clone() };
        let mut optimizer = Optimizer::new(&spec, &layout);
        let g = gradient(&layout, 0, DType::F64);
        optimizer.step(&params, &g, 0.1).unwrap();
        let before = layout.flatten(&params.frozen().unwrap()).unwrap();
        optimizer.set_hyperparameters(&OptimizerSpec { momentum: 0.5, ..spec });
        optimizer.step(&params, &g, 0.1).unwrap();
        let after = layout.flatten(&params.tensors()).unwrap();
        // m = 0.5 g + g
        let expected: Vec<_> = before.iter().zip(wave(layout.total(), 1.0)).map(|(w, g)| w - 0.15 * g).collect();
        close(&after, &expected, 1e-14, &());
    }
}
