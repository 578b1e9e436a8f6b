//! Which examples each step sees.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::base::rng::Streams;

/// Where a run stands in its data; a checkpoint keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPosition {
    pub epoch: u64,
    /// Examples of this epoch that were handed out already.
    pub offset: usize,
}

/// Endless minibatches. Each epoch walks once through a permutation of the examples drawn from the stream
/// `batches` of that epoch's index, so a position is two numbers and any epoch can be entered directly.
///
/// When fewer than `batch_size` examples of an epoch are left they are dropped (a smaller batch would give its
/// examples more weight) and the next epoch begins. A batch size of 0, or of at least all examples, is the full
/// batch: all of them in their own order, one epoch a step.
#[derive(Clone, Debug)]
pub struct Batches {
    streams: Streams,
    examples: usize,
    batch_size: usize,
    position: BatchPosition,
    /// The permutation of the epoch it is tagged with.
    order: Option<(u64, Vec<usize>)>,
}

impl Batches {
    pub fn new(streams: Streams, examples: usize, batch_size: usize) -> Self {
        Self { streams, examples, batch_size, position: BatchPosition::default(), order: None }
    }

    /// Takes effect at the next batch, in the middle of an epoch too.
    pub fn set_batch_size(&mut self, batch_size: usize) {
        self.batch_size = batch_size;
    }

    pub fn position(&self) -> BatchPosition {
        self.position
    }

    /// Goes on as the iterator did that was at `position` (of the same seed and number of examples).
    pub fn restore(&mut self, position: BatchPosition) {
        self.position = position;
    }

    /// Epochs passed, with their fraction.
    pub fn epochs(&self) -> f64 {
        self.position.epoch as f64 + self.position.offset as f64 / self.examples.max(1) as f64
    }

    /// Indices of the next step's examples.
    pub fn next_batch(&mut self) -> Vec<usize> {
        let full = self.batch_size == 0 || self.batch_size >= self.examples;
        let size = if full { self.examples } else { self.batch_size };
        if self.position.offset.saturating_add(size) > self.examples {
            self.position = BatchPosition { epoch: self.position.epoch + 1, offset: 0 };
        }
        let BatchPosition { epoch, offset } = self.position;
        let batch = if full { (0..self.examples).collect() } else { self.order(epoch)[offset..offset + size].to_vec() };
        self.position.offset += size;
        // A finished epoch is the beginning of the next one: one position a place.
        if self.position.offset >= self.examples {
            self.position = BatchPosition { epoch: epoch + 1, offset: 0 };
        }
        batch
    }

    fn order(&mut self, epoch: u64) -> &[usize] {
        let Self { streams, examples, order, .. } = self;
        if order.as_ref().is_some_and(|(of, _)| *of != epoch) {
            *order = None;
        }
        let (_, indices) = order.get_or_insert_with(|| {
            let mut indices: Vec<usize> = (0..*examples).collect();
            indices.shuffle(&mut streams.indexed("batches", epoch));
            (epoch, indices)
        });
        indices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(batches: &mut Batches, n: usize) -> Vec<Vec<usize>> {
        (0..n).map(|_| batches.next_batch()).collect()
    }

    #[test]
    fn an_epoch_sees_each_example_once_and_drops_the_rest() {
        let mut batches = Batches::new(Streams::new(0), 103, 10);
        for epoch in 0..3 {
            let mut seen: Vec<usize> = take(&mut batches, 10).concat();
            assert_eq!(batches.position(), BatchPosition { epoch, offset: 100 });
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 100);
            assert!(seen.iter().all(|&i| i < 103));
        }
        assert_eq!(batches.next_batch().len(), 10);
        assert_eq!(batches.position(), BatchPosition { epoch: 3, offset: 10 });
    }

    #[test]
    fn over_many_epochs_no_example_is_preferred() {
        let mut batches = Batches::new(Streams::new(1), 10, 3);
        let mut counts = [0_i32; 10];
        take(&mut batches, 3 * 2_000).concat().into_iter().for_each(|i| counts[i] += 1);
        // Each epoch shows an example with probability 0.9: 1,800 times, standard deviation 13.4.
        assert!(counts.iter().all(|c| (c - 1_800).abs() < 55), "{counts:?}");
    }

    #[test]
    fn zero_and_too_large_sizes_are_the_full_batch_in_order() {
        for size in [0, 7, 8] {
            let mut batches = Batches::new(Streams::new(0), 7, size);
            assert_eq!(take(&mut batches, 2), vec![(0..7).collect::<Vec<_>>(); 2]);
            assert_eq!(batches.position(), BatchPosition { epoch: 2, offset: 0 });
            assert_eq!(batches.epochs(), 2.0);
        }
    }

    #[test]
    fn a_restored_position_continues_bit_for_bit() {
        let mut original = Batches::new(Streams::new(4), 50, 8);
        take(&mut original, 9);
        let saved = original.position();
        let mut restored = Batches::new(Streams::new(4), 50, 8);
        restored.restore(saved);
        assert_eq!(take(&mut restored, 20), take(&mut original, 20));
        // And back in time.
        original.restore(saved);
        restored.restore(saved);
        assert_eq!(take(&mut restored, 20), take(&mut original, 20));
        // A position of other data can't panic.
        restored.restore(BatchPosition { epoch: 1, offset: 1_000 });
        assert_eq!(restored.next_batch().len(), 8);
    }

    #[test]
    fn a_new_batch_size_goes_on_in_the_same_epoch() {
        let mut batches = Batches::new(Streams::new(2), 20, 5);
        let mut seen = batches.next_batch();
        batches.set_batch_size(15);
        seen.extend(batches.next_batch());
        seen.sort_unstable();
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
        assert_eq!(batches.position(), BatchPosition { epoch: 1, offset: 0 });
        // The full batch needs an epoch of its own.
        batches.set_batch_size(5);
        batches.next_batch();
        batches.set_batch_size(0);
        assert_eq!(batches.next_batch().len(), 20);
        assert_eq!(batches.position(), BatchPosition { epoch: 3, offset: 0 });
    }
}
