//! Division into training and test examples.
//!
//! Given data (the digits, the user's files) are divided the same way whatever the run's seed, so that two runs
//! can be compared on one test split. The user's `train_size` then takes a subset of the training examples that
//! does depend on the seed.

use rand::seq::SliceRandom;

use super::data::{Split, Task};
use crate::base::rng::Streams;

/// Share of given data that becomes the test split, where the data don't come divided.
pub const TEST_SHARE: f64 = 0.2;

/// The seed of every division: not the run's.
const SPLIT_SEED: u64 = 0;

/// Indices of training and test examples, each ascending, with as near to `test_share` of each class in the
/// test split as whole numbers allow: `round(n_c * test_share)`, but at least one where a class has two examples.
pub fn stratified(labels: &[u32], classes: usize, test_share: f64) -> (Vec<usize>, Vec<usize>) {
    let mut members = vec![Vec::new(); classes];
    for (i, &label) in labels.iter().enumerate() {
        members[label as usize].push(i);
    }
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (class, members) in members.into_iter().enumerate() {
        let (kept, held) = shuffled(members, test_share, class as u64);
        train.extend(kept);
        test.extend(held);
    }
    train.sort_unstable();
    test.sort_unstable();
    (train, test)
}

/// As [`stratified`] for `n` examples without classes.
pub fn random(n: usize, test_share: f64) -> (Vec<usize>, Vec<usize>) {
    let (mut train, mut test) = shuffled((0..n).collect(), test_share, 0);
    train.sort_unstable();
    test.sort_unstable();
    (train, test)
}

fn shuffled(mut indices: Vec<usize>, test_share: f64, stream: u64) -> (Vec<usize>, Vec<usize>) {
    indices.shuffle(&mut Streams::new(SPLIT_SEED).indexed("task/split", stream));
    let n = indices.len();
    let held = ((n as f64 * test_share).round() as usize).max(usize::from(n > 1)).min(n.saturating_sub(1));
    let test = indices.split_off(n - held);
    (indices, test)
}

/// Keeps `train_size` training examples, drawn from the stream `task/subset`; 0, or as many as there are, keeps
/// all. For one seed a smaller subset is part of a larger one; the order of the examples stays.
pub fn limit_training(task: &mut Task, train_size: usize, streams: &Streams) {
    let n = task.train.len();
    if train_size == 0 || train_size >= n {
        return;
    }
    let mut indices: Vec<usize> = (0..n).collect();
    indices.shuffle(&mut streams.stream("task/subset"));
    indices.truncate(train_size);
    indices.sort_unstable();
    task.train = task.train.select(&indices);
}

/// Both parts of `all`.
pub fn divide(all: &Split, (train, test): &(Vec<usize>, Vec<usize>)) -> (Split, Split) {
    (all.select(train), all.select(test))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::data::{Inputs, Targets};

    #[test]
    fn every_example_is_in_exactly_one_part_and_every_class_in_both() {
        let labels: Vec<u32> = (0..103).map(|i| if i % 10 == 3 { 2 } else { u32::from(i % 7 == 0) }).collect();
        let (train, test) = stratified(&labels, 3, 0.2);
        let mut all: Vec<usize> = train.iter().chain(&test).copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..103).collect::<Vec<_>>());
        for class in 0..3 {
            let of = |part: &[usize]| part.iter().filter(|&&i| labels[i] == class).count();
            let (kept, held) = (of(&train), of(&test));
            assert_eq!(held, (((kept + held) as f64 * 0.2).round() as usize).max(1), "class {class}");
        }
    }

    #[test]
    fn a_class_of_one_example_is_trained_on() {
        assert_eq!(stratified(&[0, 1, 1], 2, 0.2).0.len(), 2);
        assert!(stratified(&[0, 1, 1], 2, 0.2).0.contains(&0));
    }

    #[test]
    fn smaller_subsets_lie_within_larger_ones() {
        let split = Split {
            inputs: Inputs::Features { values: (0..50).map(|i| i as f32).collect(), shape: vec![1] },
            targets: Targets::Classes { labels: vec![0; 50], classes: 2 },
        };
        let task = Task {
            title: String::new(),
            train: split.clone(),
            test: split,
            class_names: Vec::new(),
            source: String::new(),
        };
        let values = |size: usize| {
            let mut task = task.clone();
            limit_training(&mut task, size, &Streams::new(3));
            let Inputs::Features { values, .. } = task.train.inputs else { panic!("features") };
            values
        };
        let (small, large) = (values(5), values(20));
        assert_eq!((small.len(), large.len(), values(0).len(), values(500).len()), (5, 20, 50, 50));
        assert!(small.iter().all(|v| large.contains(v)));
        assert!(small.windows(2).all(|w| w[0] < w[1]));
    }
}
