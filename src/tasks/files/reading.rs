//! Files and folders, with errors that say what to do.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::tasks::budget;
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;

/// The path of a spec that needs a file.
///
/// # Errors
/// [`TaskError::NoPath`], [`TaskError::NotFound`], [`TaskError::NotAFile`].
pub fn file<'a>(spec: &'a TaskSpec, expected: &'static str) -> Result<&'a Path, TaskError> {
    file_at(existing(spec)?, expected)
}

/// The path of a spec that needs a folder.
///
/// # Errors
/// [`TaskError::NoPath`], [`TaskError::NotFound`], [`TaskError::NotAFolder`].
pub fn folder<'a>(spec: &'a TaskSpec, holding: &'static str) -> Result<&'a Path, TaskError> {
    let path = existing(spec)?;
    if !path.is_dir() {
        return Err(TaskError::NotAFolder { path: path.into(), holding });
    }
    Ok(path)
}

/// [`file`] at a path of its own.
///
/// # Errors
/// [`TaskError::NotFound`], [`TaskError::NotAFile`].
pub fn file_at<'a>(path: &'a Path, expected: &'static str) -> Result<&'a Path, TaskError> {
    let path = found(path)?;
    if path.is_dir() {
        return Err(TaskError::NotAFile { path: path.into(), expected });
    }
    Ok(path)
}

fn existing(spec: &TaskSpec) -> Result<&Path, TaskError> {
    let path = spec.path.as_deref().filter(|path| !path.as_os_str().is_empty());
    found(path.ok_or(TaskError::NoPath { task: spec.kind })?)
}

fn found(path: &Path) -> Result<&Path, TaskError> {
    match fs::metadata(path) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(TaskError::NotFound { path: path.into() }),
        Err(source) => Err(TaskError::Unreadable { path: path.into(), source }),
    }
}

/// The first of `names` that is a file in `folder`.
///
/// # Errors
/// [`TaskError::Missing`] with all names.
pub fn first_of(folder: &Path, names: &[String]) -> Result<PathBuf, TaskError> {
    names
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| TaskError::Missing { folder: folder.into(), looked_for: names.join(", ") })
}

/// A whole file.
///
/// # Errors
/// [`TaskError::Unreadable`], [`TaskError::Empty`], [`TaskError::TooLarge`].
pub fn bytes(path: &Path, expected: &'static str) -> Result<Vec<u8>, TaskError> {
    let unreadable = |source| TaskError::Unreadable { path: path.into(), source };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    budget::check(|| format!("Reading {path:?}"), &[size], "give a smaller file")?;
    let content = fs::read(path).map_err(unreadable)?;
    if content.is_empty() {
        return Err(TaskError::Empty { path: path.into(), expected });
    }
    Ok(content)
}

/// A file to read piece by piece, unpacked if its name ends in `.gz`.
///
/// # Errors
/// [`TaskError::Unreadable`], [`TaskError::Empty`].
pub fn open(path: &Path, expected: &'static str) -> Result<Box<dyn Read>, TaskError> {
    let unreadable = |source| TaskError::Unreadable { path: path.into(), source };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() == 0 {
        return Err(TaskError::Empty { path: path.into(), expected });
    }
    let file = io::BufReader::new(file);
    Ok(if packed(path) { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

pub fn packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// Up to `limit` bytes of `reader`, which reads `path`; memory grows with what is there, not with `limit`.
///
/// # Errors
/// [`TaskError::BadGzip`], [`TaskError::Unreadable`].
pub fn up_to(reader: &mut dyn Read, limit: u64, path: &Path) -> Result<Vec<u8>, TaskError> {
    let mut content = Vec::new();
    match reader.take(limit).read_to_end(&mut content) {
        Ok(_) => Ok(content),
        Err(source) if packed(path) => Err(TaskError::BadGzip { path: path.into(), source }),
        Err(source) => Err(TaskError::Unreadable { path: path.into(), source }),
    }
}

/// Words from elsewhere (a crate's message, a name in a file) as part of one line.
pub fn one_line(words: impl ToString) -> String {
    let words = words.to_string();
    let visible = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    words.trim().chars().map(visible).collect()
}

/// Entries of a folder that aren't hidden, by name (numbers in numerical order).
///
/// # Errors
/// [`TaskError::Unreadable`].
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, TaskError> {
    let unreadable = |source| TaskError::Unreadable { path: folder.into(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort_by_cached_key(|path| {
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        (number.unwrap_or(u64::MAX), path.clone())
    });
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_in_numerical_order_without_hidden_ones() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10", "9", "b", "a", ".hidden"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<_> = entries(folder.path()).unwrap().iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["9", "10", "a", "b"]);
    }

    #[test]
    fn foreign_words_stay_on_one_line() {
        assert_eq!(one_line("line 1:\n\tÜber\0\n"), "line 1:\\n\\tÜber\\u{0}");
    }

    #[test]
    fn no_more_than_the_limit_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        fs::write(&path, [7; 100]).unwrap();
        assert_eq!(up_to(&mut open(&path, "data").unwrap(), 10, &path).unwrap().len(), 10);
        assert_eq!(up_to(&mut open(&path, "data").unwrap(), u64::MAX, &path).unwrap().len(), 100);
    }
}
