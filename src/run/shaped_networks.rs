//! Networks of this program with the weights of "The shaped transformer" (Noci et al. 2023), followed through their layers.
//!
//! The third witness beside the differential equation and the chain on covariances ([`crate::theory::shaped_chain`]): here
//! tokens go through the same blocks that are trained elsewhere. The paper's blocks are theirs at particular weights:
//! the projection behind attention is the identity, queries of channels beyond the key width are 0, and so are three quarters
//! of the `4n` hidden units of an MLP branch, as the paper has n. Blocks without attention are the residual MLP's, of n units.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::base::rng::{Stream, Streams, normals};
use crate::nn::batch::InputTensor;
use crate::nn::build::build;
use crate::nn::model::Model;
use crate::nn::spec::{Activation, AttentionSpec, BlockSpec, FinalNorm, ModelKind, ModelSpec, Norm};
use crate::tasks::data::{Inputs, Split, Targets};
use crate::theory::shaped_chain::Network;
use crate::theory::shaped_paths::{Paths, follow};
use crate::theory::shaped_transformer::root;

use super::trainer::TrainError;

/// The networks `which`, each with weights of its own, on m tokens with `X X'/n = start` `[m, m]`; kept after `kept + 1`
/// equally spaced blocks (`layers` is rounded up to a multiple of `kept`). Network i is the same in any range and for any
/// number of threads. In f64.
///
/// # Errors
/// [`TrainError::Spec`] where the network isn't one: fewer channels than tokens, no keys or more than channels, a
/// temperature that isn't positive and finite.
pub fn networks(
    network: &Network,
    start: &[f64],
    layers: usize,
    kept: usize,
    which: Range<usize>,
    streams: Streams,
) -> Result<Paths, TrainError> {
    let each = layers.div_ceil(kept.max(1));
    let times = (0..=kept).map(|k| (each * k) as f64 / network.width as f64).collect();
    let block = Block::new(network)?;
    let path = |path: usize| {
        let mut stream = streams.indexed("shaped networks", path as u64);
        let mut x = block.tokens(start)?;
        let mut failure = None;
        let seen = follow(network.shaped.tokens, start, kept, |v| {
            let advanced = (0..each).try_for_each(|_| {
                x = block.apply(&x, &block.draw(&mut stream)?)?;
                Ok::<_, TrainError>(())
            });
            match advanced.and_then(|()| covariance(&x)) {
                Ok(covariance) => *v = covariance,
                Err(error) => failure = Some(error),
            }
        });
        failure.map_or(Ok(seen), Err)
    };
    let found: Result<Vec<_>, TrainError> = which.into_par_iter().map(path).collect();
    Ok(Paths::gather(times, &found?))
}

/// One block as a network of depth 1, fed with its own output.
struct Block {
    network: Network,
    model: Arc<dyn Model>,
    /// The parameters, those that are drawn as zeros.
    params: Vec<Tensor>,
}

/// `(index of a tensor, its values)` for what is drawn anew in each block.
type Drawn = Vec<(usize, Tensor)>;

impl Block {
    fn new(network: &Network) -> Result<Self, TrainError> {
        let (m, n) = (network.shaped.tokens, network.width);
        let refuse = |what: String| Err(TrainError::Spec(what));
        if m == 0 || n < m {
            return refuse(format!("width can't be {n} with {m} tokens; give at least the number of tokens"));
        }
        if network.shaped.attention && !(1..=n).contains(&network.key_width) {
            return refuse(format!(
                "key-width can't be {}; give a whole number from 1 to the width, {n}",
                network.key_width
            ));
        }
        let shape = if network.shaped.attention { vec![m, 1, n] } else { vec![n] };
        let like = Split {
            inputs: Inputs::Features { values: vec![0.0; shape.iter().product()], shape },
            targets: Targets::Values { values: vec![0.0], outputs: 1 },
        };
        let model = build(&spec(network), &like)?;
        let params = model
            .layout()
            .infos()
            .iter()
            .map(|info| match info.name.as_str() {
                "embedding.weight" | "block 1.attention.project.weight" => Tensor::eye(n, DType::F64, &Device::Cpu),
                _ => Tensor::zeros(info.shape.as_slice(), DType::F64, &Device::Cpu),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { network: *network, model, params })
    }

    /// X `[m, n]` with `X X'/n = V`.
    fn tokens(&self, v: &[f64]) -> Result<Tensor, TrainError> {
        let (m, n) = (self.network.shaped.tokens, self.network.width);
        let l = root(m, v);
        let entry = |at: usize| if at % n < m { l[at / n * m + at % n] * (n as f64).sqrt() } else { 0.0 };
        Ok(Tensor::from_vec((0..m * n).map(entry).collect::<Vec<_>>(), (m, n), &Device::Cpu)?)
    }

    /// Weights of variance 1/n, as blocks of matrices `[n, columns]`.
    fn draw(&self, stream: &mut Stream) -> Result<Drawn, TrainError> {
        let (n, shaped) = (self.network.width, self.network.shaped);
        let std = (n as f64).sqrt().recip();
        let mut drawn = Vec::new();
        if shaped.attention {
            let keys = self.network.key_width;
            // The network divides by sqrt(n), the width of its one head, and not by that of the keys.
            let of_queries = std * (n as f64 / keys as f64).sqrt();
            let (query, key, value) = (normals(stream, n * keys), normals(stream, n * keys), normals(stream, n * n));
            let mut stacked = vec![0.0; 3 * n * n];
            for (i, row) in stacked.chunks_exact_mut(3 * n).enumerate() {
                let fill = |row: &mut [f64], from: &[f64], std: f64| {
                    row.iter_mut().zip(from).for_each(|(to, z)| *to = std * z);
                };
                fill(&mut row[..n], &query[i * keys..(i + 1) * keys], of_queries);
                fill(&mut row[n..2 * n], &key[i * keys..(i + 1) * keys], std);
                fill(&mut row[2 * n..], &value[i * n..(i + 1) * n], std);
            }
            drawn.push(self.tensor("block 1.attention.query key value.weight", stacked)?);
        }
        if shaped.mlp {
            let prefix = if shaped.attention { "block 1.mlp" } else { "block 1" };
            let hidden = if shaped.attention { 4 * n } else { n };
            let mut expand = vec![0.0; n * hidden];
            for row in expand.chunks_exact_mut(hidden) {
                row[..n].iter_mut().zip(normals(stream, n)).for_each(|(to, z)| *to = std * z);
            }
            let mut contract = vec![0.0; hidden * n];
            contract[..n * n].iter_mut().zip(normals(stream, n * n)).for_each(|(to, z)| *to = std * z);
            drawn.push(self.tensor(&format!("{prefix}.expand.weight"), expand)?);
            drawn.push(self.tensor(&format!("{prefix}.contract.weight"), contract)?);
        }
        Ok(drawn)
    }

    fn tensor(&self, name: &str, values: Vec<f64>) -> Result<(usize, Tensor), TrainError> {
        let infos = self.model.layout().infos();
        let index = infos
            .iter()
            .position(|info| info.name == name)
            .ok_or_else(|| TrainError::Bug(format!("the network has no parameter `{name}`")))?;
        Ok((index, Tensor::from_vec(values, infos[index].shape.as_slice(), &Device::Cpu)?))
    }

    /// The tokens `[m, n]` after the block.
    fn apply(&self, x: &Tensor, drawn: &Drawn) -> Result<Tensor, TrainError> {
        let shaped = self.network.shaped;
        let (m, n) = x.dims2()?;
        let mut params = self.params.clone();
        drawn.iter().for_each(|(index, tensor)| params[*index] = tensor.clone());
        let input = if shaped.attention { x.reshape((1, m, 1, n))? } else { x.clone() };
        let mut taps = Vec::new();
        self.model.forward(&params, &InputTensor::Features(input), Some(&mut taps))?;
        // The embedding, attention, the block; without attention the embedding and the block. Without an MLP the stream is read
        // behind attention: the branch of zeros that follows would shrink it.
        let after = &taps[1 + usize::from(shaped.attention && shaped.mlp)];
        Ok(after.reshape((m, n))?)
    }
}

/// The block as a network of depth 1 without normalisation, positions and biases.
fn spec(network: &Network) -> ModelSpec {
    let Network { shaped, width, key_width: _, centred, temperature_grows, slopes_shrink } = *network;
    // Shaped attention divides by its temperature times sqrt(n); the plain one doesn't.
    let (is_shaped, temperature) = match (centred, temperature_grows) {
        (false, false) => (false, 1.0),
        (true, false) => (true, shaped.temperature / (width as f64).sqrt()),
        (_, true) => (true, shaped.temperature),
    };
    let offset = f64::from(u8::from(centred));
    ModelSpec {
        kind: if shaped.attention { ModelKind::VisionTransformer } else { ModelKind::ResidualMlp },
        width,
        depth: 1,
        n_heads: 1,
        patch: 1,
        activation: Activation::Relu,
        norm: Norm::None,
        residual_scale: shaped.gamma,
        block: BlockSpec {
            final_norm: FinalNorm::Off,
            skip_scale: shaped.skip(),
            unit_gain: true,
            shaped_relu: slopes_shrink,
            slope_plus: shaped.slopes[0],
            slope_minus: shaped.slopes[1],
            positions: false,
            biases: false,
            ..BlockSpec::default()
        },
        attention: AttentionSpec {
            inverse_temperature: if is_shaped { 1.0 } else { shaped.temperature.recip() },
            shaped: is_shaped,
            shaped_temperature: temperature,
            identity_gain: offset,
            centre_gain: offset,
            ..AttentionSpec::default()
        },
        ..ModelSpec::default()
    }
}

/// `X X'/n`, row-major.
fn covariance(x: &Tensor) -> Result<Vec<f64>, TrainError> {
    let rows = x.to_vec2::<f64>()?;
    let width = x.dim(1)? as f64;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / width;
    Ok(rows.iter().flat_map(|a| rows.iter().map(move |b| dot(a, b))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::two_samples::kolmogorov_smirnov;
    use crate::theory::shaped_chain;
    use crate::theory::shaped_transformer::{Shaped, equal_tokens, gain};

    fn network(attention: bool, mlp: bool) -> Network {
        let shaped =
            Shaped { tokens: 3, gamma: 0.6, temperature: 0.8, attention, mlp, slopes: [0.3, -1.0], mlp_width: None };
        Network { shaped, width: 12, key_width: 5, centred: true, temperature_grows: true, slopes_shrink: true }
    }

    /// `A B` for row-major `[rows, inner]` and `[inner, columns]`.
    fn product(a: &[f64], b: &[f64], inner: usize) -> Vec<f64> {
        let (rows, columns) = (a.len() / inner, b.len() / inner);
        let entry = |i: usize, j: usize| (0..inner).map(|k| a[i * inner + k] * b[k * columns + j]).sum::<f64>();
        (0..rows * columns).map(|at| entry(at / columns, at % columns)).collect()
    }

    /// The columns `from..to` of a tensor, and its first `rows` rows.
    fn part(tensor: &Tensor, rows: usize, columns: Range<usize>) -> Vec<f64> {
        let all = tensor.to_vec2::<f64>().unwrap();
        all[..rows].iter().flat_map(|row| row[columns.clone()].to_vec()).collect()
    }

    /// One block against plain loops over the paper's formulas, with every switch.
    #[test]
    fn a_block_is_the_papers() {
        let full = network(true, true);
        for (network, name) in [
            (full, "full"),
            (network(true, false), "attention"),
            (network(false, true), "MLP"),
            (Network { centred: false, ..full }, "not centred"),
            (Network { temperature_grows: false, ..full }, "no temperature"),
            (Network { slopes_shrink: false, ..full }, "rectifier"),
            (full.unshaped(), "unshaped"),
        ] {
            let (n, keys, m, shaped) = (network.width, network.key_width, 3, network.shaped);
            let size = n as f64;
            let block = Block::new(&network).unwrap();
            let v = [1.3, 0.2, -0.3, 0.2, 0.7, 0.1, -0.3, 0.1, 1.0];
            let x = block.tokens(&v).unwrap();
            assert!(covariance(&x).unwrap().iter().zip(&v).all(|(a, b)| (a - b).abs() < 1e-14));
            let drawn = block.draw(&mut Streams::new(1).stream("weights")).unwrap();
            let found = block.apply(&x, &drawn).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let mut h = x.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let mut tensors = drawn.iter().map(|(_, tensor)| tensor);
            if shaped.attention {
                let qkv = tensors.next().unwrap();
                // Standard normal entries, as the paper has them.
                let scaled = |w: Vec<f64>, by: f64| w.into_iter().map(|w| w * by).collect::<Vec<_>>();
                let queries = scaled(part(qkv, n, 0..keys), (keys as f64).sqrt());
                let of_keys = scaled(part(qkv, n, n..n + keys), size.sqrt());
                let values = scaled(part(qkv, n, 2 * n..3 * n), size.sqrt());
                let (q, k) = (product(&h, &queries, n), product(&h, &of_keys, n));
                let y = |a: usize, b: usize| (0..keys).map(|j| q[a * keys + j] * k[b * keys + j]).sum::<f64>() / size;
                let logits: Vec<f64> = (0..m * m).map(|at| y(at / m, at % m) / (keys as f64).sqrt()).collect();
                let mixed = product(&network.attention(&logits), &product(&h, &values, n), m);
                h.iter_mut().zip(mixed).for_each(|(h, z)| *h = shaped.skip() * *h + shaped.gamma * z / size.sqrt());
            }
            if shaped.mlp {
                let [plus, minus] = network.slopes();
                let expand = part(tensors.next().unwrap(), n, 0..n);
                let contract = part(tensors.next().unwrap(), n, 0..n);
                let act = |z: f64| if z > 0.0 { plus * z } else { minus * z };
                let hidden: Vec<f64> = product(&h, &expand, n).into_iter().map(act).collect();
                let factor = shaped.gamma * gain([plus, minus]).sqrt();
                let out = product(&hidden, &contract, n);
                h.iter_mut().zip(out).for_each(|(h, z)| *h = shaped.skip() * *h + factor * z);
            }
            let apart = found.iter().zip(&h).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(apart < 1e-12, "{name}: {apart}");
        }
    }

    /// Weights of variance 1: the tokens of many networks against the chain on covariances, in law.
    #[test]
    fn networks_have_the_law_of_the_chain() {
        for (attention, mlp) in [(true, false), (false, true), (true, true)] {
            let network = Network { width: 16, ..network(attention, mlp) };
            let start = equal_tokens(3, 0.2);
            let count = 500;
            let real = networks(&network, &start, 8, 2, 0..count, Streams::new(1)).unwrap();
            let chain = shaped_chain::networks(&network, &start, 8, 2, 0..2 * count, Streams::new(1));
            assert_eq!(real.times, chain.times);
            for (a, b) in [
                (&real.correlations, &chain.correlations),
                (&real.variances, &chain.variances),
                (&real.second_variances, &chain.second_variances),
            ] {
                let found = kolmogorov_smirnov(&a[2], &b[2]).unwrap();
                assert!(found.p_value > 1e-3, "{attention} {mlp}: {found:?}");
            }
        }
    }

    #[test]
    fn a_network_is_the_same_in_any_company() {
        let network = network(true, true);
        let of = |which| networks(&network, &equal_tokens(3, 0.2), 4, 4, which, Streams::new(1)).unwrap();
        let mut joined = of(0..3);
        joined.extend(of(3..8));
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| of(0..8));
        assert_eq!(joined, alone);
    }

    #[test]
    fn what_is_no_network_is_refused_in_words() {
        let refused = |network: &Network| {
            networks(network, &equal_tokens(3, 0.2), 4, 4, 0..1, Streams::new(1)).unwrap_err().to_string()
        };
        let good = network(true, true);
        assert!(refused(&Network { width: 2, ..good }).contains("width can't be 2"));
        assert!(refused(&Network { key_width: 13, ..good }).contains("key-width can't be 13"));
        let cold = Network { shaped: Shaped { temperature: 0.0, ..good.shaped }, ..good };
        assert!(refused(&cold).contains("shaped-temperature"));
    }
}
