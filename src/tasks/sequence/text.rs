//! Any text as characters.

use std::collections::BTreeMap;
use std::path::Path;

use super::{check_context, next_tokens};
use crate::base::rng::Streams;
use crate::tasks::budget;
use crate::tasks::data::Task;
use crate::tasks::error::TaskError;
use crate::tasks::files::reading;
use crate::tasks::spec::TaskSpec;

/// The last tenth of the text is the test split.
const TEST_PART: usize = 10;
/// At least so many windows' worth of characters are needed: two of them fall into the test split.
const MINIMUM_WINDOWS: usize = 20;

/// A UTF-8 file as characters (Unicode scalar values). A byte-order mark is dropped and `\r\n` becomes `\n`. See
/// [`windows`] for examples and splits.
///
/// # Errors
/// [`TaskError`], if the file is missing, empty, too short, too large or not UTF-8.
pub fn load(spec: &TaskSpec, _streams: &Streams) -> Result<Task, TaskError> {
    let context = check_context(spec.context)?;
    let path = reading::file(spec, "a text file in UTF-8")?;
    let bytes = reading::bytes(path, "text")?;
    let text = String::from_utf8(bytes)
        .map_err(|error| TaskError::NotUtf8 { path: path.into(), at: error.utf8_error().valid_up_to() })?;
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let title = path.file_name().map_or_else(|| "Text".into(), |name| name.to_string_lossy().into_owned());
    characters(&text, context, title, &format!("The file {path:?}"), path)
}

/// As [`windows`], the vocabulary being the different characters of the text in the order of their code points.
pub(super) fn characters(
    text: &str,
    context: usize,
    title: String,
    origin: &str,
    path: &Path,
) -> Result<Task, TaskError> {
    let mut vocabulary: BTreeMap<char, u32> = text.chars().map(|c| (c, 0)).collect();
    vocabulary.values_mut().zip(0..).for_each(|(id, next)| *id = next);
    let names = vocabulary.keys().map(|&c| visible(c)).collect();
    budget::check(|| format!("The text {path:?}"), &[text.len(), 4 * size_of::<u32>()], "give a part of the text")?;
    let ids: Vec<u32> = text.chars().map(|c| vocabulary[&c]).collect();
    windows(&ids, names, context, title, origin, path)
}

/// Windows of `context` tokens, each with the tokens that follow as targets: the last tenth of the text is the test
/// split, in windows side by side; windows of the training part begin every half context, so that they overlap.
///
/// # Errors
/// [`TaskError::TextTooShort`] below `20 (context + 1)` tokens, [`TaskError::TooFewClasses`] for a text of one character.
pub(super) fn windows(
    ids: &[u32],
    class_names: Vec<String>,
    context: usize,
    title: String,
    origin: &str,
    path: &Path,
) -> Result<Task, TaskError> {
    let row = context + 1;
    if ids.len() < MINIMUM_WINDOWS * row {
        return Err(TaskError::TextTooShort {
            path: path.into(),
            found: ids.len(),
            minimum: MINIMUM_WINDOWS * row,
            context,
        });
    }
    let vocabulary = class_names.len();
    if vocabulary < 2 {
        return Err(TaskError::TooFewClasses { path: path.into(), found: "one character only".into() });
    }
    let (train, test) = ids.split_at(ids.len() - ids.len() / TEST_PART);
    let cut = |part: &[u32], stride: usize| {
        let rows: Vec<u32> = part.windows(row).step_by(stride).flatten().copied().collect();
        next_tokens(&rows, context, vocabulary, 0)
    };
    let source = format!(
        "{origin}: {} tokens of a vocabulary of {vocabulary}, the last tenth for testing; a model that knows only their \
         frequencies has the test loss {:.4} nats",
        ids.len(),
        frequency_loss(train, test, vocabulary)
    );
    Ok(Task { title, train: cut(train, context.div_ceil(2)), test: cut(test, context), class_names, source })
}

/// Cross-entropy of the test tokens under the training tokens' frequencies, each count raised by one (Laplace's rule).
fn frequency_loss(train: &[u32], test: &[u32], vocabulary: usize) -> f64 {
    let mut counts = vec![1_u64; vocabulary];
    train.iter().for_each(|&id| counts[id as usize] += 1);
    let total = (train.len() + vocabulary) as f64;
    -test.iter().map(|&id| (counts[id as usize] as f64 / total).ln()).sum::<f64>() / test.len() as f64
}

/// A character as it can be read on a label.
fn visible(c: char) -> String {
    if c == ' ' { "␣".into() } else { c.escape_debug().collect() }
}

#[cfg(test)]
mod tests {
    use super::super::tokens;
    use super::*;

    fn read(text: &str, context: usize) -> Result<Task, TaskError> {
        characters(text, context, "Text".into(), "A test", Path::new("test.txt"))
    }

    #[test]
    fn the_windows_spell_the_text() {
        let text: String = ('a'..='z').chain([' ', '\n']).cycle().take(200).collect();
        let task = read(&text, 5).unwrap();
        assert_eq!(task.class_names[..4], ["\\n", "␣", "a", "b"]);
        let (inputs, targets) = tokens(&task.train);
        let spell = |ids: &[u32]| ids.iter().map(|&id| task.class_names[id as usize].clone()).collect::<String>();
        assert_eq!(spell(&inputs[..10]), "abcdedefgh", "a window begins every ceil(5/2) characters");
        assert_eq!(spell(&targets[..10]), "bcdefefghi");
        // The test split: characters 180 to 199, windows of 6 side by side at 180, 185, 190.
        assert_eq!(task.test.len(), 3);
        let expected: String = text.chars().skip(180).take(15).map(visible).collect();
        assert_eq!(spell(tokens(&task.test).0), expected);
        // Nothing of the test part is trained on.
        let windows = (180 - 6) / 3 + 1;
        assert_eq!(task.train.len(), windows);
    }

    #[test]
    fn too_few_characters_are_counted_in_the_message() {
        let message = read("héllo", 4).unwrap_err().to_string();
        assert!(message.contains("test.txt") && message.contains("has 5 characters"), "{message}");
        assert!(message.contains("at least 100") && message.contains("context of 4"), "{message}");
        assert!(read(&"ab".repeat(50), 4).is_ok());
        assert!(matches!(read(&"a".repeat(500), 4), Err(TaskError::TooFewClasses { .. })));
    }

    #[test]
    fn the_loss_of_frequencies_is_the_entropy_of_a_fair_coin() {
        let ids: Vec<u32> = (0..10_000).map(|i| i % 2).collect();
        assert!((frequency_loss(&ids, &ids, 2) - 2.0_f64.ln()).abs() < 1e-9);
    }
}
