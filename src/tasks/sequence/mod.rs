//! Sequences of tokens: each position predicts the next token.

use super::budget;
use super::data::{Inputs, Split, Targets, UNGRADED};
use super::error::TaskError;

pub mod copy;
pub mod grammar;
pub mod modular_addition;
pub mod source_text;
pub mod text;

/// Range of the context length; the knob offers the same.
pub const CONTEXT: std::ops::RangeInclusive<usize> = 4..=512;

/// # Errors
/// [`TaskError::BadContext`] outside [`CONTEXT`].
fn check_context(context: usize) -> Result<usize, TaskError> {
    if CONTEXT.contains(&context) {
        return Ok(context);
    }
    Err(TaskError::BadContext { context, min: *CONTEXT.start(), max: *CONTEXT.end() })
}

/// Number of sequences a generator makes; see [`budget::generated`].
fn generated(train_size: usize, own: usize, context: usize) -> Result<usize, TaskError> {
    budget::generated(train_size, own, 3 * context * size_of::<u32>())
}

/// Rows of `T + 1` tokens as inputs (the first T of each) and targets (the last T). Targets before the row's
/// position `graded_from` (counted from 0 in the row) are ungraded.
fn next_tokens(rows: &[u32], context: usize, vocabulary: usize, graded_from: usize) -> Split {
    let rows = rows.chunks_exact(context + 1);
    let inputs = rows.clone().flat_map(|row| &row[..context]).copied().collect();
    let graded = |(at, &id): (usize, &u32)| if at < graded_from { UNGRADED } else { id };
    let targets = rows.flat_map(|row| row.iter().enumerate().skip(1).map(graded)).collect();
    Split {
        inputs: Inputs::Tokens { ids: inputs, length: context, vocabulary },
        targets: Targets::NextTokens { ids: targets, length: context, vocabulary },
    }
}

#[cfg(test)]
fn tokens(split: &Split) -> (&[u32], &[u32]) {
    match (&split.inputs, &split.targets) {
        (Inputs::Tokens { ids, .. }, Targets::NextTokens { ids: targets, .. }) => (ids, targets),
        _ => panic!("sequences expected"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_inputs_one_token_later() {
        let split = next_tokens(&[1, 2, 3, 4, 5, 6, 7, 8], 3, 9, 2);
        let (inputs, targets) = tokens(&split);
        assert_eq!(inputs, [1, 2, 3, 5, 6, 7]);
        assert_eq!(targets, [UNGRADED, 3, 4, UNGRADED, 7, 8]);
    }

    #[test]
    fn contexts_outside_the_range_are_errors() {
        assert!(check_context(4).is_ok() && check_context(512).is_ok());
        let message = check_context(3).unwrap_err().to_string();
        assert!(message.contains("4 to 512"), "{message}");
    }
}
