//! Readers of the user's files.

use std::path::Path;

use super::data::{Split, Targets};
use super::error::TaskError;
use super::splits;

pub mod cifar10;
pub mod idx;
pub mod image_folder;
pub mod npy;
pub mod npz;
pub mod reading;
pub mod table;
pub mod tensors;

/// Divides what a file holds into training and test examples: [`splits::TEST_SHARE`] for testing, per class.
///
/// # Errors
/// [`TaskError::TooFewExamples`] if no example is left for testing.
fn divided(all: &Split, path: &Path) -> Result<(Split, Split), TaskError> {
    let parts = match &all.targets {
        Targets::Classes { labels, classes } => splits::stratified(labels, *classes, splits::TEST_SHARE),
        _ => splits::random(all.len(), splits::TEST_SHARE),
    };
    if parts.1.is_empty() {
        let minimum = all.targets.classes() + 1;
        return Err(TaskError::TooFewExamples { path: path.into(), found: all.len(), minimum: minimum.max(2) });
    }
    Ok(splits::divide(all, &parts))
}

/// Number of classes that labels 0, 1, 2, ... stand for. Some numbers may be missing (a data set may count from 1),
/// but no more than occur: a lone large label is a damaged file, not two hundred empty classes.
///
/// # Errors
/// [`TaskError::BadLabel`], [`TaskError::TooFewClasses`].
fn classes_of(labels: &[u32], path: &Path) -> Result<usize, TaskError> {
    let mut distinct = labels.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let (Some(&last), true) = (distinct.last(), distinct.len() >= 2) else {
        let found = distinct.first().map_or_else(|| "no label".to_owned(), |label| format!("only the label {label}"));
        return Err(TaskError::TooFewClasses { path: path.into(), found });
    };
    if last as usize > 2 * distinct.len() {
        let at = labels.iter().position(|&label| label == last).unwrap_or(0);
        return Err(TaskError::BadLabel {
            path: path.into(),
            place: format!("example {at}"),
            label: last.to_string(),
            max: distinct.len() - 1,
        });
    }
    Ok(last as usize + 1)
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_may_skip_numbers_but_not_most() {
        let path = Path::new("labels");
        assert_eq!(classes_of(&[1, 2, 3, 1], path).unwrap(), 4);
        assert_eq!(classes_of(&[0, 1], path).unwrap(), 2);
        let message = classes_of(&[0, 1, 2, 255, 1], path).unwrap_err().to_string();
        assert!(message.contains("example 3") && message.contains("255") && message.contains("0 to 3"), "{message}");
        assert!(classes_of(&[4, 4], path).is_err());
        assert!(classes_of(&[], path).is_err());
    }
}
