//! A random prefix, then the same again: what induction heads do.

use rand::distr::{Distribution, Uniform};

use super::{check_context, generated, next_tokens};
use crate::base::rng::{Stream, Streams};
use crate::tasks::data::{Split, Task};
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;

const VOCABULARY: usize = 32;
const TRAIN: usize = 4_000;
const TEST: usize = 500;

/// Rows of `T + 1` tokens: `h = ceil((T + 1) / 2)` tokens drawn uniformly from 32, then the same from the beginning.
/// Only the repetition is graded (the last `floor((T + 1) / 2)` targets): the prefix can't be predicted.
///
/// # Errors
/// [`TaskError::BadContext`], [`TaskError::TooLarge`].
pub fn load(spec: &TaskSpec, streams: &Streams) -> Result<Task, TaskError> {
    let context = check_context(spec.context)?;
    let n = generated(spec.train_size, TRAIN, context)?;
    Ok(Task {
        title: "Copy".into(),
        train: split(n, context, &mut streams.stream("task/copy/train")),
        test: split(TEST, context, &mut streams.stream("task/copy/test")),
        class_names: Vec::new(),
        source:
            "Generated: random tokens of 32, then the same again; the repetition is certain, the loss can approach 0; \
                 guessing costs ln 32 = 3.466 nats"
                .into(),
    })
}

fn prefix_length(context: usize) -> usize {
    (context + 1).div_ceil(2)
}

fn split(n: usize, context: usize, stream: &mut Stream) -> Split {
    let token = Uniform::new(0, VOCABULARY as u32).expect("the vocabulary isn't empty");
    let prefix_length = prefix_length(context);
    let mut rows = Vec::with_capacity(n * (context + 1));
    for _ in 0..n {
        let prefix: Vec<u32> = (0..prefix_length).map(|_| token.sample(stream)).collect();
        rows.extend(prefix.iter().cycle().take(context + 1));
    }
    next_tokens(&rows, context, VOCABULARY, prefix_length)
}

#[cfg(test)]
mod tests {
    use super::super::tokens;
    use super::*;
    use crate::tasks::data::UNGRADED;

    #[test]
    fn each_graded_token_was_seen_one_prefix_earlier() {
        for context in [4, 5, 32, 33] {
            let task = load(&TaskSpec { context, ..TaskSpec::default() }, &Streams::new(0)).unwrap();
            assert_eq!((task.train.len(), task.test.len()), (TRAIN, TEST));
            let (inputs, targets) = tokens(&task.train);
            let h = prefix_length(context);
            for (row, answers) in inputs.chunks_exact(context).zip(targets.chunks_exact(context)).take(200) {
                for (at, &answer) in answers.iter().enumerate() {
                    // The target of position `at` is the row's token `at + 1`.
                    let expected = if at + 1 < h { UNGRADED } else { row[at + 1 - h] };
                    assert_eq!(answer, expected, "context {context}, position {at}");
                }
            }
        }
    }

    #[test]
    fn tokens_are_uniform() {
        let task = load(&TaskSpec::default(), &Streams::new(0)).unwrap();
        let (inputs, _) = tokens(&task.train);
        let mut counts = [0_i32; VOCABULARY];
        let prefixes = inputs.chunks_exact(32).flat_map(|row| &row[..prefix_length(32)]);
        prefixes.for_each(|&id| counts[id as usize] += 1);
        // 4,000 x 17 draws: 2,125 each, standard deviation 45.
        assert!(counts.iter().all(|c| (c - 2_125).abs() < 200), "{counts:?}");
    }
}
