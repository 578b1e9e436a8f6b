//! What is told live of the signal, of attention and of roles agrees with plain loops over the network's own numbers.

use candle_core::{DType, Device, Tensor};
use landscope::nn::batch::Batch;
use landscope::nn::spec::{Activation, ModelKind, ModelSpec};
use landscope::probes::job::{Readings, Subject};
use landscope::probes::{attention, signal};
use landscope::record::{Reading, SeriesId, names};
use landscope::run::spec::RunSpec;
use landscope::run::trainer::{ROLES_EVERY, StepOutcome, Trainer};
use landscope::tasks::data::{Inputs, Split, Targets};

use super::exactness::{measured, pictures, small, trained};

fn vector(readings: &Readings, id: &SeriesId) -> Vec<f64> {
    let found = readings.iter().find(|(name, _)| name == id).map(|(_, reading)| reading);
    let Some(Reading::Vector(values)) = found else { panic!("{id}: {found:?}") };
    values.iter().map(|&x| f64::from(x)).collect()
}

fn scalar(readings: &Readings, id: &SeriesId) -> f64 {
    let found = readings.iter().find(|(name, _)| name == id).map(|(_, reading)| reading);
    let Some(Reading::Scalar(value)) = found else { panic!("{id}: {found:?}") };
    *value
}

#[track_caller]
fn near(found: f64, known: f64, what: &str) {
    assert!((found - known).abs() < 2e-5 * known.abs().max(1e-3), "{what}: {found} {known}");
}

/// Rounds to multiples of the largest over 127, number by number.
fn lost(values: &[f64]) -> f64 {
    let step = values.iter().fold(0.0_f64, |m, x| m.max(x.abs())) / 127.0;
    values.iter().map(|x| (step * (x / step).round_ties_even() - x).powi(2)).sum()
}

fn columns(values: &[f64], width: usize) -> Vec<Vec<f64>> {
    (0..width).map(|j| values.iter().skip(j).step_by(width).copied().collect()).collect()
}

#[test]
fn grams_and_rounding_of_activations_are_those_of_plain_loops() {
    for kind in [ModelKind::VisionTransformer, ModelKind::Mlp] {
        let subject = trained(&small(kind), &pictures(30, 4), DType::F64, 5);
        let readings = measured(signal::begin(&subject, 30, true).unwrap());
        let batch = subject.batch(30).unwrap();
        let mut taps = Vec::new();
        subject.model.forward(&subject.params, &batch.inputs, Some(&mut taps)).unwrap();
        for (layer, tap) in taps.iter().enumerate() {
            let d = *tap.dims().last().unwrap();
            let x = tap.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let n = x.len() / d;
            let square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
            let input =
                |a: usize, b: usize| (0..d).map(|j| x[a * d + j] * x[b * d + j]).sum::<f64>() / d as f64 / square;
            let feature =
                |i: usize, j: usize| (0..n).map(|a| x[a * d + i] * x[a * d + j]).sum::<f64>() / n as f64 / square;
            let off = |side: usize, entry: &dyn Fn(usize, usize) -> f64| {
                let pairs = (0..side).flat_map(|i| (0..side).filter(move |j| *j != i).map(move |j| (i, j)));
                let values: Vec<_> = pairs.map(|(i, j)| entry(i, j)).collect();
                let mean = |f: &dyn Fn(f64) -> f64| values.iter().map(|v| f(*v)).sum::<f64>() / values.len() as f64;
                (mean(&|v| v), mean(&|v| v * v).sqrt())
            };
            let at = |id: SeriesId| vector(&readings, &id)[layer];
            let (mean, rms) = off(n, &input);
            near(at(names::INPUT_GRAM_MEAN), mean, "input mean");
            near(at(names::INPUT_GRAM), rms, "input rms");
            let (mean, rms) = off(d, &feature);
            near(at(names::FEATURE_GRAM_MEAN), mean, "feature mean");
            near(at(names::FEATURE_GRAM), rms, "feature rms");
            // The identity that ties them to the kurtosis, which is measured another way.
            let whole = (0..n * n).map(|k| input(k / n, k % n).powi(2)).sum::<f64>();
            near(at(names::GRAM_INPUT_TERM), d as f64 / (n * n) as f64 * whole, "input term");
            near(at(names::GRAM_INPUT_TERM) - at(names::GRAM_FEATURE_TERM), at(names::KURTOSIS), "identity");
            let size: f64 = x.iter().map(|x| x * x).sum();
            near(at(names::INT8_ERROR), (lost(&x) / size).sqrt(), "one scale");
            let by_channel: f64 = columns(&x, d).iter().map(|column| lost(column)).sum();
            near(at(names::INT8_ERROR_CHANNEL), (by_channel / size).sqrt(), "a scale a neuron");
        }
    }
}

#[test]
fn rounding_of_weights_takes_queries_keys_and_values_as_matrices_of_their_own() {
    let subject = trained(&small(ModelKind::VisionTransformer), &pictures(20, 4), DType::F64, 5);
    let readings = measured(signal::begin(&subject, 20, true).unwrap());
    let errors = [names::WEIGHT_INT8_ERROR, names::WEIGHT_INT8_ERROR_CHANNEL].map(|id| vector(&readings, &id));
    let layout = subject.model.layout();
    let roles = landscope::nn::roles::RoleParts::of(layout);
    let matrix = |name: &str| {
        let at = layout.infos().iter().position(|info| info.name == name).unwrap();
        let values = subject.params[at].flatten_all().unwrap().to_vec1::<f64>().unwrap();
        (values, *layout.infos()[at].shape.last().unwrap())
    };
    let check = |layer: &str, role: landscope::record::ParamRole, values: &[f64], width: usize| {
        let part = roles.parts().iter().position(|part| part.layer == layer && part.role == role).unwrap();
        let size: f64 = values.iter().map(|x| x * x).sum();
        near(errors[0][part], (lost(values) / size).sqrt(), "one scale");
        let by_channel: f64 = columns(values, width).iter().map(|column| lost(column)).sum();
        near(errors[1][part], (by_channel / size).sqrt(), "a scale an output");
    };
    use landscope::record::ParamRole::*;
    let (stacked, width) = matrix("block 1.attention.query key value.weight");
    let d = width / 3;
    for (third, role) in [Queries, Keys, Values].into_iter().enumerate() {
        let own: Vec<f64> =
            stacked.iter().enumerate().filter(|(k, _)| k % width / d == third).map(|(_, x)| *x).collect();
        check("block 1", role, &own, d);
    }
    let (expand, width) = matrix("block 1.mlp.expand.weight");
    check("block 1", Expand, &expand, width);
    for (part, errors) in roles.parts().iter().zip(&errors[0]) {
        assert_eq!(errors.is_nan(), !part.role.is_matrix(), "{part:?}");
    }
    let without = measured(signal::begin(&subject, 20, false).unwrap());
    assert!(without.iter().all(|(id, _)| !id.as_str().contains("int8")));
    assert_eq!(vector(&without, &names::KURTOSIS), vector(&readings, &names::KURTOSIS));
}

/// Sequences of `tokens` ids.
fn sequences(n: usize, tokens: usize) -> Split {
    let ids: Vec<u32> = (0..n * tokens).map(|i| (i * i + 3 * i) as u32 % 7).collect();
    Split {
        inputs: Inputs::Tokens { ids: ids.clone(), length: tokens, vocabulary: 7 },
        targets: Targets::NextTokens { ids, length: tokens, vocabulary: 7 },
    }
}

/// Maps `[B, H, T, T]` of every layer, from the network itself.
fn maps(subject: &Subject, split: &Split) -> Vec<Tensor> {
    let batch = Batch::new(split, DType::F64, &Device::Cpu).unwrap();
    subject.model.attention_maps(&subject.params, &batch.inputs).unwrap()
}

#[test]
fn entropies_and_maps_are_those_of_the_networks_attention() {
    let deep = ModelSpec { depth: 2, ..small(ModelKind::Gpt) };
    for (spec, split) in [(small(ModelKind::VisionTransformer), pictures(40, 4)), (deep, sequences(40, 6))] {
        let subject = trained(&spec, &split, DType::F64, 8);
        let readings = measured(attention::begin(&subject, 7).unwrap());
        let all = maps(&subject, &split.first(32));
        let entropies = vector(&readings, &names::ATTENTION_ENTROPY);
        assert_eq!(entropies.len(), spec.depth * 2);
        let tokens = all[0].dim(3).unwrap();
        for (layer, map) in all.iter().enumerate() {
            for head in 0..2 {
                let rows = map.narrow(1, head, 1).unwrap().reshape((32 * tokens, tokens)).unwrap();
                let rows = rows.to_vec2::<f64>().unwrap();
                let entropy = |row: &Vec<f64>| row.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum::<f64>();
                let known = rows.iter().map(entropy).sum::<f64>() / rows.len() as f64;
                near(entropies[layer * 2 + head], known, "entropy");
            }
        }
        let uniform = match spec.kind {
            ModelKind::Gpt => (1..=tokens).map(|k| (k as f64).ln()).sum::<f64>() / tokens as f64,
            _ => (tokens as f64).ln(),
        };
        near(scalar(&readings, &names::ATTENTION_UNIFORM), uniform, "uniform attention");
        assert_eq!(scalar(&readings, &names::ATTENTION_TOKENS), tokens as f64);
        assert_eq!(scalar(&readings, &names::ATTENTION_EXAMPLE), 7.0);
        for (layer, map) in maps(&subject, &split.select(&[6])).iter().enumerate() {
            let id = names::attention(layer + 1);
            let found = readings.iter().find(|(name, _)| *name == id);
            let Some((_, Reading::Matrix(found))) = found else { panic!("{found:?}") };
            assert_eq!((found.rows, found.columns), (2 * tokens, tokens));
            let known = map.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            assert!(found.values.iter().zip(&known).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6), "{layer}");
        }
        // Beyond the last example, the last.
        let beyond = measured(attention::begin(&subject, 1_000).unwrap());
        assert_eq!(scalar(&beyond, &names::ATTENTION_EXAMPLE), 40.0);
    }
}

#[test]
fn long_sequences_are_grouped_so_that_rows_still_sum_to_one() {
    let tokens = 150;
    let subject = trained(&small(ModelKind::Gpt), &sequences(4, tokens), DType::F64, 1);
    let readings = measured(attention::begin(&subject, 2).unwrap());
    let Some((_, Reading::Matrix(found))) = readings.iter().find(|(id, _)| *id == names::attention(1)) else {
        panic!()
    };
    assert_eq!((found.rows, found.columns), (128, 64));
    for row in found.values.chunks(64) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    // One cell by hand: the queries and keys whose group it is.
    let map = &maps(&subject, &sequences(4, tokens).select(&[1]))[0];
    let map = map.narrow(1, 1, 1).unwrap().reshape((tokens, tokens)).unwrap().to_vec2::<f64>().unwrap();
    let members = |group: usize| (0..tokens).filter(move |token| token * 64 / tokens == group).collect::<Vec<_>>();
    let (queries, keys) = (members(40), members(11));
    let sum: f64 = queries.iter().flat_map(|&q| keys.iter().map(move |&k| (q, k))).map(|(q, k)| map[q][k]).sum();
    near(f64::from(found.values[(64 + 40) * 64 + 11]), sum / queries.len() as f64, "a cell");
}

#[test]
fn shaped_attention_has_no_entropy_and_a_perceptron_no_attention() {
    let mut spec = small(ModelKind::VisionTransformer);
    spec.attention.shaped = true;
    let subject = trained(&spec, &pictures(10, 4), DType::F64, 1);
    let readings = measured(attention::begin(&subject, 1).unwrap());
    assert!(vector(&readings, &names::ATTENTION_ENTROPY).iter().all(|entropy| entropy.is_nan()));
    let subject = trained(&small(ModelKind::Mlp), &pictures(10, 4), DType::F64, 1);
    assert_eq!(subject.model.attention_heads(), 0);
    assert!(measured(attention::begin(&subject, 1).unwrap()).is_empty());
}

#[test]
fn norms_by_role_are_those_of_the_gradient_and_of_what_the_update_changed() {
    for sam_rho in [0.0, 0.05] {
        let mut spec = RunSpec { batch_size: 16, ..RunSpec::default() };
        spec.model = ModelSpec { width: 8, patch: 4, activation: Activation::Tanh, n_heads: 2, ..spec.model };
        spec.task.train_size = 100;
        spec.optimizer.sam_rho = sam_rho;
        let mut trainer = Trainer::new(spec).unwrap();
        let header = trainer.header();
        let layout = trainer.model().layout().clone();
        for step in 0..2 * ROLES_EVERY + 1 {
            let before = layout.flatten(&trainer.params().frozen().unwrap()).unwrap();
            let StepOutcome::Done(report) = trainer.step().unwrap() else { panic!("diverged") };
            let after = layout.flatten(&trainer.params().frozen().unwrap()).unwrap();
            assert_eq!(report.by_role.is_some(), step % ROLES_EVERY == 0);
            let Some(by_role) = report.by_role else { continue };
            assert_eq!(by_role.gradient.len(), header.parameter_parts.len());
            // Squares of all parts are those of all groups, which the optimiser's own pass has summed.
            let squares = |norms: &[f32]| norms.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
            near(squares(&by_role.gradient), squares(&report.gradient_norm), "whole gradient");
            let keys = header
                .parameter_parts
                .iter()
                .position(|part| part.layer == "block 2" && part.role == landscope::record::ParamRole::Keys);
            let at = layout.infos().iter().position(|info| info.name == "block 2.attention.query key value.weight");
            let range = layout.range(at.unwrap());
            let of_keys = |flat: &[f64]| -> Vec<f64> {
                let stacked = flat[range.clone()].iter().enumerate();
                stacked.filter(|(k, _)| k % 24 / 8 == 1).map(|(_, x)| *x).collect()
            };
            let (old, new) = (of_keys(&before), of_keys(&after));
            let change: f64 = old.iter().zip(&new).map(|(a, b)| (a - b).powi(2)).sum();
            let size: f64 = old.iter().map(|x| x * x).sum();
            near(f64::from(by_role.update_ratio[keys.unwrap()]), (change / size).sqrt(), "update of the keys");
        }
    }
}
