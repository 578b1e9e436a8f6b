//! The optimiser as its callers see it.

use crate::nn::params::Role;

use super::*;
use crate::optim::rates::RateSpec;

const RATES: [f64; 6] = [0.1, 0.05, 0.2, 0.1, 0.1, 0.02];

fn layout() -> Arc<Layout> {
    let mut layout = Layout::default();
    // Longer than a chunk of the measuring pass, and not a multiple of it.
    layout.push("a", "a.weight", &[30, 21], Role::Input);
    layout.push("a", "a.bias", &[21], Role::Bias);
    layout.push("b", "b.weight", &[21, 2], Role::Hidden);
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
    use OptimizerKind::{Adam, AdamW, RmsProp, Sgd};
    let base = OptimizerSpec { weight_decay: 0.1, epsilon: 1e-3, ..OptimizerSpec::default() };
    let mut specs: Vec<_> =
        [Sgd, Adam, AdamW, RmsProp].into_iter().map(|kind| OptimizerSpec { kind, ..base.clone() }).collect();
    specs.push(OptimizerSpec { kind: Sgd, nesterov: true, ..base.clone() });
    specs.push(OptimizerSpec { kind: Adam, clip_norm: 3.0, ..base.clone() });
    specs.push(OptimizerSpec { kind: Sgd, momentum: 0.0, weight_decay: 0.0, ..base });
    specs
}

/// Also those that treat matrices as matrices; the bias of the layout makes each of them mix with AdamW.
fn all_specs() -> Vec<OptimizerSpec> {
    use OptimizerKind::{Muon, Shampoo, Soap};
    let base = OptimizerSpec { precondition_every: 2, precondition_longest: 25, ..specs()[2].clone() };
    let matrices = [Muon, Shampoo, Soap].map(|kind| OptimizerSpec { kind, ..base.clone() });
    specs().into_iter().chain(matrices).collect()
}

/// The textbook, one number at a time.
fn reference(spec: &OptimizerSpec, layout: &Layout) -> Vec<f64> {
    let mut w = wave(layout.total(), 0.1);
    let (mut m, mut v) = (vec![0.0; w.len()], vec![0.0; w.len()]);
    for (t, lr) in RATES.into_iter().enumerate() {
        let mut g = wave(w.len(), 1.0 + t as f64);
        let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
        if spec.clip_norm > 0.0 && norm > spec.clip_norm {
            g.iter_mut().for_each(|g| *g *= spec.clip_norm / (norm + 1e-6));
        }
        for (i, info) in layout.infos().iter().enumerate() {
            let decay = if info.role.decays() { spec.weight_decay } else { 0.0 };
            for j in layout.range(i) {
                if spec.kind == OptimizerKind::Sgd {
                    let g = g[j] + decay * w[j];
                    m[j] = spec.momentum * m[j] + g;
                    w[j] -= lr * if spec.nesterov { g + spec.momentum * m[j] } else { m[j] };
                    continue;
                }
                if spec.kind == OptimizerKind::RmsProp {
                    let g = g[j] + decay * w[j];
                    v[j] = spec.beta2 * v[j] + (1.0 - spec.beta2) * g * g;
                    m[j] = spec.momentum * m[j] + g / (v[j].sqrt() + spec.epsilon);
                    w[j] -= lr * m[j];
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
        let slot = |info| Slot::on_device(spec.kind != OptimizerKind::Sgd, info, dtype, &Device::Cpu).unwrap();
        optimizer.slots = layout.infos().iter().map(slot).collect();
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
    let norms =
        Optimizer::new(&specs()[2], &layout).step_with_norms(&params, &gradient(&layout, 0, DType::F64), 0.1).unwrap();
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
    for spec in all_specs() {
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
    for spec in all_specs() {
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

/// Roles' rates are the tensors' own, from the step on at which they are set; 0 freezes.
#[test]
fn roles_move_at_their_own_rates_also_when_these_change() {
    for spec in all_specs() {
        let layout = layout();
        let run = |rates: RateSpec, factors: [f64; 3]| {
            let params = params(&layout, DType::F32);
            let mut optimizer = Optimizer::new(&spec, &layout).with_rate_factors(factors.to_vec());
            for t in 0..4 {
                if t == 2 {
                    optimizer.set_hyperparameters(&OptimizerSpec { rates, ..spec.clone() });
                }
                let factors = if t < 2 { [1.0; 3] } else { factors };
                optimizer = optimizer.with_rate_factors(factors.to_vec());
                optimizer.step(&params, &gradient(&layout, t, DType::F32), 0.1).unwrap();
            }
            layout.flatten(&params.tensors()).unwrap()
        };
        let by_role = RateSpec { input: 0.25, hidden: 3.0, vectors: 0.0, ..RateSpec::default() };
        assert_eq!(run(by_role, [1.0; 3]), run(RateSpec::default(), [0.25, 0.0, 3.0]), "{spec:?}");
    }
    let frozen = OptimizerSpec { rates: RateSpec { input: 0.0, ..RateSpec::default() }, ..specs()[2].clone() };
    let (layout, mut optimizer) = (layout(), Optimizer::new(&frozen, &layout()));
    let params = params(&layout, DType::F32);
    let before = layout.flatten(&params.tensors()).unwrap();
    optimizer.step(&params, &gradient(&layout, 0, DType::F32), 0.1).unwrap();
    let after = layout.flatten(&params.tensors()).unwrap();
    assert_eq!(before[layout.range(0)], after[layout.range(0)]);
    assert!(before[layout.range(2)].iter().zip(&after[layout.range(2)]).all(|(a, b)| a != b));
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
    assert!(error.to_string().contains("another kind"), "{error}");
}

#[test]
fn the_preconditioner_is_what_the_step_divides_by() {
    let layout = layout();
    for spec in specs() {
        let params = params(&layout, DType::F64);
        let spec = OptimizerSpec { momentum: 0.0, weight_decay: 0.0, clip_norm: 0.0, ..spec };
        let mut optimizer = Optimizer::new(&spec, &layout);
        assert!(optimizer.preconditioner(&Device::Cpu).unwrap().is_none());
        optimizer.step(&params, &gradient(&layout, 0, DType::F64), 0.1).unwrap();
        let before = layout.flatten(&params.frozen().unwrap()).unwrap();
        optimizer.step(&params, &gradient(&layout, 1, DType::F64), 0.1).unwrap();
        let after = layout.flatten(&params.tensors()).unwrap();
        let found = optimizer.preconditioner(&Device::Cpu).unwrap();
        assert_eq!(found.is_none(), spec.kind == OptimizerKind::Sgd);
        let Some(found) = found else { continue };
        let moved: Vec<_> = before.iter().zip(&after).map(|(b, a)| b - a).collect();
        let found = layout.flatten(&found).unwrap();
        let known: Vec<_> = found.iter().zip(wave(layout.total(), 2.0)).map(|(p, g)| 0.1 * g / p).collect();
        close(&moved, &known, 1e-13, &spec);
    }
}

/// With momentum, too: `w <- w - lr m / P` with the plain averages m, so P holds both bias corrections.
#[test]
fn adams_preconditioner_divides_the_plain_average() {
    let (layout, beta) = (layout(), 0.9);
    let epsilons = [1.0, 3.0, 0.5];
    let spec =
        OptimizerSpec { kind: OptimizerKind::Adam, momentum: beta, weight_decay: 0.0, ..OptimizerSpec::default() };
    let spec = OptimizerSpec { epsilon: 0.1, ..spec };
    let params = params(&layout, DType::F64);
    let mut optimizer = Optimizer::new(&spec, &layout).with_decay_and_epsilon_factors(vec![1.0; 3], epsilons.to_vec());
    let mut average = vec![0.0; layout.total()];
    for t in 0..4 {
        let gradient = gradient(&layout, t, DType::F64);
        let before = layout.flatten(&params.frozen().unwrap()).unwrap();
        optimizer.step(&params, &gradient, 0.1).unwrap();
        let after = layout.flatten(&params.tensors()).unwrap();
        for (m, g) in average.iter_mut().zip(layout.flatten(&gradient).unwrap()) {
            *m = beta * *m + (1.0 - beta) * g;
        }
        let p = layout.flatten(&optimizer.preconditioner(&Device::Cpu).unwrap().unwrap()).unwrap();
        let moved: Vec<_> = before.iter().zip(&after).map(|(b, a)| b - a).collect();
        let known: Vec<_> = average.iter().zip(&p).map(|(m, p)| 0.1 * m / p).collect();
        close(&moved, &known, 1e-13, &t);
    }
}

/// Sharpness-aware minimisation of `|w|^2 / 2`: the gradient uphill is `w (1 + rho / |w|)`.
#[test]
fn uphill_is_along_the_gradient_and_back_is_exact() {
    let layout = layout();
    let params = params(&layout, DType::F32);
    let (before, hash) = (layout.flatten(&params.frozen().unwrap()).unwrap(), params.hash().unwrap());
    let spec = OptimizerSpec { sam_rho: 0.5, ..OptimizerSpec::default() };
    let grads = params.frozen().unwrap();
    let ascent = Optimizer::new(&spec, &layout).ascend(&params, &grads).unwrap().unwrap();
    let norm = before.iter().map(|w| w * w).sum::<f64>().sqrt();
    let known: Vec<_> = before.iter().map(|w| w * (1.0 + 0.5 / norm)).collect();
    close(&layout.flatten(&params.tensors()).unwrap(), &known, 1e-6, &());
    let first: f64 = before[..651].iter().map(|w| w * w).sum();
    close(&ascent.gradient_norm, &[first.sqrt(), (norm * norm - first).sqrt()], 1e-12, &());
    ascent.undo(&params).unwrap();
    assert_eq!(params.hash().unwrap(), hash);
    let plain = OptimizerSpec { sam_rho: 0.0, ..spec };
    assert!(Optimizer::new(&plain, &layout).ascend(&params, &grads).unwrap().is_none());
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
