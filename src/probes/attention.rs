//! Where attention looks, and how far it spreads.

use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Result, Tensor};

use crate::nn::model::Model;
use crate::nn::parts::Part;
use crate::nn::pieces::{Until, in_pieces};
use crate::record::{Matrix, Reading, names};

use super::job::{Advance, Job, Readings, Subject};
use super::propagation::{attention_entropy, uniform_entropy};

/// Training examples behind the entropies.
const EXAMPLES: usize = 32;
/// Examples of a forward pass; a piece of work each.
const EXAMPLES_A_PIECE: usize = 4;
/// Rows and columns of a recorded map, at most; longer sequences are told by groups of neighbouring tokens.
pub const MOST_TOKENS: usize = 64;

/// Entropy of every head ([`names::ATTENTION_ENTROPY`]) on the first 32 training examples, with what uniform attention
/// would have ([`names::ATTENTION_UNIFORM`]), and the maps of one training example ([`names::attention`]).
///
/// `example` counts from 1; beyond the last, the last. Nothing is recorded of a network without attention.
///
/// # Errors
/// Whatever candle says of the device.
pub fn begin(subject: &Subject, example: usize) -> Result<Box<dyn Job>> {
    let shown = example.clamp(1, subject.train.len().max(1));
    let chosen = subject.train.select(&[shown - 1]);
    let mut parts = subject.batch(EXAMPLES)?.parts_of(EXAMPLES_A_PIECE)?;
    let batch = crate::nn::batch::Batch::new(&chosen, subject.dtype, &subject.device)?;
    parts.push(Part { batch, share: 0.0 });
    Ok(Box::new(Attention {
        step: subject.step,
        model: subject.model.clone(),
        params: subject.params.iter().map(Tensor::detach).collect(),
        parts,
        threads: if subject.device.is_cpu() { rayon::current_num_threads() } else { 1 },
        seen: Vec::new(),
        shown,
    }))
}

/// What one part says of one layer.
struct Seen {
    examples: usize,
    tokens: usize,
    /// Mean over the part's examples and queries, a head each.
    entropies: Vec<f64>,
    sees_ahead: bool,
    /// Of the shown example only.
    map: Option<Matrix>,
}

struct Attention {
    step: u64,
    model: Arc<dyn Model>,
    params: Vec<Tensor>,
    /// The last one is the example that is shown.
    parts: Vec<Part>,
    threads: usize,
    /// A list of layers for each part done.
    seen: Vec<Vec<Seen>>,
    shown: usize,
}

impl Attention {
    fn readings(&self) -> Readings {
        let Some((shown, parts)) = self.seen.split_last() else { return Vec::new() };
        let Some(first) = shown.first() else { return Vec::new() };
        let total: usize = parts.iter().map(|layers| layers[0].examples).sum();
        let mut entropies = Vec::new();
        for (layer, of_shown) in shown.iter().enumerate() {
            for head in 0..of_shown.entropies.len() {
                let sum: f64 = parts.iter().map(|part| part[layer].entropies[head] * part[layer].examples as f64).sum();
                entropies.push((sum / total as f64) as f32);
            }
        }
        let causal = first.tokens > 1 && !self.seen.iter().flatten().any(|layer| layer.sees_ahead);
        let mut readings = vec![
            (names::ATTENTION_ENTROPY, Reading::Vector(entropies)),
            (names::ATTENTION_UNIFORM, Reading::Scalar(uniform_entropy(first.tokens, causal))),
            (names::ATTENTION_TOKENS, Reading::Scalar(first.tokens as f64)),
            (names::ATTENTION_EXAMPLE, Reading::Scalar(self.shown as f64)),
        ];
        for (layer, seen) in shown.iter().enumerate() {
            if let Some(map) = &seen.map {
                readings.push((names::attention(layer + 1), Reading::Matrix(Arc::new(map.clone()))));
            }
        }
        readings
    }
}

fn look(maps: &Tensor, with_map: bool) -> Result<Seen> {
    let (examples, heads, tokens, _) = maps.dims4()?;
    let values = maps.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let mut rows = values.chunks_exact(tokens.max(1)).enumerate();
    let sees_ahead = rows.any(|(index, row)| row[index % tokens + 1..].iter().any(|&p| p != 0.0));
    Ok(Seen {
        examples,
        tokens,
        entropies: attention_entropy(&values, heads, tokens),
        sees_ahead,
        map: with_map.then(|| grouped(&values, heads, tokens)),
    })
}

/// The heads' maps `[T, T]` one below the other, or those of at most [`MOST_TOKENS`] groups of neighbours: sums over the
/// keys of a group and means over its queries, so that rows still sum to what they did.
fn grouped(values: &[f32], heads: usize, tokens: usize) -> Matrix {
    let groups = tokens.min(MOST_TOKENS);
    let group = |token: usize| token * groups / tokens;
    let mut sizes = vec![0.0_f64; groups];
    (0..tokens).for_each(|token| sizes[group(token)] += 1.0);
    let mut sums = vec![0.0_f64; heads * groups * groups];
    for (index, row) in values.chunks_exact(tokens.max(1)).enumerate() {
        let (head, query) = (index / tokens, group(index % tokens));
        for (key, &p) in row.iter().enumerate() {
            sums[(head * groups + query) * groups + group(key)] += f64::from(p) / sizes[query];
        }
    }
    Matrix { rows: heads * groups, columns: groups, values: sums.into_iter().map(|x| x as f32).collect() }
}

impl Job for Attention {
    fn step(&self) -> u64 {
        self.step
    }

    fn advance(&mut self, deadline: Instant, stop: &dyn Fn() -> bool) -> Result<Advance> {
        let Self { model, params, parts, .. } = &*self;
        let last = parts.len() - 1;
        let seen = in_pieces(
            self.seen.len(),
            parts.len(),
            self.threads,
            Until { deadline, stop },
            || (),
            |(), piece| {
                let maps = model.attention_maps(params, &parts[piece].batch.inputs)?;
                maps.iter().map(|map| look(map, piece == last)).collect::<Result<Vec<_>>>()
            },
        )?;
        self.seen.extend(seen);
        if self.seen.len() < self.parts.len() {
            return Ok(Advance::Working(Vec::new()));
        }
        Ok(Advance::Done(self.readings()))
    }
}
